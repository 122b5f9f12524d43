"""Writing BTF: records and strings are collected, equal ones once, and `to_bytes` packs them.

A record is the tuple of its words, so two types that are built alike get one id without any search.  This
module is on the path of a program's cold start and imports nothing heavy.
"""

from __future__ import annotations

import sys

from ..errors import BtfError
from .kinds import INT_BOOL, INT_CHAR, INT_SIGNED, Kind, pack_btf, pack_info

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

MAX_VLEN = 0xFFFF
STATIC, GLOBAL, EXTERN = 0, 1, 2
"""Linkage of functions and variables."""


class BtfBuilder:
    """Collects types; each method adds one (or finds the equal one) and returns its id, which others refer to.

    `add_type(t)` takes a type of `pybpf.types` or of ctypes whole.  Ids count from `first_id` and strings from
    `first_string`: more than their defaults when the result is to be a split BTF.
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
        made = self._ids.get(record)
        if made is None:
            made = self._ids[record] = self.append(record)
        return made

    def append(self, record: tuple[int, ...]) -> int:
        """A record of its own, even when an equal one exists."""
        self._records.append(record)
        return len(self)

    # -- one method a kind

    def add_int(
        self, name: str, size: int, signed: bool = False, *, is_char: bool = False, is_bool: bool = False
    ) -> int:
        """An integer of `size` bytes."""
        encoding = INT_SIGNED * signed | INT_CHAR * is_char | INT_BOOL * is_bool
        return self.add(name, pack_info(Kind.INT), size, encoding << 24 | size * 8)

    def add_ptr(self, type: int) -> int:
        """A pointer; to type 0 it is `void *`."""
        return self.add("", pack_info(Kind.PTR), type)

    def add_array(self, element: int, count: int) -> int:
        """`count` elements of a type."""
        index = self.add_int("__ARRAY_SIZE_TYPE__", 4)
        return self.add("", pack_info(Kind.ARRAY), 0, element, index, count)

    def add_struct(self, name: str, size: int, members: Iterable[Sequence[Any]], union: bool = False) -> int:
        """`members` are (name, type id, offset in bits) or (name, type id, offset in bits, width of a bit-field)."""
        words: list[int] = []
        rows = [(*m, 0)[:4] for m in members]
        flag = any(bits for *_, bits in rows)
        for field, member_type, offset, bits in rows:
            if flag and (offset >= 1 << 24 or bits >= 1 << 8):
                raise BtfError(
                    f"member {name}.{field}: bit {offset} with {bits} bits does not fit BTF beside bit-fields"
                )
            words += (self.string(field), member_type, bits << 24 | offset)
        kind = Kind.UNION if union else Kind.STRUCT
        return self.add(name, pack_info(kind, _vlen(name, rows), flag), size, *words)

    def add_union(self, name: str, size: int, members: Iterable[Sequence[Any]]) -> int:
        """As `add_struct`, where all members begin at the start."""
        return self.add_struct(name, size, members, union=True)

    def add_enum(self, name: str, values: Iterable[tuple[str, int]], size: int = 4) -> int:
        """An enumeration; of 64-bit values (Linux 6.0) when one does not fit 32 bits."""
        rows = list(values)
        signed = any(value < 0 for _, value in rows)
        wide = any(not -(1 << 31) <= value < (1 << 31 if signed else 1 << 32) for _, value in rows)
        words: list[int] = []
        for field, value in rows:
            words += (self.string(field), value & 0xFFFFFFFF, *((value >> 32 & 0xFFFFFFFF,) if wide else ()))
        kind = Kind.ENUM64 if wide else Kind.ENUM
        return self.add(name, pack_info(kind, _vlen(name, rows), signed), 8 if wide else size, *words)

    def add_fwd(self, name: str, union: bool = False) -> int:
        """A struct or union that is only declared."""
        return self.add(name, pack_info(Kind.FWD, 0, union), 0)

    def add_typedef(self, name: str, type: int) -> int:
        """Another name for a type."""
        return self.add(name, pack_info(Kind.TYPEDEF), type)

    def add_const(self, type: int) -> int:
        """A type that is const."""
        return self.add("", pack_info(Kind.CONST), type)

    def add_volatile(self, type: int) -> int:
        """A type that is volatile."""
        return self.add("", pack_info(Kind.VOLATILE), type)

    def add_restrict(self, type: int) -> int:
        """A pointer that is restrict."""
        return self.add("", pack_info(Kind.RESTRICT), type)

    def add_func_proto(self, ret: int, params: Iterable[tuple[str, int]] = ()) -> int:
        """A function type from the id of its result (0: void) and (name, type id) of its parameters."""
        rows = list(params)
        words = [word for field, param in rows for word in (self.string(field), param)]
        return self.add("", pack_info(Kind.FUNC_PROTO, _vlen("a function", rows)), ret, *words)

    def add_func(self, name: str, proto: int, linkage: int = GLOBAL) -> int:
        """A function of the type `proto`; STATIC ones are not checked by themselves."""
        return self.add(name, pack_info(Kind.FUNC, linkage), proto)

    def add_var(self, name: str, type: int, linkage: int = GLOBAL) -> int:
        """A variable, which a DATASEC places."""
        return self.add(name, pack_info(Kind.VAR), type, linkage)

    def add_datasec(self, name: str, size: int, vars: Iterable[tuple[int, int, int]]) -> int:
        """A section of variables, each (id of a VAR, offset, size)."""
        rows = list(vars)
        return self.add(name, pack_info(Kind.DATASEC, _vlen(name, rows)), size, *(w for row in rows for w in row))

    def add_float(self, name: str, size: int) -> int:
        """A floating-point number of `size` bytes (Linux 5.13)."""
        return self.add(name, pack_info(Kind.FLOAT), size)

    def add_decl_tag(self, text: str, type: int, component: int = -1) -> int:
        """An attribute of a type, or of its member or parameter `component` (Linux 5.16)."""
        return self.add(text, pack_info(Kind.DECL_TAG), type, component & 0xFFFFFFFF)

    def add_type_tag(self, text: str, type: int) -> int:
        """An attribute of what a pointer points to, between the two (Linux 5.17)."""
        return self.add(text, pack_info(Kind.TYPE_TAG), type)

    def add_type(self, type_: Any) -> int:
        """The id of a type of `pybpf.types` (u32, char[16], a Struct), of ctypes, an enum, or a number of bytes."""
        key = (type_.__class__, type_)
        made = self._of_type.get(key)
        if made is None:
            from .native import describe

            made = self._of_type[key] = describe(self, type_)
        return made

    def to_bytes(self, byteorder: str = sys.byteorder) -> bytes:
        """The BTF, of types in the order they were added."""
        return pack_btf([word for record in self._records for word in record], bytes(self._text), byteorder)


def line_col(line: int, column: int) -> int:
    """The last field of a `line_info` record: `line << 10 | column`, both cut to what fits."""
    return min(line, (1 << 22) - 1) << 10 | min(column, 1023)


def btf_for_map(key: Any, value: Any) -> tuple[bytes, int, int]:
    """BTF for a map's key and value types: its bytes and the two ids (0 for a type that is None).

    Not every kind of map takes BTF: `MAPS_WITHOUT_BTF` of `pybpf.btf.native` lists those that do not.
    """
    builder = BtfBuilder()
    ids = [0 if t is None else builder.add_type(t) for t in (key, value)]
    return builder.to_bytes(), ids[0], ids[1]


def _vlen(name: str, rows: Sequence[Any]) -> int:
    if len(rows) > MAX_VLEN:
        raise BtfError(f"{name or 'an anonymous type'} has {len(rows)} entries: BTF counts to {MAX_VLEN}")
    return len(rows)
