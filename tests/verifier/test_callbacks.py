"""A callback that bpf_loop never calls is removed as dead code; the kernel then misses it, unless another took its place."""

from __future__ import annotations

import os

import pytest

from pybpf import ProgramSpec, SyscallError, asm, load, verify
from pybpf.btf.builder import BtfBuilder

STATIC, GLOBAL = 0, 1


def program(order: str, rounds: dict[str, int]) -> ProgramSpec:
    """Calls callback `a`, then `b`, so many times; they stand in the given order."""
    calls = [f"r1 = {rounds[c]}\nr2 = code_addr({c})\nr3 = 0\nr4 = 0\ncall bpf_loop" for c in "ab"]
    insns = asm.assemble("\n".join([*calls, "r0 = 0\nexit", *(f"{c}: r0 = 0\nexit" for c in order)]))
    places, slot = [0], 0
    for insn in insns:
        if insn.label in ("a", "b"):
            places.append(slot)
        slot += insn.slots
    builder = BtfBuilder()
    proto = builder.add_func_proto(builder.add_int("int", 4, True), [])
    names = {"main": GLOBAL, "first": STATIC, "second": STATIC}
    ids = [builder.add_func(name, proto, linkage) for name, linkage in names.items()]
    return ProgramSpec(insns, 1, name="calls", btf=builder.to_bytes(), func_info=tuple(zip(places, ids, strict=True)))


CASES = [
    ("ab", {"a": 2, "b": 2}, True),
    ("ab", {"a": 0, "b": 2}, True),  # b has moved to where a was
    ("ab", {"a": 2, "b": 0}, False),
    ("ba", {"a": 2, "b": 0}, True),
    ("ba", {"a": 0, "b": 2}, False),
    ("ab", {"a": 0, "b": 0}, True),  # only the main function is left
]


@pytest.mark.parametrize(("order", "rounds", "taken"), CASES)
def test_callbacks_that_are_never_called(order, rounds, taken):
    report = verify(program(order, rounds))
    assert report.ok == taken, report
    assert taken or "is never called" in report.findings[0].message


@pytest.mark.kernel
@pytest.mark.skipif(not os.uname().release.startswith("6.18."), reason="as Linux 6.18 does it")
@pytest.mark.parametrize(("order", "rounds", "taken"), CASES)
def test_the_kernel_says_the_same(order, rounds, taken):
    try:
        load(program(order, rounds)).close()
    except SyscallError:
        assert not taken
    else:
        assert taken
