"""The binary layout of BTF: a header, type records of 32-bit words, and strings that end in NUL.

    struct btf_type:   name_off | info | size or type | words that depend on the kind
    info:              kind_flag (1) | unused (2) | kind (5) | unused (8) | vlen (16)

Facts of Documentation/bpf/btf.rst and include/uapi/linux/btf.h.
"""

from __future__ import annotations

import struct
import sys
from enum import IntEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

MAGIC = 0xEB9F
VERSION = 1
HEADER = 24
"""Bytes of `struct btf_header`: magic, version, flags, hdr_len, type_off, type_len, str_off, str_len."""


class Kind(IntEnum):
    """What a type is; the comment gives the first kernel that knows kinds newer than Linux 4.18."""

    VOID = 0
    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12  # 5.0
    FUNC_PROTO = 13  # 5.0
    VAR = 14  # 5.2
    DATASEC = 15  # 5.2
    FLOAT = 16  # 5.13
    DECL_TAG = 17  # 5.16
    TYPE_TAG = 18  # 5.17
    ENUM64 = 19  # 6.0


FIXED_WORDS: dict[int, int] = {Kind.INT: 1, Kind.ARRAY: 3, Kind.VAR: 1, Kind.DECL_TAG: 1}
"""Words after the common three, for kinds that always have them."""

WORDS_EACH: dict[int, int] = {
    Kind.STRUCT: 3,
    Kind.UNION: 3,
    Kind.ENUM: 2,
    Kind.FUNC_PROTO: 2,
    Kind.DATASEC: 3,
    Kind.ENUM64: 3,
}
"""Words for each of the `vlen` members, values, parameters or variables of a type."""

REFERS = frozenset({2, 8, 9, 10, 11, 12, 13, 14, 17, 18})
"""Kinds whose third word is the id of another type (PTR, modifiers, FUNC, FUNC_PROTO, VAR, the tags), not a size."""

_NAMED_EACH = frozenset({Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.FUNC_PROTO, Kind.ENUM64})
_TYPE_EACH = {Kind.STRUCT: 1, Kind.UNION: 1, Kind.FUNC_PROTO: 1, Kind.DATASEC: 0}

INT_SIGNED, INT_CHAR, INT_BOOL = 1, 2, 4
"""Encoding bits of an INT: signed, shown as a character, boolean."""


def pack_info(kind: int, vlen: int = 0, flag: int = 0) -> int:
    """The `info` word of a type record."""
    return flag << 31 | kind << 24 | vlen


def words_of(info: int) -> int:
    """Words that a whole type record takes, from its `info` word."""
    kind = info >> 24 & 31
    return 3 + FIXED_WORDS.get(kind, 0) + WORDS_EACH.get(kind, 0) * (info & 0xFFFF)


def string_words(info: int) -> list[int]:
    """Which words of a record are offsets of strings."""
    kind, vlen = info >> 24 & 31, info & 0xFFFF
    each = WORDS_EACH.get(kind, 0)
    return [0, *range(3, 3 + each * vlen, each)] if kind in _NAMED_EACH else [0]


def type_words(info: int) -> list[int]:
    """Which words of a record are ids of types."""
    kind, vlen = info >> 24 & 31, info & 0xFFFF
    found = [2] if kind in REFERS else [3, 4] if kind == Kind.ARRAY else []
    if kind in _TYPE_EACH:
        each = WORDS_EACH[kind]
        found += range(3 + _TYPE_EACH[Kind(kind)], 3 + each * vlen, each)
    return found


def pack_btf(words: Sequence[int], strings: bytes, byteorder: str = sys.byteorder) -> bytes:
    """A whole BTF from the words of its types and its string section."""
    mark = "<" if byteorder == "little" else ">"
    length = len(words) * 4
    header = struct.pack(mark + "HBB5I", MAGIC, VERSION, 0, HEADER, 0, length, length, len(strings))
    return header + struct.pack(f"{mark}{len(words)}I", *words) + strings
