"""Shield a process from signals of others, even of root: a security hook that says no.

Needs root and bpf among the security modules (boot with lsm=...,bpf): sudo python unkillable.py PID
"""

import errno
import sys
import time

from pybpf import Global, load, lsm, u32, u64
from pybpf import helpers as bpf

shielded = Global(u32)
refused = Global(u64)


@lsm("task_kill")
def shield(ctx, p):  # p: the struct task_struct of the process that the signal is for
    if p.tgid == shielded.value and bpf.get_current_pid_tgid() >> 32 != shielded.value:
        refused.value += 1
        return -errno.EPERM
    return 0


def main(pid: str) -> None:
    with load(shield) as prog, prog.attach():
        prog[shielded][0] = int(pid)
        while True:
            time.sleep(1)
            print("refused:", prog[refused][0])


if __name__ == "__main__":
    main(*sys.argv[1:])
