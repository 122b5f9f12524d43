"""What `vm[packets]` gives: the views of `mapview.py` over offline maps, and a few for maps without entries."""

from __future__ import annotations

import weakref
from collections import deque
from errno import ENOENT, ENOSPC, EPERM

from ..errors import KindError, SpecError, SyscallError
from ..mapview import VIEWS, ArrayView, BloomView, HashView, QueueView, View, array_memory
from ..records import Records, Run, decoder
from ..spec import MapSpec, ProgramSpec
from ..uapi import MapType
from .handles import Handle
from .maps import (
    Arena,
    Array,
    Bloom,
    OfflineMap,
    PerfEvents,
    Queue,
    References,
    RingBuffer,
    StackTraces,
    Storage,
    UserRingBuffer,
)
from .sockets import PseudoSocket, socket_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from typing import Any

    from ..kernel.frames import Frame
    from ..types import Codec
    from .mapset import MapSet

_CHUNK = 4096
_RDONLY, _WRONLY = 1 << 3, 1 << 4  # BPF_F_RDONLY, BPF_F_WRONLY: what user space may not do


class Raw:
    """The `RawMap` over an offline map: errors as positive errno, values as bytes."""

    def __init__(self, map: OfflineMap) -> None:
        self.map = map

    @property
    def name(self) -> str:
        return self.map.name

    def permit(self, command: str, read: bool = False, write: bool = False) -> None:
        """SyscallError (EPERM) when the map's flags, or its being frozen, forbid it to user space."""
        if (read and self.map.spec.flags & _WRONLY) or (write and self._read_only):
            raise SyscallError(EPERM, command, f"map {self.map.name!r}")

    @property
    def _read_only(self) -> bool:
        return self.map.frozen or bool(self.map.spec.flags & _RDONLY)

    def lookup(self, key: bytes) -> bytes | None:
        self.permit("BPF_MAP_LOOKUP_ELEM", read=True)
        if isinstance(self.map, Queue):
            found = self.map.peek(b"")
            return None if isinstance(found, int) else found
        return self.map.read(key)

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        if self._read_only:
            return EPERM
        if isinstance(self.map, (Queue, Bloom)):
            return -self.map.push(value, flags)
        return -self.map.user_update(key, value, flags)

    def delete(self, key: bytes) -> int:
        return EPERM if self._read_only else -self.map.user_delete(key)

    def take(self, key: bytes) -> bytes | None:
        self.permit("BPF_MAP_LOOKUP_AND_DELETE_ELEM", read=True, write=True)
        if isinstance(self.map, Queue):
            found = self.map.pop()
            return None if isinstance(found, int) else found
        value = self.map.read(key)
        if value is not None:
            code = -self.map.user_delete(key)
            if code == ENOENT:  # a trie found a shorter prefix
                return None
            if code:
                raise SyscallError(code, "BPF_MAP_LOOKUP_AND_DELETE_ELEM", f"map {self.map.name!r}")
        return value

    def contains(self, value: bytes) -> bool:
        self.permit("BPF_MAP_LOOKUP_ELEM", read=True)
        return not isinstance(self.map.peek(value), int)

    def batches(self) -> Iterator[tuple[int, Any, Any]]:
        self.permit("BPF_MAP_LOOKUP_BATCH", read=True)
        keys = self.map.keys()
        for i in range(0, len(keys), _CHUNK):
            pairs = [(k, v) for k in keys[i : i + _CHUNK] if (v := self.map.read(k)) is not None]
            yield len(pairs), b"".join(k for k, _ in pairs), b"".join(v for _, v in pairs)


class OfflineHash(Handle, HashView["Any", "Any"]):
    """A map of keys and values."""

    def clear(self) -> None:
        """Delete every entry."""
        self.raw.permit("BPF_MAP_LOOKUP_AND_DELETE_BATCH", read=True, write=True)
        super().clear()


class OfflineArray(Handle, ArrayView["Any", "Any"]):
    """An array."""

    @property
    def memory(self) -> Any:
        """The values as memory, shared with programs, of an array with flag MMAPABLE: see `mapview.array_memory`."""
        found = self.raw.map
        shared = isinstance(found, Array) and found.shared
        if not shared:
            raise SpecError(f"{self!r} is not shared memory: declare it with flags=1 << 10 (MMAPABLE, Linux 5.5)")
        writable = not found.frozen and not self.spec.flags & _RDONLY
        made = array_memory(self.spec, found.shared, writable)
        if writable:
            found.mappings.append(weakref.ref(made))
        return made


class OfflineQueue(Handle, QueueView):
    """A queue or stack."""


class OfflineBloom(Handle, BloomView):
    """A bloom filter."""


_OFFLINE: dict[type[View], type[View]] = {
    HashView: OfflineHash,
    ArrayView: OfflineArray,
    QueueView: OfflineQueue,
    BloomView: OfflineBloom,
}


