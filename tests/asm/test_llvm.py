"""The disassembler against LLVM 19's, instruction by instruction."""

from __future__ import annotations

import random

import pytest

from pybpf import asm
from pybpf.asm.opcodes import Atomic, Call, Class, Mode, Pseudo, Size
from pybpf.asm.table import ROWS

from .generate import every_kind
from .llvm import LLVM, llvm_texts

pytestmark = pytest.mark.skipif(LLVM is None, reason="needs llvm-objdump of LLVM 19 (Debian package llvm-19)")

ATOMIC = Class.STX | Mode.ATOMIC


def llvm_tells_all(insn: asm.Insn) -> bool:
    """False where LLVM 19 does not know the instruction, or prints two different ones alike."""
    if insn.opcode == 0x18 and insn.src != Pseudo.NONE:
        return False  # ld_pseudo, without the second half
    if insn.opcode == 0x85 and insn.src != Call.HELPER:
        return False  # call N, whatever N is
    if insn.opcode & 0xE7 == Class.LD | Mode.IND and insn.imm:
        return False  # skb[r1 + 4] loses the 4
    if insn.opcode & 0xE7 == ATOMIC and insn.imm in (Atomic.LOAD_ACQ, Atomic.STORE_REL):
        return False  # taken for an atomic add
    # Without -mcpu=v3, the only 32-bit atomic that it knows is the add.
    return not (insn.opcode == ATOMIC | Size.W and insn.imm != Atomic.ADD)


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_prints_what_llvm_prints(byteorder, tmp_path):
    insns = [insn for insn in every_kind(random.Random(19), 300, registers=12) if llvm_tells_all(insn)]
    assert len(insns) >= 25_000
    theirs = llvm_texts(asm.encode(insns, byteorder), tmp_path, byteorder=byteorder)
    ours = asm.disassemble(asm.encode(insns, byteorder), byteorder=byteorder).split("\n")
    assert len(ours) == len(theirs) == len(insns)
    assert [pair for pair in zip(insns, ours, theirs, strict=True) if pair[1] != pair[2]] == []


def test_prints_what_llvm_prints_for_32_bit_atomics_of_v3(tmp_path):
    insns = [i for i in every_kind(random.Random(3), 100) if i.opcode == ATOMIC | Size.W and Atomic.ADD < i.imm < 0x100]
    assert len(insns) > 500
    theirs = llvm_texts(asm.encode(insns), tmp_path, "--mcpu=v3")
    assert asm.disassemble(insns).split("\n") == theirs


def test_reads_what_llvm_prints_for_v3(tmp_path):
    """With -mcpu=v3 LLVM writes loads and stores of up to 32 bits with w registers."""
    insns = [
        insn for insn in every_kind(random.Random(5), 40, registers=12) if insn.opcode & 7 in (Class.LDX, Class.STX)
    ]
    insns = [insn for insn in insns if insn.imm < 0x100]
    theirs = llvm_texts(asm.encode(insns), tmp_path, "--mcpu=v3")
    assert any(line.startswith("w") for line in theirs)
    assert asm.assemble("\n".join(theirs)) == insns


def test_every_opcode_of_llvm_is_in_the_table(tmp_path):
    """What LLVM knows with all fields zero but those that select the operation, we know."""
    candidates = [
        asm.Insn(opcode, 1, 2, off, imm)
        for opcode in range(256)
        if opcode != 0x18
        for off in (0, 1, 8, 16, 32)
        for imm in (0, 1, 16, 32, 64, 0x40, 0x41, 0x50, 0x51, 0xA0, 0xA1, 0xE1, 0xF1)
    ]
    known = {
        insn.opcode
        for insn, text in zip(candidates, llvm_texts(asm.encode(candidates), tmp_path), strict=True)
        if text != "<unknown>"
    }
    assert len(known) > 120
    assert known <= {row[0] for row in ROWS}
