"""Socket maps: programs that parse, judge and redirect what the sockets in a SockMap or SockHash send and receive."""

from __future__ import annotations

from errno import EINVAL

from ..errors import KindError, SpecError, SyscallError
from ..uapi import AttachType, LinkType, ProgType
from .attachment import Attachment, detach_all
from .base import BpfLink, Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def attach(prog: Any, target: Any, *, hook: int | None = None) -> Link:
    """Attach to a socket map, live or a descriptor; sockets take the programs that are there when they are added.

    `hook` is the `AttachType` of sk_skb programs that were loaded without one (parser, verdict, or both in one).
    """
    from ..syscall.objects import link_create

    found = hook or prog.spec.expected_attach_type
    if not found:
        if prog.prog_type != ProgType.SK_MSG:
            raise SpecError(
                f"{prog!r}: give hook=AttachType.SK_SKB_STREAM_PARSER, SK_SKB_STREAM_VERDICT or SK_SKB_VERDICT"
            )
        found = AttachType.SK_MSG_VERDICT
    if not isinstance(target, int) and not hasattr(target, "fileno"):
        raise KindError(f"{target!r} is no live socket map")
    fd = target if isinstance(target, int) else target.fileno()
    name = getattr(target, "name", "") or f"of descriptor {fd}"
    what = f"socket map {name} ({AttachType(found).name.lower()})"
    try:
        return BpfLink(what, link_create(prog.fileno(), fd, found, what=what))
    except SyscallError as error:
        from .. import features

        if error.errno != EINVAL or features.have_link_type(LinkType.SOCKMAP):
            raise
    # It belongs to the map: it ends with the map, so with the process unless the map is pinned.
    return Attachment(what, fd, prog, found)


def detach(target: Any, hook: int) -> int:
    """Detach every program that is on a socket map without a link; how many there were.  `hook` is an `AttachType`."""
    return detach_all(target if isinstance(target, int) else target.fileno(), hook)
