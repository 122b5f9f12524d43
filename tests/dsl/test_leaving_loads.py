"""`skb.load_byte` ends the program where the packet is too short: in loops, sections and with what must be released, too."""

from __future__ import annotations

import pytest

from pybpf import VM, RingBuf, Struct, bounded, load, rcu, socket_filter, tc, u8, u32
from pybpf.errors import CompileError

pytestmark = pytest.mark.kernel


class Event(Struct):
    kind: u8
    size: u32


events = RingBuf(Event, size=1 << 16)


def in_long_loop(skb):
    """A plain loop, a callback, an iterator's rounds or a gate's, by the kernel."""
    found = u32(1)
    flags = u32(0)
    for i in range(bounded(skb.len + 3, max=200)):
        if i & 3 != 3:
            x = u32(skb.load_byte(i))
            if x == 10:
                flags |= 1
            if x == 13:
                flags |= 2
            if flags == 3:
                found += x
            if i >= 60:
                found += skb.load_half(i & ~1)
                break
    return found + flags


def in_section(skb):
    with rcu():
        a = u32(skb.load_word(14))
        b = u32(skb.load_half(40))
    return a + b


def expected_loop(packet):
    found, flags = 1, 0
    for i in range(min(len(packet) - 14 + 3, 200)):
        if i & 3 != 3:
            if i >= len(packet) - 14:
                return 0
            x = packet[14 + i]
            flags |= (x == 10) | (x == 13) << 1
            found += x if flags == 3 else 0
            if i >= 60:
                found += int.from_bytes(packet[14 + (i & ~1) :][:2], "big")
                break
    return found + flags


def expected_section(packet):
    payload = packet[14:]
    if len(payload) < 42:
        return 0
    return int.from_bytes(payload[14:18], "big") + int.from_bytes(payload[40:42], "big") & 0xFFFFFFFF


@pytest.mark.parametrize("kernel", ["5.10", "5.17", "6.4", "6.9", "6.18"])
@pytest.mark.parametrize(("function", "expected"), [(in_long_loop, expected_loop), (in_section, expected_section)])
def test_loads_that_leave(function, expected, kernel):
    if function is in_section and kernel < "6":
        pytest.skip("sections of RCU came with Linux 6.2")
    spec = socket_filter(function, kernel=kernel)
    packets = [bytes((i * 7 + n) % 16 for i in range(n)) for n in (20, 31, 54, 55, 56, 80, 120, 260)]
    with load(spec) as prog:
        for packet in packets:
            assert prog.test_run(packet).retval == expected(packet), len(packet)
            assert VM(spec).run(data=packet).retval == expected(packet), len(packet)


def called(skb, i):
    return skb.load_byte(i)


def held(skb):
    event = events.reserve()
    if event is None:
        return 0
    event.kind = u8(skb.load_byte(3))
    event.submit()
    return 1


def inlined(skb):
    total = u32(0)
    for i in range(bounded(skb.len, max=1500)):
        total += u32(called(skb, i))
    return total


def relative(skb):
    total = u32(0)
    with rcu():
        total += u32(skb.load_byte(-0x100000))
    return total


@pytest.mark.parametrize(
    ("function", "kernel", "message"),
    [
        (
            held,
            None,
            "while the record reserved at line 87 is held: read it before that, or use ctx.packet(u8, at=...)",
        ),
        (inlined, "6.1", "and the body of this loop is a callback before Linux 6.9: use ctx.packet(u8, at=...)"),
        (relative, None, "load_byte ends the program where the packet is too short, and this block has an end"),
    ],
)
def test_what_cannot_leave(function, kernel, message):
    with pytest.raises(CompileError) as error:
        _ = tc(function, kernel=kernel).insns
    assert message in str(error.value)
