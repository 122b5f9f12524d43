"""Shorten the first timeout of TCP connections in a cgroup to 10 ms, as the kernel's tcp_synrto does.

Needs root: sudo python syn_timeout.py CGROUP
"""

import sys
import time

from pybpf import Global, load, sock_ops, u64
from pybpf.uapi import SockOpsOp

JIFFIES = 10
asked = Global(u64)


@sock_ops
def timeout(ctx):
    ctx.reply = -1 & 0xFFFFFFFF  # the kernel's own value
    if ctx.op == SockOpsOp.TIMEOUT_INIT:
        ctx.reply = JIFFIES
        asked.value += 1
    return 1


def main(cgroup: str) -> None:
    with load(timeout) as prog, prog.attach(cgroup):
        while True:
            time.sleep(1)
            print("timeouts set:", prog[asked][0])


if __name__ == "__main__":
    main(*sys.argv[1:])
