"""Memory of a map at an address of one's choice, which `mmap.mmap` cannot ask for."""

from __future__ import annotations

import mmap
from ctypes import c_int, c_long, c_size_t, c_ubyte, c_void_p, get_errno
from weakref import finalize

from .door import failure, libc

_FIXED_NOREPLACE = 0x100000  # Linux 4.17: refuse rather than take the place of what is there


def map_at(fd: int, size: int, address: int) -> memoryview:
    """`size` bytes of a map, readable and writable, at `address`; they stay as long as something views them.

    SyscallError when something else is there, or the map is to be elsewhere.
    """
    function = libc().mmap
    function.restype = c_void_p
    function.argtypes = [c_void_p, c_size_t, c_int, c_int, c_int, c_long]
    found = function(address, size, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED | _FIXED_NOREPLACE, fd, 0)
    if found != address:
        raise failure(get_errno(), "mmap", f"at {address:#x}")
    memory = (c_ubyte * size).from_address(address)
    finalize(memory, libc().munmap, c_void_p(address), c_size_t(size)).atexit = False
    return memoryview(memory).cast("B")
