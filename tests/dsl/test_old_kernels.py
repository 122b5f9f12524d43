"""Programs that the verifiers of old kernels refused, compiled for the oldest: `make test-kernels` runs them there."""

from __future__ import annotations

from ctypes import sizeof

import pytest

from pybpf import Struct, load, u8, u16, u32, verify, xdp

pytestmark = pytest.mark.kernel


class Numbers(Struct):
    small: u8
    many: u8[8]
    wide: u32


def copied(ctx):
    """A test of a copy that cannot hold, which was walked on with an index that cannot be."""
    n = ctx.packet(Numbers)
    if n is None:
        return 9
    at = n.small & 7
    if (at if n.many[1] & 16 else n.wide) == 0xFFFE:
        n.many[at] = 3
    return n.many[at]


def equal(ctx):
    """A test of two numbers that cannot hold, as one may be a known one."""
    n = ctx.packet(Numbers)
    if n is None:
        return 9
    at = n.small & 7
    many = u8[8]()
    if at == (n.wide if n.many[1] & 16 else 200):
        many[2] = 3
    many[at] = 5
    return many[2] + n.small


class Mixed(Struct):
    wide: u32
    many: u16[4]
    small: u8


def beside_an_array(ctx):
    """An array that begins in the middle of a word of the stack, in which a number lies."""
    n = ctx.packet(Numbers)
    if n is None:
        return 9
    one = Mixed(wide=n.wide & 0xFFFF)
    one.many[n.many[0] & 3] = 7
    one.wide += one.many[0]
    one.many[n.many[1] & 3] += n.small
    pair = u16[2]()
    pair[n.small & 1] = 7
    last = u16[2]()
    last[1] = n.small
    return one.wide + one.many[0] + pair[0] + (last[1] << 8)


def as_often_as_a_remainder(ctx):
    """How many rounds there are, the verifier sees where the number is bounded for it."""
    n = ctx.packet(Numbers)
    if n is None:
        return 9
    left = u32(5 % (n.small | 1))
    total = u32(0)
    while left > 0:
        left = u32(left - 1)
        total += left * n.many[left & 7]
        if total & 1:
            total ^= n.many[left & 3]
    return total


def only_compared(ctx):
    """An offset that lies on the stack, and a view that nobody reads: the packet's end is asked for all the same."""
    n = ctx.packet(Numbers)
    if n is None:
        return 9
    at = n.wide ^ 0x0B0A0905
    a, b, d, e = n.many[0], n.many[1], n.many[2], n.many[3]
    f, g, h = n.many[4], n.many[5], n.many[6]
    total = u32(0)
    for i in range(20):
        total += (a * i ^ b) + (d ^ e * i) + (f & g ^ i) + (h ^ i)
    if at < 0x20000 and n.small < 100:
        view = ctx.packet(Mixed, at=at)
        if view is not None:
            total += 1000
        total += at & 1
    return total + a * b + d * e + f * g + h + (a ^ d) + (b ^ f) + (at & 3)


def either(ctx):
    """What two unknown numbers make is unknown before Linux 6.10."""
    n = ctx.packet(Numbers)
    if n is None:
        return 9
    many = u8[8]()
    a, b = n.small & 7, n.many[2] & 7
    many[a | b] = 3
    many[a ^ b] += 2
    many[(a & 1) * b] += 1
    return many[7] + many[a | b]


PACKETS = [bytes((small, 5, many, 7, *range(60))) for small in (0, 6, 9) for many in (0, 16)]


class View:
    """A packet as Python sees it."""

    def __init__(self, data):
        self.data = data

    def packet(self, type_, at=0):
        return type_.from_buffer_copy(self.data, at) if at + sizeof(type_) <= len(self.data) else None


@pytest.mark.parametrize(
    "function",
    [copied, equal, beside_an_array, only_compared, either, as_often_as_a_remainder],
    ids=lambda f: f.__name__,
)
def test_it_is_accepted(function):
    spec = xdp(kernel="5.10")(function)
    assert verify(spec).ok
    with load(spec) as prog:
        for packet in PACKETS:
            assert prog.test_run(data=packet).retval == function(View(packet))
