"""What a comparison of two numbers tells: which way the jump goes, and what each side may still be on either way."""

from __future__ import annotations

from functools import lru_cache

from ...asm.opcodes import Jmp
from . import tnum
from .num import UNBOUNDED, UNBOUNDED32, Num, contradicts, s32, s64, sync
from .tnum import U32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_new = tuple.__new__

# op -> the comparison that holds when it does not; NOT_SET has no opcode of its own.
NOT_SET = Jmp.JSET | 8
INVERSE: dict[int, int] = {
    Jmp.JEQ: Jmp.JNE,
    Jmp.JNE: Jmp.JEQ,
    Jmp.JSET: NOT_SET,
    Jmp.JGT: Jmp.JLE,
    Jmp.JLE: Jmp.JGT,
    Jmp.JGE: Jmp.JLT,
    Jmp.JLT: Jmp.JGE,
    Jmp.JSGT: Jmp.JSLE,
    Jmp.JSLE: Jmp.JSGT,
    Jmp.JSGE: Jmp.JSLT,
    Jmp.JSLT: Jmp.JSGE,
}
# op -> the comparison with its sides swapped.
FLIPPED: dict[int, int] = {
    Jmp.JEQ: Jmp.JEQ,
    Jmp.JNE: Jmp.JNE,
    Jmp.JSET: Jmp.JSET,
    Jmp.JGT: Jmp.JLT,
    Jmp.JLT: Jmp.JGT,
    Jmp.JGE: Jmp.JLE,
    Jmp.JLE: Jmp.JGE,
    Jmp.JSGT: Jmp.JSLT,
    Jmp.JSLT: Jmp.JSGT,
    Jmp.JSGE: Jmp.JSLE,
    Jmp.JSLE: Jmp.JSGE,
}
_SIGNED = frozenset((int(Jmp.JSGT), int(Jmp.JSGE), int(Jmp.JSLT), int(Jmp.JSLE)))


@lru_cache(maxsize=1 << 14)
def outcome(op: int, wide: bool, a: Num, b: Num) -> bool | None:
    """Whether `a op b` holds: True or False for all members of both, None when it depends."""
    if op == Jmp.JNE:
        equal = outcome(Jmp.JEQ, wide, a, b)
        return None if equal is None else not equal
    bits_a, bits_b = (a[:2], b[:2]) if wide else (tnum.subreg(a[:2]), tnum.subreg(b[:2]))
    if op == Jmp.JEQ:
        if not bits_a[1] and not bits_b[1]:
            return bits_a[0] == bits_b[0]
        if not tnum.overlap(bits_a, bits_b) or _apart(a[6:], b[6:]) or (wide and _apart(a[2:6], b[2:6])):
            return False
        return None
    if op == Jmp.JSET:
        if bits_b[1]:
            bits_a, bits_b = bits_b, bits_a
        if bits_b[1]:
            return None
        if bits_a[0] & bits_b[0]:
            return True
        return None if (bits_a[0] | bits_a[1]) & bits_b[0] else False
    at = (2 if wide else 6) + (2 if op in _SIGNED else 0)
    amin, amax, bmin, bmax = a[at], a[at + 1], b[at], b[at + 1]
    if op in (Jmp.JGT, Jmp.JSGT):
        return True if amin > bmax else False if amax <= bmin else None
    if op in (Jmp.JLT, Jmp.JSLT):
        return True if amax < bmin else False if amin >= bmax else None
    if op in (Jmp.JGE, Jmp.JSGE):
        return True if amin >= bmax else False if amax < bmin else None
    return True if amax <= bmin else False if amin > bmax else None


