"""Infrared receivers: programs that decode the pulses of a /dev/lirc device (Linux 4.18)."""

from __future__ import annotations

from ..uapi import AttachType
from .attachment import Attachment
from .net import open_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def attach(prog: Any, target: str) -> Attachment:
    """Attach to a device such as "/dev/lirc0", until the link is closed or the device is gone."""
    with open_path(target, "infrared device") as device:
        return Attachment(f"infrared device {target}", device.fileno(), prog, AttachType.LIRC_MODE2)
