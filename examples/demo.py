"""Count packets by protocol on the loopback interface: the main job, from text to the kernel and back.

The program makes the traffic that it counts: UDP and TCP over 127.0.0.1.  Run it as root: `make demo`.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Mapping
from time import monotonic, sleep

from pybpf import HashMap, NotSupportedError, ProgramSpec, SyscallError, asm, load, u32, u64

packets = HashMap(u32, u64, max_entries=256, name="packets")

TEXT = """
        r6 = r1
        r0 = *(u8 *)skb[23]             ; IPv4 protocol field behind an Ethernet header
        *(u32 *)(r10 - 4) = r0
        r2 = r10
        r2 += -4
        r1 = packets ll
        call bpf_map_lookup_elem
        if r0 == 0 goto new
        r1 = 1
        lock *(u64 *)(r0 + 0) += r1
        goto done
new:    *(u64 *)(r10 - 16) = 1
        r2 = r10
        r2 += -4
        r3 = r10
        r3 += -16
        r4 = 0
        r1 = packets ll
        call bpf_map_update_elem
done:   r0 = 0                          ; keep no copy of the packet
        exit
"""
count = ProgramSpec(asm.assemble(TEXT), 1, name="count", maps={"packets": packets})  # 1: a socket filter

SENT = {socket.IPPROTO_UDP: 1000, socket.IPPROTO_TCP: 20}  # datagrams, connections
NAMES = {socket.IPPROTO_ICMP: "ICMP", socket.IPPROTO_TCP: "TCP", socket.IPPROTO_UDP: "UDP"}


def make_traffic() -> None:
    """Send datagrams, and open and close connections, over loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, socket.create_server(("127.0.0.1", 0)) as server:
        receiver.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(SENT[socket.IPPROTO_UDP]):
                sender.sendto(b"pybpf", receiver.getsockname())
        for _ in range(SENT[socket.IPPROTO_TCP]):
            with socket.create_connection(server.getsockname()), server.accept()[0]:
                pass


def settle(counts: Mapping[int, int]) -> dict[int, int]:
    """The counts once they stop growing: the last packets of a connection follow its close."""
    before, deadline = dict(counts.items()), monotonic() + 2
    while monotonic() < deadline:
        sleep(0.05)
        now = dict(counts.items())
        if now == before:
            break
        before = now
    return before


def run_live() -> None:
    with load(count) as prog, socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
        sock.bind(("lo", 0))
        with prog.attach(sock):
            make_traffic()
            seen = settle(prog[packets])
    print(f"packets on lo, each counted on its way out and in ({SENT[17]} datagrams and {SENT[6]} connections made):")
    for proto, n in sorted(seen.items()):
        print(f"  {NAMES.get(proto, proto):>4}  {n}")


def main() -> int:
    try:
        run_live()
    except NotSupportedError as error:
        show_program(error)
    except SyscallError as error:
        if error.errno not in (errno.EPERM, errno.EACCES, errno.ENOSYS):
            raise
        show_program(error)
    return 0


def show_program(reason: Exception) -> None:
    print(f"bpf(2) is not permitted here ({str(reason).splitlines()[0]}); this is the program that would count:")
    print(count.disassemble())


if __name__ == "__main__":
    sys.exit(main())
