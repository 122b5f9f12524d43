"""Which row of the table an instruction is."""

from __future__ import annotations

from operator import itemgetter

from .opcodes import LD_IMM64
from .table import DST, IMM, LAST_REGISTER, NEXT, OFF, OPERANDS, ROWS, SRC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .insn import Insn

    Matcher = tuple[Callable[[Insn], object], object, int]


def row_of(insn: Insn) -> int | None:
    """The index in `ROWS` of the row that the instruction fits; None when there is none.

    None means: an unknown opcode, a field that should be zero and is not, a register above r11, or half of a wide load.
    """
    opcode, dst, src, _, _, next_imm = insn
    if dst > LAST_REGISTER or src > LAST_REGISTER or (opcode == LD_IMM64 and next_imm is None):
        return None
    for fields, values, row in _MATCHERS.get(opcode, ()):
        if fields(insn) == values:
            return row
    return None


def _matchers() -> dict[int, list[Matcher]]:
    """By opcode: (getter of the fields that are no operands, what they must be, row)."""
    out: dict[int, list[Matcher]] = {}
    for number, (opcode, template, fixed, _, printed) in enumerate(ROWS):
        if printed:
            free = {OPERANDS[c][0] for c in template if c in OPERANDS} | ({NEXT} if "Q" in template else set())
            index = [i for i in (DST, SRC, OFF, IMM, NEXT) if i not in free]
            # Asking for one field gives it bare, so the opcode goes along to make a tuple of it.
            values = (opcode, *(fixed[i - 1] for i in index))
            out.setdefault(opcode, []).append((itemgetter(0, *index), values, number))
    return out


_MATCHERS = _matchers()
