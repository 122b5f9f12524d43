"""Maps without keys: queue, stack, bloom filter; and streams of records: ring buffer, perf events."""

from __future__ import annotations

from collections import deque
from errno import E2BIG, EAGAIN, EINVAL, ENOENT

from .base import ANY, EXIST, OfflineMap

_RECORD_HEADER = 8
_PERF_CURRENT_CPU = 0xFFFFFFFF


class Queue(OfflineMap):
    """First in, first out."""

    def _prepare(self) -> None:
        self._demand(self.key_size == 0, f"key_size is {self.key_size}: it has no keys")
        self._demand(self.max_entries > 0 and self.value_size > 0, "value_size and max_entries must not be 0")
        self.items: deque[bytes] = deque()

    def push(self, value: bytes, flags: int) -> int:
        if flags not in (ANY, EXIST):
            return -EINVAL
        if len(self.items) >= self.max_entries:
            if flags != EXIST:
                return -E2BIG
            self.items.popleft()  # BPF_EXIST makes room by dropping the oldest
        self.items.append(value)
        return 0

    def pop(self) -> bytes | int:
        return self.items.popleft() if self.items else -ENOENT

    def peek(self, value: bytes) -> bytes | int:
        return self.items[0] if self.items else -ENOENT

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        return -EINVAL

    def delete(self, key: bytes) -> int:
        return -EINVAL


class Stack(Queue):
    """Last in, first out."""

    def pop(self) -> bytes | int:
        return self.items.pop() if self.items else -ENOENT

    def peek(self, value: bytes) -> bytes | int:
        return self.items[-1] if self.items else -ENOENT


class Bloom(OfflineMap):
    """A bloom filter that never errs: the kernel's false positives depend on a random seed, so offline there are
    none.
    """

    def _prepare(self) -> None:
        self._demand(
            self.key_size == 0 and self.value_size > 0 and self.max_entries > 0,
            "expected a value size and max_entries, and no key",
        )
        self.members: set[bytes] = set()

    def push(self, value: bytes, flags: int) -> int:
        if flags != ANY:
            return -EINVAL
        self.members.add(value)
        return 0

    def peek(self, value: bytes) -> bytes | int:
        return value if value in self.members else -ENOENT

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        return -EINVAL

    def delete(self, key: bytes) -> int:
        return -EINVAL


class Record:
    """A record of a ring buffer: `state` goes from "reserved" to "submitted" or "discarded"."""

    __slots__ = ("data", "length", "state")

    def __init__(self, data: bytearray, length: int) -> None:
        self.data = data
        self.length = length
        self.state = "reserved"


class Ring(OfflineMap):
    """Base of the rings, whose `max_entries` is their size in bytes."""

    def _demand_power_of_two(self) -> None:
        size = self.max_entries
        self._demand(
            size >= 4096 and size & (size - 1) == 0, f"size is {size}: expected a power of two of at least 4096"
        )
        self._demand(self.key_size == 0 and self.value_size == 0, "it has neither keys nor values")


def _stride(raw: bytes) -> int:
    """Bytes that a record takes, with its header and padding."""
    return (len(raw) + _RECORD_HEADER + 7) & ~7


class RingBuffer(Ring):
    """A ring buffer: `records` in order, positions in bytes as the kernel counts them."""

    def _prepare(self) -> None:
        self._demand_power_of_two()
        self.records: deque[Record] = deque()
        self.reserved: dict[int, Record] = {}
        self.produced = self.consumed = 0
        self.lost = 0

    def reserve(self, size: int, flags: int) -> int:
        """The address of a new record of `size` bytes, or 0 when it does not fit."""
        if flags:
            return 0
        length = (size + _RECORD_HEADER + 7) & ~7
        if (
            size > 0x3FFFFFFF
            or length > self.max_entries
            or self.produced - self.consumed + length > self.max_entries - 1
        ):
            self.lost += 1
            return 0
        record = Record(bytearray(size), length)
        self.records.append(record)
        self.produced += length
        address = self.mem.add(record.data, f"record of {self.name}")
        self.reserved[address] = record
        return address

    def finish(self, address: int, state: str) -> bool:
        """Submit or discard the record at `address`; False when there is none reserved."""
        record = self.reserved.pop(address, None)
        if record is None:
            return False
        record.state = state
        self.mem.remove(address)
        return True

    def output(self, raw: bytes, flags: int) -> int:
        if flags & ~3:
            return -EINVAL
        address = self.reserve(len(raw), 0)
        if not address:
            return -EAGAIN
        self.mem.write(address, raw)
        self.finish(address, "submitted")
        return 0

    def take(self) -> list[bytes]:
        """Remove and return the submitted records up to the first that is still reserved."""
        out = []
        while self.records and self.records[0].state != "reserved":
            record = self.records.popleft()
            self.consumed += record.length
            if record.state == "submitted":
                out.append(bytes(record.data))
        return out

    def query(self, what: int) -> int:
        answers = (self.produced - self.consumed, self.max_entries, self.consumed, self.produced)
        return answers[what] if what < len(answers) else 0


class UserRingBuffer(Ring):
    """Records from user space: tests `send` them, the program drains them."""

    def _prepare(self) -> None:
        self._demand_power_of_two()
        self.records: deque[bytes] = deque()
        self.used = 0

    def send(self, raw: bytes) -> bool:
        """Put a record in; False when there is no room."""
        if self.used + _stride(raw) > self.max_entries:
            return False
        self.records.append(raw)
        self.used += _stride(raw)
        return True

    def take(self) -> bytes:
        """The oldest record."""
        raw = self.records.popleft()
        self.used -= _stride(raw)
        return raw


class PerfEvents(OfflineMap):
    """Perf event arrays: every CPU's buffer is open; `records` are (cpu, bytes)."""

    def _prepare(self) -> None:
        self.records: deque[tuple[int, bytes]] = deque()
        self.counters: dict[int, int] = {}
        self.size = self.max_entries or self.env.cpus

    def output(self, flags: int, raw: bytes) -> int:
        index = flags & 0xFFFFFFFF
        index = self.env.cpu if index == _PERF_CURRENT_CPU else index
        if index >= self.size:
            return -E2BIG
        if index != self.env.cpu:
            return -EINVAL if index < self.env.cpus else -ENOENT
        self.records.append((index, raw))
        return 0

    def take(self) -> list[bytes]:
        out = [raw for _, raw in self.records]
        self.records.clear()
        return out

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        return -EINVAL

    def delete(self, key: bytes) -> int:
        return -EINVAL
