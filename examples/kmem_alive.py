"""Kernel objects that were allocated and not freed since, the oldest first: the kernel's tracex4.

Needs root and tracefs: sudo python kmem_alive.py
"""

import time

from pybpf import HashMap, Struct, load_collection, tracepoint, u64
from pybpf import helpers as bpf
from pybpf.maps.symbols import kernel_frame


class Object(Struct):
    born: u64  # nanoseconds since boot
    caller: u64


alive = HashMap(u64, Object, max_entries=100_000)  # by address


@tracepoint("kmem/kmem_cache_alloc")
def allocated(ctx):
    alive[ctx.ptr] = Object(born=bpf.ktime_get_ns(), caller=ctx.call_site)


@tracepoint("kmem/kmem_cache_free")
def freed(ctx):
    del alive[ctx.ptr]


def start():
    objs = load_collection(allocated, freed)
    for prog in objs:
        prog.attach()
    return objs


def oldest(live, at_least: float) -> list[tuple[float, int, str]]:
    """(age in seconds, address, who allocated it) of the objects that are that old."""
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    ages = [((now - o.born) / 1e9, address, kernel_frame(o.caller).name) for address, o in live.items()]
    return sorted((row for row in ages if row[0] >= at_least), reverse=True)


def main(seconds: float = 5) -> None:
    with start() as objs:
        time.sleep(seconds)
        for age, address, caller in oldest(objs[alive], 1)[:40]:
            print(f"{address:#x} is {age:.1f} s old, allocated in {caller}")


if __name__ == "__main__":
    main()
