"""tracefs: where the kernel shows its trace events and takes probes; mounted on demand."""

from __future__ import annotations

import os
from ctypes import get_errno
from errno import EPERM

from ..errors import NotSupportedError
from .door import failure, libc

PLACES = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")


def directory() -> str:
    """Where tracefs is mounted; where it is not, it is mounted on its usual place, and `logging` tells.

    NotSupportedError when the kernel has none, SyscallError when mounting is not permitted.
    """
    for place in PLACES:
        if os.path.exists(f"{place}/events"):
            return place
    if not os.path.isdir(PLACES[0]):
        raise NotSupportedError("tracefs", hint="the kernel is built without CONFIG_FTRACE")
    if libc().mount(b"tracefs", os.fsencode(PLACES[0]), b"tracefs", 0, None) < 0:
        error = failure(get_errno(), "mount", f"tracefs on {PLACES[0]}")
        if error.errno == EPERM:
            error.hint = "run as root: tracefs is mounted and read by root alone"
        raise error
    from logging import getLogger

    getLogger("pybpf").warning("mounted tracefs on %s", PLACES[0])
    return PLACES[0]
