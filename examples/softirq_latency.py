"""How long CPUs spend in soft interrupts, a histogram for each CPU: the kernel's lathist, on events that every kernel has.

Needs root and tracefs: sudo python softirq_latency.py
"""

import time

from pybpf import PerCpuArray, load_collection, tracepoint, u64
from pybpf import helpers as bpf

SLOTS = 24
began = PerCpuArray(u64, max_entries=1)  # soft interrupts do not interrupt one another
times = PerCpuArray(u64, max_entries=SLOTS)  # below 2^i nanoseconds


def bits(x):
    for n in range(SLOTS - 1):
        if x >> n == 0:
            return n
    return SLOTS - 1


@tracepoint("irq/softirq_entry")
def enter(ctx):
    began[0] = bpf.ktime_get_ns()


@tracepoint("irq/softirq_exit")
def leave(ctx):
    if began[0] != 0:
        times[bits(bpf.ktime_get_ns() - began[0])] += 1


def start():
    objs = load_collection(enter, leave)
    for prog in objs:
        prog.attach()
    return objs


def histogram(live) -> str:
    rows = [list(live[i]) for i in range(SLOTS)]
    lines = [f"{'below ns':>10}" + "".join(f"{f'CPU {cpu}':>10}" for cpu in range(len(rows[0])))]
    lines += [f"{1 << i:>10}" + "".join(f"{n:>10}" for n in row) for i, row in enumerate(rows) if any(row)]
    return "\n".join(lines)


def main(seconds: float = 5) -> None:
    with start() as objs:
        time.sleep(seconds)
        print(histogram(objs[times]))


if __name__ == "__main__":
    main()
