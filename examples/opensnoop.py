"""Print files that are opened, with what came of it: bcc's opensnoop.  Needs root and tracefs: sudo python opensnoop.py [PID]"""

import sys

from pybpf import Global, HashMap, RingBuf, Struct, char, load_collection, s32, tracepoint, u32, u64
from pybpf import helpers as bpf


class Open(Struct):
    pid: u32
    result: s32  # a descriptor, or a negative errno
    comm: char[16]
    name: char[128]


only = Global(u32)  # a process, or 0 for all
names = HashMap(u64, u64, max_entries=10240)  # thread -> where its file name is
opens = RingBuf(Open, size=1 << 18)


@tracepoint("syscalls/sys_enter_openat")
def enter(ctx):
    thread = bpf.get_current_pid_tgid()
    if only.value == 0 or thread >> 32 == only.value:
        names[thread] = ctx.filename


@tracepoint("syscalls/sys_exit_openat")
def leave(ctx):
    thread = bpf.get_current_pid_tgid()
    name = names.get(thread)
    if name is None:
        return 0
    event = opens.reserve()
    if event is not None:
        event.pid = thread >> 32
        event.result = s32(ctx.ret)
        bpf.get_current_comm(event.comm)
        bpf.probe_read_user_str(event.name, name.value)  # now that the kernel read it, it is in memory
        event.submit()
    del names[thread]
    return 0


def start(pid: int = 0):
    objs = load_collection(enter, leave)
    objs[only][0] = pid
    for prog in objs:
        prog.attach()
    return objs


def main(pid: str = "0") -> None:
    with start(int(pid)) as objs:
        print(f"{'PID':>7} {'COMM':16} {'FD':>4} {'ERR':>4} PATH")
        for event in objs[opens]:
            fd, error = (event.result, 0) if event.result >= 0 else (-1, -event.result)
            print(f"{event.pid:>7} {event.comm.decode():16} {fd:>4} {error:>4} {event.name.decode(errors='replace')}")


if __name__ == "__main__":
    main(*sys.argv[1:])
