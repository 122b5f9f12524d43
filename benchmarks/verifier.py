"""How fast programs are checked, beside the kernel where it may be asked, and beside PREVAIL's published figures.

PREVAIL needs 1.06 s for 4,000 straight arithmetic instructions, 2.2 s for 4,000 with branches, 3.4 s for 4,000 of masked indexing
(and 1.6 to 3.1 GB); its times are printed as they were measured, on another machine.
"""

from __future__ import annotations

import resource
import time
import tracemalloc

from pybpf import MapSpec, ProgramSpec, verify
from pybpf.asm import assemble
from pybpf.uapi.map import MapType
from pybpf.uapi.prog import ProgType

PREVAIL = {"straight": 1.06, "branches": 2.2, "indexing": 3.4}


def straight(count: int) -> ProgramSpec:
    """Arithmetic on an unknown number, in a row."""
    ops = ("r2 += r3", "r3 ^= r2", "r2 *= 3", "r3 &= 65535", "r2 >>= 2", "r3 |= 1", "w2 -= w3", "r3 <<= 1")
    body = "\n".join(ops[i % len(ops)] for i in range(count))
    return _spec(f"r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\n{body}\nr0 = 0\nexit")


def branches(count: int) -> ProgramSpec:
    """A comparison every few instructions, whose ways meet again."""
    part = "r2 = *(u32 *)(r1 + 0)\nif r2 > 7 goto l{i}\nr3 ^= r2\nl{i}: r3 &= 255"
    body = "\n".join(part.format(i=i) for i in range(count // 4))
    return _spec(f"r3 = *(u32 *)(r1 + 4)\n{body}\nr0 = 0\nexit")


def indexing(count: int) -> ProgramSpec:
    """Loads and stores in a map value at masked indices."""
    body = (
        "r2 = *(u32 *)(r6 + 0)\nr2 &= 31\nr3 = r7\nr3 += r2\nr4 = *(u8 *)(r3 + 0)\nr4 += 1\n*(u8 *)(r3 + 0) = r4\n"
        * (count // 7)
    )
    head = "r6 = r1\n*(u32 *)(r10 - 4) = 0\nr2 = r10\nr2 += -4\nr1 = values ll\ncall 1\nif r0 == 0 goto out\nr7 = r0\n"
    values = MapSpec(MapType.ARRAY, 4, 64, 8, name="values")
    return _spec(f"{head}{body}out: r0 = 0\nexit", {"values": values})


def loop(count: int) -> ProgramSpec:
    """A loop that runs until its bound."""
    return _spec(f"r1 = 0\nl: r1 += 1\nif r1 < {count} goto l\nr0 = 0\nexit")


def _spec(text: str, maps: dict[str, MapSpec] | None = None) -> ProgramSpec:
    return ProgramSpec(assemble(text), ProgType.SOCKET_FILTER, name="bench", maps=maps or {})


def main() -> None:
    """Print seconds, instructions per second and peak memory of each program, at two sizes."""
    print(f"{'program':<10} {'size':>6} {'seconds':>8} {'insns/s':>9} {'peak MB':>8}  PREVAIL at 4,000")
    for make in (straight, branches, indexing):
        for size in (4000, 8000):
            _measure(make.__name__, make(size), size)
    _measure("loop", loop(100_000), 200_000)
    print(f"peak resident memory of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


def _measure(name: str, spec: ProgramSpec, size: int) -> None:
    verify(_spec("r0 = 0\nexit"))
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        report = verify(spec)
        best = min(best, time.process_time() - start)
    assert report.ok, report
    tracemalloc.start()
    verify(spec)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    beside = (
        f"  {PREVAIL[name]:.2f} s ({PREVAIL[name] / best:.0f} times as long)"
        if name in PREVAIL and size == 4000
        else ""
    )
    print(f"{name:<10} {size:>6} {best:>8.3f} {report.processed / best:>9.0f} {peak:>8.1f}{beside}")


if __name__ == "__main__":
    main()
