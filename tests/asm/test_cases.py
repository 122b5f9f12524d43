"""Every case of cases.txt through the assembler, the disassembler and the codec."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybpf import asm
from pybpf.asm.match import row_of
from pybpf.asm.table import ROWS

from .llvm import LLVM, llvm_texts
from .test_llvm import llvm_tells_all

CASES = [
    [part.strip() for part in line.split(" | ")]
    for line in Path(__file__).with_name("cases.txt").read_text().splitlines()
    if not line.startswith("#")
]


@pytest.mark.parametrize(("code", "text", "others"), [(c[0], c[1], c[2:]) for c in CASES], ids=[c[1] for c in CASES])
def test_case(code, text, others):
    raw = bytes.fromhex(code)
    assert asm.disassemble(raw) == text
    for spelling in (text, *others):
        insns = asm.assemble(spelling)
        assert asm.encode(insns, "little") == raw, spelling
        assert insns == asm.decode(raw, "little")
    (insn,) = asm.decode(raw, "little")
    assert asm.decode(asm.encode([insn], "big"), "big") == [insn]
    assert str(insn) == text
    assert eval(repr(insn), {"Insn": asm.Insn}) == insn


def test_every_row_of_the_table_has_a_case():
    seen = {row_of(asm.decode(bytes.fromhex(case[0]), "little")[0]) for case in CASES}
    families = {(ROWS[row][0] & 7, ROWS[row][3]) for row in seen if row is not None}
    assert families == {(row[0] & 7, row[3]) for row in ROWS}


@pytest.mark.skipif(LLVM is None, reason="needs llvm-objdump of LLVM 19 (Debian package llvm-19)")
def test_llvm_agrees(tmp_path):
    cases = [(asm.decode(bytes.fromhex(c[0]), "little")[0], c[1]) for c in CASES if not c[1].startswith(".insn")]
    cases = [(insn, text) for insn, text in cases if llvm_tells_all(insn)]
    assert len(cases) > 80
    assert llvm_texts(asm.encode([c[0] for c in cases], "little"), tmp_path) == [c[1] for c in cases]
