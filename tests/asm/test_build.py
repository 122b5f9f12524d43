"""The builder makes what the assembler reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from pybpf import asm
from pybpf.asm import build
from pybpf.asm.build import *  # noqa: F403
from pybpf.errors import AsmError

b = build

CASES = [
    (b.add(b.r1, b.r2), "r1 += r2"),
    (b.add(b.w1, -5), "w1 += -5"),
    (b.sub(b.w1, 0xFFFFFFFF), "w1 -= -1"),
    (b.mul(b.r1, 3), "r1 *= 3"),
    (b.div(b.r1, b.r3), "r1 /= r3"),
    (b.sdiv(b.r1, b.r3), "r1 s/= r3"),
    (b.mod(b.w1, 7), "w1 %= 7"),
    (b.smod(b.w1, 7), "w1 s%= 7"),
    (b.or_(b.r1, 1), "r1 |= 1"),
    (b.and_(b.r1, -16), "r1 &= -16"),
    (b.xor(b.r1, b.r1), "r1 ^= r1"),
    (b.lsh(b.r1, 8), "r1 <<= 8"),
    (b.rsh(b.w1, b.w2), "w1 >>= w2"),
    (b.arsh(b.r1, 8), "r1 s>>= 8"),
    (b.mov(b.r10, b.r0), "r10 = r0"),
    (b.mov(b.w3, 65535), "w3 = 65535"),
    (b.movsx(b.r1, b.r2, 32), "r1 = (s32)r2"),
    (b.movsx(b.w1, b.w2, 8), "w1 = (s8)w2"),
    (b.neg(b.r1), "r1 = -r1"),
    (b.neg(b.w1), "w1 = -w1"),
    (b.le(b.r1, 16), "r1 = le16 r1"),
    (b.be(b.r1, 32), "r1 = be32 r1"),
    (b.bswap(b.r1, 64), "r1 = bswap64 r1"),
    (b.addr_space_cast(b.r1, b.r2, 0, 1), "r1 = addr_space_cast(r2, 0, 1)"),
    (b.addr_space_cast(b.r1, b.r2, 65535, 2), "r1 = addr_space_cast(r2, 65535, 2)"),
    (b.ld_imm64(b.r1, 1 << 63), "r1 = -9223372036854775808 ll"),
    (b.ld_map(b.r1, 5), "r1 = map_by_fd(5)"),
    (b.ld_map(b.r1, "packets"), "r1 = map_by_fd(packets)"),
    (b.ld_map_value(b.r1, "packets", 8), "r1 = map_val(map_by_fd(packets)) + 8"),
    (b.ld_map_idx(b.r1, 2), "r1 = map_by_idx(2)"),
    (b.ld_map_idx_value(b.r1, 2, 4), "r1 = map_val(map_by_idx(2)) + 4"),
    (b.ld_var(b.r1, "jiffies"), "r1 = var_addr(jiffies)"),
    (b.ld_var(b.r1, 9, 3), "r1 = var_addr(9, 3)"),
    (b.ld_func(b.r1, "f"), "r1 = code_addr(f)"),
    (b.ldx(b.W, b.r1, b.r2 + 8), "r1 = *(u32 *)(r2 + 8)"),
    (b.ldx(b.DW, b.r1, b.r10 - 8), "r1 = *(u64 *)(r10 - 8)"),
    (b.ldx(b.B, b.r1, b.r2), "r1 = *(u8 *)(r2 + 0)"),
    (b.ldsx(b.H, b.r1, b.r2 + 2), "r1 = *(s16 *)(r2 + 2)"),
    (b.st(b.DW, b.r10 - 8, b.r1), "*(u64 *)(r10 - 8) = r1"),
    (b.st(b.W, b.r10 - 8, b.w1), "*(u32 *)(r10 - 8) = r1"),
    (b.st(b.H, b.r10 - 8, 0xFFFF), "*(u16 *)(r10 - 8) = 65535"),
    (b.ld_abs(b.B, 23), "r0 = *(u8 *)skb[23]"),
    (b.ld_ind(b.H, b.r2, 4), "r0 = *(u16 *)skb[r2 + 4]"),
    (b.atomic_add(b.DW, b.r1, b.r2), "lock *(u64 *)(r1 + 0) += r2"),
    (b.atomic_or(b.W, b.r1 + 4, b.r2), "lock *(u32 *)(r1 + 4) |= w2"),
    (b.atomic_and(b.DW, b.r1, b.r2, fetch=True), "r2 = atomic_fetch_and((u64 *)(r1 + 0), r2)"),
    (b.atomic_xor(b.DW, b.r1, b.r2, fetch=True), "r2 = atomic_fetch_xor((u64 *)(r1 + 0), r2)"),
    (b.xchg(b.W, b.r1, b.w2), "w2 = xchg32_32(r1 + 0, w2)"),
    (b.cmpxchg(b.DW, b.r1 - 8, b.r2), "r0 = cmpxchg_64(r1 - 8, r0, r2)"),
    (b.load_acquire(b.B, b.r1, b.r2), "w1 = load_acquire((u8 *)(r2 + 0))"),
    (b.store_release(b.DW, b.r1, b.r2), "store_release((u64 *)(r1 + 0), r2)"),
    (b.jeq(b.r1, 17, "udp"), "if r1 == 17 goto udp"),
    (b.jne(b.w1, b.w2, 5), "if w1 != w2 goto +5"),
    (b.jgt(b.r1, 0, -1), "if r1 > 0 goto -1"),
    (b.jge(b.r1, 0, 1), "if r1 >= 0 goto +1"),
    (b.jlt(b.r1, 0, 1), "if r1 < 0 goto +1"),
    (b.jle(b.r1, 0, 1), "if r1 <= 0 goto +1"),
    (b.jsgt(b.r1, -1, 1), "if r1 s> -1 goto +1"),
    (b.jsge(b.r1, b.r2, 1), "if r1 s>= r2 goto +1"),
    (b.jslt(b.w1, 0xFFFFFFFF, 1), "if w1 s< -1 goto +1"),
    (b.jsle(b.r1, 0, 1), "if r1 s<= 0 goto +1"),
    (b.jset(b.r1, 64, 1), "if r1 & 64 goto +1"),
    (b.ja("x"), "goto x"),
    (b.ja(-2), "goto -2"),
    (b.gotol("x"), "gotol x"),
    (b.gotol(70_000), "gotol +70000"),
    (b.may_goto("x"), "may_goto x"),
    (b.call("map_lookup_elem"), "call 1"),
    (b.call("bpf_map_lookup_elem"), "call 1"),
    (b.call(14), "call 14"),
    (b.call_local("f"), "call f"),
    (b.call_local(5), "call pc+5"),
    (b.call_kfunc("bpf_cpumask_create"), "call kfunc bpf_cpumask_create"),
    (b.call_kfunc(77), "call kfunc 77"),
    (b.exit_(), "exit"),
]


@pytest.mark.parametrize(("insn", "text"), CASES, ids=[case[1] for case in CASES])
def test_mnemonics(insn, text):
    assert str(insn) == text
    if insn.symbol is None:
        assert asm.assemble(text) == [insn]


def test_every_mnemonic_has_a_case():
    """What a module's star import gives, but for the registers, is in the table above or tested below."""
    functions = {n for n in build.__all__ if callable(getattr(build, n)) and n.islower()} - {"program"}
    used = {name for name in functions if f"b.{name}(" in Path(__file__).read_text()}
    assert functions == used


