"""Register allocation: linear scan over live intervals with holes, copies as hints, and whole intervals spilled.

Values that live across a call can only be in R6 to R9, because calls spoil R0 to R5.  When registers run out, the interval
that is cheapest to keep in memory (fewest uses, weighted by loops, for its length) is spilled: each use loads it into a short
interval of its own, and allocation begins again.  Spill slots are 8 bytes at 8-byte alignment, as the
verifier demands of pointers.
"""

from __future__ import annotations

from bisect import bisect_right

from .liveness import backwards
from .machine import COPY, FIRST_VIRTUAL, LDX, MOV, SIZES, STX, MBlock, Mi, X

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

CALLER_SAVED = (0, 1, 2, 3, 4, 5)
CALLEE_SAVED = (6, 7, 8, 9)
PREFERENCE = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
SPILL = STX | SIZES[8]
FILL = LDX | SIZES[8]
ORDERING = frozenset((0x20, 0x30, 0x60, 0x70, 0xA0, 0xB0, 0xC0, 0xD0))  # jumps if less, and so on
_LATE = 1 << 60


class Interval:
    __slots__ = ("end", "goal", "hints", "number", "ranges", "reach", "register", "start", "tiny", "weight")

    def __init__(self, number: int) -> None:
        self.number = number
        self.ranges: list[tuple[int, int]] = []  # built backwards
        self.hints: list[int] = []
        self.goal = number if number < FIRST_VIRTUAL else -1  # the machine register that copies carry it to in the end
        self.reach = 0  # when the last of those ends that copies may make one register with this
        self.weight = 0.0
        self.register = number if number < FIRST_VIRTUAL else -1
        self.start = self.end = 0
        self.tiny = False  # made by a spill: it cannot be spilled again

    def push(self, start: int, end: int) -> None:
        """Add a range in front."""
        if self.ranges and start <= self.ranges[-1][0] <= end:
            self.ranges[-1] = (start, max(end, self.ranges[-1][1]))
        else:
            self.ranges.append((start, end))


def allocate(
    blocks: list[MBlock], registers: int, depth: int, reserved: bool, bounds: Callable[[], set[int]]
) -> tuple[list[int], int]:
    """Registers for all virtual ones, and the stack in use after spills.  `reserved`: R6 holds the context throughout;
    `bounds` tells which of them the verifier must know bounds of."""
    tiny: set[int] = set()
    while True:
        intervals, calls, names = build(blocks, registers, tiny)
        if reserved:
            intervals[6].ranges = [(-1, 1 << 30)]
        spilled = scan(intervals, calls)
        if not spilled:
            return [iv.register for iv in intervals], depth
        registers = show(blocks, {iv.number for iv in spilled} & bounds(), names, registers)
        depth, registers = spill(blocks, spilled, depth, registers, tiny)


def liveness(blocks: list[MBlock]) -> list[int]:
    """Live registers at the ends of blocks, as bit sets; bit i stands for the register at index i of what is returned.

    Only registers that a block reads before it writes them take part: most are written and read in one block.
    """
    exposed: list[set[int]] = []
    written: list[set[int]] = []
    for block in blocks:
        before: set[int] = set()
        known: set[int] = set()
        for mi in block.code if block.test is None else (*block.code, block.test):
            for r in mi.uses:
                if r not in known and r >= FIRST_VIRTUAL:
                    before.add(r)
            known.add(mi.defs)
        exposed.append(before)
        written.append(known)
    names = sorted(set().union(*exposed))
    bit = {r: 1 << i for i, r in enumerate(names)}
    use = [sum(bit[r] for r in registers) for registers in exposed]
    keep = [~sum(bit[r] for r in registers if r in bit) for registers in written]
    live = backwards(use, keep, [block.targets for block in blocks])
    for block, mask in zip(blocks, live, strict=True):
        block.live_in, block.live_out = mask, 0
        for t in block.targets:
            block.live_out |= live[t]
    return names


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


