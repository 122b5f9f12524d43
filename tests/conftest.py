"""Shared by all tests: `kernel` tests run where bpf(2) is permitted, and skip, saying why, where it is not.

`--require-kernel` (given by CI on a machine that permits bpf(2)) turns such skips into a failure.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager

import pytest

_SYS_BPF = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}
CLONE_NEWNET = 0x40000000
_NOT_PERMITTED = "bpf(2) is not permitted here"


def bpf_permitted() -> bool:
    """Ask the kernel itself, without pybpf: an empty array map costs nothing and needs CAP_BPF."""
    if sys.platform != "linux" or os.uname().machine not in _SYS_BPF:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    attr = (ctypes.c_uint32 * 32)(2, 4, 4, 1)
    fd = libc.syscall(_SYS_BPF[os.uname().machine], 0, ctypes.byref(attr), ctypes.sizeof(attr))
    if fd >= 0:
        os.close(fd)
    return fd >= 0 or ctypes.get_errno() not in (errno.EPERM, errno.EACCES, errno.ENOSYS)


def pytest_addoption(parser):
    parser.addoption("--require-kernel", action="store_true", help="fail when kernel tests cannot run")


def pytest_collection_modifyitems(config, items):
    if bpf_permitted():
        return
    for item in items:
        if item.get_closest_marker("kernel"):
            item.add_marker(pytest.mark.skip(reason=_NOT_PERMITTED))


def pytest_configure(config):
    if config.getoption("--require-kernel") and not bpf_permitted():
        raise pytest.UsageError(f"--require-kernel: {_NOT_PERMITTED}")
    # Once, before any worker starts.
    if bpf_permitted() and not hasattr(config, "workerinput"):
        mount_file_systems()


def mount_file_systems():
    """What an init system mounts, for tools that expect it (libbpf pins, bpftool reads tracefs), where we may.

    A machine that has just booted without one, such as a container's, lacks them.  They stay, as they do there.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/mounts") as file:
        mounted = {tuple(line.split()[1:3]) for line in file}
    for kind, place in (("bpf", "/sys/fs/bpf"), ("tracefs", "/sys/kernel/tracing")):
        if (place, kind) not in mounted and os.path.isdir(place):
            libc.mount(kind.encode(), place.encode(), kind.encode(), 0, None)


@pytest.fixture
def fd_count():
    """Number of open descriptors, to compare before and after."""
    return lambda: len(os.listdir("/proc/self/fd"))


class Network:
    """A network namespace that lives as long as the fixture; `inside()` moves the calling thread there."""

    def __init__(self):
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        if self._libc.unshare(CLONE_NEWNET):
            os.close(self._home)
            pytest.skip("network namespaces are not permitted here")
        self._own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self._enter(self._home)

    def _enter(self, fd):
        if self._libc.setns(fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")

    @contextmanager
    def inside(self):
        self._enter(self._own)
        try:
            yield
        finally:
            self._enter(self._home)

    def ip(self, *words):
        with self.inside():
            subprocess.run(["ip", *words], check=True)

    def up(self, device):
        with self.inside():
            shown = subprocess.run(["ip", "-o", "link", "show", device], check=True, capture_output=True, text=True)
        return "state UP" in shown.stdout

    def close(self):
        os.close(self._own)
        os.close(self._home)


@pytest.fixture
def network():
    if not shutil.which("ip"):
        pytest.skip("ip (iproute2) is not installed")
    own = Network()
    own.ip("link", "set", "lo", "up")
    yield own
    own.close()
