"""Constructs of the language: each function is compiled, run in the kernel, and called in Python; both must agree."""

from __future__ import annotations

import struct
from enum import IntEnum

import pytest

from pybpf import (
    Global,
    HashMap,
    Struct,
    bounded,
    load,
    s8,
    s32,
    s64,
    sched_cls,
    sdiv,
    smod,
    swap16,
    swap32,
    u8,
    u16,
    u32,
    u64,
    unroll,
)


class Two(Struct):
    a: u64
    b: u64


out = Global(u64)


class Color(IntEnum):
    RED = 1
    GREEN = 2
    BLUE = 3


PRIMES = (2, 3, 5, 7, 11, 13, 17, 19)


def program(fn, **options):
    @sched_cls(**options)
    def run(ctx):
        p = ctx.packet(Two)
        if p is None:
            return 7
        out.value = u64(fn(p.a, p.b))
        return 0

    return run


VALUES = (
    (0, 0), (1, 2), (7, 3), (5, 5), (255, 256), (65535, 65536), (1 << 31, (1 << 31) - 1), ((1 << 32) - 1, 1 << 32),
    ((1 << 63) - 1, 1 << 63), ((1 << 64) - 1, (1 << 64) - 1), (0x0102030405060708, 0xA1B2C3D4E5F60718), (10, 1000),
)  # fmt: skip


def if_chain(a, b):
    if a < b:
        r = 1
    elif a == b:
        r = 2
    else:
        r = 3
    return r


def chained(a, b):
    return 1 if 3 < a <= b < 100000 else 0


def logic(a, b):
    if (a and not b) or (a > 10 and b > 10):
        return 5
    return 6


def value_of_or(a, b):
    return a or b


def value_of_and(a, b):
    return a and b


def nested_ternary(a, b):
    return 1 if a > b else (2 if a == b else 3)


