"""What every offline map is: contents as bytes, addresses that programs see, and the kernel's error codes.

Operations that a program may call answer as the helper does: an address (0 for NULL) or a negative errno.
"""

from __future__ import annotations

from errno import EEXIST, EINVAL, ENOENT, EOPNOTSUPP

from ...btf.fields import special_fields
from ...errors import SpecError
from ...uapi import MapType, named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...spec import MapSpec
    from ..environment import Environment
    from ..memory import Memory

NO_PREALLOC = 1
ANY, NOEXIST, EXIST, F_LOCK = 0, 1, 2, 4
RDONLY_PROG, WRONLY_PROG = 1 << 7, 1 << 8
MMAPABLE = 1 << 10
LOCKS = ("spin_lock", "res_spin_lock")


class OfflineMap:
    """A map in a machine.  `address` is what a program holds when it names the map; `id` counts from 1."""

    per_cpu = False

    def __init__(self, spec: MapSpec, mem: Memory, env: Environment, id: int) -> None:
        self.spec = spec
        self.mem = mem
        self.env = env
        self.id = id
        self.key_size = spec.key_size
        self.value_size = spec.value_size
        self.max_entries = spec.max_entries
        self.name = spec.name or f"map{id}"
        self.frozen = False
        self.specials = [(f.offset, f.size, f.kind) for f in special_fields(spec)]
        self.has_lock = any(kind in LOCKS for _, _, kind in self.specials)
        # A program may hold the map's address, but the kernel's own structure there is not modelled: reads fault.
        self.address = mem.add(b"", f"struct bpf_map of {self.name}")
        self._prepare()

    def _prepare(self) -> None:
        """Make the initial state; SpecError when the kernel would refuse to create this map."""

    def _demand(self, holds: bool, what: str) -> None:
        if not holds:
            kind = named(MapType, self.spec.map_type)
            raise SpecError(f"map {self.name} ({getattr(kind, 'name', kind)}): {what}")

    # What a program calls; a map type implements what the kernel lets it.

    def lookup(self, key: bytes) -> int:
        """The address of the value under `key`, 0 when there is none."""
        return 0

    def lookup_cpu(self, key: bytes, cpu: int) -> int:
        return 0

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        return -EOPNOTSUPP

    def delete(self, key: bytes) -> int:
        return -EOPNOTSUPP

    def push(self, value: bytes, flags: int) -> int:
        return -EOPNOTSUPP

    def pop(self) -> bytes | int:
        return -EOPNOTSUPP

    def peek(self, value: bytes) -> bytes | int:
        return -EOPNOTSUPP

    def direct_value(self, offset: int) -> int:
        """The address of byte `offset` of the only value, for wide loads of the kind MAP_VALUE."""
        raise SpecError(f"map {self.name}: only arrays of one entry have values with an address of their own")

    def elements(self) -> Iterable[tuple[bytes, int]]:
        """(key, address of the value) of every element, for bpf_for_each_map_elem and user space."""
        return ()

    # What user space asks for.

    def read(self, key: bytes) -> bytes | None:
        """The value under `key` as user space reads it (all CPUs after one another, each padded to 8), or None."""
        address = self.user_lookup(key)
        return self._plain(self.mem.read(address, self.value_size)) if address else None

    def user_lookup(self, key: bytes) -> int:
        """`lookup` without the traces that a program's lookup leaves (LRU)."""
        return self.lookup(key)

    def user_update(self, key: bytes, value: bytes, flags: int) -> int:
        if flags & F_LOCK and not self.has_lock:
            return -EINVAL
        return self.update(key, value, flags)

    def user_delete(self, key: bytes) -> int:
        return self.delete(key)

    def keys(self) -> list[bytes]:
        return [key for key, _ in self.elements()]

    # Special fields (locks, timers, kptrs) are the kernel's: nobody copies them in or out.

    def _plain(self, value: bytes) -> bytes:
        """A value with zeros where its special fields are."""
        if not self.specials:
            return value
        out = bytearray(value)
        for at, size, _ in self.specials:
            out[at : at + size] = bytes(size)
        return bytes(out)

    def _overwrite(self, address: int, value: bytes) -> bytearray | memoryview:
        """Change a value in place, but for its special fields; the bytes of its region."""
        data = self.mem.readable[address >> 32]
        assert not isinstance(data, bytes)
        end = 0
        for at, size, _ in self.specials:
            data[end:at] = value[end:at]
            end = at + size
        data[end:] = value[end:]
        return data


class PerCpuValues:
    """One value for each CPU, each a region of its own; addresses by CPU."""

    def __init__(self, mem: Memory, count: int, size: int, name: str) -> None:
        self.mem = mem
        self.size = size
        self.addresses = [mem.add(bytearray(size), f"{name} on CPU {cpu}") for cpu in range(count)]

    def read(self) -> bytes:
        """All values after one another, each padded to 8 bytes, as bpf(2) copies them."""
        pad = -self.size % 8
        return b"".join(self.mem.read(a, self.size) + bytes(pad) for a in self.addresses)

    def write(self, raw: bytes) -> int:
        step = (self.size + 7) & ~7
        if len(raw) != step * len(self.addresses):
            return -EINVAL
        for i, address in enumerate(self.addresses):
            self.mem.write(address, raw[i * step : i * step + self.size])
        return 0


def refused(exists: bool, flags: int) -> int:
    """The kernel's error for an update under the conditions NOEXIST and EXIST, 0 when it may go ahead."""
    if flags & NOEXIST and exists:
        return -EEXIST
    return -ENOENT if flags & EXIST and not exists else 0


def bad_flags(flags: int) -> bool:
    """Whether the kernel refuses these update flags with EINVAL, whatever the map: both conditions, or unknown ones."""
    return (flags & ~F_LOCK) > EXIST
