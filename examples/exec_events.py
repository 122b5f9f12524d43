"""Print every program that is started, and by whom.  Needs root and tracefs: sudo python exec_events.py"""

from pybpf import RingBuf, Struct, char, load, tracepoint, u32, u64
from pybpf import helpers as bpf


class Exec(Struct):
    ns: u64
    pid: u32
    uid: u32
    comm: char[16]
    filename: char[128]


execs = RingBuf(Exec, size=1 << 18)


@tracepoint("syscalls/sys_enter_execve")  # ctx fields come from tracefs or BTF by name
def on_exec(ctx):
    event = execs.reserve()  # a reference into the ring, or None when it is full
    if event is None:
        return 0
    event.ns = bpf.ktime_get_ns()
    event.pid = bpf.get_current_pid_tgid() >> 32
    event.uid = u32(bpf.get_current_uid_gid())
    bpf.get_current_comm(event.comm)
    bpf.probe_read_user_str(event.filename, ctx.filename)
    event.submit()  # forgetting it on any path is an error at compile time
    return 0


def main() -> None:
    with load(on_exec) as prog, prog.attach():
        for event in prog[execs]:
            print(f"{event.uid:>6} {event.pid:>7} {event.comm.decode():16} {event.filename.decode()}")


if __name__ == "__main__":
    main()
