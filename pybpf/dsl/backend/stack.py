"""Where the slots of a function lie on its stack: those that are never in use at the same moment share their bytes.

A slot is in use from the first instruction that mentions it to the last one, on every way: where one that mentions it may
have been passed and one may still come.  Whoever uses an address made from a slot's mentions the slot.
"""

from __future__ import annotations

from ..ssa.ir import Graph, Slot, Value
from .allocate import overlap
from .liveness import backwards

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_CARRY = frozenset(("add", "sub", "phi", "retype"))
"""Operations whose result points into the slot that an operand points into."""


def layout(graph: Graph) -> tuple[int, list[Slot]]:
    """Give each slot its offset from R10; how many bytes they take, and the slots."""
    slots = list(dict.fromkeys(v.aux for b in graph.blocks for v in b.values if v.op == "stack" and v.uses))
    bit = {slot: 1 << i for i, slot in enumerate(slots)}
    ranges = lifetimes(graph, bit) if len(slots) > 1 else [[] for _ in slots]
    depth = 0
    placed: list[tuple[int, int, list[tuple[int, int]]]] = []
    for i in sorted(range(len(slots)), key=lambda i: (-slots[i].align, -slots[i].size)):
        slot = slots[i]
        taken = sorted((low, high) for low, high, other in placed if overlap(other, ranges[i]))
        end = _up(slot.size, slot.align)
        for low, high in taken:
            if low < end and high > end - slot.size:
                end = _up(high + slot.size, slot.align)
        slot.offset = -end
        placed.append((end - slot.size, end, ranges[i]))
        depth = max(depth, end)
    return _up(depth, 8), slots


def _up(n: int, step: int) -> int:
    return -(-n // step) * step


def lifetimes(graph: Graph, bit: dict[Slot, int]) -> list[list[tuple[int, int]]]:
    """For each slot the ranges of positions where it is in use."""
    mentions, escaped, _ = find(graph, bit)
    blocks = graph.blocks
    inside = [0] * len(blocks)
    for i, found in enumerate(mentions):
        for _, mask in found:
            inside[i] |= mask
    number = {block: i for i, block in enumerate(blocks)}
    preds = [[number[p] for p in block.preds] for block in blocks]
    succs = [[number[s] for s in block.successors()] for block in blocks]
    passed = _flow(range(len(blocks)), preds, inside)
    coming = _flow(range(len(blocks) - 1, -1, -1), succs, inside)
    ranges: list[list[tuple[int, int]]] = [[] for _ in bit]
    start = 0
    for i, block in enumerate(blocks):
        end = start + len(block.values) + 2
        at_start, at_end = passed[i] & (coming[i] | inside[i]), coming[i] & (passed[i] | inside[i])
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        for position, mask in mentions[i]:
            for slot in _bits(mask):
                first.setdefault(slot, start + position)
                last[slot] = start + position + 1
        for slot in _bits(at_start | at_end | inside[i]):
            low = start if at_start >> slot & 1 else first[slot]
            high = end if at_end >> slot & 1 else last[slot]
            ranges[slot].append((low, high))
        start = end
    for slot in _bits(escaped):
        ranges[slot] = [(0, start)]
    return ranges


def find(graph: Graph, bit: dict[Slot, int]) -> tuple[list[list[tuple[int, int]]], int, dict[Value, int]]:
    """For each block the (position, slots) of what mentions slots; the slots whose address was stored somewhere; and the
    slots that values point into.
    """
    origin: dict[Value, int] = {}
    escaped = 0

    def of(values: Iterable[Value]) -> int:
        mask = 0
        for v in values:
            mask |= bit[v.aux] if v.op == "stack" else origin.get(v, 0)
        return mask

    again = True
    while again:
        again = False
        mentions: list[list[tuple[int, int]]] = []
        for block in graph.blocks:
            found: list[tuple[int, int]] = []
            mentions.append(found)
            for position, v in enumerate((*block.phis, *block.values), 1 - len(block.phis)):
                mask = of(v.args)
                if not mask:
                    continue
                found.append((max(position, 0), mask))
                if v.op in _CARRY or (v.op == "call" and v.aux.kind != "local" and keeps(v.aux)):
                    again |= v.op == "phi" and origin.get(v) != mask
                    origin[v] = mask
                elif v.op == "store":
                    escaped |= of(v.args[1:])
            mask = of(v for v in (block.term or ())[1:] if isinstance(v, Value))
            if mask:
                found.append((len(block.values) + 1, mask))
    return mentions, escaped, origin


def keeps(callee: object) -> bool:
    """Whether what a call gives may point into memory that it was given: slices of dynptrs do, and items of iterators."""
    return getattr(callee, "kind", "") == "kfunc" or "dynptr" in getattr(callee, "name", "")


def union(masks: Iterable[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found


def _flow(order: Iterable[int], before: list[list[int]], inside: list[int]) -> list[int]:
    """At each block, what the blocks before it (in the direction of the flow) mention."""
    order = list(order)
    known = [0] * len(inside)
    changed = True
    while changed:
        changed = False
        for i in order:
            mask = 0
            for b in before[i]:
                mask |= known[b] | inside[b]
            if mask != known[i]:
                known[i] = mask
                changed = True
    return known


def _bits(mask: int) -> Iterable[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def idle(graph: Graph, heads: list[int], slots: list[Slot]) -> dict[int, list[int]]:
    """For blocks that loops begin with, the 8-byte words of slots that are in use in the loop, and that nobody reads before they
    are written again; by number from R10 down.
    """
    bit = {slot: 1 << i for i, slot in enumerate(slots)}
    mentions, escaped, origin = find(graph, bit)
    whole = {slot: (1 << slot.size) - 1 << -slot.offset - slot.size for slot in slots}
    kept = union(whole[slots[i]] for i in _bits(escaped))

    def bytes_of(slot: Slot, off: int, size: int) -> int:
        return (1 << size) - 1 << -slot.offset - off - size

    use, keep = [], []
    for block in graph.blocks:
        used, killed = 0, 0
        for v in block.values:
            base = v.args[0] if v.args else v
            if v.op in ("load", "store") and base.op == "stack" and v.aux[0].__class__ is int:
                at = bytes_of(base.aux, v.aux[0], v.aux[1])
                used, killed = (used | at & ~killed, killed) if v.op == "load" else (used, killed | at)
            elif v.op not in _CARRY:
                for arg in v.args:
                    for i in _bits(bit[arg.aux] if arg.op == "stack" else origin.get(arg, 0)):
                        used |= whole[slots[i]] & ~killed
        use.append(used)
        keep.append(~killed)
    ways = [[succ.number for succ in block.successors()] for block in graph.blocks]
    live = backwards(use, keep, ways, everywhere=kept)
    found: dict[int, list[int]] = {}
    for head in heads:
        last = max([head, *(pred.number for pred in graph.blocks[head].preds)])
        there = union(mask for block in mentions[head : last + 1] for _, mask in block)
        touched = union(whole[slots[i]] for i in _bits(there))
        found[head] = [word for word in range(64) if touched >> 8 * word & 0xFF and not live[head] >> 8 * word & 0xFF]
    return found


__all__ = ["idle", "layout"]
