"""Programs that the verifiers of old kernels refused, compiled for the oldest: `make test-kernels` runs them there."""

from __future__ import annotations

import pytest

from pybpf import Array, Struct, load, u8, u32, verify, xdp

pytestmark = pytest.mark.kernel

grid = Array(u32, max_entries=8)


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


PACKETS = [bytes((small, 5, many, 7, *range(60))) for small in (0, 6, 9) for many in (0, 16)]


class View:
    """A packet as Python sees it."""

    def __init__(self, data):
        self.data = data

    def packet(self, type_):
        return type_.from_buffer_copy(self.data)


@pytest.mark.parametrize("function", [copied, equal], ids=lambda f: f.__name__)
def test_it_is_accepted(function):
    spec = xdp(kernel="5.10")(function)
    assert verify(spec).ok
    with load(spec) as prog:
        for packet in PACKETS:
            assert prog.test_run(data=packet).retval == function(View(packet))
