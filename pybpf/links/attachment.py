"""`Attachment`: what BPF_PROG_ATTACH makes, for hooks and kernels without links."""

from __future__ import annotations

import os

from ..syscall.progs import prog_attach, prog_detach
from .base import Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Attachment(Link):
    """A program attached to an object (a cgroup, a map, a device) without a link.

    It belongs to that object: it stays when the process is killed, until the object is gone or
    `syscall.prog_detach` undoes it.
    """

    def __init__(self, what: str, target_fd: int, prog: Any, attach_type: int, flags: int = 0) -> None:
        prog_attach(target_fd, prog.fileno(), attach_type, flags)
        super().__init__(what)
        # Copies, since the caller may close both before the link.
        self._fds = os.dup(target_fd), os.dup(prog.fileno())
        self._attach_type = attach_type

    def _release(self) -> None:
        try:
            prog_detach(*self._fds, self._attach_type)
        finally:
            for fd in self._fds:
                os.close(fd)
