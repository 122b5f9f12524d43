"""Bytes to instructions and back, whatever the bytes."""

from __future__ import annotations

import copy
import pickle
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybpf import asm
from pybpf.asm import Insn, Pseudo
from pybpf.errors import AsmError

from .generate import every_kind

S16 = st.integers(-(1 << 15), (1 << 15) - 1)
S32 = st.integers(-(1 << 31), (1 << 31) - 1)
NIBBLE = st.integers(0, 15)
SLOT = st.one_of(
    st.binary(min_size=8, max_size=8),
    st.sampled_from([b"\x18" + bytes(7), b"\x18\x11" + bytes(6), bytes(8), b"\0\0\0\0\1\2\3\4", b"\0\0\1\0\0\0\0\0"]),
)
CODE = st.lists(SLOT, max_size=12).map(b"".join)
ORDER = st.sampled_from(["little", "big"])
NARROW = st.builds(Insn, st.integers(0, 255), NIBBLE, NIBBLE, S16, S32)
WIDE = st.builds(Insn, st.just(0x18), NIBBLE, NIBBLE, S16, S32, S32)


@given(CODE, ORDER)
@settings(max_examples=1500, deadline=None)
def test_bytes_come_back(code, order):
    insns = asm.decode(code, order)
    assert asm.encode(insns, order) == code
    assert sum(insn.slots for insn in insns) * 8 == len(code)


@given(st.one_of(NARROW, WIDE), ORDER)
@settings(max_examples=1500, deadline=None)
def test_instructions_come_back(insn, order):
    assert asm.decode(asm.encode([insn], order), order) == [insn]


@given(CODE)
@settings(max_examples=1500, deadline=None)
def test_text_of_any_bytes_reads_back(code):
    text = asm.disassemble(code, byteorder="little")
    assert len(text.splitlines()) == len(asm.decode(code, "little"))
    assert asm.encode(asm.assemble(text), "little") == code


def test_text_of_every_kind_reads_back():
    insns = every_kind(random.Random(1), 60, registers=12)
    assert len(insns) > 6000
    assert asm.assemble(asm.disassemble(insns)) == insns
    assert asm.decode(asm.encode(insns)) == insns


def test_layout():
    insn = Insn(0x7B, 10, 3, -8, 5)
    assert asm.encode([insn], "little") == struct.pack("<BBhi", 0x7B, 0x3A, -8, 5)
    assert asm.encode([insn], "big") == struct.pack(">BBhi", 0x7B, 0xA3, -8, 5)


def test_wide_loads_are_one_value():
    (insn,) = asm.decode(bytes.fromhex("18120000 01000000 00000000 02000000"), "little")
    assert (insn.wide, insn.slots, insn.imm64, insn.dst, insn.src) == (True, 2, 0x2_0000_0001, 2, Pseudo.MAP_FD)
    assert Insn.ld_imm64(1, -1) == Insn.ld_imm64(1, (1 << 64) - 1) == Insn(0x18, 1, 0, 0, -1, -1)


@pytest.mark.parametrize(
    "rest", ["", "0000010000000000", "0100000000000000", "9500000000000000", "18000000000000009500000000000000"]
)
def test_lone_half_of_a_wide_load(rest):
    code = bytes.fromhex("1801000005000000" + rest)
    insns = asm.decode(code, "little")
    assert (insns[0].opcode, insns[0].wide, insns[0].slots) == (0x18, False, 1)
    assert asm.encode(insns, "little") == code
    assert "half of a wide load" in asm.disassemble(code, byteorder="little").splitlines()[0]
    assert "half of a wide load" in str(asm.check(insns)[0])


@pytest.mark.parametrize(
    ("insn", "message"),
    [
        (Insn(256), "opcode is 256: expected 0..255"),
        (Insn(7, 16), "dst is 16: expected 0..15"),
        (Insn(7, 0, -1), "src is -1: expected 0..15"),
        (Insn(7, 0, 0, 1 << 15), "off is 32768: expected -32768..32767"),
        (Insn(7, 0, 0, 0, 1 << 31), "imm is 2147483648: expected -2147483648..2147483647"),
        (Insn(0x18, 0, 0, 0, 0, 1 << 31), "next_imm is 2147483648"),
        (Insn(7, "r1"), "dst is 'r1': expected an integer"),
        ("exit", "'exit' is not an Insn"),
        ((7, 0, 0, 0, 0, None), "is not an Insn"),
        (None, "None is not an Insn"),
    ],
)
def test_what_does_not_fit_is_named(insn, message):
    with pytest.raises(AsmError) as caught:
        asm.encode([insn])
    assert message in str(caught.value)


@pytest.mark.parametrize("length", [1, 7, 9, 15])
def test_broken_length(length):
    with pytest.raises(AsmError, match="multiple of 8"):
        asm.decode(bytes(length))
    with pytest.raises(AsmError, match="multiple of 8"):
        asm.disassemble(bytes(length))


def test_unknown_byte_order():
    with pytest.raises(AsmError, match="'little' or 'big'"):
        asm.decode(bytes(8), "middle")


def test_names_without_numbers_are_not_encoded():
    prog = asm.assemble("r1 = map_by_fd(packets)\ncall kfunc bpf_cpumask_create\nr2 = var_addr(jiffies)\nexit")
    with pytest.raises(AsmError, match="map 'packets' has no number yet") as caught:
        asm.encode(prog)
    assert caught.value.line == 1
    with pytest.raises(AsmError, match="kfunc 'bpf_cpumask_create'"):
        asm.encode(prog[1:])
    with pytest.raises(AsmError, match="kernel variable 'jiffies'"):
        asm.encode(prog[2:])
    assert asm.encode(prog, placeholders=True) == asm.encode([insn.replace(symbol=None) for insn in prog])
    assert asm.encode([prog[0].replace(imm=5)], "little")[:8] == bytes.fromhex("1811000005000000")


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda insn: pickle.loads(pickle.dumps(insn))])
def test_insn_survives_copies(duplicate):
    insn = Insn(0x18, 1, 1, next_imm=7, symbol="packets", label="start")
    same = duplicate(insn)
    assert (type(same), same, same.__dict__) == (Insn, insn, insn.__dict__)


def test_insn_is_an_immutable_value():
    insn = Insn(0xB7, 1, imm=5, label="a", comment="five")
    assert insn == Insn(0xB7, 1, 0, 0, 5)
    assert hash(insn) == hash(Insn(0xB7, 1, 0, 0, 5))
    changed = insn.replace(imm=6, comment=None)
    assert (changed.imm, changed.label, changed.comment, insn.imm) == (6, "a", None, 5)
    with pytest.raises(AttributeError, match="replace"):
        insn.label = "b"
