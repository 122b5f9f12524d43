"""`Fd`: the owner of one file descriptor, and the base of everything live."""

from __future__ import annotations

import os
import sys
from errno import EBADF

from ..errors import SyscallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Self


class ClosedError(SyscallError, ValueError):
    """A live object was used after it was closed.  Also a ValueError, as for a closed file."""

    def __str__(self) -> str:
        return f"{self.what} is closed"


class Fd:
    """Owns a descriptor: closes it once, on `close()` or when a `with` ends, and warns when that was forgotten.

    bpf(2) makes its descriptors close-on-exec.  After a fork both processes hold a copy: closing it in the
    child leaves the parent's alone, and the child does none of what `_release` does for the creator.
    An object may have something to release but no descriptor of its own: `fd` is then -1.
    """

    _warns = True

    def __init__(self, fd: int = -1) -> None:
        self._fd = [fd]
        self._pid = os.getpid()

    def fileno(self) -> int:
        """The descriptor (-1 where there is none).  ClosedError after `close()`."""
        try:
            return self._fd[0]
        except IndexError:
            raise ClosedError(EBADF, "use", self._subject()) from None

    def weak_fileno(self) -> Callable[[], int]:
        """`fileno` for what belongs to this object: it does not keep the object alive."""
        cell, subject = self._fd, self._subject()

        def fileno() -> int:
            try:
                return cell[0]
            except IndexError:
                raise ClosedError(EBADF, "use", subject) from None

        return fileno

    @property
    def closed(self) -> bool:
        """Whether `close()` was called, or the descriptor given away."""
        return not self._fd

    def close(self) -> None:
        """Close the descriptor; again does nothing."""
        try:
            fd = self._fd.pop()  # atomic: two threads that close at once do it once
        except IndexError:
            return
        try:
            if self._pid == os.getpid():
                self._release()
        finally:
            if fd >= 0:
                os.close(fd)

    def detach(self) -> int:
        """Give the descriptor away: it is no longer closed here."""
        fd = self.fileno()
        self._fd.clear()
        return fd

    def keep_quiet(self) -> Self:
        """Do not warn when this is dropped without `close()`; it is closed all the same.  For what iterators yield."""
        self._warns = False
        return self

    def _release(self) -> None:
        """What closing has to do beside closing the descriptor, in the process that made the object."""

    def _subject(self) -> str:
        """How error messages call this object."""
        return f"this {type(self).__name__}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __del__(self) -> None:
        if not self.__dict__.get("_fd"):
            return
        try:
            if self._warns and self._pid == os.getpid() and not sys.is_finalizing():
                import warnings

                warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
        finally:
            self.close()

    def __repr__(self) -> str:
        state = f"fd={self._fd[0]}" if self._fd else "closed"
        return f"<{type(self).__name__} {state}>"


class Object(Fd):
    """An object of bpf(2): a descriptor that can be pinned, and asked what it is."""

    _pinned: str | None = None

    def pin(self, path: str) -> None:
        """Give the object a name in a bpffs: it then outlives the process, until `unpin()`.

        A bpffs is mounted on /sys/fs/bpf when it is missing there (`logging` tells), and directories are made.
        """
        from .bpffs import pin

        pin(self.fileno(), path)
        self._pinned = path

    def unpin(self) -> None:
        """Remove the name that `pin()` gave, or under which the object was opened; none is no error."""
        if self._pinned is not None:
            path, self._pinned = self._pinned, None
            if os.path.lexists(path):
                os.unlink(path)


def close_all(live: Iterable[Any]) -> None:
    """Close each; an error leaves none of the others open, and is raised at the end (the first one)."""
    first: Exception | None = None
    for one in live:
        try:
            one.close()
        except Exception as error:
            first = first or error
    if first is not None:
        raise first
