"""The two smallest XDP programs in one file, chosen by name: the XDP tutorial's first lessons.

Needs root: sudo python xdp_pass_drop.py IFACE pass|drop
"""

import sys
import time

from pybpf import XdpAction, load, xdp


@xdp
def pass_all(ctx):
    return XdpAction.PASS


@xdp
def drop_all(ctx):
    return XdpAction.DROP


PROGRAMS = {"pass": pass_all, "drop": drop_all}


def main(interface: str, name: str) -> None:
    with load(PROGRAMS[name]) as prog, prog.attach(interface):
        time.sleep(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
