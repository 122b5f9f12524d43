"""One program a system call: the first jumps by the number of the call, as bcc's hello-tail.

Needs root and tracefs: sudo python syscall_table.py
"""

import platform
import time

from pybpf import HashMap, ProgArray, RingBuf, Struct, char, load_collection, raw_tracepoint, u32, u64
from pybpf import helpers as bpf

EXECVE, KILL, TIMER_CREATE, TIMER_DELETE = (
    (221, 129, 107, 111) if platform.machine() == "aarch64" else (59, 62, 222, 226)
)


class Event(Struct):
    pid: u32
    what: char[20]


table = ProgArray(max_entries=512)
events = RingBuf(Event, size=1 << 16)
others = HashMap(u32, u64, max_entries=512)  # calls without a program of their own


@raw_tracepoint("sys_enter")
def dispatch(ctx):
    number = u32(ctx.args[1])
    table.tail_call(ctx, number)  # comes back only when there is no program for this call
    others[number] += 1


def announce(what):
    @raw_tracepoint("sys_enter", name=what)
    def program(ctx):
        events.output(Event(pid=bpf.get_current_pid_tgid() >> 32, what=what.encode()))

    return program


@raw_tracepoint("sys_enter")
def ignore(ctx):
    return 0


executed, killed, timed = announce("execve"), announce("kill"), announce("timer")


def start():
    """The programs in place, and attached."""
    objs = load_collection(dispatch, executed, killed, timed, ignore)
    objs[table].update(
        {EXECVE: objs[executed], KILL: objs[killed], TIMER_CREATE: objs[timed], TIMER_DELETE: objs[timed]}
    )
    objs[dispatch].attach()
    return objs


def main(seconds: float = 5) -> None:
    with start() as objs:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for event in objs[events].poll(0.2):
                print(f"{event.pid:>7} {event.what.decode()}")
        print("other calls:", dict(sorted(objs[others].items())))


if __name__ == "__main__":
    main()
