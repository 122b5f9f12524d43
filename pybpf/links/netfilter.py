"""Netfilter: programs at the five hooks of the IP layers, among the chains of nftables (Linux 6.4)."""

from __future__ import annotations

from struct import pack

from ..errors import SpecError
from ..uapi import AttachType
from .base import BpfLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FAMILIES = {"ipv4": 2, "ipv6": 10}
HOOKS = {"prerouting": 0, "input": 1, "forward": 2, "output": 3, "postrouting": 4}
_DEFRAG = 1 << 0


def attach(prog: Any, target: str, *, priority: int = 0, defrag: bool = False) -> BpfLink:
    """Attach to a hook such as "ipv4/input": a family, and prerouting, input, forward, output or postrouting.

    `priority` orders the program among other hooks; lower runs first, and each value may be taken once.  With `defrag`
    (Linux 6.6) it sees whole packets instead of fragments.
    """
    family, _, hook = target.partition("/")
    if family not in FAMILIES or hook not in HOOKS:
        raise SpecError(f"netfilter hook {target!r}: expected {'|'.join(FAMILIES)}/{'|'.join(HOOKS)}")
    from ..syscall.objects import link_create

    extra = pack("=IIiI", FAMILIES[family], HOOKS[hook], priority, _DEFRAG if defrag else 0)
    what = f"netfilter hook {target}"
    return BpfLink(what, link_create(prog.fileno(), 0, AttachType.NETFILTER, 0, extra, what=what))
