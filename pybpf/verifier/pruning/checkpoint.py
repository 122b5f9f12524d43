"""`Checkpoint`: a state kept to be compared with; and the comparison: would this path see anything new?

A path that arrives in a state which an earlier, successful exploration covers need not be explored again.  "Covers" means:
every place that may still be read is at least as constrained now as it was then; numbers that nothing depended on (see
`precision`) may differ freely.
"""

from __future__ import annotations

from typing import NamedTuple

from ..state import DYNPTR, INVALID, IRQ, ITER, MISC, REF, SPILL, ZERO
from ..values import (
    ANY,
    ARENA,
    BUF,
    KIND,
    MAP_KEY,
    MAP_VALUE,
    MEM,
    NOT_INIT,
    PACKETS,
    SCALAR,
    STACK,
    TP_BUFFER,
    Reg,
)
from .precision import Wanted, is_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..numbers.num import Num
    from ..state import Frame, Slot, State

# How closely a comparison looks: numbers that matter only; all numbers; everything identical; as WITHIN, but with equal numbers.
LOOSE, WITHIN, EXACT, SAME = range(4)
_RANGED = frozenset((MAP_KEY, MAP_VALUE, MEM, BUF, TP_BUFFER))
_SKIPPED = bytes((INVALID, MISC))


class Loop(NamedTuple):
    """A loop as one chain of calls runs it."""

    chain: tuple[tuple[int, int], ...]
    number: int


class Checkpoint:
    """A state at a place where paths are compared, the numbers in it that matter, and how useful it has been."""

    __slots__ = ("hits", "live", "misses", "precise_regs", "precise_slots", "state", "told")

    def __init__(self, state: State) -> None:
        self.state = state
        self.precise_regs = [0] * len(state.frames)
        self.precise_slots = [0] * len(state.frames)
        self.live: list[int] | None = None  # stack slots that matter in each frame, once all paths from here are done
        self.hits = 0
        self.misses = 0
        self.told = (-1, 0)
        """The place (frame, register, or ~slot of the stack) that told the last path apart: it probably does again."""

    def keep_new(self, wanted: Wanted) -> None:
        """Mark the numbers that are wanted; those that need no further search are taken out of `wanted`."""
        frames = self.state.frames
        for i, frame in enumerate(frames):
            mask = wanted.regs[i]
            if mask:
                new = mask & ~self.precise_regs[i]
                for r in range(10):
                    if new >> r & 1 and frame.regs[r].type != SCALAR:
                        new &= ~(1 << r)
                self.precise_regs[i] |= new
                wanted.regs[i] = new
            mask = wanted.slots[i]
            if mask:
                new = mask & ~self.precise_slots[i]
                for s in range(new.bit_length()):
                    if new >> s & 1 and not (s < len(frame.stack) and is_number(frame.stack[s])):
                        new &= ~(1 << s)
                self.precise_slots[i] |= new
                wanted.slots[i] = new

    def mark_all(self) -> None:
        """Every number in it matters."""
        count = len(self.precise_regs)
        self.precise_regs = [0x3FF] * count
        self.precise_slots = [-1] * count

    def wanted(self) -> Wanted | None:
        """The numbers that matter here, as they must matter to a path that ends here."""
        found = Wanted(len(self.precise_regs) - 1)
        for i, frame in enumerate(self.state.frames):
            mask = self.precise_regs[i]
            if mask:
                found.regs[i] = sum(1 << r for r in range(10) if mask >> r & 1 and frame.regs[r].type == SCALAR)
            mask = self.precise_slots[i]
            if mask:
                found.slots[i] = sum(1 << s for s, slot in enumerate(frame.stack) if mask >> s & 1 and is_number(slot))
        return None if found.empty() else found


