"""What nobody reads any more is cleared at the head of a long loop with many tests.

At a gate the verifier takes a state for one that it has seen if all registers and the whole stack are like then: what is
dead it knows only of states that it is done with, and a loop's are not.  So what the ways through a round leave behind multiplies
the rounds that it walks.  A register costs one instruction in a round, and so do 8 bytes of the stack.
"""

from __future__ import annotations

from .allocate import CALLER_SAVED, FILL, SPILL
from .liveness import backwards
from .machine import ALU64, CALL, JCOND, MOV, SIZES, ST, MBlock, Mi

MANY = 12  # tests in a loop, from which on it pays


def clear(blocks: list[MBlock], assigned: list[int], depth: int) -> None:
    """Put the instructions in; `depth` is the stack that slots take, below which spilled numbers lie."""
    heads = [block for block in blocks if block.dead is not None]
    loops = [(head, inside(blocks, head)) for head in heads]
    loops = [(head, within) for head, within in loops if sum(b.test is not None for b in within) >= MANY]
    if not loops:
        return
    moves = [[move(mi, assigned, depth) for mi in (*b.code, *((b.test,) if b.test else ()))] for b in blocks]
    live = liveness(blocks, moves)
    for head, within in loops:
        before = moves[head.number][: gate(head)]
        fresh = {place for _, written in before for place in written}
        places = {place for b in within for _, written in moves[b.number] for place in written}
        places -= live[head.number] | fresh
        words = [-8 * (n + 1) for n in head.dead or ()] + [off for off in places if off < 0]
        at = head.code[0].at if head.code else head.test and head.test.at
        head.code[:0] = [
            *(Mi(ALU64 | MOV, r, imm=0, defs=r, at=at) for r in sorted(places) if r >= 0),
            *(Mi(ST | SIZES[8], 10, off=off, uses=(10,), at=at) for off in sorted(words)),
        ]


def gate(head: MBlock) -> int:
    """How many instructions of a block stand before its gate: `may_goto`, or a call that asks an iterator."""
    return next((i for i, mi in enumerate(head.code) if asks(mi)), len(head.code))


def asks(mi: Mi) -> bool:
    return mi.opcode == CALL and str(mi.symbol).startswith("bpf_iter_") and str(mi.symbol).endswith("_next")


def is_head(block: MBlock) -> bool:
    return (block.test is not None and block.test.opcode == JCOND) or any(map(asks, block.code))


def inside(blocks: list[MBlock], head: MBlock) -> list[MBlock]:
    """The blocks of the loop with this head: from where one comes back to it."""
    preds: list[list[int]] = [[] for _ in blocks]
    for block in blocks:
        for t in block.targets:
            preds[t].append(block.number)
    found = {head.number}
    todo = [n for n in preds[head.number] if n >= head.number]
    while todo:
        n = todo.pop()
        if n not in found:
            found.add(n)
            todo += preds[n]
    return [blocks[n] for n in sorted(found)]


def move(mi: Mi, assigned: list[int], depth: int) -> tuple[set[int], set[int]]:
    """What an instruction reads and writes: registers, and places of spilled numbers by their offset."""
    reads = {assigned[r] for r in mi.uses if assigned[r] < 10}
    writes = {assigned[mi.defs]} if mi.defs >= 0 else set()
    if mi.opcode == FILL and mi.src == 10 and mi.off < -depth:
        reads.add(mi.off)
    elif mi.opcode == SPILL and mi.dst == 10 and mi.off < -depth:
        writes.add(mi.off)
    if mi.clobbers:
        writes.update(CALLER_SAVED)
    return reads, writes


def liveness(blocks: list[MBlock], moves: list[list[tuple[set[int], set[int]]]]) -> list[set[int]]:
    """What may be read from the beginning of each block on, before it is written."""
    places = sorted(set().union(*(place for found in moves for both in found for place in both)))
    bit = {place: 1 << i for i, place in enumerate(places)}
    use, keep = [], []
    for found in moves:
        used = killed = 0
        for reads, writes in found:
            used |= sum(bit[place] for place in reads) & ~killed
            killed |= sum(bit[place] for place in writes)
        use.append(used)
        keep.append(~killed)
    live = backwards(use, keep, [block.targets for block in blocks])
    return [{place for place in places if mask & bit[place]} for mask in live]


__all__ = ["clear", "is_head"]
