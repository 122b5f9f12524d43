"""Forward all packets from one interface to another below the network stack: the kernel's xdp_redirect_map.

Needs root: sudo python redirect_devmap.py FROM TO  (veth: a peer only receives when it has an XDP program, or GRO, of its own)
"""

import socket
import sys
import time

from pybpf import DevMap, PerCpuArray, XdpAction, load, u64, xdp

targets = DevMap(max_entries=1)
forwarded = PerCpuArray(u64, max_entries=1)


@xdp
def forward(ctx):
    forwarded[0] += 1
    return targets.redirect(0, XdpAction.DROP)  # the flags say what happens when there is no device


@xdp
def accept(ctx):
    """For the far end of a veth pair, whose driver then takes redirected frames."""
    return XdpAction.PASS


def main(source: str, target: str) -> None:
    with load(forward) as prog:
        prog[targets][0] = socket.if_nametoindex(target)
        with prog.attach(source):
            while True:
                time.sleep(1)
                print("forwarded:", prog[forwarded][0].sum())


if __name__ == "__main__":
    main(*sys.argv[1:])
