"""The door itself: numbers, names, errno, and what can be known without a kernel."""

import ctypes
import errno
import os
import sys

import pytest

from pybpf import NotSupportedError, SyscallError
from pybpf.syscall import bpf, call, door, map_create, remedy


def test_numbers_of_each_machine():
    assert door.NUMBERS["bpf"] == {
        "x86_64": 321, "i386": 357, "generic": 280, "s390x": 351, "ppc64": 361, "arm": 386,
    }  # fmt: skip
    assert {door._MACHINES[m] for m in ("aarch64", "riscv64")} == {"generic"}


@pytest.mark.parametrize(
    ("machine", "bits", "column"),
    [("x86_64", 64, "x86_64"), ("x86_64", 32, "i386"), ("aarch64", 32, "arm"), ("s390x", 64, "s390x")],
)
def test_machine(monkeypatch, machine, bits, column):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(sys, "maxsize", (1 << (bits - 1)) - 1)
    monkeypatch.setattr(os, "uname", lambda: type("uname", (), {"machine": machine}))
    assert door.machine() == column


def test_unknown_machine(monkeypatch):
    monkeypatch.setattr(os, "uname", lambda: type("uname", (), {"machine": "vax"}))
    with pytest.raises(NotSupportedError, match="vax"):
        door.machine()


def test_other_systems(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(NotSupportedError, match="offline"):
        door.machine()


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("count", b"count"),
        ("a_name.with-signs", b"a_name.with_sig"),
        ("x" * 40, b"x" * 15),
        ("größe", b"gr____e"),
        ("bad\udcff", b"bad_"),
        (b"\xff\x00raw", b"__raw"),
        ("", b""),
    ],
)
def test_object_name(name, cleaned):
    assert door.object_name(name) == cleaned


@pytest.mark.kernel
def test_the_kernel_takes_cleaned_names():
    for name in ("größe", "bad\udcff", b"\xff\x00raw", "with space", "x" * 40):
        os.close(map_create(2, 4, 4, 1, name=name))


@pytest.mark.kernel
def test_errno_becomes_an_exception():
    with pytest.raises(SyscallError) as caught:
        map_create(9999, 4, 4, 1, name="m")
    assert caught.value.errno == errno.EINVAL
    assert caught.value.command == "BPF_MAP_CREATE"
    assert isinstance(caught.value, OSError)
    assert "map 'm'" in str(caught.value)
    assert "EINVAL" in str(caught.value)


@pytest.mark.kernel
def test_unknown_command():
    assert call(4000, bytearray(16)) == -errno.EINVAL
    with pytest.raises(SyscallError, match="bpf command 4000"):
        bpf(4000, bytes(16))


def fake_libc(monkeypatch, results):
    """A libc whose syscall gives these results in turn: a number, or a negative errno."""
    calls = []
    results = iter(results)

    def syscall(*args):
        calls.append(args)
        result = next(results)
        ctypes.set_errno(-result if result < 0 else 0)
        return -1 if result < 0 else result

    monkeypatch.setattr(door, "_libc", type("libc", (), {"syscall": staticmethod(syscall)}))
    return calls


def test_interrupted_calls_are_repeated(monkeypatch):
    calls = fake_libc(monkeypatch, [-errno.EINTR, -errno.EINTR, 7])
    assert call(1, bytearray(32)) == 7
    assert len(calls) == 3


def test_a_load_broken_off_is_repeated(monkeypatch):
    calls = fake_libc(monkeypatch, [-errno.EAGAIN, 5])
    assert call(5, bytearray(168)) == 5
    assert len(calls) == 2


def test_a_load_is_not_repeated_for_ever(monkeypatch):
    fake_libc(monkeypatch, [-errno.EAGAIN] * 100)
    assert call(5, bytearray(168)) == -errno.EAGAIN


def test_eagain_of_others_is_an_answer(monkeypatch):
    calls = fake_libc(monkeypatch, [-errno.EAGAIN, 5])
    assert call(1, bytearray(32)) == -errno.EAGAIN
    assert len(calls) == 1


class Limits:
    """A stand-in for the `resource` module."""

    RLIMIT_MEMLOCK = 8
    RLIM_INFINITY = -1

    def __init__(self, soft=65536):
        self.limits = (soft, soft)
        self.set_calls = 0

    def getrlimit(self, _which):
        return self.limits

    def setrlimit(self, _which, limits):
        self.set_calls += 1
        self.limits = limits


@pytest.fixture
def limits(monkeypatch):
    stand_in = Limits()
    monkeypatch.setitem(sys.modules, "resource", stand_in)
    return stand_in


def test_memlock_is_raised_when_that_helps(monkeypatch, limits):
    calls = fake_libc(monkeypatch, [-errno.EPERM, 3, 4])
    assert call(0, bytearray(96)) == 3
    assert limits.limits == (-1, -1)
    assert call(0, bytearray(96)) == 4
    assert (len(calls), limits.set_calls) == (3, 1)


def test_memlock_is_left_alone_when_it_does_not_help(monkeypatch, limits):
    fake_libc(monkeypatch, [-errno.EPERM] * 9)
    assert call(0, bytearray(96)) == -errno.EPERM
    assert limits.limits == (65536, 65536)


def test_memlock_that_was_the_first_obstacle_only(monkeypatch, limits):
    """A large program that is wrong, too: the second error is the one to tell, and the limit stays raised."""
    fake_libc(monkeypatch, [-errno.EPERM, -errno.EACCES, 3])
    assert call(5, bytearray(144)) == -errno.EACCES
    assert limits.limits == (-1, -1)
    assert call(5, bytearray(144)) == 3


def test_memlock_helps_after_a_refusal_for_another_reason(monkeypatch, limits):
    fake_libc(monkeypatch, [-errno.EPERM, -errno.EPERM, -errno.EPERM, 3])
    assert call(0, bytearray(96)) == -errno.EPERM
    assert call(0, bytearray(96)) == 3


def test_memlock_is_no_matter_for_lookups(monkeypatch, limits):
    fake_libc(monkeypatch, [-errno.EPERM])
    assert call(1, bytearray(32)) == -errno.EPERM
    assert limits.set_calls == 0


@pytest.mark.parametrize(
    ("held", "sysctl", "expected"),
    [
        (0, 2, "lacks CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON"),
        (0, 2, "unprivileged_bpf_disabled is 2"),
        (1 << 39, 0, "lacks CAP_NET_ADMIN, CAP_PERFMON"),
        (1 << 39 | 1 << 12 | 1 << 38, 0, "needs CAP_SYS_ADMIN"),
        (1 << 21, 0, "security module"),
        (None, None, "run as root"),
    ],
)
def test_eperm_says_which_capability(monkeypatch, held, sysctl, expected):
    monkeypatch.setattr(remedy, "effective_capabilities", lambda: held)
    monkeypatch.setattr(remedy, "unprivileged_bpf_disabled", lambda: sysctl)
    assert expected in remedy.remedy(errno.EPERM, 0)


def test_capabilities_are_read_from_proc():
    if sys.platform != "linux":
        pytest.skip("no /proc")
    held = remedy.effective_capabilities()
    assert held is not None
    with open("/proc/self/status") as status:
        assert f"CapEff:\t{held:016x}" in status.read()
