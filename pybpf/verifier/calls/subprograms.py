"""Calls between a program's own functions, callbacks, and how a function ends."""

from __future__ import annotations

from ...uapi.prog import ProgType
from ..attach import target_returns_void
from ..numbers.num import Num
from ..pruning.convergence import previous_entry, widen
from ..reject import Reject, unread
from ..state import IRQ_REF, REF, Frame, State
from ..values import (
    ANY,
    BTF_ID,
    DYNPTR,
    KIND,
    MAP_KEY,
    MAP_PTR,
    MAP_VALUE,
    PACKETS,
    PKT_END,
    SCALAR,
    STACK,
    UNINIT,
    Reg,
    type_name,
)
from .functions import check_arguments
from .reach import changes_packet, may_sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..explore import Run

MAX_FRAMES = 8


def forget_packets(state: State) -> None:
    """The packet may have moved: pointers into it are void."""
    state.invalidate(
        lambda reg: reg.type & KIND in PACKETS or reg.type == PKT_END or (reg.type & KIND == 17 and reg.extra < 0)
    )


def clobber(regs: list[Reg]) -> None:
    """R0 to R5 do not survive a call."""
    regs[0:6] = _CLOBBERED


_CLOBBERED = [UNINIT] * 6


def call_function(run: Run, state: State, slot: int, target: int) -> int:
    """A call of a local function: walked into, or, when it is global, trusted to be checked by itself."""
    subprog = run.program.subprog_at(target)
    assert subprog is not None
    caller = state.frames[-1]
    function = run.function(subprog)
    if function.is_global:
        if state.lock() is not None:
            raise Reject(
                "lock", "global function calls are not allowed while holding a lock, use static function instead"
            )
        strict = not run.setting.at_least("6.15")
        if state.preempt and (strict or may_sleep(run.program, subprog)):
            raise Reject("lock", "global function calls are not allowed with preemption disabled")
        if state.irq and (strict or may_sleep(run.program, subprog)):
            raise Reject("lock", "global function calls are not allowed with IRQs disabled")
        if state.rcu and may_sleep(run.program, subprog):
            raise Reject("lock", "global functions that may sleep are not allowed in an RCU section")
        check_arguments(run, state, function)
        if changes_packet(run.program, subprog):
            forget_packets(state)
        if subprog not in run.called_globals:
            run.called_globals.append(subprog)
        clobber(caller.regs)
        caller.regs[0] = UNINIT if function.returns_void else ANY
        return slot + 1
    frame = enter(state, subprog, slot)
    frame.regs[1:6] = caller.regs[1:6]
    clobber(caller.regs)
    return target


def enter(state: State, subprog: int, slot: int) -> Frame:
    """A new frame on top of the calls under way."""
    if len(state.frames) >= MAX_FRAMES:
        raise Reject(
            "stack-depth",
            f"the call stack of {len(state.frames)} frames is too deep",
            hint=f"functions may call each other {MAX_FRAMES} deep, callbacks included; recursion is not possible",
        )
    regs = [UNINIT] * 10 + [Reg(STACK, extra=len(state.frames))]
    frame = Frame(subprog, slot, regs, (*state.frames[-1].chain, (slot, subprog)))
    state.frames.append(frame)
    return frame


# -- callbacks


def push_callback(
    run: Run, state: State, slot: int, subprog: int, kind: str, arguments: list[Reg] | None = None
) -> None:
    """Explore a callback later; the helper that runs it goes on as if it were not called."""
    run.callback_subprogs.add(subprog)
    caller = state.frames[-1]
    highest = 1
    if arguments is None:
        arguments, highest = _arguments(caller.regs, kind)
    if kind in ("timer", "wq"):
        run.async_callbacks.add(subprog)
        regs = [UNINIT] * 10 + [Reg(STACK, extra=0)]
        regs[1 : 1 + len(arguments)] = arguments
        frame = Frame(subprog, -1, regs, ((-1, subprog),))
        frame.callback = "async"
        frame.return_range = (0, highest)
        other = State([frame])
        other.lost = state.lost
        # until Linux 6.18, what a sleepable program starts may sleep as well
        other.sleepable = kind == "wq" or (run.setting.sleepable and not run.setting.at_least("6.18"))
        other.insn = other.began = run.program.starts[subprog]
        other.parent = state.parent
        run.push(other, slot)
        other.hist.clear()
        return
    other = state.copy()
    frame = enter(other, subprog, slot)
    frame.regs[1 : 1 + len(arguments)] = arguments
    frame.callback = "rbtree" if kind == "rbtree" else "sync"
    frame.return_range = (0, highest)
    other.callback_depth += 1
    other.frames[-2].calls += 1
    caller.calls = 0
    other.insn = run.program.starts[subprog]
    run.push(other, slot)


def _arguments(regs: list[Reg], kind: str) -> tuple[list[Reg], int]:
    """The registers R1.. that a callback starts with, and the highest value that it may return."""
    if kind == "loop":
        return [ANY, regs[3]], 1
    if kind == "for_each":
        target = regs[1].data
        uid = regs[1].extra
        return [
            Reg(MAP_PTR, data=target, extra=uid),
            Reg(MAP_KEY, data=target, extra=uid),
            Reg(MAP_VALUE, data=target, extra=uid),
            regs[3],
        ], 1
    if kind in ("timer", "wq"):
        target = regs[1].data
        return [Reg(MAP_PTR, data=target), Reg(MAP_KEY, data=target), Reg(MAP_VALUE, data=target)], 0
    if kind == "find_vma":
        return [regs[1], Reg(BTF_ID, data=("kernel", "vm_area_struct")), regs[4]], 1
    return [Reg(DYNPTR, data="local"), regs[3]], 1  # user_ringbuf_drain


