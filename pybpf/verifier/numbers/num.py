"""`Num`: what is known of a 64-bit number: known bits, and four ranges kept consistent with each other.

The ranges are the unsigned and signed ones of the whole number and of its low half.  `sync` lets each of them learn from the
others, in the order of the kernel's `reg_bounds_sync`, because a different order settles on slightly different bounds.
Nums are values: all functions here are pure, and the frequent ones are memoised.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from . import tnum
from .tnum import U32, U64

S64_MIN, S64_MAX = -(1 << 63), (1 << 63) - 1
S32_MIN, S32_MAX = -(1 << 31), (1 << 31) - 1
HIGH = U64 ^ U32
SIGN = 1 << 63
SIGN32 = 1 << 31


def s64(x: int) -> int:
    """The low 64 bits read as a signed number."""
    return (x & U64 ^ SIGN) - SIGN


def s32(x: int) -> int:
    """The low 32 bits read as a signed number."""
    return (x & U32 ^ SIGN32) - SIGN32


class Num(NamedTuple):
    """Known bits (`value`, `mask`), then unsigned and signed bounds of 64 and of the low 32 bits, all inclusive."""

    value: int
    mask: int
    umin: int
    umax: int
    smin: int
    smax: int
    umin32: int
    umax32: int
    smin32: int
    smax32: int

    @property
    def tnum(self) -> tnum.Tnum:
        return self[0], self[1]

    @property
    def const(self) -> bool:
        """Whether it is one known number, `value`."""
        return not self[1]

    @property
    def const32(self) -> bool:
        """Whether the low half is one known number."""
        return not self[1] & U32

    def holds(self, x: int) -> bool:
        """Whether the unsigned 64-bit `x` may be this number."""
        low = x & U32
        return (
            x & ~self.mask == self.value
            and self.umin <= x <= self.umax
            and self.smin <= s64(x) <= self.smax
            and self.umin32 <= low <= self.umax32
            and self.smin32 <= s32(low) <= self.smax32
        )


_new = tuple.__new__

UNKNOWN = Num(0, U64, 0, U64, S64_MIN, S64_MAX, 0, U32, S32_MIN, S32_MAX)
UNBOUNDED = UNKNOWN[2:]
UNBOUNDED64 = UNKNOWN[2:6]
UNBOUNDED32 = UNKNOWN[6:]


@lru_cache(maxsize=1 << 14)
def const(x: int) -> Num:
    """The one number `x`, signed or unsigned."""
    u = x & U64
    s = s64(u)
    low = u & U32
    slow = s32(low)
    return Num(u, 0, u, u, s, s, low, low, slow, slow)


ZERO = const(0)


def contradicts(n: Num) -> bool:
    """Whether no number satisfies the bounds: the branch that led here is dead."""
    return n[2] > n[3] or n[4] > n[5] or n[6] > n[7] or n[8] > n[9]


@lru_cache(maxsize=1 << 15)
def sync(n: Num) -> Num:
    """The number with each range tightened by what the others say."""
    v, m, umin, umax, smin, smax, ul, uh, sl, sh = n
    umin, umax, smin, smax, ul, uh, sl, sh = _from_bits(v, m, umin, umax, smin, smax, ul, uh, sl, sh)
    only = _only_member(v, m, umin, umax)
    if only is not None:
        return const(only)
    bounds = (v, m, umin, umax, smin, smax, ul, uh, sl, sh)
    for _ in range(3):  # the kernel settles for three rounds
        tighter = _deduce(*bounds)
        if tighter == bounds:
            break
        bounds = tighter
    v, m, umin, umax, smin, smax, ul, uh, sl, sh = bounds
    wide = tnum.intersect((v, m), tnum.from_range(umin, umax))
    low = tnum.intersect(tnum.subreg(wide), tnum.from_range(ul, uh))
    v, m = tnum.with_subreg(wide, low)
    only = _only_member(v, m, umin, umax)
    if only is not None:
        return const(only)
    return _new(Num, (v, m, *_from_bits(v, m, umin, umax, smin, smax, ul, uh, sl, sh)))


def _only_member(v: int, m: int, umin: int, umax: int) -> int | None:
    """The one number that fits both the known bits and the unsigned range, when there is but one (Linux 6.18.y).

    Where none does, because the branch that led here is dead, the kernel takes one of the two for true; so must we, or what is
    made of such a number would be refused here only.
    """
    if not m:
        return v if umin > v else None
    if m == U64 or (umin == 0 and v == 0 and not umax < 1 << (m & -m).bit_length() - 1):
        return None
    bits = (v, m)
    inside = umin & ~m == v
    after = tnum.following(bits, umin)
    if inside:
        return umin if after > umax or after == umin else None
    if after == v | m:
        return after
    return after if after <= umax < tnum.following(bits, after) else None


def _from_bits(
    v: int, m: int, umin: int, umax: int, smin: int, smax: int, ul: int, uh: int, sl: int, sh: int
) -> tuple[int, int, int, int, int, int, int, int]:
    """The ranges tightened by the known bits."""
    if m != U64:
        top = v | m
        low = s64(v | m & SIGN)
        high = s64(v | m & ~SIGN)
        if low > smin:
            smin = low
        if high < smax:
            smax = high
        if v > umin:
            umin = v
        if top < umax:
            umax = top
        m32 = m & U32
        if m32 != U32:
            v32 = v & U32
            top = v32 | m32
            low = s32(v32 | m32 & SIGN32)
            high = s32(v32 | m32 & ~SIGN32)
            if low > sl:
                sl = low
            if high < sh:
                sh = high
            if v32 > ul:
                ul = v32
            if top < uh:
                uh = top
    return umin, umax, smin, smax, ul, uh, sl, sh


def _deduce(
    v: int, m: int, umin: int, umax: int, smin: int, smax: int, ul: int, uh: int, sl: int, sh: int
) -> tuple[int, int, int, int, int, int, int, int, int, int]:
    """One round: halves from the whole, each sign from the other, the whole from its low half."""
    # The low half, when the high half is the same over the whole range.
    if umin >> 32 == umax >> 32:
        a, b = umin & U32, umax & U32
        ul, uh = max(ul, a), min(uh, b)
        if s32(a) <= s32(b):
            sl, sh = max(sl, s32(a)), min(sh, s32(b))
    if smin >> 32 == smax >> 32:
        a, b = smin & U32, smax & U32
        ul, uh = max(ul, a), min(uh, b)  # a <= b holds as the high halves are equal
        if s32(a) <= s32(b):
            sl, sh = max(sl, s32(a)), min(sh, s32(b))
    # The high half counts up once while the low half goes from negative to positive.
    a, b = s32(umin), s32(umax)
    if (umin >> 32) + 1 & U32 == umax >> 32 and a < 0 <= b:
        sl, sh = max(sl, a), min(sh, b)
    a, b = s32(smin), s32(smax)
    if (smin >> 32) + 1 & U32 == smax >> 32 & U32 and a < 0 <= b:
        sl, sh = max(sl, a), min(sh, b)
    # Signs of the low half.
    a, b = s32(ul), s32(uh)
    if a <= b:
        sl, sh = max(sl, a), min(sh, b)
    a, b = sl & U32, sh & U32
    if a <= b:
        ul, uh = max(ul, a), min(uh, b)
    elif uh < a:  # the unsigned range lies in the non-negative part only
        sl, uh = s32(ul), min(uh, b)
    elif b < ul:  # ... in the negative part only
        sh, ul = s32(uh), max(ul, a)
    # Signs of the whole.
    a, b = s64(umin), s64(umax)
    if a <= b:
        smin, smax = max(smin, a), min(smax, b)
    a, b = smin & U64, smax & U64
    if a <= b:
        umin, umax = max(umin, a), min(umax, b)
    elif umax < a:  # the unsigned range lies in the non-negative part only
        smin, umax = s64(umin), min(umax, b)
    elif b < umin:  # ... in the negative part only
        smax, umin = s64(umax), max(umin, a)
    # The whole from the low half.
    umin, umax = max(umin, umin & HIGH | ul), min(umax, umax & HIGH | uh)
    smin, smax = max(smin, s64(smin & HIGH | ul)), min(smax, s64(smax & HIGH | uh))
    # A sign-extended 32-bit number whose low half is not negative.
    if sl >= 0 and smin >= S32_MIN and smax <= S32_MAX:
        smin = umin = sl
        smax = umax = sh
        v, m = tnum.intersect((v, m), tnum.from_range(smin & U64, smax & U64))
    return v, m, umin, umax, smin, smax, ul, uh, sl, sh


def zero_extend(n: Num) -> Num:
    """The low half alone, after an operation on w registers that left its 32-bit bounds true."""
    sl, sh = n[8], n[9]
    if not (sl >= 0 and sh >= 0):
        sl, sh = 0, U32
    return _new(Num, (n[0] & U32, n[1] & U32, n[6], n[7], sl, sh, n[6], n[7], n[8], n[9]))


@lru_cache(maxsize=1 << 12)
def truncate(n: Num, size: int) -> Num:
    """The low `size` bytes (1, 2 or 4), zero-extended: what a narrow store keeps or a narrow load yields."""
    mask = (1 << size * 8) - 1
    v, m = n[0] & mask, n[1] & mask
    if n[2] & ~mask == n[3] & ~mask:
        umin, umax = n[2] & mask, n[3] & mask
    else:
        umin, umax = 0, mask
    if size < 4:
        return sync(_new(Num, (v, m, umin, umax, umin, umax, *UNBOUNDED32)))
    # With a 32-bit result the 32-bit bounds stay true.
    return sync(_new(Num, (v, m, umin, umax, umin, umax, n[6], n[7], n[8], n[9])))


@lru_cache(maxsize=1 << 12)
def byte_swap(n: Num, size: int) -> Num:
    """The low `size` bytes in the opposite order, zero above."""
    bits = (1 << size * 8) - 1
    v, m = (int.from_bytes((x & bits).to_bytes(size, "little"), "big") for x in n[:2])
    swapped = sync(_new(Num, (v, m, *UNBOUNDED)))
    return swapped if size == 8 else truncate(swapped, size)


def unsigned_load(size: int) -> Num:
    """Any number that a load of `size` bytes yields."""
    return _LOADS[size]


@lru_cache(maxsize=1 << 12)
def sign_extend(n: Num, size: int) -> Num:
    """The low `size` bytes sign-extended to 64 bits."""
    bits = size * 8
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    top_smin, top_smax = n[4] >> bits, n[5] >> bits
    if n.const:
        return const((n[0] & (1 << bits) - 1 ^ 1 << bits - 1) - (1 << bits - 1))
    if top_smin == top_smax:
        a = _sext(n[4], bits)
        b = _sext(n[5], bits)
        if (a >= 0) == (b >= 0):
            lo, hi = min(a, b), max(a, b)
            v, m = tnum.from_range(lo & U64, hi & U64)
            return _new(Num, (v, m, lo & U64, hi & U64, lo, hi, lo & U32, hi & U32, s32(lo), s32(hi)))
    return _new(Num, (0, U64, 0, U64, low, high, 0, U32, max(low, S32_MIN), min(high, S32_MAX)))


@lru_cache(maxsize=1 << 12)
def sign_extend32(n: Num, size: int) -> Num:
    """The low `size` bytes (1 or 2) sign-extended to 32 bits, zero above."""
    bits = size * 8
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    if n.const32:
        return const(_sext(n[0], bits) & U32)
    if n[8] >> bits == n[9] >> bits:
        a = _sext(n[8], bits)
        b = _sext(n[9], bits)
        if (a >= 0) == (b >= 0):
            lo, hi = min(a, b), max(a, b)
            v, m = tnum.from_range(lo & U32, hi & U32)
            return sync(zero_extend(_new(Num, (v, m, *UNBOUNDED64, lo & U32, hi & U32, lo, hi))))
    return sync(zero_extend(_new(Num, (0, U32, *UNBOUNDED64, 0, U32, low, high))))


def _sext(x: int, bits: int) -> int:
    half = 1 << bits - 1
    return (x & (1 << bits) - 1 ^ half) - half


_LOADS = {size: truncate(UNKNOWN, size) for size in (1, 2, 4)} | {8: UNKNOWN}


def text(n: Num) -> str:
    """Its bounds as the kernel's log prints them: those that say something, equal ones joined."""
    if n.const:
        return _number(s64(n.value), True)
    # A large signed 32-bit bound is shown, and compared, as the unsigned one.
    low, high = (x if -(1 << 15) <= x < 1 << 15 else x & U32 for x in n[8:10])
    bounds = (n[4], n[5], n[2], n[3], low, high, n[6], n[7])
    told = [bound == trivial for bound, trivial in zip((*n[4:6], *n[2:4], *n[8:10], *n[6:8]), _TRIVIAL, strict=True)]
    shown = []
    for i, bound in enumerate(bounds):
        if told[i]:
            continue
        names = [_NAMES[i]]
        for j in range(i + 2, 8, 2):
            if not told[j] and bounds[j] == bound:
                told[j] = True
                names.append(_NAMES[j])
        shown.append("=".join([*names, _number(bound, names[0][0] == "s")]))
    if n.mask != U64:
        shown.append(f"var_off={tnum.text(n.tnum)}")
    return ",".join(shown)


def _number(x: int, signed: bool) -> str:
    small = -(1 << 15) <= x < 1 << 15 if signed else x < 1 << 16
    return str(x) if small else hex(x & U64)


_NAMES = ("smin", "smax", "umin", "umax", "smin32", "smax32", "umin32", "umax32")
_TRIVIAL = (S64_MIN, S64_MAX, 0, U64, S32_MIN, S32_MAX, 0, U32)
