"""What a program asks of a kernel, and what is malformed in it."""

from __future__ import annotations

import pytest

from pybpf import asm
from pybpf.asm import Insn
from pybpf.errors import AsmError


@pytest.mark.parametrize(
    ("text", "level", "feature", "since"),
    [
        ("r1 += r2", 1, "base instructions", "3.18"),
        ("w1 += w2", 1, "base instructions", "3.18"),
        ("lock *(u32 *)(r1 + 0) += r2", 1, "base instructions", "3.18"),
        ("if r1 < 5 goto +0", 2, "less-than jumps", "4.14"),
        ("if r1 s<= r2 goto +0", 2, "less-than jumps", "4.14"),
        ("if w1 == 5 goto +0", 3, "32-bit jumps", "5.1"),
        ("if w1 < 5 goto +0", 3, "32-bit jumps", "5.1"),
        ("lock *(u64 *)(r1 + 0) |= r2", 3, "atomic operations", "5.12"),
        ("r0 = cmpxchg_64(r1 + 0, r0, r2)", 3, "atomic operations", "5.12"),
        ("r1 s/= 2", 4, "signed division", "6.6"),
        ("r1 = (s8)r2", 4, "sign-extending moves", "6.6"),
        ("r1 = *(s8 *)(r2 + 0)", 4, "sign-extending loads", "6.6"),
        ("r1 = bswap32 r1", 4, "unconditional byte swaps", "6.6"),
        ("r1 = be32 r1", 1, "base instructions", "3.18"),
        ("gotol +0", 4, "gotol", "6.6"),
        ("call pc+0", 1, "calls of local functions", "4.16"),
        ("call kfunc 5", 1, "kfunc calls", "5.13"),
        ("r1 = map_by_fd(5)", 1, "base instructions", "3.18"),
        ("r1 = map_val(map_by_fd(5)) + 8", 1, "map values by address", "5.2"),
        ("may_goto +0", 1, "may_goto", "6.9"),
        ("r1 = addr_space_cast(r2, 0, 1)", 1, "addr_space_cast", "6.9"),
        ("store_release((u8 *)(r1 + 0), w2)", 1, "load_acquire and store_release", "6.15"),
    ],
)
def test_levels_and_features(text, level, feature, since):
    prog = asm.assemble(f"r0 = 0\n{text}\nexit")
    assert asm.isa_level(prog) == level
    found = asm.features(prog)
    assert {found[0].name, found[-1].name} == {"base instructions", feature}
    assert (found[-1].since, found[-1].level or 1) == (since, level)
    for allowed in range(1, 5):
        if allowed < level:
            with pytest.raises(
                AsmError, match=rf"insn 1: `.*` \({feature}\) needs ISA v{level}, and v{allowed}"
            ) as caught:
                asm.check_isa(prog, allowed)
            assert caught.value.line == 2
        else:
            asm.check_isa(prog, allowed)
            asm.check_isa(prog, f"v{allowed}")
    asm.check_isa(prog, kernel=since)
    if feature != "base instructions":
        with pytest.raises(AsmError, match=f"needs Linux {since}, and 4.4 was asked for"):
            asm.check_isa(prog, kernel="4.4")
        with pytest.raises(AsmError, match="ruled out"):
            asm.check_isa(prog, without=[feature])


def test_kernel_versions_compare_as_numbers():
    asm.check_isa(asm.assemble("may_goto +0"), kernel="6.10")
    asm.check_isa(asm.assemble("may_goto +0"), kernel="6.9.3-generic")
    with pytest.raises(AsmError, match=r"expected something like '5\.15'"):
        asm.check_isa([], kernel="new")


@pytest.mark.parametrize("isa", [0, 5, "v5", "4", 2.5, "newest"])
def test_levels_that_do_not_exist(isa):
    with pytest.raises(AsmError, match="expected 1 to 4"):
        asm.check_isa([], isa)


def test_what_is_no_instruction_has_no_level():
    with pytest.raises(AsmError, match="opcode 0xff is unknown"):
        asm.isa_level([Insn(0xFF)])
    with pytest.raises(AsmError, match="no feature is named 'wings'"):
        asm.check_isa([], without=["wings"])


@pytest.mark.parametrize(
    ("prog", "problems"),
    [
        (asm.assemble("r1 = 5 ll\nx: r0 = 0\nif r1 == 0 goto x\nexit"), []),
        ([Insn(0xFF)], ["insn 0: `.insn 0xff, 0, 0, 0, 0`: opcode 0xff is unknown"]),
        ([Insn(0x0F, 1, 2, 0, 7)], ["a field has a value that opcode 0x0f does not have"]),
        (
            [Insn(0xB7, 11), Insn(0xBF, 1, 12)],
            ["dst is r11: registers are r0 to r10", "insn 1: `.insn 0xbf, 1, 12, 0, 0`: src is r12"],
        ),
        ([Insn(0x18, 1)], ["half of a wide load, without the other half"]),
        (
            asm.decode(bytes.fromhex("0500010000000000 1800000000000000 0000000000000000"), "little"),
            ["it leads to slot 2, where no"],
        ),
        ([Insn(0x05, off=-2)], ["it leads to slot -1, where no instruction begins"]),
        ([Insn(0x85, 0, 1, 0, 5)], ["it leads to slot 6"]),
        ([Insn(0xB7, 1), Insn(0x05, off=5)], ["insn 1: `goto +5`: it leads to slot 7"]),
    ],
)
def test_check(prog, problems):
    found = asm.check(prog)
    assert len(found) == len(problems)
    for error, problem in zip(found, problems, strict=True):
        assert problem in str(error)
