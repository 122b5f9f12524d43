"""The stack: 512 bytes a frame, known byte by byte, with registers spilled whole into its 8-byte slots."""

from __future__ import annotations

from ..maps import MAX_OFFSET
from ..numbers import num as numbers
from ..numbers import tnum
from ..numbers.tnum import U32
from ..reject import Reject
from ..state import (
    ALL_MISC,
    ALL_SPILL,
    ALL_ZERO,
    DYNPTR,
    EMPTY,
    INVALID,
    MISC,
    SPILL,
    ZERO,
    Frame,
    Slot,
)
from ..values import ANY, MAYBE_NULL, MEM, NOT_INIT, SCALAR, STACK, TP_BUFFER, Reg, scalar
from ..values import DYNPTR as DYNPTR_POINTER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..explore import Run
    from ..state import State

STACK_SIZE = 512
_UNSPILLABLE = frozenset((NOT_INIT, TP_BUFFER, DYNPTR_POINTER))


def check_within(run: Run, reg: Reg, regno: int, off: int, size: int, write: bool) -> None:
    """The access lies in the frame: `reg` with fixed offset `off` (its own included) and `size` bytes."""
    word = "write to" if write else "read from"
    if reg.fixed:
        low = numbers.s64(reg.num.value) + off
        high = low + size
    else:
        if reg.num.smax >= MAX_OFFSET or reg.num.smin <= -MAX_OFFSET:
            raise Reject(
                "bounds-stack",
                f"invalid unbounded variable-offset {word} stack R{regno}",
                hint="bound the index before adding it to the stack pointer",
                regs=(regno,),
            )
        low = reg.num.smin + off
        high = reg.num.smax + off + size
    lowest = -STACK_SIZE if write or run.uninit_stack else -8 * len(run.frame_of(reg).stack)
    if not lowest <= low <= -1 or high > 0:
        hint = f"a frame has {STACK_SIZE} bytes, from fp-{STACK_SIZE} to fp-1"
        if reg.fixed:
            text = f"invalid {word} stack R{regno} off={low} size={size}"
        else:
            text = (
                f"invalid variable-offset {word} stack R{regno} var_off={tnum.text(reg.num.tnum)} off={off} size={size}"
            )
        raise Reject("bounds-stack", text, hint=hint, regs=(regno,))
    run.deepen(reg.extra, -low)


def read(run: Run, state: State, reg: Reg, regno: int, off: int, size: int, into: bool) -> Reg | None:
    """What a load from the stack gives; `into` tells whether it goes to a register."""
    frame = run.frame_of(reg)
    if not reg.fixed:
        if not into:
            raise Reject("argument", f"R{regno} variable offset stack pointer cannot be used here", regs=(regno,))
        run.privileged_only(f"R{regno} variable offset stack access prohibited for !root")
        check_range(run, state, reg, regno, off, size, write=False)
        return _read_bytes(frame, reg.num.smin + off, reg.num.smax + off + size)
    return read_at(run, state, frame, reg.extra, numbers.s64(reg.num.value) + off, size, into)


def read_at(run: Run, state: State, frame: Frame, number: int, at: int, size: int, into: bool) -> Reg | None:
    """What a load from fp+`at` of a frame gives."""
    index = (-at - 1) >> 3
    slot = frame.slot(index)
    run.stack_reads(state, number, 1 << index)
    byte = at & 7
    kinds = slot.bytes
    if kinds[0] == SPILL and slot.reg is not None:
        return _fill(run, state, frame, number, index, slot, byte, size, at, into)
    for kind in kinds[byte : byte + size]:
        _check_readable(run, kind, at, size)
    if not into:
        return None
    return scalar(0) if kinds[byte : byte + size].count(ZERO) == size else ANY


def _fill(
    run: Run, state: State, frame: Frame, number: int, index: int, slot: Slot, byte: int, size: int, at: int, into: bool
) -> Reg | None:
    """A load from a slot that a register was spilled to."""
    spilled = slot.reg
    assert spilled is not None
    kinds = slot.bytes
    width = 8 if kinds == ALL_SPILL else 8 - len(kinds.lstrip(b"\x01"))
    if size == width == 8:
        if not into:
            run.check_leak(spilled, f"leaking pointer from stack off {at}")
            return None
        if spilled.type == SCALAR:
            spilled = _identify_slot(run, frame, index, slot)
        run.remember_stack(state, number, index)
        return spilled
    if spilled.type != SCALAR:
        raise Reject(
            "bounds-stack", "invalid size of register fill", hint="load a spilled pointer with all its 8 bytes"
        )
    if not into:
        return None
    if size <= width and byte == 0:
        if size == width == 4 and spilled.num.umax <= U32:
            spilled = _identify_slot(run, frame, index, slot)
        run.remember_stack(state, number, index)
        if spilled.num.umax.bit_length() > size * 8:
            return Reg(SCALAR, spilled.num)
        return spilled
    part = kinds[byte : byte + size]
    for kind in part:
        if kind != SPILL:
            _check_readable(run, kind, at, size)
    if part.count(SPILL) == size and spilled.null:
        run.remember_stack(state, number, index)
        return scalar(0)
    return scalar(0) if part.count(ZERO) == size else ANY


