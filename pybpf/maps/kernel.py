"""`KernelMap`: a map of the kernel as bytes, what a view (`mapview.py`) needs below it."""

from __future__ import annotations

from errno import EINVAL, ENOENT, ENOSPC, EOPNOTSUPP

from ..errors import SyscallError
from ..syscall.door import buffer_of, failure
from ..syscall.maps import (
    MAP_LOOKUP_AND_DELETE_BATCH,
    MAP_LOOKUP_AND_DELETE_ELEM,
    MAP_LOOKUP_BATCH,
    MAP_UPDATE_BATCH,
    map_batch,
    map_contains,
    map_delete_elem,
    map_get_next_key,
    map_lookup_and_delete_elem,
    map_lookup_elem,
    map_update_elem,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ..syscall.fd import Fd

ENOTSUPP = 524
_UNSUPPORTED = (EINVAL, EOPNOTSUPP, ENOTSUPP)

# HASH, ARRAY, PERCPU_HASH, PERCPU_ARRAY, LRU_HASH, LRU_PERCPU_HASH: a batch keeps its place by bucket or index,
# whatever is deleted meanwhile.  Others keep it by the last key, and begin again when that key has gone.
_STEADY = frozenset((1, 2, 5, 6, 9, 10))
_BATCH_BYTES = 1 << 18


class KernelMap:
    """The elements of a map through system calls.  `value_size` is what a lookup gives: all CPUs together."""

    def __init__(self, owner: Fd, map_type: int, key_size: int, value_size: int) -> None:
        self._fileno = owner.weak_fileno()
        self._steady = map_type in _STEADY
        self._takes = True
        self.key_size = key_size
        self.value_size = value_size

    def lookup(self, key: bytes, flags: int = 0) -> bytes | None:
        return map_lookup_elem(self._fileno(), key, self.value_size, flags)

    def update(self, key: bytes, value: bytes, flags: int = 0) -> int:
        return map_update_elem(self._fileno(), key, value, flags)

    def delete(self, key: bytes) -> int:
        return map_delete_elem(self._fileno(), key)

    def contains(self, value: bytes) -> bool:
        return map_contains(self._fileno(), value)

    def take(self, key: bytes) -> bytes | None:
        """Look up and delete; in two steps where the kernel has no such command for this map."""
        if self._takes:
            try:
                return map_lookup_and_delete_elem(self._fileno(), key, self.value_size)
            except SyscallError as error:
                if error.errno not in _UNSUPPORTED or not key:
                    raise
                self._takes = False
        found = self.lookup(key)
        if found is None:
            return None
        code = self.delete(key)
        if code == ENOENT:  # somebody else took it, or a trie found a shorter prefix
            return None
        if code:
            raise failure(code, MAP_LOOKUP_AND_DELETE_ELEM)
        return found

    def update_many(self, keys: bytes, values: bytes, count: int) -> int | None:
        """Store `count` entries in one call: 0 or the errno of the entry that failed; None where there are no batches."""
        code, _ = map_batch(MAP_UPDATE_BATCH, self._fileno(), buffer_of(keys), buffer_of(values), count)
        return None if code in _UNSUPPORTED else code

    def take_all(self) -> bool:
        """Delete every entry, in batches; False where the kernel cannot."""
        count = max(16, min(1 << 13, _BATCH_BYTES // (self.key_size + self.value_size)))
        cursor: Any = None
        following = buffer_of(bytearray(max(4, self.key_size)))
        code = 0
        while code != ENOENT:
            code, _ = map_batch(
                MAP_LOOKUP_AND_DELETE_BATCH,
                self._fileno(),
                buffer_of(bytearray(count * self.key_size)),
                buffer_of(bytearray(count * self.value_size)),
                count,
                in_batch=cursor,
                out_batch=following,
            )
            if code == ENOSPC:
                count *= 2
                continue
            if code in _UNSUPPORTED:
                return False
            if code not in (0, ENOENT):
                raise failure(code, MAP_LOOKUP_AND_DELETE_BATCH)
            cursor = cursor or buffer_of(bytearray(max(4, self.key_size)))
            cursor.raw = following.raw
        return True

    def batches(self) -> Iterator[tuple[int, Any, Any]]:
        """All entries in chunks: by batch where that is steady, else key by key."""
        if self._steady:
            yield from self._by_batch()
        else:
            yield from self._by_key()

    def _by_batch(self) -> Iterator[tuple[int, Any, Any]]:
        count = max(16, min(1 << 13, _BATCH_BYTES // (self.key_size + self.value_size)))
        cursor: Any = None
        following = buffer_of(bytearray(max(4, self.key_size)))
        code = 0
        while code != ENOENT:
            keys, values = bytearray(count * self.key_size), bytearray(count * self.value_size)
            while True:
                code, done = map_batch(
                    MAP_LOOKUP_BATCH,
                    self._fileno(),
                    buffer_of(keys),
                    buffer_of(values),
                    count,
                    in_batch=cursor,
                    out_batch=following,
                )
                if code == ENOSPC:  # one bucket holds more than the buffer
                    count *= 2
                    break
                if code in _UNSUPPORTED and cursor is None:  # before Linux 5.6
                    self._steady = False
                    yield from self._by_key()
                    return
                if code not in (0, ENOENT):
                    raise failure(code, MAP_LOOKUP_BATCH)
                if done:
                    yield done, keys, values
                if code == ENOENT:
                    break
                cursor = cursor or buffer_of(bytearray(max(4, self.key_size)))
                cursor.raw = following.raw

    def _by_key(self) -> Iterator[tuple[int, Any, Any]]:
        """One entry at a time.  When the last key was deleted the kernel begins again: what was seen is skipped."""
        fd, size = self._fileno, self.key_size
        seen: set[bytes] = set()
        skipped = 0
        key = map_get_next_key(fd(), None, size)
        while key is not None:
            if key not in seen:
                skipped = 0
                seen.add(key)
                value = self.lookup(key)
                if value is not None:
                    yield 1, key, value
            else:
                skipped += 1
                if skipped > 16 * len(seen) + 16:
                    return  # programs delete as fast as we read
            key = map_get_next_key(fd(), key, size)
