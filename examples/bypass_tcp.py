"""Local TCP connections of a cgroup without TCP: what is sent goes to the other socket's queue (sock_ops, sk_msg).

Needs root and cgroup v2: sudo python bypass_tcp.py CGROUP
"""

import sys
import time

from pybpf import Array, SkAction, SockHash, Struct, load_collection, sk_msg, sock_ops, u32, u64
from pybpf.uapi import SockOpsOp

INGRESS = 1  # BPF_F_INGRESS: into the other socket's queue, as if it had been received


class Ends(Struct):
    local_ip: u32
    remote_ip: u32
    local: u32
    remote: u32


sockets = SockHash(Ends, max_entries=4096)
bypassed = Array(u64, max_entries=1)


@sock_ops
def remember(ctx):
    if ctx.op == SockOpsOp.ACTIVE_ESTABLISHED_CB or ctx.op == SockOpsOp.PASSIVE_ESTABLISHED_CB:
        own = Ends(ctx.local_ip4, ctx.remote_ip4, ctx.local_port, ctx.remote_port)
        ctx.sock_hash_update(sockets, own, 1)  # unless it is there
    return 1


@sk_msg
def deliver(msg):
    bypassed[0] += 1
    # The other end sees the ports the other way round.  When it is not here, the message goes on as always.
    sockets.redirect(Ends(msg.remote_ip4, msg.local_ip4, msg.remote_port, msg.local_port), INGRESS)
    return SkAction.PASS


def start(cgroup: str):
    objs = load_collection(remember, deliver)
    objs[deliver].attach(objs[sockets])
    objs[remember].attach(cgroup)
    return objs


def main(cgroup: str) -> None:
    with start(cgroup) as objs:
        while True:
            time.sleep(1)
            print("messages:", objs[bypassed][0])


if __name__ == "__main__":
    main(*sys.argv[1:])
