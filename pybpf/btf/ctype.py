"""BTF as ctypes: a class with exactly the offsets and the size that the type has.

The layout that ctypes itself would choose is tried first.  Where it differs (packed or over-aligned structs, odd
bit-fields) the class is built of bytes, with a descriptor for each field.  Pointers are plain 64-bit integers: they
are addresses of another address space.
"""

from __future__ import annotations

import ctypes
import sys
from weakref import WeakValueDictionary

from ..errors import BtfError
from ..types import CTYPES
from .kinds import Kind
from .types import MAX_DEPTH, Array, Enum, Int, Member, Struct, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_SIZE = 1 << 28
_classes: WeakValueDictionary[tuple[object, ...], Any] = WeakValueDictionary()
_FLOATS: dict[int, Any] = {4: ctypes.c_float, 8: ctypes.c_double}


def ctype(t: Type) -> Any:
    """The ctypes class for `t`.  BtfError for what has no size (void, functions, forward declarations)."""
    return _ctype(t, {}, 0)


def _ctype(t: Type, made: dict[int, Any], depth: int) -> Any:
    """The class for `t`; `made` keeps those of structs, by id."""
    if depth > MAX_DEPTH:
        raise BtfError(f"type {t.id} {t.name!r}: nested more than {MAX_DEPTH} deep, or a loop")
    t = t.stripped
    if isinstance(t, Struct):
        if t.id not in made:
            made[t.id] = _record(t, made, depth)
        return made[t.id]
    if isinstance(t, Array):
        if t.size > MAX_SIZE:
            raise BtfError(f"type {t.id}: an array of {t.size} bytes is more than {MAX_SIZE}")
        return _ctype(t.element, made, depth + 1) * t.count
    if isinstance(t, Int) and t.is_bool and t.size == 1:
        return ctypes.c_bool
    if isinstance(t, Int) and t.size == 1 and (t.is_char or t.name == "char"):
        return ctypes.c_char  # compilers seldom set the flag; the name says it
    if isinstance(t, (Int, Enum)) or t.kind == Kind.PTR:
        signed = t.kind != Kind.PTR and t.signed  # type: ignore[attr-defined]
        plain = CTYPES.get((t.size, signed))
        return _ordered(plain, t) if plain else ctypes.c_uint8 * t.size
    if t.kind == Kind.FLOAT:
        return _ordered(_FLOATS[t.size], t) if t.size in _FLOATS else ctypes.c_uint8 * t.size
    raise BtfError(f"{t} has no size, and so no ctypes class")


def _ordered(plain: Any, t: Type) -> Any:
    """`plain` in the byte order of the BTF."""
    if t.btf.byteorder == sys.byteorder:
        return plain
    return plain.__ctype_le__ if t.btf.byteorder == "little" else plain.__ctype_be__


def _record(t: Struct, made: dict[int, Any], depth: int) -> Any:
    if t.size > MAX_SIZE:
        raise BtfError(
            f"type {t.id} {t.name!r}: {t.size} bytes are more than a ctypes class may have here ({MAX_SIZE})"
        )
    types = [_ctype(m.type, made, depth + 1) for m in t.members]
    # One class for each layout, however often it is asked for: specs that name it then compare as equal.
    rows = tuple((m.name, m.bit_offset, m.bit_size, c) for m, c in zip(t.members, types, strict=True))
    key = (t.name, t.size, t.kind, t.btf.byteorder, rows)
    found = _classes.get(key)
    if found is None:
        natural = _natural(t, types)
        found = _classes[key] = natural if natural is not None else _exact(t, types, made)
    return found


def _natural(t: Struct, types: list[Any]) -> Any:
    """The class that ctypes lays out by itself, or None when it comes out different."""
    if any(m.bit_size for m in t.members) and t.btf.byteorder != sys.byteorder:
        return None
    fields: list[Any] = []
    anonymous = []
    for i, (m, type_) in enumerate(zip(t.members, types, strict=True)):
        name = m.name or f"_anonymous_{i}"
        if not m.name and isinstance(m.type.stripped, Struct):
            anonymous.append(name)
        fields.append((name, type_, m.bit_size) if m.bit_size else (name, type_))
    if len({f[0] for f in fields}) != len(fields):
        return None
    base = ctypes.Union if t.is_union else ctypes.Structure
    try:
        made = type(t.name or "anonymous", (base,), {"_anonymous_": anonymous, "_fields_": fields})
    except (TypeError, ValueError, AttributeError):
        return None  # a bit-field of a type or width that ctypes does not take
    placed = all(_placed(getattr(made, f[0]), m) for f, m in zip(fields, t.members, strict=True))
    return made if placed and ctypes.sizeof(made) == t.size else None


