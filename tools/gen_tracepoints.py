"""Write pybpf/kernel/tracepoints.py: the fields of common trace events, from the tracefs of the running kernel.

python tools/gen_tracepoints.py            # as root, with tracefs mounted at /sys/kernel/tracing
python tools/gen_tracepoints.py --check    # compare; says so when there is no tracefs to compare with
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path("/sys/kernel/tracing/events")
OUT = Path(__file__).resolve().parent.parent / "pybpf" / "kernel" / "tracepoints.py"
CATEGORIES = (
    "block", "exceptions", "irq", "napi", "net", "oom", "power", "qdisc", "raw_syscalls", "sched", "signal", "skb", "sock",
    "syscalls", "task", "tcp", "timer", "udp", "vmscan", "workqueue", "writeback", "xdp",
)  # fmt: skip

HEAD = '''"""Fields of common trace events, for compiling where there is no tracefs.

Written by tools/gen_tracepoints.py from the tracefs of Linux {kernel}; do not edit.
Layouts differ between kernels: where tracefs is mounted, it is asked instead.
"""
# ruff: noqa: E501

from __future__ import annotations

# System calls: names of the arguments, each 8 bytes from offset 16 on.
CALLS = """\\
{calls}"""

# Other events: name, then declaration@offset:size:signed of each field.
EVENTS = """\\
{events}"""
'''


def fields(path: Path) -> list[tuple[str, int, int, int]]:
    found = []
    for line in path.read_text().splitlines():
        line = line.strip()
        if line.startswith("field:"):
            parts = dict(part.strip().split(":", 1) for part in line.split(";") if ":" in part)
            found.append((parts["field"], int(parts["offset"]), int(parts["size"]), int(parts["signed"])))
    return [f for f in found if f[1] >= 8]


def render() -> str:
    calls, events = [], []
    for category in CATEGORIES:
        for event in sorted((ROOT / category).glob("*/format")) if (ROOT / category).exists() else ():
            name = event.parent.name
            rows = fields(event)
            if category == "syscalls":
                if name.startswith("sys_enter_"):
                    args = [declaration.split()[-1].lstrip("*") for declaration, *_ in rows[1:]]
                    calls.append("|".join([name.removeprefix("sys_enter_"), *args]))
                continue
            events.append("|".join([f"{category}/{name}", *(f"{d}@{o}:{s}:{g}" for d, o, s, g in rows)]))
    release = ".".join(os.uname().release.split(".")[:2])
    text = HEAD.replace("{kernel}", release)
    return text.replace("{calls}", "\n".join(calls) + "\n").replace("{events}", "\n".join(events) + "\n")


def main() -> int:
    if not ROOT.exists():
        print(
            "gen_tracepoints: no tracefs is mounted, nothing compared"
            if "--check" in sys.argv
            else "mount tracefs first"
        )
        return 0 if "--check" in sys.argv else 1
    if "--check" not in sys.argv:
        OUT.write_text(render())
        return 0
    ours, theirs = OUT.read_text(), render()
    if ours.split("do not edit")[0] == theirs.split("do not edit")[0] and ours != theirs:
        print("gen_tracepoints: the running kernel has other fields: run it again")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
