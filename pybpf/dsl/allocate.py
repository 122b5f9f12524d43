"""Register allocation: linear scan over live intervals with holes, copies as hints, and whole intervals spilled.

Values that live across a call can only be in R6 to R9, because calls spoil R0 to R5.  When registers run out, the interval
that is cheapest to keep in memory (fewest uses, weighted by loops, for its length) is spilled: each use loads it into a short
interval of its own, and allocation begins again.  Spill slots are 8 bytes at 8-byte alignment, as the
verifier demands of pointers.
"""

from __future__ import annotations

from bisect import bisect_right

from .machine import COPY, FIRST_VIRTUAL, LDX, MOV, SIZES, STX, MBlock, Mi, X

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CALLER_SAVED = (0, 1, 2, 3, 4, 5)
CALLEE_SAVED = (6, 7, 8, 9)
PREFERENCE = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
SPILL = STX | SIZES[8]
FILL = LDX | SIZES[8]
_LATE = 1 << 60


class Interval:
    __slots__ = ("end", "hints", "number", "ranges", "register", "start", "tiny", "weight")

    def __init__(self, number: int) -> None:
        self.number = number
        self.ranges: list[tuple[int, int]] = []  # built backwards
        self.hints: list[int] = []
        self.weight = 0.0
        self.register = -1
        self.start = self.end = 0
        self.tiny = False


def allocate(blocks: list[MBlock], registers: int, depth: int, reserved: bool) -> tuple[dict[int, int], int]:
    """Registers for all virtual ones, and the stack in use after spills.  `reserved`: R6 holds the context throughout."""
    tiny: set[int] = set()
    while True:
        intervals, fixed = build(blocks, tiny)
        if reserved:
            fixed[6] = [(-1, 1 << 30)]
        spilled = scan(intervals, fixed)
        if not spilled:
            return {n: i.register for n, i in intervals.items()}, depth
        depth, registers = spill(blocks, spilled, depth, registers, tiny)


def liveness(blocks: list[MBlock]) -> None:
    """Live registers at the ends of blocks, as bit sets."""
    use: list[int] = []
    defined: list[int] = []
    preds: list[list[int]] = [[] for _ in blocks]
    for i, block in enumerate(blocks):
        u = d = 0
        for mi in block.code:
            for r in mi.uses:
                if not d >> r & 1:
                    u |= 1 << r
            if mi.defs >= 0:
                d |= 1 << mi.defs
        if block.test is not None:
            for r in block.test.uses:
                if not d >> r & 1:
                    u |= 1 << r
        mask = ~0x7FF
        use.append(u & mask)
        defined.append(d)
        block.live_in = u & mask
        block.live_out = 0
        for t in block.targets:
            preds[t].append(i)
    todo = list(range(len(blocks)))
    waiting = set(todo)
    while todo:
        i = todo.pop()
        waiting.discard(i)
        block = blocks[i]
        out = 0
        for t in block.targets:
            out |= blocks[t].live_in
        live = use[i] | (out & ~defined[i])
        block.live_out = out
        if live != block.live_in:
            block.live_in = live
            for p in preds[i]:
                if p not in waiting:
                    waiting.add(p)
                    todo.append(p)


def bits(number: int) -> list[int]:
    out = []
    while number:
        low = number & -number
        out.append(low.bit_length() - 1)
        number ^= low
    return out


def depths(blocks: list[MBlock]) -> None:
    """How many loops each block is in, roughly: blocks between a backward jump and its target."""
    for block in blocks:
        block.depth = 0
    for i, block in enumerate(blocks):
        for t in block.targets:
            if t <= i:
                for inner in range(t, i + 1):
                    blocks[inner].depth += 1