def _apart(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether the unsigned or the signed ranges have no number in common."""
    return a[0] > b[1] or a[1] < b[0] or a[2] > b[3] or a[3] < b[2]


@lru_cache(maxsize=1 << 15)
def refine(op: int, wide: bool, a: Num, b: Num) -> tuple[Num, Num]:
    """Both sides, knowing that `a op b` holds; `op` may be `NOT_SET`.

    Where they contradict each other the path is dead.  As in the kernel, such a number loses its bounds, not its path.
    """
    if op in (Jmp.JGE, Jmp.JGT, Jmp.JSGE, Jmp.JSGT):
        right, left = refine(FLIPPED[op], wide, b, a)
        return left, right
    if op in (Jmp.JEQ, Jmp.JLE, Jmp.JLT, Jmp.JSLE, Jmp.JSLT):
        a, b = _REFINE_BOTH[op](wide, a, b)
    elif b.const if wide else b.const32:
        a = _refine_by_constant(op, wide, a, b[0] if wide else b[0] & U32)
    elif a.const if wide else a.const32:
        b = _refine_by_constant(op, wide, b, a[0] if wide else a[0] & U32)
    return _settle(sync(a)), _settle(sync(b))


def _equal(wide: bool, a: Num, b: Num) -> tuple[Num, Num]:
    if wide:
        bits = tnum.intersect(a[:2], b[:2])
        ranges = (max(a[2], b[2]), min(a[3], b[3]), max(a[4], b[4]), min(a[5], b[5]))
        return _new(Num, (*bits, *ranges, *a[6:])), _new(Num, (*bits, *ranges, *b[6:]))
    low = tnum.intersect(tnum.subreg(a[:2]), tnum.subreg(b[:2]))
    ranges = (max(a[6], b[6]), min(a[7], b[7]), max(a[8], b[8]), min(a[9], b[9]))
    return (
        _new(Num, (*tnum.with_subreg(a[:2], low), *a[2:6], *ranges)),
        _new(Num, (*tnum.with_subreg(b[:2], low), *b[2:6], *ranges)),
    )


def _less(signed: bool, strict: int):  # type: ignore[no-untyped-def]
    def refinement(wide: bool, a: Num, b: Num) -> tuple[Num, Num]:
        at = (2 if wide else 6) + (2 if signed else 0)
        left, right = list(a), list(b)
        left[at + 1] = min(a[at + 1], b[at + 1] - strict)
        right[at] = max(a[at] + strict, b[at])
        return _new(Num, left), _new(Num, right)

    return refinement


_REFINE_BOTH: dict[int, Any] = {
    Jmp.JEQ: _equal,
    Jmp.JLE: _less(False, 0),
    Jmp.JLT: _less(False, 1),
    Jmp.JSLE: _less(True, 0),
    Jmp.JSLT: _less(True, 1),
}


def _refine_by_constant(op: int, wide: bool, a: Num, k: int) -> Num:
    if op == Jmp.JNE:  # a constant at the edge of a range moves the edge
        at = 2 if wide else 6
        bounds = list(a)
        for low, x in ((at, k), (at + 2, s64(k) if wide else s32(k))):
            bounds[low] += bounds[low] == x
            bounds[low + 1] -= bounds[low + 1] == x
        return _new(Num, bounds)
    bits = a[:2] if wide else tnum.subreg(a[:2])
    ranges = a[2:]
    if op == Jmp.JSET:
        if k & (k - 1) or not k:  # which of several bits is set, nobody knows
            return a
        bits = tnum.bit_or(bits, (k, 0))
    else:  # NOT_SET; the ranges are forgotten, lest a dead branch contradict itself (Linux 6.17)
        bits = tnum.bit_and(bits, (~k & tnum.U64, 0))
        ranges = UNBOUNDED if wide else (*a[2:6], *UNBOUNDED32)
    return _new(Num, (*(bits if wide else tnum.with_subreg(a[:2], bits)), *ranges))


def _settle(n: Num) -> Num:
    """The number, or without bounds when they contradict each other or the known bits."""
    if contradicts(n):
        return forget(n)
    v, m = n[0], n[1]
    if not m & U32:
        low = v & U32
        if n[6:] != (low, low, s32(low), s32(low)):
            return forget(n)
        if not m and n[2:6] != (v, v, s64(v), s64(v)):
            return forget(n)
    return n


def forget(n: Num) -> Num:
    """The known bits alone."""
    return _new(Num, (n[0], n[1], *UNBOUNDED))


def concrete(op: int, wide: bool, a: int, b: int) -> bool:
    """What the machine decides, for unsigned 64-bit `a` and `b`: the reference of the tests."""
    if not wide:
        a &= U32
        b &= U32
    if op in _SIGNED:
        a, b = (s64(a), s64(b)) if wide else (s32(a), s32(b))
    return {
        Jmp.JEQ: a == b,
        Jmp.JNE: a != b,
        Jmp.JSET: bool(a & b),
        Jmp.JGT: a > b,
        Jmp.JGE: a >= b,
        Jmp.JLT: a < b,
        Jmp.JLE: a <= b,
        Jmp.JSGT: a > b,
        Jmp.JSGE: a >= b,
        Jmp.JSLT: a < b,
        Jmp.JSLE: a <= b,
    }[Jmp(op)]
