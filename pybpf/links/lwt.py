"""Light-weight tunnels: programs on the packets of one route."""

from __future__ import annotations

from ..errors import SpecError, SyscallError
from ..uapi import ProgType
from .base import Link
from .net import interface_index
from .netlink import netlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SIDES = {ProgType.LWT_IN: "in", ProgType.LWT_OUT: "out", ProgType.LWT_XMIT: "xmit"}


class RouteLink(Link):
    """A route with a program.

    It belongs to the routing table: it stays when the process is killed.  `cleanup(target)` removes it.
    """

    def __init__(self, target: str, route: dict[str, Any]) -> None:
        super().__init__(target)
        self._route = route

    def _release(self) -> None:
        from errno import ENODEV, ESRCH

        try:
            _request("del", self._route)
        except SyscallError as error:
            if error.errno not in (ESRCH, ENODEV):  # the route, or its interface, is gone
                raise


def attach(prog: Any, target: str, *, device: str | int = "", gateway: str = "", headroom: int = 0) -> RouteLink:
    """Add a route to `target` ("10.1.0.0/16", "fd00::/8") whose packets pass through the program.

    `device` and `gateway` say where the route leads, as for `ip route add`; `headroom` (bytes, up to 256) is what
    lwt_xmit programs want to put in front of packets.  An lwt_seg6local program is the action (End.BPF, Linux 4.18) of
    the segment that `target` is: "fd00::1/128".
    """
    if not (device or gateway):
        raise SpecError(f"a route to {target} needs device= or gateway=")
    from ipaddress import ip_network

    try:
        ip_network(target, strict=False)
    except ValueError:
        raise SpecError(f"{target!r} is no network: expected one such as '10.1.0.0/16' or 'fd00::/8'") from None
    program: dict[str, Any] = {"fd": prog.fileno(), "name": prog.name or "pybpf"}
    if headroom:
        if prog.prog_type != ProgType.LWT_XMIT:
            raise SpecError("headroom= is for lwt_xmit programs")
        program["headroom"] = headroom
    if prog.prog_type == ProgType.LWT_SEG6LOCAL:
        encap = {"type": "seg6local", "action": "End.BPF", "bpf": program}
    else:
        encap = {"type": "bpf", _SIDES[prog.prog_type]: program}
    route: dict[str, Any] = {"dst": target}
    if device:
        route["oif"] = interface_index(device)
    if gateway:
        route["gateway"] = gateway
    _request("add", {**route, "encap": encap})
    return RouteLink(f"route to {target}", route)


def cleanup(target: str, *, device: str | int = "") -> None:
    """Remove the route to a network, with its program, whoever added it; none is no error."""
    from errno import ESRCH

    try:
        _request("del", {"dst": target, **({"oif": interface_index(device)} if device else {})})
    except SyscallError as error:
        if error.errno != ESRCH:
            raise


def _request(command: str, route: dict[str, Any]) -> None:
    with netlink(f"ip route {command}", f"route to {route['dst']}") as ip:
        ip.route(command, **route)
