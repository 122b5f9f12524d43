"""From bytes in a buffer to events: whole runs of records of one size are decoded at once, without a loop in Python.

    | header | payload, padded |  header | payload, padded |  ...      one stride each

A `Run` is a private copy of such records.  What it yields depends on the type that the map was declared with: numbers,
`Struct`s, `bytes` where no type was given.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from itertools import chain

from .errors import SpecError
from .types import codec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from .types import Codec


class Run:
    """`count` records of `size` bytes of payload at `offset` in each `stride` of `raw`."""

    __slots__ = ("count", "offset", "raw", "size", "stride")

    def __init__(self, raw: bytes, offset: int, size: int, stride: int) -> None:
        self.raw = raw
        self.offset = offset
        self.size = size
        self.stride = stride
        self.count = len(raw) // stride

    def rows(self, layout: str) -> Iterator[tuple[Any, ...]]:
        """Each payload unpacked by a struct format without alignment."""
        size = struct.calcsize(layout)
        pads = f"{layout[0]}{self.offset}x{layout[1:]}{self.stride - self.offset - size}x"
        return struct.iter_unpack(pads, self.raw)

    def packed(self) -> bytearray:
        """The payloads without what is between them."""
        unit = 8 if not (self.offset | self.size | self.stride) % 8 else 4 if not (self.offset | self.size) % 4 else 1
        letter: Any = {8: "Q", 4: "I", 1: "B"}[unit]
        out = bytearray(self.size * self.count)
        source, target = memoryview(self.raw).cast(letter), memoryview(out).cast(letter)
        first, step, width = self.offset // unit, self.stride // unit, self.size // unit
        for column in range(width):
            target[column::width] = source[first + column :: step][: self.count]
        return out

    def slices(self) -> Iterator[bytes]:
        return chain.from_iterable(self.rows(f"={self.size}s"))


def decoder(type_: Any) -> Callable[[Run], Iterator[Any]]:
    """How the records of a run become events of a type; None gives `bytes`.

    Plain records are decoded at once, so that taking them from the iterator is one step that no thread interrupts.
    SpecError from the decoder for records shorter than the type; what is longer is cut, as perf buffers pad.
    """
    if type_ is None:
        return lambda run: iter(list(run.slices()))
    kind = codec(type_)
    decode = _fitting_decoder(type_, kind)

    def checked(run: Run) -> Iterator[Any]:
        if run.size < kind.size:
            return _refuse(SpecError(f"a record of {run.size} bytes where {type_!r} has {kind.size}"))
        return decode(run if run.size == kind.size else Run(run.raw, run.offset, kind.size, run.stride))

    return checked


def _fitting_decoder(type_: Any, kind: Codec) -> Callable[[Run], Iterator[Any]]:
    if kind.format:
        layout = kind.format
        return lambda run: iter(list(chain.from_iterable(run.rows(layout))))
    if isinstance(type_, type) and issubclass(type_, (ctypes.Structure, ctypes.Union)):
        record: Any = type_
        # A slice of a ctypes array is made in half the time of a list of it.
        return lambda run: iter((record * run.count).from_buffer(run.packed())[:])
    return lambda run: map(kind.unpack, list(run.slices()))


def _refuse(error: SpecError) -> Iterator[Any]:
    """An iterator that raises when it is begun, not when it is made: those chained behind it can go on."""
    raise error
    yield


def row_layout(type_: Any) -> tuple[str, tuple[str, ...]] | None:
    """The struct format and the field names by which records become tuples; None where a field is not that simple."""
    if type_ is None or not (isinstance(type_, type) and issubclass(type_, ctypes.Structure)):
        return None
    layout, at, names = "=", 0, []
    for name, field, *bits in type_._fields_:
        place = getattr(type_, name)
        if bits or not (letter := _letter(field)):
            return None
        layout += "x" * (place.offset - at) + letter
        at = place.offset + ctypes.sizeof(field)
        names.append(name)
    return layout + "x" * (ctypes.sizeof(type_) - at), tuple(names)


def _letter(field: Any) -> str:
    if issubclass(field, ctypes.Array) and field._type_ is ctypes.c_char:
        return f"{field._length_}s"
    if issubclass(field, ctypes._SimpleCData) and not _swapped(field):
        return {1: "b", 2: "h", 4: "i", 8: "q"}.get(ctypes.sizeof(field), "") if field._type_ in "bhilq" else (
            {1: "B", 2: "H", 4: "I", 8: "Q"}[ctypes.sizeof(field)] if field._type_ in "BHILQ" else
            field._type_ if field._type_ in "fd?" else ""
        )  # fmt: skip
    return ""


def _swapped(field: Any) -> bool:
    native = getattr(field, "__ctype_le__" if struct.pack("=H", 1)[0] else "__ctype_be__", field)
    return native is not field


class Records(Sequence["Any"]):
    """Many events in their binary form, decoded when they are looked at.

    Events of a `Struct` of plain numbers and `char[n]` are tuples here (`fields` names their places), which costs a
    third of making Structs; other events are what the reader gives one by one.
    """

    def __init__(self, runs: Iterable[Run], type_: Any) -> None:
        self._runs = [run for run in runs if run.count]
        self._type = type_
        found = row_layout(type_)
        self.fields = found[1] if found else ()
        self._layout = found[0] if found else ""
        self._decode = decoder(type_)

    def __len__(self) -> int:
        return sum(run.count for run in self._runs)

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(map(self._events, self._runs))

    def _events(self, run: Run) -> Iterator[Any]:
        if self._layout and run.size >= struct.calcsize(self._layout):
            return run.rows(self._layout)
        return self._decode(run)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return list(self)[index]
        place = index + len(self) if index < 0 else index
        for run in self._runs:
            if 0 <= place < run.count:
                raw = run.raw[place * run.stride : (place + 1) * run.stride]
                return next(self._events(Run(raw, run.offset, run.size, run.stride)))
            place -= run.count
        raise IndexError(f"record {index} of {len(self)}")

    def column(self, name: str) -> list[Any]:
        """All values of one field.  KeyError for a field that the records do not have."""
        if name not in self.fields:
            raise KeyError(name)
        at = self.fields.index(name)
        return [row[at] for row in self]

    def __repr__(self) -> str:
        return f"<{len(self)} records>"
