"""Print TCP connections that processes open: who, and where to.  bcc's tcpconnect.

Needs root and tracefs: sudo python tcpconnect.py
"""

from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET
from typing import Annotated

from pybpf import RingBuf, Struct, char, load, tracepoint, u8, u16, u32
from pybpf import helpers as bpf

SYN_SENT = 2  # TCP_SYN_SENT: the process that connects is still on the CPU


class Connect(Struct):
    pid: u32
    uid: u32
    family: u16
    port: u16
    comm: char[16]
    address: Annotated[bytes, u8, 16]


connects = RingBuf(Connect, size=1 << 18)


@tracepoint("sock/inet_sock_set_state")
def on_state(ctx):
    if ctx.newstate != SYN_SENT:
        return 0
    event = connects.reserve()
    if event is None:
        return 0
    event.pid = bpf.get_current_pid_tgid() >> 32
    event.uid = u32(bpf.get_current_uid_gid())
    event.family = ctx.family
    event.port = ctx.dport
    bpf.get_current_comm(event.comm)
    event.address = ctx.daddr_v6  # an IPv4 address stands in its last 4 bytes
    event.submit()
    return 0


def address(event: Connect) -> str:
    raw = bytes(event.address)
    return str(IPv4Address(raw[12:]) if event.family == AF_INET else IPv6Address(raw))


def main() -> None:
    with load(on_state) as prog, prog.attach():
        for event in prog[connects]:
            print(f"{event.pid:>7} {event.uid:>6} {event.comm.decode():16} {address(event)} port {event.port}")


if __name__ == "__main__":
    main()
