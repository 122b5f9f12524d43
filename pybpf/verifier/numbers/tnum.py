"""Tristate numbers: what is known of each bit of a 64-bit value, as pure functions over `(value, mask)`.

A bit set in `mask` is unknown; every other bit equals that of `value`.  `value & mask` is always 0.  The set that a
tnum stands for is gamma(v, m) = {x : x & ~m == v}.  Each function returns a tnum whose set contains every result of
the operation on members of the operands (Vishwanathan et al., "Sound, Precise, and Fast Abstract Interpretation with
Tristate Numbers", CGO 2022).
"""

from __future__ import annotations

U64 = (1 << 64) - 1
U32 = (1 << 32) - 1

Tnum = tuple[int, int]

UNKNOWN: Tnum = (0, U64)


def from_range(low: int, high: int) -> Tnum:
    """The smallest tnum that holds all of low..high: the common leading bits are known."""
    bits = (low ^ high).bit_length()
    if bits > 63:
        return UNKNOWN
    mask = (1 << bits) - 1
    return low & ~mask, mask


def add(a: Tnum, b: Tnum) -> Tnum:
    """Sums: a bit is unknown where an operand's is, or where a carry may or may not arrive."""
    low = a[0] + b[0]
    unknown = ((low + a[1] + b[1]) ^ low | a[1] | b[1]) & U64
    return low & ~unknown & U64, unknown


def sub(a: Tnum, b: Tnum) -> Tnum:
    """Differences: as `add`, with the borrow."""
    diff = a[0] - b[0]
    unknown = ((diff + a[1]) ^ (diff - b[1]) | a[1] | b[1]) & U64
    return diff & ~unknown & U64, unknown


def neg(a: Tnum) -> Tnum:
    return sub((0, 0), a)


def bit_and(a: Tnum, b: Tnum) -> Tnum:
    ones = a[0] & b[0]
    return ones, (a[0] | a[1]) & (b[0] | b[1]) & ~ones


def bit_or(a: Tnum, b: Tnum) -> Tnum:
    ones = a[0] | b[0]
    return ones, (a[1] | b[1]) & ~ones


def bit_xor(a: Tnum, b: Tnum) -> Tnum:
    unknown = a[1] | b[1]
    return (a[0] ^ b[0]) & ~unknown, unknown


def mul(a: Tnum, b: Tnum) -> Tnum:
    """Products by shift and add; an unknown bit of `a` joins the sums with and without that row (Linux 6.18)."""
    value, mask = a
    total: Tnum = (0, 0)
    while value or mask:
        if value & 1:
            total = add(total, b)
        elif mask & 1:
            total = union(total, add(total, b))
        value >>= 1
        mask >>= 1
        b = (b[0] << 1 & U64, b[1] << 1 & U64)
    return total


def lshift(a: Tnum, n: int) -> Tnum:
    return a[0] << n & U64, a[1] << n & U64


def rshift(a: Tnum, n: int) -> Tnum:
    return a[0] >> n, a[1] >> n


def arshift(a: Tnum, n: int, width: int = 64) -> Tnum:
    """Arithmetic shift of the low `width` bits; an unknown sign bit spreads as unknown."""
    full = (1 << width) - 1
    return _signed(a[0], width) >> n & full, _signed(a[1], width) >> n & full


def _signed(x: int, width: int) -> int:
    return x - (1 << width) if x >> (width - 1) & 1 else x


def union(a: Tnum, b: Tnum) -> Tnum:
    """The smallest tnum that holds both."""
    unknown = a[0] ^ b[0] | a[1] | b[1]
    return a[0] & b[0] & ~unknown, unknown


def intersect(a: Tnum, b: Tnum) -> Tnum:
    """What both say; meaningless when they contradict each other (see `overlap`)."""
    unknown = a[1] & b[1]
    return (a[0] | b[0]) & ~unknown, unknown


def overlap(a: Tnum, b: Tnum) -> bool:
    """Whether some value is in both."""
    known = ~(a[1] | b[1])
    return a[0] & known == b[0] & known


def following(a: Tnum, x: int) -> int:
    """The smallest member greater than `x`; the greatest member when none is greater."""
    value, mask = a
    top = value | mask
    if x >= top:
        return top
    if x < value:
        return value
    # The member with the longest prefix of x that is greater: some unknown bit set where x has none, the lower ones clear.
    best = top
    for bit in range(64):
        one = 1 << bit
        if x & one:
            continue
        high = ~(one - 1) & U64
        wanted = (x | one) & high
        if wanted & ~mask & high == value & high and (mask | value) & one:
            candidate = wanted | value & (one - 1)
            if x < candidate < best:
                best = candidate
    return best


def within(outer: Tnum, inner: Tnum) -> bool:
    """Whether every value of `inner` is one of `outer`."""
    return not inner[1] & ~outer[1] and outer[0] == inner[0] & ~outer[1]


def contains(a: Tnum, x: int) -> bool:
    return x & ~a[1] == a[0]


def subreg(a: Tnum) -> Tnum:
    """The low 32 bits, zero-extended."""
    return a[0] & U32, a[1] & U32


def with_subreg(a: Tnum, low: Tnum) -> Tnum:
    """`a` with its low 32 bits replaced."""
    return a[0] & ~U32 | low[0], a[1] & ~U32 | low[1]


def aligned(a: Tnum, size: int) -> bool:
    """Whether every value is a multiple of `size`, a power of two (0 means: of anything)."""
    return not size or not (a[0] | a[1]) & (size - 1)


def text(a: Tnum) -> str:
    return f"({a[0]:#x}; {a[1]:#x})" if a[0] else f"(0x0; {a[1]:#x})"
