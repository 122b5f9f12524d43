"""Which functions of the kernel CPUs are in, by sampling instruction pointers: the kernel's sampleip.

Needs root: sudo python sample_ip.py
"""

import time
from collections import Counter

from pybpf import HashMap, load, perf_event, u64
from pybpf.maps.symbols import kernel_frame

KERNEL = 1 << 63  # addresses of the kernel have the top bit
samples = HashMap(u64, u64, max_entries=8192)


@perf_event
def sample(ctx):
    samples[ctx.regs.ip] += 1  # the register is called pc on aarch64


def functions(live) -> Counter:
    """Samples by function; those in user space together."""
    found: Counter = Counter()
    for address, n in live.items():
        found[kernel_frame(address).name if address & KERNEL else "(user)"] += n
    return found


def main(seconds: float = 5) -> None:
    with load(sample) as prog, prog.attach("cpu-clock", frequency=99):
        time.sleep(seconds)
        for name, n in functions(prog[samples]).most_common(20):
            print(f"{n:>8} {name}")


if __name__ == "__main__":
    main()
