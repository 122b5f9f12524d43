"""Count system calls and the time spent in them, by number: bcc's syscount -L, and the latencies of the kernel's lathist.

Needs root and tracefs: sudo python syscount.py
"""

import time

from pybpf import HashMap, LruHashMap, Struct, load_collection, tracepoint, u32, u64
from pybpf import helpers as bpf


class Total(Struct):
    calls: u64
    ns: u64


began = LruHashMap(u64, u64, max_entries=10240)  # thread -> when it entered the kernel
totals = HashMap(u32, Total, max_entries=1024)


@tracepoint("raw_syscalls/sys_enter")
def enter(ctx):
    began[bpf.get_current_pid_tgid()] = bpf.ktime_get_ns()


@tracepoint("raw_syscalls/sys_exit")
def leave(ctx):
    start = began.get(bpf.get_current_pid_tgid())
    if start is None:
        return 0
    number, ns = u32(ctx.id), bpf.ktime_get_ns() - start
    total = totals.get(number)
    if total is None:
        totals[number] = Total(calls=1, ns=ns)
    else:
        total.calls += 1
        total.ns += ns
    del began[bpf.get_current_pid_tgid()]
    return 0


def start():
    objs = load_collection(enter, leave)
    for prog in objs:
        prog.attach()
    return objs


def main(seconds: float = 5) -> None:
    with start() as objs:
        time.sleep(seconds)
        print(f"{'SYSCALL':>8} {'COUNT':>8} {'MS':>12}")
        for number, total in sorted(objs[totals].items(), key=lambda item: -item[1].ns)[:20]:
            print(f"{number:>8} {total.calls:>8} {total.ns / 1e6:>12.3f}")


if __name__ == "__main__":
    main()
