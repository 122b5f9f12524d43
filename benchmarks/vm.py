"""The offline machine: executed instructions a second of both engines, and what a translation costs."""

from __future__ import annotations

import time

from pybpf import VM, Array, HashMap, ProgramSpec, asm, u32, u64
from pybpf.uapi import ProgType
from pybpf.vm import context, translate
from pybpf.vm.run import Run

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


def _branches(count: int) -> ProgramSpec:
    """A parser of `count` tests: bounds check, load, two branches that meet again."""
    text = ["r6 = r1", "r0 = 0"]
    for i in range(count):
        text += ["r2 = *(u32 *)(r6 + 76)", "r3 = *(u32 *)(r6 + 80)", "r4 = r2", f"r4 += {14 + i % 50}"]
        text += ["if r4 > r3 goto out", f"r5 = *(u8 *)(r2 + {i % 50})", f"if r5 == {i % 7} goto l{i}", f"r0 += {i}"]
        text += [f"if r5 != 3 goto l{i}", "r0 ^= r5", f"l{i}:"]
    return ProgramSpec(asm.assemble("\n".join([*text, "out:", "exit"])), ProgType.SCHED_CLS, name="tests")


def _translation(spec: ProgramSpec) -> float:
    """Microseconds an instruction, the best of thirty fresh translations."""
    vm = VM(spec)
    image = vm.images[0]
    run = Run(vm, image, context.make(spec, None, vm.mem, vm.env, UDP), 1)
    best = 1e9
    for _ in range(30):
        translate.forget()
        start = time.process_time()
        translate.module_of(run, image)
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
        print(
            f"{spec.name:6} {quick:6.1f} M insn/s translated, {plain:5.2f} interpreted ({quick / plain:.0f}x);"
            f" translation {_translation(spec):.1f} us an instruction of {len(spec.insns)}"
        )
    tests = _branches(20)
    print(f"{tests.name:6} translation {_translation(tests):.1f} us an instruction of {len(tests.insns)}")


if __name__ == "__main__":
    main()
