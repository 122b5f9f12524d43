"""Take the VLAN tag off packets that have one, and give one to those that have none: rewriting, as in the XDP tutorial.

Needs root: sudo python vlan_push_pop.py IFACE [VLAN]
"""

import sys
import time

from pybpf import Global, XdpAction, array_of, load, u8, u16, xdp
from pybpf.net import ETH_P_8021Q, Ethernet, Vlan

vlan = Global(u16, 1)  # of the tags that are given
TAG = 4  # bytes


@xdp
def push_pop(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None:
        return XdpAction.ABORTED
    dst, src = array_of(u8, 6)(), array_of(u8, 6)()  # the header moves, so its addresses are kept
    for i in range(6):
        dst[i] = eth.dst[i]
        src[i] = eth.src[i]
    kind = eth.type
    if kind == ETH_P_8021Q:
        tag = ctx.packet(Vlan, after=eth)
        if tag is None:
            return XdpAction.ABORTED
        kind = tag.type
        if ctx.adjust_head(TAG) < 0:
            return XdpAction.ABORTED
    else:
        if ctx.adjust_head(-TAG) < 0:
            return XdpAction.ABORTED
        tag = ctx.packet(Vlan, at=14)  # the packet has moved: every view is asked for anew
        if tag is None:
            return XdpAction.ABORTED
        tag.tci = vlan.value
        tag.type = kind
        kind = ETH_P_8021Q
    eth = ctx.packet(Ethernet)
    if eth is None:
        return XdpAction.ABORTED
    eth.dst = dst
    eth.src = src
    eth.type = kind
    return XdpAction.PASS


def main(interface: str, number: str = "1") -> None:
    with load(push_pop) as prog:
        prog[vlan][0] = int(number)
        with prog.attach(interface):
            while True:
                time.sleep(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
