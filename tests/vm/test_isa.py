"""The table of edge cases through both engines, and through the kernel."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from pybpf import VM, ProgramSpec, asm, load
from pybpf.uapi import ProgType

spec = importlib.util.spec_from_file_location("vm_cases", Path(__file__).with_name("cases.py"))
cases = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cases)
FRAME = bytes(12) + b"\x88\xb5" + bytes(50)
ENGINES = ("interpreter", "translator")


def program(text: str) -> ProgramSpec:
    ends = text.rstrip().endswith("exit")
    return ProgramSpec(asm.assemble(text if ends else text + "\nexit"), ProgType.SOCKET_FILTER, name="case")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("name", "text", "expected"), cases.CASES, ids=[c[0] for c in cases.CASES])
def test_case(engine, name, text, expected):
    result = VM(program(text), engine=engine).run(data=FRAME)
    assert hex(result.r0) == hex(expected)
    assert result.retval == expected & 0xFFFFFFFF


@pytest.mark.kernel
@pytest.mark.parametrize(("name", "text", "expected"), cases.CASES, ids=[c[0] for c in cases.CASES])
def test_case_in_the_kernel(name, text, expected):
    """The kernel shows 32 bits: run once for each half."""
    for shift in (0, 32):
        high = text.replace("exit", f"r0 >>= {shift}\nexit", 1) if "exit" in text else f"{text}\nr0 >>= {shift}"
        with load(program(high)) as prog:
            assert hex(prog.test_run(data=FRAME).retval) == hex(expected >> shift & 0xFFFFFFFF)


def test_both_engines_count_the_same():
    for _, text, _ in cases.CASES:
        counts = {e: VM(program(text), engine=e).run(data=FRAME).insns for e in ENGINES}
        assert len(set(counts.values())) == 1, (text, counts)
