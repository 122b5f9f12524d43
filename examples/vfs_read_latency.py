"""How long vfs_read takes, as a histogram, by a kprobe and a kretprobe on it: bcc's vfsreadlat.

Needs root and CONFIG_KPROBES: sudo python vfs_read_latency.py
"""

import time

from pybpf import HashMap, PerCpuArray, kprobe, kretprobe, load_collection, u64
from pybpf import helpers as bpf

SLOTS = 24
began = HashMap(u64, u64, max_entries=10240)  # by thread
times = PerCpuArray(u64, max_entries=SLOTS)  # below 2^i microseconds


def bits(x):
    for n in range(SLOTS - 1):
        if x >> n == 0:
            return n
    return SLOTS - 1


@kprobe("vfs_read")
def enter(ctx):
    began[bpf.get_current_pid_tgid()] = bpf.ktime_get_ns()


@kretprobe("vfs_read")
def leave(ctx):
    thread = bpf.get_current_pid_tgid()
    at = began.get(thread)
    if at is not None:
        times[bits((bpf.ktime_get_ns() - at) // 1000)] += 1
        del began[thread]


def start():
    objs = load_collection(enter, leave)
    for prog in objs:
        prog.attach()
    return objs


def histogram(counts: list[int]) -> str:
    most = max(*counts, 1)
    rows = [(1 << i >> 1, (1 << i) - 1, n) for i, n in enumerate(counts)]
    return "\n".join(f"{low:>9} .. {high:<9} us {n:>8} {'*' * (40 * n // most)}" for low, high, n in rows if n)


def main(seconds: float = 5) -> None:
    with start() as objs:
        time.sleep(seconds)
        print(histogram([objs[times][i].sum() for i in range(SLOTS)]))


if __name__ == "__main__":
    main()
