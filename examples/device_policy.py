"""Let the processes of a cgroup open a few devices only.  As the kernel's dev_cgroup test, and what containers do.

Needs root and cgroup v2: sudo python device_policy.py CGROUP
"""

import sys
import time

from pybpf import Array, HashMap, Struct, cgroup_device, load, u32, u64


class Device(Struct):
    major: u32
    minor: u32


CHAR = 2  # BPF_DEVCG_DEV_CHAR
READ, WRITE, MAKE = 2, 4, 1  # BPF_DEVCG_ACC_*
NULL, ZERO, URANDOM = (1, 3), (1, 5), (1, 9)

allowed = HashMap(
    Device, u32, max_entries=64, contents={NULL: READ | WRITE, ZERO: READ, URANDOM: READ}
)  # character devices -> accesses
refused = Array(u64, max_entries=1)


@cgroup_device
def policy(ctx):
    kind, access = ctx.access_type & 0xFFFF, ctx.access_type >> 16
    rights = allowed.get(Device(ctx.major, ctx.minor))
    if kind == CHAR and rights is not None and access & ~rights.value == 0:
        return 1
    refused[0] += 1
    return 0  # EPERM


def main(cgroup: str) -> None:
    with load(policy) as prog, prog.attach(cgroup):
        while True:
            time.sleep(1)
            print("refused:", prog[refused][0])


if __name__ == "__main__":
    main(*sys.argv[1:])
