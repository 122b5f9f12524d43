"""Count what the processes of a cgroup send, and drop it above a limit: the kernel's test_cgrp2_attach.

Needs root and cgroup v2: sudo python cgroup_traffic.py CGROUP [MOST_BYTES]
"""

import sys
import time

from pybpf import Array, Global, Struct, cgroup_egress, load, u64

PASS, DROP = 1, 0


class Traffic(Struct):
    packets: u64
    bytes: u64
    dropped: u64


limit = Global(u64, 0)  # bytes; 0 is no limit
traffic = Array(Traffic, max_entries=1)


@cgroup_egress
def leave(skb):
    total = traffic.get(0)
    if limit.value > 0 and total.bytes + len(skb) > limit.value:
        total.dropped += 1
        return DROP
    total.packets += 1
    total.bytes += len(skb)
    return PASS


def main(cgroup: str, most: str = "0") -> None:
    with load(leave) as prog:
        prog[limit][0] = int(most)
        with prog.attach(cgroup):
            while True:
                time.sleep(1)
                print(prog[traffic][0])


if __name__ == "__main__":
    main(*sys.argv[1:])
