"""Change the time to live of packets that leave and of those that arrive (tc), and where tcpdump sees it.

tcpdump listens between the interface and tc: it sees what leaves after the change, and what arrives before it.

Needs root: sudo python tc_both_ways.py IFACE
"""

import sys
import time

from pybpf import load_collection, tcx_egress, tcx_ingress, u16
from pybpf.net import ETH_P_IP, Ethernet, IPv4

NEXT = -1  # TCX_NEXT: whoever comes after this program decides
LEAVING, ARRIVING = 33, 44


def set_ttl(skb, ttl):
    eth = skb.packet(Ethernet)
    if eth is None or eth.type != ETH_P_IP:
        return
    ip = skb.packet(IPv4, after=eth)
    if ip is None:
        return
    skb.l3_csum_replace(14 + 10, u16(ip.ttl), u16(ttl), 2)
    ip = skb.packet(IPv4, at=14)  # the call may have moved the packet
    if ip is not None:
        ip.ttl = ttl


@tcx_egress
def leave(skb):
    set_ttl(skb, LEAVING)
    return NEXT


@tcx_ingress
def arrive(skb):
    set_ttl(skb, ARRIVING)
    return NEXT


def start(interface: str):
    objs = load_collection(leave, arrive)
    for prog in objs:
        prog.attach(interface)
    return objs


def main(interface: str) -> None:
    with start(interface):
        while True:
            time.sleep(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
