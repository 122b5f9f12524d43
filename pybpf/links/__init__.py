"""Attachments: one module a hook family, one way to use all: `link = prog.attach(target, ...)`.

`ATTACH` says which function attaches a program of which type.  Such a function takes the live program, its target and
keywords of its own, and gives a `Link`.
"""

from __future__ import annotations

import sys
from types import ModuleType

from ..errors import BpfError, KindError, SyscallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from .base import BpfLink, Link

    Attach = Callable[..., Link]

__all__ = ("ATTACH", "attach", "attacher")

# ProgType -> "module:function" in this package; imported when it is first used.
ATTACH: dict[int, str] = {
    1: "socket:attach",  # SOCKET_FILTER
    2: "kprobe:attach",  # KPROBE: also uprobes and USDT
    3: "tc:attach",  # SCHED_CLS: also netkit
    4: "tc:attach_action",  # SCHED_ACT
    5: "tracepoint:attach",  # TRACEPOINT
    6: "xdp:attach",  # XDP
    7: "perf:attach",  # PERF_EVENT
    8: "cgroup:attach",  # CGROUP_SKB
    9: "cgroup:attach",  # CGROUP_SOCK
    10: "lwt:attach",  # LWT_IN
    11: "lwt:attach",  # LWT_OUT
    12: "lwt:attach",  # LWT_XMIT
    13: "cgroup:attach",  # SOCK_OPS
    14: "sockmap:attach",  # SK_SKB
    15: "cgroup:attach",  # CGROUP_DEVICE
    16: "sockmap:attach",  # SK_MSG
    17: "tracepoint:attach_raw",  # RAW_TRACEPOINT
    18: "cgroup:attach",  # CGROUP_SOCK_ADDR
    19: "lwt:attach",  # LWT_SEG6LOCAL
    20: "lirc:attach",  # LIRC_MODE2
    21: "socket:attach_reuseport",  # SK_REUSEPORT
    22: "netns:attach",  # FLOW_DISSECTOR
    23: "cgroup:attach",  # CGROUP_SYSCTL
    24: "tracepoint:attach_raw",  # RAW_TRACEPOINT_WRITABLE
    25: "cgroup:attach",  # CGROUP_SOCKOPT
    26: "tracing:attach",  # TRACING: fentry, fexit, fmod_ret, BTF tracepoints, iterators
    27: "struct_ops:attach",  # STRUCT_OPS
    28: "tracing:attach",  # EXT
    29: "tracing:attach_lsm",  # LSM
    30: "netns:attach",  # SK_LOOKUP
    32: "netfilter:attach",  # NETFILTER
}


def attacher(prog_type: int) -> Attach | None:
    """The function that attaches programs of a type; None when there is none."""
    place = ATTACH.get(prog_type)
    if place is None:
        return None
    from importlib import import_module

    module, function = place.split(":")
    found: Attach = getattr(import_module(f".{module}", __name__), function)
    return found


def attach(prog: Any, target: Any, **options: Any) -> Link:
    """Attach a live program by the function of its type.

    NotSupportedError for a type without a hook, SpecError without a target where there must be one, KindError for an option
    that there is not; SyscallError says what the kernel's refusal means there.
    """
    function = attacher(prog.prog_type)
    if function is None:
        from ..errors import NotSupportedError

        raise NotSupportedError(f"attaching {prog!r}", hint="programs of its type are not attached by themselves")
    if target is None:
        from .hints import need_target

        need_target(prog)
    try:
        return function(prog, target, **options)
    except SyscallError as error:
        from .hints import explain

        explain(prog, error)
        raise
    except TypeError as error:
        if isinstance(error, BpfError):
            raise
        raise KindError(f"attaching {prog!r}: {error}") from error


class _Callable(ModuleType):
    """`pybpf.links()` lists the links of the kernel, so this package can be called."""

    def __call__(self) -> Iterator[BpfLink]:
        from .found import links

        return links()


sys.modules[__name__].__class__ = _Callable
