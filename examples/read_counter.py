"""Read a performance counter of the CPU at every call of a kernel function: the kernel's tracex6.

Counted are page faults, which every machine can; for processor cycles open_event(0, 0) asks the hardware.

Needs root and CONFIG_KPROBES: sudo python read_counter.py
"""

import os
import time

from pybpf import HashMap, PerfEventArray, Struct, kprobe, load, u32, u64
from pybpf import helpers as bpf
from pybpf.links.perf import online_cpus, open_event

SOFTWARE, PAGE_FAULTS = 1, 2  # PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS
CURRENT_CPU = 0xFFFFFFFF  # BPF_F_CURRENT_CPU


class Reading(Struct):
    counter: u64
    enabled: u64  # nanoseconds
    running: u64


counters = PerfEventArray()
last = HashMap(u32, Reading, max_entries=1024)  # by CPU


@kprobe("vfs_read")
def on_read(ctx):
    reading = Reading()
    if bpf.perf_event_read_value(counters, CURRENT_CPU, reading) == 0:
        last[bpf.get_smp_processor_id()] = reading


def start():
    """The program, attached; it reads one counter a CPU."""
    prog = load(on_read)
    for cpu in online_cpus():
        event = open_event(SOFTWARE, PAGE_FAULTS, cpu=cpu)
        prog[counters][cpu] = event
        os.close(event)  # the map keeps it
    prog.attach()
    return prog


def main() -> None:
    with start() as prog:
        while True:
            time.sleep(1)
            print({cpu: reading.counter for cpu, reading in prog[last].items()})


if __name__ == "__main__":
    main()
