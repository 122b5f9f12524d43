"""AF_XDP sockets (Linux 4.18): frames that an XDP program redirects, past the kernel's network stack.

    umem: frames of `frame_size` bytes, the first half to receive into, the second half to send from
    fill ->  frames that the kernel may fill      rx ->  what it filled
    tx   ->  what it shall send                   completion ->  what it has sent

Several sockets may share a umem, each with a part of its own.  Each ring is a producer's and a consumer's counter, which
only grow, and an array.  Taking a lock between looking at a counter and at the array orders the two on machines that
would not (kernel: smp_load_acquire in net/xdp/xsk_queue.h).
"""

from __future__ import annotations

import mmap
import select
import socket
import threading
import time
from bisect import bisect_right
from ctypes import addressof, byref, c_char, c_uint, create_string_buffer, get_errno
from errno import EAGAIN, EBUSY, EINVAL, ENETDOWN, ENOBUFS, ENOPROTOOPT, EOPNOTSUPP, EPERM
from struct import Struct, pack
from sys import byteorder

from .errors import NotSupportedError, SpecError, SyscallError
from .links.net import interface_index
from .syscall.door import failure, libc, setsockopt
from .syscall.fd import Fd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

_AF_XDP, _SOL_XDP = 44, 283
_MMAP_OFFSETS, _RX_RING, _TX_RING, _UMEM_REG, _FILL_RING, _COMPLETION_RING, _STATISTICS, _OPTIONS = range(1, 9)
# Where mmap finds each ring (XDP_PGOFF_*, XDP_UMEM_PGOFF_*).
_RX, _TX, _FILL, _COMPLETION = 0, 0x80000000, 0x100000000, 0x180000000
_SHARED_UMEM, _COPY, _ZEROCOPY, _NEED_WAKEUP, _SG = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 4
_NEWER = {_NEED_WAKEUP: ("need_wakeup=", "5.4"), _SG: ("frames of several buffers, sg=,", "6.6")}
_WAKE, _CONTINUED = 1, 1  # XDP_RING_NEED_WAKEUP, XDP_PKT_CONTD
_BUSY_POLL, _PREFER_BUSY_POLL, _BUSY_POLL_BUDGET = 46, 69, 70  # SO_*
_MOST_PARTS = 17  # MAX_SKB_FRAGS: what one packet of the kernel can hold
_BUDGET = 64  # frames that one busy poll takes, as many as an interrupt
_MODES = {"": 0, "copy": _COPY, "zerocopy": _ZEROCOPY}
_LINGER = 0.5  # seconds that the queue of a socket which was closed may stay busy: the kernel lets go of memory later
_SOCKADDR = Struct("=HHIII")  # struct sockaddr_xdp: family, flags, interface, queue, descriptor of a shared umem
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
        producer, consumer, entries, *flags = offsets
        self.mask = size - 1
        self._map = mmap.mmap(fd, entries + size * width, mmap.MAP_SHARED | mmap.MAP_POPULATE, offset=where)
        whole = memoryview(self._map)
        self.producer = whole[producer : producer + 4].cast("I")
        self.consumer = whole[consumer : consumer + 4].cast("I")
        self.flags = whole[flags[0] : flags[0] + 4].cast("I") if flags else None  # since Linux 5.4
        self.entries = whole[entries:]
        self.addresses = self.entries.cast("Q") if width == 8 else None
        whole.release()

    def ready(self) -> int:
        """Entries that are produced and not consumed."""
        return (self.producer[0] - self.consumer[0]) & 0xFFFFFFFF

    def sleeps(self) -> bool:
        """The kernel looks at the ring only when it is told to."""
        return self.flags is None or bool(self.flags[0] & _WAKE)

    def advance(self, counter: Any, n: int) -> None:
        counter[0] = (counter[0] + n) & 0xFFFFFFFF

    def close(self) -> None:
        for view in (self.producer, self.consumer, self.flags, self.addresses, self.entries):
            if view is not None:
                view.release()
        self._map.close()


