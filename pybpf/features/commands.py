"""Probes of commands: each is called with what a kernel that knows it refuses by another errno than EINVAL."""

from __future__ import annotations

from errno import EINVAL
from struct import pack

from ..syscall.door import address, buffer_of, call
from ..uapi import AttachType as A
from ..uapi import Cmd as C
from .maps import int_btf, map_type
from .probe import BAD_FD, answered, loaded

_NO_ID = 0x7FFFFFFE
_FD_FIRST = pack("=16I", *[BAD_FD] * 1, *[0] * 15)

# Command -> the part of `union bpf_attr` that it reads, with descriptors and ids that nothing has.
_ATTRS: dict[int, bytes] = {
    **dict.fromkeys(
        (C.MAP_LOOKUP_ELEM, C.MAP_UPDATE_ELEM, C.MAP_DELETE_ELEM, C.MAP_GET_NEXT_KEY, C.MAP_LOOKUP_AND_DELETE_ELEM),
        pack("=I4xQQQ", BAD_FD, 0, 0, 0),
    ),
    C.MAP_FREEZE: pack("=I", BAD_FD),
    **dict.fromkeys(
        (C.MAP_LOOKUP_BATCH, C.MAP_LOOKUP_AND_DELETE_BATCH, C.MAP_UPDATE_BATCH, C.MAP_DELETE_BATCH),
        pack("=QQQQIIQQ", 0, 0, 0, 0, 0, BAD_FD, 0, 0),
    ),
    C.OBJ_GET: pack("=QII", 0, 0, 0),
    **dict.fromkeys((C.PROG_ATTACH, C.PROG_DETACH), pack("=5I", BAD_FD, BAD_FD, A.CGROUP_INET_INGRESS, 0, 0)),
    C.PROG_TEST_RUN: pack("=I", BAD_FD),
    **dict.fromkeys(
        (C.PROG_GET_NEXT_ID, C.MAP_GET_NEXT_ID, C.BTF_GET_NEXT_ID, C.LINK_GET_NEXT_ID), pack("=3I", _NO_ID, 0, 0)
    ),
    **dict.fromkeys(
        (C.PROG_GET_FD_BY_ID, C.MAP_GET_FD_BY_ID, C.BTF_GET_FD_BY_ID, C.LINK_GET_FD_BY_ID), pack("=3I", _NO_ID, 0, 0)
    ),
    C.OBJ_GET_INFO_BY_FD: pack("=IIQ", BAD_FD, 0, 0),
    C.PROG_QUERY: pack("=4IQ2I", BAD_FD, A.CGROUP_INET_INGRESS, 0, 0, 0, 0, 0),
    C.RAW_TRACEPOINT_OPEN: pack("=QI4x", 0, BAD_FD),
    C.TASK_FD_QUERY: pack("=4IQ2I2Q", _NO_ID, 0, 0, 0, 0, 0, 0, 0, 0),
    C.LINK_CREATE: pack("=4I", BAD_FD, BAD_FD, A.CGROUP_INET_INGRESS, 0),
    C.LINK_UPDATE: pack("=4I", BAD_FD, BAD_FD, 0, 0),
    C.LINK_DETACH: pack("=I", BAD_FD),
    C.ITER_CREATE: pack("=2I", BAD_FD, 0),
    C.ENABLE_STATS: pack("=I", 0),
    C.PROG_BIND_MAP: pack("=3I", BAD_FD, BAD_FD, 0),
    C.TOKEN_CREATE: pack("=2I", 0, BAD_FD),
    C.PROG_STREAM_READ_BY_FD: pack("=Q3I4x", 0, 0, 1, BAD_FD),
    C.PROG_ASSOC_STRUCT_OPS: pack("=3I", BAD_FD, BAD_FD, 0),
}


def command(number: int) -> bool:
    """Does bpf(2) know the command?"""
    if number == C.MAP_CREATE:
        return map_type(2)
    if number == C.PROG_LOAD:
        with loaded(1) as fd:
            return fd >= 0
    if number == C.BTF_LOAD:
        raw = buffer_of(int_btf())
        return answered(call(number, bytearray(pack("=2Q4I", address(raw), 0, len(raw), 0, 0, 0)))) >= 0
    if number == C.OBJ_PIN:  # it calls a bad descriptor EINVAL, but is as old as the other
        number = C.OBJ_GET
    attr = _ATTRS.get(number)
    if attr is None:  # a command newer than our table, or none: a kernel that has it reads a descriptor first
        attr = _FD_FIRST
    return answered(call(number, bytearray(attr))) != -EINVAL
