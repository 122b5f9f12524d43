"""Probes of hooks and links: attach to something that does not exist, which only a kernel that has the hook notices."""

from __future__ import annotations

from errno import EINVAL, EOPNOTSUPP
from struct import pack

from ..syscall.door import address, buffer_of, call, cstrings
from ..uapi import AttachType as A
from ..uapi import Cmd, MapFlags
from ..uapi import LinkType as L
from ..uapi import MapType as M
from ..uapi import ProgType as P
from .maps import STRUCT_OPS_KNOWN, map_create, map_type
from .probe import BAD_FD, answered, loaded, target_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_ENOTSUPP = 524
_ABSENT = (-EINVAL, -EOPNOTSUPP, -_ENOTSUPP)
_NOWHERE = 0x7FFFFFFF  # an interface index that no interface has

# Attach types that are a property of the program only: loading one is all there is.
_AT_LOAD = {
    A.XDP_DEVMAP: P.XDP,
    A.XDP_CPUMAP: P.XDP,
    A.SK_REUSEPORT_SELECT: P.SK_REUSEPORT,
    A.SK_REUSEPORT_SELECT_OR_MIGRATE: P.SK_REUSEPORT,
}
# Programs that name a kernel function when they load.
_TRACING = {
    **dict.fromkeys(
        (A.TRACE_RAW_TP, A.TRACE_FENTRY, A.TRACE_FEXIT, A.MODIFY_RETURN, A.TRACE_ITER, A.TRACE_FSESSION), P.TRACING
    ),
    A.LSM_MAC: P.LSM,
}
# Hooks that BPF_PROG_ATTACH knows, by the type of their programs.
_PROG_ATTACH = {
    **dict.fromkeys((A.CGROUP_INET_INGRESS, A.CGROUP_INET_EGRESS), P.CGROUP_SKB),
    **dict.fromkeys(
        (
            A.CGROUP_INET_SOCK_CREATE,
            A.CGROUP_INET_SOCK_RELEASE,
            A.CGROUP_INET4_POST_BIND,
            A.CGROUP_INET6_POST_BIND,
        ),
        P.CGROUP_SOCK,
    ),
    A.CGROUP_SOCK_OPS: P.SOCK_OPS,
    A.CGROUP_DEVICE: P.CGROUP_DEVICE,
    A.CGROUP_SYSCTL: P.CGROUP_SYSCTL,
    **dict.fromkeys((A.CGROUP_GETSOCKOPT, A.CGROUP_SETSOCKOPT), P.CGROUP_SOCKOPT),
    **dict.fromkeys((A.SK_SKB_STREAM_PARSER, A.SK_SKB_STREAM_VERDICT, A.SK_SKB_VERDICT), P.SK_SKB),
    A.SK_MSG_VERDICT: P.SK_MSG,
    A.LIRC_MODE2: P.LIRC_MODE2,
    A.FLOW_DISSECTOR: P.FLOW_DISSECTOR,
    A.SK_LOOKUP: P.SK_LOOKUP,
    A.XDP: P.XDP,
}


def attach_type(number: int) -> bool:
    """Can a program be attached at this hook?"""
    if number in _AT_LOAD:
        with loaded(_AT_LOAD[A(number)], number) as fd:
            return fd >= 0
    if number in _TRACING:
        return _tracing(number)
    if number in _LINKS:
        return _LINKS[A(number)]()
    prog_type = _PROG_ATTACH.get(A(number)) if number in A.__members__.values() else None
    if prog_type is None and 0 <= number <= max(A):
        prog_type = P.LSM if number == A.LSM_CGROUP else P.CGROUP_SOCK_ADDR
    if prog_type is None or not _recognised(number):
        return False
    with loaded(prog_type, number) as fd:
        return fd >= 0


def _recognised(number: int) -> bool:
    """BPF_PROG_ATTACH turns the attach type into a program type before it looks at the descriptor."""
    return answered(call(Cmd.PROG_ATTACH, bytearray(pack("=5I", BAD_FD, BAD_FD, number, 0, 0)))) != -EINVAL


def _tracing(number: int) -> bool:
    """Attach, for a moment, to a function that only BPF's own self test calls."""
    if not target_id(number):
        return False
    with loaded(_TRACING[A(number)], number) as fd:
        if fd < 0:
            return False
        if number == A.TRACE_ITER:
            return answered(call(Cmd.LINK_CREATE, bytearray(pack("=4I", fd, 0, number, 0)))) >= 0
        return answered(call(Cmd.RAW_TRACEPOINT_OPEN, bytearray(pack("=QI4x", 0, fd)))) >= 0


def _link(prog_type: int, number: int, target: int = 0, extra: bytes = b"", loads_as: int | None = None) -> bool:
    """Does BPF_LINK_CREATE get as far as looking for the target?"""
    with loaded(prog_type, number if loads_as is None else loads_as) as fd:
        if fd < 0:
            return False
        return answered(call(Cmd.LINK_CREATE, bytearray(pack("=4I", fd, target, number, 0) + extra))) not in _ABSENT


def _kprobe_multi(number: int) -> bool:
    names = cstrings(["pybpf_no_such_function"])
    return _link(P.KPROBE, number, 0, pack("=2I3Q", 0, 1, address(names), 0, 0))


