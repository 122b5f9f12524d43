"""Keep the processes of a cgroup from marking their packets: setting SO_MARK fails, all else is counted and passes.

Needs root and cgroup v2: sudo python sockopt_guard.py CGROUP
"""

import sys
import time
from socket import SOL_SOCKET

from pybpf import HashMap, Struct, cgroup_setsockopt, load, s32, u64

SO_MARK = 36


class Option(Struct):
    level: s32
    name: s32


options = HashMap(Option, u64, max_entries=256)  # how often each was set


@cgroup_setsockopt
def guard(ctx):
    if ctx.level == SOL_SOCKET and ctx.optname == SO_MARK:
        return 0  # EPERM
    options[Option(ctx.level, ctx.optname)] += 1
    return 1


def main(cgroup: str) -> None:
    with load(guard) as prog, prog.attach(cgroup):
        while True:
            time.sleep(1)
            for option, times in prog[options].items():
                print(f"level {option.level}, option {option.name}: set {times} times")


if __name__ == "__main__":
    main(*sys.argv[1:])
