"""XDP: programs that see a packet before the network stack does, one an interface and mode."""

from __future__ import annotations

from errno import EINVAL

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
