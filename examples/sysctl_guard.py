"""Make the network settings of sysctl read-only for the processes of a cgroup.

Needs root and cgroup v2: sudo python sysctl_guard.py CGROUP
"""

import sys
from typing import Annotated

from pybpf import RingBuf, Struct, cgroup_sysctl, char, load, u32


class Refusal(Struct):
    write: u32
    name: Annotated[bytes, char, 64]


refusals = RingBuf(Refusal, size=4096)


@cgroup_sysctl
def guard(ctx):
    if ctx.write == 0:
        return 1
    refusal = Refusal(write=ctx.write)
    ctx.get_name(refusal.name)
    if refusal.name[0] == ord("n") and refusal.name[1] == ord("e") and refusal.name[2] == ord("t"):
        refusals.output(refusal)
        return 0  # EPERM
    return 1


def main(cgroup: str) -> None:
    with load(guard) as prog, prog.attach(cgroup):
        for refusal in prog[refusals]:
            print("refused to write", refusal.name.decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
