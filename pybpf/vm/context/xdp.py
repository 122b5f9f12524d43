"""`struct xdp_md` and the frame behind it, as TEST_RUN makes them (net/bpf/test_run.c, `bpf_prog_test_run_xdp`)."""

from __future__ import annotations

from errno import EINVAL, ENOMEM

from ...errors import InputError
from ...uapi import xdp_md
from .base import Context, device, offset_of, structure
from .packet import ETH_HLEN, Packet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...spec import ProgramSpec
    from ..environment import Environment
    from ..memory import Memory

HEADROOM = 256  # XDP_PACKET_HEADROOM
FRAME_INFO = 40  # sizeof(struct xdp_frame), which the kernel keeps at the very front of the headroom
LINEAR = 4096 - HEADROOM - 320  # what a page has behind headroom and in front of skb_shared_info
MAX_META = 255
_GIVEN_META = HEADROOM - FRAME_INFO  # as much as the headroom holds
_PAGE = 4096
_MAX_FRAGMENTS = 17  # MAX_SKB_FRAGS
_DATA, _DATA_END, _DATA_META = (offset_of(xdp_md, f) for f in ("data", "data_end", "data_meta"))
LAYOUT = xdp_md


class XdpContext(Context):
    """A frame as a driver hands it over."""

    def __init__(self, fields: Any, packet: Packet, given: Any) -> None:
        super().__init__(bytearray(bytes(fields)), {}, "struct xdp_md", xdp_md)
        self.packet = packet
        self.given = given

    def output(self) -> bytes:
        """`data`, `data_end` and `data_meta` as offsets into the output, as the kernel gives them."""
        out = xdp_md.from_buffer_copy(bytes(self.given))
        out.data_meta = 0
        out.data = len(self.packet.meta)
        out.data_end = len(self.packet.region)
        return bytes(out)

    def packet_output(self) -> bytes:
        return bytes(self.packet.region) + bytes(self.packet.rest)


def make(spec: ProgramSpec, given: Any, mem: Memory, env: Environment, data: bytes | None) -> XdpContext:
    """The context for an XDP program.  InputError for input that TEST_RUN refuses with EINVAL.

    When `ctx` is given, `data` begins with metadata: `ctx["data"]` says where the frame begins, and `data_end` where
    it ends.
    """
    raw = b"" if data is None else data
    ctx = structure(xdp_md, given, mem)
    if isinstance(given, dict) and "data_end" not in given:
        ctx.data_end = len(raw)
    if given is None:
        ctx.data_end = len(raw)
    if len(raw) - ctx.data < ETH_HLEN and ctx.data <= ctx.data_end:
        raise InputError(
            EINVAL, f"{len(raw)} bytes of packet data: a frame has at least an Ethernet header ({ETH_HLEN} bytes)"
        )
    if ctx.data_meta or not ctx.data <= ctx.data_end <= len(raw):
        raise InputError(
            EINVAL,
            f"ctx: data_meta={ctx.data_meta}, data={ctx.data}, data_end={ctx.data_end} for {len(raw)} bytes: "
            "expected data_meta == 0 and data <= data_end <= the number of bytes",
        )
    if ctx.data % 4 or ctx.data > _GIVEN_META:
        raise InputError(EINVAL, f"ctx: {ctx.data} bytes of metadata: expected a multiple of 4, at most {_GIVEN_META}")
    if ctx.egress_ifindex:
        raise InputError(EINVAL, "ctx: egress_ifindex cannot be given for a frame that was received")
    if ctx.rx_queue_index and not ctx.ingress_ifindex:
        raise InputError(EINVAL, "ctx: rx_queue_index without ingress_ifindex")
    fields = xdp_md.from_buffer_copy(bytes(ctx))
    fields.ingress_ifindex = device(env, ctx.ingress_ifindex)
    # What does not fit the first page, or lies behind `data_end`, is in fragments.
    end = min(ctx.data_end, LINEAR + ctx.data)
    if len(raw) - end > _MAX_FRAGMENTS * _PAGE:
        raise InputError(ENOMEM, f"{len(raw) - end} bytes in fragments: at most {_MAX_FRAGMENTS} pages")
    packet = Packet(mem, raw[ctx.data : end], meta=raw[: ctx.data], headroom=HEADROOM - ctx.data, rest=raw[end:])
    made = XdpContext(fields, packet, ctx)
    packet.bind(made.pointers, _DATA, _DATA_END, _DATA_META)
    return made
