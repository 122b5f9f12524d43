"""What the network hooks share: interfaces and namespaces by name."""

from __future__ import annotations

from errno import ENODEV, ENOENT
from socket import if_nameindex, if_nametoindex

from ..errors import SyscallError
from ..syscall.fd import Fd


def interface_index(target: str | int) -> int:
    """The index of an interface, given by name or number, in the network namespace of the calling thread.

    SyscallError (ENODEV) for a name that no interface has; it lists those that there are.
    """
    if isinstance(target, int):
        return target
    try:
        return if_nametoindex(target)
    except OSError:
        known = ", ".join(name for _, name in if_nameindex())
        raise SyscallError(ENODEV, "if_nametoindex", f"interface {target!r}", f"interfaces here: {known}") from None


def open_path(path: str, what: str, flags: int = 0) -> Fd:
    """A descriptor of a file or directory that something is attached to.  SyscallError names it."""
    import os

    try:
        return Fd(os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags))
    except OSError as error:
        raise SyscallError(error.errno or ENOENT, "open", f"{what} {path!r}") from None


def open_netns(target: str | int | None) -> Fd:
    """A descriptor of a network namespace: None for the caller's own, a process id, a name (`ip netns`), or a path."""
    if target is None:
        path = "/proc/thread-self/ns/net"
    elif isinstance(target, int):
        path = f"/proc/{target}/ns/net"
    else:
        path = target if "/" in target else f"/run/netns/{target}"
    return open_path(path, "network namespace")
