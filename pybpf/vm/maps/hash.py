"""Hash tables: plain, per CPU, LRU; and longest-prefix-match tries."""

from __future__ import annotations

from errno import E2BIG, EEXIST, EINVAL, ENOENT, ENOSPC

from .base import EXIST, F_LOCK, NO_PREALLOC, NOEXIST, OfflineMap, PerCpuValues, bad_flags
from .lru import Lru

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Hash(OfflineMap):
    """A hash table: `addresses` maps a key to the address of its value."""

    in_place = False
    """Whether an update changes the element that there is, rather than to put a new one in its place."""

    def _prepare(self) -> None:
        self._demand(
            self.max_entries > 0 and self.key_size > 0 and self.value_size > 0, "sizes and max_entries must not be 0"
        )
        self.addresses: dict[bytes, int] = {}

    def lookup(self, key: bytes) -> int:
        return self.addresses.get(key, 0)

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        if bad_flags(flags) or (flags & F_LOCK and not self.has_lock):
            return -EINVAL
        address = self.addresses.get(key)
        if address is not None:
            if flags & NOEXIST:
                return -EEXIST
            if self.in_place or flags & F_LOCK:
                self._overwrite(address, value)
                return 0
            # A new element takes the place of the old one; who holds the old address keeps the old value.
            self.addresses[key] = self._new(key, value)
            self.mem.retire(address)
            return 0
        if flags & EXIST:
            return -ENOENT
        if len(self.addresses) >= self.max_entries and not self._make_room():
            return -E2BIG
        self.addresses[key] = self._new(key, value)
        return 0

    def delete(self, key: bytes) -> int:
        address = self.addresses.pop(key, None)
        if address is None:
            return -ENOENT
        self.mem.retire(address)
        return 0

    def elements(self) -> Iterable[tuple[bytes, int]]:
        return list(self.addresses.items())

    def _new(self, key: bytes, value: bytes) -> int:
        return self.mem.add(bytearray(self._plain(value)), lambda: f"value of {self.name}[{key.hex()}]")

    def _make_room(self) -> bool:
        return False


class ResizableHash(Hash):
    """A hash table that grows: it changes its values in place (Linux 7.2)."""

    in_place = True

    def _prepare(self) -> None:
        super()._prepare()
        self._demand(bool(self.spec.flags & NO_PREALLOC), "flags must contain NO_PREALLOC")


class LruHash(Hash):
    """A hash table that makes room by dropping what was not used lately, by the kernel's rule (see `lru.py`)."""

    def _prepare(self) -> None:
        super()._prepare()
        self._demand(not self.spec.flags & NO_PREALLOC, "flags must not contain NO_PREALLOC")
        self.lru = Lru(self.max_entries, self.env.cpus, self._evict)

    def lookup(self, key: bytes) -> int:
        address = self.addresses.get(key, 0)
        if address:
            self.lru.touch(key)
        return address

    def user_lookup(self, key: bytes) -> int:
        return self.addresses.get(key, 0)

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        if flags > EXIST:
            return -EINVAL
        # The kernel takes a free node before it looks whether the key exists, so even a replacement may evict;
        # the replaced node goes back to the free list (`htab_lru_map_update_elem`).
        self.lru.reserve()
        known = self.addresses.get(key)
        if (known is not None and flags & NOEXIST) or (known is None and flags & EXIST):
            self.lru.cancel()
            return -EEXIST if known is not None else -ENOENT
        self.addresses[key] = self._new(key, value)
        if known is not None:
            self.lru.remove(key)
            self.mem.retire(known)
        self.lru.insert(key)
        if known is not None:
            self.lru.touch(key)  # a replacement counts as a use
        return 0

    def delete(self, key: bytes) -> int:
        status = super().delete(key)
        if status == 0:
            self.lru.remove(key)
        return status

    def _evict(self, key: bytes) -> None:
        self.mem.retire(self.addresses.pop(key))


