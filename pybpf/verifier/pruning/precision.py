"""Precision: which numbers decided something, found by walking the path backwards.

Two states may differ in a number that nothing depended on.  When a number matters (it chose a branch, a length, an offset into
the stack), it is traced back to where it came from, and marked in every checkpoint on the way: there, comparisons look at its
exact bounds.  What cannot be traced marks all numbers of the path's checkpoints.
"""

from __future__ import annotations

from ...asm.opcodes import LD_IMM64, Alu, Atomic, Call, Class, Jmp, Mode
from ..program import CALL, MAY_GOTO, TAIL_CALL
from ..state import SPILL
from ..values import SCALAR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..program import Op, Program
    from ..state import State
    from .checkpoint import Checkpoint

ARGS = 0b111110
ALWAYS = 1 << 16
"""Stands for a register that is always of interest."""


class _Lost(Exception):
    """The walk met an instruction that it cannot see through."""


class Wanted:
    """The places whose origin is sought: a mask of registers and a mask of stack slots for each frame."""

    __slots__ = ("frame", "regs", "slots")

    def __init__(self, frame: int) -> None:
        self.frame = frame
        self.regs = [0] * 10
        self.slots = [0] * 10

    def empty(self) -> bool:
        return not any(self.regs) and not any(self.slots)


class Trail:
    """Walks back over the paths of one program."""

    def __init__(self, program: Program, callbacks: set[int]) -> None:
        self._program = program
        self._callbacks = callbacks
        self._touches: list[int] | None = None  # made when first needed: many programs never are walked back

    def mark(self, state: State, wanted: Wanted) -> None:
        """Mark `wanted` places of `state` and whatever they were computed from, in the checkpoints that it came through.

        The instruction at `state.insn` has not taken effect.
        """
        touches = self._touches
        if touches is None:
            touches = self._touches = [_touched(op) for op in self._program.ops]
        notes, at, begin = state.hist, state.insn, state.began
        left = len(notes)
        checkpoint: Checkpoint | None = state.parent
        regs, slots = wanted.regs, wanted.slots
        try:
            while True:
                while left or at != begin:
                    if left and notes[left - 1][1] == at:
                        left -= 1
                        at, after, access, linked = notes[left]
                    else:
                        after, access, linked = at, None, None
                        at -= 1
                    if linked is not None:
                        _join(wanted, linked)
                    if (regs[wanted.frame] | ALWAYS) & touches[at] or (
                        access is not None and slots[access[0]] >> access[1] & 1
                    ):
                        _step_back(self._program, self._callbacks, at, after, access, wanted)
                    elif linked is None:
                        continue
                    if linked is not None:
                        _join(wanted, linked)
                    if not any(regs) and not any(slots):
                        return
                if checkpoint is None:
                    break
                checkpoint.keep_new(wanted)
                if wanted.empty():
                    return
                old = checkpoint.state
                notes, at, begin = old.hist, old.insn, old.began
                left = len(notes)
                checkpoint = old.parent
        except _Lost:
            mark_all(state)
            return
        if not _only_arguments(wanted):
            mark_all(state)


def _touched(op: Op) -> int:
    """The registers that matter to `_step_back` at an instruction without stack access; ALWAYS for calls and exits."""
    opcode, dst, src, _, _ = op
    cls = opcode & 7
    d = 1 << dst
    if cls in (Class.ALU, Class.ALU64, Class.LDX, Class.ST):
        return d
    if cls == Class.STX:
        return d | (1 << src | 1 if opcode & 0xE0 == Mode.ATOMIC else 0)
    if cls == Class.LD:
        return d if opcode == LD_IMM64 else 1
    kind = opcode & 0xF0
    if kind in (Jmp.CALL, Jmp.EXIT):
        return ALWAYS
    if kind == Jmp.JA or opcode == MAY_GOTO or not opcode & 8:
        return 0
    return d | 1 << src


def _only_arguments(wanted: Wanted) -> bool:
    return not any(wanted.slots) and not any(mask & ~ARGS for mask in wanted.regs)


def mark_all(state: State) -> None:
    """Give up: every number of every checkpoint on this path matters."""
    checkpoint: Checkpoint | None = state.parent
    while checkpoint is not None:
        checkpoint.mark_all()
        checkpoint = checkpoint.state.parent


def _join(wanted: Wanted, linked: tuple[tuple[int, int, bool], ...]) -> None:
    """Where one of several equal numbers is wanted, all of them are."""
    if any((wanted.slots if is_slot else wanted.regs)[frame] >> i & 1 for frame, i, is_slot in linked):
        for frame, i, is_slot in linked:
            (wanted.slots if is_slot else wanted.regs)[frame] |= 1 << i


