"""Numbers: arithmetic of every width and sign, comparisons, conversions, byte order."""

from __future__ import annotations

from pybpf import (
    Struct,
    s8,
    s16,
    s32,
    s64,
    sched_cls,
    sdiv,
    smod,
    swap16,
    swap32,
    swap64,
    u8,
    u16,
    u32,
    u64,
    xdp,
)

from . import Run, wide


class Wide(Struct):
    a: u64
    b: u64
    c: s64
    d: s32
    e: s16
    f: s8
    g: u8


@sched_cls
def arithmetic(skb):
    return (skb.len * 3 + skb.mark - 7) ^ (skb.priority & 0xFF)


@sched_cls
def square_and_add(skb):
    n = skb.mark
    return n * n + n


@sched_cls
def polynomial(skb):
    x = skb.mark
    return 3 * x * x * x + 5 * x * x + 7 * x + 11


@xdp
def multiplied(ctx):
    p = ctx.packet(Wide)
    if p is None:
        return 0
    p.a = u64(p.a * p.b + p.a)
    return 2


@sched_cls
def differences(skb):
    return u32(skb.mark - skb.priority) ^ u32(100 - skb.mark)


@sched_cls
def division(skb):
    return skb.len // 10 + skb.len % 8 + skb.mark % 10


@sched_cls
def divided_by_number(skb):
    return skb.mark // skb.priority + skb.mark % skb.priority


@xdp
def divided_wide(ctx):
    p = ctx.packet(Wide)
    if p is None:
        return 0
    p.a, p.b = p.a // p.b, p.a % p.b
    return 2


@sched_cls
def signed_division(skb):
    return s32(sdiv(s64(skb.len) - 100, 7))


@sched_cls
def signed_remainder(skb):
    return s32(smod(s32(skb.mark), 10))


@xdp
def signed_by_number(ctx):
    p = ctx.packet(Wide)
    if p is None:
        return 0
    p.c = sdiv(p.c, s64(p.d)) + smod(p.c, s64(p.d))
    return 2


@sched_cls
def shifts(skb):
    return (skb.len << 4) | (skb.len >> (skb.mark & 31))


@sched_cls
def rotated(skb):
    return skb.mark << 7 | skb.mark >> 25


@xdp
def shifted_signed(ctx):
    p = ctx.packet(Wide)
    if p is None:
        return 0
    p.c = p.c >> 3
    p.d = p.d >> (p.g & 7)
    return 2


@sched_cls
def bits(skb):
    return skb.mark & 0xFF00 | skb.priority & 0xFF ^ 0x55


@sched_cls
def inverted(skb):
    return u32(~skb.mark) ^ u32(-s32(skb.priority))


@sched_cls
def bit_tests(skb):
    if skb.mark & 4 and not skb.mark & 8:
        return 1
    return 2


@sched_cls
def mixed_hash(skb):
    h = skb.mark * 0x9E3779B1
    h ^= h >> 15
    h *= 0x85EBCA6B
    return h ^ h >> 13


@xdp
def wide_constants(ctx):
    p = ctx.packet(Wide)
    if p is None:
        return 0
    p.a = u64((p.a ^ 0xCBF29CE484222325) * 0x100000001B3)
    p.b = p.b & 0xFFFFFFFF00000000
    return 2


@sched_cls
def casts(skb):
    return u8(skb.len) + u16(skb.mark)


@sched_cls
def signed_casts(skb):
    return u32(s8(skb.mark) + s16(skb.priority))


@xdp
def signed_fields(ctx):
    p = ctx.packet(Wide)
    if p is None:
        return 0
    p.c = p.d + p.e + p.f
    return 2


@sched_cls
def exact(skb):
    ttl = u8(skb.mark) - 1
    return 1 if ttl < 0 else ttl


@xdp
def narrow_places(ctx):
    p = ctx.packet(Wide)
    if p is None:
        return 0
    p.g += 200
    p.e -= 5
    p.f = s8(p.f * 3)
    return 2


@sched_cls
def least_and_greatest(skb):
    return min(skb.len, 1500) + max(skb.mark, 3)


@sched_cls
def clamped(skb):
    return max(10, min(skb.mark, skb.priority, 1000))


@sched_cls
def absolute(skb):
    return u32(abs(s32(skb.mark) >> 1))


@sched_cls
def signed_compare(skb):
    n = s32(skb.mark)
    if n < -5:
        return 1
    if n >= s32(skb.priority):
        return 2
    return 3


@xdp
def compared_wide(ctx):
    p = ctx.packet(Wide)
    if p is None:
        return 0
    if p.a > p.b:
        return 1
    if p.c < -1:
        return 2
    if p.a == 0xFFFFFFFFFFFF:
        return 3
    return 4


@sched_cls
def chained(skb):
    return 1 if 60 <= skb.len < 1500 else 2


@sched_cls
def chained_numbers(skb):
    return 1 if skb.len < skb.mark <= skb.priority != 77 else 2


@sched_cls
def truth(skb):
    return bool(skb.mark) + (skb.priority > 3) * 2 + (not skb.mark) * 4


@sched_cls
def augmented(skb):
    x = skb.len
    x += 5
    x <<= 1
    x |= 1
    return x


@sched_cls
def all_augmented(skb):
    x = skb.mark
    x += 5
    x -= skb.priority
    x *= 3
    x //= 2
    x %= 1000
    x &= 0xFFF
    x |= 0x10
    x ^= 0x3
    x <<= 2
    x >>= 1
    return x


