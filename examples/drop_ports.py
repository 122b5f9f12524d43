"""Drop UDP packets to blocked ports, and count them.  Needs root: sudo python drop_ports.py IFACE PORT..."""

import sys
import time

from pybpf import HashMap, XdpAction, load, u16, u64, xdp
from pybpf.net import ETH_P_IP, IPPROTO_UDP, Ethernet, IPv4, Udp

blocked = HashMap(u16, u64, max_entries=1024)  # destination port -> dropped packets


@xdp
def drop_ports(ctx):
    eth = ctx.packet(Ethernet)  # None where the packet is too short
    if eth is None or eth.type != ETH_P_IP:
        return XdpAction.PASS
    ip = ctx.packet(IPv4, after=eth)
    if ip is None or ip.protocol != IPPROTO_UDP:
        return XdpAction.PASS
    udp = ctx.packet(Udp, at=14 + ip.ihl * 4)  # variable offset, bounded by the compiler's own range analysis
    if udp is None:
        return XdpAction.PASS
    hits = blocked.get(udp.dest)  # a pointer into the map, or None
    if hits is None:
        return XdpAction.PASS
    hits += 1  # atomic on shared maps, plain on per-CPU ones
    return XdpAction.DROP


def main(interface: str, *ports: str) -> None:
    with load(drop_ports) as prog:
        for port in ports:
            prog[blocked][int(port)] = 0
        with prog.attach(interface):
            while True:
                time.sleep(1)
                print(dict(prog[blocked].items()))


if __name__ == "__main__":
    main(*sys.argv[1:])
