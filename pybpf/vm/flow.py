"""Control flow of one function: basic blocks, their order, dominators, and which registers are alive.

What the translator needs to write loops and branches as Python loops and branches.  Everything is numbers and bit
masks: a translation must not cost more than a few microseconds an instruction.
"""

from __future__ import annotations

from itertools import pairwise

from ..asm.opcodes import LD_IMM64, Alu, Atomic, Call, Class, Jmp, Mode
from .helpers.table import KFUNCS, VARIADIC, arity_of, name_of
from .image import CALL, EXIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..asm.insn import Insn
    from .image import Image

_JA, _JAL, _MAY_GOTO = Class.JMP | Jmp.JA, Class.JMP32 | Jmp.JA, Class.JMP | Jmp.JCOND
_CLOBBERED = 0b111110
_ALL = 0b11111111111
_ARITY: dict[int, int] = {}


class Block:
    """Instructions that run one after another: `first` slot, `code` from there on, and where it goes.

    `fall` and `jump` are the first slots of the next blocks, None for none.  `broken` marks a block whose end runs
    out of the function: whoever gets there is sent to the interpreter, which raises the fault.  `live` are the registers
    that are read behind the block; `behind`, for each slot, those that the rest of the block writes, and 16 bits above
    them those that it reads before.
    """

    __slots__ = ("behind", "broken", "code", "fall", "first", "jump", "live", "needs", "next")

    def __init__(self, first: int) -> None:
        self.first = first
        self.code: list[Insn | None] = []
        self.fall: int | None = None
        self.jump: int | None = None
        self.broken: int | None = None
        self.live = 0
        self.needs = 0
        self.behind: list[int] = []
        self.next: tuple[int, ...] = ()


def blocks_of(image: Image, start: int, end: int, entry: int) -> dict[int, Block]:
    """The blocks of the function in [start, end), by first slot, those that can be reached from the slot `entry`."""
    code = image.code
    targets: dict[int, int | None] = {}  # by slot of each jump and exit: where it goes, None for an exit
    leaders = {start, end, entry}
    for slot, insn in image.jumps:
        if start <= slot < end:
            target = targets[slot] = None if insn[0] == EXIT else slot + 1 + (insn[4] if insn[0] == _JAL else insn[3])
            leaders.add(slot + 1)
            if target is not None and start <= target < end and code[target] is not None:
                leaders.add(target)
    bounds = sorted(leaders)
    ends = dict(pairwise(bounds))
    blocks: dict[int, Block] = {}
    todo = [entry]
    while todo:
        first = todo.pop()
        if first in blocks:
            continue
        block = blocks[first] = Block(first)
        if not start <= first < end or code[first] is None:
            block.broken = first
            continue
        behind = ends[first]
        block.code = code[first:behind]
        if behind - 1 not in targets:
            block.fall = behind
            block.next = (behind,)
            todo.append(behind)
        elif (target := targets[behind - 1]) is not None:
            block.jump = target
            todo.append(target)
            if code[behind - 1][0] in (_JA, _JAL):  # type: ignore[index]
                block.next = (target,)
            else:
                block.fall = behind
                block.next = (behind, target)
                todo.append(behind)
    return blocks


def order(blocks: dict[int, Block], start: int) -> list[int]:
    """Blocks in reverse postorder: each before those that it leads to, back edges excepted."""
    out: list[int] = []
    seen = {start}
    stack = [(start, iter(blocks[start].next))]
    while stack:
        node, rest = stack[-1]
        for after in rest:
            if after not in seen:
                seen.add(after)
                stack.append((after, iter(blocks[after].next)))
                break
        else:
            stack.pop()
            out.append(node)
    out.reverse()
    return out


def dominators(
    sequence: list[int], before: dict[int, list[int]], number: dict[int, int], loops: bool
) -> dict[int, int]:
    """The immediate dominator of each block (Cooper, Harvey, Kennedy: A Simple, Fast Dominance Algorithm).

    `number` is the place of each block in the sequence; without `loops` one round is enough.
    """
    idom = {sequence[0]: sequence[0]}
    changed = True
    while changed:
        changed = False
        for node in sequence[1:]:
            new = None
            for pred in before[node]:
                if pred not in idom:
                    continue
                if new is None:
                    new = pred
                    continue
                a, b = pred, new
                while a != b:
                    while number[a] > number[b]:
                        a = idom[a]
                    while number[b] > number[a]:
                        b = idom[b]
                new = a
            assert new is not None
            if idom.get(node) != new:
                idom[node] = new
                changed = loops
    return idom


