"""One small program for each construct of the language, whose code is kept in `golden/constructs.txt`."""

from __future__ import annotations

from enum import IntEnum

from pybpf import (
    Array,
    Global,
    HashMap,
    PerCpuArray,
    ProgArray,
    RingBuf,
    Struct,
    be16,
    be32,
    s32,
    s64,
    sched_cls,
    sdiv,
    subprogram,
    u8,
    u16,
    u32,
    u64,
    xdp,
)
from pybpf import helpers as bpf
from pybpf.net import ETH_P_IP, Ethernet, IPv4, Udp


class Mode(IntEnum):
    OFF = 0
    ON = 1


class Pair(Struct):
    a: u32
    b: u32


class Wire(Struct):
    port: be16
    kind: u8
    flags: u8
    addr: be32


class Event(Struct):
    ns: u64
    len: u32
    mode: u16


counts = HashMap(u32, u64, max_entries=16)
pairs = HashMap(Pair, u64, max_entries=16)
slots = Array(u64, max_entries=8)
local = PerCpuArray(u64, max_entries=1)
stats = HashMap(u32, Pair, max_entries=16)
events = RingBuf(Event, size=4096)
programs = ProgArray(max_entries=4)
total = Global(u64)
PRIMES = (2, 3, 5, 7)


@sched_cls
def arithmetic(skb):
    return (skb.len * 3 + skb.mark - 7) ^ (skb.hash & 0xFF)


@sched_cls
def division(skb):
    return skb.len // 10 + skb.len % 8 + skb.mark % 10


@sched_cls
def shifts(skb):
    return (skb.len << 4) | (skb.len >> (skb.mark & 31))


@sched_cls
def casts(skb):
    return u8(skb.len) + u16(skb.mark)


@sched_cls
def signed_division(skb):
    return s32(sdiv(s64(skb.len) - 100, 7))


@sched_cls
def least_and_greatest(skb):
    return min(skb.len, 1500) + max(skb.mark, 3)


@sched_cls
def chained(skb):
    return 1 if 60 <= skb.len < 1500 else 2


@sched_cls
def logic(skb):
    if (skb.len > 60 and skb.mark != 0) or not skb.hash:
        return 1
    return 2


@sched_cls
def augmented(skb):
    x = skb.len
    x += 5
    x <<= 1
    x |= 1
    return x


@sched_cls
def swapped(skb):
    a, b = skb.len, skb.mark
    a, b = b, a
    return u32(a * 10 + b)


@sched_cls
def matched(skb):
    match skb.mark:
        case Mode.ON:
            return 1
        case 5 | 6:
            return 2
        case n if n > 100:
            return 3
    return 4


@sched_cls
def table(skb):
    return PRIMES[skb.mark & 3]


@sched_cls
def member(skb):
    return 1 if skb.mark in (1, 5, 9) else 2


@sched_cls
def counted(skb):
    counts[skb.mark] += 1
    return 0


@sched_cls
def slot(skb):
    slots[skb.mark & 7] += skb.len
    return 0


@sched_cls
def on_this_cpu(skb):
    local[0] += skb.len
    return 0


@sched_cls
def looked_up(skb):
    s = stats.get(skb.mark)
    if s is None:
        stats[skb.mark] = Pair(1, skb.len)
        return 1
    s.a += 1
    return s.b


@sched_cls
def structure_key(skb):
    return 1 if Pair(skb.mark, skb.len) in pairs else 0


@sched_cls
def deleted(skb):
    del counts[skb.mark]
    return 0


@sched_cls
def global_variable(skb):
    total.value += 1
    return 0


@sched_cls
def record(skb):
    event = events.reserve()
    if event is None:
        return 0
    event.ns = bpf.ktime_get_ns()
    event.len = skb.len
    event.mode = Mode.ON
    event.submit()
    return 0


@xdp
def header(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None or eth.type != ETH_P_IP:
        return 2
    ip = ctx.packet(IPv4, after=eth)
    if ip is None:
        return 2
    udp = ctx.packet(Udp, at=14 + ip.ihl * 4)
    if udp is None:
        return 2
    return 1 if udp.dest == 53 else 2


@xdp
def written(ctx):
    wire = ctx.packet(Wire)
    if wire is None:
        return 2
    wire.port = wire.port + 1 & 0xFFFF
    wire.addr, wire.kind = 0x0A000001, 3
    return 3


@subprogram
def scaled(n: u32) -> u32:
    return n * 3


@sched_cls
def called(skb):
    return scaled(skb.len) + scaled(skb.mark)


@sched_cls
def jumped(skb):
    programs.tail_call(skb.mark & 3)
    return 0
