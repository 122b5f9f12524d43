"""Packets in several pieces: what XDP programs pull together, and metadata as a dynptr, as the kernel does."""

from __future__ import annotations

import random

import pytest

from pybpf import VM, Array, NotSupportedError, VerifierError, load, u64
from pybpf.uapi import ProgType

pytestmark = pytest.mark.kernel
ENGINES = ("interpreter", "translator")
HAS_FRAGS = 1 << 5
COUNT = 6


def loaded(spec):
    try:
        return load(spec)
    except (VerifierError, NotSupportedError) as error:
        if "kfunc" in str(error) or isinstance(error, NotSupportedError):
            pytest.skip(f"this kernel has no such function: {error}")
        raise


def pulling(program, rng: random.Random):
    """Pulls of all lengths between changes of head, tail and metadata; every answer and the length seen then is kept."""
    text = ["r6 = r1"]
    for n in range(COUNT):
        helper = rng.choice(("@bpf_xdp_pull_data",) * 3 + ("adjust_head", "adjust_tail", "adjust_meta"))
        if helper[0] == "@":
            length = rng.choice((0, 14, 64, 100, 500, 1000, 3000, 3519, 3520, 3521, 3600, 3735, 3736, 3737, 5000, -1))
            text += ["r1 = r6", f"w2 = {length}", helper]
        else:
            delta = rng.choice((-200, -64, -8, -4, 0, 4, 8, 20))
            text += ["r1 = r6", f"r2 = {delta}", f"call bpf_xdp_{helper}"]
        text += ["r1 = map_val(seen) + 0", f"*(u64 *)(r1 + {16 * n}) = r0"]
        text += ["r2 = *(u32 *)(r6 + 4)", "r3 = *(u32 *)(r6 + 0)", "r2 -= r3", f"*(u64 *)(r1 + {16 * n + 8}) = r2"]
    seen = Array(u64[2 * COUNT], max_entries=1, name="seen")
    return program("\n".join([*text, "r0 = 2", "exit"]), ProgType.XDP, seen=seen).replace(flags=HAS_FRAGS)


def outcome(objects, run, frame: bytes, linear: int):
    result = run(data=frame, ctx={"data_end": linear})
    return list(objects["seen"][0]), result.retval, result.data


def test_pulled(program, scale):
    answers = set()
    for seed in range(150 * scale):
        rng = random.Random(seed)
        spec = pulling(program, rng)
        size = rng.choice((64, 1000, 3520, 3521, 4000, 5000, 9000, 20000))
        frame = rng.randbytes(size)
        linear = min(rng.choice((14, 60, 500, 3000, 3520, size)), size)
        with loaded(spec) as prog:
            expected = outcome(prog, prog.test_run, frame, linear)
        for engine in ENGINES:
            vm = VM(spec, engine=engine)
            assert outcome(vm, vm.run, frame, linear) == expected, (seed, engine)
        answers.update(expected[0][::2])
    assert {0, 0xFFFFFFEA} <= answers


@pytest.mark.parametrize("flags", [0, 1])
def test_metadata_of_buffers(program, flags):
    text = f"""
        r2 = {flags}
        r3 = r10
        r3 += -16
        @bpf_dynptr_from_skb_meta
        r6 = r0
        r1 = r10
        r1 += -16
        @bpf_dynptr_size
        w0 <<= 8
        w0 ^= w6
        exit
    """
    spec = program(text, ProgType.SCHED_CLS)
    with loaded(spec) as prog:
        expected = prog.test_run(data=bytes(64)).retval
    for engine in ENGINES:
        assert VM(spec, engine=engine).run(data=bytes(64)).retval == expected
