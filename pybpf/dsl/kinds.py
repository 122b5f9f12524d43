"""The decorators: one for every program type, all made from one table.

    @xdp                            @tracepoint("syscalls/sys_enter_execve")      @cgroup_connect4(kernel="5.10")

Each takes the options `name`, `license`, `kernel` (the version to compile for), `isa` (1 to 4), `flags`, `source` (the
function's text, where no file has it) and `attach_to`; those of hooks with a target take it as their first argument.
`program(ProgType.X, AttachType.Y)` is underneath.
"""

from __future__ import annotations

from ..errors import KindError
from ..spec import SLEEPABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FunctionType
    from typing import Any, Protocol, overload

    from .program import Function

    class Decorator(Protocol):
        """How each decorator may be used: bare, or with a target and options."""

        @overload
        def __call__(self, function: Callable[..., Any], /) -> Function: ...
        @overload
        def __call__(
            self, target: str | None = None, /, **options: Any
        ) -> Callable[[Callable[..., Any]], Function]: ...

    bpf_iter: Decorator
    bpf_syscall: Decorator
    cgroup_bind4: Decorator
    cgroup_bind6: Decorator
    cgroup_connect4: Decorator
    cgroup_connect6: Decorator
    cgroup_connect_unix: Decorator
    cgroup_device: Decorator
    cgroup_egress: Decorator
    cgroup_getpeername4: Decorator
    cgroup_getpeername6: Decorator
    cgroup_getpeername_unix: Decorator
    cgroup_getsockname4: Decorator
    cgroup_getsockname6: Decorator
    cgroup_getsockname_unix: Decorator
    cgroup_getsockopt: Decorator
    cgroup_ingress: Decorator
    cgroup_post_bind4: Decorator
    cgroup_post_bind6: Decorator
    cgroup_recvmsg4: Decorator
    cgroup_recvmsg6: Decorator
    cgroup_recvmsg_unix: Decorator
    cgroup_sendmsg4: Decorator
    cgroup_sendmsg6: Decorator
    cgroup_sendmsg_unix: Decorator
    cgroup_setsockopt: Decorator
    cgroup_skb: Decorator
    cgroup_sock_create: Decorator
    cgroup_sock_release: Decorator
    cgroup_sysctl: Decorator
    fentry: Decorator
    fentry_sleepable: Decorator
    fexit: Decorator
    fexit_sleepable: Decorator
    flow_dissector: Decorator
    fmod_ret: Decorator
    freplace: Decorator
    kprobe: Decorator
    kprobe_multi: Decorator
    kprobe_session: Decorator
    kretprobe: Decorator
    kretsyscall: Decorator
    ksyscall: Decorator
    lirc_mode2: Decorator
    lsm: Decorator
    lsm_cgroup: Decorator
    lsm_sleepable: Decorator
    lwt_in: Decorator
    lwt_out: Decorator
    lwt_seg6local: Decorator
    lwt_xmit: Decorator
    netfilter: Decorator
    netkit_peer: Decorator
    netkit_primary: Decorator
    perf_event: Decorator
    raw_tracepoint: Decorator
    raw_tracepoint_writable: Decorator
    sched_act: Decorator
    sched_cls: Decorator
    sk_lookup: Decorator
    sk_msg: Decorator
    sk_reuseport: Decorator
    sk_reuseport_migrate: Decorator
    sk_skb: Decorator
    sk_skb_parser: Decorator
    sk_skb_verdict: Decorator
    sock_ops: Decorator
    socket_filter: Decorator
    struct_ops: Decorator
    tc: Decorator
    tcx_egress: Decorator
    tcx_ingress: Decorator
    tp_btf: Decorator
    tracepoint: Decorator
    uprobe: Decorator
    uprobe_multi: Decorator
    uretprobe: Decorator
    usdt: Decorator
    xdp: Decorator
    xdp_cpumap: Decorator
    xdp_devmap: Decorator
    xdp_frags: Decorator

XDP_FRAGS = 1 << 5
SILENT = frozenset((2, 5, 7, 17, 24, 26, 31))
"""Program types in which falling off the end means 0: tracing programs, whose result nobody reads."""


