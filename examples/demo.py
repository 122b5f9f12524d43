"""Count packets by protocol on the loopback interface: the README's program, on traffic that this script makes.

    make demo

Where bpf(2) is not permitted the same program runs offline, on packets that were made up.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Mapping
from time import monotonic, sleep

from pybpf import VM, HashMap, NotSupportedError, SyscallError, load, socket_filter, u32, u64

packets = HashMap(u32, u64, max_entries=256)


@socket_filter
def count(skb):
    packets[skb.load_byte(23)] += 1  # IPv4 protocol field behind an Ethernet header
    return 0  # keep no copy of the packet


ICMP, TCP, UDP = socket.IPPROTO_ICMP, socket.IPPROTO_TCP, socket.IPPROTO_UDP
NAMES = {ICMP: "ICMP", TCP: "TCP", UDP: "UDP"}
DATAGRAMS, CONNECTIONS = 1000, 20


def make_traffic() -> None:
    """Send datagrams, and open and close connections, over 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, socket.create_server(("127.0.0.1", 0)) as server:
        receiver.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(DATAGRAMS):
                sender.sendto(b"pybpf", receiver.getsockname())
        for _ in range(CONNECTIONS):
            with socket.create_connection(server.getsockname()), server.accept()[0]:
                pass


def settled(counts: Mapping[int, int]) -> dict[int, int]:
    """The counts once they stop growing: the last packets of a connection follow its close."""
    before, deadline = dict(counts.items()), monotonic() + 2
    while monotonic() < deadline:
        sleep(0.05)
        now = dict(counts.items())
        if now == before:
            break
        before = now
    return before


def count_live() -> dict[int, int]:
    with load(count) as prog, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
        sock.bind(("lo", 0))
        with prog.attach(sock):
            make_traffic()
            return settled(prog[packets])


def count_offline() -> dict[int, int]:
    vm = VM(count)
    for proto, times in ((UDP, DATAGRAMS), (TCP, CONNECTIONS)):
        frame = bytes(23) + bytes([proto]) + bytes(40)
        # As in the kernel's own test run, 14 bytes of link header are taken off before a socket filter sees the packet.
        for _ in range(times):
            vm.run(data=bytes(14) + frame)
    return dict(vm[packets].items())


def main() -> int:
    try:
        counts = count_live()
        print(
            f"{DATAGRAMS} datagrams and {CONNECTIONS} connections over lo; each packet is seen going out and coming in:"
        )
    except (NotSupportedError, SyscallError) as error:
        if isinstance(error, SyscallError) and error.errno not in (errno.EPERM, errno.EACCES, errno.ENOSYS):
            raise
        counts = count_offline()
        print(f"bpf(2) is not permitted here ({str(error).splitlines()[0]}); offline, on made-up packets:")
    for proto, n in sorted(counts.items()):
        print(f"  {NAMES.get(proto, f'protocol {proto}'):>5}  {n:5} packets")
    return 0


if __name__ == "__main__":
    sys.exit(main())
