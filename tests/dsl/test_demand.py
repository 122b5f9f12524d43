"""Masks and extensions that change only bits that nobody looks at are not made."""

from __future__ import annotations

import random

import pytest

from pybpf import VM, Struct, u8, u16, u32, u64, xdp
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
