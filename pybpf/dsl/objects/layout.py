"""How types lie in memory: scalars, arrays and structures, with the offsets that ctypes gives them.

A memory type is a `types.Scalar`, a `types.Array` (or ctypes array), or a ctypes structure or union; `scalar_of`
and `element_of` hide where a type came from.
"""

from __future__ import annotations

import ctypes

from ...types import Array, Scalar, ctype_of
from . import scalars as types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NAMED = {(s.size, s.signed, s.byteorder): s for s in vars(types).values() if isinstance(s, Scalar)}
_CODES = {
    **dict.fromkeys("?Bc", (1, False)), "b": (1, True), "H": (2, False), "h": (2, True), "I": (4, False), "i": (4, True),
    "L": (ctypes.sizeof(ctypes.c_ulong), False), "l": (ctypes.sizeof(ctypes.c_long), True), "Q": (8, False), "q": (8, True),
    "P": (8, False), "z": (8, False),
}  # fmt: skip
_CACHE: dict[Any, Scalar | None] = {}
_FIELDS: dict[Any, dict[str, Field]] = {}


class Field:
    """A member: its `type`, `offset` in bytes, and for a bit-field `shift` and `width` in bits (else width 0)."""

    __slots__ = ("name", "offset", "shift", "type", "width")

    def __init__(self, name: str, type_: Any, offset: int, shift: int = 0, width: int = 0) -> None:
        self.name = name
        self.type = type_
        self.offset = offset
        self.shift = shift
        self.width = width


def scalar_of(type_: Any) -> Scalar | None:
    """The integer type behind `type_`, or None when it is an array or a structure."""
    if isinstance(type_, Scalar):
        return type_
    try:
        return _CACHE[type_]
    except (KeyError, TypeError):
        pass
    found = None
    if isinstance(type_, type):
        if issubclass(type_, ctypes._SimpleCData):
            size, signed = _CODES.get(getattr(type_, "_type_", ""), (0, False))
            swapped = size > 1 and getattr(type_, _FOREIGN, None) is type_
            order = {"little": "big", "big": "little"}[_native] if swapped else _native
            found = _NAMED.get((size, signed, order)) or (Scalar(type_.__name__, size, signed, order) if size else None)
        elif issubclass(type_, int):
            found = types.u32  # an IntEnum, as C has it
        elif type_.__module__ == "ipaddress" and type_.__name__ == "IPv4Address":
            found = types.be32
        _CACHE[type_] = found
    return found


_native = types.u32.byteorder
# Where ctypes keeps the type of the other byte order.
_FOREIGN = "__ctype_be__" if _native == "little" else "__ctype_le__"


def is_struct(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, (ctypes.Structure, ctypes.Union))


def is_array(type_: Any) -> bool:
    return isinstance(type_, Array) or (isinstance(type_, type) and issubclass(type_, ctypes.Array))


def as_array(type_: Any) -> Array:
    """An array type in one form: a ctypes array becomes an `Array`; a number of bytes and IPv6Address, bytes."""
    if isinstance(type_, Array):
        return type_
    if isinstance(type_, int):
        return Array(types.u8, type_)
    if type_.__module__ == "ipaddress":
        return Array(types.u8, 16)
    element = type_._type_
    return Array(types.char if element is ctypes.c_char else element, type_._length_)


def normal(type_: Any) -> Any:
    """A declared key or value type as a memory type: Scalar, Array or structure."""
    if isinstance(type_, Scalar) or is_struct(type_) or hasattr(type_, "pointee"):
        return type_
    if type_ is types.char:
        return types.u8
    if isinstance(type_, int) and not isinstance(type_, type):
        return Array(types.u8, type_)
    return scalar_of(type_) or as_array(type_)


def type_given(c: Any, front: Any, node: Any) -> Any:
    """The type that a program names as an argument, `ctx.packet(Ethernet)`."""
    from ...errors import SpecError

    try:
        ctypes.sizeof(ctype_of(front.obj))
    except (AttributeError, SpecError, TypeError):
        c.fail(f"a type is wanted here, such as a Struct, u32 or u8[6], and not {front.what()}", node)
    return normal(front.obj)


def sizeof(type_: Any) -> int:
    if isinstance(type_, Scalar):
        return type_.size
    return ctypes.sizeof(ctype_of(type_)) if scalar_of(type_) is None else scalar_of(type_).size  # type: ignore[union-attr]


def alignof(type_: Any) -> int:
    """Natural alignment in memory; a packed structure has 1."""
    scalar = scalar_of(type_)
    if scalar is not None:
        return scalar.size
    return ctypes.alignment(ctype_of(type_))


def fields(struct: Any) -> dict[str, Field]:
    """The members of a structure by name, those of anonymous members included."""
    found = _FIELDS.get(struct)
    if found is None:
        found = _FIELDS[struct] = {}
        declared = getattr(struct, "_types_", {})
        for base in reversed(struct.__mro__):
            for name, ctype, *bits in base.__dict__.get("_fields_", ()):
                member = getattr(struct, name)
                type_ = normal(declared.get(name, ctype))
                if bits:
                    found[name] = Field(name, type_, member.offset, member.size & 0xFFFF, member.size >> 16)
                else:
                    found[name] = Field(name, type_, member.offset)
            for name in base.__dict__.get("_anonymous_", ()):
                outer = found[name]
                for inner in fields(outer.type).values():
                    found[inner.name] = Field(
                        inner.name, inner.type, outer.offset + inner.offset, inner.shift, inner.width
                    )
    return found


def padding(type_: Any) -> bool:
    """Whether a structure has bytes that belong to no member."""
    if is_array(type_):
        return padding(normal(as_array(type_).element))
    if not is_struct(type_):
        return False
    covered = bytearray(sizeof(type_))
    for field in fields(type_).values():
        if field.width or padding(field.type):
            return True
        covered[field.offset : field.offset + sizeof(field.type)] = b"\1" * sizeof(field.type)
    return 0 in covered


def type_name(type_: Any) -> str:
    return getattr(type_, "__name__", None) or repr(type_)
