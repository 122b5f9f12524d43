"""Count and drop what an expression of tcpdump matches, in XDP: a classic filter called inside a program.

Needs root and libpcap: sudo python pcap_predicate.py IFACE 'udp port 53' ['host 192.0.2.1']   (count, and drop)
"""

import sys
import time

from pybpf import PerCpuArray, XdpAction, load, pcap_filter, u64, xdp

matched = PerCpuArray(u64, max_entries=2)  # 0: counted, 1: dropped


def program(count: str, drop: str = "less 0"):
    """A program made for two expressions."""
    wanted, unwanted = pcap_filter(count), pcap_filter(drop)

    @xdp
    def judge(ctx):
        if wanted(ctx):
            matched[0] += 1
        if unwanted(ctx):
            matched[1] += 1
            return XdpAction.DROP
        return XdpAction.PASS

    return judge


def main(interface: str, *expressions: str) -> None:
    with load(program(*expressions)) as prog, prog.attach(interface):
        while True:
            time.sleep(1)
            print("counted, dropped:", [n.sum() for n in prog[matched].values()])


if __name__ == "__main__":
    main(*sys.argv[1:])
