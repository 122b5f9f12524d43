"""tc: programs on the packets that enter and leave an interface, as many as you like, in an order.

Two mechanisms do the same.  TCX (Linux 6.6) is a link: it ends with the process.  A cls_bpf filter on the clsact
queueing discipline is what older kernels have: it belongs to the interface and stays when the process is killed;
`cleanup` removes it.
"""

from __future__ import annotations

from errno import E2BIG, EEXIST, EINVAL, ENODEV, ENOENT
from struct import Struct, pack
from sys import byteorder

from ..errors import NotSupportedError, SpecError, SyscallError
from ..uapi import AttachFlags, AttachType, LinkType
from .base import BpfLink, Link
from .net import interface_index
from .netlink import netlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_TCX = {"ingress": AttachType.TCX_INGRESS, "egress": AttachType.TCX_EGRESS}
_NETKIT = {AttachType.NETKIT_PRIMARY, AttachType.NETKIT_PEER}
# TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS or _EGRESS): where filters of a clsact discipline hang.
_PARENT = {"ingress": 0xFFFFFFF2, "egress": 0xFFFFFFF3}


class ClsactFilter(Link):
    """A cls_bpf filter, for kernels without TCX, or one whose action is a program.

    It belongs to the interface: it stays when the process is killed.  `cleanup(interface)` removes all such filters.
    """

    def __init__(self, ifindex: int, direction: str, priority: int, kind: str) -> None:
        super().__init__(f"interface {ifindex} (clsact {direction}, priority {priority})")
        self._place = (ifindex, direction, priority)
        self._kind = kind

    def _release(self) -> None:
        ifindex, direction, priority = self._place
        try:
            _tc("del-filter", ifindex, direction, kind=self._kind, prio=priority, handle=1)
        except SyscallError as error:
            if error.errno not in (EINVAL, ENODEV, ENOENT):  # the filter, its discipline or the interface is gone
                raise


def attach(
    prog: Any,
    target: str | int,
    *,
    direction: str = "",
    before: Any = None,
    after: Any = None,
    priority: int = 0,
    mechanism: str = "",
) -> Link:
    """Run the program on the packets of an interface, by name or index.

    `direction` is "ingress" or "egress"; without one, that of the program's attach type, else ingress.  Among several
    programs, those without an order run in the order of attachment; `before` and `after` take a live program or link
    that this one is to precede or follow, or True for the very first or last place.  `mechanism` is "tcx" or
    "clsact"; by default the first that the kernel has.  `priority` (1 is first) orders clsact filters, which know
    no `before`. Programs with a netkit attach type go to a netkit device's primary or peer side.
    """
    hook = prog.spec.expected_attach_type
    if hook in _NETKIT:
        return _mprog(prog, target, int(hook), before, after)
    if not direction:
        direction = "egress" if hook == AttachType.TCX_EGRESS else "ingress"
    if direction not in _TCX:
        raise SpecError(f"direction {direction!r}: expected 'ingress' or 'egress'")
    if mechanism != "clsact" and not priority:
        try:
            return _mprog(prog, target, _TCX[direction], before, after)
        except SyscallError as error:
            from .. import features

            # Asked only now: a probe takes longer than attaching.
            if mechanism or error.errno not in (EINVAL, E2BIG) or features.have_link_type(LinkType.TCX):
                raise
    if before is not None or after is not None:
        raise NotSupportedError("the order of tc programs", since="6.6", hint="clsact filters are ordered by priority=")
    options = {"fd": prog.fileno(), "name": prog.name or "pybpf", "direct_action": True}
    return _clsact(interface_index(target), direction, priority, "bpf", options)


def attach_action(prog: Any, target: str | int, *, direction: str = "ingress", priority: int = 0) -> ClsactFilter:
    """Run a program of type SCHED_ACT as the action of a filter that takes every packet of an interface.

    It needs cls_matchall and act_bpf.  `sched_cls` programs decide by themselves, and are the simpler choice.
    """
    if direction not in _TCX:
        raise SpecError(f"direction {direction!r}: expected 'ingress' or 'egress'")
    action = {"kind": "bpf", "fd": prog.fileno(), "name": prog.name or "pybpf", "action": "ok"}
    try:
        return _clsact(interface_index(target), direction, priority, "matchall", {"action": [action]})
    except SyscallError as error:
        if error.errno == ENOENT:
            raise NotSupportedError(
                "a program as an action", hint="the kernel needs cls_matchall (4.8) and act_bpf (CONFIG_NET_ACT_BPF)"
            ) from None
        raise


