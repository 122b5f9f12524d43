"""Dynptrs: 16 opaque bytes on the stack that stand for a piece of memory, or of the packet, of a size known at run time.

Offline, the first eight hold an address and the rest the size (24 bits), and marks: read-only, and a part of the
packet, whose address counts from the context's.
"""

from __future__ import annotations

from errno import E2BIG, EINVAL, ERANGE

from ...uapi import ProgType
from ..context import ADDRESS
from ..maps import RingBuffer
from .memory import copy_from_user, probe_read_kernel, probe_read_kernel_str, probe_read_user, probe_read_user_str
from .packet import packet_of, skb_load_bytes, skb_store_bytes, xdp_load_bytes, xdp_store_bytes
from .table import kfunc, model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..run import Run

_U32 = 0xFFFFFFFF
_RDONLY, _PACKET = 1 << 31, 1 << 30
_SIZE = 0xFFFFFF


class Dynptr:
    """One that was read: NULL when `address` is 0."""

    __slots__ = ("address", "marks", "size")

    def __init__(self, address: int, size: int, marks: int = 0) -> None:
        self.address = address
        self.size = size
        self.marks = marks

    @property
    def read_only(self) -> bool:
        return bool(self.address and self.marks & _RDONLY)

    @property
    def of_packet(self) -> bool:
        return bool(self.marks & _PACKET)

    def holds(self, offset: int, length: int) -> bool:
        return offset + length <= self.size


_NULL = Dynptr(0, 0)


def _write(run: Run, ptr: int, made: Dynptr) -> None:
    run.mem.write(ptr, made.address.to_bytes(8, "little") + (made.size | made.marks).to_bytes(8, "little"))


def _read(run: Run, ptr: int) -> Dynptr:
    word = run.mem.load(ptr + 8, 8)
    return Dynptr(run.mem.load(ptr, 8), word & _SIZE, word & ~_SIZE)


def make_local(run: Run, raw: bytes) -> int:
    """The address of a new dynptr over a copy of `raw`."""
    data = run.mem.add(bytearray(raw), "user ring buffer record")
    run.mem.retire(data)
    ptr = run.mem.add(bytearray(16), "struct bpf_dynptr")
    run.mem.retire(ptr)
    _write(run, ptr, Dynptr(data, len(raw)))
    return ptr


def _xdp(run: Run) -> bool:
    return run.image.spec.prog_type == ProgType.XDP


# --- where they come from -------------------------------------------------------------------------


@model
def dynptr_from_mem(run: Run, data: int, size: int, flags: int, ptr: int) -> int:
    size &= _U32
    code = -E2BIG if size > _SIZE else -EINVAL if flags else 0
    _write(run, ptr, _NULL if code else Dynptr(data, size))
    return code


@model
def ringbuf_reserve_dynptr(run: Run, ringbuf: int, size: int, flags: int, ptr: int) -> int:
    found = run.map(ringbuf)
    assert isinstance(found, RingBuffer)
    size &= _U32
    code = -EINVAL if flags else -E2BIG if size > _SIZE else 0
    address = 0 if code else found.reserve(size, 0)
    _write(run, ptr, Dynptr(address, size) if address else _NULL)
    return code or (0 if address else -EINVAL)


@model
def ringbuf_submit_dynptr(run: Run, ptr: int, flags: int) -> int:
    return _end(run, ptr, "submitted")


@model
def ringbuf_discard_dynptr(run: Run, ptr: int, flags: int) -> int:
    return _end(run, ptr, "discarded")


def _end(run: Run, ptr: int, state: str) -> int:
    address = _read(run, ptr).address >> 32 << 32  # an adjusted dynptr still is one of the whole record
    for found in run.maps.values():
        if address and isinstance(found, RingBuffer):
            found.finish(address, state)
    _write(run, ptr, _NULL)
    return 0


def _from_packet(run: Run, flags: int, ptr: int) -> int:
    packet = run.ctx.packet
    if flags or packet is None:
        _write(run, ptr, _NULL)
        return -EINVAL
    size = len(packet) + (len(packet.rest) if _xdp(run) else 0)
    _write(run, ptr, Dynptr(ADDRESS, size, _PACKET | (0 if packet.writable else _RDONLY)))
    return 0


