"""How long names take to become addresses: entry and return of getaddrinfo in the C library.  bcc's gethostlatency.

Needs root: sudo python gethostlatency.py [PID]
"""

import sys

from pybpf import HashMap, RingBuf, Struct, char, load_collection, u32, u64, uprobe, uretprobe
from pybpf import helpers as bpf


class Started(Struct):
    ns: u64
    host: char[80]


class Lookup(Struct):
    ns: u64  # that it took
    pid: u32
    result: u32  # EAI_*: 0 when the name was found
    comm: char[16]
    host: char[80]


started = HashMap(u64, Started, max_entries=10240)  # by thread
lookups = RingBuf(Lookup, size=1 << 16)


@uprobe("libc.so.6:getaddrinfo")
def enter(ctx, host):
    call = Started(ns=bpf.ktime_get_ns())
    bpf.probe_read_user_str(call.host, host)
    started[bpf.get_current_pid_tgid()] = call


@uretprobe("libc.so.6:getaddrinfo")
def leave(ctx):
    thread = bpf.get_current_pid_tgid()
    call = started.get(thread)
    if call is None:
        return 0
    event = lookups.reserve()
    if event is not None:
        event.ns = bpf.ktime_get_ns() - call.ns
        event.pid = thread >> 32
        event.result = u32(ctx.retval)
        bpf.get_current_comm(event.comm)
        event.host = call.host
        event.submit()
    del started[thread]
    return 0


def start(pid: int = -1):
    objs = load_collection(enter, leave)
    for prog in objs:
        prog.attach(pid=pid)
    return objs


def main(pid: str = "-1") -> None:
    with start(int(pid)) as objs:
        for event in objs[lookups]:
            host = event.host.decode(errors="replace")
            print(f"{event.pid:>7} {event.comm.decode():16} {event.ns / 1e6:>9.3f} ms {host}")


if __name__ == "__main__":
    main(*sys.argv[1:])
