"""Data as text, by its type, as `bpf_snprintf_btf` prints it, with all peculiarities (`btf_type_show` in kernel/bpf/btf.c).

    (struct sk_buff){
     .len = (unsigned int)60,
    }

What is zero is left out below the outermost level.  A struct or array inside is therefore walked twice, silently first:
it is shown when some value in it is.
"""

from __future__ import annotations

from .kinds import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .types import Array, Enum, Int, Member, Struct, Type

COMPACT, NONAME, PTR_RAW, ZERO = 1, 2, 4, 8
"""Flags BTF_F_*: on one line, without names, pointers as they are (else hashed), zeros too."""

_DEEPEST = 10  # BTF_SHOW_MAX_ITER
_LONGEST_NAME = 79  # BTF_SHOW_NAME_SIZE, with its NUL
_WIDEST_INDENT = 32
_QUALIFIERS = frozenset((Kind.CONST, Kind.VOLATILE, Kind.RESTRICT, Kind.TYPE_TAG))
_SIZED = frozenset((Kind.INT, Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.FLOAT, Kind.ENUM64))


def show(of: Type, read: Callable[[int, int], bytes], flags: int = 0) -> str:
    """The text (of Latin-1) of a value of type `of`; `read(offset, size)` gives its bytes, and what it raises ends the walk."""
    walk = _Walk(read, flags)
    walk.show(of, of, 0)
    return "".join(walk.out)


