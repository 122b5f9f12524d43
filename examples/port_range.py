"""One listening socket for a whole range of ports, without a rule of iptables.

Needs root: sudo python port_range.py FIRST LAST
"""

import socket
import sys

from pybpf import Global, SkAction, SockMap, load, sk_lookup, u32
from pybpf import helpers as bpf

first, last = Global(u32), Global(u32)
server = SockMap(max_entries=1)


@sk_lookup
def assign(ctx):
    if not first.value <= ctx.local_port <= last.value:
        return SkAction.PASS  # as always
    sock = server.get(0)
    if sock is None:
        return SkAction.DROP
    ctx.assign(sock)
    bpf.sk_release(sock)
    return SkAction.PASS


def start(sock: socket.socket, low: int, high: int):
    """The program, attached to this network namespace: connections to low..high go to sock."""
    prog = load(assign)
    prog[server][0] = sock
    prog[first][0], prog[last][0] = low, high
    prog.attach()
    return prog


def main(low: str, high: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock, start(sock, int(low), int(high)):
        while True:
            client, address = sock.accept()
            with client:
                client.sendall(b"you asked for port %d\n" % client.getsockname()[1])
                print(address, "asked for port", client.getsockname()[1])


if __name__ == "__main__":
    main(*sys.argv[1:])
