"""Register by register: after each instruction we know what the kernel's level-2 log says that it knows.

Paths are explored in the same order, so the two traces are compared line by line until one of them prunes.
"""

from __future__ import annotations

import os
import random
import re

import pytest

from pybpf import ProgramSpec
from pybpf.asm.insn import Insn
from pybpf.kernel import rules
from pybpf.kernel.capabilities import ALL
from pybpf.uapi.prog import ProgType
from pybpf.verifier.cfg import Cfg
from pybpf.verifier.explore import Run
from pybpf.verifier.program import Program
from pybpf.verifier.setting import Env, Setting
from pybpf.verifier.values import SCALAR, text

pytestmark = pytest.mark.kernel

PROGRAMS = int(os.environ.get("PYBPF_RANGES", "60"))
LINE = re.compile(r"^(\d+): \([0-9a-f]{2}\) .*?; (R.*)$")
REGISTER = re.compile(r"\bR(\d+)(?:_\w+)?=(P?scalar\([^()]*(?:\([^()]*\))?[^()]*\)|P?-?(?:0x)?[0-9a-f]+)(?=\s|$)")
ALU = (0x00, 0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0xA0, 0xC0, 0xB0, 0x80, 0x30, 0x90)
JUMPS = (0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xA0, 0xB0, 0xC0, 0xD0)
CONSTANTS = (
    0,
    1,
    2,
    3,
    5,
    7,
    8,
    15,
    31,
    63,
    64,
    127,
    255,
    1000,
    65535,
    -1,
    -2,
    -7,
    -64,
    1 << 20,
    2147483647,
    -2147483648,
)


class Traced(Run):
    """A run that notes the registers after each instruction."""

    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.trace: list[tuple[int, list]] = []

    def _compile(self, slot):
        step = super()._compile(slot)

        def traced(run, state):
            after = step(run, state)
            if after >= 0:
                self.trace.append((slot, list(state.frames[-1].regs)))
            return after

        return traced


def arithmetic(rng: random.Random) -> ProgramSpec:
    """A program of loads, arithmetic, extensions and branches on R2 to R5."""
    insns = [
        Insn(0x61, 2, 1, 0),
        Insn(0x61, 3, 1, 4),
        Insn(0x85, imm=7),
        Insn(0xBF, 4, 0),
        Insn(0xB7, 5, imm=rng.choice(CONSTANTS)),
    ]
    insns[2:2] = [Insn(0xBF, 6, 2), Insn(0xBF, 7, 3)]
    regs = (4, 5, 6, 7)
    for _ in range(rng.randrange(4, 16)):
        dst, src = rng.choice(regs), rng.choice(regs)
        if rng.random() < 0.25:
            op = rng.choice(JUMPS) | rng.choice((5, 6))
            skipped = Insn(0x07, rng.choice(regs), imm=rng.choice(CONSTANTS))
            insns += [
                Insn(op | 8, dst, src, 1) if rng.random() < 0.4 else Insn(op, dst, 0, 1, rng.choice(CONSTANTS)),
                skipped,
            ]
            continue
        op = rng.choice(ALU)
        cls = rng.choice((4, 7, 7))
        if op == 0x80:
            insns.append(Insn(op | cls, dst))
        elif op in (0x60, 0x70, 0xC0):
            insns.append(Insn(op | cls, dst, imm=rng.randrange(32 if cls == 4 else 64)))
        elif op == 0xB0 and rng.random() < 0.5:
            insns.append(Insn(op | cls | 8, dst, src, rng.choice((0, 8, 16))))
        elif rng.random() < 0.5:
            insns.append(Insn(op | cls | 8, dst, src))
        else:
            insns.append(Insn(op | cls, dst, imm=rng.choice([c for c in CONSTANTS if c])))
    return ProgramSpec([*insns, Insn(0xB7, 0), Insn(0x95)], ProgType.SOCKET_FILTER)


def plain(shown: str) -> str:
    shown = shown.removeprefix("P")
    shown = re.sub(r"\bid=\d+(\+\d+)?,?", "", shown)
    return "scalar()" if shown == "scalar" else shown


def test_ranges_are_the_kernels(oracle):
    if not os.uname().release.startswith("6.18."):
        pytest.skip("the tables' origin is Linux 6.18, this kernel is another")
    rng = random.Random(5)
    table = rules("6.18")
    equal = different = 0
    examples = []
    with oracle.Kernel() as kernel:
        for _ in range(PROGRAMS):
            spec = arithmetic(rng)
            verdict = kernel.load(spec, log_level=2)
            setting = Setting(spec, table, ALL, Env())
            program = Program(spec, setting)
            program.find_subprograms()
            program.check_jumps()
            run = Traced(program, Cfg(program), setting)
            run.explore(0)
            assert verdict.accept, verdict.log
            at = 0
            for line in verdict.log.splitlines():
                found = LINE.match(line)
                if not found:
                    continue
                slot = int(found[1])
                while at < len(run.trace) and run.trace[at][0] != slot:
                    at += 1
                if at == len(run.trace):
                    break
                regs = run.trace[at][1]
                at += 1
                for number, shown in REGISTER.findall(found[2]):
                    reg = regs[int(number)]
                    if reg.type != SCALAR:
                        continue
                    ours = plain(text(reg))
                    if ours == plain(shown):
                        equal += 1
                    else:
                        different += 1
                        examples.append(f"{line}\n   ours R{number}={ours}")
    assert equal > 500
    if os.environ.get("PYBPF_SHOW"):
        print("\n".join(examples[:30]))
    assert different * 20 <= equal + different, f"{different} of {equal + different} differ\n" + "\n".join(
        examples[:10]
    )
    print(f"{equal} of {equal + different} register states are equal")
