"""Sockets that a test makes up: what socket look-ups find and socket maps hold."""

from __future__ import annotations

import itertools

from ..kernel.run_context import set_field
from ..uapi import bpf_sock, bpf_tcp_sock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .memory import Memory

_CHANGING = frozenset((2, 3, 4, 5, 6, 7, 8, 9, 11, 12))  # every state but established, listening, and none given
_RAW = 3
_cookies = itertools.count(1)


class PseudoSocket:
    """A socket for the offline machine; `fields` are those of `struct bpf_sock` (`family`, `src_ip4`, `dst_port`, ...).

    IP addresses may be text, ports are plain numbers; `tcp` are fields of `struct bpf_tcp_sock`.  `cookie` is what
    `bpf_get_socket_cookie` gives, `cgroup_id` its cgroup, `received` the messages that were redirected to it.
    """

    def __init__(
        self,
        *,
        cookie: int | None = None,
        cgroup_id: int = 1,
        listening: bool = False,
        tcp: dict[str, int] | None = None,
        **fields: Any,
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
        self.tcp = bpf_tcp_sock()
        for name, value in (tcp or {}).items():
            set_field(self.tcp, name, value)

    @property
    def redirectable(self) -> bool:
        """Whether a socket map takes it: not one of TCP that is being opened or closed (`sock_map_sk_state_allowed`)."""
        return self.fields.type != _RAW and self.fields.state not in _CHANGING

    @property
    def id(self) -> int:
        return self.cookie


def socket_address(mem: Memory, socket: object) -> int:
    """The address of the socket's `struct bpf_sock`, 0 for None."""
    if not isinstance(socket, PseudoSocket):
        return 0
    return mem.of(socket, lambda: bytes(socket.fields), "struct bpf_sock")


def tcp_address(mem: Memory, socket: PseudoSocket) -> int:
    """The address of the socket's `struct bpf_tcp_sock`."""
    return mem.of(socket.tcp, lambda: bytes(socket.tcp), "struct bpf_tcp_sock")
