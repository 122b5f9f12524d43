"""Count bytes of outgoing packets by IP protocol, as the kernel's sockex1 does.  Needs root: sudo python bytes_by_protocol.py"""

import socket
import time

from pybpf import Array, load, socket_filter, u64

PACKET_OUTGOING = 4
sent = Array(u64, max_entries=256)


@socket_filter
def count(skb):
    if skb.pkt_type == PACKET_OUTGOING:
        sent[skb.load_byte(14 + 9)] += skb.len
    return 0


def main(seconds: float = 5) -> None:
    with load(count) as prog, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
        with prog.attach(sock):
            time.sleep(seconds)
        for name in ("icmp", "tcp", "udp"):
            print(name, prog[sent][socket.getprotobyname(name)], "bytes")


if __name__ == "__main__":
    main()
