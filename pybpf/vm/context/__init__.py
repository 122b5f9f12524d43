"""Contexts by program type: the table, and `make`."""

from __future__ import annotations

from errno import EINVAL
from functools import partial

from ...errors import InputError, NotSupportedError
from ...kernel.run_context import SKB_TYPES, check_kind
from ...uapi import (
    ProgType,
    bpf_cgroup_dev_ctx,
    bpf_perf_event_data,
    bpf_sock,
    bpf_sock_addr,
    bpf_sysctl,
    named,
)
from . import netfilter, skb, special, tracing, xdp
from .base import ADDRESS, Context, buffer, flat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ...spec import ProgramSpec
    from ..environment import Environment
    from ..memory import Memory

    Maker = Callable[[Any, Any, Memory, Environment, "bytes | None"], Context]


def _typed(make: Any) -> Maker:
    """A maker that does not care for the program."""
    return lambda spec, given, mem, env, data: make(given, mem, env, data)


MAKERS: dict[int, Maker] = {
    **dict.fromkeys(SKB_TYPES, skb.make),
    ProgType.XDP: xdp.make,
    ProgType.KPROBE: tracing.registers,
    ProgType.PERF_EVENT: _typed(partial(flat, bpf_perf_event_data)),
    ProgType.CGROUP_SOCK: _typed(partial(flat, bpf_sock)),
    ProgType.CGROUP_SOCK_ADDR: _typed(partial(flat, bpf_sock_addr)),
    ProgType.CGROUP_DEVICE: _typed(partial(flat, bpf_cgroup_dev_ctx)),
    ProgType.CGROUP_SYSCTL: _typed(partial(flat, bpf_sysctl)),
    ProgType.SK_LOOKUP: special.sk_lookup,
    **dict.fromkeys((ProgType.SK_MSG, ProgType.SK_REUSEPORT, ProgType.SOCK_OPS), special.with_packet),
    ProgType.CGROUP_SOCKOPT: special.socket_option,
    ProgType.FLOW_DISSECTOR: special.flow_dissector,
    ProgType.NETFILTER: netfilter.make,
    **dict.fromkeys(
        (
            ProgType.RAW_TRACEPOINT,
            ProgType.RAW_TRACEPOINT_WRITABLE,
            ProgType.TRACING,
            ProgType.LSM,
            ProgType.STRUCT_OPS,
            ProgType.EXT,
        ),
        tracing.words,
    ),
    ProgType.TRACEPOINT: tracing.event,
    ProgType.SYSCALL: _typed(buffer),
    ProgType.LIRC_MODE2: _typed(buffer),
}

PACKETS = frozenset(t for t, maker in MAKERS.items() if maker in (skb.make, xdp.make, special.flow_dissector))
"""Program types that run on a frame."""
_TAKE_DATA = frozenset(
    (skb.make, xdp.make, special.flow_dissector, netfilter.make, special.with_packet, special.socket_option)
)


def make(spec: ProgramSpec, given: Any, mem: Memory, env: Environment, data: bytes | None) -> Context:
    """The context of a run.  NotSupportedError for a program type without one."""
    maker = MAKERS.get(spec.prog_type)
    if maker is None:
        name = getattr(named(ProgType, spec.prog_type), "name", spec.prog_type)
        raise NotSupportedError(f"program type {name} in the offline machine")
    if data and maker not in _TAKE_DATA:
        name = getattr(named(ProgType, spec.prog_type), "name", spec.prog_type)
        raise InputError(EINVAL, f"{name} programs take no packet data")
    check_kind(given, maker in (tracing.words, tracing.registers))
    made = maker(spec, given, mem, env, data)
    if spec.prog_type != ProgType.EXT:  # the context is that of what it replaces
        made.kind = (spec.prog_type, spec.expected_attach_type, spec.sleepable)
    return made


__all__ = ("ADDRESS", "PACKETS", "Context", "make")
