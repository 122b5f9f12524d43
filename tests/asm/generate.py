"""Instructions drawn at random, but valid: every row of the opcode table with operands in range."""

from __future__ import annotations

import random

from pybpf.asm import Insn
from pybpf.asm.insn import s32
from pybpf.asm.table import OPERANDS, ROWS

PRINTED = [row for row in ROWS if row[4]]
_EDGES = (0, 1, -1, 2, 7, 8, 127, -128, 255, 32767, -32768, 65535, 65536, 2**31 - 1, -(2**31))


def number(rng: random.Random, low: int, high: int) -> int:
    """A number in range, often at an edge."""
    choices = [n for n in (low, high, *_EDGES) if low <= n <= high]
    return rng.choice(choices) if rng.random() < 0.3 else rng.randint(low, high)


def draw(row, rng: random.Random, registers: int = 11) -> Insn:
    """An instruction of one row."""
    opcode, template, fixed, _, _ = row
    fields = [opcode, *fixed]
    for letter in template:
        if letter not in OPERANDS or letter == "Z":
            continue
        field, low, high, _ = OPERANDS[letter]
        if letter in "DS":
            fields[field] = rng.randrange(registers)
        elif letter == "Q":
            fields[4], fields[5] = number(rng, -(2**31), 2**31 - 1), number(rng, -(2**31), 2**31 - 1)
        elif letter == "H":
            fields[field] = s32(number(rng, low, high) << 16)
        elif letter == "G":
            fields[field] |= number(rng, low, high)
        else:
            fields[field] = s32(number(rng, low, high))
    return Insn(*fields)


def every_kind(rng: random.Random, each: int, registers: int = 11) -> list[Insn]:
    """At most `each` distinct instructions of every printed row."""
    out: dict[Insn, None] = {}
    for row in PRINTED:
        out.update(dict.fromkeys(draw(row, rng, registers) for _ in range(each)))
    return list(out)