def _identify_slot(run: Run, frame: Frame, index: int, slot: Slot) -> Reg:
    """The spilled number, with an id that it shares with the register it is loaded to."""
    if not run.links_spills:
        assert slot.reg is not None
        return slot.reg
    held = [slot.reg]
    new = run.identified(held, 0)  # type: ignore[arg-type]
    if new is not slot.reg:
        frame.stack[index] = Slot(slot.bytes, new)
    return new


def _check_readable(run: Run, kind: int, at: int, size: int) -> None:
    if kind in (MISC, ZERO) or (kind == INVALID and run.uninit_stack):
        return
    what = "nothing was written there" if kind == INVALID else "a kernel object lives there"
    raise Reject("uninitialised", f"invalid read from stack off {at}+0 size {size}: {what}")


def _read_bytes(frame: Frame, low: int, high: int) -> Reg:
    """What a load from somewhere in low..high gives: zero when all of it is zero."""
    for at in range(low, high):
        if frame.slot((-at - 1) >> 3).bytes[at & 7] != ZERO:
            break
    else:
        return scalar(0)
    return ANY


def write(run: Run, state: State, reg: Reg, regno: int, off: int, size: int, value: Reg | None, source: int) -> None:
    """A store to the stack: of `value` (from register `source`, -1 for a constant), or of unknown bytes (None)."""
    frame = run.frame_of(reg)
    if not reg.fixed:
        run.privileged_only(f"R{regno} variable offset stack access prohibited for !root")
        _write_range(run, state, frame, reg.num.smin + off, reg.num.smax + off + size, value, source)
        return
    write_at(run, state, frame, reg.extra, numbers.s64(reg.num.value) + off, size, value, source, regno == 10)


def write_at(
    run: Run,
    state: State,
    frame: Frame,
    number: int,
    at: int,
    size: int,
    value: Reg | None,
    source: int,
    always: bool,
) -> None:
    """A store to fp+`at` of a frame; `always` tells whether the instruction never stores anywhere else."""
    index = (-at - 1) >> 3
    byte = at & 7
    slot = frame.slot(index)
    if slot.reg is not None:
        if not run.setting.perfmon and size != 8 and slot.bytes[0] == SPILL and slot.reg.type != SCALAR:
            raise Reject("leak", "attempt to corrupt spilled pointer on stack")
        if slot.bytes[0] == DYNPTR:
            destroy_dynptr(run, state, frame, index)
            slot = frame.slot(index)
    if value is not None and not byte and value.type == SCALAR and run.setting.bpf:
        if source >= 0 and value.num.umax.bit_length() <= size * 8:
            if run.links_spills:
                value = run.identified(state.frames[-1].regs, source)
        elif value.id:
            value = Reg(SCALAR, value.num)
        kinds = ALL_SPILL if size == 8 else bytes([SPILL] * size) + _spoiled(slot.bytes[size:])
        frame.set_slot(index, Slot(kinds, value))
        run.remember_stack(state, number, index)
    elif value is not None and value.type not in _UNSPILLABLE and value.type != SCALAR:
        if size != 8:
            raise Reject("bounds-stack", "invalid size of register spill", hint="store a pointer with all its 8 bytes")
        if frame is not state.frames[-1] and value.type == STACK:
            raise Reject("type", "cannot spill pointers to stack into stack frame of the caller")
        frame.set_slot(index, Slot(ALL_SPILL, value))
        run.remember_stack(state, number, index)
    else:
        kind = MISC
        if value is not None and value.null:
            if source >= 0:
                run.mark_precise(state, source)
            kind = ZERO
        old = slot.bytes if slot.reg is None else _spoiled(slot.bytes)
        kinds = old[:byte] + bytes([kind] * size) + old[byte + size :]
        if kinds == ALL_MISC.bytes:
            slot = ALL_MISC
        elif kinds == ALL_ZERO.bytes:
            slot = ALL_ZERO
        else:
            slot = Slot(kinds)
        frame.set_slot(index, slot)
    if size == 8 and always:
        run.stack_writes(state, number, 1 << index)