def _mprog(prog: Any, target: str | int, hook: int, before: Any, after: Any) -> BpfLink:
    """A link at a hook that keeps its programs in a list (kernel/bpf/mprog.c)."""
    from ..syscall.objects import link_create

    flags, fd = relative(before, after)
    what = f"interface {target} ({AttachType(hook).name.lower()})"
    extra = pack("=I4xQ", fd, 0)
    return BpfLink(what, link_create(prog.fileno(), interface_index(target), hook, flags, extra, what))


def relative(before: Any, after: Any) -> tuple[int, int]:
    """Flags and descriptor that say a place in a list: relative to a live program or link, or (True) to all."""
    if before is not None and after is not None:
        raise SpecError("before= and after= exclude each other")
    other = after if before is None else before
    if other is None:
        return 0, 0
    flag = int(AttachFlags.AFTER if before is None else AttachFlags.BEFORE)
    if other is True:
        return flag, 0
    return flag | (_F_LINK if isinstance(other, Link) else 0), other.fileno()


_F_LINK = 1 << 13  # BPF_F_LINK: the descriptor that a place is relative to is a link's


def _clsact(ifindex: int, direction: str, priority: int, kind: str, options: dict[str, Any]) -> ClsactFilter:
    try:
        _tc("add", ifindex, "", kind="clsact")
    except SyscallError as error:
        if error.errno != EEXIST:
            raise
    taken = _priorities(ifindex, direction)
    if not priority:
        priority = next(n for n in range(1, 1 << 16) if n not in taken)
    elif priority in taken:
        raise SyscallError(
            EEXIST, "RTM_NEWTFILTER", f"priority {priority} on interface {ifindex}", "choose another one"
        )
    _tc("add-filter", ifindex, direction, kind=kind, prio=priority, handle=1, **options)
    return ClsactFilter(ifindex, direction, priority, kind)


def cleanup(interface: str | int) -> None:
    """Remove the clsact discipline of an interface, with all filters on it, whoever attached them."""
    try:
        _tc("del", interface_index(interface), "", kind="clsact")
    except SyscallError as error:
        if error.errno not in (EINVAL, ENOENT):
            raise


def filters(ifindex: int, direction: str) -> list[tuple[int, int]]:
    """(program id, priority) of the cls_bpf filters of an interface, in the order in which they run."""
    return sorted(((id_, priority) for id_, priority in _filters(ifindex, direction) if id_), key=lambda row: row[1])


def _priorities(ifindex: int, direction: str) -> set[int]:
    return {priority for _, priority in _filters(ifindex, direction)}


def _filters(ifindex: int, direction: str) -> Iterator[tuple[int, int]]:
    """(program id, or 0 for another kind of filter; priority) of all filters."""
    from .rtnetlink import ask, attributes

    # struct tcmsg: family, interface, handle, parent, and priority << 16 | protocol.
    request = _TCMSG.pack(0, ifindex, 0, _PARENT[direction], 0)
    for head, found in ask(_RTM_GETTFILTER, request, f"filters of interface {ifindex}"):
        options = attributes(found.get(_TCA_OPTIONS, b""))
        number = int.from_bytes(options.get(_TCA_BPF_ID, b""), byteorder) if found.get(_TCA_KIND) == b"bpf\0" else 0
        yield number, _TCMSG.unpack(head)[4] >> 16


_TCMSG = Struct("=B3xiIII")
_RTM_GETTFILTER, _TCA_KIND, _TCA_OPTIONS, _TCA_BPF_ID = 46, 1, 2, 11


def _tc(command: str, ifindex: int, direction: str, **options: Any) -> None:
    """One request to the traffic control of an interface.  SyscallError names it and the interface."""
    if direction:
        options["parent"] = _PARENT[direction]
        options["protocol"] = _ETH_P_ALL
    with netlink(f"tc {command}", f"interface {ifindex}") as ip:
        ip.tc(command, index=ifindex, **options)


_ETH_P_ALL = 3
