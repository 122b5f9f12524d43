"""Element commands with everything prepared beforehand: what makes a single lookup as fast as bare ctypes.

The system call is made without giving up the interpreter lock and without keeping errno: only for commands that
cannot sleep, and whose failure is found out by doing them again through `maps`.
"""

from __future__ import annotations

from ctypes import addressof, byref, c_char

from .door import NUMBERS, machine
from .maps import ELEM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

ELEM_SIZE = ELEM.size
_quick: Any = None


def quick() -> tuple[Callable[..., int], int]:
    """`(syscall, number of bpf)`: call `syscall(number, command, attr, ELEM_SIZE)`; -1 for any failure.

    Numbers are passed as Python ints and the attributes by reference: what ctypes converts fastest.
    """
    global _quick
    if _quick is None:
        number = NUMBERS["bpf"][machine()]
        from ctypes import PyDLL

        _quick = PyDLL(None).syscall, number
    return _quick  # type: ignore[no-any-return]


def prepare(fd: int, key_size: int, value_size: int) -> tuple[bytearray, bytearray, Any, Any]:
    """`(key, value, attr, owners)`: write the key, make the call with `attr`, read the value."""
    key, value = bytearray(key_size), bytearray(value_size)
    key_at, value_at = (c_char * key_size).from_buffer(key), (c_char * value_size).from_buffer(value)
    attr = (c_char * ELEM.size).from_buffer_copy(ELEM.pack(fd, addressof(key_at), addressof(value_at), 0))
    return key, value, byref(attr), (key_at, value_at)
