"""Packed structures on the stack: the kernel takes only aligned accesses there, through a pointer and by an index too."""

from __future__ import annotations

import pytest

from pybpf import Struct, be32, load, subprogram, u8, u16, u32, u64, verify, xdp
from pybpf import helpers as bpf

pytestmark = pytest.mark.kernel


class Inner(Struct):
    _pack_ = 1
    a: u8
    b: u32
    c: u64


class Outer(Struct):
    _pack_ = 1
    a: u8
    inner: Inner
    swapped: be32
    bits: u16


@subprogram
def add(p: Inner) -> u32:
    p.c += 1
    return p.b


def given(ctx):
    p = Inner(a=1, b=len(ctx), c=5)
    return add(p) + u32(p.c)


def part_given(ctx):
    """The same function for an object that lies at another address."""
    p = Inner(b=1, c=2)
    q = Outer(a=1, inner=Inner(b=3, c=7), swapped=12)
    return add(q.inner) + add(p) + q.swapped + u32(q.inner.c)


def elements(ctx):
    p = (Inner * 3)()
    i = len(ctx) % 3
    p[i].b = 4
    p[i].c = 1 << 40
    return p[0].b + p[i].b + u32(p[i].c >> 40)


def rounds(i, q):
    q.inner.c += q.swapped
    q.inner.b = i
    q.bits = u16(i)
    return 0


def called_back(ctx):
    q = Outer(a=1, inner=Inner(b=3, c=7), swapped=12)
    bpf.loop(len(ctx) & 7, rounds, q)
    return u32(q.inner.c) + q.inner.b + q.bits


class Odd(Struct):
    _pack_ = 1
    b: u32
    a: u8


class Odds(Struct):
    rows: Odd * 3
    total: u32


def another_each_round(i, odds):
    row = odds.rows[i % 3]
    total = u32(0)
    for k in range(30):
        total += row.b
        if k == i:
            row = odds.rows[0]
    odds.total += total
    return 0


def renamed_in_a_loop(ctx):
    odds = Odds()
    for i in range(3):
        odds.rows[i].b = i + 1
    bpf.loop(2, another_each_round, odds)
    return odds.total


def in_a_long_loop(ctx):
    q = Outer(a=1, inner=Inner(b=3, c=7), swapped=12)
    p = (Inner * 3)()
    for i in range(100000):
        q.inner.c += i
        p[i % 3].b += q.inner.b
        p[1] = q.inner
        if p[1] == q.inner and q.inner.c > 1 << 30:
            break
    return u32(q.inner.c - (1 << 30)) + p[0].b


CASES = [
    (given, 66),
    (part_given, 24),
    (elements, 9),
    (called_back, 61),
    (renamed_in_a_loop, 62),
    (in_a_long_loop, 71838),
]


@pytest.mark.parametrize("kernel", ["6.1", "6.6", None])
@pytest.mark.parametrize(("function", "expected"), CASES, ids=lambda x: getattr(x, "__name__", ""))
def test_packed(function, expected, kernel):
    spec = xdp(kernel=kernel)(function)
    assert verify(spec).ok
    with load(spec) as prog:
        assert prog.test_run(data=bytes(60)).retval == expected
