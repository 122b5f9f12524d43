"""The perf buffer: one ring of memory for each CPU, which programs write to with `bpf_perf_event_output`.

    page 0: struct perf_event_mmap_page   then 2^n pages of records
    record: type (u32), misc (u16), size (u16), and for a sample: length (u32), payload, padded to 8 bytes

`data_head` only grows, `data_tail` is ours.  Records wrap around the end of the memory.
"""

from __future__ import annotations

import mmap
from struct import Struct

from ..errors import SpecError
from ..records import Run
from ..syscall.door import failure
from ..syscall.fd import Fd
from ..syscall.maps import map_update_elem
from ..syscall.perf import ENABLE, perf_event_open, perf_ioctl
from .reader import Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ..spec import MapSpec

_SOFTWARE, _BPF_OUTPUT, _SAMPLE_RAW = 1, 10, 1 << 10
_LOST, _SAMPLE = 2, 9
_HEAD_AT = 1024 // 8  # perf_event_mmap_page.data_head, in words of 8 bytes; data_tail follows
# struct perf_event_attr as far as it matters here: type, size, config, sample_period, sample_type, read_format, flags,
# wakeup_events.
_ATTR = Struct("=IIQQQQQI68x")
_HEADER = Struct("=IHHI")
_LOST_RECORD = Struct("=8xQQ")
_KEY = Struct("=I")
_PAGES = 64
_COPY = 1 << 20  # bytes at most that one run copies


def online_cpus() -> list[int]:
    """The CPUs that are running now."""
    with open("/sys/devices/system/cpu/online") as file:
        ranges = [part.split("-") for part in file.read().strip().split(",")]
    return [cpu for r in ranges for cpu in range(int(r[0]), int(r[-1]) + 1)]


class _Ring:
    """The buffer of one CPU."""

    def __init__(self, cpu: int, pages: int, wakeup: int) -> None:
        self.cpu = cpu
        attr = _ATTR.pack(_SOFTWARE, _ATTR.size, _BPF_OUTPUT, 1, _SAMPLE_RAW, 0, 0, wakeup)
        self.fd = Fd(perf_event_open(attr, -1, cpu, what=f"the perf buffer of CPU {cpu}"))
        self._memory: Any = None
        try:
            self._memory = mmap.mmap(self.fd.fileno(), mmap.PAGESIZE * (1 + pages))
            perf_ioctl(self.fd.fileno(), ENABLE, what=f"the perf buffer of CPU {cpu}")
        except BaseException:
            if self._memory is not None:
                self._memory.close()
            self.fd.close()
            raise
        self.size = mmap.PAGESIZE * pages
        self.page = memoryview(self._memory)[: mmap.PAGESIZE].cast("Q")
        self.data = memoryview(self._memory)[mmap.PAGESIZE :]

    def copy(self, at: int, length: int) -> bytes:
        """`length` bytes from position `at`, which may wrap around."""
        start = at % self.size
        end = start + length
        if end <= self.size:
            return bytes(self.data[start:end])
        return bytes(self.data[start:]) + bytes(self.data[: end - self.size])

    def close(self) -> None:
        self.page.release()
        self.data.release()
        self._memory.close()
        self.fd.close()


class PerfBuffer(Reader):
    """Reads the perf buffers of all CPUs.  `lost` counts the events that did not fit.

    Records of one CPU come in order; those of different CPUs do not.  The kernel pads payloads to 8 bytes less 4, so
    untyped `bytes` may end in zeros that the program did not write.
    """

    def __init__(self, spec: MapSpec, fd: int) -> None:
        super().__init__(spec, fd)
        self.lost = 0
        self._rings: list[_Ring] = []

    def start(self) -> None:
        """A map declared for events has its buffers from the beginning; others may be meant for counters."""
        if hasattr(self.spec, "event"):
            self.open()

    def open(self, pages: int = _PAGES, wakeup: int = 1) -> None:
        """Make the buffers, and let the programs write to them; done when a declared map is loaded.

        `pages` of memory for each CPU, a power of two; the reader is woken every `wakeup` records.  Calling it again
        makes new buffers: what was unread in the old ones is gone.
        """
        if pages < 1 or pages & (pages - 1):
            raise SpecError(f"{pages} pages for a perf buffer: expected a power of two")
        with self._lock:
            self._unmap()
            for cpu in online_cpus():
                if cpu < self.spec.max_entries:
                    self._rings.append(_Ring(cpu, pages, wakeup))
                    self[cpu] = self._rings[-1].fd
            if self._waiter is not None:
                self._waiter.close()
                self._waiter = None

    def __setitem__(self, cpu: int, event: Any) -> None:
        """Put a perf event (its descriptor, or what has one) in the place of a CPU."""
        fd = event if isinstance(event, int) else event.fileno()
        code = map_update_elem(self.fileno(), _KEY.pack(cpu), _KEY.pack(fd))
        if code:
            raise failure(code, "BPF_MAP_UPDATE_ELEM", self._subject())

    def _readable(self) -> list[int]:
        if not self._rings:
            self.open()
        return [ring.fd.fileno() for ring in self._rings]

    def _take(self, limit: int | None) -> Iterator[Run]:
        if not self._rings:
            self.open()
        for ring in self._rings:
            yield from self._take_from(ring, limit)

    def _take_from(self, ring: _Ring, limit: int | None) -> Iterator[Run]:
        page = ring.page
        at, end = page[_HEAD_AT + 1], page[_HEAD_AT]
        left = limit if limit is not None else end - at
        while at < end and left > 0:
            header = ring.copy(at, _HEADER.size + _LOST_RECORD.size)
            kind, _, stride, size = _HEADER.unpack_from(header)
            if kind != _SAMPLE:
                if kind == _LOST:
                    self.lost += _LOST_RECORD.unpack_from(header)[1]
                at += stride
                page[_HEAD_AT + 1] = at
                continue
            count = min(max(1, _COPY // stride), (end - at) // stride, left)
            raw = ring.copy(at, count * stride)
            # Records with the same header: in words of 8 bytes it repeats at every stride.
            headers = memoryview(raw).cast("Q")[:: stride >> 3].tolist()
            if headers.count(headers[0]) != count:
                count = next(i for i, other in enumerate(headers) if other != headers[0])
                raw = raw[: count * stride]
            at += count * stride
            left -= count
            page[_HEAD_AT + 1] = at
            yield Run(raw, 12, size, stride)

    def _unmap(self) -> None:
        while self._rings:
            self._rings.pop().close()
