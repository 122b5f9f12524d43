"""Share datagrams among the sockets of one port by their size: small ones to the first, large ones to the second.

Needs root: sudo python reuseport_by_size.py PORT
"""

import select
import socket
import sys

from pybpf import Array, ReuseportSockArray, SkAction, load, sk_reuseport, u64

LARGE = 512
UDP_HEADER = 8
receivers = ReuseportSockArray(max_entries=2)
chosen = Array(u64, max_entries=2)


@sk_reuseport
def choose(ctx):
    index = 1 if ctx.len >= LARGE + UDP_HEADER else 0
    if ctx.select_reuseport(receivers, index) < 0:
        return SkAction.DROP
    chosen[index] += 1
    return SkAction.PASS


def sockets(port: int) -> list[socket.socket]:
    made: list[socket.socket] = []
    for _ in range(2):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", made[0].getsockname()[1] if made else port))
        made.append(sock)
    return made


def start(socks: list[socket.socket]):
    prog = load(choose)
    for i, sock in enumerate(socks):
        prog[receivers][i] = sock
    prog.attach(socks[0])
    return prog


def main(port: str) -> None:
    small, large = socks = sockets(int(port))
    with small, large, start(socks):
        while True:
            for sock in select.select(socks, [], [])[0]:
                print("small" if sock is small else "large", len(sock.recv(65536)))


if __name__ == "__main__":
    main(*sys.argv[1:])
