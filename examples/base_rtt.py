"""Tell TCP how long a round trip should take within this data centre: the kernel's tcp_basertt.

Congestion control that asks for it (TCP-NV) takes a longer time for congestion.

Needs root and a cgroup v2: sudo python base_rtt.py CGROUP
"""

import sys
import time

from pybpf import Global, load, sock_ops, u64
from pybpf.uapi import SockOpsOp

MICROSECONDS = 80
asked = Global(u64)


@sock_ops
def answer(ctx):
    ctx.reply = -1 & 0xFFFFFFFF  # the kernel's own value
    if ctx.op == SockOpsOp.BASE_RTT and ctx.remote_ip4 >> 24 == 127:  # here all that is near is this host
        ctx.reply = MICROSECONDS
        asked.value += 1
    return 1


def main(cgroup: str) -> None:
    with load(answer) as prog, prog.attach(cgroup):
        while True:
            time.sleep(1)
            print("base times given:", prog[asked][0])


if __name__ == "__main__":
    main(*sys.argv[1:])
