"""How long threads wait for a CPU once they could run, as a histogram: bcc's runqlat.

Needs root and tracefs: sudo python runqlat.py
"""

import time

from pybpf import LruHashMap, PerCpuArray, load_collection, tracepoint, u32, u64
from pybpf import helpers as bpf

SLOTS = 27
since = LruHashMap(u32, u64, max_entries=10240)  # thread -> when it became able to run
waits = PerCpuArray(u64, max_entries=SLOTS)  # 2^(i-1) .. 2^i microseconds


def log2(x):
    """How many bits x has, x below 2^32."""
    bits = 0
    for step in (16, 8, 4, 2, 1):
        if x >> step != 0:
            x >>= step
            bits += step
    return bits if x == 0 else bits + 1


@tracepoint("sched/sched_wakeup")
def wakeup(ctx):
    since[u32(ctx.pid)] = bpf.ktime_get_ns()


@tracepoint("sched/sched_wakeup_new")
def wakeup_new(ctx):
    since[u32(ctx.pid)] = bpf.ktime_get_ns()


@tracepoint("sched/sched_switch")
def switch(ctx):
    now = bpf.ktime_get_ns()
    if ctx.prev_state == 0 and ctx.prev_pid != 0:  # it was taken off its CPU, and could go on
        since[u32(ctx.prev_pid)] = now
    began = since.get(u32(ctx.next_pid))
    if began is not None:
        us = min((now - began) // 1000, 0xFFFFFFFF)
        waits[min(log2(us), SLOTS - 1)] += 1
        del since[u32(ctx.next_pid)]


def start():
    objs = load_collection(wakeup, wakeup_new, switch)
    for prog in objs:
        prog.attach()
    return objs


def histogram(counts: list[int]) -> str:
    most = max(counts) or 1
    rows = [(1 << i - 1 if i else 0, (1 << i) - 1, n) for i, n in enumerate(counts)]
    return "\n".join(f"{low:>9} .. {high:<9} us {n:>8} |{'*' * (40 * n // most):40}|" for low, high, n in rows if n)


def main(seconds: float = 5) -> None:
    with start() as objs:
        time.sleep(seconds)
        print(histogram([sum(objs[waits][i]) for i in range(SLOTS)]))


if __name__ == "__main__":
    main()
