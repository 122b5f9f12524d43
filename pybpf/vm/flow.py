"""Control flow of one function: basic blocks, their order, dominators, and which registers are alive.

What the translator needs to write loops and branches as Python loops and branches.  Everything is numbers and bit
masks: a translation must not cost more than a few microseconds an instruction.
"""

from __future__ import annotations

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
    """Instructions that run one after another: `first` slot, `code` as (slot, insn), and where it goes.

    `fall` and `jump` are the first slots of the next blocks, None for none.  `broken` marks a block whose end runs
    out of the function: whoever gets there is sent to the interpreter, which raises the fault.  `live` are the registers
    that are read behind the block; `behind`, for each instruction, those that the rest of the block writes, and reads
    before.
    """

    __slots__ = ("behind", "broken", "code", "fall", "first", "jump", "live", "next")

    def __init__(self, first: int) -> None:
        self.first = first
        self.code: list[tuple[int, Insn]] = []
        self.fall: int | None = None
        self.jump: int | None = None
        self.broken: int | None = None
        self.live = 0
        self.behind: list[tuple[int, int]] = []
        self.next: tuple[int, ...] = ()


def target_of(slot: int, insn: Insn) -> int | None:
    """Where a jump goes; None for what is not a jump."""
    opcode = insn[0]
    cls = opcode & 7
    if cls not in (5, 6) or opcode in (CALL, EXIT):
        return None
    return slot + 1 + (insn[4] if opcode == _JAL else insn[3])


def blocks_of(image: Image, start: int, end: int) -> dict[int, Block]:
    """The blocks of the function in [start, end), by first slot, those that can be reached."""
    code = image.code
    leaders = {start}
    for slot in range(start, end):
        insn = code[slot]
        if insn is not None and insn[0] & 7 in (5, 6):
            target = target_of(slot, insn)
            if target is not None:
                leaders.add(target)
                leaders.add(slot + 1)
            elif insn[0] == EXIT:
                leaders.add(slot + 1)
    blocks: dict[int, Block] = {}
    todo = [start]
    while todo:
        first = todo.pop()
        if first in blocks:
            continue
        block = blocks[first] = Block(first)
        append = block.code.append
        slot = first
        while True:
            insn = code[slot] if start <= slot < end else None
            if insn is None:
                block.broken = slot
                break
            append((slot, insn))
            opcode = insn[0]
            if opcode == EXIT:
                break
            if opcode & 7 in (5, 6) and opcode != CALL:
                block.jump = target_of(slot, insn)
                if opcode not in (_JA, _JAL):
                    block.fall = slot + 1
                break
            slot += 2 if insn[5] is not None else 1
            if slot in leaders:
                block.fall = slot
                break
        block.next = tuple(s for s in (block.fall, block.jump) if s is not None)
        todo.extend(reversed(block.next))
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


def dominators(sequence: list[int], before: dict[int, list[int]]) -> dict[int, int]:
    """The immediate dominator of each block (Cooper, Harvey, Kennedy: A Simple, Fast Dominance Algorithm)."""
    number = {node: i for i, node in enumerate(sequence)}
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
                changed = True
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
_PLAIN = {opcode: role for opcode, role in _ROLES.items() if opcode not in _SPECIAL}


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
        for _, insn in reversed(block.code):
            behind.append((written, read))
            role = _PLAIN.get(insn[0])
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
                entry[first] = new
                changed = True
    return entry[sequence[0]]