def helper_arity(number: int) -> int:
    found = _ARITY.get(number)
    if found is None:
        found = _ARITY[number] = arity_of(number) if name_of(number) else 0
    return found


# opcode -> what it does with dst and src: 1 reads dst, 2 reads src, 4 writes dst.
def _roles() -> dict[int, int]:
    roles = {}
    for opcode in range(256):
        cls, high = opcode & 7, opcode & 0xF0
        if cls in (Class.ALU, Class.ALU64):
            roles[opcode] = 4 | (high != Alu.MOV) | (2 if opcode & 8 and high != Alu.END else 0)
        elif cls in (Class.JMP, Class.JMP32):
            roles[opcode] = 1 | (2 if opcode & 8 else 0)
        elif cls == Class.LDX:
            roles[opcode] = 6
        elif cls == Class.ST:
            roles[opcode] = 1
        elif cls == Class.STX:
            roles[opcode] = 3
    roles[LD_IMM64] = 4
    for opcode in (_JA, _JAL, _MAY_GOTO):
        roles[opcode] = 0
    return roles


_ROLES = _roles()
_SPECIAL = {CALL, EXIT, *(o for o in range(256) if o & 0xE7 == Class.STX | Mode.ATOMIC)}
_PLAIN = [None if opcode in _SPECIAL else _ROLES.get(opcode) for opcode in range(256)]


def effect(insn: Insn) -> tuple[int, int]:
    """(registers written, registers read) as bit masks."""
    opcode = insn[0]
    if opcode == CALL:
        if insn[2] == Call.HELPER:
            arity = helper_arity(insn[4])
        else:
            arity = KFUNCS[insn.symbol][0] if insn[2] == Call.KFUNC and insn.symbol in KFUNCS else VARIADIC
        return 0b111111, _CLOBBERED if arity == VARIADIC else ((2 << arity) - 1) & ~1
    if opcode == EXIT:
        return 0, 1
    if opcode & 7 == Class.LD and opcode != LD_IMM64:
        return 0b111111, 1 << 6 | (1 << insn[2] if opcode & 0xE0 == Mode.IND else 0)
    role = _ROLES.get(opcode, 0)
    writes = 1 << insn[1] if role & 4 else 0
    reads = (1 << insn[1] if role & 1 else 0) | (1 << insn[2] if role & 2 else 0)
    if opcode & 0xE7 == Class.STX | Mode.ATOMIC:
        imm = insn[4]
        if imm == Atomic.CMPXCHG:
            writes, reads = 1, reads | 1
        elif imm == Atomic.LOAD_ACQ:
            writes, reads = 1 << insn[1], 1 << insn[2]
        elif imm & Atomic.FETCH:
            writes = 1 << insn[2]
    return writes, reads


def liveness(blocks: dict[int, Block], sequence: list[int]) -> int:
    """Set `live` and `behind` of each block; gives the registers that are read from the first block on."""
    summary = {}
    for first in sequence:
        block = blocks[first]
        written = read = 0
        behind = block.behind
        for insn in reversed(block.code):
            behind.append(read << 16 | written)
            if insn is None:
                continue
            role = _PLAIN[insn[0]]
            if role is None:
                writes, reads = effect(insn)
            else:
                dst = 1 << insn[1]
                writes = dst if role & 4 else 0
                reads = (dst if role & 1 else 0) | (1 << insn[2] if role & 2 else 0)
            written |= writes
            read = read & ~writes | reads
        behind.reverse()
        summary[first] = (written, read)
    entry = dict.fromkeys(sequence, 0)
    changed = True
    while changed:
        changed = False
        for first in reversed(sequence):
            block = blocks[first]
            live = 0 if block.broken is None else _ALL  # the interpreter may go on anywhere
            for target in block.next:
                live |= entry[target]
            block.live = live
            written, read = summary[first]
            new = live & ~written | read
            if new != entry[first]:
                entry[first] = block.needs = new
                changed = True
    return entry[sequence[0]]
