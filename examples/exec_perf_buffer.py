"""Print who starts programs, by events through a perf buffer: one buffer a CPU, as bcc's hello-buffer has it.

Needs root and tracefs: sudo python exec_perf_buffer.py
"""

from pybpf import PerfEventArray, Struct, char, load, tracepoint, u32
from pybpf import helpers as bpf


class Start(Struct):
    uid: u32
    pid: u32
    comm: char[16]


starts = PerfEventArray(Start)


@tracepoint("syscalls/sys_enter_execve")
def on_exec(ctx):
    event = Start(uid=u32(bpf.get_current_uid_gid()), pid=bpf.get_current_pid_tgid() >> 32)
    bpf.get_current_comm(event.comm)
    starts.output(event)


def main() -> None:
    with load(on_exec) as prog, prog.attach():
        for event in prog[starts]:
            print(f"{event.uid:>6} {event.pid:>7} {event.comm.decode()}")


if __name__ == "__main__":
    main()
