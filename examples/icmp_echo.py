"""Answer pings, IPv4 and IPv6, before the kernel's network stack sees them.  Needs root: sudo python icmp_echo.py IFACE"""

import sys
import time

from pybpf import XdpAction, load, u16, xdp
from pybpf.net import (
    ETH_P_IP,
    ETH_P_IPV6,
    ICMP_ECHO,
    ICMP_ECHOREPLY,
    ICMPV6_ECHO_REPLY,
    ICMPV6_ECHO_REQUEST,
    IPPROTO_ICMP,
    IPPROTO_ICMPV6,
    Ethernet,
    Icmp,
    IPv4,
    IPv6,
)


def swap(one, other):
    for i in range(len(one)):
        one[i], other[i] = other[i], one[i]


def answer(eth, icmp, reply):
    """Send the packet back with another type: the checksum, a one's complement sum, is changed by that alone (RFC 1624)."""
    total = icmp.check + (icmp.type << 8) + (0xFFFF - (reply << 8))
    for _ in range(2):
        total = (total & 0xFFFF) + (total >> 16)
    icmp.check = u16(total)
    icmp.type = reply
    swap(eth.dst, eth.src)
    return XdpAction.TX


@xdp
def echo(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None:
        return XdpAction.PASS
    if eth.type == ETH_P_IP:
        ip = ctx.packet(IPv4, after=eth)
        if ip is None or ip.protocol != IPPROTO_ICMP or ip.ihl != 5:
            return XdpAction.PASS
        icmp = ctx.packet(Icmp, after=ip)
        if icmp is None or icmp.type != ICMP_ECHO:
            return XdpAction.PASS
        ip.saddr, ip.daddr = ip.daddr, ip.saddr  # sums over both stay what they were
        return answer(eth, icmp, ICMP_ECHOREPLY)
    if eth.type == ETH_P_IPV6:
        ip6 = ctx.packet(IPv6, after=eth)
        if ip6 is None or ip6.next_header != IPPROTO_ICMPV6:
            return XdpAction.PASS
        icmp6 = ctx.packet(Icmp, after=ip6)
        if icmp6 is None or icmp6.type != ICMPV6_ECHO_REQUEST:
            return XdpAction.PASS
        swap(ip6.saddr, ip6.daddr)
        return answer(eth, icmp6, ICMPV6_ECHO_REPLY)
    return XdpAction.PASS


def main(interface: str) -> None:
    with load(echo) as prog, prog.attach(interface):
        while True:
            time.sleep(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
