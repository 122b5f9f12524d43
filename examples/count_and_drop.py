"""Count packets by protocol, behind VLAN tags and in IPv6 too, and drop them all (the kernel's xdp1), or send them back
with the addresses swapped (its xdp2).

Needs root: sudo python count_and_drop.py IFACE [drop|swap]
"""

import sys
import time

from pybpf import PerCpuArray, XdpAction, array_of, load, u8, u64, unroll, xdp
from pybpf.net import ETH_P_8021AD, ETH_P_8021Q, ETH_P_IP, ETH_P_IPV6, Ethernet, IPv4, IPv6, Vlan

packets = PerCpuArray(u64, max_entries=256)  # by protocol of IP
TAGS = 2


def protocol(ctx, eth):
    """The protocol of IP that a packet carries, 0 for what is not IP."""
    kind, at = eth.type, 14
    for _ in unroll(range(TAGS)):
        if kind in (ETH_P_8021Q, ETH_P_8021AD):
            tag = ctx.packet(Vlan, at=at)
            if tag is None:
                return 0
            kind = tag.type
            at += 4
    if kind == ETH_P_IP:
        ip = ctx.packet(IPv4, at=at)
        return 0 if ip is None else ip.protocol
    if kind == ETH_P_IPV6:
        ip6 = ctx.packet(IPv6, at=at)
        return 0 if ip6 is None else ip6.next_header
    return 0


@xdp
def drop(ctx):
    eth = ctx.packet(Ethernet)
    if eth is not None:
        packets[protocol(ctx, eth)] += 1
    return XdpAction.DROP


@xdp
def swap(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None:
        return XdpAction.DROP
    packets[protocol(ctx, eth)] += 1
    mac = array_of(u8, 6)()
    for i in range(6):
        mac[i] = eth.dst[i]
    eth.dst = eth.src
    eth.src = mac
    return XdpAction.TX


def main(interface: str, what: str = "drop") -> None:
    with load({"drop": drop, "swap": swap}[what]) as prog, prog.attach(interface):
        before: dict[int, int] = {}
        while True:
            time.sleep(1)
            now = {proto: values.sum() for proto, values in prog[packets].items()}
            for proto, n in now.items():
                if n > before.get(proto, 0):
                    print(f"protocol {proto}: {n - before.get(proto, 0)} packets/s")
            before = now


if __name__ == "__main__":
    main(*sys.argv[1:])