SEPARATOR = dict.fromkeys(("uprobe", "uretprobe", "uprobe_multi", "usdt"), ":")
"""What stands between the two parts of a target; for all others it is a slash."""


class Kind:
    """What a decorator makes: program type, attach type, flags, and whether it takes a target."""

    __slots__ = ("attach_type", "flags", "name", "prog_type", "target")

    def __init__(self, name: str, prog_type: int, attach_type: int | None, target: str = "", flags: int = 0) -> None:
        self.name = name
        self.prog_type = prog_type
        self.attach_type = attach_type
        self.target = target
        self.flags = flags

    def __repr__(self) -> str:
        return f"@{self.name}"

    @property
    def section(self) -> str:
        """The ELF section name of probes, whose kind nothing else tells ("kretprobe", "uprobe.multi"); "" for all others."""
        return self.name.replace("_", ".") if self.prog_type == 2 else ""

    @property
    def silent(self) -> bool:
        return self.prog_type in SILENT

    def arguments(self, c: Any, context: Any, name: str, node: Any) -> Any:
        """A field of the context that is not one of the structure: arguments of traced functions and events."""
        if self.prog_type in (2, 5, 17, 24, 26, 29, 27):
            from .objects.events import argument

            return argument(c, context, name, node)
        return None

    @property
    def context(self) -> str:
        return "sk_msg_md" if self.prog_type == 16 else ""


# decorator: (program type, attach type or None, target in words or "", flags)
TABLE: dict[str, tuple[int, int | None, str, int]] = {
    "socket_filter": (1, None, "", 0),
    "kprobe": (2, None, "function", 0),
    "kretprobe": (2, None, "function", 0),
    "ksyscall": (2, None, "system call", 0),
    "kretsyscall": (2, None, "system call", 0),
    "uprobe": (2, None, "path:function", 0),
    "uretprobe": (2, None, "path:function", 0),
    "usdt": (2, None, "path:provider:name", 0),
    "kprobe_multi": (2, 42, "pattern", 0),
    "uprobe_multi": (2, 48, "path:pattern", 0),
    "kprobe_session": (2, 56, "pattern", 0),
    "sched_cls": (3, None, "", 0),
    "tc": (3, None, "", 0),
    "tcx_ingress": (3, 46, "", 0),
    "tcx_egress": (3, 47, "", 0),
    "netkit_primary": (3, 54, "", 0),
    "netkit_peer": (3, 55, "", 0),
    "sched_act": (4, None, "", 0),
    "tracepoint": (5, None, "category/name", 0),
    "xdp": (6, 37, "", 0),
    "xdp_frags": (6, 37, "", XDP_FRAGS),
    "xdp_devmap": (6, 33, "", 0),
    "xdp_cpumap": (6, 35, "", 0),
    "perf_event": (7, None, "", 0),
    "cgroup_ingress": (8, 0, "", 0),
    "cgroup_egress": (8, 1, "", 0),
    "cgroup_skb": (8, None, "", 0),
    "cgroup_sock_create": (9, 2, "", 0),
    "cgroup_sock_release": (9, 34, "", 0),
    "cgroup_post_bind4": (9, 12, "", 0),
    "cgroup_post_bind6": (9, 13, "", 0),
    "lwt_in": (10, None, "", 0),
    "lwt_out": (11, None, "", 0),
    "lwt_xmit": (12, None, "", 0),
    "sock_ops": (13, 3, "", 0),
    "sk_skb_parser": (14, 4, "", 0),
    "sk_skb_verdict": (14, 5, "", 0),
    "sk_skb": (14, 38, "", 0),
    "cgroup_device": (15, 6, "", 0),
    "sk_msg": (16, 7, "", 0),
    "raw_tracepoint": (17, None, "name", 0),
    "cgroup_bind4": (18, 8, "", 0),
    "cgroup_bind6": (18, 9, "", 0),
    "cgroup_connect4": (18, 10, "", 0),
    "cgroup_connect6": (18, 11, "", 0),
    "cgroup_connect_unix": (18, 49, "", 0),
    "cgroup_sendmsg4": (18, 14, "", 0),
    "cgroup_sendmsg6": (18, 15, "", 0),
    "cgroup_sendmsg_unix": (18, 50, "", 0),
    "cgroup_recvmsg4": (18, 19, "", 0),
    "cgroup_recvmsg6": (18, 20, "", 0),
    "cgroup_recvmsg_unix": (18, 51, "", 0),
    "cgroup_getpeername4": (18, 29, "", 0),
    "cgroup_getpeername6": (18, 30, "", 0),
    "cgroup_getpeername_unix": (18, 52, "", 0),
    "cgroup_getsockname4": (18, 31, "", 0),
    "cgroup_getsockname6": (18, 32, "", 0),
    "cgroup_getsockname_unix": (18, 53, "", 0),
    "lwt_seg6local": (19, None, "", 0),
    "lirc_mode2": (20, 16, "", 0),
    "sk_reuseport": (21, 39, "", 0),
    "sk_reuseport_migrate": (21, 40, "", 0),
    "flow_dissector": (22, 17, "", 0),
    "cgroup_sysctl": (23, 18, "", 0),
    "raw_tracepoint_writable": (24, None, "name", 0),
    "cgroup_getsockopt": (25, 21, "", 0),
    "cgroup_setsockopt": (25, 22, "", 0),
    "tp_btf": (26, 23, "name", 0),
    "fentry": (26, 24, "function", 0),
    "fexit": (26, 25, "function", 0),
    "fmod_ret": (26, 26, "function", 0),
    "fentry_sleepable": (26, 24, "function", SLEEPABLE),
    "fexit_sleepable": (26, 25, "function", SLEEPABLE),
    "bpf_iter": (26, 28, "kind", 0),
    "struct_ops": (27, None, "member", 0),
    "freplace": (28, None, "function", 0),
    "lsm": (29, 27, "hook", 0),
    "lsm_sleepable": (29, 27, "hook", SLEEPABLE),
    "lsm_cgroup": (29, 43, "hook", 0),
    "sk_lookup": (30, 36, "", 0),
    "bpf_syscall": (31, None, "", SLEEPABLE),
    "netfilter": (32, 45, "", 0),
}


