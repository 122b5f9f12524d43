"""Long loops go on translated from where the interpreter is: with the same results, counts and faults."""

from __future__ import annotations

import random

import pytest

from pybpf import VM, Array, ProgramSpec, VmFault, asm, u64
from pybpf.errors import BpfError
from pybpf.uapi import ProgType
from pybpf.vm import translate
from pybpf.vm.context import PACKETS

FRAME = bytes(12) + b"\x08\x00" + bytes([0x45] + [0] * 59)


@pytest.fixture(params=[1, 5, 23])
def impatient(request, monkeypatch):
    """Machines whose programs are warm so early that every loop is left in its midst."""
    monkeypatch.setattr(VM, "warm", lambda self, image: request.param if self.engine == "auto" else float("inf"))


# What loops do: each text ends with r0 as the result.
LOOPS = {
    "sum in a register": "r0 = 0\nr1 = 50\nl: r0 += r1\nr1 -= 1\nif r1 != 0 goto l\nexit",
    "beyond 64 bits": "r0 = -1 ll\nr1 = 50\nl: r0 += r0\nr0 += 3\nr1 -= 1\nif r1 != 0 goto l\nexit",
    "counter in the stack": """
        r0 = 0
        *(u64 *)(r10 - 8) = 40
    l:  r1 = *(u64 *)(r10 - 8)
        r0 += r1
        r1 -= 1
        *(u64 *)(r10 - 8) = r1
        if r1 != 0 goto l
        exit""",
    "slots of every size": """
        *(u8 *)(r10 - 1) = 250
        *(u16 *)(r10 - 4) = 65530
        *(u32 *)(r10 - 8) = -6
        *(u32 *)(r10 - 13) = 9
        r2 = 40
    l:  r1 = *(u8 *)(r10 - 1)
        r1 += 3
        *(u8 *)(r10 - 1) = r1
        r1 = *(u16 *)(r10 - 4)
        r1 += 5
        *(u16 *)(r10 - 4) = r1
        r1 = *(u32 *)(r10 - 8)
        r1 += 7
        *(u32 *)(r10 - 8) = r1
        r2 -= 1
        if r2 != 0 goto l
        r0 = *(u8 *)(r10 - 1)
        r1 = *(u16 *)(r10 - 4)
        r0 += r1
        r1 = *(u32 *)(r10 - 8)
        r0 += r1
        r1 = *(u32 *)(r10 - 13)
        r0 += r1
        exit""",
    "context in a register": "r0 = 0\nr2 = 30\nl: r3 = *(u32 *)(r1 + 0)\nr0 += r3\nr2 -= 1\nif r2 != 0 goto l\nexit",
    "context in the stack": """
        *(u64 *)(r10 - 8) = r1
        r0 = 0
        r2 = 30
    l:  r1 = *(u64 *)(r10 - 8)
        r3 = *(u32 *)(r1 + 0)
        r0 += r3
        r2 -= 1
        if r2 != 0 goto l
        exit""",
    "frame pointer in the stack": """
        r3 = r10
        r3 += -16
        *(u64 *)(r10 - 8) = r3
        *(u64 *)(r10 - 16) = 5
        r0 = 0
        r2 = 30
    l:  r3 = *(u64 *)(r10 - 8)
        r4 = *(u64 *)(r3 + 0)
        r0 += r4
        r2 -= 1
        if r2 != 0 goto l
        exit""",
    "one in another": """
        r0 = 0
        r2 = 9
    o:  r3 = 7
    i:  r0 += r3
        r3 -= 1
        if r3 != 0 goto i
        r2 -= 1
        if r2 != 0 goto o
        exit""",
    "two ways into one": """
        r0 = 1
        r2 = 60
        if r0 == 1 goto m
    l:  r0 += 3
    m:  r0 *= 5
        r2 -= 1
        if r2 != 0 goto l
        exit""",
    "a register that holds nothing": "r1 = 30\nl: r1 -= 1\nif r1 != 0 goto l\nr0 = r7\nexit",
    "a fault behind it": "r1 = 30\nl: r1 -= 1\nif r1 != 0 goto l\nr0 = *(u64 *)(r1 + 8)\nexit",
    "a fault in it": "r0 = 0\nr1 = r10\nl: r1 += -8\nr2 = *(u64 *)(r1 + 0)\nr0 += r2\ngoto l",
    "without an end": "r0 = 0\nl: r0 += 1\ngoto l",
    "in a function": """
        r1 = 3
        call f
        exit
    f:  r0 = 0
        r2 = 40
    l:  r0 += r1
        r2 -= 1
        if r2 != 0 goto l
        exit""",
    "calls in it": """
        r6 = 20
        r7 = 0
    l:  r1 = r6
        call f
        r7 += r0
        r6 -= 1
        if r6 != 0 goto l
        r0 = r7
        exit
    f:  r0 = r1
        r0 *= 3
        exit""",
    "may_goto": "r0 = 0\nl: r0 += 1\nmay_goto o\ngoto l\no: exit",
    "a map": """
        r6 = 40
    l:  *(u32 *)(r10 - 4) = 1
        r2 = r10
        r2 += -4
        r1 = m ll
        call bpf_map_lookup_elem
        if r0 == 0 goto o
        r1 = *(u64 *)(r0 + 0)
        r1 += r6
        *(u64 *)(r0 + 0) = r1
        r6 -= 1
        if r6 != 0 goto l
        r0 = r1
    o:  exit""",
}  # fmt: skip


