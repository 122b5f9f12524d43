"""Live maps: a view of `mapview.py` over a descriptor."""

from __future__ import annotations

import struct

from ..mapview import PER_CPU, ArrayView, BloomView, HashView, QueueView, View
from ..syscall.elements import ELEM_SIZE, prepare, quick
from ..syscall.fd import Fd
from .kernel import KernelMap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from ..spec import MapSpec
    from ..types import Codec

    K = TypeVar("K")
    V = TypeVar("V")
else:
    K = V = None

_LOOKUP, _UPDATE = 1, 2
# Types whose elements can be read and written without sleeping.
_QUICK = frozenset((1, 2, 5, 6, 9, 10, 11))


def possible_cpus() -> int:
    """How many values a per-CPU map has under a key: all CPUs that the machine could have."""
    with open("/sys/devices/system/cpu/possible") as file:
        text = file.read().strip()
    return int(text.replace(",", "-").rsplit("-", 1)[-1]) + 1


class Map(Fd):
    """A map in the kernel: owns its descriptor, and keeps the map alive while it is open.

    Its class says what else it can do: hashes, tries and tables are `MutableMapping`s, and so are arrays; queues,
    filters, rings and arenas have methods of their own.
    """

    spec: MapSpec

    def __init__(self, spec: MapSpec, fd: int) -> None:
        Fd.__init__(self, fd)
        self.spec = spec

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def info(self) -> Any:
        """What the kernel tells about the map: `uapi.MapInfo`, filled."""
        from ctypes import sizeof

        from ..syscall.objects import obj_info
        from ..uapi import MapInfo

        size = sizeof(MapInfo)
        return MapInfo.from_buffer_copy(obj_info(self.fileno(), size).ljust(size, b"\0"))

    @property
    def id(self) -> int:
        """The number by which `Map.from_id` and other tools find the map."""
        return int(self.info.id)

    def freeze(self) -> None:
        """Forbid writes from user space from now on (Linux 5.2)."""
        from ..syscall.maps import map_freeze

        map_freeze(self.fileno())

    def _subject(self) -> str:
        return f"map {self.name!r}" if self.name else "this map"

    def __repr__(self) -> str:
        spec = self.spec
        types = " -> ".join(_type_name(t) for t in (spec.key, spec.value) if t is not None) or "bytes"
        state = "closed" if self.closed else f"fd={self.fileno()}"
        return f"<live {type(spec).__name__} {spec.name!r}: {types}, max_entries={spec.max_entries}, {state}>"


def _type_name(type_: Any) -> str:
    return type_.__name__ if isinstance(type_, type) else repr(type_)


class _Viewed(Map, View):
    """A live map with entries."""

    def __init__(self, spec: MapSpec, fd: int) -> None:
        Map.__init__(self, spec, fd)
        per_cpu = spec.map_type in PER_CPU
        cpus = possible_cpus() if per_cpu else 1
        value_size = -(-spec.value_size // 8) * 8 * cpus if per_cpu else spec.value_size
        View.__init__(self, spec, KernelMap(self, spec.map_type, spec.key_size, value_size), cpus)

    __repr__ = Map.__repr__


def _writer(codec: Codec) -> Any:
    """`write(buffer, 0, value)`: `codec.pack` into memory that is there already."""
    if codec.format:
        return struct.Struct(codec.format).pack_into
    pack = codec.pack

    def write(buffer: bytearray, offset: int, value: Any) -> None:
        buffer[:] = pack(value)

    return write


def _reader(codec: Codec) -> Any:
    """`read(buffer)`: a tuple of the one value."""
    if codec.format and codec.size == struct.calcsize(codec.format):
        return struct.Struct(codec.format).unpack
    unpack = codec.unpack
    return lambda buffer: (unpack(buffer),)


class LiveHash(_Viewed, HashView[K, V]):
    """A live map of keys and values."""

    def __init__(self, spec: MapSpec, fd: int) -> None:
        _Viewed.__init__(self, spec, fd)
        self._key = spec.key_codec
        self._pack_key, self._pack_value, self._unpack_value = self._key.pack, self._value.pack, self._value.unpack


class QuickHash(LiveHash[K, V]):
    """`LiveHash` for maps whose elements never sleep: single accesses use buffers prepared beforehand.

    A failure of any kind is done again the general way, which finds out what it was.
    """

    def __init__(self, spec: MapSpec, fd: int) -> None:
        super().__init__(spec, fd)
        self._syscall, self._number = quick()
        self._write_key = _writer(self._key)
        self._write_value = _writer(self._value)
        self._read_value = _reader(self._value)
        # Buffers not in use; taking one off the list is atomic, so threads never share one.
        self._free = [prepare(fd, spec.key_size, self._value.size)]

    def _buffers(self) -> Any:
        try:
            return self._free.pop()
        except IndexError:
            return prepare(self.fileno(), self.spec.key_size, self._value.size)

    def __getitem__(self, key: K) -> V:
        free = self._free
        try:
            buffers = free.pop()
        except IndexError:
            buffers = self._buffers()
        try:
            self._write_key(buffers[0], 0, key)
            if self._syscall(self._number, 1, buffers[2], ELEM_SIZE):
                return super().__getitem__(key)
            return self._read_value(buffers[1])[0]  # type: ignore[no-any-return]
        except struct.error:
            return super().__getitem__(key)
        finally:
            free.append(buffers)

    def get(self, key: K, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default

    def __setitem__(self, key: K, value: V) -> None:
        free = self._free
        try:
            buffers = free.pop()
        except IndexError:
            buffers = self._buffers()
        try:
            self._write_key(buffers[0], 0, key)
            self._write_value(buffers[1], 0, value)
            if self._syscall(self._number, 2, buffers[2], ELEM_SIZE):
                super().__setitem__(key, value)
        except struct.error:
            super().__setitem__(key, value)
        finally:
            free.append(buffers)

    def close(self) -> None:
        # Buffers know the number of the descriptor, which may soon be another file's.
        self._free = []
        super().close()


class LiveArray(QuickHash[K, V], ArrayView[K, V]):
    """A live array."""


class LiveQueue(_Viewed, QueueView):
    """A live queue or stack."""


class LiveBloom(_Viewed, BloomView):
    """A live bloom filter."""
