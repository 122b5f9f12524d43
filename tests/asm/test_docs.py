"""The assembly in docs/assembler.md assembles; its Python is run with that of the other pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pybpf import asm
from pybpf.asm.match import row_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "assembler.md"
BLOCKS = re.findall(r"^```text\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
IN_TABLE = re.findall(
    r"`(r\d = [^`]*|call [^`]*)`", PAGE.read_text().split("### What LLVM")[1].split("\n\nThe terms")[0]
)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_blocks_of_assembly(block):
    insns = asm.assemble(block)
    assert len(insns) >= 3
    assert all(row_of(insn) is not None for insn in insns)
    assert asm.assemble(asm.disassemble(insns)) == insns


@pytest.mark.parametrize("text", IN_TABLE)
def test_texts_in_the_table(text):
    asm.assemble(f"{text}\ncount: exit")


def test_there_are_some():
    assert len(BLOCKS) == 4
    assert len(IN_TABLE) == 10
