"""Where the slots of a function lie on its stack: those that are never in use at the same moment share their bytes.

A slot is in use from where it may have been mentioned to where its bytes may be read, without being written before.  Whoever
uses an address made from a slot's mentions the slot.  So the copies of an unrolled loop share what they make for themselves:
it takes less stack, and fewer bytes tell the ways through them apart, which the verifier compares, whether in use or not.
"""

from __future__ import annotations

from ..ssa.ir import Graph, Slot, Value
from .allocate import overlap
from .liveness import backwards

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Event = tuple[int, int, int, int]
    """What mentions slots: its position in the block, the slots, the bytes of them that it reads, those that it writes."""

_CARRY = frozenset(("add", "sub", "phi", "retype"))
"""Operations whose result points into the slot that an operand points into."""


def layout(graph: Graph) -> tuple[int, list[Slot]]:
    """Give each slot its offset from R10; how many bytes they take, and the slots."""
    slots = list(dict.fromkeys(v.aux for b in graph.blocks for v in b.values if v.op == "stack" and v.uses))
    ranges = lifetimes(graph, Traffic(graph, slots)) if len(slots) > 1 else [[] for _ in slots]
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


class Traffic:
    """What a function does with its slots; slots and bytes of all slots are numbered through, and sets of them are masks.

    `whole` has the bytes of each slot; `events` what mentions slots, for each block in order; `passed` the slots that may have
    been mentioned before each block, `live` the bytes that may be read from its beginning on, before they are written;
    `escaped` the slots whose address was stored somewhere.
    """

    def __init__(self, graph: Graph, slots: list[Slot]) -> None:
        self.first: dict[Slot, int] = {}
        self.whole: list[int] = []
        total = 0
        for slot in slots:
            self.first[slot] = total
            self.whole.append((1 << slot.size) - 1 << total)
            total += slot.size
        self.escaped = 0
        self._origin: dict[Value, int] = {}
        self._bit = {slot: 1 << i for i, slot in enumerate(slots)}
        mentions = self._mentions(graph)
        self.events = [[self._event(*mention) for mention in found] for found in mentions]
        number = {block: i for i, block in enumerate(graph.blocks)}
        self.ways = [[number[succ] for succ in block.successors()] for block in graph.blocks]
        preds = [[number[pred] for pred in block.preds] for block in graph.blocks]
        inside = [union(slots for _, slots, _, _ in events) for events in self.events]
        met = backwards(inside, [-1] * len(inside), preds)  # the same, the other way round
        self.passed = [union(met[pred] for pred in before) for before in preds]
        use, keep = [], []
        for events in self.events:
            used = written = 0
            for _, _, read, wrote in events:
                used |= read & ~written
                written |= wrote
            use.append(used)
            keep.append(~written)
        self.live = backwards(use, keep, self.ways, self.bytes_of(self.escaped))

    def bytes_of(self, slots: int) -> int:
        return union(self.whole[i] for i in _bits(slots))

    def _of(self, values: Iterable[Value]) -> int:
        """The slots that these point into."""
        return union(self._bit[v.aux] if v.op == "stack" else self._origin.get(v, 0) for v in values)

    def _mentions(self, graph: Graph) -> list[list[tuple[int, int, Value | None]]]:
        """For each block the (position, slots, value) of what mentions slots; no value for what ends the block."""
        again = True
        while again:
            again = False
            mentions: list[list[tuple[int, int, Value | None]]] = []
            for block in graph.blocks:
                found: list[tuple[int, int, Value | None]] = []
                mentions.append(found)
                for position, v in enumerate((*block.phis, *block.values), 1 - len(block.phis)):
                    mask = self._of(v.args)
                    if not mask:
                        continue
                    found.append((max(position, 0), mask, v))
                    if v.op in _CARRY or (v.op == "call" and v.aux.kind != "local" and keeps(v.aux)):
                        again |= v.op == "phi" and self._origin.get(v) != mask
                        self._origin[v] = mask
                    elif v.op == "store":
                        self.escaped |= self._of(v.args[1:])
                mask = self._of(v for v in (block.term or ())[1:] if isinstance(v, Value))
                if mask:
                    found.append((len(block.values) + 1, mask, None))
        return mentions

    def _event(self, position: int, slots: int, value: Value | None) -> Event:
        """What is written only in part, or through an address that was made, counts as read as a whole."""
        read, written = self.bytes_of(slots), 0
        if value is not None and value.op in _CARRY:
            read = 0
        elif value is not None and value.op in ("load", "store"):
            base, (off, size, *_) = value.args[0], value.aux
            if base.op == "stack" and off.__class__ is int:
                piece = (1 << size) - 1 << self.first[base.aux] + off
                read, written = (piece, 0) if value.op == "load" else (0, piece)
        return position, slots, read, written


def keeps(callee: object) -> bool:
    """Whether what a call gives may point into memory that it was given: slices of dynptrs do, and items of iterators."""
    return getattr(callee, "kind", "") == "kfunc" or "dynptr" in getattr(callee, "name", "")


def union(masks: Iterable[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found


def _bits(mask: int) -> Iterable[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def lifetimes(graph: Graph, traffic: Traffic) -> list[list[tuple[int, int]]]:
    """For each slot the ranges of positions where it is in use."""
    whole = traffic.whole
    ranges: list[list[tuple[int, int]]] = [[] for _ in whole]
    start = 0
    for block, events, ways, passed in zip(graph.blocks, traffic.events, traffic.ways, traffic.passed, strict=True):
        end = start + len(block.values) + 2
        live = union(traffic.live[way] for way in ways)
        until = {slot: end for slot, mask in enumerate(whole) if live & mask}
        first: dict[int, int] = {}
        found = []
        for position, slots, read, written in reversed(events):
            live = live & ~written | read
            at = start + position
            for slot in _bits(slots):
                first[slot] = at
                if live & whole[slot]:
                    until.setdefault(slot, at + 1)
                else:
                    found.append((at, until.pop(slot, at + 1), slot))
        for slot, high in until.items():
            if passed >> slot & 1:
                found.append((start, high, slot))
            elif slot in first:
                found.append((first[slot], high, slot))
        for low, high, slot in sorted(found):
            ranges[slot].append((low, high))
        start = end
    for slot in _bits(traffic.escaped):
        ranges[slot] = [(0, start)]
    return ranges


def idle(graph: Graph, heads: list[int], slots: list[Slot]) -> dict[int, list[int]]:
    """For blocks that loops begin with, the 8-byte words of slots that are in use in the loop, and that nobody reads before they
    are written again; by number from R10 down.
    """
    traffic = Traffic(graph, slots)
    depth = max((-slot.offset for slot in slots), default=0)

    def words(found: int) -> set[int]:
        """Where these bytes lie."""
        lie = union(
            (found & mask) >> traffic.first[slot] << depth + slot.offset
            for slot, mask in zip(slots, traffic.whole, strict=True)
        )
        return {(depth - i - 1) // 8 for i in range(depth) if lie >> i & 1}

    dead = {}
    for head in heads:
        last = max([head, *(pred.number for pred in graph.blocks[head].preds)])
        touched = union(mask for events in traffic.events[head : last + 1] for _, mask, _, _ in events)
        dead[head] = sorted(words(traffic.bytes_of(touched)) - words(traffic.live[head]))
    return dead


__all__ = ["idle", "layout"]
