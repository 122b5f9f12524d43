"""`Attachment`: what BPF_PROG_ATTACH makes, for hooks and kernels without links."""

from __future__ import annotations

from errno import EBADF, ENODEV, ENOENT
from os import close, dup

from ..errors import SyscallError
from ..syscall.fd import Fd
from ..syscall.progs import prog_attach, prog_detach
from .base import Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_GONE = (ENOENT, ENODEV, EBADF)


class Attachment(Link):
    """A program attached to an object (a cgroup, a map, a device) without a link.

    It belongs to that object: it stays when the process is killed, until the object is gone or
    `syscall.prog_detach` undoes it; the module of the hook has a function that cleans up.
    """

    def __init__(
        self, what: str, target_fd: int, prog: Any, attach_type: int, flags: int = 0, replace_fd: int = 0
    ) -> None:
        # Copies, since the caller may close both before the link.
        with Fd(dup(target_fd)) as target, Fd(dup(prog.fileno())) as program:
            prog_attach(target_fd, prog.fileno(), attach_type, flags, replace_fd, what=what)
            super().__init__(what)
            self._fds = Fd(target.detach()).keep_quiet(), Fd(program.detach()).keep_quiet()
        self._attach_type = attach_type

    def _release(self) -> None:
        target, program = self._fds
        with target, program:
            try:
                prog_detach(target.fileno(), program.fileno(), self._attach_type)
            except SyscallError as error:
                if error.errno not in _GONE:  # someone else detached it, or replaced it
                    raise


def detach_all(target_fd: int, attach_type: int) -> int:
    """Detach every program that is on an object without a link; how many there were."""
    from ..syscall.objects import fd_by_id
    from ..syscall.progs import prog_query

    count = 0
    for id_, *_ in prog_query(target_fd, attach_type)[0]:
        fd = fd_by_id("prog", id_)
        try:
            prog_detach(target_fd, fd, attach_type)
            count += 1
        except SyscallError as error:
            if error.errno not in (*_GONE, _EPERM):  # this one is there by a link, which only its owner ends
                raise
        finally:
            close(fd)
    return count


_EPERM = 1