# -- the end of a function


def leave(run: Run, state: State) -> int:
    """The step of `exit`."""
    check_resources(state, "BPF_EXIT instruction in main prog", locks=len(state.frames) == 1)
    frame = state.frames[-1]
    if len(state.frames) > 1:
        return _return(run, state, frame)
    _check_return(run, state, frame)
    return -1


def _return(run: Run, state: State, callee: Frame) -> int:
    result = callee.regs[0]
    if result.type == STACK:
        raise Reject(
            "type", "cannot return stack pointer to the caller", hint="its frame is gone when the function returns"
        )
    if callee.callback is None:
        state.frames.pop()
        state.frames[-1].regs[0] = result
        return callee.callsite + 1
    if result.type != SCALAR:
        raise Reject("return-value", "R0 not a scalar value: callbacks return a number", regs=(0,))
    run.mark_precise(state, 0)
    assert callee.return_range is not None
    _check_range(result.num, callee.return_range, "At callback return")
    state.frames.pop()
    slot = callee.callsite
    state.insn = slot
    previous = previous_entry(state, slot)
    if previous is not None:
        widen(previous, state)
    return slot


def end_early(run: Run, state: State, slot: int, result: Reg, *, packet: bool = False) -> int:
    """A function of the program may end at this instruction, with `result`; going on is explored later.

    A tail call replaces the program, and returns to the caller of the function; so does a load from the packet that fails.
    `packet`: on the way that ended, it may have moved.
    """
    other = state.copy()
    other.insn = slot + 1
    run.push(other, slot)
    frame = state.frames[-1]
    frame.regs[0] = result
    if packet:
        forget_packets(state)
    return _return(run, state, frame)


def check_resources(state: State, what: str, *, locks: bool) -> None:
    """Nothing is held where nothing may be held."""
    if len(state.frames) == 1 or what == "bpf_throw":
        for kind, ref, where, _ in state.held:
            if kind == REF:
                raise Reject(
                    "reference",
                    f"{what} would lead to reference leak: reference {ref}, acquired at insn {where}, is not released",
                    hint="release it on every path: bpf_sk_release, bpf_ringbuf_submit or bpf_ringbuf_discard, ...",
                )
    if locks and state.lock() is not None:
        raise Reject("lock", f"{what} cannot be used inside bpf_spin_lock-ed region", hint="unlock first")
    if state.rcu and locks:
        raise Reject("lock", f"{what} cannot be used inside bpf_rcu_read_lock-ed region")
    if locks and any(held[0] == IRQ_REF for held in state.held):
        raise Reject("lock", f"{what} cannot be used inside bpf_local_irq_save-ed region")
    if locks and state.preempt:
        raise Reject("lock", f"{what} cannot be used inside bpf_preempt_disable-ed region")


def _check_return(run: Run, state: State, frame: Frame) -> None:
    """What the program, a global function or an asynchronous callback returns."""
    result = frame.regs[0]
    if not result.type:
        function = run.function(frame.subprog)
        if function.returns_void if frame.subprog else target_returns_void(run.setting):
            return
        raise Reject(
            "uninitialised",
            "R0 !read_ok: the program ends without a return value",
            hint="set R0 before every exit",
            regs=(0,),
        )
    run.check_leak(result, "R0 leaks addr as return value")
    if frame.callback == "async":
        _check_number(result, "At async callback return")
        run.mark_precise(state, 0)
        assert frame.return_range is not None
        _check_range(result.num, frame.return_range, "At async callback return")
        return
    if frame.subprog and frame.subprog != run.exception_callback:
        if result.type != SCALAR:
            name = type_name(result.type)
            raise Reject(
                "return-value", f"At subprogram exit the register R0 is not a scalar value ({name})", regs=(0,)
            )
        return
    check_program_result(run, state, 0)


def check_program_result(run: Run, state: State, regno: int) -> None:
    """What the program returns, which a register holds, is in the range of its type."""
    result = state.frames[-1].regs[regno]
    if not result.type:
        raise unread(regno)
    allowed = run.setting.program_rules.returns
    if allowed is None:
        return
    _check_number(result, "At program exit")
    run.mark_precise(state, regno)
    _check_range(result.num, allowed, "At program exit", narrow=run.setting.prog_type == ProgType.LSM)


def _check_number(result: Reg, when: str) -> None:
    if result.type != SCALAR:
        text = f"{when} the register R0 is not a known value ({type_name(result.type)})"
        raise Reject("return-value", text, hint="return a number", regs=(0,))


def _check_range(n: Num, allowed: tuple[int, int], when: str, *, narrow: bool = False) -> None:
    low, high = allowed
    smin, smax = (n.smin32, n.smax32) if narrow else (n.smin, n.smax)
    if low <= smin and smax <= high:
        return
    known = f"smin={smin} smax={smax}" if smin > -(1 << 63) or smax < (1 << 63) - 1 else "unknown scalar value"
    raise Reject(
        "return-value",
        f"{when} the register R0 has {known} should have been in [{low}, {high}]",
        hint=f"return a number from {low} to {high} on every path",
        regs=(0,),
    )
