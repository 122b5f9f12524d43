"""A corner of the machine for code blocks of the pages: a network namespace, a cgroup, a directory of a bpffs.

Pages name what a reader has: `lo`, /sys/fs/cgroup/demo, /sys/fs/bpf/demo.  While a page is tested these are its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import socket
import struct
from collections.abc import Iterator

NEWNET = 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
CGROUP, BPFFS = "/sys/fs/cgroup/demo", "/sys/fs/bpf/demo"


@contextlib.contextmanager
def network() -> Iterator[None]:
    """The calling thread in a network namespace of its own, in which `lo` is up."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as home:
        if libc.unshare(NEWNET) < 0:
            raise OSError(ctypes.get_errno(), "unshare")
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
            yield
        finally:
            if libc.setns(home.fileno(), NEWNET) < 0:
                raise OSError(ctypes.get_errno(), "setns")


def mounts(kind: str) -> str:
    """Where a file system of this kind is mounted, or ""."""
    with open("/proc/self/mounts") as file:
        found = [line.split()[1] for line in file if line.split()[2] == kind]
    return found[0] if found else ""


@contextlib.contextmanager
def paths() -> Iterator[dict[str, str]]:
    """What stands in the pages -> what it is here."""
    cgroups, bpffs = mounts("cgroup2"), mounts("bpf")
    group, pins = f"{cgroups}/pybpf-docs-{os.getpid()}", f"{bpffs}/pybpf-docs-{os.getpid()}"
    if cgroups:
        os.mkdir(group)
    try:
        yield {CGROUP: group, BPFFS: pins}
    finally:
        if cgroups:
            os.rmdir(group)
        if bpffs:
            shutil.rmtree(pins, ignore_errors=True)
