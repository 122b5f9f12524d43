"""Print programs that are started, with their parents and arguments: bcc's execsnoop.

Needs root and BTF: sudo python execsnoop.py
"""

from typing import Annotated

from pybpf import RingBuf, Struct, char, load, tp_btf, u8, u32
from pybpf import helpers as bpf

ROOM = 240


class Exec(Struct):
    pid: u32
    ppid: u32
    uid: u32
    length: u32  # of the arguments, which end with zeros
    comm: char[16]
    args: Annotated[bytearray, u8, ROOM]


execs = RingBuf(Exec, size=1 << 18)


@tp_btf("sched_process_exec")  # the new program is in place, and its arguments are in its memory
def on_exec(ctx):
    event = execs.reserve()
    if event is None:
        return 0
    event.pid = bpf.get_current_pid_tgid() >> 32
    event.uid = u32(bpf.get_current_uid_gid())
    event.ppid = u32(ctx.p.real_parent.tgid)
    bpf.get_current_comm(event.comm)
    start = ctx.p.mm.arg_start
    length = min(ctx.p.mm.arg_end - start, ROOM)
    event.length = u32(length)
    bpf.probe_read_user(event.args, length, start)
    event.submit()
    return 0


def arguments(event: Exec) -> list[str]:
    raw = bytes(event.args)[: event.length]
    return [word.decode(errors="replace") for word in raw.rstrip(b"\0").split(b"\0")]


def main() -> None:
    with load(on_exec) as prog, prog.attach():
        print(f"{'COMM':16} {'PID':>7} {'PPID':>7} ARGS")
        for event in prog[execs]:
            print(f"{event.comm.decode():16} {event.pid:>7} {event.ppid:>7} {' '.join(arguments(event))}")


if __name__ == "__main__":
    main()
