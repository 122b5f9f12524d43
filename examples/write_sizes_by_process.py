"""Sizes of write() calls as a histogram for each process and user: the second half of the kernel's tracex2.

Needs root and tracefs: sudo python write_sizes_by_process.py
"""

import time
from collections import defaultdict

from pybpf import HashMap, Struct, char, load, tracepoint, u32, u64
from pybpf import helpers as bpf


class Writer(Struct):
    comm: char[16]
    pid: u32
    uid: u32
    slot: u64  # sizes below 2 to that power


counts = HashMap(Writer, u64, max_entries=10240)


def bits(x):
    for n in range(63):
        if x >> n == 0:
            return n
    return 63


@tracepoint("syscalls/sys_enter_write")
def on_write(ctx):
    key = Writer(pid=bpf.get_current_pid_tgid() >> 32, uid=u32(bpf.get_current_uid_gid()), slot=bits(ctx.count))
    bpf.get_current_comm(key.comm)
    counts[key] += 1


def histograms(live) -> dict[tuple[int, int, str], dict[int, int]]:
    """(pid, uid, command) -> {power of two: calls}"""
    found: dict[tuple[int, int, str], dict[int, int]] = defaultdict(dict)
    for key, n in live.items():
        found[key.pid, key.uid, key.comm.decode()][key.slot] = n
    return found


def main(seconds: float = 5) -> None:
    with load(on_write) as prog, prog.attach():
        time.sleep(seconds)
        for (pid, uid, comm), slots in histograms(prog[counts]).items():
            print(f"\npid {pid} uid {uid} {comm}")
            for slot, n in sorted(slots.items()):
                print(f"{1 << slot >> 1:>10} .. {(1 << slot) - 1:<10} {n:>8} {'*' * (40 * n // max(slots.values()))}")


if __name__ == "__main__":
    main()
