"""Ring buffers beside the kernel's: what fits, what is refused, what the queries say, and what comes out."""

from __future__ import annotations

import asyncio
import random

import pytest

from pybpf import (
    VM,
    Array,
    ArrayOfMaps,
    HashMap,
    HashOfMaps,
    ProgramSpec,
    RingBuf,
    Struct,
    SyscallError,
    UserRingBuf,
    asm,
    bpf_syscall,
    char,
    load,
    u32,
    u64,
)
from pybpf import helpers as bpf
from pybpf.maps.create import create
from pybpf.uapi import ProgType

pytestmark = pytest.mark.kernel
FRAME = bytes(64)
ENGINES = ("interpreter", "translator")
COUNT = 12


def program_of(rng: random.Random) -> ProgramSpec:
    """Records of random sizes, submitted and discarded, until the ring is full; answers go to the array `out`."""
    text = []
    for n in range(COUNT):
        op = rng.choice(("output", "output", "reserve", "discard", "query"))
        size = rng.choice((1, 8, 16, 40, 256, 1024, 2000, 4080, 4088, 4096, 5000))
        if op == "output":
            size = min(size, 256)
            text += [f"*(u64 *)(r10 - 256) = {rng.randrange(1 << 20)}", "r1 = ring ll", "r2 = r10", "r2 += -256"]
            text += [f"r3 = {size}", f"r4 = {rng.choice((0, 0, 1, 2, 3, 4))}", "call bpf_ringbuf_output", "r7 = r0"]
        elif op == "query":
            text += ["r1 = ring ll", f"r2 = {rng.randrange(6)}", "call bpf_ringbuf_query", "r7 = r0"]
        else:
            text += [
                "r1 = ring ll",
                f"r2 = {size}",
                "r3 = 0",
                "call bpf_ringbuf_reserve",
                "r7 = 0",
                f"if r0 == 0 goto n{n}",
            ]
            text += [f"*(u8 *)(r0 + 0) = {rng.randrange(256)}"]
            text += [f"*(u8 *)(r0 + {i}) = 0" for i in range(1, min(size, 8))]
            text += [
                "r1 = r0",
                "r2 = 0",
                f"call bpf_ringbuf_{'submit' if op == 'reserve' else 'discard'}",
                "r7 = 1",
                f"n{n}:",
            ]
        text += [f"*(u32 *)(r10 - 4) = {n}", "*(u64 *)(r10 - 16) = r7", "r1 = out ll", "r2 = r10", "r2 += -4"]
        text += ["r3 = r10", "r3 += -16", "r4 = 0", "call bpf_map_update_elem"]
    stack = [f"*(u64 *)(r10 - {i}) = {i}" for i in range(8, 264, 8)]
    maps = {"ring": RingBuf(size=4096, name="ring"), "out": Array(u64, max_entries=COUNT, name="out")}
    return ProgramSpec(asm.assemble("\n".join([*stack, *text, "r0 = 0", "exit"])), ProgType.SCHED_CLS, maps=maps)


def rounds(machine, run) -> list:
    seen = []
    for _ in range(3):
        run(data=FRAME)
        seen.append(
            (
                dict(machine["out"].items()),
                [bytes(r)[:8] + bytes([len(bytes(r)) & 255]) for r in machine["ring"].drain()],
            )
        )
    return seen


def test_records_and_queries(scale):
    for seed in range(40 * scale):
        spec = program_of(random.Random(seed))
        with load(spec) as prog:
            expected = rounds(prog, prog.test_run)
        for engine in ENGINES:
            vm = VM(spec, engine=engine)
            assert rounds(vm, vm.run) == expected, seed


LOOKUP = """
    *(u32 *)(r10 - 4) = {outer}
    r1 = outer ll
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem
    if r0 == 0 goto none
    *(u32 *)(r10 - 4) = {inner}
    r1 = r0
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem
    if r0 == 0 goto empty
    r1 = *(u64 *)(r0 + 0)
    r1 += 1
    *(u64 *)(r0 + 0) = r1
    r0 = r1
    exit
none:
    r0 = 1000
    exit
empty:
    r0 = 2000
    exit
"""