def test_program():
    prog = program(  # noqa: F405
        mov(r6, r1),  # noqa: F405
        [ld_abs(B, 23), jeq(r0, 17, "udp")],  # noqa: F405
        (mov(r0, n) for n in range(2)),  # noqa: F405
        exit_(),  # noqa: F405
        "udp",
        "same place",
        mov(r0, 65535),  # noqa: F405
        ja("same place"),  # noqa: F405
    )
    assert asm.resolve(prog) == asm.assemble(
        "r6 = r1\nr0 = *(u8 *)skb[23]\nif r0 == 17 goto +3\nr0 = 0\nr0 = 1\nexit\nr0 = 65535\ngoto -2"
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: b.add(b.r1, 1 << 31), "immediate 2147483648 is out of range: expected -2147483648 to 2147483647"),
        (lambda: b.mov(b.w1, 1 << 32), "immediate 4294967296 is out of range"),
        (lambda: b.add(b.r1, b.w2), "w2 has 32 bits: expected a 64-bit register, r2"),
        (lambda: b.add(5, b.r1), "5 is not a register"),
        (lambda: b.add(b.r1, "x"), "immediate is 'x': expected a number"),
        (lambda: b.add(b.r1, 1.5), "immediate is 1.5: expected a number"),
        (lambda: b.ldx(b.W, b.r1, b.r2 + 32768), "offset 32768 is out of range"),
        (lambda: b.ldx(b.W, b.r1, b.r2 - 32769), "offset -32769 is out of range"),
        (lambda: b.ldx(b.W, b.r1, b.w2 + 4), "w2 has 32 bits"),
        (lambda: b.ldx(b.W, b.r1, 100), "100 is not an address"),
        (lambda: b.ldx(4, b.r1, b.r2), "4 is not a width: expected B, H, W or DW"),
        (lambda: b.ldsx(b.DW, b.r1, b.r2), "expected B, H, W"),
        (lambda: b.ld_abs(b.DW, 0), "expected B, H, W"),
        (lambda: b.atomic_add(b.H, b.r1, b.r2), "expected W or DW"),
        (lambda: b.movsx(b.w1, b.w2, 32), "expected 8, 16, or 32 into a 64-bit register"),
        (lambda: b.be(b.r1, 24), "byte swap of 24 bits"),
        (lambda: b.jeq(b.r1, 0, 32768), "distance 32768 is out of range"),
        (lambda: b.ja(1.0), "distance is 1.0: expected a number"),
        (lambda: b.ld_imm64(b.r1, 1 << 64), "out of range"),
        (lambda: b.call("no_such_helper"), "no helper is named 'no_such_helper': call_kfunc"),
        (lambda: b.program(b.exit_(), "end"), "label 'end' has no instruction behind it"),
        (lambda: b.program(b.exit_(), 5), "5 is neither an instruction nor a label"),
    ],
)
def test_what_does_not_fit_raises_at_once(make, message):
    with pytest.raises(AsmError) as caught:
        make()
    assert message in str(caught.value)
