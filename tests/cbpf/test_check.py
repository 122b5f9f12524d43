"""The static check says what the kernel says: SO_ATTACH_FILTER needs no privilege, so the kernel is always asked."""

from __future__ import annotations

import ctypes
import random
import socket
import sys

import pytest
from filters import random_filter

from pybpf import FilterError
from pybpf.cbpf import Insn, check, decode, encode
from pybpf.cbpf.insn import OPCODES

SO_ATTACH_FILTER = 26


def kernel_accepts(insns: list[Insn]) -> bool:
    raw = encode(insns)
    buffer = ctypes.create_string_buffer(raw, max(len(raw), 1))

    class Program(ctypes.Structure):
        _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, bytes(Program(len(insns), ctypes.addressof(buffer))))
        except OSError:
            return False
    return True


def we_accept(insns: list[Insn]) -> bool:
    try:
        check(insns)
    except FilterError:
        return False
    return True


linux = pytest.mark.skipif(sys.platform != "linux", reason="SO_ATTACH_FILTER is Linux's")
RET = Insn(0x06)


@linux
@pytest.mark.parametrize(
    "insns",
    [
        [],
        [RET],
        [Insn(0x00)],
        [Insn(0x60, k=2), RET],
        [Insn(0x02, k=2), Insn(0x60, k=2), RET],
        [Insn(0x02, k=16), RET],
        [Insn(0x34), RET],
        [Insn(0x94), RET],
        [Insn(0x64, k=31), RET],
        [Insn(0x64, k=32), RET],
        [Insn(0x05, k=0), RET],
        [Insn(0x05, k=1), RET],
        [Insn(0x05, k=0xFFFFFFFF), RET],
        [Insn(0x15, 0, 1), RET],
        [Insn(0x15, 1, 0), RET, RET],
        [Insn(0x20, k=0xFFFFF03C), RET],
        [Insn(0x20, k=0xFFFFF040), RET],
        [Insn(0x28, k=0xFFFFF000), RET],
        [Insn(0x0E), RET],
        [RET, Insn(0x0E)],
        [Insn(0x15, 0, 1, 0), Insn(0x02, k=1), Insn(0x60, k=1), RET],
        [Insn(0x15, 0, 2, 0), Insn(0x02, k=1), Insn(0x05, k=1), Insn(0x02, k=1), Insn(0x60, k=1), RET],
        [RET] * 4096,
        [RET] * 4097,
    ],
)
def test_verdict_is_the_kernels(insns):
    assert we_accept(insns) == kernel_accepts(insns)


@linux
def test_every_code_is_known_or_refused_as_in_the_kernel():
    for code in range(0x200):
        insns = [Insn(code, k=1), RET, RET, RET]
        if code in OPCODES and OPCODES[code][1] == "mem":
            insns = [Insn(0x02, k=1), *insns]
        assert we_accept(insns) == kernel_accepts(insns), hex(code)


@linux
def test_mutated_filters_agree():
    rng = random.Random(7)
    accepted = 0
    for _ in range(3000):
        raw = bytearray(encode(random_filter(rng, 12)))
        for _ in range(rng.randrange(3)):
            raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        insns = decode(bytes(raw))
        accepted += we_accept(insns)
        assert we_accept(insns) == kernel_accepts(insns), insns
    assert 500 < accepted < 2900  # both verdicts were exercised
