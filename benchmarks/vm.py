"""The offline machine: executed instructions a second of both engines, and what a translation costs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from pybpf import VM, Array, HashMap, ProgramSpec, asm, u32, u64
from pybpf.errors import BpfError
from pybpf.uapi import ProgType
from pybpf.vm import context, translate
from pybpf.vm.run import Run

from ._programs import example

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


SUMS = """
        r0 += r2
        r3 ^= r0
        r2 <<= 3
        w3 *= w2
        r2 -= 17
        r3 &= 1023
        *(u64 *)(r10 - 8) = r3
        r0 = *(u64 *)(r10 - 8)
"""
SHORT = """
        r2 = *(u32 *)(r1 + 80)
        r1 = *(u32 *)(r1 + 76)
        r3 = r1
        r3 += 34
        r0 = 0
        if r3 > r2 goto out
        r3 = *(u8 *)(r1 + 23)
        if r3 != 17 goto out
        r0 = *(u32 *)(r1 + 26)
        r0 = be32 r0
        r0 &= 255
out:    exit
"""


def _gallery() -> Iterator[ProgramSpec]:
    """The programs of the examples, those that the machine has inputs for."""
    for path in sorted((Path(__file__).resolve().parent.parent / "examples").glob("*.py")):
        try:
            found = [value for value in vars(example(path.stem)).values() if isinstance(value, ProgramSpec)]
        except (ImportError, OSError, SystemExit):  # what needs a kernel, or a package, that is not here
            continue
        yield from (spec for spec in found if spec.insns)


def _translation(spec: ProgramSpec, rounds: int = 100) -> tuple[float, float, float]:
    """Microseconds an instruction: (text, Python's compile(), binding), the best of fresh translations.

    The text is everything up to the source; binding makes functions of the compiled source for one machine.
    """
    vm = VM(spec)
    image = vm.images[0]
    data = UDP if spec.prog_type in context.PACKETS else None
    run = Run(vm, image, context.make(spec, None, vm.mem, vm.env, data), 1)
    source = translate.module_of(run, image).source
    best = [1e9] * 3
    for _ in range(rounds):
        translate.forget()
        begin = time.process_time()
        translate.module_of(run, image)
        written = time.process_time()
        translate.functions_of(run, image)
        bound = time.process_time()
        compile(source, "<translation>", "exec")
        best = list(map(min, best, (written - begin, bound - written, time.process_time() - bound)))
    whole, binding, compiling = (seconds / len(spec.insns) * 1e6 for seconds in best)
    return whole - compiling, compiling, binding


def main() -> None:
    ports = HashMap(u32, u64, max_entries=1024, name="ports")
    counts = Array(u64, max_entries=4, name="counts")
    loop = ProgramSpec(asm.assemble(LOOP), ProgType.SOCKET_FILTER, name="loop")
    parse = ProgramSpec(asm.assemble(PARSE), ProgType.XDP, name="parse", maps={"ports": ports, "counts": counts})
    straight = ProgramSpec(
        asm.assemble(f"r0 = 1\nr2 = 7\nr3 = 9\n{SUMS * 40}\nexit"), ProgType.SOCKET_FILTER, name="sums"
    )
    short = ProgramSpec(asm.assemble(SHORT), ProgType.SCHED_CLS, name="short")
    for spec, slow, fast in ((loop, 1, 1), (parse, 2000, 20000)):
        plain = _rate(spec, "interpreter", slow)
        quick = _rate(spec, "translator", fast)
        print(f"{spec.name:8} {quick:6.1f} M insn/s translated, {plain:5.2f} interpreted ({quick / plain:.0f}x)")
    print("translation, us an instruction: text + compile() + binding")
    for spec in (short, loop, parse, straight, _branches(20)):
        parts = _translation(spec, 300 if len(spec.insns) < 100 else 10)
        print(
            f"{spec.name:8} {sum(parts):6.1f} = {' + '.join(f'{p:.1f}' for p in parts)}  ({len(spec.insns)} instructions)"
        )
    costs = []
    for spec in _gallery():
        try:
            costs.append(sum(_translation(spec, 40)))
        except BpfError:  # its context cannot be made up
            continue
    costs.sort()
    middle, most = costs[len(costs) // 2], costs[len(costs) * 9 // 10]
    print(f"examples {middle:6.1f} in the middle, {most:.1f} for the tenth that costs most  ({len(costs)} programs)")


if __name__ == "__main__":
    main()
