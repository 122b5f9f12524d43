"""`Context`: what a program of one kind may read and write in the structure that R1 points at."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SCALAR = "scalar"
"""Kind of a load that gives a number; other kinds are the verifier's names of pointers ("pkt", "pkt_end", ...)."""


class Field:
    """One field of a context: `name`, `offset` and `size` in bytes, `count` > 1 for an array of `size`-byte elements.

    `kind` is what a load of the whole field gives: "scalar", or the verifier's word for a pointer ("pkt", "pkt_end",
    "pkt_meta", "flow_keys", "sock_common_or_null", "sock_or_null", ...).  `loads` and `stores` are the accesses inside one
    element that the kernel accepts, as (offset in the element, size) pairs.
    """

    __slots__ = ("count", "kind", "loads", "name", "offset", "size", "stores")

    def __init__(self, name: str, offset: int, size: int, count: int, kind: str, loads: Any, stores: Any) -> None:
        self.name = name
        self.offset = offset
        self.size = size
        self.count = count
        self.kind = kind
        self.loads: frozenset[tuple[int, int]] = _pairs(loads, size)
        self.stores: frozenset[tuple[int, int]] = _pairs(stores, size)

    @property
    def readable(self) -> bool:
        """May the whole field be loaded at once?"""
        return (0, self.size) in self.loads

    @property
    def writable(self) -> bool:
        """May the whole field be stored at once?"""
        return (0, self.size) in self.stores

    @property
    def end(self) -> int:
        """Offset of the first byte behind the field."""
        return self.offset + self.size * self.count

    def __repr__(self) -> str:
        access = "r" * self.readable + "w" * self.writable or "-"
        return f"Field({self.name!r}, offset={self.offset}, size={self.size}, count={self.count}, {self.kind}, {access})"


class Context:
    """The context of a program kind: `name` of its C structure, `size` in bytes, `fields` by name in order of offset.

    `name` is "" where the context is the arguments of a kernel function ("btf" programs: TRACING, LSM, STRUCT_OPS; each
    argument a u64 whose type the target's BTF tells), and `fields` then is empty.
    """

    def __init__(self, name: str, size: int, rows: Any) -> None:
        self.name = name
        self.size = size
        self._rows = rows
        self._fields: dict[str, Field] | None = None

    @property
    def fields(self) -> dict[str, Field]:
        if self._fields is None:
            self._fields = {row[0]: Field(*row) for row in self._rows}
        return self._fields

    def at(self, offset: int) -> tuple[Field, int] | None:
        """The field that this offset lies in, and the offset inside its element; None between fields."""
        for field in self.fields.values():
            if field.offset <= offset < field.end:
                return field, (offset - field.offset) % field.size
        return None

    def load(self, offset: int, size: int) -> str | None:
        """The kind of value that a load of `size` bytes at `offset` gives, or None where the kernel refuses it."""
        found = self.at(offset)
        if found is None or (found[1], size) not in found[0].loads:
            return None
        field, inner = found
        return field.kind if inner == 0 and size == field.size else SCALAR

    def store(self, offset: int, size: int) -> bool:
        """Does the kernel accept a store of `size` bytes at `offset`?"""
        found = self.at(offset)
        return found is not None and (found[1], size) in found[0].stores

    def __repr__(self) -> str:
        return f"Context({self.name!r}, size={self.size}, {len(self.fields)} fields)"


def _pairs(pattern: Any, size: int) -> frozenset[tuple[int, int]]:
    """Accesses from their short form in the tables: "" none, "full" the whole element, "narrow" also its aligned parts."""
    if not isinstance(pattern, str):
        return frozenset(pattern)
    if pattern == "narrow":
        return frozenset((at, width) for width in (1, 2, 4, 8) if width <= size for at in range(0, size, width))
    return frozenset([(0, size)] if pattern == "full" else ())
