"""A small machine for classic filters with the kernel's semantics.

A load outside the packet and a division by a zero X end the filter with 0; shifts by X use its low five
bits, as the kernel's translation to extended BPF does (libpcap's own interpreter gives 0 from 32 up).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ..errors import FilterError
from .insn import AD_OFF, EXTENSION_NAMES, LL_OFF, MEM_WORDS, NET_OFF, OPCODES, Insn

_M32 = 0xFFFFFFFF


class Packet(NamedTuple):
    """What a filter looks at: the bytes from the link-layer header on, and what the kernel knows besides.

    `meta` gives the extensions by name ("vlan_tci", "mark", "ifidx", ...); a filter that reads one that is not
    there is stopped with FilterError.  `network` is the offset of the network header.
    """

    data: bytes
    meta: Mapping[str, int] = {}
    network: int = 14


_ALU: dict[str, Callable[[int, int], int]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.floordiv,
    "mod": operator.mod,
    "or": operator.or_,
    "and": operator.and_,
    "xor": operator.xor,
    "lsh": lambda a, b: a << (b & 31),
    "rsh": lambda a, b: a >> (b & 31),
}
_CONDITION: dict[str, Callable[[int, int], bool]] = {
    "jeq": operator.eq,
    "jgt": operator.gt,
    "jge": operator.ge,
    "jset": lambda a, b: bool(a & b),
}
_WIDTH = {"ld": 4, "ldh": 2, "ldb": 1, "ldxb": 1}


def run(insns: Sequence[Insn], packet: Packet) -> int:
    """The value that the filter returns for `packet`: the number of bytes to keep, 0 to drop.

    The filter must have passed `check`, so it ends: classic jumps go forward only.
    """
    a = x = pc = 0
    mem = [0] * MEM_WORDS
    while True:
        code, jt, jf, k = insns[pc]
        pc += 1
        op, operand = OPCODES[code]
        value = x if operand == "x" else k
        if operand == "abs" and k >= AD_OFF:
            if EXTENSION_NAMES[k] == "ifidx" and packet.meta.get("ifidx") == 0:
                return a  # a packet of no device ends the filter there (convert_bpf_extensions, net/core/filter.c)
            a = a ^ x if EXTENSION_NAMES[k] == "xor_x" else _extension(packet, EXTENSION_NAMES[k], pc - 1)
        elif operand in ("abs", "ind", "msh"):
            loaded = _load(packet, k + x & _M32 if operand == "ind" else k, _WIDTH[op])
            if loaded is None:
                return 0
            if operand == "msh":
                x = 4 * (loaded & 0xF)
            else:
                a = loaded
        elif op in ("ld", "ldx"):
            value = mem[k] if operand == "mem" else len(packet.data) if operand == "len" else k
            if op == "ld":
                a = value
            else:
                x = value
        elif op in _ALU:
            if op in ("div", "mod") and value == 0:
                return 0
            a = _ALU[op](a, value) & _M32
        elif op in _CONDITION:
            pc += jt if _CONDITION[op](a, value) else jf
        elif op == "ret":
            return a if operand == "acc" else k
        elif op == "ja":
            pc += k
        elif op == "neg":
            a = -a & _M32
        elif op == "tax":
            x = a
        elif op == "txa":
            a = x
        else:  # st, stx
            mem[k] = a if op == "st" else x


def _load(packet: Packet, offset: int, width: int) -> int | None:
    """A big-endian field of the packet, or None outside of it; huge offsets are relative to a header."""
    if offset >= NET_OFF:
        offset = offset - NET_OFF + packet.network
    elif offset >= LL_OFF:
        offset -= LL_OFF
    field = packet.data[offset : offset + width]
    return int.from_bytes(field, "big") if len(field) == width else None


def _extension(packet: Packet, name: str, at: int) -> int:
    try:
        return packet.meta[name] & _M32
    except KeyError:
        raise FilterError(f"insn {at} reads [{name}]: give it in Packet(data, meta={{{name!r}: ...}})") from None
