"""Writing BTF: records and strings are collected, equal ones once, and `to_bytes` packs them.

A record is the tuple of its words, so two types that are built alike get one id without any search.  This
module is on the path of a program's cold start and imports nothing heavy.
"""

from __future__ import annotations

import sys

from ..errors import BtfError
from .kinds import INT_BOOL, INT_CHAR, INT_SIGNED, Kind, pack_info

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

MAX_VLEN = 0xFFFF
STATIC, GLOBAL, EXTERN = 0, 1, 2
"""Linkage of functions and variables."""


class BtfBuilder:
    """Collects types; each method adds one (or finds the equal one) and returns its id, which others refer to.

    `type(t)` takes a type of `pybpf.types` or of ctypes whole.  Ids count from `first_id`, strings from `first_string`:
    more than their defaults when the result is to be a split BTF.
    """

    def __init__(self, first_id: int = 1, first_string: int = 0) -> None:
        self._first = first_id
        self._first_string = first_string
        self._records: list[tuple[int, ...]] = []
        self._ids: dict[tuple[int, ...], int] = {}
        self._strings: dict[str, int] = {"": 0}
        self._text = bytearray(b"" if first_string else b"\0")
        self._of_type: dict[Any, int] = {}

    def __len__(self) -> int:
        return self._first - 1 + len(self._records)

    def string(self, text: str) -> int:
        """The offset of `text` in the string section (also for file names and lines of `line_info`)."""
        offset = self._strings.get(text)
        if offset is None:
            if "\0" in text:
                raise BtfError(f"{text!r} cannot be a BTF string: it holds a NUL")
            offset = self._strings[text] = self._first_string + len(self._text)
            self._text += text.encode("utf-8", "surrogateescape") + b"\0"
        return offset

    def add(self, name: str, info: int, size_or_type: int, *words: int) -> int:
        """Any record from its words; the methods below know each kind's."""
        record = (self.string(name), info, size_or_type, *words)
        id = self._ids.get(record)
        if id is None:
            id = self._ids[record] = self.append(record)
        return id

    def append(self, record: tuple[int, ...]) -> int:
        """A record of its own, even when an equal one exists."""
        self._records.append(record)
        return len(self)

    # -- one method a kind

    def int(self, name: str, size: int, signed: bool = False, *, bool: bool = False, char: bool = False) -> int:
        encoding = INT_SIGNED * signed | INT_CHAR * char | INT_BOOL * bool
        return self.add(name, pack_info(Kind.INT), size, encoding << 24 | size * 8)

    def ptr(self, type: int) -> int:
        return self.add("", pack_info(Kind.PTR), type)

    def array(self, element: int, count: int) -> int:
        index = self.int("__ARRAY_SIZE_TYPE__", 4)
        return self.add("", pack_info(Kind.ARRAY), 0, element, index, count)

    def struct(self, name: str, size: int, members: Iterable[Sequence[Any]], union: bool = False) -> int:
        """`members` are (name, type id, offset in bits) or (name, type id, offset in bits, width of a bit-field)."""
        words: list[int] = []
        rows = [(*m, 0)[:4] for m in members]
        flag = any(bits for *_, bits in rows)
        for field, type, offset, bits in rows:
            if flag and (offset >= 1 << 24 or bits >= 1 << 8):
                raise BtfError(f"member {name}.{field}: bit {offset} with {bits} bits does not fit BTF beside bit-fields")
            words += (self.string(field), type, bits << 24 | offset)
        kind = Kind.UNION if union else Kind.STRUCT
        return self.add(name, pack_info(kind, _vlen(name, rows), flag), size, *words)

    def union(self, name: str, size: int, members: Iterable[Sequence[Any]]) -> int:
        return self.struct(name, size, members, union=True)

    def enum(self, name: str, values: Iterable[tuple[str, int]], size: int = 4) -> int:
        """An enumeration; of 64-bit values (Linux 6.0) when one does not fit 32 bits."""
        rows = list(values)
        signed = any(value < 0 for _, value in rows)
        wide = any(not -(1 << 31) <= value < (1 << 31 if signed else 1 << 32) for _, value in rows)
        words: list[int] = []
        for field, value in rows:
            words += (self.string(field), value & 0xFFFFFFFF, *((value >> 32 & 0xFFFFFFFF,) if wide else ()))
        kind = Kind.ENUM64 if wide else Kind.ENUM
        return self.add(name, pack_info(kind, _vlen(name, rows), signed), 8 if wide else size, *words)

    def fwd(self, name: str, union: bool = False) -> int:
        return self.add(name, pack_info(Kind.FWD, 0, union), 0)

    def typedef(self, name: str, type: int) -> int:
        return self.add(name, pack_info(Kind.TYPEDEF), type)

    def const(self, type: int) -> int:
        return self.add("", pack_info(Kind.CONST), type)

    def volatile(self, type: int) -> int:
        return self.add("", pack_info(Kind.VOLATILE), type)

    def restrict(self, type: int) -> int:
        return self.add("", pack_info(Kind.RESTRICT), type)

    def func_proto(self, ret: int, params: Iterable[tuple[str, int]] = ()) -> int:
        """A function type from the id of its result (0: void) and (name, type id) of its parameters."""
        rows = list(params)
        words = [word for field, type in rows for word in (self.string(field), type)]
        return self.add("", pack_info(Kind.FUNC_PROTO, _vlen("a function", rows)), ret, *words)

    def func(self, name: str, proto: int, linkage: int = GLOBAL) -> int:
        return self.add(name, pack_info(Kind.FUNC, linkage), proto)

    def var(self, name: str, type: int, linkage: int = GLOBAL) -> int:
        return self.add(name, pack_info(Kind.VAR), type, linkage)

    def datasec(self, name: str, size: int, vars: Iterable[tuple[int, int, int]]) -> int:
        """A section of variables, each (id of a VAR, offset, size)."""
        rows = list(vars)
        return self.add(name, pack_info(Kind.DATASEC, _vlen(name, rows)), size, *(w for row in rows for w in row))

    def float(self, name: str, size: int) -> int:
        return self.add(name, pack_info(Kind.FLOAT), size)

    def decl_tag(self, text: str, type: int, component: int = -1) -> int:
        return self.add(text, pack_info(Kind.DECL_TAG), type, component & 0xFFFFFFFF)

    def type_tag(self, text: str, type: int) -> int:
        return self.add(text, pack_info(Kind.TYPE_TAG), type)

    def type(self, type_: Any) -> int:
        """The id of a type of `pybpf.types` (u32, char[16], a Struct), of ctypes, an enum, or a number of bytes."""
        key = (type_.__class__, type_)
        id = self._of_type.get(key)
        if id is None:
            from .native import describe

            id = self._of_type[key] = describe(self, type_)
        return id

    def to_bytes(self, byteorder: str = sys.byteorder) -> bytes:
        """The BTF, of types in the order they were added."""
        from .kinds import pack_btf

        return pack_btf((word for record in self._records for word in record), bytes(self._text), byteorder)


def line_col(line: int, column: int) -> int:
    """The last field of a `line_info` record: `line << 10 | column`, both cut to what fits."""
    return min(line, (1 << 22) - 1) << 10 | min(column, 1023)


def btf_for_map(key: Any, value: Any) -> tuple[bytes, int, int]:
    """BTF for a map's key and value types: its bytes and the two ids (0 for a type that is None).

    Not every kind of map takes BTF: `MAPS_WITHOUT_BTF` of `pybpf.btf.native` lists those that do not.
    """
    builder = BtfBuilder()
    ids = [0 if t is None else builder.type(t) for t in (key, value)]
    return builder.to_bytes(), ids[0], ids[1]


def _vlen(name: str, rows: Sequence[Any]) -> int:
    if len(rows) > MAX_VLEN:
        raise BtfError(f"{name or 'an anonymous type'} has {len(rows)} entries: BTF counts to {MAX_VLEN}")
    return len(rows)
