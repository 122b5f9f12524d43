"""Infrared receivers: programs that decode the pulses of a remote control."""

from __future__ import annotations

from ..errors import NotSupportedError
from ..uapi import AttachType
from .attachment import Attachment, detach_all
from .net import open_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def attach(prog: Any, target: str = "/dev/lirc0") -> Attachment:
    """Decode what a receiver gets, by the path of its device; up to 64 programs share one.

    The mechanism is older than links: the program stays on the device when the process is killed, and `detach`
    cleans up.
    """
    from errno import EINVAL, ENOTTY

    from ..errors import SyscallError

    try:
        with open_path(target, "infrared receiver") as device:
            return Attachment(target, device.fileno(), prog, AttachType.LIRC_MODE2)
    except SyscallError as error:
        if error.errno in (EINVAL, ENOTTY):
            raise NotSupportedError(f"BPF on {target}", since="4.18", hint="it needs CONFIG_BPF_LIRC_MODE2") from None
        raise


def detach(target: str = "/dev/lirc0") -> int:
    """Detach all programs of a receiver; how many there were."""
    with open_path(target, "infrared receiver") as device:
        return detach_all(device.fileno(), AttachType.LIRC_MODE2)
