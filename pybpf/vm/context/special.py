"""Contexts that join fields with memory of their own: messages, socket options, reuseport, flow dissection,
socket look-ups.
"""

from __future__ import annotations

import ctypes
from errno import EAFNOSUPPORT, EINVAL, ERANGE

from ...errors import InputError
from ...kernel.run_context import set_field
from ...uapi import (
    AttachType,
    ProgType,
    bpf_flow_keys,
    bpf_sk_lookup,
    bpf_sock_ops,
    bpf_sockopt,
    sk_msg_md,
    sk_reuseport_md,
)
from ...uapi import __sk_buff as sk_buff
from .base import Context, narrow_fields, offset_of, structure
from .packet import ETH_HLEN, Packet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...spec import ProgramSpec
    from ..environment import Environment
    from ..memory import Memory
    from ..sockets import PseudoSocket

_PAGE = 4096
_SMALLEST_SET = 16
_AF_INET, _AF_INET6 = 2, 10
_NARROW = narrow_fields(bpf_sk_lookup, dict.fromkeys(("family", "protocol", "local_port"), 2))
_WITH_PACKET: dict[int, tuple[Any, str, str, str]] = {
    ProgType.SK_MSG: (sk_msg_md, "data", "data_end", "size"),
    ProgType.SK_REUSEPORT: (sk_reuseport_md, "data", "data_end", "len"),
    ProgType.SOCK_OPS: (bpf_sock_ops, "skb_data", "skb_data_end", "skb_len"),
}


class PacketContext(Context):
    """Fields beside a packet whose addresses two of them hold."""

    def packet_output(self) -> bytes:
        return bytes(self.packet.raw())


def with_packet(spec: ProgramSpec, given: Any, mem: Memory, env: Environment, data: bytes | None) -> Context:
    """Messages and socket operations: `data` is the message, or the segment."""
    layout, start, end, length = _WITH_PACKET[spec.prog_type]
    fields = structure(layout, given, mem)
    raw = b"" if data is None else data
    if not getattr(fields, length):
        setattr(fields, length, len(raw))
    made = PacketContext(bytearray(bytes(fields)), {}, f"struct {layout.__name__}", layout)
    made.packet = Packet(mem, raw, writable=spec.prog_type == ProgType.SK_MSG)
    made.packet.bind(made.pointers, offset_of(layout, start), offset_of(layout, end))
    return made


class OptionContext(PacketContext):
    """A socket option: what comes back is as much of its value as `optlen` says after the program."""

    def packet_output(self) -> bytes:
        length = bpf_sockopt.from_buffer_copy(self.data).optlen
        return bytes(self.packet.raw()[: length if length >= 0 else None])


def socket_option(spec: ProgramSpec, given: Any, mem: Memory, env: Environment, data: bytes | None) -> Context:
    """An option that is set, or that the kernel has answered: `data` is the caller's buffer, `optlen` how much is the value.

    Programs see a page of it at most, 16 bytes at least of one that is set (`__cgroup_bpf_run_filter_setsockopt`), and
    zeros where the kernel has failed to answer (`retval`).
    """
    fields = structure(bpf_sockopt, given, mem)
    raw = b"" if data is None else data
    fields.optlen = fields.optlen or len(raw)
    is_set = spec.expected_attach_type == AttachType.CGROUP_SETSOCKOPT
    shown = (bytes(len(raw)) if fields.retval else raw)[:_PAGE].ljust(_SMALLEST_SET if is_set else 0, b"\0")
    made = OptionContext(bytearray(bytes(fields)), {}, "struct bpf_sockopt", bpf_sockopt)
    made.packet = Packet(mem, shown)
    made.packet.bind(made.pointers, offset_of(bpf_sockopt, "optval"), offset_of(bpf_sockopt, "optval_end"))
    return made


