"""Send connections of a cgroup to one address somewhere else.

Needs root: sudo python redirect_connect.py CGROUP FROM_PORT TO_PORT
"""

import sys
import time
from ipaddress import IPv4Address

from pybpf import HashMap, cgroup_connect4, load, u16

LOOPBACK = int(IPv4Address("127.0.0.1"))
ports = HashMap(u16, u16, max_entries=64)  # port asked for -> port on loopback


@cgroup_connect4
def redirect(ctx):
    port = ports.get(ctx.user_port)  # host order, as everywhere
    if port is not None:
        ctx.user_ip4 = LOOPBACK
        ctx.user_port = port.value
    return 1  # go on connecting


def main(cgroup: str, source: str, target: str) -> None:
    with load(redirect) as prog:
        prog[ports][int(source)] = int(target)
        with prog.attach(cgroup):
            while True:
                time.sleep(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
