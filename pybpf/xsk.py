"""AF_XDP sockets (Linux 4.18): frames that an XDP program redirects, past the kernel's network stack.

    umem: frames of `frame_size` bytes, the first half to receive into, the second half to send from
    fill ->  frames that the kernel may fill      rx ->  what it filled
    tx   ->  what it shall send                   completion ->  what it has sent

Each ring is a producer's and a consumer's counter, which only grow, and an array.  Taking a lock between looking at a
counter and at the array orders the two on machines that would not (kernel: smp_load_acquire in net/xdp/xsk_queue.h).
"""

from __future__ import annotations

import mmap
import select
import socket
import threading
import time
from ctypes import addressof, byref, c_char, c_uint, create_string_buffer, get_errno
from errno import EAGAIN, EBUSY, EINVAL, ENETDOWN, ENOBUFS, EOPNOTSUPP, EPERM
from struct import Struct, pack

from .errors import NotSupportedError, SpecError
from .links.net import interface_index
from .syscall.door import failure, libc, setsockopt
from .syscall.fd import Fd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

_AF_XDP, _SOL_XDP = 44, 283
_MMAP_OFFSETS, _RX_RING, _TX_RING, _UMEM_REG, _FILL_RING, _COMPLETION_RING, _STATISTICS = range(1, 8)
# Where mmap finds each ring (XDP_PGOFF_*, XDP_UMEM_PGOFF_*).
_RX, _TX, _FILL, _COMPLETION = 0, 0x80000000, 0x100000000, 0x180000000
_COPY, _ZEROCOPY = 1 << 1, 1 << 2
_MODES = {"": 0, "copy": _COPY, "zerocopy": _ZEROCOPY}
_LINGER = 0.5  # seconds that the queue of a socket which was closed may stay busy: the kernel lets go of memory later
_DESC = Struct("=QII")  # struct xdp_desc: address in the umem, length, options
_COUNTERS = (
    "rx_dropped",
    "rx_invalid_descs",
    "tx_invalid_descs",
    "rx_ring_full",
    "rx_fill_ring_empty_descs",
    "tx_ring_empty_descs",
)


class _Ring:
    """One ring, mapped: `producer` and `consumer` counters, and descriptors or addresses."""

    def __init__(self, fd: int, where: int, offsets: Sequence[int], size: int, width: int) -> None:
        producer, consumer, entries = offsets[:3]
        self.mask = size - 1
        self._map = mmap.mmap(fd, entries + size * width, mmap.MAP_SHARED | mmap.MAP_POPULATE, offset=where)
        whole = memoryview(self._map)
        self.producer = whole[producer : producer + 4].cast("I")
        self.consumer = whole[consumer : consumer + 4].cast("I")
        self.entries = whole[entries:]
        self.addresses = self.entries.cast("Q") if width == 8 else None
        whole.release()

    def ready(self) -> int:
        """Entries that are produced and not consumed."""
        return (self.producer[0] - self.consumer[0]) & 0xFFFFFFFF

    def advance(self, counter: Any, n: int) -> None:
        counter[0] = (counter[0] + n) & 0xFFFFFFFF

    def close(self) -> None:
        for view in (self.producer, self.consumer, self.addresses, self.entries):
            if view is not None:
                view.release()
        self._map.close()


