"""A note from XDP to tc: XDP writes it in front of the packet, tc reads it and marks the packet.  The kernel's xdp2skb_meta.

Needs root and Linux 6.6: sudo python xdp_to_tc.py IFACE
"""

import sys
import time

from pybpf import PerCpuArray, Struct, XdpAction, load_collection, tcx_ingress, u32, u64, xdp
from pybpf.net import ETH_P_IP, Ethernet, IPv4

NEXT = -1  # TCX_NEXT: whoever comes after this program decides


class Note(Struct):
    protocol: u32  # what IP carries; the size is a multiple of 4, up to 32


noted = PerCpuArray(u64, max_entries=256)  # by protocol


@xdp
def write(ctx):
    if ctx.adjust_meta(-4) < 0:
        return XdpAction.PASS  # a driver that leaves no room
    note, eth = ctx.meta(Note), ctx.packet(Ethernet)
    if note is None or eth is None:
        return XdpAction.PASS
    note.protocol = 0
    if eth.type == ETH_P_IP:
        ip = ctx.packet(IPv4, after=eth)
        if ip is not None:
            note.protocol = ip.protocol
    return XdpAction.PASS


@tcx_ingress
def read(skb):
    note = skb.meta(Note)
    if note is not None:
        skb.mark = note.protocol
        noted[note.protocol & 0xFF] += 1
    return NEXT


def start(interface: str):
    objs = load_collection(write, read)
    for prog in objs:
        prog.attach(interface)
    return objs


def main(interface: str) -> None:
    with start(interface) as objs:
        while True:
            time.sleep(1)
            print({protocol: n.sum() for protocol, n in objs[noted].items() if n.sum()})


if __name__ == "__main__":
    main(*sys.argv[1:])