def arithmetic(a, b):
    return u64(u64(a * 3) + b // 7 - (a % 11) + ((a & b) | (a ^ b)))


def shifts(a, b):
    return u64(u64(a << 3) + (b >> 5) + u64(1 << (b & 31)) + (a >> (b & 63)))


def inverted(a, b):
    return u64(~a) ^ u64(-s64(b & 0xFFFF))


def minmax(a, b):
    return min(a, b, 1000) + max(u32(a), u32(b)) + abs(s32(a) >> 1)


def while_loop(a, b):
    n = 0
    i = 0
    while i < 10:
        n += i * 2
        i += 1
    return n + i


def while_break(a, b):
    n = 0
    while True:
        n += 3
        if n > 20:
            break
    return n


def while_data(a, b):
    n = u64(a & 0xFF)
    steps = 0
    while n > 1:
        n = n // 2 if n % 2 == 0 else n - 1
        steps += 1
    return steps


def for_range(a, b):
    total = 0
    for i in range(20):
        total += i
    return total + i


def for_else(a, b):
    for i in range(12):
        if i == (a & 15):
            break
    else:
        i = 77
    return i


def for_steps(a, b):
    total = 0
    for i in range(50, 0, -3):
        if i == 20:
            continue
        total += i
    return total


def for_bounded(a, b):
    total = 0
    for i in range(bounded(a & 0xFF, max=32)):
        total += i + 1
    return total


def for_variable(a, b):
    total = u64(0)
    for _i in range(a & 15):
        total += u64(b) & 0xFF
    return total


def for_unrolled(a, b):
    total = 0
    for i in unroll(range(5)):
        total += PRIMES[i]
    for p in PRIMES:
        total += p
    for p, q in ((1, 2), (3, 4)):
        total += p * q
    return total


def nested_loops(a, b):
    n = 0
    for i in range(6):
        for j in range(10):
            if j > i:
                break
            n += 1
    return n


def matched(a, b):
    match a:
        case 0:
            return 10
        case 1 | 5:
            return 20
        case Color.GREEN:
            return 30
        case x if x > 1000:
            return 40
    return 50


def swapped(a, b):
    a, b = b, a
    return u64(a - b) if a > b else u64(b - a) + 1


def walrus(a, b):
    if (n := a & 7) > 3:
        return n
    return n + 100


def helper_function(x, y=3, *, z=1):
    if x > 100:
        return x // y
    return x + z


def inlined(a, b):
    return helper_function(a) + helper_function(b & 0xFF, z=9) + helper_function(y=4, x=200)


def pair(x):
    return x & 15, x >> 60


def tuples(a, b):
    lo, hi = pair(a)
    return lo * 100 + hi


def ends(x):
    if x > 1000:
        return 1, 2
    if x == 7:
        return x & 3, 5
    return 3, 4


def tuples_of_several_ways(a, b):
    lo, hi = ends(a)
    return lo * 100 + hi


def tables(a, b):
    return PRIMES[a & 7] + b"\x01\x02\x03\x04"[b & 3]


def casts(a, b):
    return u64(u8(a)) + u64(u16(b)) + u64(u32(a)) + u64(s64(s8(a))) + u64(s64(s32(b)))


def signed_division(a, b):
    return u64(sdiv(s64(a), s64(b))) ^ u64(smod(s64(a), s64(b)))


def byte_order(a, b):
    return u64(swap16(a & 0xFFFF)) + u64(swap32(b & 0xFFFFFFFF))


def membership(a, b):
    n = 0
    if a in (1, 5, 7):
        n += 1
    if b not in {2, 3}:
        n += 2
    if a in range(5, 300):
        n += 4
    return n


def booleans(a, b):
    x = a < b
    y = not x
    return x * 2 + y + (a == b) + bool(a)


def wrapping(a, b):
    x = u32(a)
    return u64(u32(x + u32(b))) + u64(u32(x * u32(b)))


def narrow(a, b):
    x = u8(a)
    y = u16(b)
    return u64(s64(x - y)) + x * y


def early(a, b):
    if a == 0:
        return 1
    if b == 0:
        return 2
    for i in range(10):
        if i == (b & 3):
            return i + 100
    return 3


CASES = [
    if_chain, chained, logic, value_of_or, value_of_and, nested_ternary, arithmetic, shifts, inverted, minmax, while_loop,
    while_break, while_data, for_range, for_else, for_steps, for_bounded, for_variable, for_unrolled, nested_loops, matched,
    swapped, walrus, inlined, tuples, tables, casts, signed_division, byte_order, membership, booleans, wrapping, narrow, early,
    tuples_of_several_ways,
]  # fmt: skip


class Cells(Struct):
    cells: Two[3]
    last: Two


@pytest.mark.kernel
def test_arrays_of_structures():
    cells = HashMap(u32, Cells, max_entries=2)

    @sched_cls
    def run(ctx):
        here = Two[2]()
        here[1].b = ctx.len
        entry = cells.get(1)
        if entry is None:
            made = Cells()
            made.cells[2].a = 5
            made.cells[1] = Two(7, 8)
            cells[1] = made
            return 0
        entry.cells[ctx.mark & 1].b += 3
        return u32(entry.cells[2].a + entry.cells[1].a + entry.cells[0].b + here[1].b)

    with load(run) as prog:
        assert [prog.test_run(bytes(64)).retval for _ in range(2)] == [0, 5 + 7 + 3 + 64]
        assert prog[cells][1].cells[1].b == 8


@pytest.mark.kernel
@pytest.mark.parametrize("isa", [1, 2, 3, 4])
@pytest.mark.parametrize("fn", CASES, ids=lambda fn: fn.__name__)
def test_same_as_python(fn, isa):
    with load(program(fn, isa=isa)) as prog:
        for a, b in VALUES:
            result = prog.test_run(struct.pack("<QQ", a, b) + bytes(14))
            assert result.retval == 0
            assert prog[out][0] == fn(a, b) & (1 << 64) - 1, (a, b)
