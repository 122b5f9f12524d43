"""Calls of kernel functions (kfuncs): what must hold of the arguments, what the call gives, takes and holds."""

from __future__ import annotations

from ..btf.kinds import Kind
from ..errors import BtfError
from ..kernel.kfuncs import ITERATOR_SLOTS, KERNEL_CONTEXTS, kfunc
from ..uapi.prog import ProgType
from . import memory, objects
from .btfwalk import begins_with
from .calls import check_program_result, clobber, push_callback
from .convergence import previous_entry, widen
from .helpers import check_memory
from .num import Num, s64, sync
from .pointers import check_unmodified
from .reject import Reject, Unsure
from .results import acquire
from .special import change_lock, check_dynptr, check_timer, drop_reference, make_dynptr
from .state import EMPTY, IRQ, IRQ_REF, ITER, RES_LOCK, State
from .state import Slot as StackSlot
from .tnum import U32, U64
from .values import (
    ALLOC,
    ANY,
    BTF_ID,
    CTX,
    FUNC,
    KIND,
    MAP_PTR,
    MAP_VALUE,
    MAYBE_NULL,
    MEM,
    NON_OWN,
    PERCPU,
    RCU,
    RDONLY,
    SCALAR,
    SOCKETS,
    STACK,
    TRUSTED,
    UNINIT,
    UNTRUSTED,
    Reg,
    scalar,
    type_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..btf.fields import Special
    from ..kernel.kfuncs import Kfunc
    from .explore import Run
    from .state import Frame

    Check = Callable[[Run, State, "Call", int, str], None]

_ERRNO = Reg(SCALAR, sync(Num(0, U64, 0, U64, -4095, -1, 0, U32, -4095, -1)))
KNOWN_SINCE = "6.12"
"""The flags of kernel functions changed from version to version before."""
_WHILE_LOCKED = ("bpf_iter_num_", "bpf_list_", "bpf_rbtree_", "bpf_refcount_acquire_", "bpf_res_spin_")
"""What may be called while a lock is held begins so."""


class Call:
    """What the arguments of a call told."""

    __slots__ = (
        "certain",
        "dynptr",
        "iterator",
        "kfunc",
        "pushed",
        "release",
        "root",
        "size",
        "struct",
        "subprog",
    )

    def __init__(self, rules: Kfunc) -> None:
        self.kfunc = rules
        self.release = 0
        self.size = 0
        self.dynptr: Reg | None = None
        self.iterator: tuple[Frame, int, int] | None = None  # frame, its number, first slot
        self.struct = ""  # of the object that the call makes
        self.certain = False  # the result is no NULL, whatever the table says
        self.root: Special | None = None  # the list or tree
        self.pushed = 0  # the reference that the list or tree takes over
        self.subprog = -1


def call_kfunc(run: Run, state: State, slot: int) -> int:
    """A call of a kernel function."""
    name = run.program.kfuncs.get(slot)
    if name is None:  # refused in the end, when the call was reached: dead code may hold such calls
        run.empty_kfunc = slot
        return slot + 1
    if state.lock() is not None and not name.startswith(_WHILE_LOCKED):
        raise Reject("lock", "function calls are not allowed while holding a lock", hint="unlock before the call")
    if name not in run.setting.program_rules.kfuncs:
        raise Reject(
            "helper", f"calling kernel function {name} is not allowed", hint="this program type may not call it"
        )
    rules = kfunc(name)
    if rules is None or not run.setting.at_least(KNOWN_SINCE):
        _not_known(name)
    assert rules is not None
    call = Call(rules)
    if "sleep" in rules.effects:
        _check_may_sleep(run, state, name)
    if rules.returns == "lock":  # where the lock was not to be had, it is not held
        _failed(run, state, slot)
    for i, (kind, of) in enumerate(rules.args):
        if kind.endswith("?") and state.frames[-1].regs[i + 1].null:
            continue
        _CHECKS[kind.removesuffix("?")](run, state, call, i, of)
    return _apply(run, state, slot, call)


def _check_may_sleep(run: Run, state: State, name: str) -> None:
    if not run.in_sleepable(state):
        raise Reject("helper", f"program must be sleepable to call sleepable kfunc {name}")
    if state.rcu or state.preempt or state.irq:
        raise Reject("lock", f"kernel func {name} is sleepable within rcu_read_lock region")


def _failed(run: Run, state: State, slot: int) -> None:
    other = state.copy()
    other.insn = slot + 1
    clobber(other.frames[-1].regs)
    other.frames[-1].regs[0] = _ERRNO
    run.push(other, slot)


def _not_known(name: str, when: str = "") -> None:
    text = f"calls of the kernel function {name} {when}".rstrip()
    raise Unsure(f"{text} are not modelled", hint="load the program to ask the kernel")


# -- what must hold


def _number(run: Run, state: State, call: Call, index: int, of: str) -> None:
    if state.frames[-1].regs[index + 1].type != SCALAR:
        raise Reject("argument", f"R{index + 1} is not a scalar", hint="a number is expected", regs=(index + 1,))


def _anything(run: Run, state: State, call: Call, index: int, of: str) -> None:
    pass


def _map(run: Run, state: State, call: Call, index: int, of: str) -> None:
    regno = index + 1
    reg = state.frames[-1].regs[regno]
    if reg.type == MAP_PTR:
        check_unmodified(reg, regno)
        return
    _object(run, state, call, index, "bpf_map")


def _memory(run: Run, state: State, call: Call, index: int, of: str) -> None:
    """Memory of a fixed size, or of the size that the next argument tells."""
    regno = index + 1
    regs = state.frames[-1].regs
    if of:
        size = int(of)
    else:
        number = regs[regno + 1]
        if number.type != SCALAR:
            raise Reject("argument", f"R{regno + 1} is not a scalar", regs=(regno + 1,))
        if number.num.smin < 0 or number.num.umax >= 1 << 29:
            raise Reject("argument", f"arg#{index} arg#{index + 1} memory, len pair leads to invalid memory access")
        size = number.num.umax
        run.mark_precise(state, regno + 1)
    if regs[regno].null and not size:
        return
    if regs[regno].type & MAYBE_NULL:
        raise Reject("null", f"R{regno} may be NULL", regs=(regno,))
    check_memory(run, state, regno, size, write=False, zero_ok=not of)
    check_memory(run, state, regno, size, write=True, zero_ok=not of)


def _lock(kind: int, taken: bool) -> Check:
    def check(run: Run, state: State, call: Call, index: int, of: str) -> None:
        reg = state.frames[-1].regs[index + 1]
        if reg.type not in (MAP_VALUE, BTF_ID | ALLOC):
            raise Reject("lock", f"arg#{index} doesn't point to map value or allocated object", regs=(index + 1,))
        change_lock(run, state, reg, index + 1, taken=taken, kind=kind)

    return check


def _work_queue(run: Run, state: State, call: Call, index: int, of: str) -> None:
    reg = state.frames[-1].regs[index + 1]
    if reg.type != MAP_VALUE:
        raise Reject("argument", f"arg#{index} doesn't point to a map value", regs=(index + 1,))
    check_timer(reg, index + 1, "wq")


def _callback(run: Run, state: State, call: Call, index: int, of: str) -> None:
    reg = state.frames[-1].regs[index + 1]
    if reg.type != FUNC:
        raise Reject("argument", f"arg{index} expected pointer to func", regs=(index + 1,))
    call.subprog = reg.data


def _kernel_type(run: Run, state: State, call: Call, index: int, of: str) -> None:
    """The id of a type in the kernel's BTF."""
    regno = index + 1
    reg = state.frames[-1].regs[regno]
    if not reg.const:
        raise Reject("argument", f"R{regno} must be a known constant", regs=(regno,))
    run.mark_precise(state, regno)
    try:
        found = run.setting.kernel_btf().type(reg.num.value).stripped
    except BtfError:
        raise Reject("argument", f"Unknown type ID {reg.num.value} passed to kfunc {call.kfunc.name}") from None
    if found.kind in (Kind.STRUCT, Kind.UNION):
        call.struct = found.name
    elif found.kind != Kind.VOID or not run.setting.at_least("6.17"):
        raise Reject("argument", "kfunc bpf_rdonly_cast type ID argument must be of a struct or void", regs=(regno,))


def _context(run: Run, state: State, call: Call, index: int, of: str) -> None:
    regno = index + 1
    reg = state.frames[-1].regs[regno]
    behind = KERNEL_CONTEXTS.get(of)
    if reg.type in (BTF_ID | TRUSTED, BTF_ID | RCU) and behind is not None and reg.data == ("kernel", behind):
        return
    if reg.type != CTX:
        text = f"arg#{index} expected pointer to ctx, but got {type_name(reg.type)}"
        raise Reject("argument", text, regs=(regno,))
    check_unmodified(reg, regno)


def _object(run: Run, state: State, call: Call, index: int, of: str, *, rcu: bool = False) -> Reg:
    """A pointer to a kernel object that is certainly valid."""
    regno = index + 1
    reg = state.frames[-1].regs[regno]
    if reg.null or reg.type & MAYBE_NULL:
        raise Reject(
            "null",
            f"Possibly NULL pointer passed to trusted arg{index}",
            hint="compare the pointer with NULL before the call",
            regs=(regno,),
        )
    kind = reg.type & KIND
    if kind in SOCKETS:
        _not_known(call.kfunc.name, "with a socket")
    if kind != BTF_ID:
        raise Reject("argument", f"arg#{index} is {type_name(reg.type)}, expected a struct {of}", regs=(regno,))
    if not (reg.ref and not reg.type & NON_OWN) and not (reg.type & TRUSTED and not reg.type & UNTRUSTED):
        if not rcu:
            raise Reject("argument", f"R{regno} must be referenced or trusted", regs=(regno,))
        if not reg.type & RCU:
            raise Reject("argument", f"R{regno} must be a rcu pointer", regs=(regno,))
    if reg.off:
        _not_known(call.kfunc.name, "with a pointer into a structure")
    check_unmodified(reg, regno)
    _check_struct(run, call, reg, index, of)
    return reg


def _check_struct(run: Run, call: Call, reg: Reg, index: int, of: str) -> None:
    space, have = reg.data
    if have == of and space == "kernel" and not reg.off:
        return
    text = f"kernel function {call.kfunc.name} args#{index} expected pointer to STRUCT {of} but R{index + 1} has {have}"
    strict = "acquire" in call.kfunc.effects or any(kind == "own" for kind, _ in call.kfunc.args)
    if not strict and begins_with(run, reg.data, of, reg.off):
        return
    raise Reject("argument", text, regs=(index + 1,))


def _rcu_object(run: Run, state: State, call: Call, index: int, of: str) -> None:
    _object(run, state, call, index, of, rcu=True)


def _trusted_object(run: Run, state: State, call: Call, index: int, of: str) -> None:
    _object(run, state, call, index, of)


def _owned_object(run: Run, state: State, call: Call, index: int, of: str) -> None:
    reg = _object(run, state, call, index, of)
    if not reg.ref:
        text = f"release kernel function {call.kfunc.name} expects refcounted PTR_TO_BTF_ID"
        raise Reject("reference", text, hint="only what this program acquired can be released", regs=(index + 1,))
    call.release = reg.ref


def _place(run: Run, state: State, index: int, what: str, count: int) -> tuple[Frame, int, int]:
    """Where on the stack an object of `count` slots lies: the frame, its number, and the first of its slots."""
    regno = index + 1
    reg = state.frames[-1].regs[regno]
    if reg.type != STACK:
        raise Reject("argument", f"arg#{index} expected pointer to an {what} on stack", regs=(regno,))
    if not reg.fixed:
        raise Reject("argument", f"{what} has to be at a constant offset", regs=(regno,))
    at = reg.off + s64(reg.num.value)
    if at % 8 or at > -8 * count or at < -512:
        raise Reject("argument", f"cannot pass in {what} at an offset={at}", regs=(regno,))
    return run.frame_of(reg), reg.extra, (-at - 1) >> 3


def _overwrite(run: Run, state: State, index: int, count: int) -> None:
    """The function writes to the stack, as a store would."""
    for i in range(count):
        memory.access(run, state, index + 1, 8 * i, 8, True, None, -1)


def _is(frame: Frame, first: int, count: int, kind: int, name: object) -> bool:
    slots = [frame.slot(first - i) for i in range(count)]
    return (
        all(s.bytes == bytes([kind] * 8) for s in slots)
        and slots[0].reg is not None
        and slots[0].reg.data is not None
        and slots[0].reg.data[0] == name
    )


def _new_iterator(run: Run, state: State, call: Call, index: int, of: str) -> None:
    count = ITERATOR_SLOTS[of]
    frame, number, first = _place(run, state, index, "iterator", count)
    if any(ITER in frame.slot(first - i).bytes for i in range(count)):
        raise Reject("argument", f"expected uninitialized iter_{of} as arg #{index}", regs=(index + 1,))
    _overwrite(run, state, index, count)
    ref = acquire(run, state, state.insn)
    for i in range(count):
        reg = Reg(STACK, ref=0 if i else ref, data=(of, "active") if not i else None)
        frame.set_slot(first - i, StackSlot(bytes([ITER] * 8), reg))
        run.stack_writes(state, number, 1 << (first - i))


def _iterator(run: Run, state: State, call: Call, index: int, of: str) -> None:
    count = ITERATOR_SLOTS[of]
    frame, number, first = _place(run, state, index, "iterator", count)
    if not _is(frame, first, count, ITER, of):
        raise Reject("argument", f"expected an initialized iter_{of} as arg #{index}", regs=(index + 1,))
    run.stack_reads(state, number, ((1 << count) - 1) << (first - count + 1))
    call.iterator = frame, number, first


def _end_iterator(run: Run, state: State, call: Call, index: int, of: str) -> None:
    _iterator(run, state, call, index, of)
    assert call.iterator is not None
    frame, number, first = call.iterator
    held = frame.stack[first].reg
    assert held is not None
    for i in range(ITERATOR_SLOTS[of]):
        frame.stack[first - i] = EMPTY
        run.stack_writes(state, number, 1 << (first - i))
    drop_reference(state, held.ref)
    call.iterator = None


def _dynptr(run: Run, state: State, call: Call, index: int, of: str) -> None:
    call.dynptr = check_dynptr(run, state, state.frames[-1].regs[index + 1], index + 1, False)


def _new_dynptr(kind: str) -> Check:
    def check(run: Run, state: State, call: Call, index: int, of: str) -> None:
        make_dynptr(run, state, state.frames[-1].regs[index + 1], index + 1, kind)

    return check


def _clone_dynptr(run: Run, state: State, call: Call, index: int, of: str) -> None:
    assert call.dynptr is not None
    make_dynptr(run, state, state.frames[-1].regs[index + 1], index + 1, call.dynptr.data, call.dynptr.ref)


def _slice(run: Run, state: State, call: Call, index: int, of: str) -> None:
    regno = index + 1
    regs = state.frames[-1].regs
    size = regs[regno + 1]
    if size.type != SCALAR:
        _not_known(call.kfunc.name, "with a size that is not a number")
    if not regs[regno].null:
        if regs[regno].type & MAYBE_NULL or regs[regno].type & KIND == BTF_ID:
            _not_known(call.kfunc.name, f"with a buffer of type {type_name(regs[regno].type)}")
        if size.num.smin < 0:
            raise Reject("argument", f"R{regno + 1} min value is negative, either use unsigned or 'var &= const'")
        if size.num.umax >= 1 << 29:
            raise Reject("argument", f"R{regno + 1} unbounded memory access, use 'var &= const'", regs=(regno + 1,))
        check_memory(run, state, regno, size.num.umax, write=False, zero_ok=True)
        check_memory(run, state, regno, size.num.umax, write=True, zero_ok=True)
        run.mark_precise(state, regno + 1)
    if not size.const:
        raise Reject("argument", f"R{regno + 1} must be a known constant", regs=(regno + 1,))
    call.size = size.num.value & U32


def _save_irq(run: Run, state: State, call: Call, index: int, of: str) -> None:
    frame, number, first = _place(run, state, index, "irq flag", 1)
    if IRQ in frame.slot(first).bytes:
        raise Reject("argument", f"expected uninitialized irq flag as arg#{index}", regs=(index + 1,))
    _overwrite(run, state, index, 1)
    id = run.new_id()  # noqa: A001 (the word of struct bpf_reg_state)
    state.held = (*state.held, (IRQ_REF, id, state.insn, None))
    state.irq = id
    frame.set_slot(first, StackSlot(bytes([IRQ] * 8), Reg(STACK, ref=id, data=("irq",))))
    run.stack_writes(state, number, 1 << first)


def _restore_irq(run: Run, state: State, call: Call, index: int, of: str) -> None:
    frame, number, first = _place(run, state, index, "irq flag", 1)
    if not _is(frame, first, 1, IRQ, "irq"):
        raise Reject("argument", f"expected an initialized irq flag as arg#{index}", regs=(index + 1,))
    run.stack_reads(state, number, 1 << first)
    held = frame.stack[first].reg
    assert held is not None
    if held.ref != state.irq:
        raise Reject("lock", f"cannot restore irq state out of order, expected id={state.irq}", regs=(index + 1,))
    state.held = tuple(one for one in state.held if not (one[0] == IRQ_REF and one[1] == held.ref))
    state.irq = max((one[1] for one in state.held if one[0] == IRQ_REF), default=0)
    frame.stack[first] = EMPTY
    run.stack_writes(state, number, 1 << first)


_CHECKS = {
    "num": _number,
    "size": _anything,  # looked at together with its buffer
    "any": _anything,
    "ctx": _context,
    "trusted": _trusted_object,
    "rcu": _rcu_object,
    "own": _owned_object,
    "iter.new": _new_iterator,
    "iter.next": _iterator,
    "iter.end": _end_iterator,
    "dynptr": _dynptr,
    "dynptr.skb": _new_dynptr("skb"),
    "dynptr.xdp": _new_dynptr("xdp"),
    "dynptr.clone": _clone_dynptr,
    "slice": _slice,
    "irq.save": _save_irq,
    "irq.restore": _restore_irq,
    "map": _map,
    "mem": _memory,
    "wq": _work_queue,
    "func": _callback,
    "type": _kernel_type,
    "new": objects.constant_type,
    "drop": objects.owned,
    "counted": objects.counted,
    "root": objects.root,
    "node": objects.node,
    "linked": objects.linked,
    "lock": _lock(RES_LOCK, True),
    "unlock": _lock(RES_LOCK, False),
}


# -- what changes


def _apply(run: Run, state: State, slot: int, call: Call) -> int:
    rules = call.kfunc
    for effect in rules.effects:
        if effect in _EFFECTS:
            _EFFECTS[effect](run, state, rules.name)
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
        return _next(run, state, slot, call)
    state.frames[-1].regs[0] = _result(run, state, slot, call)
    return slot + 1


def _throw(run: Run, state: State) -> int:
    """The program ends here, wherever that is; without a callback of its own, it returns the cookie."""
    if run.exception_callback() is None:
        check_program_result(run, state, 1)
    run.check_resources(state, "bpf_throw", locks=True)
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
            _not_known(rules.name, "on a ring buffer's dynptr")
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
        result.ref = acquire(run, state, slot)
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
        _not_known("bpf_cast_to_kern_ctx", "in programs of this type")
    return Reg(BTF_ID | TRUSTED, data=("kernel", KERNEL_CONTEXTS[name]))


def _element(held: Reg, call: Call) -> Reg:
    """What an iterator gives: memory, or an object that it keeps alive, or that RCU does."""
    if call.kfunc.returns.startswith("mem"):
        return Reg(MEM | RDONLY, ref=held.ref, data=int(call.kfunc.returns[3:]))
    flags = RCU if "rcu" in call.kfunc.effects else TRUSTED
    return Reg(BTF_ID | flags, ref=held.ref, data=("kernel", call.kfunc.returns))


def _next(run: Run, state: State, slot: int, call: Call) -> int:
    """The next element, explored later; or none: the iterator is drained, which is how this path goes on."""
    assert call.iterator is not None
    frame, number, first = call.iterator
    kept = frame.stack[first]
    held = kept.reg
    assert held is not None
    name, status = held.data
    if status == "active":
        other = state.copy()
        other.insn = slot + 1
        previous = previous_entry(state.parent.state, slot)  # the parent is the checkpoint made at this very call
        if previous is not None:
            widen(previous, other)
        # one element further: this tells an infinite loop from one that the iterator ends
        other.frames[number].stack[first] = StackSlot(kept.bytes, held.replace(extra=held.extra + 1))
        other.frames[-1].regs[0] = _element(held, call)
        run.push(other, slot)
        frame.stack[first] = StackSlot(kept.bytes, held.replace(data=(name, "drained")))
    state.frames[-1].regs[0] = scalar(0)
    return slot + 1


def _rcu_lock(run: Run, state: State, name: str) -> None:
    if state.rcu and not run.setting.at_least("6.19"):
        raise Reject("lock", f"nested rcu read lock (kernel function {name})")
    state.rcu += 1


def _rcu_unlock(run: Run, state: State, name: str) -> None:
    if not state.rcu:
        raise Reject("lock", f"unmatched rcu read unlock (kernel function {name})")
    state.rcu -= 1
    if not state.rcu:
        state.rewrite(
            lambda reg: reg.replace(type=reg.type & ~(RCU | MAYBE_NULL) | UNTRUSTED) if reg.type & RCU else reg
        )


def _preempt_disable(run: Run, state: State, name: str) -> None:
    state.preempt += 1


def _preempt_enable(run: Run, state: State, name: str) -> None:
    if not state.preempt:
        raise Reject("lock", f"unmatched attempt to enable preemption (kernel function {name})")
    state.preempt -= 1


_EFFECTS = {
    "rcu+": _rcu_lock,
    "rcu-": _rcu_unlock,
    "preempt+": _preempt_disable,
    "preempt-": _preempt_enable,
}