@kfunc(3)
def bpf_dynptr_from_skb(run: Run, skb: int, flags: int, ptr: int) -> int:
    return _from_packet(run, flags, ptr)


@kfunc(3)
def bpf_dynptr_from_xdp(run: Run, xdp: int, flags: int, ptr: int) -> int:
    return _from_packet(run, flags, ptr)


@kfunc(3)
def bpf_dynptr_from_skb_meta(run: Run, skb: int, flags: int, ptr: int) -> int:
    """The metadata that XDP put in front of the packet (6.18); there may be none."""
    packet = run.ctx.packet
    if flags or packet is None:
        _write(run, ptr, _NULL)
        return -EINVAL
    _write(run, ptr, Dynptr(packet.address, len(packet.meta), 0 if packet.writable else _RDONLY))
    return 0


# --- reading and writing --------------------------------------------------------------------------


def _get(run: Run, source: Dynptr, offset: int, length: int, dst: int) -> int:
    """Copy out of it to `dst`."""
    if source.of_packet:
        load = xdp_load_bytes if _xdp(run) else skb_load_bytes
        return load(run, ADDRESS, source.address - ADDRESS + offset, dst, length) or 0
    run.mem.write(dst, run.mem.read(source.address + offset, length))
    return 0


def _put(run: Run, target: Dynptr, offset: int, src: int, length: int, flags: int) -> int:
    """Copy from `src` into it."""
    at = target.address - ADDRESS + offset
    if target.of_packet and not _xdp(run):
        return skb_store_bytes(run, ADDRESS, at, src, length, flags) or 0
    if flags:
        return -EINVAL
    if target.of_packet:
        return xdp_store_bytes(run, ADDRESS, at, src, length) or 0
    run.mem.write(target.address + offset, run.mem.read(src, length))
    return 0


@model
def dynptr_read(run: Run, dst: int, length: int, src: int, offset: int, flags: int) -> int:
    source = _read(run, src)
    length, offset = length & _U32, offset & _U32
    if not source.address or flags:
        return -EINVAL
    return _get(run, source, offset, length, dst) if source.holds(offset, length) else -E2BIG


@model
def dynptr_write(run: Run, dst: int, offset: int, src: int, length: int, flags: int) -> int:
    target = _read(run, dst)
    length, offset = length & _U32, offset & _U32
    if not target.address or target.read_only:
        return -EINVAL
    return _put(run, target, offset, src, length, flags) if target.holds(offset, length) else -E2BIG


@model
def dynptr_data(run: Run, ptr: int, offset: int, length: int) -> int:
    found = _read(run, ptr)
    length, offset = length & _U32, offset & _U32
    if not found.address or found.read_only or found.of_packet or not found.holds(offset, length):
        return 0
    return found.address + offset


def _slice(run: Run, found: Dynptr, offset: int, buffer: int, size: int) -> int:
    """A pointer to bytes that lie together; what does not is copied to `buffer`."""
    if not found.address or not found.holds(offset, size):
        return 0
    if not found.of_packet:
        return found.address + offset
    packet = packet_of(run)
    at = found.address - ADDRESS + offset
    if at + size <= len(packet):
        return packet.address + packet.start + at
    whole = packet.raw() + packet.rest
    if not buffer or at + size > len(whole):
        return 0
    run.mem.write(buffer, whole[at : at + size])
    return buffer


@kfunc(4)
def bpf_dynptr_slice(run: Run, ptr: int, offset: int, buffer: int, size: int) -> int:
    return _slice(run, _read(run, ptr), offset & _U32, buffer, size & _U32)


@kfunc(4)
def bpf_dynptr_slice_rdwr(run: Run, ptr: int, offset: int, buffer: int, size: int) -> int:
    found = _read(run, ptr)
    return 0 if found.read_only else _slice(run, found, offset & _U32, buffer, size & _U32)


