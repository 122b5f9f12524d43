"""VLAN tags, in the frame and beside it."""

from __future__ import annotations

from errno import ENOMEM

from ..context.packet import ETH_HLEN
from ..context.skb import SkbContext, ether_type
from .packet import protocol_of, skb_of, swap16
from .table import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run

VLAN_HLEN = 4
_BEHIND_ADDRESSES = 12
_SHORTEST = ETH_HLEN + VLAN_HLEN
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
        failed = _write_tag(ctx)
        if failed:
            return failed
    ctx.put("vlan_present", 1)
    ctx.put("vlan_tci", vlan_tci & 0xFFFF)
    ctx.put("vlan_proto", vlan_proto & 0xFFFF)
    return 0


def _write_tag(ctx: SkbContext) -> int:
    packet = ctx.packet
    tag = ctx.get("vlan_proto").to_bytes(2, "little") + ctx.get("vlan_tci").to_bytes(2, "big")
    if not packet.push(_BEHIND_ADDRESSES, VLAN_HLEN, tag):
        return -ENOMEM
    ctx.put("protocol", ctx.get("vlan_proto"))
    ctx.refresh()
    return 0


@model
def skb_vlan_pop(run: Run, skb: int) -> int:
    """Drop the outermost tag; a tag behind it in the frame takes its place beside the packet."""
    ctx = skb_of(run)
    if ctx.get("vlan_present"):
        for field in ("vlan_present", "vlan_tci", "vlan_proto"):
            ctx.put(field, 0)
    elif protocol_of(ctx) not in _VLAN:
        return 0
    elif _take_tag(ctx) < 0:
        return -ENOMEM
    if protocol_of(ctx) in _VLAN:
        proto = ctx.get("protocol")
        tci = _take_tag(ctx)
        if tci < 0:
            return -ENOMEM
        ctx.put("vlan_present", 1)
        ctx.put("vlan_tci", tci)
        ctx.put("vlan_proto", proto)
    return 0


def _take_tag(ctx: SkbContext) -> int:
    """Take the first tag out of the frame; its TCI, -1 where the frame is too short for one."""
    packet = ctx.packet
    data, at = packet.raw(), _BEHIND_ADDRESSES
    if len(data) < _SHORTEST:
        return -1
    packet.pull(at, VLAN_HLEN)
    packet.mac_len = max(packet.mac_len - VLAN_HLEN, ETH_HLEN)
    inner = ether_type(data[at + 4 : at + 8])
    ctx.put("protocol", (inner & 0xFF) << 8 | inner >> 8)
    ctx.refresh()
    return int.from_bytes(data[at + 2 : at + 4], "big")
