"""Whatever the text, an AsmError is the only exception; `PYBPF_FUZZ=N` runs N examples of each."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybpf import asm
from pybpf.asm.table import KEYWORDS, ROWS
from pybpf.errors import AsmError

EXAMPLES = int(os.environ.get("PYBPF_FUZZ", "1500"))
LINES = [
    part.strip()
    for line in Path(__file__).with_name("cases.txt").read_text().splitlines()
    for part in line.split(" | ")[1:]
]
LINES += [
    "x: goto x",
    ".equ A, 5",
    "r1 = A",
    "r1 = packets ll",
    "call kfunc f",
    "call nobody",
    '"a b": goto "a b"',
    "/* a comment */ exit",
    "5: (bf) r6 = r1   ; R1=ctx()",
    "  0: .1........ (bf) r6 = r1",
    "from 7 to 55: R0=0 R6=ctx() R10=fp0",
    "   28: BUG_db",
    "       db 71 00 00 00 01 00 00",
]
PIECES = [
    *sorted(KEYWORDS),
    *(row[1] for row in ROWS[::7]),
    *"()[]*+-=<>!&|^/%,#:;'\"\\",
    *(
        "r0",
        "r10",
        "r12",
        "w3",
        "r٣",
        "²",
        "0x",
        "0xg",
        "1_0",
        "1__0",
        "08",
        "9" * 5000,
        "-",
        "+-",
        "--5",
        "1e9",
        "0.5",
    ),
    *("/*", "*/", "//", "\0", "\ufeff", "\u2028", "\x85", "é", "😀", "\ud800", "'a'", "'", "'\\x4'", '"\\u{110000}"'),
    *(".equ", ".insn", ".set", ".text", "(bf)", "(zz)", "5:", "x:", "((((" * 50, "[" * 1000),
]
ANY_TEXT = st.text(max_size=80)
SOUP = st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join) | st.lists(
    st.sampled_from(PIECES), max_size=12
).map("".join)
PROGRAM = st.lists(st.sampled_from(LINES), min_size=1, max_size=6).map("\n".join)


@st.composite
def mutated(draw):
    """A program with some characters changed, dropped, doubled or moved."""
    text = draw(PROGRAM)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        to = min(len(text), at + draw(st.integers(0, 5)))
        new = draw(st.one_of(st.just(""), st.just(text[at:to] * 2), st.sampled_from(PIECES), st.text(max_size=3)))
        text = text[:at] + new + text[to:]
    return text


def only_asm_errors(text: str) -> None:
    insns = error = None
    try:
        insns = asm.assemble(text)
    except AsmError as caught:
        error = caught
    if insns is None:
        assert error.line is not None
        assert str(error)
        return
    raw = asm.encode(insns, placeholders=True)
    assert asm.decode(raw) == asm.resolve(insns)
    again = asm.assemble(asm.disassemble(insns))
    assert asm.encode(again, placeholders=True) == raw


@pytest.mark.parametrize("texts", [ANY_TEXT, SOUP, PROGRAM, mutated()], ids=["any", "soup", "programs", "mutated"])
def test_no_other_exception(texts):
    @given(texts)
    @settings(max_examples=EXAMPLES, deadline=None)
    def run(text):
        only_asm_errors(text)

    run()


def test_no_other_exception_for_ten_thousand_mutated_lines():
    rng = random.Random(2)
    for _ in range(10_000):
        line = list(rng.choice(LINES))
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(line) + 1)
            line[at : at + rng.randrange(3)] = rng.choice(PIECES) if rng.random() < 0.5 else chr(rng.randrange(0x250))
        only_asm_errors("".join(line))
