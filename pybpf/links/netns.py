"""Network namespaces: socket lookup and the flow dissector."""

from __future__ import annotations

from ..uapi import AttachType, ProgType
from .base import BpfLink
from .net import open_netns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HOOKS = {ProgType.SK_LOOKUP: AttachType.SK_LOOKUP, ProgType.FLOW_DISSECTOR: AttachType.FLOW_DISSECTOR}


def attach(prog: Any, target: str | int | None = None) -> BpfLink:
    """Attach to a network namespace: the caller's own (None), that of a process id, a named one, or a path.

    Several socket lookup programs may be attached to a namespace, but one flow dissector (Linux 5.9, and 5.8).
    """
    from ..syscall.objects import link_create

    what = f"network namespace {'of this process' if target is None else target}"
    with open_netns(target) as netns:
        return BpfLink(what, link_create(prog.fileno(), netns.fileno(), _HOOKS[prog.prog_type], what=what))