class XskSocket(Fd):
    """A socket that receives what XDP redirects to it from one queue of an interface, and sends on that queue.

    Put it into an `XskMap` under the number of its queue; a program's `sockets.redirect(ctx.rx_queue_index)` then
    sends frames here.  `frames` (a power of two) is the length of each ring, `frame_size` (2048 or 4096) bytes the
    largest frame.  `mode` is "copy" (any driver), "zerocopy" (some), or "" for the best that the driver has.
    Threads may share it.  SyscallError when the kernel refuses; NotSupportedError where it has no AF_XDP (Linux 4.18,
    CONFIG_XDP_SOCKETS).  The frames count against RLIMIT_MEMLOCK.
    """

    def __init__(
        self, interface: str | int, queue: int = 0, *, frames: int = 2048, frame_size: int = 2048, mode: str = ""
    ) -> None:
        if frames < 1 or frames & (frames - 1) or frame_size not in (2048, 4096):
            raise SpecError(f"{frames} frames of {frame_size} bytes: expected a power of two, of 2048 or 4096 bytes")
        if mode not in _MODES:
            raise SpecError(f"mode {mode!r}: expected 'copy', 'zerocopy' or ''")
        self.interface, self.queue = interface, queue
        self._frames, self._frame_size = frames, frame_size
        self._receiving, self._sending = threading.Lock(), threading.Lock()
        self._rings: list[_Ring] = []
        ifindex = interface_index(interface)
        self._umem = mmap.mmap(-1, 2 * frames * frame_size)
        super().__init__(_open())
        try:
            self._setup(self.fileno(), ifindex, queue, _MODES[mode])
        except BaseException:
            self.close()
            raise

    def _setup(self, fd: int, ifindex: int, queue: int, flags: int) -> None:
        size = len(self._umem)
        exported = c_char.from_buffer(self._umem)
        where = addressof(exported)
        del exported  # the pages stay where they are; the view would keep the map from being closed
        # struct xdp_umem_reg: address, length, size of a frame, headroom, flags, length of metadata to send
        setsockopt(fd, _SOL_XDP, _UMEM_REG, pack("=QQIIII", where, size, self._frame_size, 0, 0, 0), self._subject())
        for option in (_FILL_RING, _COMPLETION_RING, _RX_RING, _TX_RING):
            setsockopt(fd, _SOL_XDP, option, pack("I", self._frames), self._subject())
        raw = _getsockopt(fd, _MMAP_OFFSETS, 128)
        step = len(raw) // 4  # before Linux 5.4 an entry had no flags
        offsets = [memoryview(raw)[i * step : (i + 1) * step].cast("Q").tolist() for i in range(4)]
        for i, (place, width) in enumerate(((_RX, _DESC.size), (_TX, _DESC.size), (_FILL, 8), (_COMPLETION, 8))):
            self._rings.append(_Ring(fd, place, offsets[i], self._frames, width))
        self._rx, self._tx, self._fill, self._completion = self._rings
        for i in range(self._frames):
            self._fill.addresses[i] = i * self._frame_size  # type: ignore[index]
        self._fill.advance(self._fill.producer, self._frames)
        self._free = [(self._frames + i) * self._frame_size for i in range(self._frames)]
        self._bind(fd, pack("=HHIII", _AF_XDP, flags, ifindex, queue, 0))

    def _bind(self, fd: int, address: bytes) -> None:
        """`address` is struct sockaddr_xdp: family, flags, interface, queue, descriptor of a shared umem."""
        deadline = time.monotonic() + _LINGER
        while libc().bind(fd, address, len(address)) < 0:
            code = get_errno()
            if code == EBUSY and time.monotonic() < deadline:
                time.sleep(0.01)
                continue
            if code == EOPNOTSUPP:
                raise NotSupportedError(f"zero-copy AF_XDP on {self.interface}", hint='its driver copies: mode="copy"')
            asked = {EINVAL: "; has the interface that queue?", EBUSY: "; another socket has that queue"}.get(code, "")
            raise failure(code, "bind", self._subject() + asked)

    def receive(self, timeout: float | None = 0, *, limit: int | None = None) -> list[bytes]:
        """The frames that have arrived, at most `limit`; it waits up to `timeout` seconds for the first (None: for ever)."""
        fd = self.fileno()
        with self._receiving:
            n = self._rx.ready()
        if not n and timeout != 0:
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            poll.poll(None if timeout is None else timeout * 1000)
        with self._receiving:
            rx, fill = self._rx, self._fill
            n = rx.ready()
            n = n if limit is None else min(n, limit)
            found = []
            at, put = rx.consumer[0], fill.producer[0]
            for i in range(n):
                address, size, _ = _DESC.unpack_from(rx.entries, (at + i & rx.mask) * _DESC.size)
                found.append(self._umem[address : address + size])
                fill.addresses[put + i & fill.mask] = address - address % self._frame_size  # type: ignore[index]
            rx.advance(rx.consumer, n)
            fill.advance(fill.producer, n)
        return found

    def send(self, frames: Iterable[bytes], timeout: float = 1) -> int:
        """Send frames, headers and all; how many the kernel took before `timeout` seconds were over.

        SpecError for one that is longer than `frame_size`.
        """
        fd = self.fileno()
        waiting = list(frames)
        for frame in waiting:
            if not 0 < len(frame) <= self._frame_size:
                raise SpecError(f"a frame of {len(frame)} bytes: expected 1..{self._frame_size}")
        deadline = time.monotonic() + timeout
        sent = 0
        with self._sending:
            tx = self._tx
            while True:
                self._reclaim()
                batch = waiting[sent : sent + len(self._free)]
                at = tx.producer[0]
                for i, frame in enumerate(batch):
                    address = self._free.pop()
                    self._umem[address : address + len(frame)] = frame
                    _DESC.pack_into(tx.entries, (at + i & tx.mask) * _DESC.size, address, len(frame), 0)
                tx.advance(tx.producer, len(batch))
                sent += len(batch)
                self._kick(fd)
                left = deadline - time.monotonic()
                if (sent == len(waiting) and not tx.ready()) or left <= 0:
                    return sent - tx.ready()
                if not self._completion.ready():
                    select.select([], [fd], [], min(left, 0.01))

    def _reclaim(self) -> None:
        """Take back the frames that are sent."""
        done = self._completion
        n, at = done.ready(), done.consumer[0]
        self._free += [done.addresses[at + i & done.mask] for i in range(n)]  # type: ignore[index]
        done.advance(done.consumer, n)

    def _kick(self, fd: int) -> None:
        """Tell the kernel to look at the ring; in copy mode it sends within the call, some frames at a time."""
        if libc().sendto(fd, None, 0, socket.MSG_DONTWAIT, None, 0) < 0:
            code = get_errno()
            if code not in (EAGAIN, EBUSY, ENOBUFS, ENETDOWN):
                raise failure(code, "sendto", self._subject())

    @property
    def statistics(self) -> dict[str, int]:
        """The kernel's counters: frames dropped, descriptors refused, how often a ring was full or empty (some since 5.9)."""
        raw = _getsockopt(self.fileno(), _STATISTICS, 8 * len(_COUNTERS))
        return dict(zip(_COUNTERS, memoryview(raw).cast("Q").tolist(), strict=False))

    def _release(self) -> None:
        while self._rings:
            self._rings.pop().close()
        self._umem.close()

    def _subject(self) -> str:
        return f"an AF_XDP socket on {self.interface}, queue {self.queue}"


def _open() -> int:
    try:
        return socket.socket(_AF_XDP, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0).detach()
    except PermissionError:
        raise failure(EPERM, "socket", "an AF_XDP socket") from None
    except OSError:
        raise NotSupportedError("AF_XDP sockets", since="4.18", hint="the kernel needs CONFIG_XDP_SOCKETS") from None


def _getsockopt(fd: int, option: int, size: int) -> bytes:
    value, length = create_string_buffer(size), c_uint(size)
    if libc().getsockopt(fd, _SOL_XDP, option, value, byref(length)) < 0:
        raise failure(get_errno(), "getsockopt", "an AF_XDP socket")
    return value.raw[: length.value]
