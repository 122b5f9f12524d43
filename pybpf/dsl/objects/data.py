"""Constant data of a program (texts, tables): one read-only array map named `.rodata`."""

from __future__ import annotations

from ...spec import MapSpec
from ...types import Array
from .refs import Ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..lower.compiler import Compiler, Unit

RODATA = ".rodata"
_ARRAY, _RDONLY_PROG = 2, 1 << 7


def place(c: Compiler, raw: bytes, type_: Any) -> Ref:
    """Constant bytes as a reference; equal ones are kept once."""
    unit = c.unit
    at = unit.strings.get(raw)
    if at is None:
        unit.rodata.extend(bytes(-len(unit.rodata) % 8))
        at = unit.strings[raw] = len(unit.rodata)
        unit.rodata += raw
    base = c.b.share("mapvalue", [], (RODATA, at), 64, 1, (1 << 64) - 1)
    return Ref(base, 0, type_, "rodata", writable=False, label="constant data")


def text(c: Compiler, raw: bytes) -> Ref:
    from .scalars import char

    return place(c, raw, char[len(raw)])


def constant_table(c: Compiler, table: Any) -> Ref:
    """A tuple of numbers as an array of the narrowest type that holds them all."""
    from . import scalars as types
    from .values import fits

    low, high = min(table), max(table)
    for kind in ("u8", "u16", "u32", "s32", "u64", "s64"):
        type_: Any = getattr(types, kind)
        if fits(low, high, type_):
            raw = b"".join((int(x) & (1 << type_.bits) - 1).to_bytes(type_.size, "little") for x in table)
            return place(c, raw, Array(type_, len(table)))
    c.fail("a number of this table does not fit 64 bits", c.b.at)


def finish(unit: Unit) -> None:
    """Declare the map when anything was placed in it."""
    if unit.rodata:
        raw = bytes(unit.rodata)
        unit.maps[RODATA] = MapSpec(
            _ARRAY, 4, len(raw), 1, flags=_RDONLY_PROG, name=RODATA, contents=((bytes(4), raw),), frozen=True
        )
