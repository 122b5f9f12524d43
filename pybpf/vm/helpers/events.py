"""Helpers that send records to user space, and those about stacks."""

from __future__ import annotations

from errno import EFAULT, EINVAL, ENOENT

from ...errors import VmFault
from ..maps import PerfEvents, RingBuffer, StackTraces, UserRingBuffer
from .table import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run

_NO_WAKEUP, _FORCE_WAKEUP = 1, 2
_MAX_SAMPLES = 128 * 1024  # BPF_MAX_USER_RINGBUF_SAMPLES
_CTXLEN_MASK = 0xFFFFF << 32
_SKIP, _USER_STACK, _FAST_CMP, _REUSE, _BUILD_ID = 0xFF, 1 << 8, 1 << 9, 1 << 10, 1 << 11


def _ring(run: Run, address: int) -> RingBuffer:
    found = run.map(address)
    if not isinstance(found, RingBuffer):
        raise VmFault(f"map {found.name} is not a ring buffer")
    return found


@model
def ringbuf_output(run: Run, ringbuf: int, data: int, size: int, flags: int) -> int:
    return _ring(run, ringbuf).output(run.mem.read(data, size), flags)


@model
def ringbuf_reserve(run: Run, ringbuf: int, size: int, flags: int) -> int:
    return _ring(run, ringbuf).reserve(size, flags)


@model
def ringbuf_submit(run: Run, data: int, flags: int) -> int:
    return _finish(run, data, "submitted")


@model
def ringbuf_discard(run: Run, data: int, flags: int) -> int:
    return _finish(run, data, "discarded")


def _finish(run: Run, data: int, state: str) -> int:
    for found in run.maps.values():
        if isinstance(found, RingBuffer) and found.finish(data, state):
            return 0
    raise VmFault(f"0x{data:x} is not a reserved ring buffer record")


@model
def ringbuf_query(run: Run, ringbuf: int, flags: int) -> int:
    return _ring(run, ringbuf).query(flags)


@model
def user_ringbuf_drain(run: Run, map: int, callback_fn: int, ctx: int, flags: int) -> int:
    """The callback gets a dynptr to each record."""
    from .dynptr import make_local

    found = run.map(map)
    if not isinstance(found, UserRingBuffer):
        raise VmFault(f"map {found.name} is not a user ring buffer")
    if flags & ~(_NO_WAKEUP | _FORCE_WAKEUP):
        return -EINVAL
    count = 0
    while found.records and count < _MAX_SAMPLES:
        raw = found.take()
        count += 1
        if run.callback(callback_fn, make_local(run, raw), ctx):
            break
    return count


@model
def perf_event_output(run: Run, ctx: int, map: int, flags: int, data: int, size: int) -> int:
    found = run.map(map)
    if not isinstance(found, PerfEvents):
        raise VmFault(f"map {found.name} is not a perf event array")
    raw = run.mem.read(data, size & 0xFFFFFFFF)
    extra = (flags & _CTXLEN_MASK) >> 32
    if flags & ~(_CTXLEN_MASK | 0xFFFFFFFF):
        return -EINVAL
    if extra:
        packet = run.ctx.packet
        if packet is None:
            return -EINVAL
        if extra > len(packet):
            return -EFAULT
        raw += packet.raw()[:extra]
    return found.output(flags, raw)


@model
def perf_event_read(run: Run, map: int, flags: int) -> int:
    found = run.map(map)
    assert isinstance(found, PerfEvents)
    index = flags & 0xFFFFFFFF
    index = run.env.cpu if index == 0xFFFFFFFF else index
    return found.counters.get(index, -ENOENT)


@model
def perf_event_read_value(run: Run, map: int, flags: int, buf: int, buf_size: int) -> int:
    if buf_size & 0xFFFFFFFF != 24:
        return -EINVAL
    value = perf_event_read(run, map, flags)
    assert value is not None
    run.mem.write(buf, max(value, 0).to_bytes(8, "little") + bytes(16))
    return min(value, 0)


@model
def get_stackid(run: Run, ctx: int, map: int, flags: int) -> int:
    """The stack is the environment's; equal stacks get one number, as the kernel's hash gives them."""
    found = run.map(map)
    if not isinstance(found, StackTraces):
        raise VmFault(f"map {found.name} is not a stack trace map")
    if flags & ~(_SKIP | _USER_STACK | _FAST_CMP | _REUSE):
        return -EINVAL
    stack = _stack(run, flags)
    if not stack:
        return -EFAULT
    for index, known in found.stacks.items():
        if known == stack[: found.value_size].ljust(found.value_size, b"\0"):
            return index
    index = sum(stack) * 31 % found.max_entries
    if index in found.stacks and not flags & _REUSE:
        return -17
    found.put(index, stack)
    return index


@model
def get_stack(run: Run, ctx: int, buf: int, size: int, flags: int) -> int:
    if flags & ~(_SKIP | _USER_STACK | _BUILD_ID) or flags & _BUILD_ID:
        return -EINVAL
    size &= 0xFFFFFFFF
    raw = _stack(run, flags)[: size - size % 8]
    run.mem.write(buf, raw.ljust(size, b"\0"))
    return len(raw) if raw else -EFAULT


def _stack(run: Run, flags: int) -> bytes:
    addresses = list(run.env.user_stack if flags & _USER_STACK else run.env.stack)[flags & _SKIP :]
    return b"".join(a.to_bytes(8, "little") for a in addresses)


@model
def get_task_stack(run: Run, task: int, buf: int, size: int, flags: int) -> int:
    return get_stack(run, 0, buf, size, flags) or 0


@model
def skb_output(run: Run, ctx: int, map: int, flags: int, data: int, size: int) -> int:
    return perf_event_output(run, ctx, map, flags, data, size) or 0


@model
def xdp_output(run: Run, ctx: int, map: int, flags: int, data: int, size: int) -> int:
    return perf_event_output(run, ctx, map, flags, data, size) or 0


@model
def perf_prog_read_value(run: Run, ctx: int, buf: int, buf_size: int) -> int:
    if buf_size & 0xFFFFFFFF != 24:
        run.mem.write(buf, bytes(buf_size & 0xFFFFFFFF))
        return -EINVAL
    run.mem.write(buf, b"".join(n.to_bytes(8, "little") for n in run.env.counters))
    return 0


@model
def read_branch_records(run: Run, ctx: int, buf: int, size: int, flags: int) -> int:
    """Bytes of the environment's `branches`; with the flag 1 only how many there are."""
    if flags & ~1:
        return -EINVAL
    if not run.env.branches:
        return -ENOENT
    if flags:
        return len(run.env.branches)
    size &= 0xFFFFFFFF
    if not buf or size % 24:
        return -EINVAL
    raw = run.env.branches[:size]
    run.mem.write(buf, raw)
    return len(raw)


@model
def get_branch_snapshot(run: Run, entries: int, size: int, flags: int) -> int:
    if flags:
        return -EINVAL
    raw = run.env.branches[: (size & 0xFFFFFFFF) // 24 * 24]
    run.mem.write(entries, raw)
    return len(raw) if raw else -ENOENT