def _step_back(
    program: Program, callbacks: set[int], slot: int, after: int, access: tuple[int, int] | None, wanted: Wanted
) -> None:
    """From what is wanted after an instruction to what is wanted before it."""
    opcode, dst, src, _, imm = program.ops[slot]
    frame = wanted.frame
    regs = wanted.regs
    mask = regs[frame]
    cls = opcode & 7
    d, s = 1 << dst, 1 << src
    if cls in (Class.ALU, Class.ALU64):
        if not mask & d:
            return
        kind = opcode & 0xF0
        if kind == Alu.MOV:
            mask &= ~d
        if opcode & 8 and kind != Alu.END and src != 10:
            mask |= s
        regs[frame] = mask
    elif cls == Class.LDX:
        if mask & d:
            regs[frame] = mask & ~d
            if access is not None:
                wanted.slots[access[0]] |= 1 << access[1]
    elif cls in (Class.ST, Class.STX):
        _back_over_store(opcode, dst, src, imm, access, wanted)
    elif cls == Class.LD:
        if mask & d and opcode == LD_IMM64:
            regs[frame] = mask & ~d
        elif opcode != LD_IMM64 and after != slot + 1:
            _back_into_function(wanted)
        elif opcode != LD_IMM64 and mask & 1:
            raise _Lost
    elif cls in (Class.JMP, Class.JMP32):
        kind = opcode & 0xF0
        if kind == Jmp.CALL:
            _back_over_call(program, callbacks, slot, after, src, wanted)
        elif kind == Jmp.EXIT:
            from_call = after > 0 and program.ops[after - 1][0] == CALL and program.ops[after - 1][2] == Call.LOCAL
            result = mask & 1 and from_call and after not in callbacks
            if after in callbacks:
                mask &= ~ARGS
            regs[frame] = mask & ~1
            wanted.frame += 1
            regs[frame + 1] |= 1 if result else 0
        elif kind != Jmp.JA and opcode != MAY_GOTO and opcode & 8 and mask & (d | s):
            regs[frame] = mask | d | s


def _back_over_store(opcode: int, dst: int, src: int, imm: int, access: tuple[int, int] | None, wanted: Wanted) -> None:
    """Stores, and atomic operations, some of which load."""
    regs, frame = wanted.regs, wanted.frame
    mask = regs[frame]
    d, s = 1 << dst, 1 << src
    stx = opcode & 7 == Class.STX
    atomic = stx and opcode & 0xE0 == Mode.ATOMIC
    if atomic and imm == Atomic.LOAD_ACQ:
        if mask & d:
            regs[frame] = mask & ~d
            if access is not None:
                wanted.slots[access[0]] |= 1 << access[1]
        return
    if atomic and imm & Atomic.FETCH:
        result = 1 if imm == Atomic.CMPXCHG else s
        if mask & result:  # what was fetched is traced to the slot, as a load would be
            regs[frame] = mask & ~result
            if access is None:
                raise _Lost
            wanted.slots[access[0]] |= 1 << access[1]
            return
    if mask & d:
        raise _Lost
    if access is not None and wanted.slots[access[0]] >> access[1] & 1:
        if not atomic:
            wanted.slots[access[0]] &= ~(1 << access[1])
        if stx:
            regs[frame] |= s


def _back_over_call(program: Program, callbacks: set[int], slot: int, after: int, src: int, wanted: Wanted) -> None:
    frame = wanted.frame
    regs = wanted.regs
    if src == Call.LOCAL and after != slot + 1:  # entry of the function: its arguments are the caller's registers
        if frame == 0:
            raise _Lost
        arguments = regs[frame] & ARGS
        regs[frame] = 0
        if wanted.slots[frame]:
            raise _Lost
        wanted.frame = frame - 1
        regs[frame - 1] |= arguments
    elif slot in callbacks and after != slot + 1 and frame > 0:  # entry of a callback: the helper made its arguments
        if wanted.slots[frame] or regs[frame] & ~ARGS:
            raise _Lost
        regs[frame] = 0
        wanted.frame = frame - 1
    elif program.ops[slot][4] == TAIL_CALL and src == Call.HELPER and after != slot + 1:
        _back_into_function(wanted)
    else:
        regs[frame] &= ~1
        if regs[frame] & ARGS:
            raise _Lost


def _back_into_function(wanted: Wanted) -> None:
    """A function ended early, by a load from the packet or a tail call: what it returned comes from nowhere."""
    wanted.regs[wanted.frame] &= ~1
    wanted.frame += 1


def want(state: State, reg: int) -> Wanted | None:
    """The origin of a register of the current frame, when it holds a number that is not a constant of the program."""
    if state.frames[-1].regs[reg].type != SCALAR:
        return None
    wanted = Wanted(len(state.frames) - 1)
    wanted.regs[wanted.frame] = 1 << reg
    return wanted


def is_number(slot: Any) -> bool:
    """Whether a stack slot holds a spilled number."""
    return slot.bytes[0] == SPILL and slot.reg is not None and slot.reg.type == SCALAR
