"""The code that pybpf makes beside what clang -O2 makes of the same programs in C: instructions, and nanoseconds a packet."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import tempfile
from math import exp, log
from pathlib import Path

from pybpf import load
from pybpf.elf import open_elf
from pybpf.net import ETH_P_IP, Ethernet, IPv4, Udp

from ._programs import programs

ROUNDS = 9
REPEAT = 1_000_000
PACKET = (
    bytes(Ethernet(dst=(1,) * 6, src=(2,) * 6, type=ETH_P_IP))
    + bytes(IPv4(version=4, ihl=5, ttl=64, protocol=17, length=60, saddr=0x0A000001, daddr=0x0A000002))
    + bytes(Udp(source=1234, dest=53, length=40))
    + bytes(32)
)
ICMP = PACKET[:23] + b"\x01" + PACKET[24:34] + b"\x08\x00" + bytes(38)


def clang() -> str | None:
    return next((c for c in (*(f"clang-{n}" for n in range(25, 14, -1)), "clang") if shutil.which(c)), None)


def includes() -> list[str]:
    """Where <asm/types.h> is, for a target that is not the machine's own."""
    printed = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True).stdout.strip()
    return [f"-I/usr/include/{printed or 'x86_64-linux-gnu'}"]


def compiled(cpu: str) -> bytes:
    source = Path(__file__).parent / "c" / "codegen.bpf.c"
    compiler = clang()
    assert compiler
    with tempfile.TemporaryDirectory() as work:
        out = Path(work) / "codegen.o"
        subprocess.run(
            [
                compiler,
                "-O2",
                "-g",
                "-target",
                "bpf",
                f"-mcpu={cpu}",
                *includes(),
                "-c",
                source,
                "-o",
                out,
            ],
            check=True,
        )
        return out.read_bytes()


def measure(ours, theirs, data: bytes) -> tuple[float, float]:
    """Median nanoseconds a run of two programs, in turns."""
    a, b = [], []
    for _ in range(ROUNDS):
        a.append(ours.test_run(data, repeat=REPEAT).duration)
        b.append(theirs.test_run(data, repeat=REPEAT).duration)
    return statistics.median(a), statistics.median(b)


def slots(insns) -> int:
    return sum(insn.slots for insn in insns)


def main() -> None:
    compiler = clang()
    if compiler is None:
        print("no clang is installed: nothing to compare with")
        return
    for cpu, isa in (("v3", 3), ("v4", 4)):
        theirs = {spec.name: spec for spec in open_elf(compiled(cpu)).programs}
        sizes, times = [], []
        print(f"{compiler} -O2 -mcpu={cpu}      instructions        ns a packet")
        for name, spec in programs().items():
            spec = spec.replace(isa=isa)
            other = theirs[name]
            mine, its = slots(spec.insns), slots(other.insns)
            data = ICMP if name == "echo" else PACKET
            with load(spec) as p, load(other) as q:
                for prog in (p, q):
                    if name == "drop_ports":
                        prog["blocked"][53] = 0
                ns, c_ns = measure(p, q, data)
            sizes.append(mine / its)
            times.append(ns / max(c_ns, 1))
            print(
                f"  {name:14} {mine:5} {its:5} {mine / its:6.2f}    {ns:5.0f} {c_ns:5.0f} {ns / max(c_ns, 1):6.2f}",
                flush=True,
            )
        print(f"  geometric mean            {mean(sizes):6.2f}                {mean(times):6.2f}")


def mean(ratios: list[float]) -> float:
    return exp(sum(map(log, ratios)) / len(ratios))


if __name__ == "__main__":
    main()
