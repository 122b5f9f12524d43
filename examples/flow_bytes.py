"""Bytes and packets by destination address, IPv4 and IPv6, seen by a socket: the kernel's sockex2.

Needs root: sudo python flow_bytes.py [IFACE]
"""

import socket
import sys
import time
from ipaddress import IPv6Address
from typing import Annotated

from pybpf import HashMap, Struct, load, socket_filter, u8, u64
from pybpf.net import ETH_P_8021Q, ETH_P_IP, ETH_P_IPV6, Ethernet, IPv4, IPv6, Vlan


class Address(Struct):
    raw: Annotated[bytearray, u8, 16]  # IPv4 as ::ffff:a.b.c.d


class Traffic(Struct):
    packets: u64
    bytes: u64


flows = HashMap(Address, Traffic, max_entries=4096)


def count_flow(dest, length):
    flow = flows.get(dest)
    if flow is None:
        flows[dest] = Traffic(packets=1, bytes=length)
    else:
        flow.packets += 1
        flow.bytes += length


@socket_filter
def count(skb):
    eth = skb.packet(Ethernet)
    if eth is None:
        return 0
    proto, at = eth.type, 14
    if proto == ETH_P_8021Q:
        tag = skb.packet(Vlan, at=14)
        if tag is None:
            return 0
        proto, at = tag.type, 18
    dest = Address()
    if proto == ETH_P_IP:
        ip = skb.packet(IPv4, at=at)
        if ip is None:
            return 0
        dest.raw[10] = dest.raw[11] = 0xFF
        for i in range(4):
            dest.raw[12 + i] = (ip.daddr >> (24 - 8 * i)) & 0xFF
    elif proto == ETH_P_IPV6:
        ip6 = skb.packet(IPv6, at=at)
        if ip6 is None:
            return 0
        dest.raw = ip6.daddr
    else:
        return 0
    count_flow(dest, len(skb))
    return 0


def name(address: Address) -> str:
    ip = IPv6Address(bytes(address))
    return str(ip.ipv4_mapped or ip)


def main(interface: str = "lo") -> None:
    with load(count) as prog, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
        sock.bind((interface, 0))
        with prog.attach(sock):
            while True:
                time.sleep(1)
                for address, traffic in prog[flows].items():
                    print(f"{name(address):40} {traffic.packets:>8} packets {traffic.bytes:>10} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
