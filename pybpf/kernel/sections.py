"""ELF section names of programs <-> program type, attach type, target: one table, read both ways.

The names are those that libbpf 1.6 documents ("Program Types and ELF Sections" in the kernel's documentation), plus the legacy
aliases that object files in the wild still carry.
"""

from __future__ import annotations

from ..errors import SpecError
from ..uapi.attach import AttachType as A
from ..uapi.prog import ProgFlags
from ..uapi.prog import ProgType as P

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

SLEEPABLE = int(ProgFlags.SLEEPABLE)
FRAGS = int(ProgFlags.XDP_HAS_FRAGS)

# (name, program type, attach type, program flags, what follows the slash).
# "what follows" is "" when nothing may, else the form of the target in words; the first row of several that mean
# the same is the one that `section_name` gives.
_TABLE: tuple[tuple[str, P, A | None, int, str], ...] = (
    ("socket", P.SOCKET_FILTER, None, 0, ""),
    ("sk_reuseport/migrate", P.SK_REUSEPORT, A.SK_REUSEPORT_SELECT_OR_MIGRATE, 0, ""),
    ("sk_reuseport", P.SK_REUSEPORT, A.SK_REUSEPORT_SELECT, 0, ""),
    ("kprobe", P.KPROBE, None, 0, "function[+offset]"),
    ("uprobe", P.KPROBE, None, 0, "path:function[+offset]"),
    ("uprobe.s", P.KPROBE, None, SLEEPABLE, "path:function[+offset]"),
    ("kretprobe", P.KPROBE, None, 0, "function"),
    ("uretprobe", P.KPROBE, None, 0, "path:function"),
    ("uretprobe.s", P.KPROBE, None, SLEEPABLE, "path:function"),
    ("kprobe.multi", P.KPROBE, A.TRACE_KPROBE_MULTI, 0, "pattern"),
    ("kretprobe.multi", P.KPROBE, A.TRACE_KPROBE_MULTI, 0, "pattern"),
    ("kprobe.session", P.KPROBE, A.TRACE_KPROBE_SESSION, 0, "pattern"),
    ("uprobe.multi", P.KPROBE, A.TRACE_UPROBE_MULTI, 0, "path:pattern"),
    ("uretprobe.multi", P.KPROBE, A.TRACE_UPROBE_MULTI, 0, "path:pattern"),
    ("uprobe.session", P.KPROBE, A.TRACE_UPROBE_SESSION, 0, "path:pattern"),
    ("uprobe.multi.s", P.KPROBE, A.TRACE_UPROBE_MULTI, SLEEPABLE, "path:pattern"),
    ("uretprobe.multi.s", P.KPROBE, A.TRACE_UPROBE_MULTI, SLEEPABLE, "path:pattern"),
    ("uprobe.session.s", P.KPROBE, A.TRACE_UPROBE_SESSION, SLEEPABLE, "path:pattern"),
    ("ksyscall", P.KPROBE, None, 0, "syscall"),
    ("kretsyscall", P.KPROBE, None, 0, "syscall"),
    ("usdt", P.KPROBE, None, 0, "path:provider:name"),
    ("usdt.s", P.KPROBE, None, SLEEPABLE, "path:provider:name"),
    ("tc", P.SCHED_CLS, None, 0, ""),
    ("tcx/ingress", P.SCHED_CLS, A.TCX_INGRESS, 0, ""),
    ("tcx/egress", P.SCHED_CLS, A.TCX_EGRESS, 0, ""),
    ("tc/ingress", P.SCHED_CLS, A.TCX_INGRESS, 0, ""),
    ("tc/egress", P.SCHED_CLS, A.TCX_EGRESS, 0, ""),
    ("classifier", P.SCHED_CLS, None, 0, ""),
    ("action", P.SCHED_ACT, None, 0, ""),
    ("netkit/primary", P.SCHED_CLS, A.NETKIT_PRIMARY, 0, ""),
    ("netkit/peer", P.SCHED_CLS, A.NETKIT_PEER, 0, ""),
    ("tracepoint", P.TRACEPOINT, None, 0, "category/name"),
    ("tp", P.TRACEPOINT, None, 0, "category/name"),
    ("raw_tracepoint", P.RAW_TRACEPOINT, None, 0, "name"),
    ("raw_tp", P.RAW_TRACEPOINT, None, 0, "name"),
    ("raw_tracepoint.w", P.RAW_TRACEPOINT_WRITABLE, None, 0, "name"),
    ("raw_tp.w", P.RAW_TRACEPOINT_WRITABLE, None, 0, "name"),
    ("tp_btf", P.TRACING, A.TRACE_RAW_TP, 0, "name"),
    ("fentry", P.TRACING, A.TRACE_FENTRY, 0, "function"),
    ("fmod_ret", P.TRACING, A.MODIFY_RETURN, 0, "function"),
    ("fexit", P.TRACING, A.TRACE_FEXIT, 0, "function"),
    ("fsession", P.TRACING, A.TRACE_FSESSION, 0, "function"),
    ("fentry.s", P.TRACING, A.TRACE_FENTRY, SLEEPABLE, "function"),
    ("fmod_ret.s", P.TRACING, A.MODIFY_RETURN, SLEEPABLE, "function"),
    ("fexit.s", P.TRACING, A.TRACE_FEXIT, SLEEPABLE, "function"),
    ("fsession.s", P.TRACING, A.TRACE_FSESSION, SLEEPABLE, "function"),
    ("fentry.multi", P.TRACING, A.TRACE_FENTRY_MULTI, 0, "pattern"),
    ("fexit.multi", P.TRACING, A.TRACE_FEXIT_MULTI, 0, "pattern"),
    ("fsession.multi", P.TRACING, A.TRACE_FSESSION_MULTI, 0, "pattern"),
    ("freplace", P.EXT, None, 0, "function"),
    ("lsm", P.LSM, A.LSM_MAC, 0, "hook"),
    ("lsm.s", P.LSM, A.LSM_MAC, SLEEPABLE, "hook"),
    ("lsm_cgroup", P.LSM, A.LSM_CGROUP, 0, "hook"),
    ("iter", P.TRACING, A.TRACE_ITER, 0, "kind"),
    ("iter.s", P.TRACING, A.TRACE_ITER, SLEEPABLE, "kind"),
    ("syscall", P.SYSCALL, None, SLEEPABLE, ""),
    ("xdp.frags/devmap", P.XDP, A.XDP_DEVMAP, FRAGS, ""),
    ("xdp/devmap", P.XDP, A.XDP_DEVMAP, 0, ""),
    ("xdp.frags/cpumap", P.XDP, A.XDP_CPUMAP, FRAGS, ""),
    ("xdp/cpumap", P.XDP, A.XDP_CPUMAP, 0, ""),
    ("xdp.frags", P.XDP, A.XDP, FRAGS, ""),
    ("xdp", P.XDP, A.XDP, 0, ""),
    ("xdp_devmap", P.XDP, A.XDP_DEVMAP, 0, ""),
    ("xdp_cpumap", P.XDP, A.XDP_CPUMAP, 0, ""),
    ("perf_event", P.PERF_EVENT, None, 0, ""),
    ("lwt_in", P.LWT_IN, None, 0, ""),
    ("lwt_out", P.LWT_OUT, None, 0, ""),
    ("lwt_xmit", P.LWT_XMIT, None, 0, ""),
    ("lwt_seg6local", P.LWT_SEG6LOCAL, None, 0, ""),
    ("sockops", P.SOCK_OPS, A.CGROUP_SOCK_OPS, 0, ""),
    ("sk_skb/stream_parser", P.SK_SKB, A.SK_SKB_STREAM_PARSER, 0, ""),
    ("sk_skb/stream_verdict", P.SK_SKB, A.SK_SKB_STREAM_VERDICT, 0, ""),
    ("sk_skb/verdict", P.SK_SKB, A.SK_SKB_VERDICT, 0, ""),
    ("sk_skb", P.SK_SKB, None, 0, ""),
    ("sk_msg", P.SK_MSG, A.SK_MSG_VERDICT, 0, ""),
    ("lirc_mode2", P.LIRC_MODE2, A.LIRC_MODE2, 0, ""),
    ("flow_dissector", P.FLOW_DISSECTOR, A.FLOW_DISSECTOR, 0, ""),
    ("cgroup_skb/ingress", P.CGROUP_SKB, A.CGROUP_INET_INGRESS, 0, ""),
    ("cgroup_skb/egress", P.CGROUP_SKB, A.CGROUP_INET_EGRESS, 0, ""),
    ("cgroup/skb", P.CGROUP_SKB, None, 0, ""),
    ("cgroup/sock_create", P.CGROUP_SOCK, A.CGROUP_INET_SOCK_CREATE, 0, ""),
    ("cgroup/sock_release", P.CGROUP_SOCK, A.CGROUP_INET_SOCK_RELEASE, 0, ""),
    ("cgroup/sock", P.CGROUP_SOCK, A.CGROUP_INET_SOCK_CREATE, 0, ""),
    ("cgroup/post_bind4", P.CGROUP_SOCK, A.CGROUP_INET4_POST_BIND, 0, ""),
    ("cgroup/post_bind6", P.CGROUP_SOCK, A.CGROUP_INET6_POST_BIND, 0, ""),
    ("cgroup/bind4", P.CGROUP_SOCK_ADDR, A.CGROUP_INET4_BIND, 0, ""),
    ("cgroup/bind6", P.CGROUP_SOCK_ADDR, A.CGROUP_INET6_BIND, 0, ""),
    ("cgroup/connect4", P.CGROUP_SOCK_ADDR, A.CGROUP_INET4_CONNECT, 0, ""),
    ("cgroup/connect6", P.CGROUP_SOCK_ADDR, A.CGROUP_INET6_CONNECT, 0, ""),
    ("cgroup/connect_unix", P.CGROUP_SOCK_ADDR, A.CGROUP_UNIX_CONNECT, 0, ""),
    ("cgroup/sendmsg4", P.CGROUP_SOCK_ADDR, A.CGROUP_UDP4_SENDMSG, 0, ""),
    ("cgroup/sendmsg6", P.CGROUP_SOCK_ADDR, A.CGROUP_UDP6_SENDMSG, 0, ""),
    ("cgroup/sendmsg_unix", P.CGROUP_SOCK_ADDR, A.CGROUP_UNIX_SENDMSG, 0, ""),
    ("cgroup/recvmsg4", P.CGROUP_SOCK_ADDR, A.CGROUP_UDP4_RECVMSG, 0, ""),
    ("cgroup/recvmsg6", P.CGROUP_SOCK_ADDR, A.CGROUP_UDP6_RECVMSG, 0, ""),
    ("cgroup/recvmsg_unix", P.CGROUP_SOCK_ADDR, A.CGROUP_UNIX_RECVMSG, 0, ""),
    ("cgroup/getpeername4", P.CGROUP_SOCK_ADDR, A.CGROUP_INET4_GETPEERNAME, 0, ""),
    ("cgroup/getpeername6", P.CGROUP_SOCK_ADDR, A.CGROUP_INET6_GETPEERNAME, 0, ""),
    ("cgroup/getpeername_unix", P.CGROUP_SOCK_ADDR, A.CGROUP_UNIX_GETPEERNAME, 0, ""),
    ("cgroup/getsockname4", P.CGROUP_SOCK_ADDR, A.CGROUP_INET4_GETSOCKNAME, 0, ""),
    ("cgroup/getsockname6", P.CGROUP_SOCK_ADDR, A.CGROUP_INET6_GETSOCKNAME, 0, ""),
    ("cgroup/getsockname_unix", P.CGROUP_SOCK_ADDR, A.CGROUP_UNIX_GETSOCKNAME, 0, ""),
    ("cgroup/sysctl", P.CGROUP_SYSCTL, A.CGROUP_SYSCTL, 0, ""),
    ("cgroup/getsockopt", P.CGROUP_SOCKOPT, A.CGROUP_GETSOCKOPT, 0, ""),
    ("cgroup/setsockopt", P.CGROUP_SOCKOPT, A.CGROUP_SETSOCKOPT, 0, ""),
    ("cgroup/dev", P.CGROUP_DEVICE, A.CGROUP_DEVICE, 0, ""),
    ("struct_ops", P.STRUCT_OPS, A.STRUCT_OPS, 0, "member"),
    ("struct_ops.s", P.STRUCT_OPS, A.STRUCT_OPS, SLEEPABLE, "member"),
    ("sk_lookup", P.SK_LOOKUP, A.SK_LOOKUP, 0, ""),
    ("netfilter", P.NETFILTER, A.NETFILTER, 0, ""),
)