class StackView(OfflineHash):
    """Stack traces by the ids that `bpf_get_stackid` gives: a tuple of addresses, zeros after the end."""

    def __init__(self, spec: MapSpec, raw: Raw, maps: MapSet) -> None:
        super().__init__(spec, raw, maps.env.cpus)
        self.env = maps.env

    def frames(self, stack_id: int, pid: int | None = None) -> list[Frame]:
        """The trace with names, innermost first, as far as `env.kallsyms` names functions of the kernel; `pid` says that it
        is a user trace, whose functions have no names here.
        """
        from ..kernel.frames import Frame, frame_in

        addresses = [address for address in self[stack_id] if address]
        if pid is not None:
            return [Frame(address, "", 0, "") for address in addresses]
        known = sorted((address, name) for name, address in self.env.kallsyms.items())
        return [frame_in(address, [a for a, _ in known], [(name, "") for _, name in known]) for address in addresses]


class ReferenceView(OfflineHash):
    """A map of programs, maps, cgroups or sockets: what is stored in it is given as the object itself and read back
    so.
    """

    def __init__(self, spec: MapSpec, raw: Raw, maps: MapSet) -> None:
        super().__init__(spec, raw, maps.env.cpus)
        self.maps = maps

    @property
    def _map(self) -> References:
        found = self.raw.map
        assert isinstance(found, References)
        return found

    def __getitem__(self, key: Any) -> Any:
        target = self._map.target(self._pack_key(key))
        if target is None:
            raise KeyError(key)
        return self.maps.view(target) if isinstance(target, OfflineMap) else target

    def get(self, key: Any, default: Any = None) -> Any:
        target = self._map.target(self._pack_key(key))
        return default if target is None else self[key]

    def __contains__(self, key: object) -> bool:
        return self._map.target(self._pack_key(key)) is not None

    def __setitem__(self, key: Any, value: Any) -> None:
        self.set(key, value)

    def set(
        self, key: Any, value: Any, *, noexist: bool = False, exist: bool = False, lock: bool = False, flags: int = 0
    ) -> None:
        flags |= noexist * 1 | exist * 2 | lock * 4
        code = -self._map.put(self._pack_key(key), self._target(value), flags)
        if code:
            raise self._refused(code, "BPF_MAP_UPDATE_ELEM", key)

    def pop(self, key: Any, default: Any = ...) -> Any:
        if key not in self:
            if default is ...:
                raise KeyError(key)
            return default
        found = self[key]
        del self[key]
        return found

    def __iter__(self) -> Iterator[Any]:
        unpack = self._key.unpack
        return (unpack(k) for k, _ in self._map.filled())

    def _iter_items(self) -> Iterator[tuple[Any, Any]]:
        return ((key, self[key]) for key in self)

    def _iter_values(self) -> Iterator[Any]:
        return (self[key] for key in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _target(self, value: Any) -> Any:
        """What is kept for a value: an image's spec, an offline map, a socket, a number."""
        if isinstance(value, View):
            value = value.raw.map  # type: ignore[attr-defined]
        if isinstance(value, (ProgramSpec, PseudoSocket, OfflineMap)):
            return value
        if isinstance(value, MapSpec):
            return self.maps.inner(value)
        if isinstance(value, int) and self.spec.map_type not in (
            MapType.PROG_ARRAY,
            MapType.ARRAY_OF_MAPS,
            MapType.HASH_OF_MAPS,
        ):
            return value
        raise KindError(f"{value!r}: expected a program, a map, a PseudoSocket, or a number for cgroups")


class StorageView(OfflineHash):
    """A local storage: keys are the objects themselves (a `PseudoSocket`), the pid of the current task, the ids of
    cgroups, or addresses.
    """

    def __init__(self, spec: MapSpec, raw: Raw, maps: MapSet) -> None:
        super().__init__(spec, raw, maps.env.cpus)

        def pack(owner: Any) -> bytes:
            if isinstance(owner, PseudoSocket):
                address = socket_address(maps.mem, owner)
            else:
                address = maps.objects.object_of(spec.map_type, int(owner))
            return address.to_bytes(8, "little")

        def unpack(raw_key: bytes) -> Any:
            return maps.objects.key_of(int.from_bytes(raw_key, "little"))

        self._pack_key = pack
        self._key = _key_codec(self._key, pack, unpack)

    def __setitem__(self, key: Any, value: Any) -> None:
        found = self.raw.map
        assert isinstance(found, Storage)
        address = found.get(int.from_bytes(self._pack_key(key), "little"), None, True)
        found.mem.write(address, self._pack_value(value))

    def __delitem__(self, key: Any) -> None:
        found = self.raw.map
        if found.drop(int.from_bytes(self._pack_key(key), "little")) == -ENOENT:
            raise KeyError(key)


def _key_codec(base: Codec, pack: Any, unpack: Any) -> Codec:
    from ..types import Codec

    return Codec(base.type, 8, pack, unpack)


class EventView(Handle, View):
    """A ring buffer or perf event array: what programs sent and nobody took yet.  What waits for events live takes
    those that are there, and ends.
    """

    def __init__(self, spec: MapSpec, raw: Raw) -> None:
        self.spec = spec
        self.raw = raw
        self.event: Any = getattr(spec, "event", None)
        self._decode = decoder(self.event)
        self._rest: deque[Run] = deque()

    def __repr__(self) -> str:
        return f"<EventView {self.spec.name!r}>"

    @property
    def _buffer(self) -> RingBuffer | PerfEvents:
        found = self.raw.map
        assert isinstance(found, (RingBuffer, PerfEvents))
        return found

    def _fill(self) -> deque[Run]:
        """The records that nobody took, each a run of its own."""
        self._rest.extend(Run(raw or b"\0", 0, len(raw), len(raw) or 1) for raw in self._buffer.take())
        return self._rest

    def drain(self) -> list[Any]:
        """Take every complete record: values of the declared type, or `bytes` where none was declared."""
        return list(self)

    def read_many(self, limit: int | None = None) -> Records:
        """What is there, `limit` at most, in bulk: a sequence of tuples, as of the live map."""
        rest = self._fill()
        return Records(
            [rest.popleft() for _ in range(len(rest) if limit is None else min(limit, len(rest)))], self.event
        )

    def poll(self, timeout: float | None = None) -> list[Any]:
        """What is there: offline nothing comes while one waits."""
        return self.drain()

    def consume(self, callback: Callable[[Any], object], timeout: float | None = None) -> int:
        """Call `callback` with each event; how many there were."""
        return sum(1 for event in self if (callback(event), True))

    def __iter__(self) -> Iterator[Any]:
        while self._fill():
            yield from self._decode(self._rest.popleft())

    async def __aiter__(self) -> AsyncIterator[Any]:
        for event in self:
            yield event

    def open(self, pages: int = 0, wakeup: int = 1) -> None:
        """Nothing: every CPU's buffer is open."""

    def __setitem__(self, cpu: int, count: int) -> None:
        """What `bpf_perf_event_read` finds on a CPU."""
        if not isinstance(self._buffer, PerfEvents):
            raise KindError(f"map {self.spec.name!r} is a ring buffer: it has no entries")
        self._buffer.counters[cpu] = count

    @property
    def lost(self) -> int:
        """Records that found no room."""
        return int(getattr(self._buffer, "lost", 0))

    @property
    def pending(self) -> int:
        """Bytes in a ring buffer that nobody has read, headers included."""
        return self._buffer.query(0) if isinstance(self._buffer, RingBuffer) else 0


class UserRingView(Handle, View):
    """A user ring buffer: records wait here for the program to drain them."""

    def __init__(self, spec: MapSpec, raw: Raw) -> None:
        self.spec = spec
        self.raw = raw

    def push(self, event: Any) -> None:
        """Give an event (of the declared type, or bytes) to the programs; SyscallError (ENOSPC) when it is full."""
        found = self.raw.map
        assert isinstance(found, UserRingBuffer)
        codec = getattr(self.spec, "event_codec", None)
        raw = bytes(event) if codec is None else codec.pack(event)
        if not 0 < len(raw) <= found.max_entries - 8:
            raise SpecError(f"a record of {len(raw)} bytes for a ring of {found.max_entries}")
        if not found.send(raw):
            raise SyscallError(ENOSPC, "push", f"map {self.spec.name!r}", "the ring is full: programs must drain it")

    send = push

    def __repr__(self) -> str:
        return f"<UserRingView {self.spec.name!r}>"


class ArenaView(Handle, View):
    """An arena: `memory` is all its pages, as of the live map."""

    def __init__(self, spec: MapSpec, raw: Raw) -> None:
        self.spec = spec
        self.raw = raw

    @property
    def _arena(self) -> Arena:
        found = self.raw.map
        assert isinstance(found, Arena)
        return found

    @property
    def memory(self) -> memoryview:
        """A mutable buffer of all pages.  A page where this side wrote something other than zeros has come to be."""
        return self._arena.memory

    @property
    def address(self) -> int:
        """Where the arena begins: pointers in it hold this and more, on both sides."""
        return self._arena.start

    def __setitem__(self, offset: int, raw: bytes) -> None:
        self._arena.write(offset, raw)

    def __repr__(self) -> str:
        return f"<ArenaView {self.spec.name!r}>"


def make_view(maps: MapSet, found: OfflineMap) -> View:
    """The view of an offline map."""
    raw = Raw(found)
    if isinstance(found, (RingBuffer, PerfEvents)):
        return EventView(found.spec, raw)
    if isinstance(found, UserRingBuffer):
        return UserRingView(found.spec, raw)
    if isinstance(found, Arena):
        return ArenaView(found.spec, raw)
    if isinstance(found, References):
        return ReferenceView(found.spec, raw, maps)
    if isinstance(found, Storage):
        return StorageView(found.spec, raw, maps)
    if isinstance(found, StackTraces):
        return StackView(found.spec, raw, maps)
    return _OFFLINE[VIEWS[found.spec.map_type]](found.spec, raw, maps.env.cpus)
