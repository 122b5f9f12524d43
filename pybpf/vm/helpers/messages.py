"""Helpers on messages of sockets: what is sent can be cut, padded and held back."""

from __future__ import annotations

from errno import EINVAL

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
    return 0


@model
def msg_push_data(run: Run, msg: int, start: int, length: int, flags: int) -> int:
    packet = packet_of(run)
    start, size = start & 0xFFFFFFFF, length & 0xFFFFFFFF
    data = packet.raw()
    if flags or start > len(data):
        return -EINVAL
    packet.replace(data[:start] + bytes(size) + data[start:])
    return 0


@model
def msg_pop_data(run: Run, msg: int, start: int, length: int, flags: int) -> int:
    packet = packet_of(run)
    start, size = start & 0xFFFFFFFF, length & 0xFFFFFFFF
    data = packet.raw()
    if flags or start + size > len(data):
        return -EINVAL
    packet.replace(data[:start] + data[start + size :])
    return 0


@model
def msg_apply_bytes(run: Run, msg: int, bytes: int) -> int:
    run.record("apply_bytes", bytes & 0xFFFFFFFF)
    return 0


@model
def msg_cork_bytes(run: Run, msg: int, bytes: int) -> int:
    run.record("cork_bytes", bytes & 0xFFFFFFFF)
    return 0
