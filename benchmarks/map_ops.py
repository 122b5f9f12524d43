"""Map operations from Python, against ctypes calls of bpf(2) with everything prepared beforehand.

A hash of u32 -> u64 with 10,000 entries.  The bare loop packs a key, calls and reads the value, and nothing more.
"""

from __future__ import annotations

import ctypes
import os

from benchmarks._measure import best_of

ENTRIES = 10_000
NUMBER = {"x86_64": 321}.get(os.uname().machine, 280)


class Elem(ctypes.Structure):
    _fields_ = (
        ("fd", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
        ("key", ctypes.c_uint64),
        ("value", ctypes.c_uint64),
        ("flags", ctypes.c_uint64),
    )


def bare(fd: int):
    libc = ctypes.CDLL(None, use_errno=True)
    key, following, value = ctypes.c_uint32(), ctypes.c_uint32(), ctypes.c_uint64()
    elem = Elem(fd, 0, ctypes.addressof(key), ctypes.addressof(value), 0)
    walk = Elem(fd, 0, ctypes.addressof(key), ctypes.addressof(following), 0)
    attr, walk_attr, syscall = ctypes.byref(elem), ctypes.byref(walk), libc.syscall

    def lookup():
        for i in range(ENTRIES):
            key.value = i
            if syscall(NUMBER, 1, attr, 32):
                raise KeyError(i)
            _ = value.value

    def update():
        for i in range(ENTRIES):
            key.value = i
            value.value = 5
            if syscall(NUMBER, 2, attr, 32):
                raise KeyError(i)

    def iterate():
        out = {}
        walk.key = 0
        while not syscall(NUMBER, 4, walk_attr, 32):
            walk.key = ctypes.addressof(key)
            key.value = following.value
            if not syscall(NUMBER, 1, attr, 32):
                out[key.value] = value.value

    return lookup, update, iterate


def main() -> None:
    from pybpf import HashMap, u32, u64
    from pybpf.maps.create import create

    with create(HashMap(u32, u64, max_entries=ENTRIES)) as live:
        for i in range(ENTRIES):
            live[i] = i * 3

        def lookup():
            for i in range(ENTRIES):
                live[i]

        def update():
            for i in range(ENTRIES):
                live[i] = 5

        def iterate():
            for _ in live.items():
                pass

        plain = bare(live.fileno())
        cases = dict(zip(("bare lookup", "bare update", "bare next-key loop"), plain, strict=True))
        cases |= {"lookup": lookup, "update": update, "items()": iterate}
        cases |= {"dict(items())": lambda: dict(live.items())}
        best = best_of(cases)
    for name, reference in (
        ("lookup", "bare lookup"),
        ("update", "bare update"),
        ("items()", "bare next-key loop"),
        ("dict(items())", "bare next-key loop"),
    ):
        rate, base = ENTRIES / best[name] / 1e6, ENTRIES / best[reference] / 1e6
        print(f"{name:14} {rate:6.3f} M/s   {reference} {base:6.3f} M/s   ratio {rate / base:5.2f}x")


if __name__ == "__main__":
    main()
