"""What must be expected where a loop begins: a guess from the instructions in it, good enough to write most loops once.

The guess need not be right. What comes back to the beginning is compared with it, and widens it where it was too small.
"""

from __future__ import annotations

from ..asm.opcodes import LD_IMM64, SIZE_BYTES, Alu, Class, Mode, Size
from .effects import effect
from .image import CALL
from .memory import MASK32, MASK64
from .ranges import FULL, SLOTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .emit import State, Value
    from .flow import Block

_STEP, _NARROW, _WIDE = 1, 2, 4  # how a register changes: by a constant, to 32 bits at most, to anything
_STEPS = frozenset((int(Class.ALU64 | Alu.ADD), int(Class.ALU64 | Alu.SUB)))
_SIZES = {int(code): size for code, size in SIZE_BYTES.items()}
COUNTED = (1 << 31) - 1
_ALU64, _ALU, _LDX, _STX, _ST, _LD, _MEM, _DW = map(
    int, (Class.ALU64, Class.ALU, Class.LDX, Class.STX, Class.ST, Class.LD, Mode.MEM, Size.DW)
)


class Changes:
    """What the blocks of a loop change: `registers` maps a number to how, `stored` are (offset, size) in the stack.

    `wild` is set when the stack may change anywhere; `body` has their first slots.
    """

    def __init__(self) -> None:
        self.registers: dict[int, int] = {}
        self.stored: set[tuple[int, int]] = set()
        self.wild = False
        self.body: set[int] = set()

    def add(self, block: Block) -> None:
        registers = self.registers
        for insn in block.code:
            if insn is None:
                continue
            opcode = insn[0]
            cls = opcode & 7
            if cls == _ALU64:
                registers[insn[1]] = registers.get(insn[1], 0) | (_STEP if opcode in _STEPS else _WIDE)
            elif cls == _ALU:
                registers[insn[1]] = registers.get(insn[1], 0) | _NARROW
            elif cls == _LDX:
                narrow = opcode & 0xE0 == _MEM and opcode & 0x18 != _DW
                registers[insn[1]] = registers.get(insn[1], 0) | (_NARROW if narrow else _WIDE)
            elif opcode & 0xE0 == _MEM and cls in (_ST, _STX) and insn[1] == 10:
                self.stored.add((insn[3], _SIZES[opcode & 0x18]))
            else:
                kept, _ = effect(insn)
                for reg in range(10):
                    if not kept >> reg & 1:
                        registers[reg] = registers.get(reg, 0) | _WIDE
                if cls in (_ST, _STX) or opcode == CALL or (cls == _LD and opcode != LD_IMM64):
                    self.wild = True


def heads(blocks: dict[int, Block], sequence: list[int], number: dict[int, int]) -> dict[int, Changes]:
    """The blocks where loops begin, and what changes in each loop."""
    ends: dict[int, list[int]] = {}
    for first in sequence:
        for target in blocks[first].next:
            if number[target] <= number[first]:
                ends.setdefault(target, []).append(first)
    if not ends:
        return {}
    before: dict[int, list[int]] = {first: [] for first in sequence}
    for first in sequence:
        for target in blocks[first].next:
            before[target].append(first)
    out = {}
    for head, todo in ends.items():
        body = {head}
        while todo:
            node = todo.pop()
            if node not in body:
                body.add(node)
                todo.extend(before[node])
        changes = out[head] = Changes()
        changes.body = body
        for node in body:
            changes.add(blocks[node])
    return out


def guess(state: State, changes: Changes) -> State:
    """What is known where a loop begins that is entered with `state`."""
    out = state.copy()
    for reg, how in changes.registers.items():
        if reg < 10:  # r10 and what is no register cannot be written: such instructions are faults
            out[reg] = _value(state[reg], how)
    slots = state[SLOTS]
    if slots and (changes.wild or changes.stored):
        out[SLOTS] = (
            {}
            if changes.wild
            else {
                at: held
                for at, held in slots.items()
                if all(at + held[0] <= to or to + size <= at for to, size in changes.stored)
            }
        )
    return out


def _value(before: Value, how: int) -> Value:
    if before is None:
        return None
    low, high = before
    if how & _WIDE or type(low) is str or low < 0 or high > MASK64:
        return FULL
    if how == _STEP:
        return min(low, 1), max(high, COUNTED)
    return (0, max(high, MASK32)) if how == _NARROW else FULL


__all__ = ("COUNTED", "Changes", "guess", "heads")
