"""Sockets that a test makes up: what socket look-ups find and socket maps hold."""

from __future__ import annotations

import ctypes
import itertools

from ..errors import KindError
from ..uapi import bpf_sock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .memory import Memory

_cookies = itertools.count(1)


class PseudoSocket:
    """A socket for the offline machine; `fields` are those of `struct bpf_sock` (`family`, `src_ip4`, `dst_port`, ...).

    IP addresses may be text.  `cookie` is what `bpf_get_socket_cookie` gives, `cgroup_id` its cgroup, `received` the
    messages that were redirected to it.
    """

    def __init__(
        self, *, cookie: int | None = None, cgroup_id: int = 1, listening: bool = False, **fields: Any
    ) -> None:
        self.cookie = next(_cookies) if cookie is None else cookie
        self.cgroup_id = cgroup_id
        self.fields = bpf_sock()
        self.options: dict[tuple[int, int], bytes] = {}
        self.received: list[bytes] = []
        if listening:
            self.fields.state = 10
        for name, value in fields.items():
            set_field(self.fields, name, value)

    @property
    def id(self) -> int:
        return self.cookie


def socket_address(mem: Memory, socket: object) -> int:
    """The address of the socket's `struct bpf_sock`, 0 for None."""
    if not isinstance(socket, PseudoSocket):
        return 0
    return mem.of(socket, lambda: bytes(socket.fields), "struct bpf_sock")


def set_field(struct: ctypes.Structure, name: str, value: Any) -> None:
    """Set a field of a ctypes structure from a number, bytes, text of an IP address, or a sequence of numbers.

    KindError for a name that is not a field, naming those that are.
    """
    if not hasattr(type(struct), name):
        names = ", ".join(f for f, *_ in getattr(type(struct), "_fields_", ()) if not f.startswith("_"))
        raise KindError(f"struct {type(struct).__name__} has no field {name!r}; it has {names}")
    if isinstance(value, str):
        from ipaddress import ip_address

        value = ip_address(value).packed
    descriptor = getattr(type(struct), name)
    current = getattr(struct, name)
    if isinstance(value, (bytes, bytearray)):
        raw = bytes(value)[: descriptor.size].ljust(descriptor.size, b"\0")
        ctypes.memmove(ctypes.addressof(struct) + descriptor.offset, raw, descriptor.size)
    elif isinstance(current, ctypes.Array):
        for i, item in enumerate(value):
            current[i] = item
    elif isinstance(current, (ctypes.Structure, ctypes.Union)) and isinstance(value, dict):
        for inner, item in value.items():
            set_field(current, inner, item)  # type: ignore[arg-type]
    else:
        setattr(struct, name, value)
