"""Control flow that generated arithmetic does not reach, run by the kernel and both engines: legacy packet loads, long
jumps, may_goto, tail calls, loops in callbacks.
"""

from __future__ import annotations

import random

import pytest

from pybpf import (
    VM,
    Array,
    ProgArray,
    ProgramSpec,
    Struct,
    VerifierError,
    asm,
    load,
    load_collection,
    socket_filter,
    u32,
    u64,
)
from pybpf import helpers as bpf
from pybpf.asm import Insn
from pybpf.uapi import ProgType

pytestmark = pytest.mark.kernel
ENGINES = ("interpreter", "translator")
FRAME = bytes(12) + b"\x08\x00" + bytes([0x45, 0, 0, 60, 0, 1, 0, 0, 64, 17]) + bytes(range(50))


def same(spec: ProgramSpec, frame: bytes = FRAME) -> int:
    with load(spec) as prog:
        expected = prog.test_run(data=frame).retval
    for engine in ENGINES:
        assert VM(spec, engine=engine).run(data=frame).retval == expected, engine
    return expected


def legacy(rng: random.Random) -> ProgramSpec:
    """Loads at constant and computed offsets, inside the packet and out, and relative to its headers."""
    code = [Insn(0xBF, 6, 1), Insn(0xB7, 7)]
    for _ in range(rng.randrange(1, 6)):
        size = rng.choice((0x00, 0x08, 0x10))
        offset = rng.choice(
            (0, 1, 9, 20, 40, 55, 56, 59, 60, 1000, -0x100000, -0x100000 + 9, -0x200000, -0x200000 + 13, -5)
        )
        if rng.random() < 0.5:
            code.append(Insn(0x20 | size, imm=offset))
        else:
            part = rng.choice((0, 1, -1, 20, offset))
            code += [Insn(0xB7, 8, imm=part), Insn(0x40 | size, 0, 8, imm=offset - part)]
        code += [Insn(0x27, 7, imm=31), Insn(0x0F, 7, 0)]
    return ProgramSpec([*code, Insn(0xBF, 0, 7), Insn(0x95)], rng.choice((ProgType.SOCKET_FILTER, ProgType.SCHED_CLS)))


def test_legacy_packet_loads(scale):
    values = {same(legacy(random.Random(seed))) for seed in range(300 * scale)}
    assert len(values) > 50


def jumping(rng: random.Random) -> ProgramSpec:
    """Forward jumps of both lengths, on both widths."""
    count = rng.randrange(4, 30)
    text = ["r0 = 1", "r6 = r1", f"r7 = {rng.randrange(-5, 5)}"]
    for i in range(count):
        text.append(f"l{i}:")
        to = rng.randrange(i + 1, count + 1)
        kind = rng.randrange(5)
        if kind < 2:  # what follows must be reached some other way
            text.append(f"if r7 == {rng.randrange(-4, 5)} goto l{i + 1}")
            text.append(f"{('goto', 'gotol')[kind]} l{to}")
        elif kind == 2:
            test = f"{rng.choice('rw')}7 {rng.choice(('==', '!=', '>', '<', 's>', 's<', '&'))} {rng.randrange(-4, 5)}"
            text.append(f"if {test} goto l{to}")
        else:
            text.append("r0 *= 3")
            text.append(f"r0 += {i}")
            text.append(f"r7 {rng.choice(('+=', '^=', '-='))} {rng.randrange(1, 4)}")
    text += [f"l{count}:", "exit"]
    return ProgramSpec(asm.assemble("\n".join(text)), ProgType.SOCKET_FILTER)


def test_jumps_near_and_far(scale):
    taken = 0
    for seed in range(300 * scale):
        try:
            same(jumping(random.Random(seed)))
            taken += 1
        except VerifierError:  # the conditions leave some instruction out of reach
            continue
    assert taken > 50


@pytest.mark.parametrize("bound", [1, 5, 1000])
def test_may_goto_leaves_nothing_undone(bound):
    spec = ProgramSpec(
        asm.assemble(f"r0 = 0\nagain: may_goto out\nr0 += 1\nif r0 < {bound} goto again\nout: exit"),
        ProgType.SOCKET_FILTER,
    )
    assert same(spec) == bound


@pytest.mark.parametrize("others", [0, 1, 2])
def test_tail_calls_end_at_the_limit(others):
    """Programs that call each other in a ring; each call counts in a map, and the last one gives the number."""
    programs = ProgArray(max_entries=4, name="programs")
    count = Array(u64, max_entries=1, name="count")
    add = "r1 = count ll\nr2 = r10\nr2 += -4\n*(u32 *)(r10 - 4) = 0\ncall bpf_map_lookup_elem\nif r0 == 0 goto end\n"
    add += "r1 = 1\nlock *(u64 *)(r0 + 0) += r1\nr7 = r0\n"
    text = (
        "r6 = r1\n" + add + "r1 = r6\nr2 = programs ll\nr3 = {}\ncall bpf_tail_call\nr0 = *(u64 *)(r7 + 0)\nend: exit"
    )
    ring = [
        ProgramSpec(
            asm.assemble(text.format((i + 1) % (others + 1))),
            ProgType.SCHED_CLS,
            name=f"p{i}",
            maps={"programs": programs, "count": count},
        )
        for i in range(others + 1)
    ]
    with load_collection(*ring) as objects:
        for i, spec in enumerate(ring):
            objects[programs][i] = objects[spec]
        expected = objects[ring[0]].test_run(data=FRAME).retval
    for engine in ENGINES:
        vm = VM(*ring, engine=engine)
        for i, spec in enumerate(ring):
            vm[programs][i] = spec
        assert vm.run(data=FRAME).retval == expected == 34


class Total(Struct):
    value: u64
    inner: u64


def second(index: u32, total):
    total.value = (total.value * 3 + index) & 1023
    return 1 if index >= 7 else 0


def first(index: u32, total):
    total.value += bpf.loop(u32(total.inner), second, total)
    return 1 if index == 2 else 0


@pytest.mark.parametrize(("outer", "inner"), [(0, 5), (2, 1), (4, 20), (9, 5), (1, 1)])
def test_loops_in_loops(outer, inner):
    @socket_filter
    def nested(skb):
        total = Total()
        total.inner = inner
        rounds = bpf.loop(outer, first, total)
        return u32(rounds * 4096 + total.value)

    same(nested)
