"""Small programs, one for each construct of the language: their code was reviewed, the kernel takes them on every level of the
instruction set, and what they do is compared with what is written here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pybpf.net import ETH_P_IP, Ethernet, IPv4, Udp

PACKET = (
    bytes(Ethernet(dst=(1, 2, 3, 4, 5, 6), src=(7, 8, 9, 10, 11, 12), type=ETH_P_IP))
    + bytes(IPv4(version=4, ihl=5, ttl=64, protocol=17, saddr=0x0A000001, daddr=0x0A000002, length=60, check=0x1234))
    + bytes(Udp(source=1234, dest=53, length=40))
    + bytes(range(22))
)
"""64 bytes: Ethernet, IPv4, UDP to port 53."""


class Run(NamedTuple):
    """One run of a program: what it is given, what it returns and leaves behind."""

    returns: int
    """The returned number, as 32 bits without a sign."""
    mark: int = 0
    priority: int = 0
    data: bytes = PACKET
    out: bytes | None = None
    """The packet afterwards, where it is looked at."""
    before: Callable[[Any], object] | None = None
    """Fills maps; it is given the loaded program or the machine."""
    after: Mapping[Any, Any] = {}
    """Map -> what it holds: a dict of items; of a global variable its value."""


def wide(a: int = 0, b: int = 0, c: int = 0, d: int = 0, e: int = 0, f: int = 0) -> bytes:
    """A packet of two u64 numbers, an s64, an s32, an s16 and an s8 (`numbers.Wide`)."""
    return struct.pack("<QQqihbx", a, b, c, d, e, f)
