"""Helpers on packets: reading and writing bytes, moving and resizing, VLAN tags, metadata."""

from __future__ import annotations

from errno import EACCES, EFAULT, EINVAL, ENOMEM, EOPNOTSUPP

from ...errors import VmFault
from ..context.packet import ETH_HLEN, Packet
from ..context.skb import SkbContext, ether_type
from ..context.xdp import FRAME_INFO, HEADROOM, LINEAR, MAX_META
from .table import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run

_ENOTSUPP = 524  # the kernel's own, not in errno.h
_MAX_LEN = 65535
_ETH_P_IP, _ETH_P_IPV6, _ETH_P_8021Q, _ETH_P_8021AD = 0x0800, 0x86DD, 0x8100, 0x88A8
_VLAN = (_ETH_P_8021Q, _ETH_P_8021AD)
_ADJ_ROOM_NET, _ADJ_ROOM_MAC = 0, 1


def packet_of(run: Run) -> Packet:
    """The packet of the run.  VmFault when its context has none."""
    packet = run.ctx.packet
    if not isinstance(packet, Packet):
        raise VmFault("this program's context has no packet")
    return packet


def skb_of(run: Run) -> SkbContext:
    if not isinstance(run.ctx, SkbContext):
        raise VmFault("this helper works on socket buffers only")
    return run.ctx


@model
def skb_load_bytes(run: Run, skb: int, offset: int, to: int, length: int) -> int:
    offset, length = offset & 0xFFFFFFFF, length & 0xFFFFFFFF
    data = packet_of(run).raw()
    if offset > 0x7FFFFFFF or offset + length > len(data):
        run.mem.write(to, bytes(length))
        return -EFAULT
    run.mem.write(to, data[offset : offset + length])
    return 0


@model
def skb_load_bytes_relative(run: Run, skb: int, offset: int, to: int, length: int, start_header: int) -> int:
    packet = packet_of(run)
    offset, length = offset & 0xFFFFFFFF, length & 0xFFFFFFFF
    whole = packet.front + packet.raw()
    if start_header & 0xFFFFFFFF == 0:
        base = whole
    elif start_header & 0xFFFFFFFF == 1:
        base = whole[ETH_HLEN:]
    else:
        base = b""
    if offset > 0xFFFF or offset + length > len(base):
        run.mem.write(to, bytes(length))
        return -EFAULT
    run.mem.write(to, base[offset : offset + length])
    return 0


@model
def skb_store_bytes(run: Run, skb: int, offset: int, from_: int, length: int, flags: int) -> int:
    packet = packet_of(run)
    offset, length = offset & 0xFFFFFFFF, length & 0xFFFFFFFF
    raw = run.mem.read(from_, length)
    if flags & ~3:
        return -EINVAL
    if offset > 0x7FFFFFFF or offset + length > len(packet):
        return -EFAULT
    packet.patch(offset, raw)
    if flags & 2:
        skb_of(run).put("hash", 0)
    return 0


@model
def xdp_load_bytes(run: Run, xdp_md: int, offset: int, buf: int, length: int) -> int:
    offset, length = offset & 0xFFFFFFFF, length & 0xFFFFFFFF
    packet = packet_of(run)
    whole = packet.raw() + packet.rest
    if offset + length > len(whole):
        return -EINVAL
    run.mem.write(buf, whole[offset : offset + length])
    return 0


@model
def xdp_store_bytes(run: Run, xdp_md: int, offset: int, buf: int, length: int) -> int:
    offset, length = offset & 0xFFFFFFFF, length & 0xFFFFFFFF
    packet = packet_of(run)
    if offset + length > len(packet) + len(packet.rest):
        return -EINVAL
    raw = run.mem.read(buf, length)
    inside = max(min(len(packet) - offset, length), 0)
    if inside:
        packet.patch(offset, raw[:inside])
    at = max(offset - len(packet), 0)
    packet.rest = packet.rest[:at] + raw[inside:] + packet.rest[at + length - inside :]
    return 0


@model
def xdp_get_buff_len(run: Run, xdp_md: int) -> int:
    packet = packet_of(run)
    return len(packet) + len(packet.rest)


@model
def skb_pull_data(run: Run, skb: int, length: int) -> int:
    packet = packet_of(run)
    if length & 0xFFFFFFFF > len(packet):
        return -ENOMEM
    packet.replace(packet.raw())
    return 0


