"""`Context`: what a program of one kind may read and write in the structure that R1 points at."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SCALAR = "scalar"
"""Kind of a load that gives a number; other kinds are the verifier's names of pointers ("pkt", "pkt_end", ...)."""


class Field:
    """One field of a context: `name`, `offset` and `size` in bytes, `count` > 1 for an array of `size`-byte elements.

    `kind` is what a load of a whole element gives: "scalar", or the verifier's word for a pointer ("pkt", "pkt_end",
    "pkt_meta", "flow_keys", "sock_common_or_null", "sock_or_null", ...).
    """

    __slots__ = ("_loads", "_stores", "count", "kind", "name", "offset", "size")

    def __init__(self, name: str, offset: int, size: int, count: int, kind: str, loads: str, stores: str) -> None:
        self.name = name
        self.offset = offset
        self.size = size
        self.count = count
        self.kind = kind
        self._loads = loads
        self._stores = stores

    def loadable(self, at: int, width: int) -> bool:
        """Does the kernel accept a load of `width` bytes, `at` bytes into the field?"""
        return allows(self._loads, at, width, self.size, self.count)

    def storable(self, at: int, width: int) -> bool:
        """Does the kernel accept a store of `width` bytes, `at` bytes into the field?"""
        return allows(self._stores, at, width, self.size, self.count)

    @property
    def readable(self) -> bool:
        """May the first element be loaded whole?"""
        return self.loadable(0, self.size)

    @property
    def writable(self) -> bool:
        """May the first element be stored whole?"""
        return self.storable(0, self.size)

    @property
    def end(self) -> int:
        """Offset of the first byte behind the field."""
        return self.offset + self.size * self.count

    def __repr__(self) -> str:
        access = "r" * self.readable + "w" * self.writable or "-"
        of = f"[{self.count}]" if self.count > 1 else ""
        return f"<Field {self.name}{of} at {self.offset}, {self.size} bytes, {self.kind}, {access}>"


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
        """The field that this offset lies in, and the offset inside it; None between fields.

        Where fields share their place (a union), the first one.
        """
        for field in self.fields.values():
            if field.offset <= offset < field.end:
                return field, offset - field.offset
        return None

    def load(self, offset: int, size: int) -> str | None:
        """The kind of value that a load of `size` bytes at `offset` gives, or None where the kernel refuses it."""
        found = self.at(offset)
        if found is None or not found[0].loadable(found[1], size):
            return None
        field, inner = found
        return field.kind if inner % field.size == 0 and size == field.size else SCALAR

    def store(self, offset: int, size: int) -> bool:
        """Does the kernel accept a store of `size` bytes at `offset`?"""
        found = self.at(offset)
        return found is not None and found[0].storable(found[1], size)

    def __repr__(self) -> str:
        return f"<Context {self.name} of {self.size} bytes, {len(self.fields)} fields>"


def allows(pattern: str, at: int, width: int, size: int, count: int) -> bool:
    """Does the pattern of a field of `count` elements of `size` bytes hold an access of `width` bytes at byte `at`?

    A pattern is words: "full" whole elements, "narrow" also their aligned parts, "any" whatever fits; "8:4" adds 4 bytes at 8.
    """
    for word in pattern.split():
        if word == "full":
            fits = width == size and at % size == 0
        elif word == "narrow":
            fits = width <= size and at % width == 0
        elif word == "any":
            fits = at + width <= size * count
        else:
            fits = word == f"{at}:{width}"
        if fits:
            return True
    return False
