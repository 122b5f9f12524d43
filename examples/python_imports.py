"""What other Python processes import, and how long it takes: USDT, the probes that a program's authors put into it.

Needs root, Linux 5.15 and a python3 built with probes, as Debian's and Fedora's are: sudo python python_imports.py [PATH]
"""

import sys

from pybpf import HashMap, RingBuf, Struct, char, load_collection, u32, u64, usdt
from pybpf import helpers as bpf


class Import(Struct):
    ns: u64  # those of the modules that it imports included
    pid: u32
    found: u32
    name: char[64]


began = HashMap(u64, u64, max_entries=10240)  # by the address of the name
imports = RingBuf(Import, size=1 << 18)


@usdt
def enter(ctx, name):
    began[name] = bpf.ktime_get_ns()


@usdt
def leave(ctx, name, found):
    at = began.get(name)
    if at is None:
        return 0
    event = imports.reserve()
    if event is not None:
        event.ns = bpf.ktime_get_ns() - at
        event.pid = bpf.get_current_pid_tgid() >> 32
        event.found = u32(found)
        bpf.probe_read_user_str(event.name, name)
        event.submit()
    del began[name]
    return 0


def start(python: str = "/usr/bin/python3"):
    objs = load_collection(enter, leave)
    objs[enter].attach(f"{python}:python:import__find__load__start")
    objs[leave].attach(f"{python}:python:import__find__load__done")
    return objs


def main(*python: str) -> None:
    with start(*python) as objs:
        for event in objs[imports]:
            result = f"{event.ns / 1e6:9.3f} ms" if event.found else "   not found"
            print(f"{event.pid:>7} {result}  {event.name.decode()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