def make(kind: Kind) -> Callable[..., Any]:
    """The decorator of a kind: used bare, or with a target and options."""

    def decorate(function: Any = None, /, target: str | None = None, **options: Any) -> Any:
        from .program import Function

        if function is not None and not callable(function):
            if target is not None:
                between = SEPARATOR.get(kind.name, "/")
                apart = between not in f"{function}{target}"
                advice = f": write {f'{function}{between}{target}'!r} as one" if apart else ""
                raise KindError(f"{kind!r} takes one target, and was given {function!r} and {target!r}{advice}")
            function, target = None, function
        if target is not None:
            options["attach_to"] = target
        if function is not None:
            return Function(function, kind, **options)
        return lambda fn: Function(fn, kind, **options)

    decorate.__name__ = decorate.__qualname__ = kind.name
    aim = f" of a {kind.target}" if kind.target else ""
    decorate.__doc__ = (
        f"Make a function a program for the hook {kind.name}{aim}; see `pybpf.dsl.kinds` for the options."
    )
    return decorate


def program(prog_type: int, attach_type: int | None = None, /, **options: Any) -> Callable[[FunctionType], Function]:
    """The decorator of any program type: `@program(ProgType.XDP)`, `@program(ProgType.TRACING, AttachType.TRACE_FENTRY)`."""
    from .program import Function

    for given, kind_of in ((prog_type, int), (attach_type, (int, type(None)))):
        if not isinstance(given, kind_of):
            raise KindError(
                f"@program takes a ProgType and an AttachType, not {given!r}: from pybpf.uapi import ProgType"
            )
    flags = options.pop("flags", 0)
    name = getattr(prog_type, "name", str(prog_type)).lower()
    kind = Kind(name, int(prog_type), None if attach_type is None else int(attach_type), flags=flags)
    return lambda fn: Function(fn, kind, **options)


def __getattr__(name: str) -> Any:
    row = TABLE.get(name)
    if row is None:
        raise AttributeError(f"module 'pybpf.dsl.kinds' has no attribute {name!r}")
    found = globals()[name] = make(Kind(name, *row))
    return found