class _Walk:
    """The state of the kernel's walk (`struct btf_show`)."""

    def __init__(self, read: Callable[[int, int], bytes], flags: int) -> None:
        self.read = read
        self.flags = flags
        self.out: list[str] = []
        self.depth = 0
        self.silent = False
        self.shown = False  # whether the silent walk met a value to show
        self.member: Member | None = None
        self.element = False  # names are left out in elements of arrays
        self.text = self.ended = False  # in an array of characters; behind its NUL
        self.declared: Type | None = None  # as which what is shown was declared

    def show(self, given: Type, declared: Type, offset: int) -> None:
        """Show what lies at `offset`, of the type behind the qualifiers and names of `given`."""
        found: Any = given.stripped
        kind = found.kind
        if kind in (Kind.STRUCT, Kind.UNION, Kind.ARRAY):
            self._aggregate(self._array if kind == Kind.ARRAY else self._struct, found, declared, offset)
            return
        self.declared = declared
        if kind == Kind.INT:
            self._int(found, offset)
        elif kind in (Kind.ENUM, Kind.ENUM64):
            self._enum(found, offset)
        elif kind == Kind.PTR:
            value = self._number(offset, 8)
            self._value(f"0x{value:016x}", value)
        else:
            self._say(f"<unsupported kind:{int(kind)}>")

    # --- what is written ------------------------------------------------------------------------------

    def _say(self, *parts: str) -> None:
        if not self.silent:
            self.out += parts

    def _line(self, text: str, end: str = "") -> None:
        compact = self.flags & COMPACT
        indent = "" if compact else " " * min(self.depth, _WIDEST_INDENT)
        self._say(indent, text, end, "" if compact else "\n")

    def _value(self, text: str, value: int) -> None:
        if value or self.flags & ZERO or not self.depth:
            self._line(self._name() + text, "," if self.depth else "")
            self.shown = True

    def _name(self) -> str:
        """`.member = (type)` and the bracket that opens, as far as they are wanted (`btf_show_name`)."""
        if self.element:
            return ""
        found: Any = self.member.type if self.member is not None else self.declared
        name, stars, brackets, kinds = "", "", "", set()
        for _ in range(_DEEPEST):
            kinds.add(found.kind)
            if found.kind == Kind.TYPEDEF:
                name = name or found.name
                target = found.type
            elif found.kind == Kind.ARRAY:
                brackets += "[]"
                target = found.element
            elif found.kind == Kind.PTR:
                stars += "*"
                target = found.type
            else:
                break
            if target.kind == Kind.VOID:
                break
            while target.kind in _QUALIFIERS:
                target = target.type
            found = target
        else:
            return ""
        struct = found.kind in (Kind.STRUCT, Kind.UNION)
        bracket = "" if Kind.PTR in kinds else "[" if Kind.ARRAY in kinds else "{" if struct else ""
        if self.flags & NONAME:
            return bracket
        name = name or found.name
        tagged = (struct or found.kind in (Kind.ENUM, Kind.ENUM64)) and Kind.TYPEDEF not in kinds
        words = [found.kind.name.lower().removesuffix("64")] if tagged else []
        words += [name] if name else []
        member = f".{self.member.name} = " if self.member is not None and self.member.name else ""
        return f"{member}({' '.join(words)}{' ' * bool(stars)}{stars}{brackets}){bracket}"[:_LONGEST_NAME]

    # --- what is walked -------------------------------------------------------------------------------

    def _aggregate(self, walk: Callable[[Any, int], str], found: Type, declared: Type, offset: int) -> None:
        member = self.member
        if self.depth and not self.flags & ZERO and not self.silent:
            self.silent, self.shown = True, False
            self._enclosed(walk, found, declared, offset)
            self.member, self.silent = member, False
            if not self.shown:
                return
        self._enclosed(walk, found, declared, offset)
        if self.silent:
            self.member = member

    def _enclosed(self, walk: Callable[[Any, int], str], found: Type, declared: Type, offset: int) -> None:
        self.declared = declared
        self._line(self._name())
        self.depth += 1
        bracket = walk(found, offset)
        self.depth -= 1
        self._line(bracket, "," if self.depth else "")

    def _struct(self, struct: Struct, offset: int) -> str:
        for member in struct.members:
            self.member = member
            if member.bit_size:
                self.declared = member.type
                self._bits(offset + member.bit_offset // 8, member.bit_offset % 8, member.bit_size)
            else:
                self.show(member.type, member.type, offset + member.bit_offset // 8)
            self.member = None
        return "}"

    def _array(self, array: Array, offset: int) -> str:
        element = array.element.stripped
        # Elements that have no size of their own in BTF, pointers and arrays, are all taken from the first one's place.
        step = element.size if element.kind in _SIZED else 0
        self.text, self.ended = element.kind == Kind.INT and step == 1, False
        for i in range(array.count):
            self.element, self.member = True, None
            self.show(element, array.element, offset + i * step)
            self.element = False
            if self.ended:
                break
        self.text = self.ended = False
        return "]"

    def _int(self, number: Int, offset: int) -> None:
        bits = number.bits
        if number.bit_offset or bits not in (8, 16, 32, 64, 128):
            self._bits(offset, number.bit_offset, bits)
            return
        if bits == 128:
            self._wide(self._number(offset, 16))
            return
        value = self._number(offset, bits // 8)
        if bits == 8 and self.text:
            self.ended = self.ended or not value
            if self.ended:
                return
            if 32 <= value < 127 or value >= 160:  # Latin-1, as the kernel has it
                self._value(f"'{value:c}'", value)
                return
        self._value(str(_signed(value, bits) if number.signed else value), value)

    def _enum(self, enum: Enum, offset: int) -> None:
        bits = 64 if enum.kind == Kind.ENUM64 else 32
        value = self._number(offset, bits // 8)
        for name, number in enum.items:
            if number & ((1 << bits) - 1) == value:
                self._value(name, 1)
                return
        self._value(str(_signed(value, bits) if enum.signed else value), value)

    def _bits(self, offset: int, shift: int, bits: int) -> None:
        offset, shift = offset + shift // 8, shift % 8
        self._wide(self._number(offset, (bits + shift + 7) // 8) >> shift & ((1 << bits) - 1))

    def _wide(self, value: int) -> None:
        self._value(f"0x{value:x}", value)

    def _number(self, offset: int, size: int) -> int:
        return int.from_bytes(self.read(offset, size), "little")


def _signed(value: int, bits: int) -> int:
    return value - (value >> (bits - 1) << bits)
