"""Filters on sockets: SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_EBPF, and classic filters by SO_ATTACH_FILTER.

The attachment belongs to the socket: it ends when the link or the last descriptor of the socket is closed, so a
process that dies leaves none.
"""

from __future__ import annotations

from errno import EBADF, ENOENT, ENOPROTOOPT
from struct import pack

from ..errors import KindError, SpecError
from ..syscall.door import setsockopt
from .base import Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..cbpf import Filter

SOL_SOCKET = 1
SO_ATTACH_FILTER = 26
SO_DETACH_BPF = 27  # the same number as SO_DETACH_FILTER
SO_ATTACH_BPF = 50
SO_ATTACH_REUSEPORT_CBPF = 51
SO_ATTACH_REUSEPORT_EBPF = 52
SO_DETACH_REUSEPORT_BPF = 68


class SocketLink(Link):
    """A filter on a socket.  Another filter attached to the same socket takes its place."""

    def __init__(self, sock: Any, detach: int) -> None:
        super().__init__(f"socket {_fileno(sock)}")
        self._sock = sock
        self._detach = detach

    def _release(self) -> None:
        fd = _fileno(self._sock)
        if fd < 0:
            return  # the socket is closed, and its filter went with it
        try:
            setsockopt(fd, SOL_SOCKET, self._detach, pack("i", 0), "the socket")
        except OSError as error:
            # A closed descriptor, a filter that is gone already, or a kernel that cannot empty a group (before 5.3).
            if error.errno not in (EBADF, ENOENT, ENOPROTOOPT):
                raise


def attach(prog: Any, sock: Any) -> Link:
    """Filter what `sock` receives: the program's result is how many bytes of each packet to keep (0: drop it).

    `sock` is any object with a `fileno()`, or a descriptor.
    """
    setsockopt(_fileno(sock), SOL_SOCKET, SO_ATTACH_BPF, pack("i", prog.fileno()), f"socket {_fileno(sock)}")
    return SocketLink(sock, SO_DETACH_BPF)


def attach_reuseport(prog: Any, sock: Any) -> Link:
    """Choose the receiver among the sockets of a SO_REUSEPORT group, of which `sock` is one."""
    option = pack("i", prog.fileno())
    setsockopt(_fileno(sock), SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, option, f"socket {_fileno(sock)}")
    return SocketLink(sock, SO_DETACH_REUSEPORT_BPF)


def attach_classic(sock: Any, filter: Filter | bytes, *, reuseport: bool = False) -> Link:
    """Filter what `sock` receives by a classic program: a `cbpf.Filter`, or its array of `struct sock_filter`.

    With `reuseport` it chooses among the sockets of a SO_REUSEPORT group instead.  No privilege is needed.
    SpecError for bytes that are no such array, SyscallError when the kernel refuses.  Linux 2.2; `reuseport` 4.5.
    """
    from ..cbpf.insn import MAX_INSNS
    from ..syscall.door import address, buffer_of

    raw = bytes(filter)
    if not raw or len(raw) % 8 or len(raw) >> 3 > MAX_INSNS:
        raise SpecError(f"{len(raw)} bytes of classic filter: expected instructions of 8 bytes, 1 to 4096 of them")
    code = buffer_of(raw)
    # struct sock_fprog: a count, padding to a pointer, the pointer.
    fprog = pack("HP", len(raw) // 8, address(code))
    option = SO_ATTACH_REUSEPORT_CBPF if reuseport else SO_ATTACH_FILTER
    setsockopt(_fileno(sock), SOL_SOCKET, option, fprog, f"socket {_fileno(sock)}")
    return SocketLink(sock, SO_DETACH_REUSEPORT_BPF if reuseport else SO_DETACH_BPF)


def _fileno(sock: Any) -> int:
    if isinstance(sock, int):
        return sock
    try:
        fileno: int = sock.fileno()
    except AttributeError:
        raise KindError(f"{sock!r} is not a socket: expected an object with a fileno(), or a descriptor") from None
    return fileno
