"""The ring buffer (Linux 5.8): a stretch of memory that all CPUs write to and one reader reads.

    page 0: consumer position   page 1: producer position   data, mapped twice in a row
    record: length (u32; bit 31 busy, bit 30 discarded), page offset (u32), payload, padded to 8 bytes

Positions only grow.  Taking the lock and giving it back between looking at the producer's position and
reading records orders the two on machines that would not (kernel: smp_load_acquire of consumer and producer).
"""

from __future__ import annotations

import mmap

from ..records import Run
from .reader import Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ..spec import MapSpec

_BUSY, _DISCARDED = 1 << 31, 1 << 30
_HEADER = 8
_COPY = 1 << 20  # bytes at most that one run copies


class RingBuffer(Reader):
    """Reads a ring buffer.

    The kernel does not count what it could not store: a program that cares counts when `reserve` or `output` fails.
    """

    def __init__(self, spec: MapSpec, fd: int) -> None:
        super().__init__(spec, fd)
        self._size = spec.max_entries
        self._pages: list[mmap.mmap] = []
        self._views: list[Any] = []

    def start(self) -> None:
        """Map the buffer; done when the map is made, or when one that was found is first read."""
        fd = self.fileno()
        positions = mmap.mmap(fd, mmap.PAGESIZE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._pages.append(positions)
        data = mmap.mmap(fd, mmap.PAGESIZE + 2 * self._size, mmap.MAP_SHARED, mmap.PROT_READ, offset=mmap.PAGESIZE)
        self._pages.append(data)
        payload = memoryview(data)[mmap.PAGESIZE :]
        self._views = [
            memoryview(positions).cast("Q"),
            memoryview(data)[: mmap.PAGESIZE].cast("Q"),
            payload,
            payload.cast("I"),
        ]

    def _mapped(self) -> list[Any]:
        if not self._views:
            self.start()
        return self._views

    @property
    def pending(self) -> int:
        """Bytes in the buffer that have not been read, headers included."""
        consumer, producer, *_ = self._mapped()
        return int(producer[0] - consumer[0])

    def _take(self, limit: int | None) -> Iterator[Run]:
        consumer, producer, data, words = self._mapped()
        mask = self._size - 1
        at, end = consumer[0], producer[0]
        left = limit if limit is not None else end - at
        while at < end and left > 0:
            start = at & mask
            header = words[start >> 2]
            if header & _BUSY:
                return
            size = header & ~_DISCARDED
            stride = (size + _HEADER + 7) & ~7
            if header & _DISCARDED:
                at += stride
                consumer[0] = at
                continue
            count = min(max(1, _COPY // stride), (end - at) // stride, left)
            # A run ends before the first record that is busy, discarded or of another length.  Headers are read before
            # payloads are copied, as they are written after them.
            headers = words[start >> 2 : (start + count * stride) >> 2 : stride >> 2].tolist()
            if headers.count(header) != count:
                count = next(i for i, other in enumerate(headers) if other != header)
            raw = bytes(data[start : start + count * stride])
            at += count * stride
            left -= count
            consumer[0] = at
            yield Run(raw, _HEADER, size, stride)

    def _unmap(self) -> None:
        while self._views:
            self._views.pop().release()
        while self._pages:
            self._pages.pop().close()
