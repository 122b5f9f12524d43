"""What stands in front of a packet: made by XDP, read by tc."""

from __future__ import annotations

import pytest

from pybpf import VM, CompileError, Struct, XdpAction, load, socket_filter, tc, u32, verify, xdp
from pybpf.net import Ethernet


class Note(Struct):
    first: u32
    second: u32


@xdp
def write(ctx):
    if ctx.meta(Note) is not None:
        return XdpAction.ABORTED  # nobody has made room yet
    if ctx.adjust_meta(-8) < 0:
        return XdpAction.DROP
    note, eth = ctx.meta(Note), ctx.packet(Ethernet)
    if note is None or eth is None:
        return XdpAction.DROP
    note.first = eth.type
    note.second = note.first + 1
    return XdpAction.PASS


@tc
def read(skb):
    note = skb.meta(Note)
    return 0 if note is None else note.second


@socket_filter
def blind(skb):
    return 0 if skb.meta(Note) is None else 1


@xdp
def raw(ctx):
    return ctx.data_meta


@xdp
def stale(ctx):
    note = ctx.meta(Note)
    if note is None or ctx.adjust_meta(-8) < 0:
        return 1
    return note.first


FRAME = bytes(12) + b"\x08\x06" + bytes(46)


def test_a_note_is_written_in_front_of_the_packet():
    assert verify(write).ok
    assert verify(read).ok
    result = VM(write).run(data=FRAME)
    assert result.retval == XdpAction.PASS
    assert result.data == (0x806).to_bytes(4, "little") + (0x807).to_bytes(4, "little") + FRAME


@pytest.mark.kernel
def test_the_kernel_does_the_same():
    with load(write) as prog:
        assert prog.test_run(FRAME).retval == XdpAction.PASS
    with load(read) as prog:
        assert prog.test_run(FRAME).retval == 0  # a test run has no XDP before it


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (blind, "socket_filter programs have nothing in front of their packets; XDP and tc programs have"),
        (raw, "write ctx.meta(Note) for the bytes in front of the packet, instead of ctx.data_meta"),
        (stale, "may have moved"),
    ],
)
def test_what_is_refused(spec, message):
    with pytest.raises(CompileError) as caught:
        spec.insns  # noqa: B018
    assert message in str(caught.value)