class Ids:
    """A renaming of ids between two states, built while they are compared."""

    __slots__ = ("_back", "_map", "_spare")

    def __init__(self) -> None:
        self._map: dict[int, int] = {}
        self._back: dict[int, int] = {}
        self._spare = -1

    def same(self, old: int, new: int) -> bool:
        if not old or not new:
            return old == new
        known = self._map.get(old)
        if known is not None:
            return known == new
        if new in self._back:
            return False
        self._map[old] = new
        self._back[new] = old
        return True

    def same_number(self, old: int, new: int) -> bool:
        """For numbers: without an id, one is like a number with an id of its own."""
        if not old:
            self._spare -= 1
            old = self._spare
        if not new:
            self._spare -= 1
            new = self._spare
        return self.same(old, new)


def equal(old: Checkpoint, new: State, live: Sequence[int], how: int) -> bool:
    """Whether the checkpoint covers the state; `live` are the registers alive at each instruction."""
    state = old.state
    frames, others = state.frames, new.frames
    if len(frames) != len(others) or state.sleepable != new.sleepable or (state.speculative and not new.speculative):
        return False
    if old.told[0] >= 0 and _differs(old, new, live, how, *old.told):
        return False
    last = len(frames) - 1
    if how != EXACT:  # the current frame's registers differ most often, and comparing them costs nothing
        mask = live[state.insn]
        regs, new_regs = frames[last].regs, others[last].regs
        for i in range(10):
            a = regs[i]
            if mask >> i & 1 and a.type != new_regs[i].type and a.type != NOT_INIT:
                return False
    ids = Ids()
    if not _same_held(state, new, ids):
        return False
    for i, frame in enumerate(frames):
        other = others[i]
        if frame.callsite != other.callsite or frame.subprog != other.subprog or frame.calls > other.calls:
            return False
        at = state.insn if i == last else frames[i + 1].callsite
        mask = live[at]
        precise = old.precise_regs[i]
        for r in range(10):
            if mask >> r & 1:
                a, b = frame.regs[r], other.regs[r]
                if a is b and not a.id and not a.ref:
                    continue
                if not _covers(a, b, ids, how, precise >> r & 1):
                    old.told = (i, r)
                    return False
        if how == EXACT and len(frame.stack) != len(other.stack):
            return False
        precise, mask = old.precise_slots[i], -1 if old.live is None else old.live[i]
        for s in range(len(frame.stack)):
            if not _slot_covers(frame, other, s, ids, how, precise, mask):
                old.told = (i, ~s)
                return False
    return True


def _differs(old: Checkpoint, new: State, live: Sequence[int], how: int, frame: int, place: int) -> bool:
    """Whether one place alone shows that the checkpoint does not cover the state."""
    a, b = old.state.frames[frame], new.frames[frame]
    if place < 0:
        mask = -1 if old.live is None else old.live[frame]
        return not _slot_covers(a, b, ~place, Ids(), how, old.precise_slots[frame], mask)
    at = new.insn if frame == len(new.frames) - 1 else old.state.frames[frame + 1].callsite
    return bool(live[at] >> place & 1) and not _covers(
        a.regs[place], b.regs[place], Ids(), how, old.precise_regs[frame] >> place & 1
    )


def _same_held(old: State, new: State, ids: Ids) -> bool:
    if old.rcu != new.rcu or old.preempt != new.preempt or len(old.held) != len(new.held):
        return False
    for a, b in zip(old.held, new.held, strict=True):
        if a[0] != b[0] or not ids.same(a[1], b[1]):
            return False
        if a[0] != REF and a[3] != b[3]:
            return False
    return ids.same(old.irq, new.irq)


