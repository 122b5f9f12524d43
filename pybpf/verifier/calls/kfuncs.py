"""Calls of kernel functions (kfuncs): who may call one, what the call gives, takes and holds."""

from __future__ import annotations

from ...kernel.kfuncs import KERNEL_CONTEXTS, KNOWN_SINCE, WHILE_LOCKED, kfunc
from ...uapi.prog import ProgType
from ..memory.special import drop_reference
from ..numbers.num import Num, sync
from ..numbers.tnum import U32, U64
from ..reject import Reject
from ..state import State
from ..values import (
    ALLOC,
    ANY,
    BTF_ID,
    MAYBE_NULL,
    MEM,
    NON_OWN,
    PERCPU,
    RDONLY,
    SCALAR,
    TRUSTED,
    UNINIT,
    UNTRUSTED,
    Reg,
    scalar,
)
from . import iterators, objects
from .critical import EFFECTS
from .kfuncargs import CHECKS, Call, not_known
from .subprograms import check_program_result, check_resources, clobber, push_callback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..explore import Run


_ERRNO = Reg(SCALAR, sync(Num(0, U64, 0, U64, -4095, -1, 0, U32, -4095, -1)))


def call_kfunc(run: Run, state: State, slot: int) -> int:
    """A call of a kernel function."""
    name = run.program.kfuncs.get(slot)
    if name is None:  # refused in the end, when the call was reached: dead code may hold such calls
        run.empty_kfunc = slot
        return slot + 1
    if state.lock() is not None and not name.startswith(WHILE_LOCKED):
        raise Reject("lock", "function calls are not allowed while holding a lock", hint="unlock before the call")
    rules = kfunc(name)
    common = rules is not None and "common" in rules.effects
    if name not in run.setting.program_rules.kfuncs and not common:
        raise Reject(
            "helper", f"calling kernel function {name} is not allowed", hint="this program type may not call it"
        )
    if rules is None or not run.setting.at_least(KNOWN_SINCE):
        not_known(name)
    assert rules is not None
    call = Call(rules)
    if "sleep" in rules.effects:
        _check_may_sleep(run, state, name)
    if rules.returns == "lock":  # where the lock was not to be had, it is not held
        _failed(run, state, slot)
    for i, (kind, of) in enumerate(rules.args):
        if kind.endswith("?") and state.frames[-1].regs[i + 1].null:
            continue
        CHECKS[kind.removesuffix("?")](run, state, call, i, of)
    return _apply(run, state, slot, call)


def _check_may_sleep(run: Run, state: State, name: str) -> None:
    if not state.sleepable:
        raise Reject("helper", f"program must be sleepable to call sleepable kfunc {name}")
    if state.rcu or state.preempt or state.irq:
        raise Reject("lock", f"kernel func {name} is sleepable within rcu_read_lock region")


def _failed(run: Run, state: State, slot: int) -> None:
    other = state.copy()
    other.insn = slot + 1
    clobber(other.frames[-1].regs)
    other.frames[-1].regs[0] = _ERRNO
    run.push(other, slot)


# -- what changes


def _apply(run: Run, state: State, slot: int, call: Call) -> int:
    rules = call.kfunc
    for effect in rules.effects:
        if effect in EFFECTS:
            EFFECTS[effect](run, state, rules.name)
    if call.release:
        if not state.holds(call.release):
            raise Reject("reference", f"kfunc {rules.name} reference has not been acquired before")
        drop_reference(state, call.release)
    if "throw" in rules.effects:
        return _throw(run, state)
    if call.subprog >= 0:
        _run_callback(run, state, slot, call)
    if call.pushed:
        objects.hand_over(state, call.pushed)
    if rules.name == "bpf_dynptr_slice_rdwr" and "w" not in run.packet_access:
        raise Reject("argument", "the prog does not allow writes to packet data")
    clobber(state.frames[-1].regs)
    if call.iterator is not None:
        return iterators.step(run, state, slot, call)
    state.frames[-1].regs[0] = _result(run, state, slot, call)
    return slot + 1


def _throw(run: Run, state: State) -> int:
    """The program ends here, wherever that is; without a callback of its own, it returns the cookie."""
    if run.exception_callback is None:
        check_program_result(run, state, 1)
    check_resources(state, "bpf_throw", locks=True)
    return -1


def _run_callback(run: Run, state: State, slot: int, call: Call) -> None:
    if call.root is None:
        push_callback(run, state, slot, call.subprog, "wq")
        return
    pair = [objects.node_pointer(run, call.root, NON_OWN) for _ in range(2)]
    push_callback(run, state, slot, call.subprog, "rbtree", pair)


def _result(run: Run, state: State, slot: int, call: Call) -> Reg:
    rules = call.kfunc
    if rules.returns == "int":
        return ANY
    if rules.returns == "void":
        return UNINIT
    if rules.returns == "lock":
        return scalar(0)
    if rules.returns == "cast":
        if call.struct:
            return Reg(BTF_ID | UNTRUSTED, data=("kernel", call.struct))
        return Reg(MEM | RDONLY | UNTRUSTED, data=0)
    if rules.returns == "ctx":
        return _kernel_context(run)
    null = MAYBE_NULL if rules.returns_null else 0
    if rules.returns == "slice":
        assert call.dynptr is not None
        if call.dynptr.ref:
            not_known(rules.name, "on a ring buffer's dynptr")
        packet = call.dynptr.data in ("skb", "xdp")
        flags = RDONLY if rules.name == "bpf_dynptr_slice" else 0
        behind = -call.dynptr.id if packet else call.dynptr.id
        return Reg(MEM | flags | null, id=run.new_id(), data=call.size, extra=behind)
    if call.certain:
        null = 0
    if rules.returns == "object":
        flags = ALLOC | (PERCPU if "percpu" in rules.effects else 0)
        result = Reg(BTF_ID | null | flags, data=("program", call.struct))
    elif rules.returns == "node":
        assert call.root is not None
        result = objects.node_pointer(run, call.root, null | (0 if "acquire" in rules.effects else NON_OWN))
    else:
        result = Reg(BTF_ID | null, data=("kernel", rules.returns))
    if null:
        result.id = run.new_id()
    if "acquire" in rules.effects:
        result.ref = run.acquire(state, slot)
        if null:
            result.id = result.ref
    return result


def _kernel_context(run: Run) -> Reg:
    """The kernel's own structure behind the program's context."""
    setting = run.setting
    name = setting.program_rules.context.name
    if setting.prog_type == ProgType.FLOW_DISSECTOR:
        name = "flow dissector"
    if name not in KERNEL_CONTEXTS:
        raise Reject(
            "argument", "kern ctx type is not a struct", hint="programs of this type have a context of plain numbers"
        )
    return Reg(BTF_ID | TRUSTED, data=("kernel", KERNEL_CONTEXTS[name]))
