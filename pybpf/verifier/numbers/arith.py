"""How arithmetic changes a `Num`: one function per operation, `apply` for them all.

Each function gives bounds and known bits that hold for every result; `apply` keeps them consistent.  The 32-bit forms use
the 32-bit bounds only and zero-extend, as w registers do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from ...asm.opcodes import Alu
from . import tnum
from .num import (
    S32_MAX,
    S32_MIN,
    S64_MAX,
    S64_MIN,
    UNBOUNDED32,
    UNBOUNDED64,
    UNKNOWN,
    ZERO,
    Num,
    const,
    s32,
    s64,
    sync,
    zero_extend,
)
from .tnum import U32, U64

TYPE_CHECKING = False
if TYPE_CHECKING:
    Bounds = tuple[int, int, int, int]  # umin, umax, smin, smax

_new = tuple.__new__


def _add_bounds(a: Bounds, b: Bounds, top: int, low: int, high: int) -> Bounds:
    """Sums in a width whose unsigned maximum is `top` and whose signed range is low..high."""
    umin, umax = a[0] + b[0], a[1] + b[1]
    if umin <= top < umax:  # some sums wrap, some do not
        umin, umax = 0, top
    smin, smax = a[2] + b[2], a[3] + b[3]
    if smin < low or smax > high:
        smin, smax = low, high
    return umin & top, umax & top, smin, smax


def _sub_bounds(a: Bounds, b: Bounds, top: int, low: int, high: int) -> Bounds:
    umin, umax = a[0] - b[1], a[1] - b[0]
    if umin < 0 <= umax:
        umin, umax = 0, top
    smin, smax = a[2] - b[3], a[3] - b[2]
    if smin < low or smax > high:
        smin, smax = low, high
    return umin & top, umax & top, smin, smax


def _mul_bounds(a: Bounds, b: Bounds, top: int, low: int, high: int) -> Bounds:
    umin, umax = a[0] * b[0], a[1] * b[1]
    if umax > top:
        umin, umax = 0, top
    corners = (a[2] * b[2], a[2] * b[3], a[3] * b[2], a[3] * b[3])
    smin, smax = min(corners), max(corners)
    if smin < low or smax > high:
        smin, smax = low, high
    return umin, umax, smin, smax


def _linear(
    bounds: Callable[[Bounds, Bounds, int, int, int], Bounds], bits: Callable[[tnum.Tnum, tnum.Tnum], tnum.Tnum]
) -> Callable[[Num, Num], Num]:
    def operation(a: Num, b: Num) -> Num:
        narrow = bounds(a[6:], b[6:], U32, S32_MIN, S32_MAX)
        wide = bounds(a[2:6], b[2:6], U64, S64_MIN, S64_MAX)
        return _new(Num, (*bits(a[:2], b[:2]), *wide, *narrow))

    return operation


def _as_signed(umin: int, umax: int, width: int) -> Bounds:
    """Unsigned bounds, and the same read as signed where they do not cross the sign."""
    low, high = (s64(umin), s64(umax)) if width == 64 else (s32(umin), s32(umax))
    if low > high:
        low, high = (S64_MIN, S64_MAX) if width == 64 else (S32_MIN, S32_MAX)
    return umin, umax, low, high


def _bitwise(
    bits: Callable[[tnum.Tnum, tnum.Tnum], tnum.Tnum], bounds: Callable[[int, int, int, int, int, int], tuple[int, int]]
) -> Callable[[Num, Num], Num]:
    """`bounds(value, mask, amin, amax, bmin, bmax)` gives the unsigned bounds of the result with these known bits."""

    def operation(a: Num, b: Num) -> Num:
        v, m = bits(a[:2], b[:2])
        if not m:
            return const(v)
        low_v, low_m = v & U32, m & U32
        if not (a[1] | b[1]) & U32:
            narrow = (low_v, low_v, s32(low_v), s32(low_v))
        else:
            narrow = _as_signed(*bounds(low_v, low_m, a[6], a[7], b[6], b[7]), 32)
        wide = _as_signed(*bounds(v, m, a[2], a[3], b[2], b[3]), 64)
        return _new(Num, (v, m, *wide, *narrow))

    return operation


def _neg(a: Num, _: Num) -> Num:
    result = _SUB(ZERO, a)
    return _new(Num, (*tnum.neg(a[:2]), *result[2:]))


def _lsh(a: Num, b: Num) -> Num:
    low, high = b[2], b[3]
    smin, smax = (a[8] << 32, a[9] << 32) if low == high == 32 else (S64_MIN, S64_MAX)
    umin, umax = (0, U64) if a[3] > 1 << 63 - high else (a[2] << low, a[3] << high)
    return _new(
        Num,
        (*tnum.lshift(a[:2], low), umin & U64, umax & U64, smin, smax, *_lsh_bounds32(a, low, high), S32_MIN, S32_MAX),
    )


def _lsh_bounds32(a: Num, low: int, high: int) -> tuple[int, int]:
    if high > 31 or a[7] > 1 << 31 - high:
        return 0, U32
    return a[6] << low & U32, a[7] << high & U32


def _lsh32(a: Num, b: Num) -> Num:
    low, high = b[6], b[7]
    bits = tnum.subreg(tnum.lshift(tnum.subreg(a[:2]), low))
    return _new(Num, (*bits, *UNBOUNDED64, *_lsh_bounds32(a, low, high), S32_MIN, S32_MAX))


def _rsh(a: Num, b: Num) -> Num:
    return _new(Num, (*tnum.rshift(a[:2], b[2]), a[2] >> b[3], a[3] >> b[2], S64_MIN, S64_MAX, *UNBOUNDED32))


def _rsh32(a: Num, b: Num) -> Num:
    bits = tnum.rshift(tnum.subreg(a[:2]), b[6])
    return _new(Num, (*bits, *UNBOUNDED64, a[6] >> b[7], a[7] >> b[6], S32_MIN, S32_MAX))


def _arsh(a: Num, b: Num) -> Num:
    n = b[2]
    return _new(Num, (*tnum.arshift(a[:2], n), 0, U64, a[4] >> n, a[5] >> n, *UNBOUNDED32))


def _arsh32(a: Num, b: Num) -> Num:
    n = b[6]
    bits = tnum.arshift(tnum.subreg(a[:2]), n, 32)
    return _new(Num, (*bits, *UNBOUNDED64, 0, U32, a[8] >> n, a[9] >> n))


_ADD = _linear(_add_bounds, tnum.add)
_SUB = _linear(_sub_bounds, tnum.sub)
_MUL = _linear(_mul_bounds, tnum.mul)
_AND = _bitwise(tnum.bit_and, lambda v, m, amin, amax, bmin, bmax: (v, min(amax, bmax)))
_OR = _bitwise(tnum.bit_or, lambda v, m, amin, amax, bmin, bmax: (max(amin, bmin), v | m))
_XOR = _bitwise(tnum.bit_xor, lambda v, m, amin, amax, bmin, bmax: (v, v | m))

_WIDE: dict[int, Callable[[Num, Num], Num]] = {
    Alu.ADD: _ADD,
    Alu.SUB: _SUB,
    Alu.MUL: _MUL,
    Alu.AND: _AND,
    Alu.OR: _OR,
    Alu.XOR: _XOR,
    Alu.NEG: _neg,
    Alu.LSH: _lsh,
    Alu.RSH: _rsh,
    Alu.ARSH: _arsh,
}
_NARROW = {**_WIDE, Alu.LSH: _lsh32, Alu.RSH: _rsh32, Alu.ARSH: _arsh32}
_SHIFTS = frozenset((int(Alu.LSH), int(Alu.RSH), int(Alu.ARSH)))


def apply(op: int, wide: bool, a: Num, b: Num) -> Num:
    """The number that `a op b` gives, on x registers (`wide`) or w registers.

    Division, remainder and shifts by an unknown or too large count give an unknown number, as in the kernel.
    """
    if not a[1] and not b[1] and op in _EXACT and (op not in _SHIFTS or b[0] < (64 if wide else 32)):
        return const(concrete(op, wide, a[0], b[0]))
    return _apply(op, wide, a, b)


@lru_cache(maxsize=1 << 16)
def _apply(op: int, wide: bool, a: Num, b: Num) -> Num:
    operation = (_WIDE if wide else _NARROW).get(op)
    if operation is None:
        return UNKNOWN
    if op in _SHIFTS:
        if wide:
            if b[1] or b[3] > 63:
                return UNKNOWN
        elif b[1] & U32 or b[7] > 31:
            return UNKNOWN
    result = operation(a, b)
    return sync(result if wide else zero_extend(result))


_EXACT: dict[int, Callable[[int, int, int], int]] = {
    Alu.ADD: lambda a, b, width: a + b,
    Alu.SUB: lambda a, b, width: a - b,
    Alu.MUL: lambda a, b, width: a * b,
    Alu.AND: lambda a, b, width: a & b,
    Alu.OR: lambda a, b, width: a | b,
    Alu.XOR: lambda a, b, width: a ^ b,
    Alu.NEG: lambda a, b, width: -a,
    Alu.LSH: lambda a, b, width: a << (b & width - 1),
    Alu.RSH: lambda a, b, width: a >> (b & width - 1),
    Alu.ARSH: lambda a, b, width: (a - (1 << width) if a >> width - 1 else a) >> (b & width - 1),
}


def concrete(op: int, wide: bool, a: int, b: int) -> int:
    """What the machine computes with two known numbers, for the operations of `apply`."""
    width, top = (64, U64) if wide else (32, U32)
    return _EXACT[op](a & top, b & top, width) & top
