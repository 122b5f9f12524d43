"""Masks and extensions that change only bits that nobody looks at are not made."""

from __future__ import annotations

import random

import pytest

from pybpf import VM, Struct, load, s8, s16, s32, s64, sched_cls, u8, u16, u32, u64, xdp
from pybpf.types import be16


class Words(Struct):
    a: u64
    b: u32
    c: u16
    d: u8
    e: u8
    f: be16


@xdp
def stores(ctx):
    w = ctx.packet(Words)
    if w is None:
        return 1
    total = w.b + (w.a & 0xFFFF)
    w.c = u16((total & 0xFFFF) + (total >> 16))
    w.d = u8(u16(w.a) + u32(w.b))
    w.f = u16((w.a & 0xFFFFF) * 3 - 1)
    return 2


@xdp
def needed(ctx):
    """Here the masks count."""
    w = ctx.packet(Words)
    if w is None:
        return 1
    low = w.a & 0xFF
    w.b = u32((low << 4) + (u8(w.b) >> 3))
    w.c = u16(u8(w.a >> 3) // 3)
    return 2 if (w.a & 0xFFFF) > 9 else 1


def expected_stores(a, b):
    total = b + (a & 0xFFFF)
    return (((total & 0xFFFF) + (total >> 16)) & 0xFFFF, ((a & 0xFFFF) + b) & 0xFF, ((a & 0xFFFFF) * 3 - 1) & 0xFFFF)


@pytest.mark.parametrize("isa", [1, 3, 4])
def test_results_are_those_of_python(isa):
    rng = random.Random(isa)
    for _ in range(50):
        w = Words(a=rng.getrandbits(64) >> rng.choice((0, 40, 60)), b=rng.getrandbits(32))
        out = Words.from_buffer_copy(VM(stores.replace(isa=isa)).run(data=bytes(w)).data)
        assert (out.c, out.d, out.f) == expected_stores(w.a, w.b)
        run = VM(needed.replace(isa=isa)).run(data=bytes(w))
        out = Words.from_buffer_copy(run.data)
        assert (out.b, out.c) == (((w.a & 0xFF) << 4) + ((w.b & 0xFF) >> 3), (w.a >> 3 & 0xFF) // 3)
        assert run.retval == (2 if w.a & 0xFFFF > 9 else 1)


def test_only_what_is_stored_is_computed():
    text = stores.disassemble()
    assert "&= 255" not in text
    assert text.count("&=") == 1  # of the first operand, whose carry is looked at


class Signed(Struct):
    a: s64
    b: s32
    c: s16
    d: s8
    e: u8
    f: u32


def wrapped(p):
    p.b = s32((p.b >> (p.e & 31)) + (p.c >> 3))
    p.d = s8(s8(p.d * 3) >> 1)
    p.c = s16(s32(p.b) - p.d)
    p.f = u32(s32(p.f) >> 5) + u32(s16(p.f))
    return u32(s32(p.b) >> 2)


def compared(p):
    n = s32(p.f)
    if n < -5 or s32(p.a) > s32(p.b):
        return 1
    if u32(p.a) > p.f:
        return 2
    if s32(p.a) == p.b:
        return 3
    return 4 if n >= p.b else 5


def kept_where_needed(p):
    """Here all 64 bits of a number count somewhere."""
    n = s32(p.f)
    p.a = n >> 3
    if n < p.b:
        p.a = s32(n - p.b)
    m = u32(p.a + p.b)
    p.f = u32(s64(m) >> 3)
    return m >> 1 if s32(m) < 0 else m


@pytest.mark.kernel
@pytest.mark.parametrize("isa", [1, 2, 3, 4])
@pytest.mark.parametrize("function", [wrapped, compared, kept_where_needed], ids=lambda f: f.__name__)
def test_signed_numbers_are_those_of_python(function, isa):
    @sched_cls(isa=isa)
    def run(ctx):
        p = ctx.packet(Signed)
        if p is None:
            return 0
        return function(p)

    rng = random.Random(isa)
    vm = VM(run)
    with load(run) as prog:
        for _ in range(60):
            data = bytes(rng.choice((0, 1, 127, 128, 255, rng.getrandbits(8))) for _ in range(24))
            p = Signed.from_buffer_copy(data)
            expected = function(p) & 0xFFFFFFFF, bytes(p)
            for made in (vm.run(data=data), prog.test_run(data)):
                assert (made.retval, made.data) == expected
