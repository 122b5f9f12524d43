"""Memory: structures and arrays on the stack, bit-fields, unions, nesting, tables, global variables."""

from __future__ import annotations

import ctypes

from pybpf import Global, Struct, be16, be32, be64, char, s16, sched_cls, u8, u16, u32, u64, xdp

from . import Run
from .numbers import A, B


class Pair(Struct):
    a: u32
    b: u32


class Flags(ctypes.LittleEndianStructure):
    _fields_ = (
        ("kind", ctypes.c_uint32, 3),
        ("level", ctypes.c_uint32, 5),
        ("rest", ctypes.c_uint32, 24),
        ("sign", ctypes.c_int32, 6),
        ("more", ctypes.c_uint32, 26),
    )


class Wire(Struct):
    port: be16
    kind: u8
    flags: u8
    addr: be32
    id: be64


class Address(ctypes.Union):
    _fields_ = (("whole", ctypes.c_uint32), ("bytes", ctypes.c_uint8 * 4), ("words", ctypes.c_uint16 * 2))


class Outer(Struct):
    first: u32
    pair: Pair
    address: Address
    pairs: Pair[4]
    counts: u16[4]


class Name(Struct):
    text: char[8]


PRIMES = (2, 3, 5, 7, 11, 13, 17, 19)
WIDE = (1 << 40, 1 << 50, 3, 4)

total = Global(u64)
limit = Global(u32, 1000)
fixed = Global(u32, 7, const=True)
signed = Global(s16, -3)
pair = Global(Pair)
histogram = Global(u32[8])


@sched_cls
def fields(skb):
    p = Pair(skb.mark)
    p.b = p.a + skb.priority
    return p.a ^ p.b


@xdp
def bit_fields_read(ctx):
    f = ctx.packet(Flags)
    if f is None:
        return 0
    return f.kind * 1000 + f.level + f.sign


@xdp
def bit_fields_written(ctx):
    f = ctx.packet(Flags)
    if f is None:
        return 0
    f.kind = 5
    f.level = f.kind + 1
    f.rest = f.more & 0xFFFFFF
    return 2


@xdp
def big_endian(ctx):
    w = ctx.packet(Wire)
    if w is None:
        return 0
    w.port = w.port + 1 & 0xFFFF
    w.addr, w.kind = 0x0A000001, 3
    w.id += 1
    return 3


@xdp
def big_endian_compared(ctx):
    w = ctx.packet(Wire)
    if w is None:
        return 0
    if w.port == 53 and w.addr != 0x7F000001:
        return 1
    return 2 if w.port > 1024 else 3


@xdp
def big_endian_copied(ctx):
    w = ctx.packet(Wire[2])
    if w is None:
        return 0
    w[1].port = w[0].port
    w[1].addr = w[0].addr
    w[1].id = w[0].id
    return 3


@xdp
def unions(ctx):
    o = ctx.packet(Outer)
    if o is None:
        return 0
    o.address.whole += 1
    o.address.bytes[3] = o.address.bytes[0]
    return 2


@xdp
def nested(ctx):
    o = ctx.packet(Outer)
    if o is None:
        return 0
    o.pair.a += o.pairs[2].b
    o.pairs[1] = o.pair
    return 2


@xdp
def indexed(ctx):
    o = ctx.packet(Outer)
    if o is None:
        return 0
    i = o.first & 3
    o.counts[i] += 1
    o.pairs[i].a = o.pairs[i].b
    return 2


@sched_cls
def stack_array(skb):
    a = u32[4]()
    a[skb.mark & 3] = skb.priority
    a[0] += 5
    return a[0] + a[1] + a[2] + a[3]


@sched_cls
def stack_zeroed(skb):
    p = Pair(b=skb.mark)
    if p.b > 7:
        p.a = 3
    return p.b + p.a


@sched_cls
def structures_compared(skb):
    return 1 if Pair(skb.mark, 5) == Pair(7, skb.priority) else 2


@xdp
def copied_out(ctx):
    o = ctx.packet(Outer)
    if o is None:
        return 0
    p = Pair(o.pair.a, o.pair.b)
    o.pairs[0] = p
    return p.a & 0xFF


@xdp
def texts(ctx):
    n = ctx.packet(Name)
    if n is None:
        return 0
    if n.text[0] == ord("G"):
        n.text[0] = ord("P")
    return 2


@sched_cls
def table_of_bytes(skb):
    return PRIMES[skb.mark & 7]


@sched_cls
def table_of_wide(skb):
    return u32(WIDE[skb.mark & 3] >> 20)


@sched_cls
def table_tested(skb):
    if skb.mark < len(PRIMES):
        return PRIMES[skb.mark]
    return 0


@sched_cls
def global_variable(skb):
    total.value += 1
    return 0


@sched_cls
def globals_read(skb):
    return u32(limit.value + fixed.value) if signed.value < 0 else 0


