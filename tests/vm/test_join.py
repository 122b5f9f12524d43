"""The verifier is sound for the machine: what really happens lies inside what the verifier thinks can happen.

Generated programs are run with a trace, and before each instruction some state that the verifier had there must hold
all registers of the run at once.  Pruning is switched off for that, because a pruned path leaves no states behind where
it goes on; with pruning, still every executed instruction must have been visited.
"""

from __future__ import annotations

import random

import pytest

from pybpf import VM, ProgramSpec, verify
from pybpf.asm import Insn
from pybpf.asm.opcodes import Alu, Class, Jmp, Mode, Size
from pybpf.uapi import MapType, ProgType
from pybpf.verifier import explore
from pybpf.verifier.numbers.num import const
from pybpf.verifier.pruning.explored import Explored
from pybpf.verifier.steps import alu
from pybpf.verifier.values import CTX, MAP_PTR, MAP_VALUE, MAYBE_NULL, NOT_INIT, PKT, PKT_END, SCALAR, STACK
from pybpf.vm import memory

FRAME = bytes(12) + b"\x08\x00" + bytes(range(0x45, 0x45 + 60))
U64 = (1 << 64) - 1
MOST_STATES = 1000
_FIRST_REGION = 0x80000100


def unknown(pick, generate) -> list[Insn]:
    """Registers and stack of numbers that the verifier cannot know, some with bounds."""
    code = []
    for at in range(-64, 0, 4):
        code += [Insn(Class.JMP | Jmp.CALL, imm=7), Insn(Class.STX | Mode.MEM | Size.W, 10, 0, at)]
    for reg in generate.SCALARS:
        mode, size = pick.one((Mode.MEM, Mode.MEM, Mode.MEMSX)), pick.one((Size.B, Size.H, Size.W))
        if mode == Mode.MEM and pick.number(0, 1):
            size = Size.DW
        code.append(Insn(Class.LDX | mode | size, reg, 10, -8 * pick.number(1, 8)))
        if pick.number(0, 1):
            op = pick.one((Alu.AND, Alu.OR, Alu.RSH, Alu.ARSH, Alu.MOD))
            value = (
                pick.number(0, 31) if op in (Alu.RSH, Alu.ARSH) else pick.one((1, 7, 255, 256, 0x7FFFFFFF, -2, -256))
            )
            code.append(Insn(pick.one((Class.ALU, Class.ALU64)) | op, reg, imm=value))
    return code


def of_unknown_numbers(rng: random.Random, generate) -> ProgramSpec:
    pick = generate.Pick(rng)
    body = generate.statements(pick, 10)
    return ProgramSpec(
        [Insn(Class.ALU64 | Alu.MOV | 8, 6, 1), *unknown(pick, generate), *body, *generate.ending()],
        ProgType.SOCKET_FILTER,
        name="unknown",
    )


def holds(reg, value: int | None, vm: VM, packet: tuple[int, int]) -> bool:
    """Whether an abstract register covers a concrete one; `packet` is where it begins and ends."""
    kind = reg.kind
    if kind == NOT_INIT:
        return True
    if value is None:
        return False
    if reg.type == SCALAR:
        return reg.num.holds(value)
    if reg.type & MAYBE_NULL and value == 0:
        return True
    if kind == MAP_PTR:
        return value in vm.mapset.by_address
    if kind == PKT_END:
        return value == packet[1]
    if kind == MAP_VALUE:
        return _FIRST_REGION <= value >> 32 <= 0xFFFFFFFF
    base = {STACK: (memory.STACK + reg.extra) << 32 | memory.FRAME_SIZE, CTX: memory.CTX << 32, PKT: packet[0]}[kind]
    return reg.num.holds((value - base - reg.off) & U64)


def covers(state, before, vm: VM, packet: tuple[int, int]) -> bool:
    """Whether a state of the verifier holds all registers at once, and equal where it says that they are equal."""
    pairs = list(zip(state.regs, before, strict=True))
    same: dict[int, int | None] = {}
    for reg, value in pairs:
        if not holds(reg, value, vm, packet):
            return False
        if reg.type == SCALAR and reg.id and reg.data is None and same.setdefault(reg.id, value) != value:
            return False
    return True


