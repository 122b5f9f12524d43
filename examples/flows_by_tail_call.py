"""Count flows, each protocol parsed by a program of its own that the one before jumps to: the kernel's sockex3.

Needs root: sudo python flows_by_tail_call.py [IFACE]
"""

import socket
import sys
import time

from pybpf import HashMap, ProgArray, Struct, load_collection, socket_filter, u16, u32, u64
from pybpf.net import ETH_P_8021Q, ETH_P_IP, ETH_P_IPV6, IPPROTO_TCP, IPPROTO_UDP, Ethernet, IPv4, IPv6, Udp, Vlan


class Flow(Struct):
    source: u32  # an IPv6 address folded to 32 bits
    dest: u32
    sport: u16
    dport: u16
    protocol: u32


flows = HashMap(Flow, u64, max_entries=4096)
parsers = ProgArray(max_entries=3)
PARSE_VLAN, PARSE_IP, PARSE_IPV6 = range(3)


def next_header(skb, protocol, at):
    """Jump to the parser of what stands at that offset; it comes back only when there is none."""
    skb.cb[0] = at  # room for notes that programs leave one another
    if protocol == ETH_P_8021Q:
        parsers.tail_call(skb, PARSE_VLAN)
    elif protocol == ETH_P_IP:
        parsers.tail_call(skb, PARSE_IP)
    elif protocol == ETH_P_IPV6:
        parsers.tail_call(skb, PARSE_IPV6)


def count(skb, source, dest, protocol, at):
    flow = Flow(source=source, dest=dest, protocol=protocol)
    if protocol in (IPPROTO_TCP, IPPROTO_UDP):
        ports = skb.packet(Udp, at=at)  # TCP begins with the same two numbers
        if ports is not None:
            flow.sport, flow.dport = ports.source, ports.dest
    flows[flow] += 1


@socket_filter
def start(skb):
    eth = skb.packet(Ethernet)
    if eth is not None:
        next_header(skb, eth.type, 14)
    return 0


@socket_filter
def parse_vlan(skb):
    at = skb.cb[0]
    tag = skb.packet(Vlan, at=at)
    if tag is not None:
        next_header(skb, tag.type, at + 4)
    return 0


@socket_filter
def parse_ip(skb):
    at = skb.cb[0]
    ip = skb.packet(IPv4, at=at)
    if ip is not None:
        count(skb, ip.saddr, ip.daddr, ip.protocol, at + ip.ihl * 4)
    return 0


def fold(address):
    folded = u32(0)
    for i in range(16):
        folded ^= u32(address[i]) << (8 * (i & 3))
    return folded


@socket_filter
def parse_ipv6(skb):
    at = skb.cb[0]
    ip = skb.packet(IPv6, at=at)
    if ip is not None:
        count(skb, fold(ip.saddr), fold(ip.daddr), ip.next_header, at + 40)
    return 0


def load_all():
    """The programs, and the table that they jump through."""
    objs = load_collection(start, parse_vlan, parse_ip, parse_ipv6)
    objs[parsers].update({PARSE_VLAN: objs[parse_vlan], PARSE_IP: objs[parse_ip], PARSE_IPV6: objs[parse_ipv6]})
    return objs


def main(interface: str = "lo") -> None:
    with load_all() as objs, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
        sock.bind((interface, 0))
        with objs[start].attach(sock):
            while True:
                time.sleep(1)
                for flow, packets in objs[flows].items():
                    print(flow, packets)


if __name__ == "__main__":
    main(*sys.argv[1:])