@model
def xdp_adjust_head(run: Run, xdp_md: int, delta: int) -> int:
    packet = packet_of(run)
    delta = _s32(delta)
    if packet.headroom + delta < FRAME_INFO or delta > len(packet) - ETH_HLEN:
        return -EINVAL
    packet.move(delta, delta, carry_meta=True)
    return 0


@model
def xdp_adjust_meta(run: Run, xdp_md: int, delta: int) -> int:
    packet = packet_of(run)
    delta = _s32(delta)
    size = len(packet.meta) - delta
    if size < 0 or packet.headroom + delta < FRAME_INFO:
        return -EINVAL
    if size % 4 or size > MAX_META:
        return -EACCES
    packet.move(delta, 0)
    return 0


@model
def xdp_adjust_tail(run: Run, xdp_md: int, delta: int) -> int:
    packet = packet_of(run)
    delta = _s32(delta)
    data = packet.raw()
    if packet.rest:
        return _adjust_fragments(packet, delta)
    if len(data) + delta < ETH_HLEN or packet.headroom + len(packet.meta) + len(data) + delta > HEADROOM + LINEAR:
        return -EINVAL
    packet.replace(data[:delta] if delta < 0 else data + bytes(delta))
    return 0


def _adjust_fragments(packet: Packet, delta: int) -> int:
    if delta >= 0:
        return -EOPNOTSUPP  # TEST_RUN's queue has no fragment size
    if len(packet) + len(packet.rest) + delta < ETH_HLEN:
        return -EINVAL
    cut = min(-delta, len(packet.rest))
    packet.rest = packet.rest[: len(packet.rest) - cut]
    if cut < -delta:
        packet.replace(packet.raw()[: delta + cut])
    return 0


@model
def skb_change_tail(run: Run, skb: int, length: int, flags: int) -> int:
    packet, ctx = packet_of(run), skb_of(run)
    size = length & 0xFFFFFFFF
    data = packet.raw()
    if flags or size > _MAX_LEN or size < packet.mac_len:
        return -EINVAL
    packet.replace(data[:size].ljust(size, b"\0"))
    ctx.refresh()
    return 0


@model
def skb_change_head(run: Run, skb: int, length: int, flags: int) -> int:
    packet, ctx = packet_of(run), skb_of(run)
    size = length & 0xFFFFFFFF
    data = packet.raw()
    if flags or size > _MAX_LEN - len(data):
        return -EINVAL
    packet.replace(bytes(size) + data)
    packet.mac_len += size
    ctx.refresh()
    return 0


@model
def skb_adjust_room(run: Run, skb: int, len_diff: int, mode: int, flags: int) -> int:
    packet, ctx = packet_of(run), skb_of(run)
    delta, mode = _s32(len_diff), mode & 0xFFFFFFFF
    data = packet.raw()
    mac = packet.mac_len
    if flags & ~0x3FF or abs(delta) > 0xFFF:
        return -EINVAL if flags & ~0x3FF else -EFAULT
    header = {_ETH_P_IP: 20, _ETH_P_IPV6: 40}.get(_protocol(ctx))
    if header is None:
        return -_ENOTSUPP
    if mode == _ADJ_ROOM_NET:
        keep = mac + header
    elif mode == _ADJ_ROOM_MAC:
        keep = mac
    else:
        return -_ENOTSUPP
    current = len(data) - mac
    if delta < 0 and (-delta >= current or current + delta < header):
        return -_ENOTSUPP
    if delta < 0:
        packet.replace(data[:keep] + data[keep - delta :])
    else:
        packet.replace(data[:keep] + bytes(delta) + data[keep:])
    ctx.refresh()
    return 0


def _protocol(ctx: SkbContext) -> int:
    raw = ctx.get("protocol")
    return (raw & 0xFF) << 8 | raw >> 8


@model
def skb_change_proto(run: Run, skb: int, proto: int, flags: int) -> int:
    """Swap room for an IPv4 header with room for an IPv6 one; the program then writes the header."""
    packet, ctx = packet_of(run), skb_of(run)
    if flags:
        return -EINVAL
    wanted = (proto & 0xFF) << 8 | (proto >> 8) & 0xFF
    now = _protocol(ctx)
    data = packet.raw()
    mac = packet.mac_len
    if (now, wanted) == (_ETH_P_IP, _ETH_P_IPV6):
        packet.replace(data[:mac] + bytes(20) + data[mac:])
    elif (now, wanted) == (_ETH_P_IPV6, _ETH_P_IP):
        packet.replace(data[:mac] + data[mac + 20 :])
    else:
        return -_ENOTSUPP
    ctx.put("protocol", proto & 0xFFFF)
    ctx.put("hash", 0)
    ctx.refresh()
    return 0


