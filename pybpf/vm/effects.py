"""Which registers an instruction writes and reads, as bit masks."""

from __future__ import annotations

from ..asm.opcodes import LD_IMM64, Alu, Atomic, Call, Class, Jmp, Mode
from .helpers.table import KFUNCS, VARIADIC, arity_of, name_of
from .image import CALL, EXIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..asm.insn import Insn

    Effect = tuple[int, int]  # the registers that keep what they hold, and those that are read

ALL = 0b11111111111
_JUMPS_ONLY = {Class.JMP | Jmp.JA, Class.JMP32 | Jmp.JA, Class.JMP | Jmp.JCOND}
_ATOMIC = Class.STX | Mode.ATOMIC
_OF_CALL = ALL & ~0b111111  # r0 to r5 are lost
_ARGUMENTS = 0b111110
_ARITY: dict[int, int] = {}


def effect(insn: Insn) -> Effect:
    """What an instruction does with registers."""
    return PLAIN[insn[:3]] or special(insn)


class _Plain(dict["tuple[int, int, int]", "Effect | None"]):
    """(opcode, dst, src) -> effect; None for an instruction whose other fields matter."""

    def __missing__(self, key: tuple[int, int, int]) -> Effect | None:
        self[key] = found = _plain(*key)
        return found


PLAIN = _Plain()


def _plain(opcode: int, dst: int, src: int) -> Effect | None:
    cls, high = opcode & 7, opcode & 0xF0
    d, s = 1 << dst, 1 << src
    from_src = s if opcode & 8 else 0
    if opcode in (CALL, EXIT) or opcode & 0xE7 == _ATOMIC:
        return None
    if opcode in _JUMPS_ONLY:
        return ALL, 0
    if cls in (Class.JMP, Class.JMP32):
        return ALL, d | from_src
    if cls in (Class.ALU, Class.ALU64):
        return ALL & ~d, (d if high != Alu.MOV else 0) | (from_src if high != Alu.END else 0)
    if cls == Class.LDX:
        return ALL & ~d, s
    if cls == Class.ST:
        return ALL, d
    if cls == Class.STX:
        return ALL, d | s
    if opcode == LD_IMM64:
        return ALL & ~d, 0
    return _OF_CALL, 1 << 6 | (s if opcode & 0xE0 == Mode.IND else 0)  # legacy packet loads, of the context in r6


def special(insn: Insn) -> Effect:
    """The effect of a call, an exit or an atomic operation."""
    opcode, dst, src, _, imm, _ = insn
    if opcode == CALL:
        if src == Call.HELPER:
            arity = helper_arity(imm)
        else:
            arity = KFUNCS[insn.symbol][0] if src == Call.KFUNC and insn.symbol in KFUNCS else VARIADIC
        return _OF_CALL, _ARGUMENTS if arity == VARIADIC else ((2 << arity) - 1) & ~1
    if opcode == EXIT:
        return ALL, 1
    d, s = 1 << dst, 1 << src
    if imm == Atomic.CMPXCHG:
        return ALL & ~1, d | s | 1
    if imm == Atomic.LOAD_ACQ:
        return ALL & ~d, s
    return (ALL & ~s if imm & Atomic.FETCH else ALL), d | s


def helper_arity(number: int) -> int:
    found = _ARITY.get(number)
    if found is None:
        found = _ARITY[number] = arity_of(number) if name_of(number) else 0
    return found
