"""Control flow of one function: basic blocks, their order, dominators, and which registers are alive.

What the translator needs to write loops and branches as Python loops and branches.  Everything is numbers and bit
masks: a translation must not cost more than a few microseconds an instruction.
"""

from __future__ import annotations

from itertools import pairwise

from ..asm.opcodes import Class, Jmp
from .effects import ALL, PLAIN, special
from .image import EXIT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..asm.insn import Insn
    from .image import Image

_JA, _JAL = Class.JMP | Jmp.JA, Class.JMP32 | Jmp.JA


class Block:
    """Instructions that run one after another: `first` slot, `code` from there on, and where it goes.

    `fall` and `jump` are the first slots of the next blocks, None for none.  `broken` marks a block whose end runs
    out of the function: whoever gets there is sent to the interpreter, which raises the fault.  `needs` are the registers
    that are read from the block's beginning on, `live` those behind its end, `behind` those behind each slot.
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


def liveness(blocks: dict[int, Block], sequence: list[int]) -> int:
    """Set `live`, `behind` and `needs` of each block; gives the registers that are read from the first block on."""
    needs: dict[int, int] = {}
    looks_back, changed = False, True
    while changed:
        changed = False
        for first in reversed(sequence):
            block = blocks[first]
            live = 0 if block.broken is None else ALL  # the interpreter may go on anywhere
            for target in block.next:
                if target in needs:
                    live |= needs[target]
                else:
                    looks_back = True
            if live == block.live and first in needs:
                continue
            block.live = live
            behind = []
            for insn in reversed(block.code):
                behind.append(live)
                if insn is None:
                    continue
                kept, reads = PLAIN[insn[:3]] or special(insn)
                live = live & kept | reads
            behind.reverse()
            block.behind = behind
            if live != needs.get(first):
                needs[first] = block.needs = live
                changed = looks_back  # without loops, what a block leads to was known before it
    return needs[sequence[0]]