@kfunc(5)
def bpf_dynptr_copy(run: Run, dst: int, dst_off: int, src: int, src_off: int, size: int) -> int:
    source, target = _read(run, src), _read(run, dst)
    dst_off, src_off, size = dst_off & _U32, src_off & _U32, size & _U32
    if not target.holds(dst_off, size) or not source.holds(src_off, size):
        return -E2BIG
    if not source.address or not target.address or target.read_only:
        return -EINVAL if size or (source.address and target.address) else 0
    middle = run.mem.add(bytearray(size), "bytes between two dynptrs")
    code = _get(run, source, src_off, size, middle) or _put(run, target, dst_off, middle, size, 0)
    run.mem.remove(middle)
    return code


@kfunc(4)
def bpf_dynptr_memset(run: Run, ptr: int, offset: int, size: int, value: int) -> int:
    target = _read(run, ptr)
    offset, size = offset & _U32, size & _U32
    if target.read_only:
        return -EINVAL
    if not target.holds(offset, size):
        return -E2BIG
    if not size:
        return 0
    filled = run.mem.add(bytes((value & 0xFF,)) * size, "bytes for a dynptr")
    code = _put(run, target, offset, filled, size, 0) if target.address else -EINVAL
    run.mem.remove(filled)
    return code


# --- what they are --------------------------------------------------------------------------------


@kfunc(1)
def bpf_dynptr_size(run: Run, ptr: int) -> int:
    found = _read(run, ptr)
    return found.size if found.address else -EINVAL


@kfunc(1)
def bpf_dynptr_is_null(run: Run, ptr: int) -> int:
    return int(not _read(run, ptr).address)


@kfunc(1)
def bpf_dynptr_is_rdonly(run: Run, ptr: int) -> int:
    return int(_read(run, ptr).read_only)


@kfunc(3)
def bpf_dynptr_adjust(run: Run, ptr: int, start: int, end: int) -> int:
    found = _read(run, ptr)
    start, end = start & _U32, end & _U32
    if not found.address or start > end:
        return -EINVAL
    if end > found.size:
        return -ERANGE
    _write(run, ptr, Dynptr(found.address + start, end - start, found.marks))
    return 0


@kfunc(2)
def bpf_dynptr_clone(run: Run, ptr: int, clone: int) -> int:
    found = _read(run, ptr)
    _write(run, clone, found if found.address else _NULL)
    return 0 if found.address else -EINVAL


# --- what is read into them from elsewhere (Linux 6.17) --------------------------------------------


def _fill(run: Run, ptr: int, offset: int, size: int, source: int, probe: Callable[..., int | None]) -> int:
    """Let one of the probe_read family store into a dynptr."""
    target = _read(run, ptr)
    offset, size = offset & _U32, size & _U32
    if not target.holds(offset, size):
        return -E2BIG
    place = 0 if target.read_only else _slice(run, target, offset, 0, size)
    return (probe(run, place, size, source) or 0) if place else -EINVAL


@kfunc(4)
def bpf_probe_read_user_dynptr(run: Run, dptr: int, off: int, size: int, unsafe_ptr: int) -> int:
    return _fill(run, dptr, off, size, unsafe_ptr, probe_read_user)


@kfunc(4)
def bpf_probe_read_kernel_dynptr(run: Run, dptr: int, off: int, size: int, unsafe_ptr: int) -> int:
    return _fill(run, dptr, off, size, unsafe_ptr, probe_read_kernel)


@kfunc(4)
def bpf_probe_read_user_str_dynptr(run: Run, dptr: int, off: int, size: int, unsafe_ptr: int) -> int:
    return _fill(run, dptr, off, size, unsafe_ptr, probe_read_user_str)


@kfunc(4)
def bpf_probe_read_kernel_str_dynptr(run: Run, dptr: int, off: int, size: int, unsafe_ptr: int) -> int:
    return _fill(run, dptr, off, size, unsafe_ptr, probe_read_kernel_str)


@kfunc(4)
def bpf_copy_from_user_dynptr(run: Run, dptr: int, off: int, size: int, unsafe_ptr: int) -> int:
    return _fill(run, dptr, off, size, unsafe_ptr, copy_from_user)


@kfunc(4)
def bpf_copy_from_user_str_dynptr(run: Run, dptr: int, off: int, size: int, unsafe_ptr: int) -> int:
    return _fill(run, dptr, off, size, unsafe_ptr, probe_read_user_str)