def build(
    blocks: list[MBlock], registers: int, tiny: set[int]
) -> tuple[list[Interval], list[tuple[int, int]], list[int]]:
    """Intervals of all registers (those of machine registers are the times when they are taken), the times of calls, and
    the registers that the bits of blocks' liveness stand for."""
    names = liveness(blocks)
    depths(blocks)
    intervals = [Interval(n) for n in range(registers)]
    ends = [0] * registers  # where the range that is being built ends, 0 for none: ranges are built backwards
    calls: list[tuple[int, int]] = []
    position = 2 * sum(len(block.code) + 2 for block in blocks)
    for block in reversed(blocks):
        weight = 10.0 ** min(block.depth, 6)
        for i in bits(block.live_out):
            ends[names[i]] = position
        for mi in reversed(block.code) if block.test is None else (block.test, *reversed(block.code)):
            position -= 2
            at = position + 1
            if mi.clobbers:
                calls.append((position, at))
                at = position
                for r in CALLER_SAVED:
                    if r != mi.defs:
                        intervals[r].push(position, ends[r] or position + 1)
                        ends[r] = 0
            d = mi.defs
            if d >= 0:
                intervals[d].push(at, ends[d] or position + 2)
                intervals[d].weight += weight
                ends[d] = 0
            if mi.opcode == COPY:
                source, into = intervals[mi.src], intervals[d]
                if not ends[mi.src]:
                    source.goal, source.reach = into.goal, max(into.reach, into.ranges[0][1])
                intervals[d].hints.append(mi.src)
                source.hints.append(d)
            for r in mi.uses:
                ends[r] = ends[r] or at
                intervals[r].weight += weight
        position -= 2 if block.test is not None else 4
        for i in bits(block.live_in):
            r = names[i]
            intervals[r].push(position, ends[r])
            ends[r] = 0
        for r in range(FIRST_VIRTUAL):
            if ends[r]:
                intervals[r].push(position, ends[r])
                ends[r] = 0
    calls.reverse()
    for iv in intervals:
        if iv.ranges:
            iv.ranges.reverse()
            iv.start, iv.end = iv.ranges[0][0], iv.ranges[-1][1]
            iv.tiny = iv.number in tiny
    return intervals, calls, names


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


def scan(intervals: list[Interval], calls: list[tuple[int, int]]) -> list[Interval]:
    """Assign registers in order of start; the intervals that must be spilled are returned."""
    spilled: list[Interval] = []
    held: list[list[Interval]] = [[] for _ in PREFERENCE]  # in each register, those that may still be alive
    fixed = [iv.ranges for iv in intervals[:FIRST_VIRTUAL]]
    used = sorted((iv for iv in intervals[FIRST_VIRTUAL:] if iv.ranges), key=lambda iv: (iv.start, iv.number))
    goals: list[list[int]] = [
        [] for _ in PREFERENCE
    ]  # for each register, when those begin that should come to lie in it
    for iv in used:
        if iv.goal >= 0:
            goals[iv.goal].append(iv.start)
    for current in used:
        ranges, start = current.ranges, current.start
        possible = CALLEE_SAVED if overlap(ranges, calls) else PREFERENCE
        for r in choices(current, possible, intervals, calls, goals):
            if rivals(held, r, start, ranges) or overlap(ranges, fixed[r]):
                continue
            current.register = r
            held[r].append(current)
            break
        else:
            make_room(current, possible, held, fixed, spilled)
    return spilled


def choices(
    current: Interval,
    possible: tuple[int, ...],
    intervals: list[Interval],
    calls: list[tuple[int, int]],
    goals: list[list[int]],
) -> Iterator[int]:
    """Registers for an interval, best first: what copies want, what nobody else will want while it is in use, any."""
    yield from wanted(current, intervals, calls)
    end = max(current.end, current.reach)
    for r in possible:
        if bisect_right(goals[r], current.start) == bisect_right(goals[r], end):
            yield r
    yield from possible


def rivals(held: list[list[Interval]], register: int, start: int, ranges: list[tuple[int, int]]) -> list[Interval]:
    """Those in a register that are alive at the same moment as `ranges`, which begin at `start`."""
    held[register] = alive = [iv for iv in held[register] if iv.end > start]
    return [iv for iv in alive if overlap(iv.ranges, ranges)]


