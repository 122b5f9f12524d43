"""Timers: sequences of operations on one in a map value, in the kernel with its clock and in a machine with the test's."""

from __future__ import annotations

import random
import time

import pytest

from pybpf import VM, Array, HashMap, ProgramSpec, Struct, asm, load, u32, u64
from pybpf.btf import BtfBuilder
from pybpf.uapi import ProgType, bpf_timer

pytestmark = pytest.mark.kernel

FRAME = bytes(64)
SOON, LATE, WAIT = 4_000_000, 60_000_000_000, 0.03
STEPS = 12


class Timed(Struct):
    before: u64
    timer: bpf_timer


TIMERS = {
    "array": Array(Timed, max_entries=1, name="timers"),
    "hash": HashMap(u32, Timed, max_entries=1, name="timers"),
}
# What the callbacks do: `a` tries to stop itself, `b` starts itself again until it has run three times.
CALLBACKS = {
    "a": """
a:  r6 = r3
    r1 = map_val(fired) + 0
    r2 = *(u64 *)(r1 + 0)
    r2 += 1
    *(u64 *)(r1 + 0) = r2
    r1 = r6
    r1 += 8
    call bpf_timer_cancel
    r1 = map_val(fired) + 0
    *(u64 *)(r1 + 16) = r0
    r0 = 0
    exit
""",
    "b": """
b:  r6 = r3
    r1 = map_val(fired) + 0
    r2 = *(u64 *)(r1 + 8)
    r2 += 1
    *(u64 *)(r1 + 8) = r2
    if r2 > 2 goto done
    r1 = r6
    r1 += 8
    r2 = 1000000
    r3 = 0
    call bpf_timer_start
    r1 = map_val(fired) + 0
    *(u64 *)(r1 + 24) = r0
done: r0 = 0
    exit
""",
}


class Fired(Struct):
    a: u64
    b: u64
    cancelled: u64
    restarted: u64


def step(rng: random.Random, kind: str) -> str:
    timer = "r1 = r7\nr1 += 8"
    flags = rng.choice((0, 1, 7, 1, 1, 2, 3, 16, 17, 1 << 32))
    choices = [
        f"{timer}\nr2 = timers ll\nr3 = {flags} ll\ncall bpf_timer_init",
        f"{timer}\nr2 = code_addr({rng.choice('ab')})\ncall bpf_timer_set_callback",
        f"{timer}\nr2 = {rng.choice((SOON, LATE))} ll\nr3 = {rng.choice((0, 0, 0, 2, 4, 8))}\ncall bpf_timer_start",
        f"{timer}\nr2 = {rng.choice((0, 1))}\nr3 = {rng.choice((1, 3))}\ncall bpf_timer_start",
        f"{timer}\ncall bpf_timer_cancel",
    ]
    weights = [4, 3, 4, 0, 2]
    return rng.choices(choices, weights)[0]


def program(seed: int, kind: str) -> ProgramSpec:
    rng = random.Random(seed)
    text = [
        "r6 = r1",
        "*(u32 *)(r10 - 4) = 0",
        "r1 = timers ll",
        "r2 = r10",
        "r2 += -4",
    ]
    if kind == "hash":  # an element to begin with
        text += [
            "*(u64 *)(r10 - 32) = 0",
            "*(u64 *)(r10 - 24) = 0",
            "*(u64 *)(r10 - 16) = 0",
            "r3 = r10",
            "r3 += -32",
            "r4 = 1",
        ]
        text += ["call bpf_map_update_elem", "r1 = timers ll", "r2 = r10", "r2 += -4"]
    text += ["call bpf_map_lookup_elem", "if r0 == 0 goto end", "r7 = r0"]
    for n in range(STEPS):
        text += [step(rng, kind), "r1 = map_val(out) + 0", f"*(u64 *)(r1 + {8 * n}) = r0"]
        if not rng.randrange(12):  # a new value: the timer goes with the old one
            text += ["*(u64 *)(r10 - 32) = 0", "*(u64 *)(r10 - 24) = 0", "*(u64 *)(r10 - 16) = 0", "r1 = timers ll"]
            text += ["r2 = r10", "r2 += -4", "r3 = r10", "r3 += -32", "r4 = 0", "call bpf_map_update_elem"]
            text += [
                "r1 = timers ll",
                "r2 = r10",
                "r2 += -4",
                "call bpf_map_lookup_elem",
                "if r0 == 0 goto end",
                "r7 = r0",
            ]
    used = [callback for name, callback in CALLBACKS.items() if any(f"code_addr({name})" in line for line in text)]
    insns = asm.assemble("\n".join([*text, "end: r0 = 0", "exit", *used]))
    builder = BtfBuilder()
    proto = builder.add_func_proto(builder.add_int("int", 4, True), [])
    places, slot = [], 0
    for insn in insns:
        if not slot or insn.label in ("a", "b"):
            places.append((slot, builder.add_func(insn.label or "main", proto, 0 if slot else 1)))
        slot += insn.slots
    maps = {
        "timers": TIMERS[kind],
        "out": Array(u64[STEPS], max_entries=1, name="out"),
        "fired": Array(Fired, max_entries=1, name="fired"),
    }
    return ProgramSpec(insns, ProgType.SCHED_CLS, maps=maps, btf=builder.to_bytes(), func_info=tuple(places))


def signed(values) -> list[int]:
    return [v - (v >> 63 << 64) for v in values]


def seen(objects, run, wait) -> list:
    """What two runs answered, and how often the callbacks ran after each."""
    out = []
    for _ in range(2):
        run()
        out += [signed(objects["out"][0]), objects["timers"][0].before]
        wait()
        fired = objects["fired"][0]
        out.append((fired.a, fired.b, signed((fired.cancelled, fired.restarted))))
    return out


@pytest.mark.parametrize("kind", TIMERS)
def test_sequences(kind, scale):
    fired = set()
    for seed in range(30 * scale):
        spec = program(seed, kind)
        with load(spec) as prog:
            expected = seen(prog, lambda: prog.test_run(data=FRAME), lambda: time.sleep(WAIT))
        for engine in ("interpreter", "translator"):
            vm = VM(spec, engine=engine)
            found = seen(vm, lambda vm=vm: vm.run(data=FRAME), lambda vm=vm: vm.advance(int(WAIT * 1e9)))
            assert found == expected, (seed, engine)
        fired.add(expected[2][:2])
    assert {(0, 0), (0, 3), (1, 0)} <= fired
