"""Garbage in: only the documented errors out, in bounded time, and the same from both engines.

PYBPF_VM_SCALE=50 runs 100,000 programs.
"""

from __future__ import annotations

import random

from pybpf import VM, MapSpec, ProgramSpec, VmFault
from pybpf.errors import BpfError
from pybpf.vm.context import PACKETS

FRAME = bytes(12) + b"\x08\x00" + bytes([0x45] + [0] * 59)


def outcome(insns, spec, prog_type, engine: str):
    try:
        vm = VM(ProgramSpec(insns, prog_type, maps={"m": spec}), engine=engine, budget=20_000)
        result = vm.run(data=FRAME if prog_type in PACKETS else None)
        return result.r0, result.insns, result.data
    except VmFault as fault:
        return "budget" if "budget" in fault.message else (fault.insn, fault.message)
    except BpfError as error:
        return type(error), str(error)


def test_garbage(garbage, scale):
    finished = 0
    for seed in range(2000 * scale):
        insns, spec, prog_type = garbage.make(random.Random(seed))
        one = outcome(insns, spec, prog_type, "interpreter")
        other = outcome(insns, spec, prog_type, "translator")
        assert one == other, f"seed {seed}"
        finished += len(one) == 3 and one != "budget"
    assert finished > 0, "no program ran to its end: the generator makes nothing worth running"


def test_registers_that_do_not_exist_in_a_loop():
    """Found by the generator: what a loop changes counted a register beyond r10."""
    from pybpf.asm import Insn

    for dst in (10, 11, 15):
        insns = [Insn(0xB7, 0), Insn(0x07, dst, imm=1), Insn(0x55, 0, off=-2, imm=3), Insn(0x95)]
        one, other = (outcome(insns, MapSpec(1, 4, 8, 4), 6, engine) for engine in ("interpreter", "translator"))
        assert one == other
        assert one[0] == 1


def test_random_inputs():
    """A program that is fine, packets that are anything."""
    from pybpf import asm

    code = asm.assemble("""
        r2 = *(u32 *)(r1 + 4)
        r1 = *(u32 *)(r1 + 0)
        r3 = r1
        r3 += 34
        r0 = 2
        if r3 > r2 goto out
        r0 = *(u8 *)(r1 + 23)
        out: exit
    """)
    vm = VM(ProgramSpec(code, 6))
    rng = random.Random(1)
    for _ in range(2000):
        data = rng.randbytes(rng.randrange(0, 100))
        try:
            result = vm.run(data=data)
        except BpfError:
            assert len(data) < 14
        else:
            assert result.retval == (data[23] if len(data) >= 34 else 2)
            assert result.data == data


def test_a_load_that_overwrites_its_own_address():
    """Found by the generator: the interpreter, which goes on there, was not told what the address had been."""
    from pybpf.asm import Insn

    for first in (Insn(0xB7, 0, imm=8), Insn(0xBF, 0, 10), Insn(0xBF, 2, 1)):
        for load in (Insn(0x79, 0, 0, -8), Insn(0x79, 1, 2, 0x1000), Insn(0x79, 0, 0, 0x1000)):
            insns = [first, load, Insn(0xB7, 0), Insn(0x95)]
            one, other = (outcome(insns, MapSpec(1, 4, 8, 4), 6, engine) for engine in ("interpreter", "translator"))
            assert one == other
