"""Count started programs by user id.  Needs root and tracefs: sudo python count_by_uid.py"""

import time

from pybpf import HashMap, load, tracepoint, u32, u64
from pybpf import helpers as bpf

started = HashMap(u32, u64, max_entries=1024)


@tracepoint("syscalls/sys_enter_execve")
def count(ctx):
    started[u32(bpf.get_current_uid_gid())] += 1


def main(seconds: float = 10) -> None:
    with load(count) as prog, prog.attach():
        time.sleep(seconds)
        for uid, n in prog[started].items():
            print(f"uid {uid}: {n}")


if __name__ == "__main__":
    main()
