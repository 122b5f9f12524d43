"""Live maps: a view of `mapview.py` over a descriptor."""

from __future__ import annotations

from itertools import islice

from ..mapview import PER_CPU, ArrayView, BloomView, HashView, QueueView, View, type_name
from ..syscall.elements import ELEM_SIZE, prepare, quick
from ..syscall.fd import Object
from .kernel import KernelMap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from ..spec import MapSpec

    K = TypeVar("K")
    V = TypeVar("V")
else:
    K = V = None


def possible_cpus() -> int:
    """How many values a per-CPU map has under a key: all CPUs that the machine could have."""
    with open("/sys/devices/system/cpu/possible") as file:
        text = file.read().strip()
    return int(text.replace(",", "-").rsplit("-", 1)[-1]) + 1


class Map(Object):
    """A map in the kernel: owns its descriptor, and keeps the map alive while it is open.

    Its class says what else it can do: hashes, tries and tables are `MutableMapping`s, and so are arrays; queues,
    filters, rings and arenas have methods of their own.
    """

    spec: MapSpec

    def __init__(self, spec: MapSpec, fd: int) -> None:
        Object.__init__(self, fd)
        self.spec = spec

    @property
    def name(self) -> str:
        """The spec's name; the kernel keeps 15 bytes of it."""
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

    @classmethod
    def from_id(cls, id_: int) -> Any:
        """Open a map by its id: a `Map` of the class and types that its BTF says; SyscallError (ENOENT) when there is none."""
        from .found import from_id

        return from_id(id_)

    @classmethod
    def from_pin(cls, path: str, *, read_only: bool = False) -> Any:
        """Open a pinned map: a `Map` of the class and the types that its BTF says.

        SyscallError when nothing is pinned there, KindError when it is no map.
        """
        from .found import from_pin

        return from_pin(path, read_only=read_only)

    def freeze(self) -> None:
        """Forbid writes from user space from now on (Linux 5.2)."""
        from ..syscall.maps import map_freeze

        map_freeze(self.fileno())

    def start(self) -> None:
        """What a map that was just made needs before programs use it."""

    def _subject(self) -> str:
        return f"map {self.name!r}" if self.name else "this map"

    def __repr__(self) -> str:
        spec = self.spec
        types = " -> ".join(type_name(t) for t in (spec.key, spec.value) if t is not None) or "bytes"
        state = "closed" if self.closed else f"fd={self.fileno()}"
        return f"<live {type(spec).__name__} {spec.name!r}: {types}, max_entries={spec.max_entries}, {state}>"


