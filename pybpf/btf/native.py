"""Python's types as BTF: integers, `char[n]`, `Struct` and other ctypes, enums, and raw bytes."""

from __future__ import annotations

import ctypes
import sys

from ..errors import BtfError
from ..types import Array, Scalar, ctype_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .builder import BtfBuilder

_C_NAMES = {(1, False): "unsigned char", (2, False): "unsigned short", (4, False): "unsigned int"} | {
    (8, False): "unsigned long long",
    (1, True): "signed char",
    (2, True): "short",
    (4, True): "int",
    (8, True): "long long",
}

MAPS_WITHOUT_BTF = frozenset({3, 4, 7, 8, 12, 13, 14, 15, 16, 17, 18, 25})
"""Map types (their numbers) for which the kernel refuses or ignores BTF of key and value."""


def describe(builder: BtfBuilder, type_: Any) -> int:
    """Add `type_` and what it is made of.  BtfError for what is no type; see `pybpf.types.codec` for what is."""
    if isinstance(type_, Scalar):
        return _scalar(builder, type_)
    if isinstance(type_, Array):
        return builder.add_array(builder.add_type(type_.element), type_.count)
    if isinstance(type_, int) and not isinstance(type_, type):
        return builder.add_array(_integer(builder, 1, False), type_)
    if isinstance(type_, type):
        if type_.__module__ == "ipaddress":
            size = 4 if type_.__name__.startswith("IPv4") else 16
            return builder.add_array(_integer(builder, 1, False), size)
        if issubclass(type_, int):
            members = getattr(type_, "__members__", {})
            return builder.add_enum(_identifier(type_.__name__), [(name, int(m)) for name, m in members.items()])
    if getattr(type_, "name", None) == "char":
        return builder.add_int("char", 1, is_char=True)
    pointee = getattr(type_, "pointee", None)
    if pointee is not None:
        return builder.add_ptr(builder.add_type_tag("kptr", builder.add_struct(pointee, 0, ())))
    return _ctype(builder, ctype_of(type_))


def _scalar(builder: BtfBuilder, type_: Scalar) -> int:
    base = _integer(builder, type_.size, type_.signed)
    # A big-endian field keeps its name: a reader can tell from `be16` that the number shown is swapped.
    return base if type_.byteorder == sys.byteorder else builder.add_typedef(type_.name, base)


def _integer(builder: BtfBuilder, size: int, signed: bool) -> int:
    return builder.add_int(_C_NAMES[size, signed], size, signed)


def _ctype(builder: BtfBuilder, ctype: Any) -> int:
    if issubclass(ctype, ctypes.Array):
        return builder.add_array(_ctype(builder, ctype._type_), ctype._length_)
    if issubclass(ctype, (ctypes.Structure, ctypes.Union)):
        return _record(builder, ctype)
    if issubclass(ctype, ctypes._Pointer) or ctype in (ctypes.c_void_p, ctypes.c_char_p):
        return builder.add_ptr(0)
    code = ctype._type_
    if code == "c":
        return builder.add_int("char", 1, is_char=True)
    if code == "?":
        return builder.add_int("bool", 1, is_bool=True)
    if code in "fdg":
        return builder.add_float({"f": "float", "d": "double", "g": "long double"}[code], ctypes.sizeof(ctype))
    if code in "bBhHiIlLqQ":
        return _integer(builder, ctypes.sizeof(ctype), code.islower())
    raise BtfError(f"{ctype.__name__} has no counterpart in BTF")


def _record(builder: BtfBuilder, ctype: Any) -> int:
    types = getattr(ctype, "_types_", {})
    anonymous = getattr(ctype, "_anonymous_", ())
    big = "_swappedbytes_" in dir(ctype)
    members: list[tuple[str, int, int, int]] = []
    for name, field_type, *width in ctype._fields_:
        field = getattr(ctype, name)
        bits = width[0] if width else 0
        offset = field.offset * 8
        if bits:
            low = field.size & 0xFFFF  # for a bit-field `size` is width << 16 | first bit
            offset += ctypes.sizeof(field_type) * 8 - low - bits if big else low
        type_id = builder.add_type(types[name]) if name in types else _ctype(builder, field_type)
        members.append(("" if name in anonymous else _identifier(name), type_id, offset, bits))
    name = _identifier(ctype.__name__)
    return builder.add_struct(name, ctypes.sizeof(ctype), members, union=issubclass(ctype, ctypes.Union))


def _identifier(name: str) -> str:
    """`name` as C can spell it: the kernel refuses BTF with any other character."""
    return name if name.isascii() else "".join(c if c.isascii() else "_" for c in name)