def build(blocks: list[MBlock], tiny: set[int]) -> tuple[dict[int, Interval], list[list[tuple[int, int]]]]:
    """Live intervals of virtual registers, and the times when machine registers are taken."""
    liveness(blocks)
    depths(blocks)
    intervals: dict[int, Interval] = {}
    fixed: list[list[tuple[int, int]]] = [[] for _ in range(11)]
    starts = []
    position = 0
    for block in blocks:
        starts.append(position)
        position += 2 * (len(block.code) + 1) + 2
    for i in reversed(range(len(blocks))):
        block = blocks[i]
        first = starts[i]
        last = first + 2 * (len(block.code) + 1)
        live: dict[int, int] = dict.fromkeys(bits(block.live_out), last + 2)  # register -> end of the range being built
        weight = 10.0 ** min(block.depth, 6)
        machine: dict[int, int] = {}

        position = last
        test = block.test
        for mi in (test, *reversed(block.code)) if test is not None else (None, *reversed(block.code)):
            if mi is None:
                position -= 2
                continue
            d = mi.defs
            if mi.clobbers:
                for r in CALLER_SAVED:
                    if r != d:
                        end = machine.pop(r, position + 1)
                        fixed[r].append((position, end))
            if d >= 0:
                if d < FIRST_VIRTUAL:
                    fixed[d].append((position + 1 if not mi.clobbers else position, machine.pop(d, position + 2)))
                else:
                    iv = intervals.get(d)
                    if iv is None:
                        iv = intervals[d] = Interval(d)
                    end = live.pop(d, position + 2)
                    _push(iv, position + 1, end)
                    iv.weight += weight
            for r in mi.uses:
                if r < FIRST_VIRTUAL:
                    machine.setdefault(r, position + (1 if not mi.clobbers else 0))
                else:
                    if r not in live:
                        live[r] = position if mi.clobbers else position + 1
                    iv = intervals.get(r)
                    if iv is None:
                        iv = intervals[r] = Interval(r)
                    iv.weight += weight
            if mi.opcode == COPY:
                s = mi.src
                if d >= FIRST_VIRTUAL:
                    intervals[d].hints.append(s)
                if s >= FIRST_VIRTUAL:
                    intervals[s].hints.append(d)
            position -= 2
        for r, end in live.items():
            iv = intervals.get(r)
            if iv is None:
                iv = intervals[r] = Interval(r)
            _push(iv, first, end)
        for r, end in machine.items():
            if r != 10:
                fixed[r].append((first, end))
    for iv in intervals.values():
        iv.ranges.reverse()
        iv.start, iv.end = iv.ranges[0][0], iv.ranges[-1][1]
        iv.tiny = iv.number in tiny
    for ranges in fixed:
        ranges.sort()
    return intervals, fixed


def _push(iv: Interval, start: int, end: int) -> None:
    """Add a range in front (ranges are found from the last to the first)."""
    if iv.ranges and iv.ranges[-1][0] <= end and iv.ranges[-1][0] >= start:
        iv.ranges[-1] = (start, max(end, iv.ranges[-1][1]))
    else:
        iv.ranges.append((start, end))


