"""Packets and bytes by what became of them: counters of an XDP program, and a reader for the pinned map: xdp_stats.

Needs root and a bpffs:
    sudo python xdp_loader.py IFACE xdp_stats.py count_passed    (or count_dropped)
    sudo python xdp_stats.py IFACE
    sudo python xdp_loader.py IFACE --unload
"""

import sys
import time

from pybpf import Map, PerCpuArray, Struct, XdpAction, u64, xdp


class Counter(Struct):
    packets: u64
    bytes: u64


stats = PerCpuArray(Counter, max_entries=5)


def record(ctx, action):
    counter = stats.get(action)
    if counter is not None:
        counter.packets += 1
        counter.bytes += len(ctx)
    return action


@xdp
def count_passed(ctx):
    return record(ctx, XdpAction.PASS)


@xdp
def count_dropped(ctx):
    return record(ctx, XdpAction.DROP)


def read(interface: str) -> dict[str, tuple[int, int]]:
    """Packets and bytes by action, from the pinned map: its types come with it."""
    with Map.from_pin(f"/sys/fs/bpf/xdp-{interface}/stats") as live:
        return {
            XdpAction(action).name: (sum(c.packets for c in values), sum(c.bytes for c in values))
            for action, values in live.items()
        }


def main(interface: str) -> None:
    before = read(interface)
    while True:
        time.sleep(1)
        now = read(interface)
        for action, (packets, size) in now.items():
            rate, bits = packets - before[action][0], (size - before[action][1]) * 8
            print(f"{action:9} {packets:>10} packets {size:>12} bytes {rate:>8} pps {bits / 1e6:>9.3f} Mbit/s")
        before = now


if __name__ == "__main__":
    main(*sys.argv[1:])
