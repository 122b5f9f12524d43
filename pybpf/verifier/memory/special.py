# ruff: noqa: A001, A006 (type and id are the words of this field, here and in struct bpf_reg_state)
"""Objects that live in program memory but belong to the kernel: locks, timers, kptrs, strings, dynptrs, and references."""

from __future__ import annotations

from ...btf.fields import KPTRS
from ..numbers.num import s64
from ..reject import Reject
from ..state import DYNPTR, EMPTY, LOCK, RES_LOCK, State
from ..state import Slot as StackSlot
from ..values import BTF_ID, KIND, MAP_VALUE, MEM, NON_OWN, STACK, Reg
from ..values import DYNPTR as DYNPTR_POINTER
from . import stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...btf.fields import Special
    from ..calls.arguments import Meta
    from ..explore import Run

DYNPTR_SIZE = 16
_DYNPTR_BYTES = bytes([DYNPTR] * 8)


# -- locks


def change_lock(run: Run, state: State, reg: Reg, regno: int, *, taken: bool, kind: int = LOCK) -> None:
    """A lock is taken or given back: of spin locks at most one, of resilient ones several, given back in reverse order."""
    resilient = kind != LOCK
    name = "res_spin_lock" if resilient else "spin_lock"
    if not reg.fixed:
        text = f"R{regno} doesn't have constant offset. bpf_{name} has to be at the constant offset"
        raise Reject("lock", text, regs=(regno,))
    _check_lock_field(run, reg, regno, name)
    owner: object = reg.data
    if any(frame.callback == "rbtree" for frame in state.frames):
        raise Reject("lock", "can't spin_{lock,unlock} in rbtree cb")
    if taken:
        if not resilient and any(one[0] == LOCK for one in state.held):
            raise Reject("lock", "Locking two bpf_spin_locks are not allowed", hint="unlock the first one before")
        if resilient and any(one[0] & RES_LOCK and one[1] == reg.id and one[3] == owner for one in state.held):
            raise Reject("lock", "Acquiring the same lock again, AA deadlock detected")
        state.held = (*state.held, (kind, reg.id, state.insn, owner))
        return
    held = state.lock()
    if held is None:
        raise Reject("lock", f"bpf_{name.removesuffix('_lock')}_unlock without taking a lock")
    if not any(one[0] == kind and one[1] == reg.id and one[3] == owner for one in state.held):
        raise Reject(
            "lock", f"bpf_{name.removesuffix('_lock')}_unlock of different lock", hint="unlock what was locked"
        )
    if held[1] != reg.id or held[3] != owner:
        raise Reject("lock", f"bpf_{name.removesuffix('_lock')}_unlock cannot be out of order")
    state.held = tuple(one for one in state.held if one is not held)
    state.invalidate(lambda reg: reg.type & NON_OWN)


def _check_lock_field(run: Run, reg: Reg, regno: int, name: str) -> None:
    if reg.type == MAP_VALUE:
        what = f"map '{reg.data.name}'"
        if not reg.data.typed:
            raise Reject("lock", f"{what} has to have BTF in order to use bpf_{name}", regs=(regno,))
        fields = reg.data.specials
    else:
        what = f"struct {reg.data[1]}"
        fields = run.object_fields(reg.data[1])
    field = next((field for field in fields if field.kind == name), None)
    if field is None:
        raise Reject("lock", f"{what} has no valid bpf_{name}", regs=(regno,))
    at = s64(reg.num.value) + reg.off
    if at != field.offset:
        text = f"off {at} doesn't point to 'struct bpf_{name}' that is at {field.offset}"
        raise Reject("lock", text, regs=(regno,))


# -- fields of map values


def check_timer(reg: Reg, regno: int, kind: str = "timer") -> None:
    """A bpf_timer (or bpf_wq) at a constant offset of a map's value."""
    if not reg.fixed:
        raise Reject(
            "argument",
            f"R{regno} doesn't have constant offset. bpf_{kind} has to be at the constant offset",
            regs=(regno,),
        )
    _check_typed(reg, regno, f"bpf_{kind}")
    field = reg.data.special(kind)
    if field is None:
        raise Reject("argument", f"map '{reg.data.name}' has no valid bpf_{kind}", regs=(regno,))
    at = s64(reg.num.value) + reg.off
    if at != field.offset:
        raise Reject(
            "argument", f"off {at} doesn't point to 'struct bpf_{kind}' that is at {field.offset}", regs=(regno,)
        )


def _check_typed(reg: Reg, regno: int, what: str) -> None:
    if not reg.data.typed:
        raise Reject("btf", f"map '{reg.data.name}' has to have BTF in order to use {what}", regs=(regno,))


def check_kptr(run: Run, reg: Reg, regno: int) -> Special:
    """A referenced kptr at a constant offset, in a map's value or in an object of the program; gives the field."""
    if reg.type == MAP_VALUE:
        _check_typed(reg, regno, "bpf_kptr_xchg")
    if not reg.fixed:
        raise Reject(
            "argument", f"R{regno} doesn't have constant offset. kptr has to be at the constant offset", regs=(regno,)
        )
    if reg.type & KIND == BTF_ID:
        fields = run.object_fields(reg.data[1])
    else:
        fields = reg.data.specials
    if not any(field.kind in KPTRS for field in fields):
        raise Reject("argument", f"R{regno} has no valid kptr", regs=(regno,))
    at = s64(reg.num.value) + reg.off
    for field in fields:
        if field.offset == at and field.kind in KPTRS:
            if field.kind not in ("kptr", "kptr_percpu"):
                raise Reject("argument", f"off={at} kptr isn't referenced kptr", regs=(regno,))
            return field
    raise Reject("argument", f"off={at} doesn't point to kptr", regs=(regno,))


