"""Socket maps: programs that judge what the sockets in a map send (sk_msg) or receive (sk_skb)."""

from __future__ import annotations

from ..uapi import AttachType, LinkType, ProgType
from .attachment import Attachment
from .base import BpfLink, Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_DEFAULT = {ProgType.SK_MSG: AttachType.SK_MSG_VERDICT, ProgType.SK_SKB: AttachType.SK_SKB_STREAM_VERDICT}


def attach(prog: Any, target: Any) -> Link:
    """Attach to a live SockMap or SockHash (or its descriptor), before sockets are put into it.

    Sockets take over the programs of the map when they enter it; what is attached later does not concern them.
    """
    fd = target if isinstance(target, int) else target.fileno()
    attach_type = prog.spec.expected_attach_type or _DEFAULT[prog.prog_type]
    what = f"socket map {fd} ({AttachType(attach_type).name})"
    from .. import features

    if features.have_link_type(LinkType.SOCKMAP):
        from ..syscall.objects import link_create

        return BpfLink(what, link_create(prog.fileno(), fd, attach_type, what=what))
    return Attachment(what, fd, prog, attach_type)
