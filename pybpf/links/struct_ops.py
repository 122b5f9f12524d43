"""struct_ops: programs that are the functions of a kernel structure, such as a TCP congestion control."""

from __future__ import annotations

from ..errors import SpecError, SyscallError
from ..uapi import AttachType, LinkType, MapFlags
from .base import BpfLink, Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Registration(Link):
    """A structure registered without a link: before Linux 6.4, or for a map that was made without MapFlags.LINK.

    It goes with this link; the kernel keeps it when the process is killed (`bpftool struct_ops unregister` ends it).
    """

    def __init__(self, target: str, map_fd: int) -> None:
        from os import dup

        super().__init__(target)
        self._map_fd = dup(map_fd)

    def _release(self) -> None:
        from os import close

        from ..syscall.maps import map_delete_elem

        try:
            map_delete_elem(self._map_fd, bytes(4))
        finally:
            close(self._map_fd)


def attach(prog: Any, target: Any) -> Link:
    """Register the structure in `target`, a live struct_ops map, of which the program is one function."""
    if not hasattr(target, "fileno"):
        raise SpecError(f"{prog!r} is one function of a structure: attach the struct_ops map, not {target!r}")
    return attach_map(target)


def attach_map(map: Any) -> Link:
    """Register the structure in a live struct_ops map, until the link is closed.

    `link.update(other_map)` puts another one in its place where the structure allows it.
    """
    from ..syscall.objects import link_create

    what = f"structure {getattr(map, 'name', '') or 'of a struct_ops map'}"
    flags = getattr(getattr(map, "spec", None), "flags", 0)
    if not flags & MapFlags.LINK:
        link = Registration(what, map.fileno())
        map.registered = False  # it is the link's to take back now
        return link
    try:
        return BpfLink(what, link_create(map.fileno(), 0, AttachType.STRUCT_OPS, what=what))
    except SyscallError:
        from .. import features

        features.require(features.have_link_type, LinkType.STRUCT_OPS, hint="make the map without MapFlags.LINK")
        raise
