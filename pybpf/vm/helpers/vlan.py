"""VLAN tags, in the frame and beside it."""

from __future__ import annotations

from ..context.skb import SkbContext, ether_type
from .packet import packet_of, protocol_of, skb_of, swap16
from .table import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run

_ETH_P_8021Q, _ETH_P_8021AD = 0x8100, 0x88A8
_VLAN = (_ETH_P_8021Q, _ETH_P_8021AD)


@model
def skb_vlan_push(run: Run, skb: int, vlan_proto: int, vlan_tci: int) -> int:
    """The first tag is kept beside the packet, as hardware does; a second one pushes the first into the frame."""
    ctx = skb_of(run)
    proto = swap16(vlan_proto)
    if proto not in _VLAN:
        vlan_proto = swap16(_ETH_P_8021Q)
    if ctx.get("vlan_present"):
        _write_tag(run, ctx)
    ctx.put("vlan_present", 1)
    ctx.put("vlan_tci", vlan_tci & 0xFFFF)
    ctx.put("vlan_proto", vlan_proto & 0xFFFF)
    return 0


def _write_tag(run: Run, ctx: SkbContext) -> None:
    packet = packet_of(run)
    data = packet.raw()
    mac = 0 if packet.front else 12
    tag = ctx.get("vlan_proto").to_bytes(2, "little") + ctx.get("vlan_tci").to_bytes(2, "big")
    packet.replace(data[:mac] + tag + data[mac:])
    ctx.put("protocol", ctx.get("vlan_proto"))
    ctx.refresh()


@model
def skb_vlan_pop(run: Run, skb: int) -> int:
    """Drop the outermost tag; a tag behind it in the frame takes its place beside the packet."""
    ctx = skb_of(run)
    if ctx.get("vlan_present"):
        for field in ("vlan_present", "vlan_tci", "vlan_proto"):
            ctx.put(field, 0)
    elif protocol_of(ctx) not in _VLAN:
        return 0
    else:
        _take_tag(run, ctx)
    if protocol_of(ctx) in _VLAN:
        proto = ctx.get("protocol")
        tci = _take_tag(run, ctx)
        ctx.put("vlan_present", 1)
        ctx.put("vlan_tci", tci)
        ctx.put("vlan_proto", proto)
    return 0


def _take_tag(run: Run, ctx: SkbContext) -> int:
    """Take the first tag out of the frame; its TCI."""
    packet = packet_of(run)
    data = packet.raw()
    at = 12 if not packet.front else 0
    packet.replace(data[:at] + data[at + 4 :])
    inner = ether_type(data[at + 4 : at + 8])
    ctx.put("protocol", (inner & 0xFF) << 8 | inner >> 8)
    ctx.refresh()
    return int.from_bytes(data[at + 2 : at + 4], "big")
