"""`Link`: an attachment that ends when it is closed."""

from __future__ import annotations

from ..errors import NotSupportedError, SyscallError
from ..syscall.fd import Fd, Object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Link(Fd):
    """A program attached to something; closing detaches it, and so does leaving a `with`.

    `target` says in words what it is attached to.  This base serves mechanisms that are older than links: what
    undoes them is `_release` of a subclass, and if the process is killed they may stay (see the subclass).
    """

    places: frozenset[int] = frozenset()  # in pages, by which a program without cookies knows where it was hit

    def __init__(self, target: str, fd: int = -1) -> None:
        super().__init__(fd)
        self.target = target

    @property
    def info(self) -> Any:
        """What the kernel tells about the link."""
        raise NotSupportedError(f"information about {self.target}", hint="its mechanism is older than links")

    def pin(self, path: str) -> None:
        """Keep the attachment under a name in a bpffs, beyond the life of the process."""
        raise NotSupportedError(f"pinning {self.target}", hint="its mechanism is older than links")

    @classmethod
    def from_id(cls, id_: int) -> BpfLink:
        """Open a link by its id.  SyscallError (ENOENT) when there is none."""
        from .found import from_id

        return from_id(id_)

    @classmethod
    def from_pin(cls, path: str) -> BpfLink:
        """Open a pinned link.  SyscallError when nothing is pinned there, KindError when it is no link."""
        from .found import from_pin

        return from_pin(path)

    def _subject(self) -> str:
        return f"the link to {self.target}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} to {self.target}{', closed' if self.closed else ''}>"


class BpfLink(Link, Object):
    """A link of the kernel: its descriptor holds the attachment, which ends with the last descriptor or pin.

    When the process dies, however it dies, the kernel detaches.
    """

    @property
    def info(self) -> Any:
        """What the kernel tells about the link: `uapi.LinkInfo`, filled."""
        from ctypes import sizeof

        from ..syscall.objects import obj_info
        from ..uapi import LinkInfo

        size = sizeof(LinkInfo)
        return LinkInfo.from_buffer_copy(obj_info(self.fileno(), size).ljust(size, b"\0"))

    @property
    def details(self) -> dict[str, Any]:
        """The same with names: "id", "type", "prog_id", "target" in words, and by type "interface", "function", ..."""
        from .details import details

        return details(self.fileno())

    @property
    def id(self) -> int:
        """The number by which other tools find the link."""
        return int(self.info.id)

    def update(self, prog: Any, *, old: Any = None) -> None:
        """Put another program in place of this one, atomically; with `old` only when that is the one now."""
        from ..syscall.objects import link_update

        flags = 0 if old is None else 4  # BPF_F_REPLACE
        try:
            link_update(self.fileno(), prog.fileno(), flags, 0 if old is None else old.fileno(), self._subject())
        except SyscallError as error:
            now = self.info.prog_id
            if old is not None and now != old.id:
                error.hint = f"the program there is number {now}, not the old one that was given ({old.id})"
            raise

    def detach_now(self) -> None:
        """Detach although other descriptors or pins of the link remain (Linux 5.9)."""
        from ..syscall.objects import link_detach

        link_detach(self.fileno())

    def pin(self, path: str) -> None:
        """Keep the attachment under a name in a bpffs, beyond the life of the process."""
        Object.pin(self, path)
