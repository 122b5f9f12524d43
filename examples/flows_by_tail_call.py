"""Count flows, each protocol parsed by a program of its own that the first one jumps to, as the kernel's sockex3 does.

Needs root: sudo python flows_by_tail_call.py IFACE
"""

import sys
import time

from pybpf import HashMap, ProgArray, Struct, XdpAction, load_collection, u16, u32, u64, xdp
from pybpf.net import ETH_P_IP, Ethernet, IPv4, Tcp, Udp


class Flow(Struct):
    source: u32
    dest: u32
    sport: u16
    dport: u16
    protocol: u32


flows = HashMap(Flow, u64, max_entries=4096)
parsers = ProgArray(max_entries=256)


@xdp
def start(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None or eth.type != ETH_P_IP:
        return XdpAction.PASS
    ip = ctx.packet(IPv4, after=eth)
    if ip is None:
        return XdpAction.PASS
    parsers.tail_call(ctx, ip.protocol)  # comes back only when nobody parses this protocol
    return XdpAction.PASS


def parser(header, number):
    @xdp(name=f"parse_{header.__name__.lower()}")
    def parse(ctx):
        ip = ctx.packet(IPv4, at=14)
        if ip is None:
            return XdpAction.PASS
        ports = ctx.packet(header, at=14 + ip.ihl * 4)
        if ports is None:
            return XdpAction.PASS
        flows[Flow(ip.saddr, ip.daddr, ports.source, ports.dest, number)] += 1
        return XdpAction.PASS

    return parse


parse_tcp, parse_udp = parser(Tcp, 6), parser(Udp, 17)


def main(interface: str) -> None:
    with load_collection(start, parse_tcp, parse_udp) as objs:
        objs[parsers][6] = objs[parse_tcp]
        objs[parsers][17] = objs[parse_udp]
        with objs[start].attach(interface):
            while True:
                time.sleep(1)
                for flow, packets in objs[flows].items():
                    print(flow, packets)


if __name__ == "__main__":
    main(*sys.argv[1:])
