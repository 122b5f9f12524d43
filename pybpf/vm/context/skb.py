"""`struct __sk_buff` and the packet behind it, as TEST_RUN makes them (net/bpf/test_run.c, `bpf_prog_test_run_skb`)."""

from __future__ import annotations

from errno import EINVAL

from ...errors import InputError
from ...uapi import ProgType
from ...uapi import __sk_buff as sk_buff
from .base import Context, device, narrow_fields, offset_of, structure
from .buffer import HEADROOM, OVERHEAD, Buffer
from .packet import ETH_HLEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...spec import ProgramSpec
    from ..environment import Environment
    from ..memory import Memory

# Programs that see the Ethernet header; all others begin at the network layer.
LINK_LAYER = frozenset((ProgType.SCHED_CLS, ProgType.SCHED_ACT))
# Programs that may take the addresses of the packet from the context.
DIRECT = LINK_LAYER | {
    ProgType.LWT_IN,
    ProgType.LWT_OUT,
    ProgType.LWT_XMIT,
    ProgType.LWT_SEG6LOCAL,
    ProgType.CGROUP_SKB,
    ProgType.SK_SKB,
}
_READ_ONLY = frozenset(
    (ProgType.LWT_IN, ProgType.LWT_OUT, ProgType.CGROUP_SKB, ProgType.LWT_SEG6LOCAL, ProgType.SOCKET_FILTER)
)
# What the caller may set; TEST_RUN refuses anything else (`convert___skb_to_skb`).
GIVEN = (
    "mark",
    "priority",
    "ingress_ifindex",
    "ifindex",
    "cb",
    "tstamp",
    "wire_len",
    "gso_segs",
    "gso_size",
    "hwtstamp",
)
_BARE = frozenset((ProgType.SK_SKB, ProgType.LWT_SEG6LOCAL))
LARGEST = 4096 - HEADROOM - OVERHEAD
"""Bytes of a frame in a page."""
_CLOSED = 7  # TCP_CLOSE, as sock_init_data leaves it
_ETH_P_IP, _ETH_P_IPV6 = 0x0800, 0x86DD
_AF_INET, _AF_INET6 = 2, 10
_DATA, _DATA_END, _DATA_META, _SK = (offset_of(sk_buff, f) for f in ("data", "data_end", "data_meta", "sk"))
LAYOUT = sk_buff
_NARROW = narrow_fields(
    sk_buff,
    {
        "pkt_type": 1,
        **dict.fromkeys(
            (
                "queue_mapping",
                "protocol",
                "vlan_tci",
                "vlan_proto",
                "tc_index",
                "tc_classid",
                "family",
                "remote_port",
                "local_port",
                "gso_segs",
                "gso_size",
            ),
            2,
        ),
    },
    written=("queue_mapping", "tc_index", "tc_classid"),
)
_QUEUE = offset_of(sk_buff, "queue_mapping")
_NO_QUEUE = 0xFFFF  # NO_QUEUE_MAPPING


class SkbContext(Context):
    """A socket buffer: the fields a program sees, and the packet."""

    def __init__(self, fields: Any, packet: Buffer, given: Any) -> None:
        super().__init__(bytearray(bytes(fields)), {}, "struct __sk_buff", sk_buff, _NARROW)
        self.packet = packet
        self.given = given

    def store(self, offset: int, size: int, value: int) -> None:
        if offset != _QUEUE:
            super().store(offset, size, value)
        elif value < _NO_QUEUE:  # else there is no such queue: the kernel leaves the field as it is
            # It compares an immediate with its sign, so that a negative one is stored, its lower half.
            super().store(offset, size, value & 0xFFFF)

    def refresh(self) -> None:
        """Let `len` follow the packet after a helper changed its size."""
        self.put("len", len(self.packet))

    def put(self, field: str, value: int) -> None:
        descriptor = getattr(sk_buff, field)
        at = descriptor.offset
        self.data[at : at + descriptor.size] = (value & ((1 << 8 * descriptor.size) - 1)).to_bytes(
            descriptor.size, "little"
        )

    def get(self, field: str) -> int:
        descriptor = getattr(sk_buff, field)
        return int.from_bytes(self.data[descriptor.offset : descriptor.offset + descriptor.size], "little")

    def output(self) -> bytes:
        """What the caller gave, and the fields that TEST_RUN copies back (`convert_skb_to___skb`)."""
        out = self.given
        now = sk_buff.from_buffer_copy(self.data)
        for field in (
            "mark",
            "priority",
            "ingress_ifindex",
            "ifindex",
            "tstamp",
            "cb",
            "wire_len",
            "gso_segs",
            "hwtstamp",
        ):
            setattr(out, field, getattr(now, field))
        return bytes(out)

    def packet_output(self) -> bytes:
        # The header that was taken off to reach the network layer comes back as zeros.
        return bytes(len(self.packet.front)) + bytes(self.packet.raw())


