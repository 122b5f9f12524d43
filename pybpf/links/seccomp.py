"""Seccomp: a classic filter over the system calls of the calling process, in force until it ends."""

from __future__ import annotations

from ctypes import c_ulong, get_errno
from errno import EBUSY
from struct import pack

from ..syscall.door import address, buffer_of, failure, libc, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..cbpf import Filter, Seccomp

_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER = 1
_FLAG_TSYNC = 1
_FLAG_LOG = 2


def install_seccomp(policy: Seccomp | Filter, *, all_threads: bool = True, log: bool = False) -> None:
    """Put a policy in force for the calling thread, or for all threads of the process, and for what they start.

    It cannot be taken back.  The process gives up gaining privileges by exec (no_new_privs), which the kernel
    demands of the unprivileged.  With `log` the actions other than ALLOW are logged.
    FilterError for a filter that seccomp does not take, SyscallError when the kernel refuses: EBUSY when another
    thread has a filter that this process's did not have in common.  Linux 3.17; KILL_PROCESS and `log` 4.14.
    """
    from ..cbpf.seccomp import check

    raw = bytes(policy)
    check(raw)
    if libc().prctl(_PR_SET_NO_NEW_PRIVS, c_ulong(1), c_ulong(0), c_ulong(0), c_ulong(0)) < 0:
        raise failure(get_errno(), "prctl(PR_SET_NO_NEW_PRIVS)")
    code = buffer_of(raw)
    fprog = buffer_of(pack("HP", len(raw) // 8, address(code)))
    flags = (_FLAG_TSYNC if all_threads else 0) | (_FLAG_LOG if log else 0)
    result = syscall("seccomp", _SET_MODE_FILTER, flags, fprog)
    if result > 0:  # with TSYNC: the first thread that could not follow, and nothing was installed
        raise failure(EBUSY, "seccomp(SET_MODE_FILTER)", f"thread {result} has a filter of its own")
    if result < 0:
        raise failure(-result, "seccomp(SET_MODE_FILTER)", f"a filter of {len(raw) // 8} instructions")
