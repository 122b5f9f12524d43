"""Traffic control: programs on packets that arrive at an interface or leave it, and the hooks of netkit devices.

Two mechanisms, chosen by one call: TCX (Linux 6.6), a list of programs whose links end with the process, and
cls_bpf on a clsact qdisc (Linux 4.5), which belongs to the interface and outlives the process.
"""

from __future__ import annotations

from errno import EEXIST, ENODEV, ENOENT
from struct import pack

from ..errors import NotSupportedError, SpecError, SyscallError
from ..uapi import AttachType, LinkType
from .base import BpfLink, Link
from .net import interface_index
from .netlink import netlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TCX = {"ingress": AttachType.TCX_INGRESS, "egress": AttachType.TCX_EGRESS}
_NETKIT = (AttachType.NETKIT_PRIMARY, AttachType.NETKIT_PEER)
_PARENTS = {"ingress": 0xFFFFFFF2, "egress": 0xFFFFFFF3}  # TC_H_CLSACT with TC_H_MIN_INGRESS, TC_H_MIN_EGRESS
_BEFORE, _AFTER, _BY_LINK = 1 << 3, 1 << 4, 1 << 13


def attach(
    prog: Any,
    target: str | int,
    *,
    direction: str = "",
    before: Any = None,
    after: Any = None,
    mechanism: str = "",
    priority: int = 0,
) -> Link:
    """Run the program on packets that enter (`direction="ingress"`) or leave ("egress") an interface.

    The direction may come from the program's own attach type; without either it is ingress.  Where there are several
    programs, `before` and `after` order them relative to another link or program of the same hook (TCX), and `priority`
    does for cls_bpf (lower runs first).  `mechanism` is "tcx" or "clsact"; by default TCX where the kernel has it.
    """
    wanted = prog.spec.expected_attach_type or 0
    ifindex = interface_index(target)
    if wanted in _NETKIT:
        return _mprog_link(prog, ifindex, wanted, f"netkit device {target}", before, after)
    direction = direction or ("egress" if wanted == AttachType.TCX_EGRESS else "ingress")
    if direction not in _TCX:
        raise SpecError(f"direction {direction!r}: expected 'ingress' or 'egress'")
    what = f"{direction} of interface {target}"
    if mechanism not in ("", "tcx", "clsact"):
        raise SpecError(f"mechanism {mechanism!r}: expected 'tcx' or 'clsact'")
    from .. import features

    tcx = mechanism == "tcx" or (not mechanism and not priority and features.have_link_type(LinkType.TCX))
    if tcx:
        return _mprog_link(prog, ifindex, _TCX[direction], what, before, after)
    if before is not None or after is not None:
        raise NotSupportedError("ordering by before and after", since="6.6", hint="cls_bpf orders by priority")
    return _attach_filter(prog, ifindex, direction, what, priority)


def _mprog_link(prog: Any, ifindex: int, attach_type: int, what: str, before: Any, after: Any) -> BpfLink:
    """A link in a list of programs (kernel/bpf/mprog.c), placed relative to another link or program."""
    from ..syscall.objects import link_create

    if before is not None and after is not None:
        raise SpecError("give before or after, not both")
    other = before if before is not None else after
    flags = _BEFORE if before is not None else _AFTER if after is not None else 0
    relative = 0
    if other is not None:
        relative = other.fileno()
        flags |= _BY_LINK if isinstance(other, BpfLink) else 0
    extra = pack("=I4xQ", relative, 0)
    return BpfLink(what, link_create(prog.fileno(), ifindex, attach_type, flags, extra, what=what))


class TcFilter(Link):
    """A cls_bpf filter.  It belongs to the interface: it stays when the process is killed; `detach` cleans up."""

    def __init__(self, what: str, ifindex: int, direction: str, priority: int, handle: int) -> None:
        super().__init__(what)
        self.priority = priority
        self.handle = handle
        self._ifindex = ifindex
        self._direction = direction

    def _release(self) -> None:
        try:
            _delete(self._ifindex, self._direction, self.priority, self.handle)
        except SyscallError as error:
            if error.errno not in (ENOENT, ENODEV):  # the filter or the interface went before
                raise


def _attach_filter(prog: Any, ifindex: int, direction: str, what: str, priority: int) -> TcFilter:
    parent = _PARENTS[direction]
    try:
        with netlink("RTM_NEWQDISC(clsact)", what) as ip:
            ip.tc("add", "clsact", ifindex)
    except SyscallError as error:
        if error.errno != EEXIST:
            raise
    options = {"prio": priority} if priority else {}
    with netlink("RTM_NEWTFILTER(cls_bpf)", what) as ip:
        before = {_identity(row) for row in ip.get_filters(index=ifindex, parent=parent)}
        name = prog.spec.name or "pybpf"
        ip.tc(
            "add-filter",
            "bpf",
            ifindex,
            fd=prog.fileno(),
            name=name,
            parent=parent,
            classid=1,
            direct_action=True,
            **options,
        )
        # The kernel chose handle and priority: they are what is new.
        fresh = {_identity(row) for row in ip.get_filters(index=ifindex, parent=parent)} - before
    for found in fresh:
        if found[1]:
            return TcFilter(what, ifindex, direction, *found)
    raise SyscallError(ENOENT, "RTM_GETTFILTER", what, "another process removed the filter")


def _identity(row: Any) -> tuple[int, int]:
    """(priority, handle) of a filter."""
    return row["info"] >> 16, row["handle"]


def _delete(ifindex: int, direction: str, priority: int, handle: int) -> None:
    with netlink("RTM_DELTFILTER(cls_bpf)", f"interface {ifindex}") as ip:
        ip.tc("del-filter", "bpf", ifindex, handle, parent=_PARENTS[direction], prio=priority)


def detach(interface: str | int) -> None:
    """Remove the clsact qdisc of an interface and with it all cls_bpf filters, whoever attached them."""
    with netlink("RTM_DELQDISC(clsact)", f"interface {interface}") as ip:
        ip.tc("del", "clsact", interface_index(interface))
