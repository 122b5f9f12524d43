"""A TCP proxy that never touches the data: the kernel moves it from one socket to the other (sk_skb).

Needs root: sudo python splice_sockets.py LISTEN_PORT HOST PORT
"""

import select
import socket
import sys

from pybpf import SockHash, load, sk_skb, u64

SO_COOKIE = 57  # a number that no other socket has
others = SockHash(u64, max_entries=4096)  # cookie of a socket -> the socket that sends what this one receives


@sk_skb
def forward(skb):
    return others.redirect(skb.get_socket_cookie())


def cookie(sock: socket.socket) -> int:
    return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), sys.byteorder)


def splice(live, one: socket.socket, other: socket.socket) -> None:
    live[cookie(one)] = other
    live[cookie(other)] = one


def main(port: str, host: str, target: str) -> None:
    with load(forward) as prog, socket.create_server(("", int(port))) as server:
        prog.attach(prog[others])
        pairs: dict[socket.socket, socket.socket] = {}
        while True:
            for ready in select.select([server, *pairs], [], [])[0]:
                if ready is server:
                    client, _ = server.accept()
                    upstream = socket.create_connection((host, int(target)))
                    splice(prog[others], client, upstream)
                    pairs[client], pairs[upstream] = upstream, client
                elif ready in pairs:  # data never wakes us, so this is the end
                    for sock in (pairs.pop(ready), ready):
                        pairs.pop(sock, None)
                        sock.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
