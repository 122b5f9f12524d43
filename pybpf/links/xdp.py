"""XDP: programs that see a packet before the network stack does, one an interface and mode."""

from __future__ import annotations

from errno import EINVAL
from struct import pack
from sys import byteorder

from ..errors import NotSupportedError, SpecError, SyscallError
from ..uapi import AttachType, LinkType
from .base import BpfLink, Link
from .net import interface_index
from .netlink import netlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MODES = {"": 0, "generic": 1 << 1, "native": 1 << 2, "offload": 1 << 3}
"""XDP_FLAGS_*: where the program runs; "" lets the kernel choose, native where the driver can."""

_UPDATE_IF_NOEXIST = 1 << 0


class NetlinkXdp(Link):
    """An XDP program attached over netlink, for kernels without links (before 5.9).

    It belongs to the interface: it stays when the process is killed.  `detach(interface)` cleans up.
    """

    def __init__(self, ifindex: int, flags: int) -> None:
        super().__init__(f"interface {ifindex} (XDP over netlink)")
        self._ifindex = ifindex
        self._flags = flags

    def _release(self) -> None:
        _set(self._ifindex, -1, self._flags & ~_UPDATE_IF_NOEXIST)


def attach(prog: Any, target: str | int, *, mode: str = "", mechanism: str = "") -> Link:
    """Run the program on every packet that arrives at an interface, by name or index.

    `mode` is "native" (in the driver), "generic" (any interface, slower), "offload" (in the card), or "" for the best
    that there is.  `link.update(other)` replaces the program without losing a packet.  `mechanism` is "link" (Linux
    5.9; ends with the process) or "netlink"; by default the first that the kernel has.  Programs for the maps of
    devices and CPUs (`xdp_devmap`, `xdp_cpumap`) are not attached: store them in the map's entries.
    """
    if mode not in MODES:
        raise SpecError(f"XDP mode {mode!r}: expected one of {', '.join(repr(m) for m in MODES)}")
    if prog.spec.expected_attach_type in (AttachType.XDP_DEVMAP, AttachType.XDP_CPUMAP):
        raise NotSupportedError(
            "attaching an XDP program for a map", hint="store it in the entry of a DevMap or CpuMap"
        )
    ifindex = interface_index(target)
    if mechanism != "netlink":
        from ..syscall.objects import link_create

        what = f"interface {target}"
        try:
            return BpfLink(what, link_create(prog.fileno(), ifindex, AttachType.XDP, MODES[mode], what=what))
        except SyscallError as error:
            from .. import features

            # Asked only now: a probe takes longer than attaching.
            if mechanism or error.errno != EINVAL or features.have_link_type(LinkType.XDP):
                raise
    _set(ifindex, prog.fileno(), MODES[mode] | _UPDATE_IF_NOEXIST)
    return NetlinkXdp(ifindex, MODES[mode])


def detach(interface: str | int, *, mode: str = "") -> None:
    """Remove what is attached to an interface over netlink, whoever attached it."""
    _set(interface_index(interface), -1, MODES[mode])


def _set(ifindex: int, fd: int, flags: int) -> None:
    """IFLA_XDP: put a program (or none, -1) on an interface."""
    with netlink("RTM_SETLINK(IFLA_XDP)", f"interface {ifindex}") as ip:
        attributes = [("IFLA_XDP_FD", fd), ("IFLA_XDP_FLAGS", flags)]
        ip.link("set", index=ifindex, IFLA_XDP={"attrs": attributes})


# IFLA_XDP_{DRV,SKB,HW}_PROG_ID and IFLA_XDP_PROG_ID; XDP_ATTACHED_* says which that is.
_BY_MODE = {"native": 5, "generic": 6, "offload": 7}
_PROG_ID, _ATTACHED, _MODES = 4, 2, {1: "native", 2: "generic", 3: "offload"}
_RTM_GETLINK, _IFLA_XDP = 18, 43


def programs(ifindex: int) -> list[tuple[int, str]]:
    """(program id, mode) of what is attached to an interface: one program, or one a mode."""
    from .rtnetlink import ask, attributes

    # struct ifinfomsg: family, type, interface, flags, change.
    request = pack("=BxHiII", 0, 0, ifindex, 0, 0)
    for _, found in ask(_RTM_GETLINK, request, f"interface {ifindex}", dump=False):
        xdp = {kind: int.from_bytes(raw, byteorder) for kind, raw in attributes(found.get(_IFLA_XDP, b"")).items()}
        each = [(xdp[kind], mode) for mode, kind in _BY_MODE.items() if xdp.get(kind)]
        if not each and xdp.get(_PROG_ID):  # before Linux 4.19 there was no id for each mode
            each = [(xdp[_PROG_ID], _MODES.get(xdp.get(_ATTACHED, 0), "native"))]
        return each
    return []