def _uprobe_multi(number: int) -> bool:
    # A directory holds no code: EBADF, but only once the kernel looks at the path.
    path, offset = buffer_of(b"/\0"), buffer_of(pack("=Q", 1))
    extra = pack("=4Q4I", address(path), address(offset), 0, 0, 1, 0, 0, 0)
    return _link(P.KPROBE, number, 0, extra)


def _netfilter() -> bool:
    # An address family that has no hooks: EAFNOSUPPORT.
    return _link(P.NETFILTER, A.NETFILTER, 0, pack("=IIiI", 255, 0, 0, 0))


def _perf_event() -> bool:
    return _link(P.KPROBE, A.PERF_EVENT, BAD_FD, pack("=Q", 0), loads_as=0)


def _tracing_multi(number: int) -> bool:
    # Such a program learns its functions when it is attached.
    with loaded(P.TRACING, number) as fd:
        return fd >= 0


_LINKS: dict[int, Callable[[], bool]] = {
    A.PERF_EVENT: _perf_event,
    A.STRUCT_OPS: lambda: map_type(26),
    A.NETFILTER: _netfilter,
    A.TRACE_KPROBE_MULTI: lambda: _kprobe_multi(A.TRACE_KPROBE_MULTI),
    A.TRACE_KPROBE_SESSION: lambda: _kprobe_multi(A.TRACE_KPROBE_SESSION),
    A.TRACE_UPROBE_MULTI: lambda: _uprobe_multi(A.TRACE_UPROBE_MULTI),
    A.TRACE_UPROBE_SESSION: lambda: _uprobe_multi(A.TRACE_UPROBE_SESSION),
    A.TCX_INGRESS: lambda: _link(P.SCHED_CLS, A.TCX_INGRESS, _NOWHERE, bytes(16)),
    A.TCX_EGRESS: lambda: _link(P.SCHED_CLS, A.TCX_EGRESS, _NOWHERE, bytes(16)),
    A.NETKIT_PRIMARY: lambda: _link(P.SCHED_CLS, A.NETKIT_PRIMARY, _NOWHERE, bytes(16)),
    A.NETKIT_PEER: lambda: _link(P.SCHED_CLS, A.NETKIT_PEER, _NOWHERE, bytes(16)),
    **{
        number: (lambda number=number: _tracing_multi(number))  # type: ignore[misc]
        for number in (A.TRACE_FENTRY_MULTI, A.TRACE_FEXIT_MULTI, A.TRACE_FSESSION_MULTI)
    },
}


def _xdp_link() -> bool:
    # bpf_xdp_link_attach answers EINVAL for an interface that is not there, as kernels without it do: but those do not
    # know BPF_XDP as a hook at all (it came with the link, Linux 5.9).
    return attach_type(A.XDP)


_LINK_TYPES: dict[int, Callable[[], bool]] = {
    L.RAW_TRACEPOINT: lambda: _link_raw_tracepoint(),
    L.TRACING: lambda: _tracing(A.TRACE_FENTRY),  # BTF tracepoints have links of raw ones
    L.CGROUP: lambda: _link(P.CGROUP_SKB, A.CGROUP_INET_INGRESS, BAD_FD),
    L.ITER: lambda: _tracing(A.TRACE_ITER),
    L.NETNS: lambda: _link(P.FLOW_DISSECTOR, A.FLOW_DISSECTOR, BAD_FD),
    L.XDP: _xdp_link,
    L.PERF_EVENT: _perf_event,
    L.KPROBE_MULTI: lambda: _kprobe_multi(A.TRACE_KPROBE_MULTI),
    L.STRUCT_OPS: lambda: _link_struct_ops(),
    L.NETFILTER: _netfilter,
    L.TCX: lambda: _link(P.SCHED_CLS, A.TCX_INGRESS, _NOWHERE, bytes(16)),
    L.UPROBE_MULTI: lambda: _uprobe_multi(A.TRACE_UPROBE_MULTI),
    L.NETKIT: lambda: _link(P.SCHED_CLS, A.NETKIT_PRIMARY, _NOWHERE, bytes(16)),
    L.SOCKMAP: lambda: _link(P.SK_MSG, A.SK_MSG_VERDICT, BAD_FD),
    L.TRACING_MULTI: lambda: _tracing_multi(A.TRACE_FENTRY_MULTI),
}


def link_type(number: int) -> bool:
    """Does the kernel make such links?"""
    probe = _LINK_TYPES.get(number)
    return probe is not None and probe()


def _link_raw_tracepoint() -> bool:
    """A tracepoint that does not exist: ENOENT."""
    with loaded(P.RAW_TRACEPOINT) as fd:
        if fd < 0:
            return False
        name = buffer_of(b"pybpf_no_such_tracepoint\0")
        attr = pack("=QI4x", address(name), fd)
        return answered(call(Cmd.RAW_TRACEPOINT_OPEN, bytearray(attr))) not in _ABSENT


def _link_struct_ops() -> bool:
    """A struct_ops map that is to be attached by a link carries a flag for it."""
    return map_create(M.STRUCT_OPS, (4, 0, 1, MapFlags.LINK), kernel_type=1) in STRUCT_OPS_KNOWN
