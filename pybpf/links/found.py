"""Links that the kernel has already: by id, by pin, or all of them."""

from __future__ import annotations

from ..syscall.bpffs import open_pin
from ..syscall.objects import each, fd_by_id
from .base import BpfLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def from_id(id_: int) -> BpfLink:
    """Open a link by its id.  SyscallError (ENOENT) when there is none."""
    return BpfLink(f"link {id_}", fd_by_id("link", id_))


def from_pin(path: str) -> BpfLink:
    """Open a pinned link.  SyscallError when nothing is pinned there, KindError when it is no link."""
    found = BpfLink(f"what {path} is attached to", open_pin(path, "link"))
    found._pinned = path
    return found


def links() -> Iterator[BpfLink]:
    """All links in the kernel, open; each is closed when it is dropped."""
    for id_, fd in each("link"):
        yield BpfLink(f"link {id_}", fd).keep_quiet()
