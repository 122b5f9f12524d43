"""Count packets by IP protocol on all interfaces.  Needs root: sudo python count_protocols.py"""

import socket
import time

from pybpf import HashMap, load, socket_filter, u32, u64

packets = HashMap(u32, u64, max_entries=256)


@socket_filter
def count(skb):
    packets[skb.load_byte(23)] += 1  # IPv4 protocol field behind an Ethernet header
    return 0  # keep no copy of the packet


def main(seconds: float = 5) -> None:
    with load(count) as prog, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
        with prog.attach(sock):
            time.sleep(seconds)
        for proto, n in prog[packets].items():
            print(proto, n)


if __name__ == "__main__":
    main()
