"""Indexes and offsets whose bounds the verifier cannot follow by itself: the compiler shows them once more."""

from __future__ import annotations

import pytest

from pybpf import VM, CompileError, be16, load, sched_cls, tracepoint, u8, u32, u64, verify, xdp
from pybpf import helpers as bpf
from pybpf.net import Ethernet

PACKET = bytes(range(64))


@xdp
def remainders(ctx):
    n = len(ctx)
    squares = u64[5]()
    for i in range(5):
        squares[i] = i * i
    rows = u32[8]()
    rows[(n & 127) // 18] = 3
    return u32(squares[n % 5] + squares[(n + 3) % 5] + rows[(n & 127) // 18])


@xdp
def in_the_packet(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None:
        return 1
    n = len(ctx)
    eth.src[n & 3] = 9
    eth.src[(n + 1) % 6] += 1
    total = eth.src[n % 6]
    for i in range(6):
        total += eth.src[i]
    return total


@sched_cls
def many_words(skb):
    words = skb.packet(be16[16], at=14)
    if words is None:
        return 1
    total = 0
    for i in range(16):
        total += words[i]
    words[skb.len % 7] = 5
    return total & 0xFFFF


@xdp
def offsets(ctx):
    a = ctx.packet(u8[4], at=len(ctx) % 61)
    if a is None:
        return 1
    b = ctx.packet(u8[4], at=len(ctx) // 3 + 4)
    if b is None:
        return 1
    c = ctx.packet(u8, at=4 + b[0] % 9)
    if c is None:
        return 1
    return a[1] + b[3] + c


@sched_cls
def sizes(skb):
    buffer = u8[16]()
    bpf.skb_load_bytes(skb, 0, buffer, skb.len % 13 + 2)
    return buffer[1] + buffer[skb.len % 11]


def expected(spec):
    square = lambda i: i * i  # noqa: E731
    src = [9, 8, 8, 9, 10, 11]
    if spec is remainders:
        return square(64 % 5) + square(67 % 5) + 3
    if spec is in_the_packet:
        src = [9, 7, 8, 9, 10, 11]
        src[65 % 6] += 1
        return src[64 % 6] + sum(src)
    if spec is many_words:
        return sum(PACKET[14 + 2 * i] << 8 | PACKET[15 + 2 * i] for i in range(16)) & 0xFFFF
    if spec is offsets:
        return PACKET[64 % 61 + 1] + PACKET[64 // 3 + 7] + PACKET[4 + PACKET[64 // 3 + 4] % 9]
    return PACKET[1] + (PACKET[64 % 11] if 64 % 11 < 64 % 13 + 2 else 0)


@pytest.mark.kernel
@pytest.mark.parametrize("spec", [remainders, in_the_packet, many_words, offsets, sizes], ids=repr)
@pytest.mark.parametrize("isa", [1, 2, 3, 4])
def test_the_kernel_follows(spec, isa):
    want, spec = expected(spec), spec.replace(isa=isa)
    assert verify(spec).ok
    assert VM(spec).run(data=PACKET).retval == want
    with load(spec) as prog:
        assert prog.test_run(data=PACKET).retval == want


def test_where_only_constants_do():
    @sched_cls
    def sock(skb):
        sk = skb.sk
        if sk is None:
            return 0
        return sk.src_ip6[skb.mark & 3]

    @tracepoint("sched/sched_switch")
    def event(ctx):
        return ctx.prev_comm[bpf.get_smp_processor_id() & 7]

    for spec, told in ((sock, r"indexed by a constant 0\.\.3"), (event, r"indexed by a constant 0\.\.15")):
        with pytest.raises(CompileError, match=told):
            _ = spec.insns


def test_range_of_something_else_is_refused():
    @xdp
    def odd(ctx):
        for _ in range(min):
            pass
        return 1

    with pytest.raises(CompileError, match="is not a number that a program can use"):
        _ = odd.insns