class _Umem:
    """Memory that sockets share: a part for each, of `frames` to receive into and as many to send from."""

    def __init__(self, frames: int, frame_size: int, parts: int) -> None:
        self.frames, self.frame_size = frames, frame_size
        self.memory = mmap.mmap(-1, 2 * frames * frame_size * parts)
        self._free = list(range(parts))
        self._parts = parts

    def take(self) -> int:
        """The number of a part that no socket has."""
        try:
            return self._free.pop(0)
        except IndexError:
            raise SpecError(f"the memory has room for {self._parts} sockets: make the first with sharers=") from None

    def part(self, number: int) -> range:
        """Where its frames begin."""
        size = 2 * self.frames * self.frame_size
        return range(number * size, (number + 1) * size, self.frame_size)

    def give_back(self, number: int) -> None:
        """With the last one the memory goes back to the system."""
        if number >= 0:
            self._free.append(number)
        if len(self._free) == self._parts:
            self.memory.close()

    def registration(self) -> bytes:
        """struct xdp_umem_reg: address, length, size of a frame, headroom, flags, length of metadata to send."""
        exported = c_char.from_buffer(self.memory)
        where = addressof(exported)
        del exported  # the pages stay where they are; the view would keep the map from being closed
        return pack("=QQIIII", where, len(self.memory), self.frame_size, 0, 0, 0)