def _placed(field: Any, member: Member) -> bool:
    if not member.bit_size:
        return bool(field.offset * 8 == member.bit_offset)
    return bool(field.offset * 8 + (field.size & 0xFFFF) == member.bit_offset and field.size >> 16 == member.bit_size)


def _exact(t: Struct, types: list[Any], made: dict[int, Any]) -> Any:
    """A class of plain bytes whose fields are descriptors."""
    order = t.btf.byteorder
    fields: dict[str, Any] = {}
    for m, type_ in zip(t.members, types, strict=True):
        inner = m.type.stripped
        if m.name:
            fields[m.name] = _field(m, type_, order)
        elif isinstance(inner, Struct):
            for deep in inner.fields():
                fields.setdefault(deep.name, _field(deep._moved(m.bit_offset), _ctype(deep.type, made, 1), order))

    def __init__(self: Any, **values: Any) -> None:
        for name, value in values.items():
            if name not in fields:
                raise AttributeError(f"{type(self).__name__} has no field {name!r}")
            setattr(self, name, value)

    body = {**fields, "_fields_": [("_bytes", ctypes.c_uint8 * t.size)], "__init__": __init__}
    return type(t.name or "anonymous", (ctypes.Structure,), body)


def _field(m: Member, type_: Any, order: str) -> _Field:
    return _Bits(m, type_, order) if m.bit_size else _Field(m, type_, order)


class _Field:
    """A field at a fixed place; `offset` and `size` in bytes, as the descriptors of ctypes have them."""

    def __init__(self, m: Member, type_: Any, order: str) -> None:
        self.offset = m.offset
        self.type = type_
        self.order: Any = order
        self.size = ctypes.sizeof(type_)
        text = issubclass(type_, ctypes.Array) and type_._type_ is ctypes.c_char
        self.plain = text or issubclass(type_, ctypes._SimpleCData)

    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is None:
            return self
        view = self.type.from_buffer(instance, self.offset)
        return view.value if self.plain else view

    def __set__(self, instance: Any, value: Any) -> None:
        view = self.type.from_buffer(instance, self.offset)
        if self.plain:
            view.value = value
        elif isinstance(value, self.type):
            ctypes.memmove(view, ctypes.addressof(value), self.size)
        else:
            view[:] = value


class _Bits(_Field):
    """A bit-field; `size` is width << 16 | first bit, as in ctypes."""

    def __init__(self, m: Member, type_: Any, order: str) -> None:
        super().__init__(m, type_, order)
        first, self.width = m.bit_offset, m.bit_size
        self.end = (first + self.width + 7) // 8
        # Bits count from the low end of the first byte in little-endian data, from its high end in big-endian data.
        self.shift = first % 8 if order == "little" else self.end * 8 - first - self.width
        self.size = self.width << 16 | first % 8
        self.signed = bool(getattr(m.type.stripped, "signed", False))

    def _whole(self, instance: Any) -> int:
        return int.from_bytes(bytes(instance)[self.offset : self.end], self.order)

    def __get__(self, instance: Any, owner: Any) -> Any:
        if instance is None:
            return self
        number = self._whole(instance) >> self.shift & (1 << self.width) - 1
        return number - (1 << self.width) if self.signed and number >> (self.width - 1) else number

    def __set__(self, instance: Any, value: Any) -> None:
        mask = (1 << self.width) - 1
        whole = self._whole(instance) & ~(mask << self.shift) | (int(value) & mask) << self.shift
        size = self.end - self.offset
        ctypes.memmove(ctypes.addressof(instance) + self.offset, whole.to_bytes(size, self.order), size)
