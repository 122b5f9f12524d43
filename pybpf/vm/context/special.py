"""Contexts that join fields with memory of their own: messages, socket options, reuseport, flow dissection,
netfilter.
"""

from __future__ import annotations

import ctypes

from ...errors import SpecError
from ...uapi import (
    ProgType,
    bpf_flow_keys,
    bpf_nf_ctx,
    bpf_sk_lookup,
    bpf_sock_ops,
    bpf_sockopt,
    sk_msg_md,
    sk_reuseport_md,
)
from ...uapi import __sk_buff as sk_buff
from .base import Context, offset_of, structure
from .packet import ETH_HLEN, Packet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...spec import ProgramSpec
    from ..environment import Environment
    from ..memory import Memory

_AF_INET, _AF_INET6 = 2, 10
_WITH_PACKET: dict[int, tuple[Any, str, str, str]] = {
    ProgType.SK_MSG: (sk_msg_md, "data", "data_end", "size"),
    ProgType.SK_REUSEPORT: (sk_reuseport_md, "data", "data_end", "len"),
    ProgType.SOCK_OPS: (bpf_sock_ops, "skb_data", "skb_data_end", "skb_len"),
    ProgType.CGROUP_SOCKOPT: (bpf_sockopt, "optval", "optval_end", "optlen"),
}


class PacketContext(Context):
    """Fields beside a packet whose addresses two of them hold."""

    def packet_output(self) -> bytes:
        return bytes(self.packet.raw())


def with_packet(spec: ProgramSpec, given: Any, mem: Memory, env: Environment, data: bytes | None) -> Context:
    """Messages, socket operations and options: `data` is the message, the segment, or the option's value."""
    layout, start, end, length = _WITH_PACKET[spec.prog_type]
    fields = structure(layout, given, mem)
    raw = b"" if data is None else data
    if not getattr(fields, length):
        setattr(fields, length, len(raw))
    made = PacketContext(bytearray(bytes(fields)), {}, f"struct {layout.__name__}", layout)
    made.packet = Packet(mem, raw, writable=spec.prog_type in (ProgType.SK_MSG, ProgType.CGROUP_SOCKOPT))
    made.packet.bind(made.pointers, offset_of(layout, start), offset_of(layout, end))
    return made


class FlowContext(Context):
    """A packet to dissect; the result is the flow keys."""

    keys = 0
    mem: Any = None

    def packet_output(self) -> bytes:
        return bytes(self.mem.read(self.keys, ctypes.sizeof(bpf_flow_keys)))


def flow_dissector(spec: ProgramSpec, given: Any, mem: Memory, env: Environment, data: bytes | None) -> Context:
    """The packet seen from the Ethernet header; `ctx` are flow keys to begin with (only `flags` is used)."""
    raw = b"" if data is None else data
    if len(raw) < ETH_HLEN:
        raise SpecError(f"{len(raw)} bytes of packet data: a frame has at least an Ethernet header ({ETH_HLEN} bytes)")
    keys = bpf_flow_keys()
    keys.flags = structure(bpf_flow_keys, given, mem).flags
    keys.nhoff = keys.thoff = ETH_HLEN
    keys.n_proto = int.from_bytes(raw[12:14], "big")
    made = FlowContext(bytearray(ctypes.sizeof(sk_buff)), {}, "struct __sk_buff")
    made.mem = mem
    made.packet = Packet(mem, raw, writable=False)
    made.packet.bind(made.pointers, offset_of(sk_buff, "data"), offset_of(sk_buff, "data_end"))
    made.keys = mem.add(bytearray(bytes(keys)), "struct bpf_flow_keys")
    made.owned.append(made.keys)
    made.pointers[offset_of(sk_buff, "flow_keys")] = made.keys
    return made


def netfilter(spec: ProgramSpec, given: Any, mem: Memory, env: Environment, data: bytes | None) -> Context:
    """`state` and `skb` are addresses of kernel memory that the test made with `vm.kernel_memory`."""
    fields = structure(bpf_nf_ctx, given, mem)
    made = PacketContext(bytearray(bytes(fields)), {}, "struct bpf_nf_ctx", bpf_nf_ctx)
    made.packet = Packet(mem, b"" if data is None else data, writable=False)
    return made


def sk_lookup(spec: ProgramSpec, given: Any, mem: Memory, env: Environment, data: bytes | None) -> Context:
    """A socket look-up; SpecError for fields that TEST_RUN refuses (`bpf_prog_test_run_sk_lookup`)."""
    fields = structure(bpf_sk_lookup, given, mem)
    if data:
        raise SpecError("a program on socket look-ups takes no packet data")
    if fields.family not in (_AF_INET, _AF_INET6):
        raise SpecError(f"ctx: family is {fields.family}: expected {_AF_INET} (IPv4) or {_AF_INET6} (IPv6)")
    if fields.cookie or fields.ingress_ifindex or fields.local_port > 65535:
        raise SpecError("ctx: cookie and ingress_ifindex cannot be given, and local_port is at most 65535")
    return Context(bytearray(bytes(fields)), name="struct bpf_sk_lookup", layout=bpf_sk_lookup)
