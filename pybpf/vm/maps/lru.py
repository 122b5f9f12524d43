"""Who has to go when an LRU map is full: the kernel's approximation of least-recently-used.

Nodes wait in an *inactive* and an *active* list; a lookup only sets a node's reference bit.  A CPU that needs a node
takes some from the free list into a small store of its own, and when there are none, flushes its new nodes into the
lists, lets referenced nodes rise to active and unreferenced ones sink, and evicts from the tail of inactive, several
at a time. (The design is described in the kernel's commit 3a08c2fd7634.)
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SCANS = 128
_MAX_STORE = 128


class Lru:
    """The lists of one map; keys stand for nodes.  `evict(key)` is called for each key that must go."""

    def __init__(self, size: int, cpus: int, evict: Callable[[bytes], None]) -> None:
        self.evict = evict
        # Dicts keep insertion order: the newest node is at the end, the tail of the kernel's list at the front.
        self.active: dict[bytes, None] = {}
        self.inactive: dict[bytes, None] = {}
        self.pending: dict[bytes, None] = {}
        self.referenced: set[bytes] = set()
        self.free = size
        self.store = 0  # free nodes that the CPU has taken aside
        self.batch = max(1, min(size // cpus // 2, _MAX_STORE))

    def touch(self, key: bytes) -> None:
        self.referenced.add(key)

    def reserve(self) -> None:
        """Take a free node, evicting when there is none."""
        if not self.store:
            self._refill()
        if not self.store:
            self._steal()
        self.store -= 1

    def cancel(self) -> None:
        """Give back the node that `reserve` took."""
        self.store += 1

    def insert(self, key: bytes) -> None:
        """Use the reserved node for `key`."""
        self.referenced.discard(key)
        self.pending[key] = None

    def remove(self, key: bytes) -> None:
        """`key` was deleted: its node is free again."""
        self.referenced.discard(key)
        if key in self.pending:
            del self.pending[key]
            self.store += 1
            return
        self.active.pop(key, None)
        self.inactive.pop(key, None)
        self.free += 1

    def _refill(self) -> None:
        for key in list(self.pending):
            del self.pending[key]
            self._rise(key) if key in self.referenced else self._sink(key)
        self._rotate()
        taken = min(self.free, self.batch)
        self.free -= taken
        self.store += taken
        if taken < self.batch:
            self._shrink(self.batch - taken)

    def _rise(self, key: bytes) -> None:
        self.referenced.discard(key)
        self.active[key] = None

    def _sink(self, key: bytes) -> None:
        self.inactive[key] = None

    def _rotate(self) -> None:
        if len(self.inactive) < len(self.active):
            for key in _first(self.active, _SCANS):
                del self.active[key]
                self._rise(key) if key in self.referenced else self._sink(key)
        for key in _first(self.inactive, _SCANS):
            if key in self.referenced:
                del self.inactive[key]
                self._rise(key)

    def _shrink(self, target: int) -> None:
        got = 0
        for key in _first(self.inactive, _SCANS):
            if got == target:
                return
            del self.inactive[key]
            if key in self.referenced:
                self._rise(key)
            else:
                self.evict(key)
                self.store += 1
                got += 1
        if got == 0:  # everything was referenced: take one all the same
            victims = self.inactive or self.active
            for key in _first(victims, 1):
                del victims[key]
                self._drop(key)

    def _steal(self) -> None:
        """Nothing in the lists: take the oldest of the nodes not flushed yet, an unreferenced one if possible."""
        victim = next((k for k in self.pending if k not in self.referenced), None) or next(iter(self.pending))
        del self.pending[victim]
        self._drop(victim)

    def _drop(self, key: bytes) -> None:
        self.referenced.discard(key)
        self.evict(key)
        self.store += 1


def _first(keys: dict[bytes, None], count: int) -> Iterator[bytes]:
    return iter([key for key, _ in zip(keys, range(count), strict=False)])
