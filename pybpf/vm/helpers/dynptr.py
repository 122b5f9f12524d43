"""Dynptrs: 16 opaque bytes on the stack that stand for a piece of memory of a size known at run time.

Offline, the first eight hold the address and the rest the size (24 bits), and a mark for read-only.
"""

from __future__ import annotations

from errno import E2BIG, EINVAL

from ..maps import RingBuffer
from .table import kfunc, model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run

_RDONLY = 1 << 31
_SIZE = 0xFFFFFF


def _write(run: Run, ptr: int, address: int, size: int, flags: int = 0) -> None:
    run.mem.write(ptr, address.to_bytes(8, "little") + (size | flags).to_bytes(8, "little"))


def _read(run: Run, ptr: int) -> tuple[int, int, bool]:
    word = run.mem.load(ptr + 8, 8)
    return run.mem.load(ptr, 8), word & _SIZE, bool(word & _RDONLY)


def make_local(run: Run, raw: bytes) -> int:
    """The address of a new dynptr over a copy of `raw`."""
    data = run.mem.add(bytearray(raw), "user ring buffer record")
    run.mem.retire(data)
    ptr = run.mem.add(bytearray(16), "struct bpf_dynptr")
    run.mem.retire(ptr)
    _write(run, ptr, data, len(raw))
    return ptr


@model
def dynptr_from_mem(run: Run, data: int, size: int, flags: int, ptr: int) -> int:
    size &= 0xFFFFFFFF
    if flags or size > _SIZE:
        _write(run, ptr, 0, 0)
        return -EINVAL if flags else -E2BIG
    _write(run, ptr, data, size)
    return 0


@model
def ringbuf_reserve_dynptr(run: Run, ringbuf: int, size: int, flags: int, ptr: int) -> int:
    found = run.map(ringbuf)
    assert isinstance(found, RingBuffer)
    size &= 0xFFFFFFFF
    address = found.reserve(size, flags) if size <= _SIZE else 0
    _write(run, ptr, address, size if address else 0)
    return 0 if address else (-E2BIG if size > _SIZE else -EINVAL)


@model
def ringbuf_submit_dynptr(run: Run, ptr: int, flags: int) -> int:
    return _end(run, ptr, "submitted")


@model
def ringbuf_discard_dynptr(run: Run, ptr: int, flags: int) -> int:
    return _end(run, ptr, "discarded")


def _end(run: Run, ptr: int, state: str) -> int:
    address, _, _ = _read(run, ptr)
    for found in run.maps.values():
        if address and isinstance(found, RingBuffer):
            found.finish(address, state)
    _write(run, ptr, 0, 0)
    return 0


@model
def dynptr_read(run: Run, dst: int, length: int, src: int, offset: int, flags: int) -> int:
    address, size, _ = _read(run, src)
    length, offset = length & 0xFFFFFFFF, offset & 0xFFFFFFFF
    if not address or flags:
        return -EINVAL
    if offset + length > size:
        return -E2BIG
    run.mem.write(dst, run.mem.read(address + offset, length))
    return 0


@model
def dynptr_write(run: Run, dst: int, offset: int, src: int, length: int, flags: int) -> int:
    address, size, read_only = _read(run, dst)
    length, offset = length & 0xFFFFFFFF, offset & 0xFFFFFFFF
    if not address or flags or read_only:
        return -EINVAL
    if offset + length > size:
        return -E2BIG
    run.mem.write(address + offset, run.mem.read(src, length))
    return 0


@model
def dynptr_data(run: Run, ptr: int, offset: int, length: int) -> int:
    address, size, read_only = _read(run, ptr)
    length, offset = length & 0xFFFFFFFF, offset & 0xFFFFFFFF
    if not address or read_only or offset + length > size:
        return 0
    return address + offset


def _from_packet(run: Run, flags: int, ptr: int) -> int:
    packet = run.ctx.packet
    if flags or packet is None:
        _write(run, ptr, 0, 0)
        return -EINVAL
    _write(run, ptr, packet.address + packet.start, len(packet), 0 if packet.writable else _RDONLY)
    return 0


@kfunc(3)
def bpf_dynptr_from_skb(run: Run, skb: int, flags: int, ptr: int) -> int:
    return _from_packet(run, flags, ptr)


@kfunc(3)
def bpf_dynptr_from_xdp(run: Run, xdp: int, flags: int, ptr: int) -> int:
    return _from_packet(run, flags, ptr)


@kfunc(4)
def bpf_dynptr_slice(run: Run, ptr: int, offset: int, buffer: int, size: int) -> int:
    address, length, _ = _read(run, ptr)
    offset, size = offset & 0xFFFFFFFF, size & 0xFFFFFFFF
    return address + offset if address and offset + size <= length else 0


@kfunc(4)
def bpf_dynptr_slice_rdwr(run: Run, ptr: int, offset: int, buffer: int, size: int) -> int:
    _, _, read_only = _read(run, ptr)
    return 0 if read_only else bpf_dynptr_slice(run, ptr, offset, buffer, size) or 0


@kfunc(1)
def bpf_dynptr_size(run: Run, ptr: int) -> int:
    address, size, _ = _read(run, ptr)
    return size if address else -EINVAL


@kfunc(1)
def bpf_dynptr_is_null(run: Run, ptr: int) -> int:
    return int(not _read(run, ptr)[0])


@kfunc(1)
def bpf_dynptr_is_rdonly(run: Run, ptr: int) -> int:
    address, _, read_only = _read(run, ptr)
    return int(bool(address) and read_only)


@kfunc(3)
def bpf_dynptr_adjust(run: Run, ptr: int, start: int, end: int) -> int:
    address, size, read_only = _read(run, ptr)
    start, end = start & 0xFFFFFFFF, end & 0xFFFFFFFF
    if not address or start > end:
        return -EINVAL
    if start > size or end > size:
        return -34
    _write(run, ptr, address + start, end - start, _RDONLY if read_only else 0)
    return 0


@kfunc(2)
def bpf_dynptr_clone(run: Run, ptr: int, clone: int) -> int:
    address, size, read_only = _read(run, ptr)
    _write(run, clone, address, size, _RDONLY if read_only else 0)
    return 0 if address else -EINVAL


@kfunc(5)
def bpf_dynptr_copy(run: Run, dst: int, dst_off: int, src: int, src_off: int, size: int) -> int:
    address, length, _ = _read(run, src)
    target, room, read_only = _read(run, dst)
    dst_off, src_off, size = dst_off & 0xFFFFFFFF, src_off & 0xFFFFFFFF, size & 0xFFFFFFFF
    if not address or not target or read_only:
        return -EINVAL
    if dst_off + size > room or src_off + size > length:
        return -E2BIG
    run.mem.write(target + dst_off, run.mem.read(address + src_off, size))
    return 0


@kfunc(4)
def bpf_dynptr_memset(run: Run, ptr: int, offset: int, size: int, value: int) -> int:
    address, length, read_only = _read(run, ptr)
    offset, size = offset & 0xFFFFFFFF, size & 0xFFFFFFFF
    if not address or read_only:
        return -EINVAL
    if offset + size > length:
        return -E2BIG
    run.mem.write(address + offset, bytes((value & 0xFF,)) * size)
    return 0