@model
def skb_change_type(run: Run, skb: int, type: int) -> int:
    ctx = skb_of(run)
    if ctx.get("pkt_type") > 3 or type & 0xFFFFFFFF > 3:
        return -EINVAL
    ctx.put("pkt_type", type & 7)
    return 0


@model
def skb_vlan_push(run: Run, skb: int, vlan_proto: int, vlan_tci: int) -> int:
    """The first tag is kept beside the packet, as hardware does; a second one pushes the first into the frame."""
    ctx = skb_of(run)
    proto = _swap16(vlan_proto)
    if proto not in _VLAN:
        vlan_proto = _swap16(_ETH_P_8021Q)
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
    elif _protocol(ctx) not in _VLAN:
        return 0
    else:
        _take_tag(run, ctx)
    if _protocol(ctx) in _VLAN:
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


@model
def set_hash(run: Run, skb: int, hash: int) -> int:
    skb_of(run).put("hash", hash)
    return 0


@model
def set_hash_invalid(run: Run, skb: int) -> int:
    skb_of(run).put("hash", 0)
    return 0


@model
def get_hash_recalc(run: Run, skb: int) -> int:
    return skb_of(run).get("hash")


@model
def skb_set_tstamp(run: Run, skb: int, tstamp: int, tstamp_type: int) -> int:
    ctx = skb_of(run)
    kind = tstamp_type & 0xFFFFFFFF
    if kind > 2 or (kind == 0 and tstamp) or (kind and not tstamp):
        return -EINVAL
    if _protocol(ctx) not in (_ETH_P_IP, _ETH_P_IPV6):
        return -95
    ctx.put("tstamp", tstamp)
    ctx.put("tstamp_type", kind)
    return 0


@model
def skb_ecn_set_ce(run: Run, skb: int) -> int:
    packet, ctx = packet_of(run), skb_of(run)
    data = packet.raw()
    at = 0 if packet.front else ETH_HLEN
    if _protocol(ctx) == _ETH_P_IP and len(data) >= at + 20:
        tos = data[at + 1]
        if tos & 3 == 0:
            return 0
        if tos & 3 != 3:
            from .checksum import fold

            old = int.from_bytes(data[at : at + 2], "little")
            new = old | 3 << 8
            check = int.from_bytes(data[at + 10 : at + 12], "little")
            check = ~fold((~check & 0xFFFF) + (~old & 0xFFFF) + new) & 0xFFFF
            packet.patch(at, new.to_bytes(2, "little"))
            packet.patch(at + 10, check.to_bytes(2, "little"))
        return 1
    if _protocol(ctx) == _ETH_P_IPV6 and len(data) >= at + 40:
        kind = data[at + 1] >> 4 & 3
        if kind == 0:
            return 0
        packet.patch(at + 1, bytes((data[at + 1] | 0x30,)))
        return 1
    return 0


@model
def msg_pull_data(run: Run, msg: int, start: int, end: int, flags: int) -> int:
    packet = packet_of(run)
    start, end = start & 0xFFFFFFFF, end & 0xFFFFFFFF
    if flags or start >= end or end > len(packet):
        return -EINVAL
    packet.replace(packet.raw())
    return 0


@model
def msg_push_data(run: Run, msg: int, start: int, length: int, flags: int) -> int:
    packet = packet_of(run)
    start, size = start & 0xFFFFFFFF, length & 0xFFFFFFFF
    data = packet.raw()
    if flags or start > len(data):
        return -EINVAL
    packet.replace(data[:start] + bytes(size) + data[start:])
    return 0


@model
def msg_pop_data(run: Run, msg: int, start: int, length: int, flags: int) -> int:
    packet = packet_of(run)
    start, size = start & 0xFFFFFFFF, length & 0xFFFFFFFF
    data = packet.raw()
    if flags or start + size > len(data):
        return -EINVAL
    packet.replace(data[:start] + data[start + size :])
    return 0


@model
def msg_apply_bytes(run: Run, msg: int, bytes: int) -> int:
    run.record("apply_bytes", bytes & 0xFFFFFFFF)
    return 0


@model
def msg_cork_bytes(run: Run, msg: int, bytes: int) -> int:
    run.record("cork_bytes", bytes & 0xFFFFFFFF)
    return 0


def _s32(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def _swap16(value: int) -> int:
    return (value & 0xFF) << 8 | (value >> 8) & 0xFF
