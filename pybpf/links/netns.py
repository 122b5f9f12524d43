"""Network namespaces: sk_lookup (which socket receives a connection), flow_dissector (what a packet's flow is)."""

from __future__ import annotations

from ..uapi import AttachType, ProgType
from .base import BpfLink
from .net import open_netns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HOOKS = {ProgType.SK_LOOKUP: AttachType.SK_LOOKUP, ProgType.FLOW_DISSECTOR: AttachType.FLOW_DISSECTOR}


def attach(prog: Any, target: Any = None) -> BpfLink:
    """Attach to a network namespace: a name of `ip netns`, a path, a process id, or None for the caller's own.

    Several sk_lookup programs run one after the other; a namespace has one flow dissector, and one in the initial
    namespace rules all of them.  Linux 5.8 (flow_dissector), 5.9 (sk_lookup).
    """
    from ..syscall.objects import link_create

    what = "this network namespace" if target is None else f"network namespace {target}"
    with open_netns(target) as netns:
        return BpfLink(what, link_create(prog.fileno(), netns.fileno(), _HOOKS[prog.prog_type], what=what))