@sched_cls
def swapped(skb):
    a, b = skb.len, skb.mark
    a, b = b, a
    return u32(a * 10 + b)


@sched_cls
def rotated_names(skb):
    a, b, c = skb.len, skb.mark, skb.priority
    a, b, c = b, c, a
    return a * 100 + b * 10 + c


@sched_cls
def byte_order(skb):
    return swap32(skb.mark) + swap16(u16(skb.priority))


@xdp
def byte_order_wide(ctx):
    p = ctx.packet(Wide)
    if p is None:
        return 0
    p.a = swap64(p.b)
    return 2


def u32s(n: int) -> int:
    return n & 0xFFFFFFFF


A, B = 0xDEADBEEF, 0x12345678

RUNS = {
    "arithmetic": [Run((64 * 3 + A - 7) ^ 0x78, A, B)],
    "square_and_add": [Run(30, 5), Run(u32s(A * A + A), A)],
    "polynomial": [Run(3 * 8 + 5 * 4 + 7 * 2 + 11, 2), Run(u32s(3 * A**3 + 5 * A**2 + 7 * A + 11), A)],
    "multiplied": [Run(2, data=wide(7, 3), out=wide(28, 3)), Run(2, data=wide(1 << 63, 3), out=wide(0, 3))],
    "differences": [Run(u32s(3 - 5) ^ 97, 3, 5)],
    "division": [Run(6 + 0 + 7, 77)],
    "divided_by_number": [Run(A // 77 + A % 77, A, 77), Run(9, 9, 0)],
    "divided_wide": [
        Run(2, data=wide(1 << 63, 1000), out=wide((1 << 63) // 1000, (1 << 63) % 1000)),
        Run(2, data=wide(5), out=wide(0, 5)),
    ],
    "signed_division": [Run(u32s(-5))],
    "signed_remainder": [Run(u32s(-7), u32s(-37)), Run(7, 37)],
    "signed_by_number": [
        Run(2, data=wide(c=-100, d=7), out=wide(c=-14 - 2, d=7)),
        Run(2, data=wide(c=100, d=-7), out=wide(c=-14 + 2, d=-7)),
        Run(2, data=wide(c=-9), out=wide(c=-9)),
    ],
    "shifts": [Run(64 << 4 | 64 >> 3, 35)],
    "rotated": [Run(u32s(A << 7) | A >> 25, A)],
    "shifted_signed": [Run(2, data=wide(c=-100, d=-7), out=wide(c=-13, d=-7))],
    "bits": [Run(A & 0xFF00 | 0x78 ^ 0x55, A, B)],
    "inverted": [Run(u32s(~A) ^ u32s(-B), A, B)],
    "bit_tests": [Run(1, 4), Run(2, 12), Run(2, 8)],
    "wide_constants": [
        Run(
            2,
            data=wide(0x61, (1 << 64) - 1),
            out=wide(((0x61 ^ 0xCBF29CE484222325) * 0x100000001B3) & ((1 << 64) - 1), 0xFFFFFFFF00000000),
        )
    ],
    "casts": [Run(64 + 0xBEEF, A)],
    "signed_casts": [Run(u32s(-17 + 0x5678), A, B), Run(u32s(127 - 32768), 127, 32768)],
    "signed_fields": [Run(2, data=wide(d=-70000, e=-3, f=-128), out=wide(c=-70131, d=-70000, e=-3, f=-128))],
    "exact": [Run(1, 256), Run(254, 255)],
    "narrow_places": [
        Run(2, data=wide(e=-32768, f=100)[:-1] + b"\x64", out=wide(e=32763, f=44)[:-1] + b"\x2c"),
    ],
    "least_and_greatest": [Run(67, 1), Run(164, 100), Run(1500 + 3, data=bytes(2000))],
    "clamped": [Run(10, 5, 7), Run(500, 700, 500), Run(1000, A, B)],
    "absolute": [Run(u32s(-((A - (1 << 32)) >> 1)), A), Run(B >> 1, B)],
    "signed_compare": [Run(1, A), Run(2, 5, 5), Run(2, 5, A), Run(3, u32s(-5), 5)],
    "compared_wide": [
        Run(1, data=wide(1 << 63, 1)),
        Run(2, data=wide(1, 1, -2)),
        Run(3, data=wide(0xFFFFFFFFFFFF, 1 << 63, -1)),
        Run(4, data=wide(1, 2)),
    ],
    "chained": [Run(1), Run(2, data=bytes(1500)), Run(2, data=bytes(59))],
    "chained_numbers": [Run(1, 65, 65), Run(2, 64, 65), Run(2, 66, 65), Run(2, 70, 77)],
    "truth": [Run(4, 0, 3), Run(3, 9, 4)],
    "augmented": [Run(139)],
    "all_augmented": [Run(((((5 + 9 - 2) * 3 // 2 % 1000) & 0xFFF | 0x10) ^ 3) << 1, 9, 2)],
    "swapped": [Run(7 * 10 + 64, 7)],
    "rotated_names": [Run(300 + 50 + 64, 3, 5)],
    "byte_order": [Run(u32s(0xEFBEADDE + 0x7856), A, B)],
    "byte_order_wide": [Run(2, data=wide(0, 0x0102030405060708), out=wide(0x0807060504030201, 0x0102030405060708))],
}


def _mixed(n: int) -> int:
    h = u32s(n * 0x9E3779B1)
    h = u32s((h ^ h >> 15) * 0x85EBCA6B)
    return h ^ h >> 13


RUNS["mixed_hash"] = [Run(_mixed(A), A)]