def _covers(old: Reg, new: Reg, ids: Ids, how: int, precise: int) -> bool:
    """Whether a register's old value allowed all that the new one may be."""
    if how == EXACT:
        return _exact(old, new, ids)
    kind = old.type & KIND
    if kind == NOT_INIT:
        return True
    if old.type != new.type:
        return False
    if kind == SCALAR:
        if not precise and how == LOOSE:
            return True
        if old.data != new.data:
            return False
        within = old.num == new.num if how == SAME else _within(old.num, new.num)
        return within and ids.same_number(old.id, new.id)
    if kind in _RANGED:
        return (
            old.off == new.off
            and old.data == new.data
            and old.extra == new.extra
            and _within(old.num, new.num)
            and ids.same(old.id, new.id)
            and ids.same(old.ref, new.ref)
        )
    if kind in PACKETS:
        if old.off != new.off or not ids.same(old.id, new.id):
            return False
        if old.data < 0 or new.data < 0:
            if old.data != new.data:
                return False
        elif old.data > new.data:
            return False
        return _within(old.num, new.num)
    if kind == STACK:
        return _exact(old, new, ids) and old.extra == new.extra
    if kind == ARENA:
        return True
    return _exact(old, new, ids)


def _exact(old: Reg, new: Reg, ids: Ids) -> bool:
    return (
        old.type == new.type
        and old.off == new.off
        and old.num == new.num
        and old.data == new.data
        and old.extra == new.extra
        and ids.same(old.id, new.id)
        and ids.same(old.ref, new.ref)
    )


def _within(outer: Num, inner: Num) -> bool:
    return outer is inner or (
        outer[2] <= inner[2]
        and outer[3] >= inner[3]
        and outer[4] <= inner[4]
        and outer[5] >= inner[5]
        and outer[6] <= inner[6]
        and outer[7] >= inner[7]
        and outer[8] <= inner[8]
        and outer[9] >= inner[9]
        and not inner[1] & ~outer[1]
        and outer[0] == inner[0] & ~outer[1]
    )


def _slot_covers(old: Frame, new: Frame, index: int, ids: Ids, how: int, precise: int, live: int) -> bool:
    slot = old.stack[index]
    other = new.stack[index] if index < len(new.stack) else None
    reg = slot.reg
    if slot is other and (reg is None or not (reg.id or reg.ref)):
        return True
    kinds = slot.bytes
    if how != EXACT and (not live >> index & 1 or not kinds.strip(_SKIPPED)):
        return True
    if other is None or (how == EXACT and kinds != other.bytes):
        return False
    as_old, as_new = _as_number(slot), _as_number(other)
    if as_old is not None and as_new is not None:
        return _covers(as_old, as_new, ids, how, precise >> index & 1)
    others = other.bytes
    if kinds != others:
        for a, b in zip(kinds, others, strict=True):
            if a != b and a not in _SKIPPED and not (a == MISC and b == ZERO):
                return False
    lead = kinds[0]
    if lead in (SPILL, DYNPTR, ITER, IRQ):
        if reg is None or other.reg is None:
            return reg is other.reg
        if lead == SPILL:
            return _covers(reg, other.reg, ids, how, precise >> index & 1)
        if lead == ITER and how != EXACT:  # how often it was advanced makes no difference
            return reg.data == other.reg.data and ids.same(reg.ref, other.reg.ref)
        return _exact(reg, other.reg, ids)
    return True


def _as_number(slot: Slot) -> Reg | None:
    """What a load of all 8 bytes would give, when that is a number."""
    if slot.bytes[0] == SPILL and slot.bytes[7] == SPILL and slot.reg is not None and slot.reg.type == SCALAR:
        return slot.reg
    return None if slot.bytes.strip(_SKIPPED) else ANY


def looping(old: Checkpoint, new: State) -> bool:
    """Whether a path came back to a checkpoint that it passed, with nothing changed."""
    frames, others = old.state.frames, new.frames
    if len(frames) != len(others):
        return False
    regs, new_regs = frames[-1].regs, others[-1].regs
    for i in range(10):
        a, b = regs[i], new_regs[i]
        if a is not b and (
            a.type != b.type or a.num != b.num or a.off != b.off or a.data != b.data or a.extra != b.extra
        ):
            return False
    return True
