"""The offline machine: executed instructions a second of both engines, and what a translation costs."""

from __future__ import annotations

import time

from pybpf import VM, Array, HashMap, ProgramSpec, asm, u32, u64
from pybpf.uapi import ProgType
from pybpf.vm import translate

LOOP = """
        r1 = 300000
        r0 = 0
loop:   *(u64 *)(r10 - 8) = r1
        r2 = *(u64 *)(r10 - 8)
        r0 += r2
        r3 = r2
        r3 &= 255
        r0 ^= r3
        r4 = r0
        r4 >>= 3
        r1 -= 1
        if r1 != 0 goto loop
        exit
"""
PARSE = """
        r6 = 0
        r2 = *(u32 *)(r1 + 4)
        r1 = *(u32 *)(r1 + 0)
        r3 = r1
        r3 += 42
        if r3 > r2 goto pass
        r3 = *(u16 *)(r1 + 12)
        if r3 != 8 goto pass
        r3 = *(u8 *)(r1 + 23)
        if r3 != 17 goto pass
        r7 = *(u16 *)(r1 + 36)
        r7 = be16 r7
        *(u32 *)(r10 - 4) = r7
        r2 = r10
        r2 += -4
        r1 = ports ll
        call bpf_map_lookup_elem
        if r0 == 0 goto pass
        r1 = 1
        lock *(u64 *)(r0 + 0) += r1
        r7 &= 3
        *(u32 *)(r10 - 4) = r7
        r2 = r10
        r2 += -4
        r1 = counts ll
        call bpf_map_lookup_elem
        if r0 == 0 goto pass
        r1 = *(u64 *)(r0 + 0)
        r1 += 1
        *(u64 *)(r0 + 0) = r1
        r0 = 1
        exit
pass:   r0 = 2
        exit
"""
UDP = bytes(12) + b"\x08\x00" + b"\x45" + bytes(8) + b"\x11" + bytes(12) + b"\x00\x35" + bytes(40)


def _rate(spec: ProgramSpec, engine: str, repeat: int) -> float:
    """Millions of instructions a second, the best of five runs."""
    best = 0.0
    vm = VM(spec, engine=engine)
    if spec.maps:
        vm["ports"][53] = 0
    for _ in range(5):
        start = time.process_time()
        result = vm.run(data=UDP, repeat=repeat)
        best = max(best, result.insns / (time.process_time() - start) / 1e6)
    return best


def _translation(spec: ProgramSpec) -> float:
    """Microseconds an instruction, the best of ten fresh translations."""
    best = 1e9
    for _ in range(10):
        translate.forget()
        vm = VM(spec)
        start = time.process_time()
        vm.translate()
        best = min(best, time.process_time() - start)
    return best / len(spec.insns) * 1e6


def main() -> None:
    ports = HashMap(u32, u64, max_entries=1024, name="ports")
    counts = Array(u64, max_entries=4, name="counts")
    loop = ProgramSpec(asm.assemble(LOOP), ProgType.SOCKET_FILTER, name="loop")
    parse = ProgramSpec(asm.assemble(PARSE), ProgType.XDP, name="parse", maps={"ports": ports, "counts": counts})
    for spec, slow, fast in ((loop, 1, 1), (parse, 2000, 20000)):
        plain = _rate(spec, "interpreter", slow)
        quick = _rate(spec, "translator", fast)
        cost = _translation(spec)
        print(
            f"{spec.name:6} {quick:6.1f} M insn/s translated, {plain:5.2f} interpreted ({quick / plain:.0f}x);"
            f" translation {cost:.1f} us an instruction"
        )


if __name__ == "__main__":
    main()
