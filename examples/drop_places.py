"""Where the kernel drops packets, and how often: the first half of the kernel's tracex2.

Needs root and tracefs: sudo python drop_places.py
"""

import time
from collections import Counter

from pybpf import HashMap, load, tracepoint, u64
from pybpf.maps.symbols import kernel_frame

places = HashMap(u64, u64, max_entries=1024)  # address of the instruction that gave the packet up


@tracepoint("skb/kfree_skb")
def on_drop(ctx):
    places[ctx.location] += 1


def functions(live) -> Counter:
    found: Counter = Counter()
    for location, n in live.items():
        found[kernel_frame(location).name] += n
    return found


def main(seconds: float = 5) -> None:
    with load(on_drop) as prog, prog.attach():
        time.sleep(seconds)
        for name, n in functions(prog[places]).most_common():
            print(f"{n:>8} {name}")


if __name__ == "__main__":
    main()
