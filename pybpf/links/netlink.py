"""The way to rtnetlink, through pyroute2, for hooks that are older than links."""

from __future__ import annotations

from contextlib import contextmanager

from ..errors import NotSupportedError, SyscallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


@contextmanager
def netlink(command: str, what: str) -> Iterator[Any]:
    """A `pyroute2.IPRoute`; what the kernel refuses inside is a SyscallError of `command` on `what`.

    NotSupportedError where pyroute2 is not installed.
    """
    try:
        from pyroute2 import IPRoute
        from pyroute2.netlink.exceptions import NetlinkError
    except ImportError:
        raise NotSupportedError(f"{command} without pyroute2", hint="pip install 'pybpf[net]' brings it") from None
    with IPRoute() as ip:
        try:
            yield ip
        except NetlinkError as error:
            raise SyscallError(error.code, command, what) from None
