"""Control groups: programs that judge what the processes of a cgroup do with sockets, packets, sysctls and devices."""

from __future__ import annotations

from ..errors import SpecError
from ..uapi import AttachType as A
from ..uapi import LinkType
from ..uapi import ProgType as P
from .attachment import Attachment
from .base import BpfLink, Link
from .net import open_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ALLOW_OVERRIDE = 1 << 0
_ALLOW_MULTI = 1 << 1
_DIRECTIONS = {"ingress": A.CGROUP_INET_INGRESS, "egress": A.CGROUP_INET_EGRESS}
# Types that have one hook, or a hook that is meant when none is named.
_DEFAULT = {
    P.SOCK_OPS: A.CGROUP_SOCK_OPS,
    P.CGROUP_DEVICE: A.CGROUP_DEVICE,
    P.CGROUP_SYSCTL: A.CGROUP_SYSCTL,
    P.CGROUP_SOCK: A.CGROUP_INET_SOCK_CREATE,
}


def attach(
    prog: Any, target: str | int, *, direction: str = "", attach_type: int | None = None, override: bool | None = None
) -> Link:
    """Let the program judge the processes of a cgroup (v2, by path or descriptor) and of the groups below it.

    The hook comes from the program's attach type; a program for packets (`cgroup_skb`) takes `direction` "ingress" or
    "egress".  Several programs may be attached: all run, and all must agree.  Without links (before Linux 5.7), or with
    `override`, the program is attached to the cgroup itself: True lets a group below replace it, False lets none.
    """
    wanted = hook(prog, direction, attach_type)
    what = f"cgroup {target} ({A(wanted).name})"
    group = open_path(target, "cgroup") if isinstance(target, str) else None
    fd = group.fileno() if group else int(target)
    from .. import features

    try:
        if override is None and features.have_link_type(LinkType.CGROUP):
            from ..syscall.objects import link_create

            return BpfLink(what, link_create(prog.fileno(), fd, wanted, what=what))
        flags = _ALLOW_MULTI if override is None else _ALLOW_OVERRIDE if override else 0
        return Attachment(what, fd, prog, wanted, flags)
    finally:
        if group:
            group.close()


def hook(prog: Any, direction: str = "", attach_type: int | None = None) -> int:
    """The attach type that is meant; SpecError when that is not clear."""
    if attach_type is not None:
        return int(attach_type)
    if direction:
        if direction not in _DIRECTIONS:
            raise SpecError(f"direction {direction!r}: expected 'ingress' or 'egress'")
        return _DIRECTIONS[direction]
    declared: int | None = prog.spec.expected_attach_type
    if declared is not None and not (declared == 0 and prog.prog_type != P.CGROUP_SKB):
        return declared
    if prog.prog_type in _DEFAULT:
        return _DEFAULT[prog.prog_type]
    raise SpecError(f"{prog.spec.name or 'the program'}: say where it runs, by direction= or attach_type=")
