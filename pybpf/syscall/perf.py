"""perf_event_open(2): events of hardware, software, tracepoints and probes, and the buffers that samples go to."""

from __future__ import annotations

from ctypes import c_long

from .door import address, buffer_of, failure, syscall

PERF_FLAG_FD_CLOEXEC = 8
ENABLE, DISABLE, SET_BPF = 0x2400, 0x2401, 0x40042408


def perf_event_open(attr: bytes, pid: int, cpu: int, group_fd: int = -1, flags: int = 0, what: str = "") -> int:
    """The descriptor of a perf event; `attr` is a packed `uapi.perf_event_attr`, close-on-exec is always on."""
    buffer = buffer_of(attr)
    result = syscall("perf_event_open", address(buffer), pid, cpu, group_fd, flags | PERF_FLAG_FD_CLOEXEC)
    if result < 0:
        raise failure(-result, "perf_event_open", what)
    return result


def perf_ioctl(fd: int, request: int, argument: int = 0, what: str = "") -> None:
    """ioctl(2) on a perf event: ENABLE, DISABLE, SET_BPF with a program's descriptor."""
    from .door import libc

    if libc().ioctl(fd, c_long(request), c_long(argument)) < 0:
        from ctypes import get_errno

        raise failure(get_errno(), f"ioctl({_REQUESTS.get(request, hex(request))})", what)


_REQUESTS = {ENABLE: "PERF_EVENT_IOC_ENABLE", DISABLE: "PERF_EVENT_IOC_DISABLE", SET_BPF: "PERF_EVENT_IOC_SET_BPF"}
