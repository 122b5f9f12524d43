"""Questions to rtnetlink: its answers as attributes, in bytes.  (Requests that change something go through `netlink`.)"""

from __future__ import annotations

from struct import Struct
from sys import byteorder

from ..errors import SyscallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_MESSAGE = Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
_ATTRIBUTE = Struct("=HH")  # struct nlattr: length, type
_ERROR, _DONE = 2, 3
_REQUEST, _DUMP = 0x1, 0x300
_TYPE = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER


def attributes(raw: bytes) -> dict[int, bytes]:
    """The attributes that follow each other in `raw`, by type."""
    found, at = {}, 0
    while at + 4 <= len(raw):
        length, kind = _ATTRIBUTE.unpack_from(raw, at)
        if length < 4:
            break
        found[kind & _TYPE] = raw[at + 4 : at + length]
        at += length + 3 & ~3
    return found


def ask(kind: int, request: bytes, what: str, *, dump: bool = True) -> Iterator[tuple[bytes, dict[int, bytes]]]:
    """The answers to a request (RTM_GETLINK, ...): each one's fixed part, as long as the request's, and attributes.

    SyscallError, which names `what`, when the kernel refuses.
    """
    from socket import AF_NETLINK, SOCK_RAW, socket

    with socket(AF_NETLINK, SOCK_RAW, 0) as sock:
        sock.bind((0, 0))
        flags = _REQUEST | (_DUMP if dump else 0)
        sock.send(_MESSAGE.pack(_MESSAGE.size + len(request), kind, flags, 1, 0) + request)
        while True:
            data = sock.recv(1 << 16)
            while len(data) >= _MESSAGE.size:
                length, answer, *_ = _MESSAGE.unpack_from(data)
                body, data = data[_MESSAGE.size : length], data[length + 3 & ~3 :]
                if answer == _DONE:
                    return
                if answer == _ERROR:
                    code = -int.from_bytes(body[:4], byteorder, signed=True)
                    if code:
                        raise SyscallError(code, f"rtnetlink request {kind}", what)
                    return
                yield body[: len(request)], attributes(body[len(request) :])
                if not dump:
                    return