@sched_cls
def global_structure(skb):
    pair.a = skb.mark
    pair.b += 1
    return 0


@sched_cls
def global_array(skb):
    histogram[skb.mark & 7] += 1
    return histogram[0]


@sched_cls
def many_names(skb):
    a, b, c, d = skb.mark, skb.priority, skb.len, skb.mark * 3
    e, f, g, h = a ^ b, b ^ c, c ^ d, d ^ a
    i, j, k, m = a * b, b * c, c * d, d * e
    return a + b * 3 + c * 5 + d * 7 + e * 11 + f * 13 + g * 17 + h * 19 + i * 23 + j * 29 + k * 31 + m * 37


def _outer(first=0, pair=(0, 0), whole=0, pairs=(), counts=()) -> bytes:
    o = Outer(first=first, pair=Pair(*pair))
    o.address.whole = whole
    for i, p in enumerate(pairs):
        o.pairs[i] = Pair(*p)
    for i, n in enumerate(counts):
        o.counts[i] = n
    return bytes(o)


def _flags(kind=0, level=0, rest=0, sign=0, more=0) -> bytes:
    return bytes(Flags(kind, level, rest, sign, more)) + bytes(6)


def _many(a: int, b: int, c: int) -> int:
    def w(n: int) -> int:
        return n & 0xFFFFFFFF

    d = w(a * 3)
    e, f, g, h = a ^ b, b ^ c, c ^ d, d ^ a
    i, j, k, m = w(a * b), w(b * c), w(c * d), w(d * e)
    numbers = (a, b * 3, c * 5, d * 7, e * 11, f * 13, g * 17, h * 19, i * 23, j * 29, k * 31, m * 37)
    return w(sum(numbers))


def _set(objects) -> None:
    objects[limit][0] = 5
    objects[signed][0] = -1


_WIRES = bytes(Wire(port=80, addr=7, id=9)), bytes(Wire(port=80, kind=1, addr=7, id=9))

RUNS = {
    "fields": [Run(A ^ (A + 3), A, 3)],
    "bit_fields_read": [Run(5 * 1000 + 31 - 3, data=_flags(5, 31, 0, -3, 7))],
    "bit_fields_written": [
        Run(2, data=_flags(7, 1, 9, -3, 0x3ABCDEF), out=_flags(5, 6, 0x3ABCDEF & 0xFFFFFF, -3, 0x3ABCDEF)),
    ],
    "big_endian": [
        Run(
            3,
            data=bytes(Wire(port=0xFFFF, flags=9, id=0xFF)),
            out=bytes(Wire(port=0, flags=9, addr=0x0A000001, kind=3, id=0x100)),
        )
    ],
    "big_endian_compared": [
        Run(1, data=bytes(Wire(port=53))),
        Run(3, data=bytes(Wire(port=53, addr=0x7F000001))),
        Run(2, data=bytes(Wire(port=1025))),
        Run(3, data=bytes(Wire(port=0x0102))),
    ],
    "big_endian_copied": [Run(3, data=_WIRES[0] + bytes(2) + b"\1" + bytes(13), out=_WIRES[0] + _WIRES[1])],
    "unions": [Run(2, data=_outer(whole=0x010203FF), out=_outer(whole=0x00020400))],
    "nested": [
        Run(
            2,
            data=_outer(pair=(1, 2), pairs=((0, 0), (0, 0), (5, 6))),
            out=_outer(pair=(7, 2), pairs=((0, 0), (7, 2), (5, 6))),
        )
    ],
    "indexed": [
        Run(
            2,
            data=_outer(6, pairs=((0, 0), (0, 0), (5, 6)), counts=(1, 2, 0xFFFF, 4)),
            out=_outer(6, pairs=((0, 0), (0, 0), (6, 6)), counts=(1, 2, 0, 4)),
        )
    ],
    "stack_array": [Run(12, 2, 7), Run(12, 4, 7)],
    "stack_zeroed": [Run(12, 9), Run(7, 7)],
    "structures_compared": [Run(1, 7, 5), Run(2, 7, 6), Run(2, 6, 5)],
    "copied_out": [Run(0x34, data=_outer(pair=(0x1234, 5)), out=_outer(pair=(0x1234, 5), pairs=((0x1234, 5),)))],
    "texts": [Run(2, data=b"GET /" + bytes(9), out=b"PET /" + bytes(9)), Run(2, data=bytes(14), out=bytes(14))],
    "table_of_bytes": [Run(19, 15)],
    "table_of_wide": [Run(1 << 20, 0), Run(1 << 30, 1), Run(0, 2)],
    "table_tested": [Run(19, 7), Run(0, 8)],
    "global_variable": [Run(0, after={total: 1})],
    "globals_read": [Run(1007), Run(12, before=_set)],
    "global_structure": [Run(0, A, after={pair: Pair(A, 1)})],
    "global_array": [Run(1, 8), Run(0, 1)],
    "many_names": [Run(_many(A, B, 64), A, B)],
}
