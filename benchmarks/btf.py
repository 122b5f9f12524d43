"""BTF of the running kernel: one name from a cold process, the whole of it, as C."""

from __future__ import annotations

import os
import sys

from pybpf.btf import Btf
from pybpf.btf.kinds import Kind

from ._measure import best_of, processes
from .elf import compiled_once

LOOKUP = "import sys; sys.path.insert(0, '.'); from pybpf import Btf; Btf.kernel()['task_struct']"


def main() -> None:
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        print("the running kernel has no BTF")
        return
    raw = Btf.kernel().raw
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
    with compiled_once():
        cold = processes({"empty": [python, "-c", "pass"], "lookup": [python, "-c", LOOKUP]}, 20)
    print(f"{len(raw):,} bytes, {len(Btf.parse(raw)):,} types")
    empty, lookup = (cold[name][0] * 1e3 for name in ("empty", "lookup"))
    print(f"one name from a cold process: {lookup:.0f} ms CPU (an empty process: {empty:.0f} ms)")
    best = best_of(
        {
            "index": lambda: Btf.parse(raw),
            "one name more": lambda: Btf.kernel().find("sk_buff", Kind.STRUCT),
            "all types with members": lambda: whole(raw),
            "all as C": lambda: Btf.parse(raw).c_header(),
        },
        3,
    )
    for name, seconds in best.items():
        print(f"{name}: {seconds * 1e3:.1f} ms")


def whole(raw: bytes) -> int:
    """Make every type, and read what it is made of."""
    count = 0
    for t in Btf.parse(raw):
        count += bool(t.name)
        for part in ("members", "params", "items"):
            count += len(getattr(t, part, ()))
    return count


if __name__ == "__main__":
    main()
