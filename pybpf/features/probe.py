"""What every probe is made of: a smallest program or map, and what the kernel's answer to it means."""

from __future__ import annotations

from contextlib import contextmanager
from errno import EACCES, EPERM
from os import close

from ..asm import Insn, encode
from ..syscall.door import address, buffer_of, call, failure
from ..syscall.progs import LOAD, PROG_LOAD
from ..uapi import AttachType as A
from ..uapi import ProgFlags
from ..uapi import ProgType as P

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

BAD_FD = 0xFFFFFFFF
EXIT = Insn(0x95)
ZERO = Insn(0xB7)
RETURN_0 = (ZERO, EXIT)
RETURN_1 = (Insn(0xB7, imm=1), EXIT)

# Attach type that a program of a type must ask for to be loaded; other types have none, or a default.
_ATTACH_TYPE = {
    P.CGROUP_SOCK_ADDR: A.CGROUP_INET4_CONNECT,
    P.CGROUP_SOCKOPT: A.CGROUP_GETSOCKOPT,
    P.SK_LOOKUP: A.SK_LOOKUP,
    P.NETFILTER: A.NETFILTER,
    P.TRACING: A.TRACE_RAW_TP,
    P.LSM: A.LSM_MAC,
}
# A kernel function that is always there and that nobody calls, for programs that name their target when they load.
_TARGETS = {
    A.TRACE_FENTRY: "bpf_fentry_test1",
    A.TRACE_FEXIT: "bpf_fentry_test1",
    A.TRACE_FSESSION: "bpf_fentry_test1",
    A.MODIFY_RETURN: "security_quotactl",  # the only prefix that every kernel takes
    A.TRACE_RAW_TP: "btf_trace_bpf_test_finish",
    A.TRACE_ITER: "bpf_iter_bpf_map",
    A.LSM_MAC: "bpf_lsm_quotactl",
    A.LSM_CGROUP: "bpf_lsm_socket_bind",
}


def kernel_version() -> int:
    """LINUX_VERSION_CODE of the running kernel, which kernels before 5.0 want of kprobe programs."""
    from os import uname

    numbers = [int(part) for part in uname().release.split("-")[0].split("+")[0].split(".")[:3] if part.isdigit()]
    major, minor, patch = [*numbers, 0, 0, 0][:3]
    return major << 16 | minor << 8 | min(patch, 255)


def target_id(attach_type: int) -> int:
    """BTF id of what a probe with this attach type is for; 0 where it needs none, or the kernel has no such thing."""
    name = _TARGETS.get(A(attach_type)) if attach_type in A.__members__.values() else None
    if name is None:
        return 0
    from ..btf import Btf
    from ..errors import BtfError

    try:
        ids = Btf.kernel().ids(name)
    except (BtfError, OSError):
        return 0
    return ids[0] if ids else 0


def load(
    prog_type: int,
    insns: Sequence[Insn] | None = None,
    *,
    attach_type: int | None = None,
    btf_id: int | None = None,
) -> tuple[int, str]:
    """Load a program: its descriptor or minus the errno, and what the verifier said.

    SyscallError when loading programs is not permitted, whatever they are.
    """
    if attach_type is None:
        attach_type = _ATTACH_TYPE.get(prog_type, 0)  # type: ignore[call-overload]
    if btf_id is None:
        btf_id = target_id(attach_type)
    if insns is None:
        # Some hooks of socket addresses take no other answer than 1.
        insns = RETURN_1 if prog_type == P.CGROUP_SOCK_ADDR else RETURN_0
    flags = ProgFlags.SLEEPABLE if prog_type == P.SYSCALL else 0
    raw = encode(insns)
    code, license_, log = buffer_of(raw), buffer_of(b"GPL\0"), bytearray(1 << 14)
    fields: list[Any] = [
        prog_type,
        len(raw) // 8,
        address(code),
        address(license_),
        1,
        len(log),
        address(buffer_of(log)),
    ]
    fields += [kernel_version() if prog_type == P.KPROBE else 0, flags, b"pybpf_probe", 0, attach_type, 0]
    fields += [0, 0, 0, 0, 0, 0, btf_id]
    result = call(PROG_LOAD, bytearray(LOAD.pack(*fields, *[0] * 11)))
    text = log[: log.find(0)].decode(errors="replace")
    # Refused for want of a capability, nothing is known; but a kernel may also refuse one kind of program to everybody.
    if result in (-EPERM, -EACCES) and not text.strip() and not (prog_type not in _WITNESSES and _privileged()):
        raise failure(-result, PROG_LOAD, "a program that probes for a feature")
    return result, text


# Types that every kernel has, which need CAP_NET_ADMIN and CAP_PERFMON: who may load these may load any.
_WITNESSES = (P.SCHED_CLS, P.RAW_TRACEPOINT)


def _privileged() -> bool:
    for prog_type in _WITNESSES:
        fd, _ = load(prog_type)
        if fd >= 0:
            close(fd)
    return True


@contextmanager
def loaded(prog_type: int, attach_type: int | None = None) -> Iterator[int]:
    """The descriptor of a smallest program, closed afterwards; minus the errno where the kernel has no such."""
    fd, _ = load(prog_type, attach_type=attach_type)
    try:
        yield fd
    finally:
        if fd >= 0:
            close(fd)


def answered(result: int) -> int:
    """The result of a command, its descriptor closed; SyscallError when the command is not permitted."""
    if result > 2:
        close(result)
    if result in (-EPERM, -EACCES):
        raise failure(-result, "bpf(2)", "a probe for a feature")
    return result
