"""What to do when attaching fails: by program type, what its target must be, and what an errno means there."""

from __future__ import annotations

from errno import E2BIG, EBADF, EBUSY, EEXIST, EINVAL, EOPNOTSUPP, EPERM, ERANGE, ESRCH

from ..errors import SpecError, SyscallError
from ..uapi import ProgType as P

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CGROUP = (
    *(P.CGROUP_SKB, P.CGROUP_SOCK, P.CGROUP_SOCK_ADDR, P.CGROUP_SOCKOPT, P.CGROUP_SYSCTL, P.CGROUP_DEVICE),
    P.SOCK_OPS,
)

TARGETS: dict[int, str] = {
    **dict.fromkeys((P.XDP, P.SCHED_CLS, P.SCHED_ACT), 'an interface, by name or index: prog.attach("eth0")'),
    **dict.fromkeys(_CGROUP, 'a cgroup v2: prog.attach("/sys/fs/cgroup/web")'),
    **dict.fromkeys((P.SK_SKB, P.SK_MSG), "a live socket map: prog.attach(objs[sockets])"),
    **dict.fromkeys((P.SOCKET_FILTER, P.SK_REUSEPORT), "a socket: prog.attach(sock)"),
    **dict.fromkeys((P.LWT_IN, P.LWT_OUT, P.LWT_XMIT), 'a network to route: prog.attach("10.1.0.0/16", device="eth0")'),
    **dict.fromkeys((P.RAW_TRACEPOINT, P.RAW_TRACEPOINT_WRITABLE), 'a tracepoint: prog.attach("sched_switch")'),
    P.LWT_SEG6LOCAL: 'a segment: prog.attach("fd00::1/128", device="eth0")',
    P.TRACEPOINT: 'an event: prog.attach("sched/sched_switch")',
    P.KPROBE: 'a function: prog.attach("do_unlinkat"), or prog.attach("libc.so.6:malloc") in user space',
    P.PERF_EVENT: 'an event: prog.attach("cpu-clock", frequency=99)',
}
"""Program types that cannot be attached without a target, and what it is."""

_NO_PROCESS = "there is no process of that id"
_OTHER_HOOK = "the program was loaded for another hook: its attach type (the decorator) must be that of this one"
HINTS: dict[tuple[int, int], str] = {
    (
        P.XDP,
        EBUSY,
    ): 'another XDP program is there: pybpf.attached("xdp", interface) tells which; its owner may link.update()',
    (P.XDP, EOPNOTSUPP): 'the driver has no such mode: mode="generic" works on every interface',
    (P.XDP, ERANGE): "the interface's MTU is more than XDP takes in one page: lower it, or make the program @xdp_frags",
    (P.XDP, EEXIST): "XDP is attached there in another mode: detach that first",
    (P.SCHED_CLS, EINVAL): "before= and after= take a program or link that is at this interface and direction now",
    **dict.fromkeys(((kind, EINVAL) for kind in _CGROUP), _OTHER_HOOK),
    **dict.fromkeys(
        ((kind, EPERM) for kind in _CGROUP),
        "run as root; or a cgroup above (or this one) has a program that was attached exclusively, or to be overridden",
    ),
    **dict.fromkeys(((kind, E2BIG) for kind in _CGROUP), "64 programs are there already"),
    (P.NETFILTER, EBUSY): "another program has this priority: choose another",
    (
        P.NETFILTER,
        ERANGE,
    ): "the lowest and highest priority are the kernel's own; with defragment=True it must be above -400",
    **dict.fromkeys(
        ((kind, code) for kind in (P.SK_MSG, P.SK_SKB) for code in (EINVAL, EOPNOTSUPP)),
        "it is no SockMap or SockHash, or does not take such programs",
    ),
    **dict.fromkeys(((kind, EBUSY) for kind in (P.SK_MSG, P.SK_SKB)), "another program is at this hook of the map"),
    (P.FLOW_DISSECTOR, EEXIST): "the namespace has a dissector, or the initial one has, which rules all",
    (P.FLOW_DISSECTOR, E2BIG): "the namespace has a dissector already",
    (P.SK_LOOKUP, E2BIG): "64 programs are there already",
    (
        P.KPROBE,
        EINVAL,
    ): "no instruction begins there; or the program was loaded for the other kind of probe, one or many places",
    (P.KPROBE, ESRCH): _NO_PROCESS,
    (P.SK_REUSEPORT, EINVAL): "the socket must have SO_REUSEPORT, set before it was bound",
    (P.PERF_EVENT, EINVAL): "no such CPU is online, or more often than kernel.perf_event_max_sample_rate allows",
    (P.PERF_EVENT, ESRCH): _NO_PROCESS,
    (P.TRACING, EBADF): "give what the iterator walks: map=, a live map",
    (P.TRACING, EINVAL): "the iterator does not walk maps (or tasks, cgroups) of this kind",
    (P.TRACING, EBUSY): "another program is at this function in a way that excludes others",
}


def need_target(prog: Any) -> None:
    """SpecError when a program of this type cannot do without a target."""
    if prog.prog_type in TARGETS:
        raise SpecError(f"{prog!r} is attached to {TARGETS[prog.prog_type]}")


def explain(prog: Any, error: SyscallError) -> None:
    """Put the remedy into the error, unless who raised it knew a better one."""
    from ..syscall.remedy import GENERAL

    special = HINTS.get((prog.prog_type, error.errno or 0))
    if special and (not error.hint or error.hint in GENERAL.values() or error.errno == EPERM):
        error.hint = special
