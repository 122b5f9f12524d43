"""BPF_COMMON_ATTRS (Linux 7.2): a log for commands that have none of their own."""

from __future__ import annotations

from ctypes import c_char, c_long
from struct import Struct

from .door import NUMBERS, address, buffer_of, libc, machine

_COMMON_ATTRS = 1 << 16  # among the bits of the command
_COMMON = Struct("=QIII4x")  # struct bpf_common_attr: address, size and level of the log, and the size that it has
_SIZE = 4096


def said(command: int, attr: bytearray) -> str:
    """What the kernel says about a command that it refused, asked again; "" from one that says nothing, or is older.

    Only for commands that give a descriptor: one that succeeds this time is undone.
    """
    log = bytearray(_SIZE)
    common = _COMMON.pack(address(buffer_of(log)), len(log), 1, 0)
    number = c_long(NUMBERS["bpf"][machine()])
    given = (c_char * len(attr)).from_buffer_copy(attr)
    result = libc().syscall(number, c_long(command | _COMMON_ATTRS), given, len(attr), common, len(common))
    if result >= 0:
        from os import close

        close(result)
    return log[: log.find(0)].decode(errors="replace").strip()