class PerCpuHash(OfflineMap):
    """A hash table with a value for each CPU."""

    per_cpu = True

    def _prepare(self) -> None:
        self._demand(
            self.max_entries > 0 and self.key_size > 0 and self.value_size > 0, "sizes and max_entries must not be 0"
        )
        self.values: dict[bytes, PerCpuValues] = {}

    def lookup(self, key: bytes) -> int:
        return self.lookup_cpu(key, self.env.cpu)

    def lookup_cpu(self, key: bytes, cpu: int) -> int:
        values = self.values.get(key)
        return values.addresses[cpu] if values is not None and 0 <= cpu < self.env.cpus else 0

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        if flags > EXIST:
            return -EINVAL
        status = self._room(key, flags)
        if status == 0:
            self.mem.write(self._make(key).addresses[self.env.cpu], value)
        return status

    def delete(self, key: bytes) -> int:
        values = self.values.pop(key, None)
        if values is None:
            return -ENOENT
        for address in values.addresses:
            self.mem.retire(address)
        return 0

    def elements(self) -> Iterable[tuple[bytes, int]]:
        return [(key, values.addresses[self.env.cpu]) for key, values in self.values.items()]

    def read(self, key: bytes) -> bytes | None:
        values = self.values.get(key)
        return values.read() if values is not None else None

    def user_update(self, key: bytes, value: bytes, flags: int) -> int:
        if flags > EXIST:
            return -EINVAL
        return self._room(key, flags) or self._make(key).write(value)

    def _room(self, key: bytes, flags: int) -> int:
        """0 when `key` may be written under these flags, else the error."""
        if key in self.values:
            return -EEXIST if flags & NOEXIST else 0
        if flags & EXIST:
            return -ENOENT
        return 0 if len(self.values) < self.max_entries or self._make_room() else -E2BIG

    def _make(self, key: bytes) -> PerCpuValues:
        values = self.values.get(key)
        if values is None:
            name = f"value of {self.name}[{key.hex()}]"
            values = self.values[key] = PerCpuValues(self.mem, self.env.cpus, self.value_size, name)
        return values

    def _make_room(self) -> bool:
        return False


class LruPerCpuHash(PerCpuHash):
    """`PerCpuHash` that makes room as `LruHash` does."""

    def _prepare(self) -> None:
        super()._prepare()
        self._demand(not self.spec.flags & NO_PREALLOC, "flags must not contain NO_PREALLOC")
        self.lru = Lru(self.max_entries, self.env.cpus, self._evict)

    def lookup_cpu(self, key: bytes, cpu: int) -> int:
        address = super().lookup_cpu(key, cpu)
        if address:
            self.lru.touch(key)
        return address

    def delete(self, key: bytes) -> int:
        status = super().delete(key)
        if status == 0:
            self.lru.remove(key)
        return status

    def _room(self, key: bytes, flags: int) -> int:
        # Here the kernel takes a node whenever NOEXIST or a missing key may need it
        # (`__htab_lru_percpu_map_update_elem`).
        if flags & EXIST:
            if key not in self.values:
                return -ENOENT
            self.lru.touch(key)
            return 0
        self.lru.reserve()
        if key in self.values:
            self.lru.cancel()
            if flags & NOEXIST:
                return -EEXIST
            self.lru.touch(key)
            return 0
        self._make(key)
        self.lru.insert(key)
        return 0

    def _evict(self, key: bytes) -> None:
        for address in self.values.pop(key).addresses:
            self.mem.retire(address)


class LpmTrie(Hash):
    """Longest-prefix match: a key is a 32-bit prefix length and the bytes that it counts, most significant first."""

    def _prepare(self) -> None:
        self._demand(5 <= self.key_size <= 260 and self.max_entries > 0, "key must be a u32 prefixlen and 1..256 bytes")
        self._demand(bool(self.spec.flags & NO_PREALLOC), "flags must contain NO_PREALLOC")
        self.bits = (self.key_size - 4) * 8
        self.prefixes: dict[int, dict[int, bytes]] = {}  # length -> {leading bits: key as given}
        self.addresses = {}

    def _split(self, key: bytes) -> tuple[int, int]:
        length = int.from_bytes(key[:4], "little")
        return length, int.from_bytes(key[4:], "big") >> max(self.bits - length, 0)

    def lookup(self, key: bytes) -> int:
        length, _ = self._split(key)
        if length > self.bits:
            return 0
        number = int.from_bytes(key[4:], "big")
        for candidate in sorted(self.prefixes, reverse=True):
            if candidate <= length:
                found = self.prefixes[candidate].get(number >> (self.bits - candidate))
                if found is not None:
                    return self.addresses[found]
        return 0

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        length, prefix = self._split(key)
        if flags > EXIST or length > self.bits:
            return -EINVAL
        known = self.prefixes.get(length, {}).get(prefix)
        if known is None:
            if flags == EXIST:
                return -ENOENT
            if len(self.addresses) >= self.max_entries:
                return -ENOSPC
        else:
            if flags == NOEXIST:
                return -EEXIST
            self.mem.retire(self.addresses.pop(known))
        self.prefixes.setdefault(length, {})[prefix] = key
        self.addresses[key] = self._new(key, value)
        return 0

    def elements(self) -> Iterable[tuple[bytes, int]]:
        """As the trie is walked: what a prefix covers before the prefix itself, 0 before 1 (`trie_get_next_key`)."""

        def place(element: tuple[bytes, int]) -> str:
            length, prefix = self._split(element[0])
            return f"{prefix:0{length}b}2" if length else "2"

        return sorted(self.addresses.items(), key=place)

    def delete(self, key: bytes) -> int:
        length, prefix = self._split(key)
        if length > self.bits:
            return -EINVAL
        known = self.prefixes.get(length, {}).pop(prefix, None)
        if known is None:
            return -ENOENT
        if not self.prefixes[length]:
            del self.prefixes[length]
        self.mem.retire(self.addresses.pop(known))
        return 0
