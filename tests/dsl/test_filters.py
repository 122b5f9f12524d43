"""Classic filters called inside programs give what they give outside, in the kernel and offline."""

from __future__ import annotations

import struct

import pytest

from pybpf import VM, CompileError, NotSupportedError, cgroup_skb, load, sched_cls, socket_filter, tracepoint, u32, xdp
from pybpf.cbpf import DLT, parse, pcap_filter

ETHER = bytes.fromhex("020000000001020000000002")


def ip4(protocol=17, dport=53, dst="0a090807", size=64):
    head = struct.pack(">BBHHHBBH", 0x45, 0, size - 14, 1, 0, 64, protocol, 0) + bytes.fromhex("0a010203" + dst)
    return (ETHER + b"\x08\x00" + head + struct.pack(">HHHH", 1234, dport, 40, 0)).ljust(size, b"\xaa")


PACKETS = [
    ip4(),
    ip4(6, 80),
    ip4(dport=9999, size=100),
    ip4(dst="0a010203"),
    bytes(60),
    ETHER + b"\x86\xdd\x60" + bytes(5) + b"\x11\x40" + bytes(32) + struct.pack(">HH", 1, 53) + bytes(20),
]
EXPRESSIONS = [
    "udp port 53",
    "tcp port 80",
    "ip6",
    "host 10.1.2.3 and port 53",
    "len > 60 and len < 90",
    "ip[0] & 0xf > 4",
    "udp[8:4] = 0xaaaaaaaa",
    "(tcp or udp) and portrange 1-1024",
    "ip[2:2] - 20 > 40",
    "ip proto 17 and not dst net 10.9.0.0/16",
]
# Everything that a machine can do, and a division by a number that may be 0.
ODD = """
    ldb [14]; tax; ldb [x+2]; div x; st M[3]; stx M[4]; ldx #len; ld M[3]; mod x; lsh x; rsh #1; xor #5; neg; ldx M[4]; mul x
    or #6; and #0xffffff; add x; sub #77; jset #8, ready, big
big:   jge #4294967290, ready, low
low:   ret #77
ready: ret a
"""


def verdict(classic, decorator, isa=3):
    @decorator(isa=isa)
    def program(ctx):
        return 1 if classic(ctx) else 0

    return program


def value(classic, decorator):
    @decorator
    def program(ctx):
        return u32(classic(ctx))

    return program


def compiled(expression, linktype=DLT.EN10MB):
    try:
        return pcap_filter(expression, linktype=linktype)
    except NotSupportedError as error:
        pytest.skip(str(error))


@pytest.mark.kernel
@pytest.mark.parametrize("decorator", [xdp, sched_cls, socket_filter, cgroup_skb], ids=lambda d: d.__name__)
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions(expression, decorator):
    classic = compiled(expression, DLT.RAW if decorator is cgroup_skb else DLT.EN10MB)
    spec = verdict(classic, decorator)
    vm = VM(spec)
    with load(spec) as prog:
        for packet in PACKETS:
            seen = packet if decorator in (xdp, sched_cls) else packet[14:]
            expected = int(bool(classic.run(seen)))
            assert (prog.test_run(data=packet).retval, vm.run(data=packet).retval) == (expected, expected), packet


@pytest.mark.kernel
@pytest.mark.parametrize("decorator", [xdp, sched_cls], ids=lambda d: d.__name__)
@pytest.mark.parametrize("isa", [1, 2, 4])
def test_every_operation(decorator, isa):
    classic = parse(ODD)
    spec = value(classic, decorator).replace(isa=isa)
    with load(spec) as prog:
        for packet in (*PACKETS, bytes([7]) * 64, bytes([255]) * 80):
            expected = classic.run(packet)
            assert prog.test_run(data=packet).retval == expected
            assert VM(spec).run(data=packet).retval == expected


@pytest.mark.kernel
def test_extensions_are_fields_of_the_context():
    classic = parse("ld #len; st M[0]; ld #proto; ldx M[0]; add x; ret a")
    spec = value(classic, sched_cls)
    with load(spec) as prog:
        assert prog.test_run(data=ip4()).retval == 0x800 + 64
    with pytest.raises(CompileError, match=r"reads \[proto\], which xdp programs do not have"):
        _ = value(classic, xdp).insns


def test_refusals():
    classic = parse("ldb [0]; ret a")

    @tracepoint("sched/sched_switch")
    def blind(ctx):
        return 1 if classic(ctx) else 0

    @xdp
    def empty(ctx):
        return 1 if classic() else 0

    with pytest.raises(CompileError, match="tracepoint programs see none"):
        _ = blind.insns
    with pytest.raises(CompileError, match=r"called with the program's context: write `if web\(ctx\):`"):
        _ = empty.insns
    assert classic(b"\5") == 5