def make_room(
    current: Interval,
    possible: tuple[int, ...],
    held: list[list[Interval]],
    fixed: list[list[tuple[int, int]]],
    spilled: list[Interval],
) -> None:
    """Evict the cheapest of those in the way in one register, or give up on this one."""
    best: tuple[float, int] | None = None
    for r in possible:
        if overlap(current.ranges, fixed[r]):
            continue
        in_the_way = rivals(held, r, current.start, current.ranges)
        cost = sum(_cost(iv) for iv in in_the_way)
        if (best is None or cost < best[0]) and not any(iv.tiny for iv in in_the_way):
            best = (cost, r)
    if best is None or not (current.tiny or best[0] < _cost(current)):
        assert not current.tiny, "a single instruction needs more registers than there are"
        spilled.append(current)
        return
    register = best[1]
    for iv in rivals(held, register, current.start, current.ranges):
        iv.register = -1
        spilled.append(iv)
        held[register].remove(iv)
    current.register = register
    held[register].append(current)


def _cost(iv: Interval) -> float:
    length = sum(end - start for start, end in iv.ranges)
    return iv.weight / max(length, 1)


def wanted(current: Interval, intervals: list[Interval], calls: list[tuple[int, int]]) -> list[int]:
    """The registers that make a copy disappear, then those that partners of copies will want."""
    partners = current.hints + [further for hint in current.hints for further in intervals[hint].hints]
    found = [hint if hint < FIRST_VIRTUAL else intervals[hint].register for hint in partners]
    found.insert(0, current.goal)
    for hint in current.hints:
        later = intervals[hint]
        if later.register < 0 and later.start >= current.end - 1 and overlap(later.ranges, calls):
            found += CALLEE_SAVED  # the copy of this one will have to live across calls
    return [r for r in found if 0 <= r < 10]


def show(blocks: list[MBlock], numbers: set[int], names: list[int], registers: int) -> int:
    """Copy these numbers, which will be kept on the stack, for tests, and back behind them: the copy is what a test shows."""
    preds = [0] * len(blocks)
    for t in (t for block in blocks for t in block.targets):
        preds[t] += 1
    bit = {r: 1 << i for i, r in enumerate(names)}
    for block in blocks:
        test = block.test
        if test is None or test.opcode & 0xF0 not in ORDERING:
            continue
        for number in sorted(numbers.intersection(test.uses)):
            ways = [blocks[t] for t in block.targets if preds[t] == 1 and blocks[t].live_in & bit.get(number, 0)]
            if not ways:
                continue
            copy, registers = registers, registers + 1
            block.code.append(Mi(COPY, copy, number, uses=(number,), defs=copy, at=test.at))
            test.dst = copy if test.dst == number else test.dst
            test.src = copy if test.src == number else test.src
            test.uses = tuple(copy if r == number else r for r in test.uses)
            for way in ways:
                way.code.insert(0, Mi(COPY, number, copy, uses=(copy,), defs=number, at=test.at))
    return registers


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
        rest = block.code[::-1]
        while rest:
            mi = rest.pop()
            if mi.defs in places and rest and _goes_on(mi.defs, rest[-1]):
                registers = _in_one_go(code, mi, rest, places, registers, tiny)
                continue
            if mi.defs not in places and places.keys().isdisjoint(mi.uses):
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
        if block.test is not None and not places.keys().isdisjoint(block.test.uses):
            registers = _reload(code, block.test, places, registers, tiny)
            code.pop()
        block.code = code
    return depth, registers


def _goes_on(register: int, mi: Mi) -> bool:
    """Whether an instruction changes what the one before it made."""
    return mi.defs == register and mi.dst == register and register in mi.uses


def _in_one_go(
    code: list[Mi], first: Mi, rest: list[Mi], places: dict[int, int], registers: int, tiny: set[int]
) -> int:
    """Instructions that make one spilled number, as two-address arithmetic does: it is stored when it is done."""
    spilled, into = first.defs, registers
    tiny.add(into)
    registers += 1
    if spilled in first.uses:
        code.append(Mi(FILL, into, 10, places[spilled], uses=(10,), defs=into, at=first.at))
    mi = first
    while True:
        if mi.dst == spilled:
            mi.dst = into
        if mi.src == spilled:
            mi.src = into
        mi.uses, mi.defs = tuple(into if r == spilled else r for r in mi.uses), into
        if mi.opcode == COPY and mi.src in places:
            code.append(Mi(FILL, into, 10, places[mi.src], uses=(10,), defs=into, at=mi.at))
        else:
            registers = _reload(code, mi, places, registers, tiny)
        if not rest or not _goes_on(spilled, rest[-1]):
            break
        mi = rest.pop()
    code.append(Mi(SPILL, 10, into, places[spilled], uses=(10, into), at=mi.at))
    return registers


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
