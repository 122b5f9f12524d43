"""Netfilter: programs among the hooks of the firewall, ordered by priority (Linux 6.4)."""

from __future__ import annotations

from struct import pack

from ..errors import SpecError
from ..uapi import AttachType, LinkType
from .base import BpfLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FAMILIES = {"ipv4": 2, "ipv6": 10}
HOOKS = {"prerouting": 0, "input": 1, "forward": 2, "output": 3, "postrouting": 4}


def attach(prog: Any, target: str = "ipv4/input", *, priority: int = -1, defragment: bool = False) -> BpfLink:
    """Judge the packets at a hook, "family/hook" (`FAMILIES`, `HOOKS`), in the caller's network namespace.

    Lower priorities come first; -1 is just before filter tables, and no two programs of a hook share one.  With
    `defragment` the program sees whole datagrams, which needs a priority above -400 (Linux 6.6).
    """
    from errno import EINVAL

    from ..errors import SyscallError
    from ..syscall.objects import link_create

    family, _, hook = target.partition("/")
    if family not in FAMILIES or hook not in HOOKS:
        raise SpecError(f"netfilter hook {target!r}: expected ipv4/ or ipv6/ and one of {', '.join(HOOKS)}")
    what = f"netfilter {target} at priority {priority}"
    extra = pack("=IIiI", FAMILIES[family], HOOKS[hook], priority, int(defragment))
    try:
        return BpfLink(what, link_create(prog.fileno(), 0, AttachType.NETFILTER, 0, extra, what))
    except SyscallError as error:
        from .. import features

        if error.errno == EINVAL:
            features.require(features.have_link_type, LinkType.NETFILTER, hint="it needs CONFIG_NETFILTER_BPF_LINK")
        raise
