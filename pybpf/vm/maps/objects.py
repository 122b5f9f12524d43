"""Maps about kernel objects: sockets, storages that hang on an object, stack traces."""

from __future__ import annotations

from errno import E2BIG, EBUSY, EINVAL, ENOENT

from ..sockets import socket_address
from .array import Indexed, NamedReferences, References
from .base import EXIST, F_LOCK, OfflineMap, PerCpuValues, refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class SocketTable(References):
    """Base of the tables of sockets; what stands in them are `PseudoSocket` objects that the test gives."""

    def lookup(self, key: bytes) -> int:
        target = self.target(key)
        return socket_address(self.mem, target) if target is not None else 0


class SockMap(SocketTable):
    """Sockets by index."""

    def put(self, key: bytes, target: object, flags: int = 0) -> int:
        if flags > EXIST:
            return -EINVAL
        if self._index(key) is None:
            return -E2BIG
        return refused(self.target(key) is not None, flags) or self._set(key, target)

    def delete(self, key: bytes) -> int:
        return 0 if super().user_delete(key) == 0 else -EINVAL

    def user_delete(self, key: bytes) -> int:
        return self.delete(key)


class ReuseportSockets(SocketTable):
    """Sockets of a reuseport group by index, each in one place only."""

    def put(self, key: bytes, target: object, flags: int = 0) -> int:
        if flags > EXIST:
            return -EINVAL
        if self._index(key) is None:
            return -E2BIG
        code = refused(self.target(key) is not None, flags)
        return code or (-EBUSY if target in self.targets.values() else self._set(key, target))


class SockHash(NamedReferences, SocketTable):
    """Sockets by any key."""

    def delete(self, key: bytes) -> int:
        return self.user_delete(key)


class Storage(OfflineMap):
    """A value for each object (socket, inode, task, cgroup), which a program names by its address."""

    def _prepare(self) -> None:
        self._demand(self.value_size > 0, "value_size must not be 0")
        self.values: dict[int, int] = {}

    def get(self, owner: int, initial: bytes | None, create: bool) -> int:
        """The address of `owner`'s value, made when `create`; 0 when there is none."""
        if not owner:
            return 0
        found = self.values.get(owner, 0)
        if not found and create:
            found = self.values[owner] = self.mem.add(
                bytearray(initial or bytes(self.value_size)), f"value of {self.name} for object 0x{owner:x}"
            )
        return found

    def drop(self, owner: int) -> int:
        if not owner:
            return -EINVAL
        address = self.values.pop(owner, None)
        if address is None:
            return -ENOENT
        self.mem.retire(address)
        return 0

    def elements(self) -> Iterable[tuple[bytes, int]]:
        return [(owner.to_bytes(8, "little"), address) for owner, address in self.values.items()]

    def user_lookup(self, key: bytes) -> int:
        return self.values.get(int.from_bytes(key, "little"), 0)


class CgroupStorage(OfflineMap):
    """The storage of the cgroup that the program is attached to: one value, made at first use."""

    def _prepare(self) -> None:
        self.addresses: dict[bytes, int] = {}

    def _key(self) -> bytes:
        return self.env.cgroup_id.to_bytes(8, "little").ljust(self.key_size, b"\0")

    def current(self) -> int:
        key = self._key()
        if key not in self.addresses:
            self.addresses[key] = self.mem.add(bytearray(self.value_size), f"value of {self.name}")
        return self.addresses[key]

    def elements(self) -> Iterable[tuple[bytes, int]]:
        return list(self.addresses.items())

    def user_lookup(self, key: bytes) -> int:
        return self.addresses.get(key, 0)

    def user_update(self, key: bytes, value: bytes, flags: int) -> int:
        """A value is there once the program has run: user space changes it, and makes none."""
        if flags & ~(F_LOCK | EXIST) or (flags & F_LOCK and not self.has_lock):
            return -EINVAL
        address = self.addresses.get(key)
        if address is None:
            return -ENOENT
        self._overwrite(address, value)
        return 0

    def delete(self, key: bytes) -> int:
        return -EINVAL


class PerCpuCgroupStorage(CgroupStorage):
    """`CgroupStorage` with a value for each CPU."""

    per_cpu = True

    def _prepare(self) -> None:
        super()._prepare()
        self.values: dict[bytes, PerCpuValues] = {}

    def current(self) -> int:
        key = self._key()
        if key not in self.values:
            self.values[key] = PerCpuValues(self.mem, self.env.cpus, self.value_size, f"value of {self.name}")
        return self.values[key].addresses[self.env.cpu]

    def elements(self) -> Iterable[tuple[bytes, int]]:
        return [(key, values.addresses[self.env.cpu]) for key, values in self.values.items()]

    def read(self, key: bytes) -> bytes | None:
        values = self.values.get(key)
        return None if values is None else values.read()

    def user_update(self, key: bytes, value: bytes, flags: int) -> int:
        if flags & ~EXIST:
            return -EINVAL
        values = self.values.get(key)
        return -ENOENT if values is None else values.write(value)


class StackTraces(Indexed):
    """Stacks by the number that bpf_get_stackid gave them."""

    def _prepare(self) -> None:
        super()._prepare()
        self.stacks: dict[int, bytes] = {}

    def put(self, index: int, stack: bytes) -> None:
        self.stacks[index] = stack[: self.value_size].ljust(self.value_size, b"\0")

    def read(self, key: bytes) -> bytes | None:
        return self.stacks.get(int.from_bytes(key, "little"))

    def user_delete(self, key: bytes) -> int:
        return 0 if self.stacks.pop(int.from_bytes(key, "little"), None) is not None else -ENOENT

    def keys(self) -> list[bytes]:
        return [i.to_bytes(4, "little") for i in sorted(self.stacks)]