class Section:
    """What a section name stands for.

    `name` is the fixed part ("kprobe"), `target` what follows it ("do_sys_open"; "" for none), `target_form` what may follow in
    words ("" when nothing may), `flags` the `ProgFlags` that it asks for.  `attach_type` is None where the type has one hook.
    `autoload` is False for a name that began with "?".
    """

    __slots__ = ("attach_type", "autoload", "flags", "name", "prog_type", "target", "target_form")

    def __init__(self, row: tuple[str, P, A | None, int, str], target: str = "", autoload: bool = True) -> None:
        self.name, self.prog_type, self.attach_type, self.flags, self.target_form = row
        self.target = target
        self.autoload = autoload

    @property
    def sleepable(self) -> bool:
        return bool(self.flags & SLEEPABLE)

    def __str__(self) -> str:
        return f"{self.name}/{self.target}" if self.target else self.name

    def __repr__(self) -> str:
        return f"Section({str(self)!r}, {self.prog_type!r}, {self.attach_type!r}, flags={self.flags:#x})"


def sections() -> Iterator[Section]:
    """All section names, legacy aliases included; a name of several meanings (kprobe, uprobe) once for each."""
    return (Section(row) for row in _TABLE)


def find_section(text: str) -> Section:
    """What the section name `text` ("xdp", "kprobe/do_unlinkat", "?tp/sched/sched_switch") stands for.

    SpecError for a name that is not in the table.
    """
    autoload = not text.startswith("?")
    name = text.removeprefix("?")
    for row in _TABLE:
        if name == row[0]:
            return Section(row, "", autoload)
    best = max(
        (row for row in _TABLE if row[4] and name.startswith(row[0] + "/")), key=lambda r: len(r[0]), default=None
    )
    if best is not None:
        return Section(best, name[len(best[0]) + 1 :], autoload)
    from difflib import get_close_matches

    near = get_close_matches(name, [row[0] for row in _TABLE], 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise SpecError(f"{text!r} is not the section name of a program{hint}")


def section_name(prog_type: int, attach_type: int | None = None, target: str = "", *, flags: int = 0) -> str:
    """The section name for a program: the other way of `find_section`, with the same meaning when read back.

    `flags` are the `ProgFlags`; those that no name expresses are ignored.  SpecError when no name stands for the type.
    """
    shown = flags & (SLEEPABLE | FRAGS)
    if prog_type == P.SYSCALL:
        shown = SLEEPABLE  # such programs always may sleep
    rows = [row for row in _TABLE if row[1] == prog_type and (row[4] or not target)]
    hooks = {row[2] for row in rows}
    if attach_type not in hooks and not attach_type:
        # Number 0 is an attach type of its own; for types that lack it, and for None, it stands for "the one there is".
        attach_type = None if None in hooks else next((row[2] for row in rows), None)
    for extra in (shown, 0):
        for row in rows:
            if row[2] == attach_type and row[3] == extra:
                return str(Section(row, target))
    raise SpecError(f"no section name for program type {prog_type} with attach type {attach_type}")
