"""Infrared receivers: programs that decode the pulses of a remote control."""

from __future__ import annotations

from ..errors import NotSupportedError
from ..uapi import AttachType
from .base import Link
from .net import open_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..syscall.fd import Fd


class LircLink(Link):
    """A decoder on a receiver.

    The mechanism is older than links: the program stays on the device when the process is killed, and `detach` cleans up.
    """

    def __init__(self, target: str, device: Fd, prog_fd: int) -> None:
        from os import dup

        super().__init__(target)
        self._device = device
        self._prog_fd = dup(prog_fd)

    def _release(self) -> None:
        from os import close

        from ..syscall.progs import prog_detach

        try:
            prog_detach(self._device.fileno(), self._prog_fd, AttachType.LIRC_MODE2)
        finally:
            close(self._prog_fd)
            self._device.close()


def attach(prog: Any, target: str = "/dev/lirc0") -> LircLink:
    """Decode what a receiver gets, by the path of its device; up to 64 programs share one."""
    from errno import EINVAL, ENOTTY

    from ..errors import SyscallError
    from ..syscall.progs import prog_attach

    device = open_path(target, "infrared receiver")
    try:
        prog_attach(device.fileno(), prog.fileno(), AttachType.LIRC_MODE2)
    except SyscallError as error:
        device.close()
        if error.errno in (EINVAL, ENOTTY):
            raise NotSupportedError(f"BPF on {target}", since="4.18", hint="it needs CONFIG_BPF_LIRC_MODE2") from None
        raise
    return LircLink(target, device, prog.fileno())


def detach(target: str = "/dev/lirc0") -> int:
    """Detach all programs of a receiver; how many there were."""
    from os import close

    from ..syscall.objects import fd_by_id
    from ..syscall.progs import prog_detach, prog_query

    with open_path(target, "infrared receiver") as device:
        rows, _, _ = prog_query(device.fileno(), AttachType.LIRC_MODE2)
        for id_, *_ in rows:
            fd = fd_by_id("prog", id_)
            try:
                prog_detach(device.fileno(), fd, AttachType.LIRC_MODE2)
            finally:
                close(fd)
    return len(rows)
