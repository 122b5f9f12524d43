"""Programs that no verifier would take: random bytes, and valid encodings in random order."""

from __future__ import annotations

import random

from pybpf.asm import Insn, decode
from pybpf.spec import MapSpec
from pybpf.uapi import MapType, ProgType
from pybpf.vm.helpers.table import KFUNCS
from pybpf.vm.isa import RULES

OPCODES = list(RULES)
NAMES = sorted(KFUNCS)
COMMON = (0x85, 0x18, 0xBF, 0x07, 0x61, 0x79, 0x7B, 0x63)
MAPS = [
    MapSpec(MapType.HASH, 4, 8, 4, name="m"),
    MapSpec(MapType.ARRAY, 4, 8, 4, name="m"),
    MapSpec(MapType.LPM_TRIE, 8, 8, 4, 1, name="m"),
    MapSpec(MapType.QUEUE, 0, 8, 4, name="m"),
    MapSpec(MapType.RINGBUF, 0, 0, 4096, name="m"),
]
TYPES = [t for t in ProgType if t]


def one(rng: random.Random, count: int) -> Insn:
    """An instruction with a known opcode; most have their reserved fields in order."""
    opcode = rng.choice(COMMON if rng.random() < 0.3 else OPCODES)
    dst, src = rng.randrange(11), rng.randrange(11)
    imm = rng.choice((0, 0, 1, 8, 16, 32, 64, -1, rng.randrange(-(1 << 31), 1 << 31)))
    off = rng.choice((0, 0, 1, 8, -8, -16, 4, rng.randrange(-32768, 32767)))
    if opcode & 7 in (5, 6):
        off = rng.randrange(-count, count)
    if opcode == 0x18:
        kind = rng.choice((0, 1, 1, 2, 4))
        symbol = "m" if kind in (1, 2) else None
        aim = rng.randrange(-count, count) if kind == 4 else imm
        return Insn(opcode, dst % 10, kind, 0, aim, 0 if kind else imm, symbol=symbol)
    if opcode == 0x85:
        kind = rng.choice((0, 0, 0, 1, 2))
        if kind == 2 and rng.random() < 0.8:
            return Insn(opcode, 0, 2, symbol=rng.choice(NAMES))
        return Insn(opcode, 0, kind, 0, rng.randrange(0, 215) if kind == 0 else rng.randrange(-count, count))
    no_dst, no_src, offs, imms = RULES[opcode]
    if rng.random() < 0.95:
        dst, src = 0 if no_dst else dst, 0 if no_src else src
        off = off if offs is None or off in offs else rng.choice(sorted(offs))
        imm = imm if imms is None or imm in imms else rng.choice(sorted(imms))
    return Insn(opcode, dst, src, off, imm)


def make(rng: random.Random) -> tuple[list[Insn], MapSpec, ProgType]:
    count = rng.randrange(1, 25)
    if rng.randrange(4) == 0:
        insns = decode(rng.randbytes(8 * count))
    else:
        insns = [one(rng, count) for _ in range(count)]
        if rng.random() < 0.8:
            insns = [Insn(0xB7, 0), *insns, Insn(0x95)]
    return insns, rng.choice(MAPS), rng.choice(TYPES)