class _Viewed(Map, View):
    """A live map with entries."""

    raw: KernelMap

    def __init__(self, spec: MapSpec, fd: int) -> None:
        Map.__init__(self, spec, fd)
        per_cpu = spec.map_type in PER_CPU
        cpus = possible_cpus() if per_cpu else 1
        value_size = -(-spec.value_size // 8) * 8 * cpus if per_cpu else spec.value_size
        View.__init__(self, spec, KernelMap(self, spec.map_type, spec.key_size, value_size), cpus)

    __repr__ = Map.__repr__


class LiveHash(_Viewed, HashView[K, V]):
    """A live map of keys and values."""

    def __init__(self, spec: MapSpec, fd: int) -> None:
        _Viewed.__init__(self, spec, fd)
        self._key = spec.key_codec
        self._pack_key, self._pack_value, self._unpack_value = self._key.pack, self._value.pack, self._value.unpack

    def update(self, other: Any = (), /, **named: Any) -> None:
        """Store all pairs of a mapping or an iterable, in batches where the kernel has them (Linux 5.6).

        When an entry is refused, an unknown number of those before it have been stored.
        """
        pairs = {**dict(other), **named}
        pack_key, pack_value = self._pack_key, self._pack_value
        if len(pairs) >= _FEW and self.spec.map_type in _BATCHED:
            items = iter(pairs.items())
            while chunk := list(islice(items, _CHUNK)):
                keys = b"".join([pack_key(key) for key, _ in chunk])
                values = b"".join([pack_value(value) for _, value in chunk])
                code = self.raw.update_many(keys, values, len(chunk))
                if code:
                    raise self._refused(code, "BPF_MAP_UPDATE_BATCH")
                if code is None:
                    break
            else:
                return
        for key, value in pairs.items():
            self[key] = value


_FEW, _CHUNK = 16, 4096
_BATCHED = frozenset((1, 2, 5, 9, 10))  # HASH, ARRAY, PERCPU_HASH, LRU_HASH, LRU_PERCPU_HASH: in 5.6, or soon after


class QuickHash(LiveHash[K, V]):
    """`LiveHash` for maps whose elements never sleep: single accesses use buffers prepared beforehand.

    A failure of any kind is done again the general way, which finds out what it was.
    """

    def __init__(self, spec: MapSpec, fd: int) -> None:
        super().__init__(spec, fd)
        self._refill([self._prepare()])

    def _refill(self, free: list[Any]) -> None:
        # Buffers not in use.  Taking from a list is atomic, so threads and signal handlers never share buffers.
        self._hot = (free.pop, free.append, *quick())

    def _prepare(self) -> Any:
        """`(key, value, attr, owners)`: memory for the key and the value, and the command that refers to them."""
        return prepare(self.fileno(), self.spec.key_size, self._value.size)

    def close(self) -> None:
        # The buffers know the number of the descriptor, which may soon be another file's.
        self._refill([])
        super().close()

    def clear(self) -> None:
        """Delete every entry that is there now."""
        if self.spec.map_type not in _BATCHED or not self.raw.take_all():
            super().clear()

    def get(self, key: K, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default

    def __getitem__(self, key: K) -> V:
        pop, append, call, number = self._hot
        try:
            buffers = pop()
        except IndexError:
            buffers = self._prepare()
        memory, value, attr, _ = buffers
        try:
            memory[:] = self._pack_key(key)
            if call(number, 1, attr, ELEM_SIZE):
                return super().__getitem__(key)
            return self._unpack_value(value)  # type: ignore[no-any-return]
        finally:
            append(buffers)

    def __setitem__(self, key: K, value: V) -> None:
        pop, append, call, number = self._hot
        try:
            buffers = pop()
        except IndexError:
            buffers = self._prepare()
        memory, room, attr, _ = buffers
        try:
            memory[:] = self._pack_key(key)
            room[:] = self._pack_value(value)
            if call(number, 2, attr, ELEM_SIZE):
                super().__setitem__(key, value)
        finally:
            append(buffers)


class IntHash(QuickHash[K, V]):
    """`QuickHash` of integers in the machine's byte order: memory is read and written as an array of one number."""

    def _prepare(self) -> Any:
        key, value, attr, owners = super()._prepare()
        letters: Any = (codec.format[1] for codec in (self._key, self._value) if codec.format)
        return *(memoryview(m).cast(f) for m, f in zip((key, value), letters, strict=True)), attr, owners

    def __getitem__(self, key: K) -> V:
        pop, append, call, number = self._hot
        try:
            buffers = pop()
        except IndexError:
            buffers = self._prepare()
        memory, value, attr, _ = buffers
        try:
            try:
                memory[0] = key
            except (TypeError, ValueError):
                return HashView.__getitem__(self, key)
            if call(number, 1, attr, ELEM_SIZE):
                return HashView.__getitem__(self, key)
            return value[0]  # type: ignore[no-any-return]
        finally:
            append(buffers)

    def __setitem__(self, key: K, value: V) -> None:
        pop, append, call, number = self._hot
        try:
            buffers = pop()
        except IndexError:
            buffers = self._prepare()
        memory, room, attr, _ = buffers
        try:
            try:
                memory[0] = key
                room[0] = value
            except (TypeError, ValueError):
                return HashView.__setitem__(self, key, value)
            if call(number, 2, attr, ELEM_SIZE):
                HashView.__setitem__(self, key, value)
        finally:
            append(buffers)


class LiveArray(QuickHash[K, V], ArrayView[K, V]):
    """A live array."""

    clear = ArrayView.clear

    @property
    def memory(self) -> Any:
        """The values as memory, without system calls, of an array with flag MMAPABLE: see `mapview.array_memory`."""
        from .special import shared_values

        return shared_values(self)


class IntArray(IntHash[K, V], LiveArray[K, V]):
    """A live array of integers in the machine's byte order."""


class LiveQueue(_Viewed, QueueView):
    """A live queue or stack."""


class LiveBloom(_Viewed, BloomView):
    """A live bloom filter."""