def _spoiled(kinds: bytes) -> bytes:
    """The bytes of a slot whose register is gone: what belonged to it is just some data."""
    return bytes(kind if kind in (INVALID, MISC, ZERO) else MISC for kind in kinds)


def _write_range(run: Run, state: State, frame: Frame, low: int, high: int, value: Reg | None, source: int) -> None:
    """A store to an unknown place in low..high: everything there may be old or new."""
    zero = value is not None and value.null
    zero_used = False
    for index in range((-low - 1) >> 3, ((-high) >> 3) - 1, -1):
        if frame.slot(index).bytes[0] == DYNPTR:
            destroy_dynptr(run, state, frame, index)
    for at in range(low, high):
        index, byte = (-at - 1) >> 3, at & 7
        slot = frame.slot(index)
        kind = slot.bytes[byte]
        if zero and kind == SPILL and slot.reg is not None and slot.reg.null:
            zero_used = True
            continue
        new = MISC
        if zero and kind == ZERO:
            new = ZERO
            zero_used = True
        if kind == INVALID:
            run.privileged_only("uninit stack in range of var-offset write prohibited for !root")
        kinds = slot.bytes if slot.reg is None else _spoiled(slot.bytes)
        frame.set_slot(index, Slot(kinds[:byte] + bytes([new]) + kinds[byte + 1 :]))
    if zero_used and source >= 0:
        run.mark_precise(state, source)


def destroy_dynptr(run: Run, state: State, frame: Frame, index: int) -> None:
    """A write into one of a dynptr's two slots: it is gone, and so are the slices taken from it."""
    slot = frame.stack[index]
    dynptr = slot.reg
    assert dynptr is not None
    if not dynptr.off:  # `off` marks the first slot
        index += 1
    if dynptr.ref:
        raise Reject(
            "reference",
            "cannot overwrite referenced dynptr",
            hint="submit or discard it before its stack is used again",
        )
    frame.stack[index] = frame.stack[index - 1] = EMPTY
    forget_slices(state, dynptr.id)


def forget_slices(state: State, dynptr: int) -> None:
    """Pointers into a dynptr's memory are void."""
    state.invalidate(lambda reg: reg.extra == dynptr and reg.type & ~MAYBE_NULL == MEM)  # read-only ones stay


def check_range(
    run: Run,
    state: State,
    reg: Reg,
    regno: int,
    off: int,
    size: int,
    *,
    write: bool,
    zero_ok: bool = True,
    raw: bool = False,
) -> bool:
    """Memory on the stack that a function is given: all of it readable; what the function may write becomes unknown.

    With `raw` the bytes need not be readable: the function fills them.  True when the caller must mark them so.
    """
    if not size and not zero_ok:
        raise Reject("argument", "invalid zero-sized read", regs=(regno,))
    check_within(run, reg, regno, off, size, write)
    frame = run.frame_of(reg)
    if reg.fixed:
        low = high = numbers.s64(reg.num.value) + off
    else:
        run.privileged_only(f"R{regno} variable offset stack access prohibited for !root")
        raw = False
        low, high = reg.num.smin + off, reg.num.smax + off
    if raw:
        for at in range(low, low + size):
            if frame.slot((-at - 1) >> 3).bytes[at & 7] == DYNPTR:
                raise Reject("argument", f"potential write to dynptr at off={at} disallowed")
        return True
    reads = 0
    for at in range(low, high + size):
        index, byte = (-at - 1) >> 3, at & 7
        slot = frame.slot(index)
        kind = slot.bytes[byte]
        reads |= 1 << index
        if kind == MISC:
            continue
        if kind == ZERO or (kind == INVALID and run.uninit_stack):
            if write:
                frame.set_slot(index, Slot(slot.bytes[:byte] + bytes([MISC]) + slot.bytes[byte + 1 :], slot.reg))
            continue
        if slot.bytes[0] == SPILL and slot.reg is not None and (slot.reg.type == SCALAR or run.setting.perfmon):
            if write:
                frame.set_slot(index, Slot(_spoiled(slot.bytes)))
            continue
        where = f"{low}+{at - low}" if reg.fixed else f"var_off {tnum.text(reg.num.tnum)}+{at - low}"
        raise Reject(
            "uninitialised",
            f"invalid read from stack R{regno} off {where} size {size}",
            hint="initialise all bytes that the function reads, padding too"
            if kind == INVALID
            else "what lies there belongs to the kernel: a dynptr, an iterator or the state of interrupts",
            regs=(regno,),
        )
    run.stack_reads(state, reg.extra, reads)
    return False