def overlap(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> bool:
    """Whether two sorted lists of ranges share a moment."""
    if not a or not b or a[-1][1] <= b[0][0] or b[-1][1] <= a[0][0]:
        return False
    if len(a) > len(b):
        a, b = b, a
    count = len(b)
    for start, end in a:
        j = bisect_right(b, (start, _LATE))
        if j and b[j - 1][1] > start:
            return True
        if j < count and b[j][0] < end:
            return True
    return False


def scan(intervals: dict[int, Interval], fixed: list[list[tuple[int, int]]]) -> list[Interval]:
    """Assign registers in order of start; the intervals that must be spilled are returned."""
    spilled: list[Interval] = []
    active: list[Interval] = []
    for current in sorted(intervals.values(), key=lambda iv: (iv.start, iv.number)):
        start = current.start
        active = [iv for iv in active if iv.end > start]
        taken = 0
        for iv in active:
            if overlap(iv.ranges, current.ranges):
                taken |= 1 << iv.register
        free = [r for r in PREFERENCE if not taken >> r & 1 and not overlap(current.ranges, fixed[r])]
        if free:
            current.register = choose(current, free, intervals)
            active.append(current)
            continue
        # Evict the cheapest of those in the way in one register, or give up on this one.
        best: tuple[float, int] | None = None
        for r in PREFERENCE:
            if overlap(current.ranges, fixed[r]):
                continue
            rivals = [iv for iv in active if iv.register == r and overlap(iv.ranges, current.ranges)]
            if any(iv.tiny for iv in rivals):
                continue
            cost = sum(_cost(iv) for iv in rivals)
            if best is None or cost < best[0]:
                best = (cost, r)
        if best is not None and (current.tiny or best[0] < _cost(current)):
            for iv in [iv for iv in active if iv.register == best[1] and overlap(iv.ranges, current.ranges)]:
                iv.register = -1
                spilled.append(iv)
                active.remove(iv)
            current.register = best[1]
            active.append(current)
        else:
            assert not current.tiny, "a single instruction needs more registers than there are"
            spilled.append(current)
    return spilled


def _cost(iv: Interval) -> float:
    length = sum(end - start for start, end in iv.ranges)
    return iv.weight / max(length, 1)


def choose(current: Interval, free: list[int], intervals: dict[int, Interval]) -> int:
    """A free register: one that makes a copy disappear if there is one."""
    for hint in current.hints:
        r = hint if hint < FIRST_VIRTUAL else intervals[hint].register if hint in intervals else -1
        if r in free:
            return r
    # The registers that partners of copies will want.
    for hint in current.hints:
        if hint >= FIRST_VIRTUAL and hint in intervals:
            for further in intervals[hint].hints:
                r = further if further < FIRST_VIRTUAL else intervals[further].register if further in intervals else -1
                if r in free:
                    return r
    return free[0]


def spill(blocks: list[MBlock], spilled: list[Interval], depth: int, registers: int, tiny: set[int]) -> tuple[int, int]:
    """Keep these intervals on the stack: each use loads, each definition stores."""
    places: dict[int, int] = {}
    busy: list[tuple[list[tuple[int, int]], int]] = []
    for iv in sorted(spilled, key=lambda i: i.start):
        for ranges_place in busy:
            if not overlap(ranges_place[0], iv.ranges):
                ranges_place[0].extend(iv.ranges)
                ranges_place[0].sort()
                places[iv.number] = ranges_place[1]
                break
        else:
            depth += 8
            places[iv.number] = -depth
            busy.append((list(iv.ranges), -depth))
    for block in blocks:
        code: list[Mi] = []
        for mi in block.code:
            if not any(r in places for r in mi.uses) and mi.defs not in places:
                code.append(mi)
                continue
            if mi.opcode == COPY:
                if mi.src in places and mi.dst in places:
                    if places[mi.src] == places[mi.dst]:
                        continue
                elif mi.src in places:
                    code.append(Mi(FILL, mi.dst, 10, places[mi.src], uses=(10,), defs=mi.dst, at=mi.at))
                    continue
                else:
                    code.append(Mi(SPILL, 10, mi.src, places[mi.dst], uses=(10, mi.src), at=mi.at))
                    continue
            registers = _reload(code, mi, places, registers, tiny)
        if block.test is not None and any(r in places for r in block.test.uses):
            registers = _reload(code, block.test, places, registers, tiny)
            code.pop()
        block.code = code
    return depth, registers


def _reload(code: list[Mi], mi: Mi, places: dict[int, int], registers: int, tiny: set[int]) -> int:
    names: dict[int, int] = {}
    for r in (*mi.uses, mi.defs):
        if r in places and r not in names:
            names[r] = registers
            tiny.add(registers)
            registers += 1
    for r in dict.fromkeys(mi.uses):
        if r in places:
            code.append(Mi(FILL, names[r], 10, places[r], uses=(10,), defs=names[r], at=mi.at))
    if mi.dst in names:
        mi.dst = names[mi.dst]
    if mi.src in names and mi.src >= FIRST_VIRTUAL:
        mi.src = names[mi.src]
    mi.uses = tuple(names.get(r, r) for r in mi.uses)
    code.append(mi)
    if mi.defs in places:
        place = places[mi.defs]
        mi.defs = names[mi.defs]
        code.append(Mi(SPILL, 10, mi.defs, place, uses=(10, mi.defs), at=mi.at))
    return registers


__all__ = ["MOV", "Any", "X", "allocate"]
