"""Typed views of maps: what `prog[packets]` and `vm[packets]` have in common.

A view turns Python keys and values into bytes and back; a `RawMap` below it holds the bytes: the kernel's map
(`maps/`) or the offline machine's.  Hashes, arrays and tries are `MutableMapping`s; queues and bloom filters have
the few verbs that they have in the kernel.

Errors are those of a dict: KeyError for what is not there, TypeError, ValueError and OverflowError for a key or value
that its type does not hold.  What only a map refuses (it is full, it is frozen) is a `SyscallError` with its errno.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import ItemsView, MutableMapping, ValuesView
from itertools import chain

from .errors import ConversionError, KindError, SyscallError
from .types import Codec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Protocol, TypeVar

    from .spec import MapSpec

    K = TypeVar("K")
    V = TypeVar("V")

    class RawMap(Protocol):
        """A map of bytes.  `update` and `delete` give an errno (0: done); other failures raise SyscallError.

        A per-CPU value is the values of all CPUs in a row, each padded to a multiple of 8 bytes.  Maps without keys
        take an empty key.
        """

        def lookup(self, key: bytes) -> bytes | None:
            """The value (a queue's next one, left in place), or None."""

        def update(self, key: bytes, value: bytes, flags: int) -> int:
            """Store; `flags` are BPF_ANY (0), NOEXIST (1), EXIST (2), F_LOCK (4)."""

        def delete(self, key: bytes) -> int: ...

        def take(self, key: bytes) -> bytes | None:
            """Look up and delete in one step."""

        def contains(self, value: bytes) -> bool:
            """Bloom filters only."""

        def batches(self) -> Iterator[tuple[int, Any, Any]]:
            """All entries, in chunks `(count, keys, values)`: buffers that hold until the next chunk is asked for."""

    class _Mapping(MutableMapping[K, V]):
        pass

else:
    K = V = None

    class _Mapping(MutableMapping):
        def __class_getitem__(cls, item):
            return cls


NOEXIST = 1
EXIST = 2
F_LOCK = 4


class EntryError(SyscallError, KeyError):
    """An entry is there that must not be (NOEXIST), or is not there that must be (EXIST)."""

    __str__ = SyscallError.__str__


class PerCpuValues(list[V]):
    """The values under one key of a per-CPU map, one for each possible CPU."""

    def sum(self) -> V:
        """The values of all CPUs added up."""
        total: Any = sum
        return total(self)  # type: ignore[no-any-return]


def per_cpu_codec(inner: Codec, cpus: int) -> Codec:
    """The codec of a per-CPU value: a list, or one plain value for every CPU, in; a `PerCpuValues` out."""
    step = -(-inner.size // 8) * 8
    pad = bytes(step - inner.size)

    def pack(value: Any) -> bytes:
        values = value if isinstance(value, list) else [value] * cpus
        if len(values) != cpus:
            raise ConversionError(f"{len(values)} values given for {cpus} CPUs")
        return b"".join([inner.pack(v) + pad for v in values])

    def unpack(raw: bytes) -> Any:
        return PerCpuValues([inner.unpack(raw[i : i + inner.size]) for i in range(0, len(raw), step)])

    if inner.format:
        row = struct.Struct(inner.format[0] + f"{inner.format[1]}{len(pad)}x" * cpus)
        return Codec(inner.type, step * cpus, pack, lambda raw: PerCpuValues(row.unpack(raw)))
    return Codec(inner.type, step * cpus, pack, unpack)


def unpack_many(codec: Codec) -> Callable[[Any, int], Iterable[Any]]:
    """`codec.unpack` for `count` values in a row: `unpack_many(codec)(buffer, count)`."""
    if codec.format:
        order, letter = codec.format[0], codec.format[1]
        unpack_from = struct.unpack_from
        return lambda buffer, count: unpack_from(f"{order}{count}{letter}", buffer)
    size, unpack = codec.size, codec.unpack

    def many(buffer: Any, count: int) -> Iterable[Any]:
        raw = memoryview(buffer)[: size * count]
        return [unpack(raw[i : i + size]) for i in range(0, size * count, size)]  # type: ignore[arg-type]

    return many


class View:
    """Base of the views: `spec` says what the map is, `raw` is its bytes."""

    def __init__(self, spec: MapSpec, raw: RawMap, cpus: int = 1) -> None:
        self.spec = spec
        self.raw = raw
        self._value = spec.value_codec
        if spec.map_type in PER_CPU:
            self._value = per_cpu_codec(self._value, cpus)

    def __repr__(self) -> str:
        spec = self.spec
        types = " -> ".join(type_name(t) for t in (spec.key, spec.value) if t is not None)
        name = spec.name or getattr(self.raw, "name", "")
        return f"<{type(self).__name__} {name!r}: {types or 'bytes'}, max_entries={spec.max_entries}>"

    def _refused(self, code: int, command: str, key: Any = None) -> Exception:
        """The exception for an errno that `raw` gave."""
        what = f"map {self.spec.name!r}" if self.spec.name else "the map"
        if key is not None:
            what = f"{key!r} in {what}"
        error = EntryError if code in (errno.EEXIST, errno.ENOENT) else SyscallError
        return error(code, command, what, self._hint(code))

    def _hint(self, code: int) -> str:
        if code == errno.E2BIG:
            return f"the map is full: it holds max_entries={self.spec.max_entries}"
        if code == errno.EPERM:
            return "the map is frozen, or its flags make it read-only from here"
        if code == errno.EBADF:
            return "the map is closed"
        return ""


class _Items(ItemsView[K, V]):
    def __iter__(self) -> Iterator[tuple[K, V]]:
        return self._mapping._iter_items()  # type: ignore[attr-defined, no-any-return]


class _Values(ValuesView[V]):
    def __iter__(self) -> Iterator[V]:
        return self._mapping._iter_values()  # type: ignore[attr-defined, no-any-return]


_MISSING: Any = object()


class HashView(View, _Mapping[K, V]):
    """A map with keys that come and go: hashes of every kind, tries, storages, tables of references.

    What is read is a copy: assign it back to change it.  Iterating while programs write is safe: an entry that is there
    all the time is seen exactly once, one that comes or goes meanwhile once or not at all.  `len()` counts the entries.
    """

    def __init__(self, spec: MapSpec, raw: RawMap, cpus: int = 1) -> None:
        super().__init__(spec, raw, cpus)
        self._key = spec.key_codec
        self._pack_key = self._key.pack
        self._pack_value = self._value.pack
        self._unpack_value = self._value.unpack

    def __getitem__(self, key: K) -> V:
        found = self.raw.lookup(self._pack_key(key))
        if found is None:
            raise KeyError(key)
        return self._unpack_value(found)  # type: ignore[no-any-return]

    def get(self, key: K, default: Any = None) -> Any:
        found = self.raw.lookup(self._pack_key(key))
        return default if found is None else self._unpack_value(found)

    def __contains__(self, key: object) -> bool:
        return self.raw.lookup(self._pack_key(key)) is not None

    def __setitem__(self, key: K, value: V) -> None:
        code = self.raw.update(self._pack_key(key), self._pack_value(value), 0)
        if code:
            raise self._refused(code, "BPF_MAP_UPDATE_ELEM", key)

    def set(
        self, key: K, value: V, *, noexist: bool = False, exist: bool = False, lock: bool = False, flags: int = 0
    ) -> None:
        """Store under conditions.

        `noexist`: only when the key is not there yet; `exist`: only when it is (else an `EntryError`, also a KeyError);
        `lock`: hold the value's spin lock meanwhile; `flags`: other flags of `BPF_MAP_UPDATE_ELEM`.
        """
        flags |= noexist * NOEXIST | exist * EXIST | lock * F_LOCK
        code = self.raw.update(self._pack_key(key), self._pack_value(value), flags)
        if code:
            raise self._refused(code, "BPF_MAP_UPDATE_ELEM", key)

    def __delitem__(self, key: K) -> None:
        code = self.raw.delete(self._pack_key(key))
        if code == errno.ENOENT:
            raise KeyError(key)
        if code:
            raise self._refused(code, "BPF_MAP_DELETE_ELEM", key)

    def pop(self, key: K, default: Any = _MISSING) -> Any:
        """Remove the key and give its value, in one step where the kernel can (hashes: Linux 5.14)."""
        found = self.raw.take(self._pack_key(key))
        if found is not None:
            return self._unpack_value(found)
        if default is _MISSING:
            raise KeyError(key)
        return default

    def clear(self) -> None:
        """Delete every entry that is there now."""
        for key in list(self):
            code = self.raw.delete(self._pack_key(key))
            if code not in (0, errno.ENOENT):
                raise self._refused(code, "BPF_MAP_DELETE_ELEM", key)

    def __iter__(self) -> Iterator[K]:
        many = unpack_many(self._key)
        return chain.from_iterable(many(keys, n) for n, keys, _ in self.raw.batches())

    def _iter_items(self) -> Iterator[tuple[K, V]]:
        many_keys, many_values = unpack_many(self._key), unpack_many(self._value)
        return chain.from_iterable(
            zip(many_keys(keys, n), many_values(values, n), strict=True) for n, keys, values in self.raw.batches()
        )

    def _iter_values(self) -> Iterator[V]:
        many = unpack_many(self._value)
        return chain.from_iterable(many(values, n) for n, _, values in self.raw.batches())

    def items(self) -> ItemsView[K, V]:
        return _Items(self)

    def values(self) -> ValuesView[V]:
        return _Values(self)

    def __len__(self) -> int:
        return sum(n for n, _, _ in self.raw.batches())


class ArrayView(HashView[K, V]):
    """A map whose keys are 0 .. max_entries - 1: every entry exists, and none can be deleted."""

    def _refused(self, code: int, command: str, key: Any = None) -> Exception:
        # The kernel says E2BIG for an index past the end (array_map_update_elem).
        return KeyError(key) if code == errno.E2BIG else super()._refused(code, command, key)

    def __delitem__(self, key: K) -> None:
        raise KindError("entries of an array cannot be deleted; assign zero instead")

    def pop(self, key: K, default: Any = _MISSING) -> Any:
        raise KindError("entries of an array cannot be deleted; assign zero instead")

    def clear(self) -> None:
        """Set every entry to zero."""
        zero = bytes(self._value.size)
        for key in self:
            code = self.raw.update(self._pack_key(key), zero, 0)
            if code:
                raise self._refused(code, "BPF_MAP_UPDATE_ELEM", key)

    def __len__(self) -> int:
        return self.spec.max_entries


class QueueView(View):
    """A queue (first in, first out) or a stack (last in, first out)."""

    def push(self, value: Any, *, replace: bool = False) -> None:
        """Add a value.  When the map is full: SyscallError (E2BIG), or with `replace` the oldest value goes."""
        code = self.raw.update(b"", self._value.pack(value), replace * EXIST)
        if code:
            raise self._refused(code, "BPF_MAP_UPDATE_ELEM")

    def pop(self, default: Any = _MISSING) -> Any:
        """Remove the next value and give it; IndexError (or `default`) when there is none."""
        return self._next(self.raw.take(b""), default)

    def peek(self, default: Any = _MISSING) -> Any:
        """The next value, left in place; IndexError (or `default`) when there is none."""
        return self._next(self.raw.lookup(b""), default)

    def _next(self, found: bytes | None, default: Any) -> Any:
        if found is not None:
            return self._value.unpack(found)
        if default is _MISSING:
            raise IndexError("the map is empty")
        return default

    def drain(self) -> Iterator[Any]:
        """Pop values until there are none."""
        while (found := self.raw.take(b"")) is not None:
            yield self._value.unpack(found)


class BloomView(View):
    """A bloom filter: what was added is `in` it; what was not is almost never."""

    def add(self, value: Any) -> None:
        """Add a value (the kernel calls it a push); values cannot be taken out."""
        code = self.raw.update(b"", self._value.pack(value), 0)
        if code:
            raise self._refused(code, "BPF_MAP_UPDATE_ELEM")

    push = add

    def __contains__(self, value: object) -> bool:
        return self.raw.contains(self._value.pack(value))


# Keyed by `MapType`; what is not here has no entries to read (rings, arenas) or is a hash to user space.
PER_CPU = frozenset((5, 6, 10, 21))
VIEWS: dict[int, type[View]] = {
    **dict.fromkeys((1, 3, 5, *range(7, 22), 24, 25, 28, 29, 32, 35), HashView),
    **dict.fromkeys((2, 6, 34), ArrayView),
    **dict.fromkeys((22, 23), QueueView),
    30: BloomView,
}


def array_memory(spec: MapSpec, memory: Any, writable: bool) -> Any:
    """The values of an array that user space sees as `memory`, in which each begins at a multiple of 8.

    Integers are a memoryview (`memory[3] += 1` changes the map, not atomically), structs a ctypes array, other values a
    memoryview of bytes.
    """
    import ctypes
    from sys import byteorder

    step = -(-spec.value_size // 8) * 8
    kind = spec.value_codec
    letter: Any = kind.format and kind.format[1]
    seen = memoryview(memory)[: step * spec.max_entries]
    seen = seen if writable else seen.toreadonly()
    if letter and getattr(kind.type, "byteorder", byteorder) == byteorder:
        return seen.cast(letter)[:: step // kind.size]
    record = kind.type
    if isinstance(record, type) and issubclass(record, ctypes.Structure) and kind.size == step:
        made = record * spec.max_entries
        return made.from_buffer(memory) if writable else made.from_buffer_copy(memory)
    return seen


def type_name(type_: Any) -> str:
    """A type as error messages and reprs show it."""
    return type_.__name__ if isinstance(type_, type) else repr(type_)
