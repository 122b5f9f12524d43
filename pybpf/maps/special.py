"""Live maps that are more than keys and values: references to kernel objects, storages, shared memory, stack traces."""

from __future__ import annotations

import mmap
import os

from ..errors import KindError, SpecError
from ..mapview import array_memory
from .live import LiveHash, Map

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from ..kernel.frames import Frame
    from ..spec import MapSpec

    K = TypeVar("K")
    V = TypeVar("V")
else:
    K = V = None

_MMAPABLE = 1 << 10
_RDONLY = 1 << 3


def descriptor(thing: Any) -> int:
    """The descriptor of a live object, a socket, an open file; or the number itself."""
    if isinstance(thing, int):
        return thing
    try:
        fd: int = thing.fileno()
    except AttributeError:
        raise KindError(f"{thing!r} is neither a descriptor nor an object with a fileno()") from None
    return fd


class ReferenceTable(LiveHash[K, V]):
    """A table of kernel objects: programs, maps, sockets.

    What is stored is given as the object (or its descriptor); what is read is a number that names it, an id or a
    cookie, and places that hold nothing are not there.  Entries of program arrays and maps of maps are replaced
    atomically: programs see the old one or the new one.
    """

    def __init__(self, spec: MapSpec, fd: int) -> None:
        super().__init__(spec, fd)
        pack = self._value.pack
        self._pack_value = lambda value: pack(descriptor(value))


class CgroupTable(ReferenceTable[K, V]):
    """A table of cgroups: what is stored is given as a path or a descriptor of a cgroup v2 directory."""

    def set(self, key: K, value: Any, **conditions: Any) -> None:
        """Store under conditions: see `HashView.set`."""
        if not isinstance(value, (str, os.PathLike)):
            super().set(key, value, **conditions)
            return
        fd = os.open(value, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fd_as_value: Any = fd
            super().set(key, fd_as_value, **conditions)
        finally:
            os.close(fd)

    def __setitem__(self, key: K, value: Any) -> None:
        self.set(key, value)


class Storage(LiveHash[K, V]):
    """A value for each socket, task (by pidfd), inode or cgroup: the key is that object, or its descriptor.

    The kernel does not list them: iterating fails.
    """

    def __init__(self, spec: MapSpec, fd: int) -> None:
        super().__init__(spec, fd)
        pack = self._key.pack
        self._pack_key = lambda key: pack(descriptor(key))


class StackTraces(LiveHash[K, V]):
    """Stack traces by the ids that `bpf_get_stackid` gives: a tuple of addresses, zeros after the end."""

    def frames(self, stack_id: int, pid: int | None = None) -> list[Frame]:
        """The trace with names, innermost first: of the kernel, or of the process `pid` when it is a user trace."""
        from .symbols import kernel_frame, user_frames

        addresses = [address for address in self[stack_id] if address]  # type: ignore[index, attr-defined]
        return user_frames(addresses, pid) if pid is not None else [kernel_frame(a) for a in addresses]


class Arena(Map):
    """Memory shared with programs: `memory` is all of it; pages come to be when either side first touches them."""

    def __init__(self, spec: MapSpec, fd: int) -> None:
        super().__init__(spec, fd)
        self._mapping: Any = None

    def start(self) -> None:
        """Programs can be loaded only when it is known where user space has the arena."""
        _ = self.memory

    @property
    def memory(self) -> Any:
        """The arena as Python sees it: a mutable buffer of `max_entries` pages (an `mmap`, or a `memoryview` of one at
        the address that the spec asks for)."""
        if self._mapping is None:
            size = self.spec.max_entries * mmap.PAGESIZE
            if self.spec.map_extra:
                from ..syscall.memory import map_at

                self._mapping = map_at(self.fileno(), size, self.spec.map_extra)
            else:
                self._mapping = mmap.mmap(self.fileno(), size)
        return self._mapping

    @property
    def address(self) -> int:
        """Where the arena begins: pointers in it hold this and more, on both sides."""
        from ..syscall.door import address, buffer_of

        return address(buffer_of(self.memory))

    def close(self) -> None:
        super().close()
        if self._mapping is not None:
            mapping, self._mapping = self._mapping, None
            _unmap(mapping)


def _unmap(mapping: Any) -> None:
    from contextlib import suppress

    with suppress(BufferError):  # someone holds a view of it; it goes when that goes
        mapping.release() if isinstance(mapping, memoryview) else mapping.close()


def shared_values(live: Map) -> Any:
    """The values of an array with flag MMAPABLE: see `mapview.array_memory`.  Valid after the map is closed, too."""
    spec = live.spec
    if not spec.flags & _MMAPABLE:
        raise SpecError(f"{live!r} is not shared memory: declare it with flags=1 << 10 (MMAPABLE, Linux 5.5)")
    step = -(-spec.value_size // 8) * 8
    size = -(-step * spec.max_entries // mmap.PAGESIZE) * mmap.PAGESIZE
    writable = not (spec.frozen or spec.flags & _RDONLY)
    try:
        access = mmap.PROT_READ | mmap.PROT_WRITE if writable else mmap.PROT_READ
        mapping = mmap.mmap(live.fileno(), size, mmap.MAP_SHARED, access)
    except PermissionError:  # it was frozen since
        writable = False
        mapping = mmap.mmap(live.fileno(), size, mmap.MAP_SHARED, mmap.PROT_READ)
    return array_memory(spec, mapping, writable)