def outcome(spec: ProgramSpec, engine: str):
    try:
        vm = VM(spec, engine=engine, budget=20_000)
        result = vm.run(data=FRAME if spec.prog_type in PACKETS else None)
        return result.r0, result.insns, result.data
    except VmFault as fault:
        return "budget" if "budget" in fault.message else (fault.insn, fault.message)
    except BpfError as error:
        return type(error), str(error)


@pytest.mark.parametrize("text", LOOPS.values(), ids=LOOPS)
def test_loops(impatient, text):
    spec = ProgramSpec(
        asm.assemble(text),
        ProgType.SOCKET_FILTER,
        maps={"m": Array(u64, max_entries=2, name="m")} if "m ll" in text else {},
    )
    one = outcome(spec, "interpreter")
    assert outcome(spec, "auto") == one


@pytest.fixture
def resumed(monkeypatch):
    """The slots where runs went on translated."""
    slots = []

    def resume(run, image, slot, regs):
        slots.append(slot)
        return translated(run, image, slot, regs)

    translated = translate.resume
    monkeypatch.setattr(translate, "resume", resume)
    return slots


def test_they_are_left_once(impatient, resumed):
    vm = VM(ProgramSpec(asm.assemble(LOOPS["sum in a register"]), ProgType.SOCKET_FILTER))
    assert vm.run(data=FRAME).r0 == 1275
    assert resumed == [2]
    assert not vm.images[0].functions
    assert vm.run(data=FRAME).r0 == 1275
    assert vm.images[0].functions  # the next run is translated from its beginning
    assert resumed == [2]


def test_a_surprise_goes_on_interpreted(impatient):
    """What a translation cannot do ends in the interpreter, and not in ever deeper calls."""
    text = """
        r0 = 0
        r2 = 5000
        r1 = r10
        r1 += -8
    l:  *(u64 *)(r10 - 8) = r2
        r3 = *(u64 *)(r1 + 0)
        r0 += r3
        r2 -= 1
        if r2 != 0 goto l
        exit"""
    spec = ProgramSpec(asm.assemble(text), ProgType.SOCKET_FILTER)
    vm = VM(spec)
    assert vm.run(data=FRAME).r0 == 5000 * 5001 // 2


def test_garbage(impatient, garbage, scale):
    for seed in range(700 * scale):
        insns, maps, prog_type = garbage.make(random.Random(seed))
        spec = ProgramSpec(insns, prog_type, maps={"m": maps})
        assert outcome(spec, "auto") == outcome(spec, "interpreter"), f"seed {seed}"


def test_generated_programs(impatient, generate, scale, resumed):
    for seed in range(150 * scale):
        spec = generate.program(generate.Pick(random.Random(seed)), 16)
        assert outcome(spec, "auto") == outcome(spec, "interpreter"), f"seed {seed}"
    assert resumed
