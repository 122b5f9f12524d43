"""What the network hooks share: interfaces and namespaces by name."""

from __future__ import annotations

from errno import ENODEV, ENOENT, ENOTDIR
from socket import if_indextoname, if_nameindex, if_nametoindex

from ..errors import SpecError, SyscallError
from ..syscall.fd import Fd


def interface_index(target: str | int) -> int:
    """The index of an interface, given by name or number, in the network namespace of the calling thread.

    SyscallError (ENODEV) when there is no such interface; it lists those that there are.
    """
    try:
        if isinstance(target, int):
            if_indextoname(target)
            return target
        return if_nametoindex(target)
    except OverflowError:
        raise SpecError(f"{target} is no index of an interface") from None
    except OSError:
        known = ", ".join(name for _, name in if_nameindex())
        raise SyscallError(ENODEV, "if_nametoindex", f"interface {target!r}", f"interfaces here: {known}") from None


def open_path(path: str, what: str, flags: int = 0) -> Fd:
    """A descriptor of a file or directory that something is attached to.  SyscallError names it."""
    import os

    try:
        return Fd(os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags))
    except OSError as error:
        hint = _WHERE.get(what, "") if error.errno in (ENOENT, ENOTDIR) else ""
        raise SyscallError(error.errno or ENOENT, "open", f"{what} {path!r}", hint) from None


_WHERE = {
    "cgroup": "a cgroup is a directory: mkdir makes one, /proc/self/cgroup tells in which one a process is",
    "network namespace": "`ip netns list` shows those with a name; a number is the id of a process in one",
    "infrared receiver": "receivers are /dev/lirc0, /dev/lirc1, ...",
}


def open_netns(target: str | int | None) -> Fd:
    """A descriptor of a network namespace: None for the caller's own, a process id, a name (`ip netns`), or a path."""
    if target is None:
        path = "/proc/thread-self/ns/net"
    elif isinstance(target, int):
        path = f"/proc/{target}/ns/net"
    else:
        path = target if "/" in target else f"/run/netns/{target}"
    return open_path(path, "network namespace")
