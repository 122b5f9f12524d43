"""List the bpf() calls of a process as strace would; by default those that pybpf itself makes for a small program.

Needs root and tracefs: sudo python bpf_calls.py [PID]
"""

import os
import sys
from typing import Annotated

from pybpf import Array, Global, RingBuf, Struct, load, s64, socket_filter, tracepoint, u32, u64
from pybpf import helpers as bpf
from pybpf.uapi import Cmd


class Call(Struct):
    command: u32
    size: u32  # of the attributes
    first: Annotated[list[int], u64, 2]  # the first words of the attributes
    result: s64


watched = Global(u32)
open_calls = Array(Call, max_entries=1)  # one process, one call at a time
calls = RingBuf(Call, size=1 << 16)


@tracepoint("syscalls/sys_enter_bpf")
def enter(ctx):
    if bpf.get_current_pid_tgid() >> 32 == watched.value:
        call = open_calls.get(0)
        call.command = u32(ctx.cmd)
        call.size = u32(ctx.size)
        bpf.probe_read_user(call.first, ctx.uattr)


@tracepoint("syscalls/sys_exit_bpf")
def leave(ctx):
    if bpf.get_current_pid_tgid() >> 32 == watched.value:
        call = open_calls.get(0)
        call.result = ctx.ret
        calls.output(call)


def show(call: Call) -> str:
    known = call.command in Cmd._value2member_map_
    name = Cmd(call.command).name if known else str(call.command)
    first, second = call.first
    return f"bpf({name}, {{{first:#x}, {second:#x}, ...}}, {call.size}) = {call.result}"


def work() -> None:
    """Something that makes bpf() calls."""
    packets = Array(u64, max_entries=1)

    @socket_filter
    def count(skb):
        packets[0] += 1
        return 0

    with load(count) as prog:
        prog.test_run(bytes(64))
        print("packets:", prog[packets][0])


def watch(pid: int):
    """The two programs, sharing their maps, and attached."""
    from pybpf import load_collection

    objs = load_collection(enter, leave)
    for prog in objs:
        prog.attach()
    objs[watched][0] = pid
    return objs


def main(pid: str = "") -> None:
    with watch(int(pid or os.getpid())) as objs:
        if pid:
            for call in objs[calls]:
                print(show(call))
        work()
        for call in objs[calls].drain():
            print(show(call))


if __name__ == "__main__":
    main(*sys.argv[1:])
