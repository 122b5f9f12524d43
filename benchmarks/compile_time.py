"""How long compiling takes: a program of 30 lines, programs of growing size, and clang as a process beside them."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from pybpf import HashMap, u32, u64, xdp
from pybpf.net import Ethernet, IPv4, Udp

from .codegen import clang, slots

counts = HashMap(u32, u64, max_entries=1024)
HEAD = """def f(ctx):
    ip = ctx.packet(IPv4, at=14)
    if ip is None:
        return 2
    udp = ctx.packet(Udp, after=ip)
    if udp is None:
        return 2
    x = u32(0)
"""
PART = """    if ip.ttl == {0}:
        x += ip.saddr & {1}
        counts[{0}] += 1
    elif udp.dest > {1}:
        x ^= udp.source * {0}
"""


def text(parts: int) -> str:
    return HEAD + "".join(PART.format(i & 255, i * 7 + 3) for i in range(parts)) + "    return x & 3\n"


def build(source: str):
    scope = {"counts": counts, "IPv4": IPv4, "Udp": Udp, "Ethernet": Ethernet, "u32": u32}
    exec(compile(source, "<benchmark>", "exec"), scope)
    return scope["f"]


def measure(source: str, rounds: int) -> tuple[float, int]:
    """Median milliseconds from function to instructions, and how many there are."""
    function = build(source)
    times = []
    for _ in range(rounds):
        spec = xdp(source=source)(function)
        start = time.perf_counter()
        insns = spec.insns
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times), slots(insns)


def clang_process() -> float | None:
    compiler = clang()
    if compiler is None:
        return None
    program = "int f(void *ctx) { return 2; }\n"
    with tempfile.TemporaryDirectory() as work:
        source = Path(work) / "f.c"
        source.write_text(program)
        times = []
        for _ in range(7):
            start = time.perf_counter()
            subprocess.run([compiler, "-O2", "-target", "bpf", "-c", source, "-o", f"{source}.o"], check=True)
            times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def main() -> None:
    measure(text(2), 2)  # imports
    per_insn = []
    for parts in (5, 20, 40, 80, 150):
        source = text(parts)
        ms, insns = measure(source, 5)
        per_insn.append(ms / insns)
        print(f"{source.count(chr(10)):5} lines {insns:6} instructions {ms:8.1f} ms  {1e3 * ms / insns:6.1f} us each")
    print(f"largest over smallest, a line of growth: {per_insn[-1] / per_insn[0]:.2f}x an instruction")
    process = clang_process()
    if process is not None:
        print(f"{clang()} -O2, an empty program as a process: {process:.0f} ms")


if __name__ == "__main__":
    main()
