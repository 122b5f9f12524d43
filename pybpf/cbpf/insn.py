"""Classic instructions as values, their one opcode table, and their bytes.

    struct sock_filter:   code (16) | jt (8) | jf (8) | k (32, unsigned)

A machine with an accumulator A, an index register X and sixteen words of scratch memory M[]
(McCanne and Jacobson, "The BSD Packet Filter", 1993; the extensions are Linux's).
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable
from typing import NamedTuple

from ..errors import FilterError

MAX_INSNS = 4096
"""BPF_MAXINSNS: the longest filter that the kernel takes."""
MEM_WORDS = 16

AD_OFF = 0xFFFFF000
"""SKF_AD_OFF (-0x1000) as the unsigned k holds it: loads from here up read an extension."""
NET_OFF = 0xFFF00000
"""SKF_NET_OFF (-0x100000): loads from here are relative to the network header."""
LL_OFF = 0xFFE00000
"""SKF_LL_OFF (-0x200000): loads from here are relative to the link-layer header."""

EXTENSIONS = {
    name: AD_OFF + 4 * i
    for i, name in enumerate(
        (
            "proto",
            "type",
            "ifidx",
            "nla",
            "nlan",
            "mark",
            "queue",
            "hatype",
            "rxhash",
            "cpu",
            "xor_x",
            "vlan_tci",
            "vlanp",
            "poff",
            "random",
            "vlan_tpid",
        )
    )
}
"""Linux's extensions (SKF_AD_*) by the names that libpcap prints: name -> k of the load."""

EXTENSION_NAMES = {k: name for name, k in EXTENSIONS.items()}


class Insn(NamedTuple):
    """One `struct sock_filter`: `jt` and `jf` are distances beyond the next instruction, `k` is unsigned."""

    code: int
    jt: int = 0
    jf: int = 0
    k: int = 0


# code -> (mnemonic, operand).  The operand names how k is read and written:
#   imm  #k in hexadecimal     num  #k in decimal     x  the index register     abs [k]     ind [x + k]
#   mem  M[k]     msh 4*([k]&0xf)     len #pktlen     jump  a distance in k      acc  the accumulator    "" nothing
_ALU = ("add", "sub", "mul", "div", "or", "and", "lsh", "rsh", None, "mod", "xor")
_HEX_ALU = ("or", "and", "xor")
OPCODES: dict[int, tuple[str, str]] = {
    0x00: ("ld", "imm"),
    0x20: ("ld", "abs"),
    0x28: ("ldh", "abs"),
    0x30: ("ldb", "abs"),
    0x40: ("ld", "ind"),
    0x48: ("ldh", "ind"),
    0x50: ("ldb", "ind"),
    0x60: ("ld", "mem"),
    0x80: ("ld", "len"),
    0x01: ("ldx", "imm"),
    0x61: ("ldx", "mem"),
    0x81: ("ldx", "len"),
    0xB1: ("ldxb", "msh"),
    0x02: ("st", "mem"),
    0x03: ("stx", "mem"),
    **{0x04 | i << 4: (op, "imm" if op in _HEX_ALU else "num") for i, op in enumerate(_ALU) if op},
    **{0x0C | i << 4: (op, "x") for i, op in enumerate(_ALU) if op},
    0x84: ("neg", ""),
    0x05: ("ja", "jump"),
    **{0x05 | i << 4: (op, "imm") for i, op in enumerate(("jeq", "jgt", "jge", "jset"), 1)},
    **{0x0D | i << 4: (op, "x") for i, op in enumerate(("jeq", "jgt", "jge", "jset"), 1)},
    0x06: ("ret", "num"),
    0x16: ("ret", "acc"),
    0x07: ("tax", ""),
    0x87: ("txa", ""),
}
CODES = {entry: code for code, entry in OPCODES.items()}

CONDITIONS = ("jeq", "jgt", "jge", "jset")

_FORMAT = {"little": struct.Struct("<HBBI"), "big": struct.Struct(">HBBI")}


def encode(insns: Iterable[Insn], byteorder: str = sys.byteorder) -> bytes:
    """The bytes of `struct sock_filter` for each instruction.  FilterError for a field that does not fit."""
    pack = _FORMAT[byteorder].pack
    out = []
    for i, insn in enumerate(insns):
        try:
            out.append(pack(*insn))
        except struct.error:
            raise FilterError(f"insn {i}: a field of {insn} does not fit (code 16 bits, jt and jf 8, k 32)") from None
    return b"".join(out)


def decode(raw: bytes, byteorder: str = sys.byteorder) -> list[Insn]:
    """The instructions in `raw`, 8 bytes each, valid or not.  FilterError when the length is not a multiple of 8."""
    if len(raw) % 8:
        raise FilterError(f"{len(raw)} bytes: a classic filter is a multiple of 8")
    return [Insn(*fields) for fields in _FORMAT[byteorder].iter_unpack(raw)]