class TooMany(Exception):
    """So many paths that following them all takes too long."""


@pytest.fixture
def every_path(monkeypatch):
    """No pruning, and every state kept (a report keeps 64 for an instruction)."""

    def record(run, state, slot):
        kept = run.visits.setdefault(slot, [])
        kept.append(state.copy())
        if len(kept) > MOST_STATES:
            raise TooMany

    monkeypatch.setattr(explore.Run, "_record", record)
    monkeypatch.setattr(Explored, "covering", lambda explored, state, slot, processed: None)


def states_of(spec: ProgramSpec):
    """The states at each slot, None for a program that the verifier does not take."""
    try:
        report = verify(spec, record=True)
    except TooMany:
        return None
    return report.outcome.run.visits if report.ok else None


def join(spec: ProgramSpec, seeds: int = 3) -> int:
    """How many executed instructions were compared."""
    visits = states_of(spec)
    if visits is None:
        return 0
    compared = 0
    for seed in range(seeds):
        vm = VM(spec, seed=seed)
        trace = vm.run(data=FRAME, trace=True).trace
        packet = (trace[0].after[7] or 0, trace[1].after[8] or 0)  # where `generate.with_packet` loads them
        for line in trace:
            states = visits.get(line.slot, ())
            if not any(covers(state, line.before, vm, packet) for state in states):
                shown = "\n".join(str(state.regs) for state in states[:20])
                pytest.fail(f"seed {seed}: {line}\nbefore: {line.before}\nno state of the verifier holds it:\n{shown}")
        compared += len(trace)
    return compared


def join_many(make, count: int, **options) -> None:
    compared = [join(make(random.Random(seed)), **options) for seed in range(count)]
    assert sum(map(bool, compared)) >= 0.9 * count, f"{sum(map(bool, compared))} of {count} programs were compared"


def test_unknown_numbers(every_path, generate, scale):
    join_many(lambda rng: of_unknown_numbers(rng, generate), 150 * scale)


def test_known_numbers(every_path, generate, scale):
    join_many(lambda rng: generate.program(generate.Pick(rng)), 50 * scale, seeds=1)


def test_local_calls(every_path, generate, scale):
    join_many(lambda rng: generate.with_calls(generate.Pick(rng)), 50 * scale, seeds=1)


@pytest.mark.parametrize("kind", [MapType.HASH, MapType.ARRAY, MapType.QUEUE], ids=str)
def test_maps(every_path, generate, scale, kind):
    join_many(lambda rng: generate.with_map(generate.Pick(rng), kind), 30 * scale, seeds=1)


@pytest.mark.parametrize("prog_type", [ProgType.XDP, ProgType.SCHED_CLS], ids=str)
def test_packets(every_path, generate, scale, prog_type):
    join_many(lambda rng: generate.with_packet(generate.Pick(rng), prog_type), 50 * scale, seeds=1)


def test_pruning_hides_nothing_that_runs(generate, scale):
    """With pruning as in the kernel, the verifier has been wherever the machine goes."""
    for seed in range(100 * scale):
        spec = of_unknown_numbers(random.Random(seed), generate)
        visits = states_of(spec)
        if visits is None:
            continue
        for run in range(5):
            ran = {line.slot for line in VM(spec, seed=run).run(data=FRAME, trace=True).trace}
            assert ran <= visits.keys(), f"program {seed}, run {run}"


def test_an_unsound_verifier_is_found(every_path, generate, monkeypatch):
    """One that takes the smallest result of an operation for the only one does not pass."""
    right = alu.apply
    monkeypatch.setattr(alu, "apply", lambda *args: const(right(*args).umin))
    with pytest.raises(pytest.fail.Exception, match="no state of the verifier holds it"):
        join_many(lambda rng: of_unknown_numbers(rng, generate), 20)
