"""Structures made with ctypes alone keep the byte order of their fields, in programs as in Python."""

from __future__ import annotations

import ctypes

from pybpf import VM, Array, verify, xdp


class Wire(ctypes.BigEndianStructure):
    _fields_ = (("port", ctypes.c_uint16), ("size", ctypes.c_uint16), ("address", ctypes.c_uint32))


class Mixed(ctypes.Structure):
    _fields_ = (("wire", Wire), ("big", ctypes.c_uint32.__ctype_be__), ("plain", ctypes.c_uint32))


values = Array(Mixed, max_entries=1)


@xdp
def write(ctx):
    value = values.get(0)
    if value is None:
        return 0
    value.wire.port = 53
    value.wire.address = 0x0A000001
    value.big = value.wire.address + 1
    value.plain = 7
    return 2 if value.wire.port == 53 and value.big == 0x0A000002 else 1


def test_fields_of_the_other_order_are_swapped():
    assert verify(write).ok
    vm = VM(write)
    assert vm.run(data=bytes(60)).retval == 2
    found = vm[values][0]
    assert (found.wire.port, found.wire.address, found.big, found.plain) == (53, 0x0A000001, 0x0A000002, 7)
    assert bytes(found)[:8] == bytes.fromhex("0035 0000 0a000001")
