"""Dynptrs beside the kernel's: every function on them, over map values, packets and records, at and beyond their ends."""

from __future__ import annotations

import random
import struct

import pytest

from pybpf import VM, Array, ProgramSpec, RingBuf, VerifierError, load
from pybpf.uapi import ProgType

pytestmark = pytest.mark.kernel
ENGINES = ("interpreter", "translator")
COUNT = 24
FRAME = bytes(range(14)) + bytes(range(100, 170))
D1, D2, BUF = -32, -64, -96


def at(reg: int, place: int) -> list[str]:
    return [f"r{reg} = r10", f"r{reg} += {place}"]


def number(rng: random.Random) -> int:
    return rng.choice((0, 1, 4, 8, 16, 31, 32, 33, 40, 64, 84, 1000, 0xFFFFFF, 0x1000000, -1))


def operation(rng: random.Random, n: int) -> list[str]:
    """One call on the dynptr D1 (or D1 and its clone D2); the answer goes to r8."""
    size = rng.choice((1, 4, 8))
    flags = rng.choice((0, 0, 0, 1))
    r8 = ["r8 = r0"]
    first, second = rng.choice((D1, D2)), rng.choice((D1, D2))
    kind = rng.choice(
        ("read", "read", "write", "data", "size", "adjust", "null", "rdonly", "copy", "memset", "slice", "rdwr")
    )
    if kind == "read":
        return [*at(1, BUF), f"r2 = {size}", *at(3, first), f"r4 = {number(rng)}", f"r5 = {flags}",
                "call bpf_dynptr_read", *r8, f"r1 = *(u64 *)(r10 {BUF})", "r1 <<= 3", "r8 ^= r1"]  # fmt: skip
    if kind == "write":
        return [f"*(u64 *)(r10 {BUF}) = {rng.randrange(1 << 30)}", *at(1, first), f"r2 = {number(rng)}", *at(3, BUF),
                f"r4 = {size}", f"r5 = {flags}", "call bpf_dynptr_write", *r8]  # fmt: skip
    if kind == "data":
        return [*at(1, first), f"r2 = {number(rng)}", f"r3 = {size}", "call bpf_dynptr_data", "r8 = 0",
                f"if r0 == 0 goto n{n}", "r8 = *(u8 *)(r0 + 0)", "r8 |= 256", f"n{n}:"]  # fmt: skip
    if kind in ("slice", "rdwr"):
        name = "@bpf_dynptr_slice" + "_rdwr" * (kind == "rdwr")
        return [*at(1, first), f"r2 = {number(rng)}", *at(3, BUF), f"r4 = {size}", name, "r8 = 0",
                "if r0 == 0 goto +2", "r8 = *(u8 *)(r0 + 0)", "r8 |= 256"]  # fmt: skip
    if kind == "adjust":
        start = rng.choice((0, 0, 1, 2, 8, 100, -1))
        return [*at(1, first), f"r2 = {start}", f"r3 = {rng.choice((number(rng), 48, 60))}", "@bpf_dynptr_adjust", *r8]
    if kind == "copy":
        return [*at(1, first), f"r2 = {number(rng)}", *at(3, second), f"r4 = {number(rng)}", f"r5 = {number(rng)}",
                "@bpf_dynptr_copy", *r8]  # fmt: skip
    if kind == "memset":
        return [*at(1, first), f"r2 = {number(rng)}", f"r3 = {number(rng)}", f"r4 = {rng.randrange(256)}",
                "@bpf_dynptr_memset", *r8]  # fmt: skip
    name = {"size": "size", "null": "is_null", "rdonly": "is_rdonly"}[kind]
    low = [] if kind == "size" else ["r8 &= 255"]  # the rest of a register that holds a bool is anything
    return [*at(1, first), f"@bpf_dynptr_{name}", *r8, *low]


def generated(program, kind: str, rng: random.Random) -> ProgramSpec:
    text = ["r9 = map[id:seen][0]+0", *[f"*(u64 *)(r10 {BUF + 8 * i}) = 0" for i in range(4)]]
    if kind == "value":
        text += ["r1 = map[id:value][0]+0", f"r2 = {rng.choice((0, 1, 48, 64))}", f"r3 = {rng.choice((0, 0, 0, 0, 1))}"]
        text += [*at(4, D1), "call bpf_dynptr_from_mem"]
    elif kind == "record":
        text += ["r1 = map[id:ring]", f"r2 = {rng.choice((8, 48, 64, 5000))}", f"r3 = {rng.choice((0, 0, 0, 1))}"]
        text += [*at(4, D1), "call bpf_ringbuf_reserve_dynptr"]
    else:
        text += [f"r2 = {rng.choice((0, 0, 0, 1))}", *at(3, D1), f"@bpf_dynptr_from_{kind}"]
    text += ["*(u64 *)(r9 + 0) = r0", *at(1, D1), *at(2, D2), "@bpf_dynptr_clone", "*(u64 *)(r9 + 8) = r0"]
    for n in range(2, COUNT):
        text += [*operation(rng, n), f"*(u64 *)(r9 + {8 * n}) = r8"]
    if kind == "record":
        text += [*at(1, D1), "r2 = 0", "call bpf_ringbuf_submit_dynptr"]
    maps = {"seen": Array(8 * COUNT, max_entries=1, name="seen"), "value": Array(64, max_entries=1, name="value")}
    maps["ring"] = RingBuf(size=4096, name="ring")
    return program("\n".join([*text, "r0 = 0", "exit"]), ProgType.XDP if kind == "xdp" else ProgType.SCHED_CLS, **maps)


def outcome(machine, run) -> tuple:
    machine["value"][0] = bytes(range(1, 65))
    result = run(data=FRAME)
    seen = [hex(n) for n in struct.unpack(f"{COUNT}Q", bytes(machine["seen"][0]))]
    return seen, bytes(machine["value"][0]).hex(), result.data.hex(), [bytes(r).hex() for r in machine["ring"].drain()]


@pytest.mark.parametrize("kind", ["value", "record", "skb", "xdp"])
def test_generated_programs(program, kind, scale):
    taken = 0
    for seed in range(15 * scale):
        spec = generated(program, kind, random.Random(seed))
        try:
            prog = load(spec)
        except VerifierError:  # an operation that this kind has not
            continue
        taken += 1
        with prog:
            expected = outcome(prog, prog.test_run)
        for engine in ENGINES:
            vm = VM(spec, engine=engine)
            assert outcome(vm, vm.run) == expected, seed
    assert taken >= 5
