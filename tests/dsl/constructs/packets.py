"""Packets and contexts: views, offsets, reading and writing, checksums, what stands in front."""

from __future__ import annotations

from pybpf import (
    Struct,
    TcAction,
    XdpAction,
    be16,
    bounded,
    cgroup_skb,
    pcap_filter,
    sched_cls,
    socket_filter,
    u8,
    u16,
    u32,
    xdp,
)
from pybpf import helpers as bpf
from pybpf.net import ETH_P_8021Q, ETH_P_IP, ETH_P_IPV6, IPPROTO_UDP, Ethernet, IPv4, IPv6, Tcp, Udp, Vlan

from . import PACKET, Run

web = pcap_filter("udp port 53")


class Option(Struct):
    kind: u8
    length: u8


@xdp
def header(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None or eth.type != ETH_P_IP:
        return XdpAction.PASS
    ip = ctx.packet(IPv4, after=eth)
    if ip is None:
        return XdpAction.PASS
    udp = ctx.packet(Udp, at=14 + ip.ihl * 4)
    if udp is None:
        return XdpAction.PASS
    return XdpAction.DROP if udp.dest == 53 else XdpAction.PASS


@xdp
def header_bits(ctx):
    tcp = ctx.packet(Tcp, at=34)
    if tcp is None:
        return 0
    if tcp.syn and not tcp.ack:
        return tcp.doff
    return 1


@xdp
def ip_written(ctx):
    ip = ctx.packet(IPv4, at=14)
    if ip is None:
        return XdpAction.PASS
    ip.version = 4
    ip.ihl = 5
    ip.ttl -= 1
    ip.saddr, ip.daddr = ip.daddr, ip.saddr
    return XdpAction.TX


@xdp
def addresses_swapped(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None:
        return XdpAction.PASS
    eth.dst, eth.src = eth.src, eth.dst
    return XdpAction.TX


@xdp
def six(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None or eth.type != ETH_P_IPV6:
        return 1
    ip = ctx.packet(IPv6, after=eth)
    if ip is None:
        return 1
    return 2 if ip.next_header == IPPROTO_UDP and ip.hop_limit > 1 else 3


@xdp
def tags(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None:
        return 0
    kind = eth.type
    at = 14
    for _ in range(2):
        if kind != ETH_P_8021Q:
            break
        tag = ctx.packet(Vlan, at=at)
        if tag is None:
            return 0
        kind = tag.type
        at += 4
    return 2 if kind == ETH_P_IP else 1


@xdp
def options(ctx):
    at = 34
    seen = 0
    for _ in range(6):
        option = ctx.packet(Option, at=at)
        if option is None:
            break
        if option.kind == 0:
            return seen
        seen += 1  # noqa: SIM113 (a loop that looks for the end)
        at += option.length
    return 99


@xdp
def checksum(ctx):
    words = ctx.packet(be16[10], at=14)
    if words is None:
        return 0
    total = u32(0)
    for word in words:
        total += word
    total = (total & 0xFFFF) + (total >> 16)
    return u16(~((total & 0xFFFF) + (total >> 16)))


@xdp
def bytes_summed(ctx):
    data = ctx.packet(u8[32], at=14)
    if data is None:
        return 0
    n = u32(0)
    for i in range(bounded(data[0] & 15, max=15)):
        n += data[i]
    return n


@xdp
def length(ctx):
    return 1 if len(ctx) > 100 else 2


@xdp
def head_moved(ctx):
    if ctx.adjust_head(-4) < 0:
        return XdpAction.ABORTED
    front = ctx.packet(u32)
    if front is None:
        return XdpAction.ABORTED
    front.value = 0x01020304
    return XdpAction.PASS


@xdp
def tail_cut(ctx):
    return XdpAction.PASS if ctx.adjust_tail(-4) == 0 else XdpAction.ABORTED


@xdp
def noted(ctx):
    if ctx.adjust_meta(-4) < 0:
        return XdpAction.ABORTED
    note = ctx.meta(u32)
    if note is None:
        return XdpAction.ABORTED
    note.value = 7
    return XdpAction.PASS


@xdp
def filtered(ctx):
    return XdpAction.DROP if web(ctx) else XdpAction.PASS


@socket_filter
def loaded(skb):
    return skb.load_byte(23) + skb.load_half(22) * 2 + skb.load_word(12)


@sched_cls
def context_written(skb):
    skb.mark = skb.mark * 2
    skb.priority = 7
    skb.cb[0] = skb.len
    return skb.mark + skb.cb[0]


@sched_cls
def network_order(skb):
    return 1 if skb.protocol == ETH_P_IP else 2


@sched_cls
def stored(skb):
    port = be16[1]()
    port[0] = 99
    bpf.skb_store_bytes(skb, 36, port, flags=1)
    return TcAction.OK


@sched_cls
def checksum_replaced(skb):
    ip = skb.packet(IPv4, at=14)
    if ip is None:
        return TcAction.SHOT
    old = ip.saddr
    bpf.l3_csum_replace(skb, 24, old, 0x0B000001, 4)
    return TcAction.OK


@cgroup_skb("egress")
def in_cgroup(skb):
    return 1 if skb.len > 60 else 0


def _changed(*changes: tuple[int, bytes]) -> bytes:
    data = bytearray(PACKET)
    for at, new in changes:
        data[at : at + len(new)] = new
    return bytes(data)


def _checksum(data: bytes) -> int:
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(14, 34, 2))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


_SIX = bytes(12) + b"\x86\xdd" + bytes(IPv6(version=6, next_header=17, hop_limit=64)) + bytes(10)
_TAGGED = PACKET[:12] + b"\x81\0\0\5" + PACKET[12:]

RUNS = {
    "header": [
        Run(1),
        Run(2, data=PACKET[:40]),
        Run(2, data=_changed((37, b"\x36"))),
        Run(2, data=_changed((14, b"\x4f"))),
    ],
    "header_bits": [
        Run(5, data=bytes(34) + bytes(Tcp(doff=5, syn=1))),
        Run(1, data=bytes(34) + bytes(Tcp(syn=1, ack=1))),
    ],
    "ip_written": [
        Run(3, data=_changed((14, b"\xff")), out=_changed((22, b"\x3f"), (26, PACKET[30:34]), (30, PACKET[26:30]))),
        Run(2, data=PACKET[:33], out=PACKET[:33]),
    ],
    "addresses_swapped": [Run(3, out=PACKET[6:12] + PACKET[:6] + PACKET[12:])],
    "six": [Run(2, data=_SIX), Run(1), Run(1, data=_SIX[:50])],
    "tags": [Run(2), Run(2, data=_TAGGED), Run(1, data=_changed((12, b"\x08\x06"))), Run(0, data=_TAGGED[:17])],
    "options": [
        Run(2, data=_changed((34, b"\1\3\xff\2\2\0\0\0"))),
        Run(0, data=_changed((34, b"\0\0"))),
        Run(99, data=_changed((34, b"\1\2" * 6))),
        Run(99, data=_changed((34, b"\1\xff"))),
    ],
    "checksum": [Run(_checksum(PACKET))],
    "bytes_summed": [Run(sum(PACKET[14 : 14 + (0x45 & 15)]))],
    "length": [Run(2), Run(1, data=bytes(101))],
    "head_moved": [Run(2, out=b"\4\3\2\1" + PACKET)],
    "tail_cut": [Run(2, out=PACKET[:-4])],
    "noted": [Run(2)],
    "filtered": [Run(1), Run(2, data=_changed((37, b"\x36")))],
    "loaded": [Run(53 + 53 * 2 + 0x0A000001)],  # a test run gives socket filters what is behind the Ethernet header
    "context_written": [Run(10 + 64, 5)],
    "network_order": [Run(1), Run(2, data=_changed((12, b"\x86\xdd")))],
    "stored": [Run(0, out=_changed((36, b"\0\x63")))],
    "checksum_replaced": [Run(0)],
    "in_cgroup": [Run(0, data=PACKET[:60]), Run(1, data=PACKET + bytes(20))],
}
