"""How long disks take to answer, as one line of a heat map every two seconds: the kernel's tracex3.

Needs root and tracefs: sudo python disk_latency.py
"""

import time

from pybpf import HashMap, PerCpuArray, Struct, load_collection, tracepoint, u64
from pybpf import helpers as bpf

SLOTS = 32
SHADES = " .:-=+*#%@"


class Request(Struct):
    device: u64
    sector: u64


issued = HashMap(Request, u64, max_entries=4096)
latency = PerCpuArray(u64, max_entries=SLOTS)  # below 2^i microseconds


def bits(x):
    for n in range(SLOTS - 1):
        if x >> n == 0:
            return n
    return SLOTS - 1


@tracepoint("block/block_rq_issue")
def issue(ctx):
    issued[Request(ctx.dev, ctx.sector)] = bpf.ktime_get_ns()


@tracepoint("block/block_rq_complete")
def complete(ctx):
    request = Request(ctx.dev, ctx.sector)
    began = issued.get(request)
    if began is not None:
        latency[bits((bpf.ktime_get_ns() - began) // 1000)] += 1
        del issued[request]


def start():
    objs = load_collection(issue, complete)
    for prog in objs:
        prog.attach()
    return objs


def line(counts: list[int]) -> str:
    most = max(*counts, 1)
    shades = (SHADES[(n * (len(SHADES) - 1) + most - 1) // most] for n in counts)
    return f"|{''.join(shades)}| {sum(counts)} requests"


def main() -> None:
    print(f" {'1us':10}{'1ms':10}{'1s':12}")
    before = [0] * SLOTS
    with start() as objs:
        while True:
            time.sleep(2)
            now = [objs[latency][i].sum() for i in range(SLOTS)]
            print(line([n - m for n, m in zip(now, before, strict=True)]))
            before = now


if __name__ == "__main__":
    main()
