"""Maps about kernel objects: sockets, storages that hang on an object, stack traces."""

from __future__ import annotations

from errno import E2BIG, EEXIST, EINVAL, ENOENT

from ..sockets import socket_address
from .array import Indexed, References
from .base import EXIST, NOEXIST, OfflineMap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class SockMap(References):
    """Sockets by index; what stands in it are `PseudoSocket` objects that the test gives."""

    def lookup(self, key: bytes) -> int:
        target = self.target(key)
        return socket_address(self.mem, target) if target is not None else 0


class SockHash(References):
    """Sockets by any key."""

    def _prepare(self) -> None:
        self._demand(self.key_size > 0 and self.max_entries > 0, "sizes and max_entries must not be 0")
        self.named: dict[bytes, object] = {}

    def put(self, key: bytes, target: object, flags: int = 0) -> int:
        if key in self.named and flags & NOEXIST:
            return -EEXIST
        if key not in self.named and flags & EXIST:
            return -ENOENT
        if key not in self.named and len(self.named) >= self.max_entries:
            return -E2BIG
        self.named[key] = target
        return 0

    def target(self, key: bytes) -> object:
        return self.named.get(key)

    def lookup(self, key: bytes) -> int:
        target = self.named.get(key)
        return socket_address(self.mem, target) if target is not None else 0

    def delete(self, key: bytes) -> int:
        return 0 if self.named.pop(key, None) is not None else -ENOENT

    def user_delete(self, key: bytes) -> int:
        return self.delete(key)

    def keys(self) -> list[bytes]:
        return list(self.named)


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

    def current(self) -> int:
        key = self.env.cgroup_id.to_bytes(8, "little").ljust(self.key_size, b"\0")
        if key not in self.addresses:
            self.addresses[key] = self.mem.add(bytearray(self.value_size), f"value of {self.name}")
        return self.addresses[key]

    def elements(self) -> Iterable[tuple[bytes, int]]:
        return list(self.addresses.items())

    def user_lookup(self, key: bytes) -> int:
        return self.addresses.get(key, 0)


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
