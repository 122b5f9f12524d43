"""Drop packets from networks in a list.  Needs root: sudo python lpm_firewall.py IFACE NETWORK..."""

import sys
import time
from ipaddress import IPv4Address

from pybpf import LpmTrie, XdpAction, load, u64, xdp
from pybpf.net import ETH_P_IP, Ethernet, IPv4

refused = LpmTrie(IPv4Address, u64, max_entries=1024)  # network -> dropped packets


@xdp
def firewall(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None or eth.type != ETH_P_IP:
        return XdpAction.PASS
    ip = ctx.packet(IPv4, after=eth)
    if ip is None:
        return XdpAction.PASS
    drops = refused.get(ip.saddr)  # the longest network that the address is in
    if drops is None:
        return XdpAction.PASS
    drops += 1
    return XdpAction.DROP


def main(interface: str, *networks: str) -> None:
    with load(firewall) as prog:
        for network in networks:
            prog[refused][network] = 0
        with prog.attach(interface):
            while True:
                time.sleep(1)
                print(dict(prog[refused].items()))


if __name__ == "__main__":
    main(*sys.argv[1:])
