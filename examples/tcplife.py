"""Print TCP connections when they end: who, from where to where, how long.  bcc's tcplife.

Needs root and tracefs: sudo python tcplife.py
"""

from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET
from typing import Annotated

from pybpf import HashMap, RingBuf, Struct, char, load, tracepoint, u8, u16, u32, u64
from pybpf import helpers as bpf

SYN_SENT, CLOSE, LAST_ACK = 2, 7, 9  # TCP_*
IPPROTO_TCP = 6


class Birth(Struct):
    ns: u64
    pid: u32
    comm: char[16]


class Life(Struct):
    ns: u64
    pid: u32
    sport: u16
    dport: u16
    family: u16
    comm: char[16]
    saddr: Annotated[bytes, u8, 16]
    daddr: Annotated[bytes, u8, 16]


births = HashMap(u64, Birth, max_entries=10240)  # by the kernel's socket
lives = RingBuf(Life, size=1 << 18)


@tracepoint("sock/inet_sock_set_state")
def on_state(ctx):
    if ctx.protocol != IPPROTO_TCP:
        return 0
    known = births.get(ctx.skaddr)
    if ctx.newstate < 4 or (known is None and ctx.newstate != CLOSE):  # ESTABLISHED, SYN_SENT, SYN_RECV: it is born
        if known is None or ctx.newstate == SYN_SENT:  # here the process is the one that connects
            birth = Birth(ns=bpf.ktime_get_ns(), pid=bpf.get_current_pid_tgid() >> 32)
            bpf.get_current_comm(birth.comm)
            births[ctx.skaddr] = birth
        return 0
    if ctx.newstate != CLOSE or known is None:
        return 0
    event = lives.reserve()
    if event is not None:
        event.ns = bpf.ktime_get_ns() - known.ns
        event.pid = known.pid
        event.comm = known.comm
        event.sport = ctx.sport
        event.dport = ctx.dport
        event.family = ctx.family
        event.saddr = ctx.saddr_v6  # an IPv4 address stands in its last 4 bytes
        event.daddr = ctx.daddr_v6
        event.submit()
    del births[ctx.skaddr]
    return 0


def addresses(life: Life) -> tuple[str, str]:
    def text(raw: bytes) -> str:
        return str(IPv4Address(raw[12:]) if life.family == AF_INET else IPv6Address(raw))

    return text(bytes(life.saddr)), text(bytes(life.daddr))


def main() -> None:
    with load(on_state) as prog, prog.attach():
        print(f"{'PID':>7} {'COMM':16} {'LOCAL':>21} {'REMOTE':>21} {'MS':>10}")
        for life in prog[lives]:
            local, remote = addresses(life)
            ends = f"{local}:{life.sport}".rjust(21), f"{remote}:{life.dport}".rjust(21)
            print(f"{life.pid:>7} {life.comm.decode():16} {ends[0]} {ends[1]} {life.ns / 1e6:>10.2f}")


if __name__ == "__main__":
    main()
