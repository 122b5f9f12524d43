"""Arrays: plain, per CPU, and those whose entries are references (programs, maps, cgroups, devices, CPUs, sockets)."""

from __future__ import annotations

from errno import E2BIG, EBADF, EEXIST, EINVAL, ENODEV, ENOENT, EOVERFLOW

from ...errors import SpecError
from .base import EXIST, F_LOCK, LOCKS, MMAPABLE, NOEXIST, RDONLY_PROG, OfflineMap, PerCpuValues, bad_flags, refused

_LONGEST_QUEUE = 16384

TYPE_CHECKING = False
if TYPE_CHECKING:
    import weakref
    from collections.abc import Iterable
    from typing import Any


class Indexed(OfflineMap):
    """Base of maps whose keys are 0 .. max_entries - 1."""

    def _prepare(self) -> None:
        self._demand(self.key_size == 4, f"key_size is {self.key_size}: an index has 4 bytes")
        self._demand(self.max_entries > 0, "max_entries must not be 0")

    def _index(self, key: bytes) -> int | None:
        index = int.from_bytes(key, "little")
        return index if index < self.max_entries else None

    def delete(self, key: bytes) -> int:
        return -EINVAL

    def keys(self) -> list[bytes]:
        return [i.to_bytes(4, "little") for i in range(self.max_entries)]

    def _refused(self, key: bytes, flags: int) -> int:
        """0 when an update may go ahead, else the kernel's error; its order of checks is observable."""
        if bad_flags(flags):
            return -EINVAL
        if self._index(key) is None:
            return -E2BIG
        if flags & NOEXIST:
            return -EEXIST
        return -EINVAL if flags & F_LOCK and not self.has_lock else 0