class XskSocket(Fd):
    """A socket that receives what XDP redirects to it from one queue of an interface, and sends on that queue.

    Put it into an `XskMap` under the number of its queue; a program's `sockets.redirect(ctx.rx_queue_index)` then
    sends frames here.  `frames` (a power of two) is the length of each ring, `frame_size` (2048 or 4096) bytes the
    largest frame to send; those received are up to 256 bytes shorter, for the kernel's headroom.  `mode` is "copy"
    (any driver), "zerocopy" (some), or "" for the best that the driver has.  Threads may share a socket.

    need_wakeup  tell the kernel to look at a ring only when it asks for that: fewer system calls (Linux 5.4)
    sg           frames larger than `frame_size`, in several of them; the XDP program must be `xdp_frags` (Linux 6.6)
    busy_poll    microseconds that a system call polls the driver instead of awaiting its interrupt (Linux 5.11)
    sharers      how many more sockets the memory is for; each is made with `share=` this one, for another queue or
                 interface, in the same mode and with as many frames (Linux 5.10)

    SyscallError when the kernel refuses; NotSupportedError where it has no AF_XDP (Linux 4.18, CONFIG_XDP_SOCKETS), or
    not what is asked for.  The frames count against RLIMIT_MEMLOCK.
    """

    def __init__(
        self,
        interface: str | int,
        queue: int = 0,
        *,
        frames: int = 2048,
        frame_size: int = 2048,
        mode: str = "",
        need_wakeup: bool = False,
        sg: bool = False,
        busy_poll: int = 0,
        sharers: int = 0,
        share: XskSocket | None = None,
    ) -> None:
        if frames < 1 or frames & (frames - 1) or frame_size not in (2048, 4096):
            raise SpecError(f"{frames} frames of {frame_size} bytes: expected a power of two, of 2048 or 4096 bytes")
        if mode not in _MODES:
            raise SpecError(f"mode {mode!r}: expected 'copy', 'zerocopy' or ''")
        self.interface, self.queue = interface, queue
        self._busy_poll = busy_poll
        self._receiving, self._sending = threading.Lock(), threading.Lock()
        self._rings: list[_Ring] = []
        ifindex = interface_index(interface)
        if share is None:
            self._umem = _Umem(frames, frame_size, 1 + sharers)
            flags = _MODES[mode] | (_NEED_WAKEUP if need_wakeup else 0) | (_SG if sg else 0)
        else:
            share.fileno()
            self._umem, flags = share._umem, _SHARED_UMEM
            if (ifindex, queue) == (interface_index(share.interface), share.queue):
                raise SpecError("share= is for another queue or interface: a queue has one socket")
        self._frames, self._frame_size = self._umem.frames, self._umem.frame_size
        self._need_wakeup: bool = need_wakeup if share is None else share._need_wakeup
        self._sg: bool = sg if share is None else share._sg
        super().__init__(_open())
        self._part = -1
        try:
            self._part = self._umem.take()
            fd = share.fileno() if share else 0
            self._setup(self.fileno(), share, _SOCKADDR.pack(_AF_XDP, flags, ifindex, queue, fd))
        except BaseException:
            self.close()
            raise

    def _setup(self, fd: int, share: XskSocket | None, address: bytes) -> None:
        if share is None:
            setsockopt(fd, _SOL_XDP, _UMEM_REG, self._umem.registration(), self._subject())
        if self._busy_poll:
            self._prefer_busy_poll(fd)
        for option in (_FILL_RING, _COMPLETION_RING, _RX_RING, _TX_RING):
            setsockopt(fd, _SOL_XDP, option, pack("I", self._frames), self._subject())
        raw = _getsockopt(fd, _MMAP_OFFSETS, 128)
        step = len(raw) // 4  # before Linux 5.4 an entry had no flags
        offsets = [memoryview(raw)[i * step : (i + 1) * step].cast("Q").tolist() for i in range(4)]
        for i, (place, width) in enumerate(((_RX, _DESC.size), (_TX, _DESC.size), (_FILL, 8), (_COMPLETION, 8))):
            self._rings.append(_Ring(fd, place, offsets[i], self._frames, width))
        self._rx, self._tx, self._fill, self._completion = self._rings
        own = self._umem.part(self._part)
        for i in range(self._frames):
            self._fill.addresses[i] = own[i]  # type: ignore[index]
        self._fill.advance(self._fill.producer, self._frames)
        self._free = list(own[self._frames :])
        self._bind(fd, address)

    def _prefer_busy_poll(self, fd: int) -> None:
        values = {_PREFER_BUSY_POLL: 1, _BUSY_POLL: self._busy_poll, _BUSY_POLL_BUDGET: _BUDGET}
        for option, value in values.items():
            try:
                setsockopt(fd, socket.SOL_SOCKET, option, pack("i", value), self._subject())
            except SyscallError as error:
                if error.errno != ENOPROTOOPT:
                    raise
                raise NotSupportedError("busy_poll= of an AF_XDP socket", since="5.11") from None

    def _bind(self, fd: int, address: bytes) -> None:
        deadline = time.monotonic() + _LINGER
        while libc().bind(fd, address, len(address)) < 0:
            code = get_errno()
            if code == EBUSY and time.monotonic() < deadline:
                time.sleep(0.01)
                continue
            if code == EOPNOTSUPP:
                raise NotSupportedError(f"zero-copy AF_XDP on {self.interface}", hint='its driver copies: mode="copy"')
            if code == EINVAL:
                self._explain(fd, address)
            asked = {EINVAL: "; has the interface that queue?", EBUSY: "; another socket has that queue"}.get(code, "")
            raise failure(code, "bind", self._subject() + asked)

    def _explain(self, fd: int, address: bytes) -> None:
        """NotSupportedError when it is a flag that the kernel does not know: it then takes the same without."""
        family, flags, *rest = _SOCKADDR.unpack(address)
        for flag, (what, since) in _NEWER.items():
            if flags & flag and libc().bind(fd, _SOCKADDR.pack(family, flags & ~flag, *rest), len(address)) == 0:
                raise NotSupportedError(f"{what} of an AF_XDP socket", since=since)
        if flags & _SHARED_UMEM:
            raise NotSupportedError("a umem that queues share", since="5.10")

    @property
    def zero_copy(self) -> bool:
        """True when the driver writes to the frames itself (Linux 5.3)."""
        return bool(int.from_bytes(_getsockopt(self.fileno(), _OPTIONS, 4), byteorder) & 1)

    def receive(self, timeout: float | None = 0, *, limit: int | None = None) -> list[bytes]:
        """The frames that have arrived, at most `limit`; it waits up to `timeout` seconds for the first (None: for ever)."""
        fd = self.fileno()
        with self._receiving:
            n = self._rx.ready()
            if not n and (self._busy_poll or (self._need_wakeup and self._fill.sleeps())):
                libc().recvfrom(fd, None, 0, socket.MSG_DONTWAIT, None, None)
                n = self._rx.ready()
        if not n and timeout != 0:
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            poll.poll(None if timeout is None else timeout * 1000)
        with self._receiving:
            rx, fill = self._rx, self._fill
            memory = self._umem.memory
            found: list[bytes] = []
            at, put = rx.consumer[0], fill.producer[0]
            taken, parts = 0, b""
            for i in range(rx.ready()):
                if limit is not None and len(found) >= limit:
                    break
                address, size, options = _DESC.unpack_from(rx.entries, (at + i & rx.mask) * _DESC.size)
                fill.addresses[put + i & fill.mask] = address - address % self._frame_size  # type: ignore[index]
                parts = parts + memory[address : address + size] if parts else memory[address : address + size]
                if not options & _CONTINUED:
                    found.append(parts)
                    taken, parts = i + 1, b""
            rx.advance(rx.consumer, taken)
            fill.advance(fill.producer, taken)
        return found

    def send(self, frames: Iterable[bytes], timeout: float = 1) -> int:
        """Send frames, headers and all; how many the kernel took before `timeout` seconds were over.

        SpecError for one that is longer than `frame_size`; with `sg`, than 17 times that, or than the ring.
        """
        fd = self.fileno()
        waiting = list(frames)
        most = self._frame_size * (min(_MOST_PARTS, self._frames) if self._sg else 1)
        for frame in waiting:
            if not 0 < len(frame) <= most:
                raise SpecError(f"a frame of {len(frame)} bytes: expected 1..{most}")
        deadline = time.monotonic() + timeout
        ends: list[int] = []  # how many descriptors frames have taken, up to and with each that was put into the ring
        with self._sending:
            tx = self._tx
            while True:
                self._reclaim()
                for frame in waiting[len(ends) :]:
                    parts = -(-len(frame) // self._frame_size)
                    if parts > len(self._free):
                        break
                    self._put(frame, parts)
                    ends.append((ends[-1] if ends else 0) + parts)
                if not self._need_wakeup or tx.sleeps():
                    self._kick(fd)
                left = deadline - time.monotonic()
                if (len(ends) == len(waiting) and not tx.ready()) or left <= 0:
                    total = ends[-1] if ends else 0
                    return bisect_right(ends, max(0, total - tx.ready()))
                if not self._completion.ready():
                    select.select([], [fd], [], min(left, 0.01))

    def _put(self, frame: bytes, parts: int) -> None:
        """Put a frame into the ring, cut into as many descriptors; the kernel sees all of them at once."""
        tx, memory, size = self._tx, self._umem.memory, self._frame_size
        at = tx.producer[0]
        for i in range(parts):
            piece, address = frame[i * size : (i + 1) * size], self._free.pop()
            memory[address : address + len(piece)] = piece
            options = _CONTINUED if i + 1 < parts else 0
            _DESC.pack_into(tx.entries, (at + i & tx.mask) * _DESC.size, address, len(piece), options)
        tx.advance(tx.producer, parts)

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
        self._umem.give_back(self._part)

    def _subject(self) -> str:
        return f"an AF_XDP socket on {self.interface}, queue {self.queue}"


def _open() -> int:
    try:
        return socket.socket(_AF_XDP, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0).detach()
    except PermissionError:
        raise SyscallError(
            EPERM, "socket", "an AF_XDP socket", "the process lacks CAP_NET_RAW: run as root, or grant it"
        ) from None
    except OSError:
        raise NotSupportedError("AF_XDP sockets", since="4.18", hint="the kernel needs CONFIG_XDP_SOCKETS") from None


def _getsockopt(fd: int, option: int, size: int) -> bytes:
    value, length = create_string_buffer(size), c_uint(size)
    if libc().getsockopt(fd, _SOL_XDP, option, value, byref(length)) < 0:
        raise failure(get_errno(), "getsockopt", "an AF_XDP socket")
    return value.raw[: length.value]
