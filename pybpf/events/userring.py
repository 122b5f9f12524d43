"""The user ring buffer (Linux 6.1): records from user space to programs, taken with bpf_user_ringbuf_drain."""

from __future__ import annotations

import mmap
from errno import ENOSPC

from ..errors import SpecError, SyscallError
from ..maps.live import Map
from ..types import codec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..spec import MapSpec

_HEADER = 8


class UserRingBuffer(Map):
    """Writes to a user ring buffer; one thread at a time."""

    def __init__(self, spec: MapSpec, fd: int) -> None:
        super().__init__(spec, fd)
        self._size = spec.max_entries
        self._codec = None if getattr(spec, "event", None) is None else codec(getattr(spec, "event", None))
        self._pages: list[mmap.mmap] = []
        self._views: list[Any] = []

    def start(self) -> None:
        """Map the buffer; done when the map is made, or when one that was found is first written to."""
        # The kernel lets user space write the producer's side only.
        consumer = mmap.mmap(self.fileno(), mmap.PAGESIZE, mmap.MAP_SHARED, mmap.PROT_READ)
        self._pages.append(consumer)
        producer = mmap.mmap(self.fileno(), mmap.PAGESIZE + 2 * self._size, offset=mmap.PAGESIZE)
        self._pages.append(producer)
        self._views = [
            memoryview(consumer).cast("Q"),
            memoryview(producer)[: mmap.PAGESIZE].cast("Q"),
            memoryview(producer)[mmap.PAGESIZE :],
        ]

    def push(self, event: Any) -> None:
        """Give an event (of the declared type, or bytes) to the programs; SyscallError (ENOSPC) when it is full."""
        self.fileno()
        payload = bytes(event) if self._codec is None else self._codec.pack(event)
        if not 0 < len(payload) <= self._size - _HEADER:
            raise SpecError(f"a record of {len(payload)} bytes for a ring of {self._size}")
        stride = (len(payload) + _HEADER + 7) & ~7
        if not self._views:
            self.start()
        consumer, producer, data = self._views
        at = producer[0]
        if at + stride - consumer[0] > self._size:
            raise SyscallError(ENOSPC, "push", self._subject(), "the ring is full: programs must drain it")
        start = at & (self._size - 1)
        header = data[start : start + _HEADER].cast("I")
        data[start + _HEADER : start + _HEADER + len(payload)] = payload
        header[1] = 0
        header[0] = len(payload)
        producer[0] = at + stride

    def close(self) -> None:
        """Close the map and give back the memory."""
        super().close()
        while self._views:
            self._views.pop().release()
        while self._pages:
            self._pages.pop().close()