class Array(Indexed):
    """An array: an entry is made in memory when it is first touched, and reads as zeros before."""

    def _prepare(self) -> None:
        super()._prepare()
        self._demand(self.value_size > 0, "value_size must not be 0")
        self.addresses: dict[int, int] = {}
        self.read_only = bool(self.spec.flags & RDONLY_PROG)
        self.step = -(-self.value_size // 8) * 8
        # Values are apart, each in a window of its own, whether user space sees them in a row or not.
        self.shared = bytearray(self.step * self.max_entries) if self.spec.flags & MMAPABLE else None
        self.mappings: list[weakref.ref[Any]] = []  # what user space may write through

    def lookup(self, key: bytes) -> int:
        index = int.from_bytes(key, "little")
        return self.addresses.get(index) or (self._make(index) if index < self.max_entries else 0)

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        code = self._refused(key, flags)
        if not code:
            address = self.lookup(key)
            data = self._overwrite(address, value)
            self.mem.stop_timers(address)
            for at, size, kind in self.specials:  # what they hold is released (`bpf_obj_free_fields`)
                if kind not in LOCKS:
                    data[at : at + size] = bytes(size)
        return code

    def direct_value(self, offset: int) -> int:
        if self.max_entries != 1 or offset >= self.value_size:
            raise SpecError(
                f"map {self.name}: byte {offset} of its only value: it has {self.max_entries} x {self.value_size} bytes"
            )
        return self.lookup(bytes(4)) + offset

    def elements(self) -> Iterable[tuple[bytes, int]]:
        for key in self.keys():
            yield key, self.lookup(key)

    def read(self, key: bytes) -> bytes | None:
        index = self._index(key)
        if index is None:
            return None
        if self.shared is not None:
            return bytes(memoryview(self.shared)[index * self.step :][: self.value_size])
        address = self.addresses.get(index)
        return self._plain(self.mem.read(address, self.value_size)) if address else bytes(self.value_size)

    @property
    def mapped(self) -> bool:
        """Whether somebody may write to its shared memory now."""
        return any(mapping() is not None for mapping in self.mappings)

    def _make(self, index: int) -> int:
        at = index * self.step
        data = bytearray(self.value_size) if self.shared is None else memoryview(self.shared)[at : at + self.value_size]
        address = self.mem.add(data, lambda: f"value of {self.name}[{index}]")
        if self.read_only:
            del self.mem.writable[address >> 32]
        self.addresses[index] = address
        return address


class PerCpuArray(Indexed):
    """An array with a value for each CPU."""

    per_cpu = True

    def _prepare(self) -> None:
        super()._prepare()
        self.values: dict[int, PerCpuValues] = {}

    def _at(self, index: int) -> PerCpuValues:
        values = self.values.get(index)
        if values is None:
            name = f"value of {self.name}[{index}]"
            values = self.values[index] = PerCpuValues(self.mem, self.env.cpus, self.value_size, name)
        return values

    def lookup(self, key: bytes) -> int:
        return self.lookup_cpu(key, self.env.cpu)

    def lookup_cpu(self, key: bytes, cpu: int) -> int:
        index = self._index(key)
        return 0 if index is None or not 0 <= cpu < self.env.cpus else self._at(index).addresses[cpu]

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        code = self._refused(key, flags)
        if not code:
            self.mem.write(self.lookup(key), value)
        return code

    def elements(self) -> Iterable[tuple[bytes, int]]:
        for key in self.keys():
            yield key, self.lookup(key)

    def read(self, key: bytes) -> bytes | None:
        index = self._index(key)
        return None if index is None else self._at(index).read()

    def user_update(self, key: bytes, value: bytes, flags: int) -> int:
        code = -EINVAL if flags & F_LOCK else self._refused(key, flags)
        return code or self._at(int.from_bytes(key, "little")).write(value)


class References(Indexed):
    """An array of references to something outside: `targets` maps an index to what stands there.

    A program cannot write them.  From outside, an entry is set with `put`.
    """

    def _prepare(self) -> None:
        super()._prepare()
        self.targets: dict[int, object] = {}

    def put(self, key: bytes, target: object, flags: int = 0) -> int:
        """Make the entry refer to `target`."""
        if flags:
            return -EINVAL
        return self._set(key, target)

    def _set(self, key: bytes, target: object) -> int:
        index = self._index(key)
        if index is None:
            return -E2BIG
        self.targets[index] = target
        return 0

    def user_delete(self, key: bytes) -> int:
        index = self._index(key)
        if index is None:
            return -E2BIG
        return 0 if self.targets.pop(index, None) is not None else -ENOENT

    def keys(self) -> list[bytes]:
        return [i.to_bytes(4, "little") for i in range(self.max_entries)]

    def filled(self) -> Iterable[tuple[bytes, object]]:
        """(key, target) of the entries that are set."""
        return [(key, target) for key in self.keys() if (target := self.target(key)) is not None]

    def target(self, key: bytes) -> object:
        """What the entry refers to, None for nothing."""
        return self.targets.get(int.from_bytes(key, "little"))

    def read(self, key: bytes) -> bytes | None:
        target = self.target(key)
        if target is None:
            return None
        number = target if isinstance(target, int) else getattr(target, "id", 0)
        return number.to_bytes(self.value_size, "little")

    def user_update(self, key: bytes, value: bytes, flags: int) -> int:
        return -EBADF  # a number is a descriptor to the kernel; offline there are none


class ArrayOfMaps(References):
    """An array of maps: a lookup gives the inner map."""

    def lookup(self, key: bytes) -> int:
        target = self.target(key)
        return target.address if isinstance(target, OfflineMap) else 0


class NamedReferences(References):
    """A hash table of references: any bytes are a key."""

    def _prepare(self) -> None:
        self._demand(self.max_entries > 0 and self.key_size > 0, "sizes and max_entries must not be 0")
        self.named: dict[bytes, object] = {}

    def put(self, key: bytes, target: object, flags: int = 0) -> int:
        if flags > EXIST:
            return -EINVAL
        known = key in self.named
        code = refused(known, flags)
        if not code and not known and len(self.named) >= self.max_entries:
            code = -E2BIG
        if not code:
            self.named[key] = target
        return code

    def target(self, key: bytes) -> object:
        return self.named.get(key)

    def user_delete(self, key: bytes) -> int:
        return 0 if self.named.pop(key, None) is not None else -ENOENT

    def keys(self) -> list[bytes]:
        return list(self.named)


class HashOfMaps(NamedReferences):
    """A hash table of maps."""

    def lookup(self, key: bytes) -> int:
        target = self.target(key)
        return target.address if isinstance(target, OfflineMap) else 0


class Table(Indexed):
    """Devices, CPUs or AF_XDP sockets to redirect to: `rows` maps a key to the value that user space stored."""

    hashed = False

    def _prepare(self) -> None:
        super()._prepare()
        self.rows: dict[bytes, int] = {}

    def lookup(self, key: bytes) -> int:
        return self.rows.get(key, 0)

    def user_update(self, key: bytes, value: bytes, flags: int) -> int:
        code = -EINVAL if flags > EXIST else self._refused(key, flags)
        if code:
            return code
        number = int.from_bytes(value[:4], "little")
        unknown = self._unknown(key, number)
        if unknown:
            return unknown
        if number:
            self.rows[key] = self.mem.add(bytes(value), lambda: f"value of {self.name}[{key.hex()}]")
        else:
            self.rows.pop(key, None)
        return 0

    def _unknown(self, key: bytes, number: int) -> int:
        """0 when a device, CPU or socket of this number may stand under `key`, else the error."""
        devices = self.env.devices
        return -EINVAL if number and devices and number not in devices else 0

    def user_delete(self, key: bytes) -> int:
        if not self.hashed and self._index(key) is None:
            return -EINVAL
        if self.rows.pop(key, None) is None:
            return -ENOENT if self.hashed else 0
        return 0

    def elements(self) -> Iterable[tuple[bytes, int]]:
        return list(self.rows.items())


class HashedTable(Table):
    """DEVMAP_HASH: a `Table` with any number as key."""

    hashed = True

    def _refused(self, key: bytes, flags: int) -> int:
        return 0

    def _unknown(self, key: bytes, number: int) -> int:
        return -EINVAL if not number else super()._unknown(key, number)

    def user_update(self, key: bytes, value: bytes, flags: int) -> int:
        if flags > EXIST or not int.from_bytes(value[:4], "little"):
            return -EINVAL
        if key in self.rows and flags & NOEXIST:
            return -EEXIST
        if key not in self.rows and len(self.rows) >= self.max_entries:
            return -E2BIG
        before = self.rows.pop(key, None)
        code = super().user_update(key, value, flags)
        if code and before is not None:
            self.rows[key] = before
        return code

    def keys(self) -> list[bytes]:
        """By buckets, of which there are a power of two; in each the latest first (`dev_map_hash_get_next_key`)."""
        mask = (1 << (self.max_entries - 1).bit_length()) - 1
        latest_first = [*reversed(self.rows)]
        return sorted(latest_first, key=lambda key: int.from_bytes(key, "little") & mask)


class CpuMap(Table):
    """CPUs by number; the value is the length of a queue, 0 for none."""

    def _unknown(self, key: bytes, number: int) -> int:
        if number > _LONGEST_QUEUE:
            return -EOVERFLOW
        return -ENODEV if int.from_bytes(key, "little") >= self.env.cpus else 0