def make(spec: ProgramSpec, given: Any, mem: Memory, env: Environment, data: bytes | None) -> SkbContext:
    """The context for a program on socket buffers.  InputError for input that TEST_RUN refuses with EINVAL."""
    prog_type = spec.prog_type
    frame = b"" if data is None else data
    if prog_type in _BARE:
        return _bare(given, mem, frame)
    if len(frame) < ETH_HLEN:
        raise InputError(
            EINVAL, f"{len(frame)} bytes of packet data: a frame has at least an Ethernet header ({ETH_HLEN} bytes)"
        )
    if len(frame) > LARGEST:
        raise InputError(EINVAL, f"{len(frame)} bytes of packet data: TEST_RUN puts at most {LARGEST} into one page")
    link_layer = prog_type in LINK_LAYER
    packet = Buffer(
        mem,
        frame if link_layer else frame[ETH_HLEN:],
        front=b"" if link_layer else frame[:ETH_HLEN],
        writable=prog_type not in _READ_ONLY,
    )
    ctx = structure(sk_buff, given, mem)
    for name, *_ in sk_buff._fields_:
        value = getattr(ctx, name)
        if name not in GIVEN and not name.startswith("_") and any(value if hasattr(value, "__len__") else (value,)):
            raise InputError(EINVAL, f"ctx: {name} cannot be given for struct __sk_buff; these can: {', '.join(GIVEN)}")
    if ctx.wire_len and not len(packet) <= ctx.wire_len <= 65536:
        raise InputError(
            EINVAL, f"ctx: wire_len is {ctx.wire_len}: expected {len(packet)} (the packet's length) to 65536"
        )
    if ctx.gso_segs > 65535:
        raise InputError(EINVAL, f"ctx: gso_segs is {ctx.gso_segs}: at most 65535")
    fields = sk_buff.from_buffer_copy(bytes(ctx))
    fields.len = len(packet)
    # Without a context TEST_RUN leaves the length that was on the wire unset.
    fields.wire_len = 0 if given is None else ctx.wire_len or len(packet)
    fields.ifindex = device(env, ctx.ifindex)
    fields.gso_size = ctx.gso_size & 0xFFFF
    protocol = ether_type(frame[12:16])
    fields.protocol = (protocol & 0xFF) << 8 | protocol >> 8
    fields.pkt_type = _pkt_type(frame[:6])
    _addresses(fields, frame, protocol)
    made = SkbContext(fields, packet, ctx)
    if prog_type in DIRECT:
        packet.bind(made.pointers, _DATA, _DATA_END, _DATA_META)
    from ..sockets import PseudoSocket, socket_address

    socket = PseudoSocket(
        family=fields.family,
        dst_ip4=fields.remote_ip4,
        src_ip4=fields.local_ip4,
        dst_ip6=fields.remote_ip6,
        src_ip6=fields.local_ip6,
        state=_CLOSED,
        rx_queue_mapping=-1,
    )
    made.pointers[_SK] = socket_address(mem, socket)
    made.owned.append(made.pointers[_SK])
    return made


def _bare(given: Any, mem: Memory, data: bytes) -> SkbContext:
    """Types that TEST_RUN does not run: the packet begins with the first byte given, and every field may be given."""
    fields = structure(sk_buff, given, mem)
    packet = Buffer(mem, data)
    fields.len = fields.len or len(data)
    made = SkbContext(fields, packet, sk_buff.from_buffer_copy(bytes(fields)))
    packet.bind(made.pointers, _DATA, _DATA_END)
    if fields.sk:
        made.pointers[_SK] = fields.sk
    return made


def ether_type(raw: bytes) -> int:
    """The protocol that a type field and the two bytes behind it mean: below 0x600 it is a length
    (`eth_type_trans`).
    """
    number = int.from_bytes(raw[:2], "big")
    if number >= 0x600:
        return number
    return 0x0001 if raw[2:4] == b"\xff\xff" else 0x0004


def _pkt_type(destination: bytes) -> int:
    """PACKET_HOST, MULTICAST or OTHERHOST on the loopback device, whose own and broadcast addresses are zero."""
    if not any(destination):
        return 0
    return 2 if destination[0] & 1 else 3


def _addresses(fields: Any, frame: bytes, protocol: int) -> None:
    """Family and addresses of the pseudo socket that TEST_RUN puts behind the packet."""
    body = frame[ETH_HLEN:]
    if protocol == _ETH_P_IP:
        _demand(body, 20, "IPv4")
        fields.family = _AF_INET
        fields.local_ip4 = int.from_bytes(body[12:16], "little")
        fields.remote_ip4 = int.from_bytes(body[16:20], "little")
    elif protocol == _ETH_P_IPV6:
        _demand(body, 40, "IPv6")
        fields.family = _AF_INET6
        for i in range(4):
            fields.local_ip6[i] = int.from_bytes(body[8 + 4 * i : 12 + 4 * i], "little")
            fields.remote_ip6[i] = int.from_bytes(body[24 + 4 * i : 28 + 4 * i], "little")


def _demand(body: bytes, size: int, name: str) -> None:
    if len(body) < size:
        raise InputError(
            EINVAL, f"{len(body)} bytes behind the Ethernet header, whose type says {name}: expected {size} or more"
        )
