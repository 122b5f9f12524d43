"""Six ways to see execve, side by side, each counting; those that this kernel lacks are named with the reason.

Needs root and tracefs: sudo python hook_execve.py
"""

import os
import time
from contextlib import ExitStack

from pybpf import (
    Array,
    BpfError,
    fentry,
    kprobe,
    ksyscall,
    load_collection,
    raw_tracepoint,
    tp_btf,
    tracepoint,
    u64,
)

EXECVE = {"x86_64": 59, "aarch64": 221}[os.uname().machine]
hits = Array(u64, max_entries=6, name="hits")


@kprobe("begin_new_exec")  # any function of the kernel that is not inlined; names change between versions
def by_kprobe(ctx):
    hits[0] += 1


@ksyscall("execve")  # a kprobe on the system call, whatever its function is called on this machine
def by_ksyscall(ctx):
    hits[1] += 1


@fentry("begin_new_exec")  # the same, its arguments typed, without a trap
def by_fentry(ctx):
    hits[2] += 1


@tracepoint("syscalls/sys_enter_execve")  # stable, with a format of its own
def by_tracepoint(ctx):
    hits[3] += 1


@raw_tracepoint("sys_enter")  # all system calls: the arguments as they are
def by_raw_tracepoint(ctx):
    if ctx.args[1] == EXECVE:
        hits[4] += 1


@tp_btf("sched_process_exec")  # the same, with types: here the event that follows a successful execve
def by_btf_tracepoint(ctx):
    hits[5] += 1


WAYS = (by_kprobe, by_ksyscall, by_fentry, by_tracepoint, by_raw_tracepoint, by_btf_tracepoint)


def attach() -> tuple[dict, dict]:
    """What could be loaded and attached, by name, and what could not, with the error."""
    there, missing = {}, {}
    for way in WAYS:
        try:
            objs = load_collection(way)
            try:
                objs[way].attach()
            except BpfError:
                objs.close()
                raise
            there[way.name] = objs
        except BpfError as error:
            missing[way.name] = str(error).splitlines()[0]
    return there, missing


def counts(there: dict) -> dict[str, int]:
    return {name: sum(objs[hits].values()) for name, objs in there.items()}


def main(seconds: float = 5) -> None:
    there, missing = attach()
    with ExitStack() as stack:
        for objs in there.values():
            stack.enter_context(objs)
        for name, why in missing.items():
            print(f"{name}: not on this kernel: {why}")
        time.sleep(seconds)
        for name, n in counts(there).items():
            print(f"{name}: {n}")


if __name__ == "__main__":
    main()
