"""Arenas: pages shared by programs and user space, reached by address (kernel/bpf/arena.c)."""

from __future__ import annotations

from errno import EBUSY, EINVAL

from ...errors import SpecError
from ..memory import MASK32
from .base import OfflineMap

PAGE = 4096
_ZEROS = bytes(PAGE)
_NO_USER_CONV = 1 << 18
_OFFSET = PAGE
"""Where in its window an arena begins, so that the lower half of no pointer into it is NULL."""
_PADDED = 1 << 20


class FreePages:
    """Runs of free pages, kept and chosen as the kernel does (kernel/bpf/range_tree.c): the smallest that is large
    enough, of equal ones the one that came last.
    """

    def __init__(self, count: int) -> None:
        self.runs: list[tuple[int, int]] = [(0, count)]  # (first, behind the last), in the order in which they came

    def find(self, count: int) -> int | None:
        """The first page of the run to take `count` pages from; None when none is large enough."""
        fitting = [(end - first, -age, first) for age, (first, end) in enumerate(self.runs) if end - first >= count]
        return min(fitting)[2] if fitting else None

    def holds(self, first: int, count: int) -> bool:
        return any(a <= first and first + count <= b for a, b in self.runs)

    def take(self, first: int, count: int) -> None:
        end = first + count
        for run in [r for r in self.runs if r[0] < end and first < r[1]]:
            self.runs.remove(run)
            self.runs += [(a, b) for a, b in ((run[0], first), (end, run[1])) if a < b]

    def give(self, first: int, count: int) -> None:
        if self.holds(first, count):
            return
        self.take(first, count)
        end = first + count
        for run in [r for r in self.runs if r[1] == first or r[0] == end]:
            self.runs.remove(run)
            first, end = min(first, run[0]), max(end, run[1])
        self.runs.append((first, end))


class Arena(OfflineMap):
    """Pages that are there once a program allocated them, or user space wrote something other than zeros to them.

    `start` is the address of the first page in user space; pointers in the arena hold such addresses, and programs
    reach it by their lower halves.
    """

    def _prepare(self) -> None:
        count, start = self.max_entries, self.spec.map_extra
        self._demand(self.key_size == 0 and self.value_size == 0, "it has neither keys nor values")
        self._demand(0 < count <= 1 << 20, f"{count} pages: expected 1 to {1 << 20}, 4 GiB")
        self._demand(start % PAGE == 0, f"map_extra is 0x{start:x}: expected the address of a page")
        if not start:
            start = self.mem.add(bytearray(), "", user=True) + _OFFSET
        low = start & MASK32
        self._demand(low + count * PAGE <= 1 << 32, f"{count} pages at 0x{start:x} cross a multiple of 4 GiB")
        self.start = start
        self.keeps_lower = bool(self.spec.flags & _NO_USER_CONV)
        pad = low if low <= _PADDED else 0
        self.bytes = bytearray(pad + count * PAGE)
        self.pages = memoryview(self.bytes)[pad:]
        if pad == low:
            self.mem.place(start >> 32, self.bytes, f"arena {self.name}")
        self.free = FreePages(count)
        self.present: set[int] = set()
        self.shared = False

    @property
    def memory(self) -> memoryview:
        """All pages, for user space to read and write."""
        self.shared = True
        return self.pages

    def direct_value(self, offset: int) -> int:
        if offset > len(self.pages):
            raise SpecError(f"map {self.name}: byte {offset} of an arena of {len(self.pages)} bytes")
        return self.start + offset

    def write(self, offset: int, raw: bytes) -> None:
        """Put bytes into it as user space would, which makes the pages come to be."""
        self.pages[offset : offset + len(raw)] = raw
        for page in range(offset // PAGE, -(-(offset + len(raw)) // PAGE)):
            self._touch(page)

    def allocate(self, address: int, count: int) -> int:
        """The address of `count` new pages, at `address` unless that is 0; 0 when they cannot be had."""
        self._notice()
        if address:
            first: int | None = ((address - self.start) & MASK32) // PAGE
            if address % PAGE or first is None or not self.free.holds(first, count):
                return 0
        else:
            first = self.free.find(count)
        if first is None:
            return 0
        self.free.take(first, count)
        self.present.update(range(first, first + count))
        return self.start + first * PAGE

    def release(self, address: int, count: int) -> None:
        """Give pages back: what was in them is gone, and whoever still reads them reads zeros."""
        begin = (self.start & ~MASK32) + (address & MASK32 & -PAGE)
        end = min(self.start + len(self.pages), begin + count * PAGE)
        first = ((begin - self.start) & MASK32) // PAGE
        count = (end - begin) // PAGE
        if count <= 0 or first + count > self.max_entries:
            return
        self.free.give(first, count)
        self.present.difference_update(range(first, first + count))
        self.pages[first * PAGE : (first + count) * PAGE] = bytes(count * PAGE)

    def reserve(self, address: int, count: int) -> int:
        """Keep pages from being allocated; EBUSY when some are."""
        self._notice()
        first = ((address - self.start) & MASK32) // PAGE
        if address % PAGE:
            return 0
        if first + count > self.max_entries:
            return -EINVAL
        if not self.free.holds(first, count):
            return -EBUSY
        self.free.take(first, count)
        return 0

    # What programs do through pointers; `address` is a register, of which the lower half counts.

    def to_user(self, address: int) -> int:
        """An address in the arena as user space knows it; NULL stays NULL."""
        low = address & MASK32
        return low if not low or self.keeps_lower else (self.start & ~MASK32) | low

    def place(self, address: int, off: int, size: int) -> int | None:
        """Where in the arena an access lies; None for one that fails."""
        at = (address & MASK32) + off - (self.start & MASK32)
        if at < 0 or at + size > len(self.pages):
            return None
        inside = all(self._there(page) for page in {at // PAGE, (at + size - 1) // PAGE})
        return at if inside else None

    def load(self, address: int, off: int, size: int) -> int | None:
        """The number there, None where there is no page."""
        at = self.place(address, off, size)
        return None if at is None else int.from_bytes(self.pages[at : at + size], "little")

    def store(self, address: int, off: int, size: int, value: int) -> None:
        """Store a number; nothing happens where there is no page."""
        at = self.place(address, off, size)
        if at is not None:
            self.pages[at : at + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")

    def _there(self, page: int) -> bool:
        if page not in self.present and self.shared and self.pages[page * PAGE : (page + 1) * PAGE] != _ZEROS:
            self._touch(page)
        return page in self.present

    def _touch(self, page: int) -> None:
        if page not in self.present:
            self.present.add(page)
            self.free.take(page, 1)

    def _notice(self) -> None:
        """See which pages user space has touched."""
        if self.shared:
            for page in range(self.max_entries):
                self._there(page)
