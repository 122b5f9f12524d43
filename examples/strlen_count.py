"""Count the strings that programs measure with strlen, a function of a library: bcc's strlen_count.

Needs root: sudo python strlen_count.py [PID]
"""

import ctypes
import sys
import time

from pybpf import HashMap, Struct, char, load, u64, uprobe
from pybpf import helpers as bpf


class Text(Struct):
    value: char[80]


counts = HashMap(Text, u64, max_entries=10240)


@uprobe
def on_strlen(ctx, string):
    text = Text()
    if bpf.probe_read_user_str(text.value, string) > 0:
        counts[text] += 1


def place(function: str) -> tuple[str, int]:
    """The file and offset of a function of libc, as this machine resolves it: strlen has one body for each kind of CPU."""
    address = ctypes.cast(getattr(ctypes.CDLL("libc.so.6"), function), ctypes.c_void_p).value or 0
    with open("/proc/self/maps") as maps:
        for line in maps:
            where, _, offset, _, _, *path = line.split(maxsplit=5)
            start, end = (int(part, 16) for part in where.split("-"))
            if start <= address < end:
                return path[0].strip(), address - start + int(offset, 16)
    raise LookupError(function)


def attach(prog, pid: int = -1):
    path, offset = place("strlen")
    return prog.attach(path, offset=offset, pid=pid)


def main(pid: str = "-1") -> None:
    with load(on_strlen) as prog, attach(prog, int(pid)):
        time.sleep(5)
        for text, n in sorted(prog[counts].items(), key=lambda item: item[1]):
            print(f"{n:>10} {text.value.decode(errors='replace')!r}")


if __name__ == "__main__":
    main(*sys.argv[1:])
