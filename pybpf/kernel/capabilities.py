"""What a loader needs besides the right to load at all: capabilities by program type, helper and context field.

Read from Linux 6.18 by loading every program type, and a call of every helper from each, as a user without and with CAP_BPF,
CAP_PERFMON and CAP_NET_ADMIN (kernel.unprivileged_bpf_disabled=0).
"""

from __future__ import annotations

from ..errors import SpecError
from ..uapi.prog import ProgType as P

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

BPF, PERFMON, NET_ADMIN = "CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN"
ALL = frozenset((BPF, PERFMON, NET_ADMIN))

UNPRIVILEGED_TYPES = frozenset((P.SOCKET_FILTER, P.CGROUP_SKB))
_TYPES: dict[str, frozenset[int]] = {
    NET_ADMIN: frozenset(
        (
            *(P.SCHED_CLS, P.SCHED_ACT, P.XDP, P.CGROUP_SOCK, P.LWT_IN, P.LWT_OUT, P.LWT_XMIT, P.SOCK_OPS, P.SK_SKB),
            *(P.CGROUP_DEVICE, P.SK_MSG, P.CGROUP_SOCK_ADDR, P.LWT_SEG6LOCAL, P.FLOW_DISSECTOR, P.CGROUP_SYSCTL),
            *(P.CGROUP_SOCKOPT, P.NETFILTER, P.EXT),
        )
    ),
    PERFMON: frozenset(
        (
            *(P.KPROBE, P.TRACEPOINT, P.PERF_EVENT, P.RAW_TRACEPOINT, P.RAW_TRACEPOINT_WRITABLE, P.TRACING, P.LSM),
            *(P.STRUCT_OPS, P.EXT),
        )
    ),
}
_HELPERS: dict[str, frozenset[str]] = {
    BPF: frozenset(
        (
            *("cgrp_storage_delete", "cgrp_storage_get", "current_task_under_cgroup", "dynptr_data", "dynptr_from_mem"),
            *("dynptr_read", "dynptr_write", "for_each_map_elem", "get_cgroup_classid", "get_current_cgroup_id"),
            *("get_current_ancestor_cgroup_id", "jiffies64", "kptr_xchg", "loop", "per_cpu_ptr", "this_cpu_ptr"),
            *("ringbuf_discard_dynptr", "ringbuf_reserve_dynptr", "ringbuf_submit_dynptr", "spin_lock", "spin_unlock"),
            *("task_storage_delete", "task_storage_get", "timer_cancel", "timer_init", "timer_set_callback"),
            *("timer_start", "user_ringbuf_drain"),
        )
    ),
    PERFMON: frozenset(
        (
            *("copy_from_user", "copy_from_user_task", "find_vma", "get_branch_snapshot", "get_current_comm"),
            *("get_current_task", "get_current_task_btf", "get_task_stack", "perf_event_read", "perf_event_read_value"),
            *("probe_read_kernel", "probe_read_kernel_str", "probe_read_user", "probe_read_user_str", "send_signal"),
            *("send_signal_thread", "skc_to_mptcp_sock", "skc_to_tcp6_sock", "skc_to_tcp_request_sock"),
            *("skc_to_tcp_sock", "skc_to_tcp_timewait_sock", "skc_to_udp6_sock", "skc_to_unix_sock", "snprintf"),
            *("snprintf_btf", "sys_bpf", "task_pt_regs", "trace_printk", "trace_vprintk"),
        )
    ),
}
_BPF_FIELDS = frozenset(("data", "data_end"))
"""Of CGROUP_SKB, which may write `tstamp` with CAP_BPF only too."""


def held(privileged: bool | str | Iterable[str]) -> frozenset[str]:
    """The capabilities of a loader: all for True (root), none for False, or those named.  SpecError for an unknown name."""
    if isinstance(privileged, bool):
        return ALL if privileged else frozenset()
    words = privileged.replace("+", " ").replace(",", " ").split() if isinstance(privileged, str) else privileged
    names = {word.upper() if word.upper().startswith("CAP_") else f"CAP_{word.upper()}" for word in words}
    if "CAP_SYS_ADMIN" in names:
        return ALL
    if names - ALL:
        raise SpecError(
            f"capability {sorted(names - ALL)[0]} makes no difference: name some of {', '.join(sorted(ALL))}"
        )
    return frozenset(names)


def for_type(prog_type: int) -> frozenset[str]:
    """What loading a program of this type needs."""
    needed = frozenset(name for name, types in _TYPES.items() if prog_type in types)
    return needed if prog_type in UNPRIVILEGED_TYPES else needed | {BPF}


def for_helper(name: str, prog_type: int) -> str | None:
    """What calling a helper needs besides what loading the program does."""
    if prog_type == P.SYSCALL and name.startswith("skc_to_"):
        return None
    return next((needed for needed, names in _HELPERS.items() if name in names), None)


def for_field(prog_type: int, name: str, write: bool) -> str | None:
    """What accessing a field of the context needs."""
    if prog_type != P.CGROUP_SKB:
        return None
    return BPF if (name == "tstamp" and write) or name in _BPF_FIELDS else None
