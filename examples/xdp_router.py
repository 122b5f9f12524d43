"""Forward IPv4 below the network stack, by the kernel's own routes and neighbours: the kernel's xdp_fwd.

Needs root and interfaces that forward (sysctl net.ipv4.conf.IFACE.forwarding=1): sudo python xdp_router.py IFACE...
"""

import sys
import time
from socket import AF_INET
from typing import Annotated

from pybpf import PerCpuArray, Struct, XdpAction, load, u8, u16, u32, u64, xdp
from pybpf import helpers as bpf
from pybpf.net import ETH_P_IP, Ethernet, IPv4
from pybpf.types import be16, be32


class Route(Struct):
    """struct bpf_fib_lookup, for IPv4."""

    family: u8
    l4_protocol: u8
    sport: be16
    dport: be16
    tot_len: u16
    ifindex: u32
    tos: u8
    source: be32
    unused_source: Annotated[bytes, u8, 12]
    dest: be32
    unused_dest: Annotated[bytes, u8, 12]
    vlan: u32
    smac: Annotated[bytes, u8, 6]
    dmac: Annotated[bytes, u8, 6]


FOUND, BLACKHOLE, PROHIBIT = 0, 1, 3  # BPF_FIB_LKUP_RET_*
forwarded = PerCpuArray(u64, max_entries=1)


@xdp
def route(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None or eth.type != ETH_P_IP:
        return XdpAction.PASS
    ip = ctx.packet(IPv4, after=eth)
    if ip is None or ip.ttl <= 1:
        return XdpAction.PASS  # the stack answers that its time is up
    way = Route(family=AF_INET, l4_protocol=ip.protocol, tot_len=ip.length, tos=ip.tos)
    way.ifindex = ctx.ingress_ifindex
    way.source = ip.saddr
    way.dest = ip.daddr
    found = bpf.fib_lookup(way)
    if found in (BLACKHOLE, PROHIBIT):
        return XdpAction.DROP
    if found != FOUND:
        return XdpAction.PASS  # for this host, or its neighbour is not known yet: the stack will ask
    ip.ttl -= 1
    total = ip.check + 0x0100  # one's complement sum, changed by the one in the upper byte of a word (RFC 1624)
    ip.check = u16((total & 0xFFFF) + (total >> 16))
    eth.dst = way.dmac
    eth.src = way.smac
    forwarded[0] += 1
    return bpf.redirect(way.ifindex)


def main(*interfaces: str) -> None:
    with load(route) as prog:
        for interface in interfaces:
            prog.attach(interface)
        while True:
            time.sleep(1)
            print("forwarded:", prog[forwarded][0].sum())


if __name__ == "__main__":
    main(*sys.argv[1:])