def check_string(reg: Reg, regno: int) -> None:
    """A NUL-terminated string in a map that nobody can change."""
    target = reg.data
    if not target.flags & 128 or not target.frozen:
        raise Reject(
            "argument",
            f"R{regno} does not point to a readonly map",
            hint="the string must be in a frozen map that programs cannot write",
            regs=(regno,),
        )
    if not reg.fixed:
        raise Reject("argument", f"R{regno} is not a constant address", regs=(regno,))
    if target.type != 2:
        raise Reject("map", "no direct value access support for this map type", regs=(regno,))
    at = s64(reg.num.value) + reg.off
    contents = target.frozen_contents
    if contents is not None and b"\0" not in contents[at:]:
        raise Reject("argument", "string is not zero-terminated", regs=(regno,))


# -- dynptrs


class _CheckDynptr:
    """Checks of an initialised dynptr argument, and the look-up that they share."""

    def __call__(self, run: Run, state: State, reg: Reg, regno: int, ringbuf: bool) -> Reg:
        if reg.type == DYNPTR_POINTER:
            found: Reg | None = reg
        else:
            found = self.find(run, state, reg)
        if found is None:
            raise Reject("argument", f"Expected an initialized dynptr as arg #{regno - 1}", regs=(regno,))
        if ringbuf and found.data != "ringbuf":
            raise Reject("argument", f"Expected a dynptr of type ringbuf as arg #{regno - 1}", regs=(regno,))
        if reg.type == STACK:
            index = _first_index(reg)
            assert index is not None
            run.stack_reads(state, reg.extra, 3 << (index - 1))
        return found

    def find(self, run: Run, state: State, reg: Reg) -> Reg | None:
        """The dynptr that begins where a stack pointer points."""
        index = _first_index(reg)
        if index is None:
            return None
        frame = run.frame_of(reg)
        first, second = frame.slot(index), frame.slot(index - 1)
        if first.bytes != _DYNPTR_BYTES or second.bytes != _DYNPTR_BYTES or first.reg is None or not first.reg.off:
            return None
        return first.reg


check_dynptr = _CheckDynptr()


def owned_dynptr(run: Run, reg: Reg) -> bool:
    """Whether a stack pointer points into a dynptr that is a reference, at either half."""
    index = _first_index(reg)
    held = run.frame_of(reg).slot(index) if index is not None else EMPTY
    return held.bytes[0] == DYNPTR and held.reg is not None and bool(held.reg.ref)


def _first_index(reg: Reg) -> int | None:
    """The stack slot of a dynptr's first half; None when the pointer is not at one."""
    if not reg.fixed:
        return None
    at = reg.off + s64(reg.num.value)
    index = (-at - 1) >> 3
    return None if at & 7 or index < 1 or at < -stack.STACK_SIZE else index


def make_dynptr(run: Run, state: State, reg: Reg, regno: int, kind: str, ref: int | None = None) -> Reg:
    """A new dynptr on the stack; one in a ring buffer is a reference, even when there was no room for it."""
    if reg.type != STACK:
        raise Reject("argument", f"arg#{regno - 1} expected pointer to stack or const struct bpf_dynptr", regs=(regno,))
    if not reg.fixed:
        raise Reject("argument", "dynptr has to be at a constant offset", regs=(regno,))
    at = reg.off + s64(reg.num.value)
    if at % 8 or at > -DYNPTR_SIZE:
        raise Reject("argument", f"cannot pass in dynptr at an offset={at}", regs=(regno,))
    stack.check_within(run, reg, regno, reg.off, DYNPTR_SIZE, True)
    frame = run.frame_of(reg)
    index = (-at - 1) >> 3
    for i in (index, index - 1):
        if frame.slot(i).bytes[0] == DYNPTR:
            stack.destroy_dynptr(run, state, frame, i)
    if ref is None:
        ref = run.acquire(state, state.insn) if kind == "ringbuf" else 0
    id = run.new_id()
    first = Reg(DYNPTR_POINTER, off=1, id=id, ref=ref, data=kind)
    frame.set_slot(index, StackSlot(_DYNPTR_BYTES, first))
    frame.set_slot(index - 1, StackSlot(_DYNPTR_BYTES, Reg(DYNPTR_POINTER, id=id, ref=ref, data=kind)))
    return first


# -- references


def release(run: Run, state: State, meta: Meta, reg: Reg) -> None:
    """The call gives up what an argument refers to."""
    if reg.type == STACK:
        found = check_dynptr.find(run, state, reg)
        assert found is not None
        drop_reference(state, found.ref)
        return
    if meta.helper.name == "kptr_xchg" and reg.null:
        return
    if meta.ref:
        if not state.holds(meta.ref):
            raise Reject(
                "reference",
                f"func bpf_{meta.helper.name}#{meta.helper.id} reference has not been acquired before",
                hint="what this pointer refers to was released already",
            )
        if meta.helper.name == "kptr_xchg":
            state.release(meta.ref)
        drop_reference(state, meta.ref)
    elif not reg.null:
        text = f"func bpf_{meta.helper.name}#{meta.helper.id} reference has not been acquired before"
        raise Reject("reference", text)


def drop_reference(state: State, ref: int) -> None:
    """Release a reference: all pointers that depend on it are void."""
    state.release(ref)
    state.invalidate(lambda reg: reg.ref == ref)
    ids = set()
    for frame in state.frames:
        for i, held in enumerate(frame.stack):
            if held.bytes[0] == DYNPTR and held.reg is not None and held.reg.ref == ref:
                ids.add(held.reg.id)
                frame.stack[i] = EMPTY
    for id in ids:
        state.invalidate(lambda reg, id=id: reg.type & KIND == MEM and reg.extra == id)
