"""Random well-typed programs: the kernel accepts what the compiler makes, and computes what Python computes."""

from __future__ import annotations

import os
import random
import struct

import pytest

from pybpf import Global, Struct, load, s8, s32, s64, sched_cls, types, u8, u16, u32, u64

from .generate import WRAPPER, Generator


class Input(Struct):
    a: u64
    b: u64
    c: s64
    d: u32
    e: s32
    f: u16
    g: s8
    h: u8


FORMAT = "<QQqIiHbB"
out = Global(u64)
COUNT = int(os.environ.get("PYBPF_RANDOM_PROGRAMS", "40"))


def make(seed: int, **options):
    text = Generator(seed).program()
    scope = {**vars(types), "Input": Input, "out": out, "__name__": "generated"}
    whole = text + WRAPPER
    exec(compile(whole, "<generated>", "exec"), scope)
    from pybpf.dsl import calls
    from pybpf.dsl.parse import parse

    calls._parsed[scope["body"].__code__] = parse(scope["body"], whole)
    return text, scope["body"], sched_cls(scope["program"], source=whole, **options)


def inputs(rng: random.Random) -> tuple[int, ...]:
    def number(bits: int, signed: bool) -> int:
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        return rng.choice((rng.randint(low, high), rng.randint(max(low, -4), 4), low, high, 0, 1))

    return tuple(
        number(*t)
        for t in ((64, False), (64, False), (64, True), (32, False), (32, True), (16, False), (8, True), (8, False))
    )


@pytest.mark.kernel
@pytest.mark.parametrize("seed", range(COUNT))
def test_kernel_computes_what_python_computes(seed):
    text, body, spec = make(seed, isa=seed % 4 + 1)
    rng = random.Random(seed)
    with load(spec) as prog:
        for _ in range(8):
            values = inputs(rng)
            result = prog.test_run(struct.pack(FORMAT, *values) + bytes(14))
            assert result.retval == 0
            assert prog[out][0] == body(*values), f"{text}\n{values}"