@pytest.mark.parametrize("kind", ["array", "hash"])
def test_maps_in_maps(kind):
    inner = HashMap(u32, u64, max_entries=4, name="inner")
    others = [HashMap(u32, u64, max_entries=4, name=f"inner{i}") for i in range(2)]
    outer = ArrayOfMaps(inner, 3, name="outer") if kind == "array" else HashOfMaps(u32, inner, 3, name="outer")

    def play(make, fill) -> list:
        machine, run = make
        out = []
        for key, which, value in ((0, 0, 5), (1, 1, 7)):
            fill(machine, key, which, value)
        for _ in range(2):
            out.append(run(data=FRAME).retval)
        return out

    for key in (0, 1, 2, 7):
        for entry in (1, 3):
            text = LOOKUP.format(outer=key, inner=entry)
            spec = ProgramSpec(asm.assemble(text), ProgType.SCHED_CLS, maps={"outer": outer})

            def offline(vm, at, which, value):
                vm[outer][at] = others[which]
                vm[others[which]][1] = value

            results = []
            for engine in ENGINES:
                vm = VM(spec, engine=engine)
                results.append(play((vm, vm.run), offline))
            assert results[0] == results[1]
            with load(spec) as prog:
                made = [create(m) for m in others]

                def live(machine, at, which, value, made=made):
                    machine[outer][at] = made[which]
                    made[which][1] = value

                assert play((prog, prog.test_run), live) == results[0], (key, entry)
                for one in made:
                    one.close()


class Pair(Struct):
    first: u32
    name: char[4]


def drainer(flags: int):
    commands = UserRingBuf(size=4096, name="commands")
    seen = Array(u64, max_entries=1, name="seen")

    def take(record, context):
        pair = Pair()
        code = bpf.dynptr_read(pair, 4, record, 0, 0)
        seen[0] = seen[0] * 31 + pair.first + u64(code)
        return 1 if pair.first == 5 else 0

    @bpf_syscall
    def drain(ctx):
        return bpf.user_ringbuf_drain(commands, take, None, flags)

    return drain


def commands(machine, run) -> list:
    """Records of several sizes, one at which the callback stops, more than fit, and what is left then."""
    out = []
    for batch in ((), (1, 2, 3), (4, 5, 6, 7), tuple(range(10, 200)), ()):
        for number in batch:
            try:
                machine["commands"].push(number.to_bytes(4, "little") * (number % 3 * 20 + 1))
            except SyscallError as error:
                out.append((number, error.errno))
                break
        result = run()
        out.append((result.retval, machine["seen"][0]))
    return out


@pytest.mark.kernel
@pytest.mark.parametrize("flags", [0, 1, 2, 3, 4])
def test_records_for_programs(flags):
    spec = drainer(flags)
    with load(spec) as prog:
        expected = commands(prog, prog.test_run)
    for engine in ENGINES:
        vm = VM(spec, engine=engine)
        assert commands(vm, vm.run) == expected


def test_readers_offline_are_readers():
    """`for`, `drain`, `poll`, `consume` and `read_many` give what they give live, and take it once."""
    ring = RingBuf(Pair, size=4096, name="ring")
    text = (
        "*(u64 *)(r10 - 8) = 0x636201\nr1 = ring ll\nr2 = r10\nr2 += -8\nr3 = 8\nr4 = 0\ncall bpf_ringbuf_output\nexit"
    )
    vm = VM(ProgramSpec(asm.assemble(text), ProgType.SCHED_CLS, maps={"ring": ring}))
    view = vm[ring]

    def send(count: int) -> None:
        for _ in range(count):
            assert vm.run(data=FRAME).retval == 0

    send(5)
    assert view.pending == 5 * 16
    for event in view:
        assert event.first == 0x636201
        break
    assert [e.first for e in view.poll(0.1)] == [0x636201] * 4
    send(3)
    rows = view.read_many(2)
    assert (len(rows), rows.fields, rows[0], rows.column("first")) == (
        2,
        ("first", "name"),
        (0x636201, b"\0\0\0\0"),
        [0x636201] * 2,
    )
    seen: list = []
    assert view.consume(seen.append) == len(seen) == 1
    send(1)

    async def later() -> list:
        return [event.first async for event in view]

    assert asyncio.run(later()) == [0x636201]
    assert (view.drain(), view.pending) == ([], 0)
