"""Labels to distances, near and far."""

from __future__ import annotations

import random

import pytest

from pybpf import asm
from pybpf.asm import Insn
from pybpf.asm.build import (
    call_local,
    exit_,
    gotol,
    ja,
    jeq,
    jset,
    jsgt,
    ld_func,
    ld_imm64,
    may_goto,
    mov,
    program,
    r0,
    r1,
    w0,
)
from pybpf.asm.symbols import distance, refers_to_code, slots_of
from pybpf.errors import AsmError

NOPS = [mov(r0, 0)] * 33_000


def by_slot(insns: list[Insn]) -> dict[int, Insn]:
    return dict(zip(slots_of(insns), insns, strict=True))


def follow(at: dict[int, Insn], start: int, taken: bool) -> int:
    """The slot of the first instruction that is no goto, coming from the jump at `start`, taken or not."""
    slot = start + 1 + (distance(at[start]) if taken else 0)
    while at[slot].opcode in (0x05, 0x06):
        slot += 1 + distance(at[slot])
    return slot


def test_near_jumps_stay_short():
    prog = asm.resolve(program(ja("end"), [mov(r0, 0)] * 32_767, "end", exit_()))
    assert prog[0] == Insn(0x05, off=32_767)
    assert len(prog) == 32_769


def test_a_far_goto_becomes_gotol():
    prog = asm.resolve(program(ja("end"), NOPS, "end", exit_()))
    assert prog[0] == Insn(0x06, imm=33_000)
    back = asm.resolve(program("start", NOPS, ja("start"), exit_()))
    assert back[-2] == Insn(0x06, imm=-33_001)


def test_a_far_conditional_jump_is_inverted():
    prog = asm.resolve(program("top", jeq(r1, 5, "end"), NOPS, "end", exit_()))
    assert prog[:2] == [Insn(0x55, 1, off=1, imm=5), Insn(0x06, imm=33_000)]
    assert prog[0].label == "top"
    assert len(prog) == 33_003


@pytest.mark.parametrize("jump", [jset(r1, 1, "end"), may_goto("end"), jsgt(w0, -1, "end")])
def test_far_jumps_lead_where_they_did(jump):
    prog = asm.resolve(program(jump, NOPS, "end", exit_()))
    end = slots_of(prog)[-1]
    assert {follow(by_slot(prog), 0, True), follow(by_slot(prog), 0, False)} == {end, len(prog) - len(NOPS) - 1}
    inverted = prog[0].opcode != jump.opcode
    assert follow(by_slot(prog), 0, not inverted) == end


def test_lengthening_one_jump_pushes_another_out():
    """The outer jumps fit exactly until the inner one grows."""
    inner = jeq(r1, 1, "far")
    prog = program(
        jeq(r1, 0, "near"), inner, [mov(r0, 0)] * 32_765, exit_(), "near", exit_(), [mov(r0, 0)] * 10, "far", exit_()
    )
    resolved = asm.resolve(prog)
    assert [insn.opcode for insn in resolved[:4]] == [0x55, 0x06, 0x55, 0x06]
    labels = {insn.label: slot for insn, slot in zip(resolved, slots_of(resolved), strict=True) if insn.label}
    assert follow(by_slot(resolved), 0, False) == labels["near"]
    assert follow(by_slot(resolved), 2, False) == labels["far"]


def test_numbers_follow_when_instructions_are_inserted():
    prog = asm.resolve(program(ja(1), jeq(r1, 0, "far"), ld_imm64(r1, 1), ja(-4), NOPS, "far", exit_()))
    assert prog[0].off == 2  # over what were one slot, and are two
    assert prog[4].off == -5  # to the conditional jump, over its gotol
    assert asm.check(prog) == []


def test_random_programs_keep_their_meaning():
    rng = random.Random(4)
    makers = (ja, gotol, may_goto, lambda target: jeq(r1, 3, target), lambda target: jset(r1, r0, target))
    longer = 0
    for _ in range(5):
        jumps = [rng.choice(makers)(f"L{rng.randrange(60)}") for _ in range(60)]
        sizes = [rng.choice([1, 1000, 2500]) for _ in jumps]
        prog = program(
            [
                (f"L{n}", mov(r0, n), jump, [mov(r0, n)] * size)
                for n, (jump, size) in enumerate(zip(jumps, sizes, strict=True))
            ],
            exit_(),
        )
        resolved = asm.resolve(prog)
        assert asm.check(resolved) == []
        longer += len(resolved) - len(prog)
        slots = {insn.label: slot for insn, slot in zip(resolved, slots_of(resolved), strict=True) if insn.label}
        at = by_slot(resolved)
        for n, jump in enumerate(jumps):
            start = slots[f"L{n}"] + 1
            straight = at[start].opcode in (0x05, 0x06, jump.opcode)
            assert follow(at, start, straight) == slots[jump.symbol]
    assert longer > 50


def test_levels_without_gotol_refuse_far_jumps():
    prog = program(ja("end"), NOPS, "end", exit_())
    with pytest.raises(AsmError, match="ISA v3 has no gotol"):
        asm.resolve(prog, isa=3)
    with pytest.raises(AsmError, match="needs ISA v4"):
        asm.resolve(program(gotol("end"), "end", exit_()), isa="v2")


def test_functions():
    prog = asm.resolve(program(call_local("f"), ld_func(r1, "f"), exit_(), "f", exit_()))
    assert [insn.imm for insn in prog[:2]] == [3, 2]
    assert all(map(refers_to_code, prog[:2]))


def test_resolving_twice_changes_nothing():
    prog = asm.resolve(asm.assemble("x: goto x\nexit"))
    assert asm.resolve(prog) == prog
    assert prog[0].label == "x"
    assert prog[0].symbol is None


@pytest.mark.parametrize(
    ("prog", "message"),
    [
        ([Insn(0x05, symbol="x")], "no label is named 'x'"),
        ([Insn(0x95, label="x"), Insn(0x95, label="x")], "label 'x' is there twice"),
        (["exit"], "'exit' is not an Insn"),
    ],
)
def test_errors(prog, message):
    with pytest.raises(AsmError, match=message):
        asm.resolve(prog)
