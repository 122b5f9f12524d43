"""Forbid the processes of a cgroup to make sockets for pings: the kernel's test_cgrp2_sock2.

Needs root and cgroup v2: sudo python no_ping.py CGROUP
"""

import sys
import time
from socket import AF_INET, AF_INET6, SOCK_DGRAM, SOCK_RAW

from pybpf import Array, cgroup_sock_create, load, u64
from pybpf.net import IPPROTO_ICMP, IPPROTO_ICMPV6

ALLOW, REFUSE = 1, 0
refused = Array(u64, max_entries=1)


@cgroup_sock_create
def create(sk):
    v4 = sk.family == AF_INET and sk.protocol == IPPROTO_ICMP
    v6 = sk.family == AF_INET6 and sk.protocol == IPPROTO_ICMPV6
    if (v4 or v6) and (sk.type == SOCK_DGRAM or sk.type == SOCK_RAW):
        refused[0] += 1
        return REFUSE  # the process sees EPERM
    return ALLOW


def main(cgroup: str) -> None:
    with load(create) as prog, prog.attach(cgroup):
        while True:
            time.sleep(1)
            print("refused:", prog[refused][0])


if __name__ == "__main__":
    main(*sys.argv[1:])