class FlowContext(Context):
    """A packet to dissect; the result is the flow keys."""

    keys = 0
    given = b""
    mem: Any = None

    def packet_output(self) -> bytes:
        keys = bpf_flow_keys.from_buffer_copy(self.mem.read(self.keys, ctypes.sizeof(bpf_flow_keys)))
        # Offsets are put right behind the program (`bpf_flow_dissect`): each behind the last, none behind the packet.
        keys.nhoff = min(max(keys.nhoff, ETH_HLEN), len(self.packet))
        keys.thoff = min(max(keys.thoff, keys.nhoff), len(self.packet))
        return bytes(keys)

    def output(self) -> bytes:
        return self.given


def flow_dissector(spec: ProgramSpec, given: Any, mem: Memory, env: Environment, data: bytes | None) -> Context:
    """The packet seen from the Ethernet header; `ctx` are flow keys, of which only `flags` may be given."""
    raw = b"" if data is None else data
    if len(raw) < ETH_HLEN:
        raise InputError(
            EINVAL, f"{len(raw)} bytes of packet data: a frame has at least an Ethernet header ({ETH_HLEN} bytes)"
        )
    if len(raw) > _PAGE:
        raise InputError(EINVAL, f"{len(raw)} bytes of packet data: at most {_PAGE}, a page")
    fields = structure(bpf_flow_keys, given, mem)
    keys = bpf_flow_keys()
    keys.flags = fields.flags
    if bytes(fields) != bytes(keys):
        raise InputError(EINVAL, "ctx: of struct bpf_flow_keys only flags can be given")
    keys.nhoff = keys.thoff = ETH_HLEN
    keys.n_proto = int.from_bytes(raw[12:14], "big")
    made = FlowContext(bytearray(ctypes.sizeof(sk_buff)), {}, "struct __sk_buff", bpf_flow_keys)
    made.given = bytes(fields)
    made.mem = mem
    made.packet = Packet(mem, raw, writable=False)
    made.packet.bind(made.pointers, offset_of(sk_buff, "data"), offset_of(sk_buff, "data_end"))
    made.keys = mem.add(bytearray(bytes(keys)), "struct bpf_flow_keys")
    made.owned.append(made.keys)
    made.pointers[offset_of(sk_buff, "flow_keys")] = made.keys
    return made


class LookupContext(Context):
    """A socket look-up; what comes back is what was given, and the cookie of the socket that was chosen."""

    given: Any = None
    selected: PseudoSocket | None = None

    def output(self) -> bytes:
        if self.selected is not None:
            self.given.cookie = self.selected.cookie
        return bytes(self.given)


def sk_lookup(spec: ProgramSpec, given: Any, mem: Memory, env: Environment, data: bytes | None) -> Context:
    """A socket look-up; InputError for fields that TEST_RUN refuses (`bpf_prog_test_run_sk_lookup`)."""
    if given is None or (not isinstance(given, dict) and not bytes(given)):
        raise InputError(EINVAL, "ctx: a socket look-up needs one: family, ports and addresses")
    fields = structure(bpf_sk_lookup, given, mem)
    if fields.ingress_ifindex:
        raise InputError(EINVAL, "ctx: cookie and ingress_ifindex cannot be given")
    if fields.local_port > 65535:
        raise InputError(ERANGE, f"ctx: local_port is {fields.local_port}: at most 65535")
    if fields.family not in (_AF_INET, _AF_INET6):
        raise InputError(
            EAFNOSUPPORT, f"ctx: family is {fields.family}: expected {_AF_INET} (IPv4) or {_AF_INET6} (IPv6)"
        )
    if fields.cookie:
        raise InputError(EINVAL, "ctx: cookie and ingress_ifindex cannot be given")
    seen = bpf_sk_lookup.from_buffer_copy(bytes(fields))
    seen.protocol &= 0xFFFF
    for name in ("remote_ip6", "local_ip6") if fields.family == _AF_INET else ("remote_ip4", "local_ip4"):
        set_field(seen, name, bytes(16))
    made = LookupContext(bytearray(bytes(seen)), {}, "struct bpf_sk_lookup", bpf_sk_lookup, _NARROW)
    made.given = fields
    return made
