"""The door: one function through which everything that may fail in the kernel goes.

libc is found on first use, so importing this works on any operating system.
"""

from __future__ import annotations

import errno
import sys
from ctypes import addressof, c_char, c_long, get_errno

from ..errors import NotSupportedError, SyscallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

# Number of each system call that is used, by machine (arch/*/entry/syscalls, include/uapi/asm-generic/unistd.h).
_MACHINES = {
    "x86_64": "x86_64",
    "i386": "i386",
    "i686": "i386",
    "aarch64": "generic",
    "riscv64": "generic",
    "loongarch64": "generic",
    "s390x": "s390x",
    "ppc64le": "ppc64",
    "ppc64": "ppc64",
    "armv7l": "arm",
    "armv6l": "arm",
    "armv8l": "arm",
}
NUMBERS = {
    "bpf": {"x86_64": 321, "i386": 357, "generic": 280, "s390x": 351, "ppc64": 361, "arm": 386},
    "perf_event_open": {"x86_64": 298, "i386": 336, "generic": 241, "s390x": 331, "ppc64": 319, "arm": 364},
    "seccomp": {"x86_64": 317, "i386": 354, "generic": 277, "s390x": 348, "ppc64": 358, "arm": 383},
    "pidfd_open": dict.fromkeys(("x86_64", "i386", "generic", "s390x", "ppc64", "arm"), 434),
}

# Commands that old kernels charge to RLIMIT_MEMLOCK: MAP_CREATE, PROG_LOAD, BTF_LOAD.
_CHARGED = (0, 5, 18)
_PROG_LOAD = 5
_MAX_TRIES = 10

_libc: Any = None
_number: Any = None


def machine() -> str:
    """The table column for this machine; NotSupportedError where there is no bpf(2)."""
    if sys.platform != "linux":
        raise NotSupportedError("bpf(2)", hint=f"this is {sys.platform}; verify and run programs offline instead")
    from os import uname

    name = uname().machine
    if sys.maxsize < 1 << 32:  # a 32-bit Python on a 64-bit kernel makes the calls of the 32-bit machine
        name = {"x86_64": "i386", "aarch64": "armv7l"}.get(name, name)
    try:
        return _MACHINES[name]
    except KeyError:
        raise NotSupportedError(
            f"bpf(2) on the machine {name!r}", hint="its system call numbers are not known"
        ) from None


def libc() -> Any:
    """The C library, with errno kept for `get_errno`."""
    global _libc
    if _libc is None:
        machine()
        from ctypes import CDLL

        _libc = CDLL(None, use_errno=True)
    return _libc


def syscall(name: str, *args: Any) -> int:
    """A system call of `NUMBERS`; its result, or minus the errno.  Interrupted calls are repeated."""
    function = libc().syscall
    words = [c_long(a) if isinstance(a, int) else a for a in (NUMBERS[name][machine()], *args)]
    while True:
        result: int = function(*words)
        if result >= 0:
            return result
        if get_errno() != errno.EINTR:
            return -get_errno()


def call(command: int, attr: bytearray) -> int:
    """bpf(2): the result, or minus the errno.  The kernel may write to `attr`.

    Interrupted calls are repeated, and so is a load that the verifier broke off for a signal (EAGAIN).  Where the
    kernel charges maps and programs to RLIMIT_MEMLOCK (before 5.11), the limit is raised when it is hit.
    """
    global _number
    if _number is None:
        _number = c_long(NUMBERS["bpf"][machine()])
    function = libc().syscall
    size = len(attr)
    buffer = (c_char * size).from_buffer(attr)
    tries = 0
    while True:
        result: int = function(_number, command, buffer, size)
        if result >= 0:
            return result
        code = get_errno()
        tries += 1
        if code == errno.EINTR or (code == errno.EAGAIN and command == _PROG_LOAD and tries < _MAX_TRIES):
            continue
        if code == errno.EPERM and command in _CHARGED:
            from .memlock import retry_unlimited

            code = -retry_unlimited(lambda: _once(function, command, buffer, size))
            if code in (errno.EINTR, errno.EAGAIN):
                continue
        return -code


def _once(function: Any, command: int, buffer: Any, size: int) -> int:
    result: int = function(_number, command, buffer, size)
    return result if result >= 0 else -get_errno()


def bpf(command: int, attr: bytes | bytearray, what: str = "") -> int:
    """bpf(2): the result, never negative.  SyscallError names the command, the object `what`, and the likely remedy.

    `attr` is the command's part of `union bpf_attr`, packed; pass a bytearray to see what the kernel wrote into it.
    """
    if not isinstance(attr, bytearray):
        attr = bytearray(attr)
    result = call(command, attr)
    if result < 0:
        raise failure(-result, command, what)
    return result


_OPTIONS = {
    26: "SO_ATTACH_FILTER",
    27: "SO_DETACH_BPF",
    50: "SO_ATTACH_BPF",
    51: "SO_ATTACH_REUSEPORT_CBPF",
    52: "SO_ATTACH_REUSEPORT_EBPF",
    68: "SO_DETACH_REUSEPORT_BPF",
}


def setsockopt(fd: int, level: int, option: int, value: bytes, what: str = "") -> None:
    """setsockopt(2) on any descriptor; SyscallError when it fails."""
    if libc().setsockopt(fd, level, option, value, len(value)) < 0:
        raise failure(get_errno(), f"setsockopt({_OPTIONS.get(option, option)})", what)


def failure(code: int, command: int | str, what: str = "") -> SyscallError:
    """The exception for an errno of `command`, a number of bpf(2) or the name of another call."""
    from .remedy import command_name, remedy

    return SyscallError(code, command_name(command), what, remedy(code, command))


def buffer_of(data: Any) -> Any:
    """A ctypes array over `data`: over its own memory when it is writable, else a copy."""
    try:
        return (c_char * len(data)).from_buffer(data)
    except TypeError:
        return (c_char * len(data)).from_buffer_copy(data)


def address(buffer: Any) -> int:
    """Where a ctypes object is in memory; 0 for None.  The caller keeps the object alive."""
    return 0 if buffer is None else addressof(buffer)


def object_name(name: str | bytes) -> bytes:
    """A name as the kernel takes it: letters, digits, `_` and `.`, at most 15 bytes; everything else becomes `_`."""
    raw = name.encode("utf-8", "surrogateescape") if isinstance(name, str) else bytes(name)
    if not raw.replace(b"_", b"a").isalnum():
        raw = bytes(c if chr(c).isascii() and (chr(c).isalnum() or c in b"_.") else 0x5F for c in raw)
    return raw[:15]


TOKEN_FD = 1 << 16  # BPF_F_TOKEN_FD, among the flags of MAP_CREATE, PROG_LOAD and BTF_LOAD


def with_token(flags: int, token_fd: int) -> int:
    """The flags of a command that is permitted by a token, if there is one."""
    return flags | TOKEN_FD if token_fd else flags


def cstrings(values: Iterable[str]) -> Any:
    """A ctypes array of `char *`, as kprobe_multi takes symbols."""
    from ctypes import c_char_p

    found = [v.encode() for v in values]
    return (c_char_p * len(found))(*found)
