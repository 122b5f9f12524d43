"""What programs may read through pointers to sockets, and other small fixed structures.

From the documentation of these structures in the UAPI header; tests compare it with the kernel, access by access.
"""

from __future__ import annotations

from ..values import KIND, SOCK_COMMON, SOCKET, TCP_SOCK, XDP_SOCK

SOCK_SIZE = 80
TCP_SIZE = 112
FLOW_KEYS_SIZE = 56
_NARROW = frozenset((4, 8, 12, 24, *range(28, 44), 44, 52, *range(53, 72), 72, 76, *range(25, 28)))
_COMMON_HIDDEN = range(8, 24)  # type, protocol, mark, priority
_TCP_WIDE = (80, 88)  # bytes_received, bytes_acked


def readable(type: int, off: int, size: int) -> bool:
    """Whether a load of `size` bytes at `off` of a socket structure is allowed."""
    kind = type & KIND
    if kind == XDP_SOCK:
        return off == 0 and size == 4
    if kind == TCP_SOCK:
        return 0 <= off < TCP_SIZE and off % size == 0 and size == (8 if off in _TCP_WIDE else 4)
    if kind == SOCK_COMMON and off in _COMMON_HIDDEN:
        return False
    assert kind in (SOCKET, SOCK_COMMON)
    if not 0 <= off < SOCK_SIZE or off % size:
        return False
    if off in _NARROW:
        return size <= 4
    if 48 <= off < 52:  # dst_port: 2 bytes, and 2 of padding that only a 4-byte load may touch
        return size == 4 or (off < 50 and size <= 2)
    return size == 4
