"""Mark outgoing DNS questions, so that routing rules and queues can treat them apart.

Needs root: sudo python mark_dns.py IFACE
"""

import sys
import time

from pybpf import Global, TcAction, load, tc, u64
from pybpf.net import ETH_P_IP, IPPROTO_UDP, Ethernet, IPv4, Udp

MARK = 0x35
marked = Global(u64)


@tc
def mark(skb):
    eth = skb.packet(Ethernet)
    if eth is None or eth.type != ETH_P_IP:
        return TcAction.OK
    ip = skb.packet(IPv4, after=eth)
    if ip is None or ip.protocol != IPPROTO_UDP:
        return TcAction.OK
    udp = skb.packet(Udp, at=14 + ip.ihl * 4)
    if udp is not None and udp.dest == 53:
        skb.mark = MARK
        marked.value += 1
    return TcAction.OK


def main(interface: str) -> None:
    with load(mark) as prog, prog.attach(interface, direction="egress"):
        while True:
            time.sleep(1)
            print("marked", prog[marked][0])


if __name__ == "__main__":
    main(*sys.argv[1:])
