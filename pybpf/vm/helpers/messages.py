"""Helpers on messages of sockets: what is sent can be cut, padded and held back."""

from __future__ import annotations

from errno import EINVAL

from ...uapi import sk_msg_md
from .packet import packet_of
from .table import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run


@model
def msg_pull_data(run: Run, msg: int, start: int, end: int, flags: int) -> int:
    packet = packet_of(run)
    start, end = start & 0xFFFFFFFF, end & 0xFFFFFFFF
    if flags or start >= end or end > len(packet):
        return -EINVAL
    packet.replace(packet.raw())
    # What was pulled is what the program sees from now on.
    run.ctx.pointers[sk_msg_md.data.offset] = packet.address + start
    run.ctx.pointers[sk_msg_md.data_end.offset] = packet.address + end
    return 0


def _become(run: Run, data: bytes) -> int:
    """Give the message other bytes."""
    packet_of(run).replace(data)
    at = sk_msg_md.size.offset
    run.ctx.data[at : at + 4] = len(data).to_bytes(4, "little")
    return 0


@model
def msg_push_data(run: Run, msg: int, start: int, length: int, flags: int) -> int:
    """Room for the program to fill: zeros here, in the kernel whatever lay there."""
    start, size = start & 0xFFFFFFFF, length & 0xFFFFFFFF
    data = packet_of(run).raw()
    if flags or (size and start > len(data)):
        return -EINVAL
    if not size:
        return 0
    return _become(run, data[:start] + bytes(size) + data[start:])


@model
def msg_pop_data(run: Run, msg: int, start: int, length: int, flags: int) -> int:
    start, size = start & 0xFFFFFFFF, length & 0xFFFFFFFF
    data = packet_of(run).raw()
    if flags or (size and start + size > len(data)):
        return -EINVAL
    if not size:
        return 0
    return _become(run, data[:start] + data[start + size :])


@model
def msg_apply_bytes(run: Run, msg: int, bytes: int) -> int:
    run.record("apply_bytes", bytes & 0xFFFFFFFF)
    return 0


@model
def msg_cork_bytes(run: Run, msg: int, bytes: int) -> int:
    run.record("cork_bytes", bytes & 0xFFFFFFFF)
    return 0
