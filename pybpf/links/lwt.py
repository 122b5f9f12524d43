"""Lightweight tunnels: programs on the packets that take a route."""

from __future__ import annotations

from ..errors import NotSupportedError
from ..uapi import ProgType
from .base import Link
from .net import interface_index
from .netlink import netlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HOOKS = {ProgType.LWT_IN: "in", ProgType.LWT_OUT: "out", ProgType.LWT_XMIT: "xmit"}


class Route(Link):
    """A route that carries a program.  It belongs to the namespace: it stays when the process is killed, until it is
    removed as any route is (`ip route del`).
    """

    def __init__(self, what: str, route: dict[str, Any]) -> None:
        super().__init__(what)
        self._route = route

    def _release(self) -> None:
        _route("del", self._route)


def attach(prog: Any, target: str, *, interface: str | int, via: str = "", headroom: int = 0) -> Route:
    """Add a route to `target` (a prefix such as "10.1.0.0/16") through an interface, whose packets the program sees.

    `via` is the gateway; `headroom` the bytes that an encapsulating program will put before the packet.
    """
    if prog.prog_type not in _HOOKS:
        raise NotSupportedError("attaching a seg6local program", hint="it is an action of an SRv6 route: use iproute2")
    encap: dict[str, Any] = {
        "type": "bpf",
        _HOOKS[prog.prog_type]: {"fd": prog.fileno(), "name": prog.spec.name or "pybpf"},
    }
    if headroom:
        encap["headroom"] = headroom
    route = {"dst": target, "oif": interface_index(interface), **({"gateway": via} if via else {})}
    _route("add", {**route, "encap": encap})
    return Route(f"route to {target}", route)


def _route(command: str, route: dict[str, Any]) -> None:
    with netlink(f"adding or removing a route ({command})", f"the route to {route['dst']}") as ip:
        ip.route(command, **route)
