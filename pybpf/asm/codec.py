"""Bytes to instructions and back; nothing here interprets what an instruction means.

    struct bpf_insn:   opcode (8) | dst (4) src (4) | off (16, signed) | imm (32, signed)

The register nibbles swap with the byte order: dst is the low one in little-endian code and the high
one in big-endian code (RFC 9669 section 3.1).
"""

from __future__ import annotations

import struct
import sys

from ..errors import AsmError
from .insn import Insn
from .opcodes import LD_IMM64, Pseudo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SLOT = 8
_FORMAT = {"little": struct.Struct("<BBhi"), "big": struct.Struct(">BBhi")}


def encode(insns: Iterable[Insn], byteorder: str = sys.byteorder, *, placeholders: bool = False) -> bytes:
    """The bytes of `insns`: 8 for each, 16 for a wide one.  `byteorder` is "little" or "big".

    Symbols of jumps and local calls are resolved on the way.  Names of maps, kfuncs and kernel variables only become
    numbers where the program is loaded: `placeholders` encodes them as 0, else they are an AsmError.  So is a field
    that does not fit.
    """
    fmt = _format(byteorder)
    pack = fmt.pack
    shift_dst, shift_src = (0, 4) if byteorder == "little" else (4, 0)
    program = insns if isinstance(insns, (list, tuple)) else list(insns)
    out: list[bytes] = []
    append = out.append
    insn = None
    try:
        for insn in program:
            opcode, dst, src, off, imm, next_imm = insn
            if insn.symbol is not None:
                break
            if (dst | src) & ~15:
                raise struct.error
            append(pack(opcode, dst << shift_dst | src << shift_src, off, imm))
            if next_imm is not None:
                append(pack(0, 0, 0, next_imm))
        else:
            return b"".join(out)
    except (struct.error, TypeError, ValueError, AttributeError):
        raise _misfit(insn) from None
    return encode(_without_symbols(program, placeholders), byteorder)


def _without_symbols(program: Iterable[Insn], placeholders: bool) -> list[Insn]:
    from .symbols import resolve

    out = resolve(program)
    for index, insn in enumerate(out):
        if insn.symbol is not None:
            if insn.imm == 0 and not placeholders:
                raise AsmError(
                    f"{_kind(insn)} {insn.symbol!r} has no number yet: it gets one when the program is loaded; "
                    "encode(..., placeholders=True) writes 0",
                    insn.source,
                )
            out[index] = insn.replace(symbol=None)
    return out


def _kind(insn: Insn) -> str:
    if insn.opcode != LD_IMM64:
        return "kfunc"
    return "kernel variable" if insn.src == Pseudo.BTF_ID else "map"


def decode(raw: bytes, byteorder: str = sys.byteorder) -> list[Insn]:
    """The instructions in `raw`, for which `encode(decode(raw)) == raw` holds whatever the bytes are.

    A wide load whose second slot is missing or not empty stays two plain values (see `Insn`).
    AsmError when the length is not a multiple of 8.
    """
    fmt = _format(byteorder)
    if len(raw) % SLOT:
        raise AsmError(f"{len(raw)} bytes of code: the length must be a multiple of {SLOT}")
    new = tuple.__new__
    if byteorder == "little":
        out = [new(Insn, (op, r & 15, r >> 4, off, imm, None)) for op, r, off, imm in fmt.iter_unpack(raw)]
    else:
        out = [new(Insn, (op, r >> 4, r & 15, off, imm, None)) for op, r, off, imm in fmt.iter_unpack(raw)]
    return out if LD_IMM64 not in raw[::SLOT] else _join_wide(out)


def _join_wide(slots: list[Insn]) -> list[Insn]:
    out: list[Insn] = []
    it = iter(range(len(slots)))
    for i in it:
        insn = slots[i]
        if insn[0] == LD_IMM64 and i + 1 < len(slots) and slots[i + 1][:4] == (0, 0, 0, 0):
            insn = tuple.__new__(Insn, (*insn[:5], slots[i + 1][4]))
            next(it)
        out.append(insn)
    return out


def _format(byteorder: str) -> struct.Struct:
    try:
        return _FORMAT[byteorder]
    except KeyError:
        raise AsmError(f"byte order {byteorder!r}: expected 'little' or 'big'") from None


_RANGES = (
    ("opcode", 0, 0xFF),
    ("dst", 0, 15),
    ("src", 0, 15),
    ("off", -(1 << 15), (1 << 15) - 1),
    ("imm", -(1 << 31), (1 << 31) - 1),
    ("next_imm", -(1 << 31), (1 << 31) - 1),
)


def _misfit(insn: object) -> AsmError:
    """The error for an instruction that `struct` would not take: name the field."""
    if not isinstance(insn, Insn) or len(insn) != 6:
        return AsmError(f"{insn!r} is not an Insn")
    source = getattr(insn, "source", None)
    for (name, low, high), value in zip(_RANGES, insn, strict=True):
        if name == "next_imm" and value is None:
            continue
        if not isinstance(value, int):
            return AsmError(f"{name} is {value!r}: expected an integer in {insn!r}", source)
        if not low <= value <= high:
            return AsmError(f"{name} is {value}: expected {low}..{high} in {insn!r}", source)
    return AsmError(f"{insn!r} cannot be encoded", source)
