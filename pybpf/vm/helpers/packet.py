"""Helpers on packets: reading and writing bytes, moving and resizing, metadata."""

from __future__ import annotations

from errno import EACCES, EALREADY, EFAULT, EINVAL, ENOMEM, EOPNOTSUPP

from ...errors import VmFault
from ..context.packet import ETH_HLEN, Packet
from ..context.skb import SkbContext
from ..context.xdp import FRAME_INFO, HEADROOM, LINEAR, MAX_META
from .table import kfunc, model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run

_ENOTSUPP = 524  # the kernel's own, not in errno.h
_PAGE = 4096
_MAX_LEN = 16064  # SKB_MAX_ALLOC
ETH_P_IP, ETH_P_IPV6 = 0x0800, 0x86DD
_ADJ_ROOM_NET, _ADJ_ROOM_MAC = 0, 1
_FIXED_GSO, _NO_CSUM_RESET, _ENCAP_L2_ETH = 1, 32, 64  # BPF_F_ADJ_ROOM_*
_ENCAP_IPV6, _ENCAP_L3, _ENCAP_L4 = 4, 2 | 4, 8 | 16
_DECAP_IPV4, _DECAP_IPV6, _DECAP_L3 = 128, 256, 128 | 256
_ENCAP_L2_SHIFT = 56
_ROOM_FLAGS = _FIXED_GSO | _NO_CSUM_RESET | _ENCAP_L2_ETH | _ENCAP_L3 | _ENCAP_L4 | _DECAP_L3 | 0xFF << _ENCAP_L2_SHIFT


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
    if offset > 0xFFFF or length > 0xFFFF:
        return -EFAULT
    if offset + length > len(whole):
        return -EINVAL
    run.mem.write(buf, whole[offset : offset + length])
    return 0


@model
def xdp_store_bytes(run: Run, xdp_md: int, offset: int, buf: int, length: int) -> int:
    offset, length = offset & 0xFFFFFFFF, length & 0xFFFFFFFF
    packet = packet_of(run)
    if offset > 0xFFFF or length > 0xFFFF:
        return -EFAULT
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
    if delta >= 0:  # as far as the page of the last fragment reaches
        if delta > -len(packet.rest) % _PAGE:
            return -EINVAL
        packet.rest += bytes(delta)
        return 0
    if len(packet) + len(packet.rest) + delta < ETH_HLEN:
        return -EINVAL
    cut = min(-delta, len(packet.rest))
    packet.rest = packet.rest[: len(packet.rest) - cut]
    if cut < -delta:
        packet.replace(packet.raw()[: delta + cut])
    return 0


@kfunc(2)
def bpf_xdp_pull_data(run: Run, x: int, len_: int) -> int:
    """Get `len_` bytes out of the fragments to where the program sees them (6.18): into the room behind, then in front."""
    packet = packet_of(run)
    missing = (len_ & 0xFFFFFFFF) - len(packet)
    if missing <= 0:
        return 0
    behind = HEADROOM + LINEAR - packet.headroom - len(packet.region)
    in_front = packet.headroom - FRAME_INFO
    if missing > len(packet.rest) or missing > behind + in_front:
        return -EINVAL
    packet.give_room(max(missing - behind, 0))
    pulled, packet.rest = packet.rest[:missing], packet.rest[missing:]
    packet.replace(packet.raw() + pulled)
    return 0


@model
def skb_change_tail(run: Run, skb: int, length: int, flags: int) -> int:
    ctx = skb_of(run)
    packet = ctx.packet
    size = length & 0xFFFFFFFF
    if flags or size > _MAX_LEN or size < packet.shortest:
        return -EINVAL
    if not packet.resize(size):
        return -ENOMEM
    ctx.refresh()
    return 0


@model
def skb_change_head(run: Run, skb: int, length: int, flags: int) -> int:
    ctx = skb_of(run)
    packet = ctx.packet
    size = length & 0xFFFFFFFF
    if flags or size > _MAX_LEN - len(packet):
        return -EINVAL
    if not packet.push(0, size):
        return -ENOMEM
    packet.mac_len += size
    ctx.refresh()
    return 0


@model
def skb_adjust_room(run: Run, skb: int, len_diff: int, mode: int, flags: int) -> int:
    ctx = skb_of(run)
    packet = ctx.packet
    delta, mode = _s32(len_diff), mode & 0xFFFFFFFF
    data = packet.raw()
    if flags & ~_ROOM_FLAGS:
        return -EINVAL
    if abs(delta) > 0xFFF:
        return -EFAULT
    header = {ETH_P_IP: 20, ETH_P_IPV6: 40}.get(protocol_of(ctx))
    if header is None or mode not in (_ADJ_ROOM_NET, _ADJ_ROOM_MAC):
        return -_ENOTSUPP
    keep = packet.mac_len + (header if mode == _ADJ_ROOM_NET else 0)
    if flags & _DECAP_L3:
        if delta >= 0 or flags & _DECAP_L3 == _DECAP_L3:
            return -EINVAL
        header = 20 if flags & _DECAP_IPV4 else 40
    current = (len(data) - packet.mac_len) & 0xFFFFFFFF
    if delta < 0 and (-delta >= current or current + delta < header):
        return -_ENOTSUPP
    if delta >= 0 and len(data) + delta > _MAX_LEN:
        return -_ENOTSUPP
    refused = _shrinks(flags) if delta < 0 else _grows(packet, flags, delta)
    if refused:
        return refused
    if not (packet.pull(keep, -delta) if delta < 0 else packet.push(keep, delta)):
        return -ENOMEM
    to = ETH_P_IPV6 if flags & (_ENCAP_IPV6 | _DECAP_IPV6) else ETH_P_IP if flags & (_ENCAP_L3 | _DECAP_L3) else 0
    if to:
        ctx.put("protocol", swap16(to))
    ctx.refresh()
    return 0


def _shrinks(flags: int) -> int:
    return -EINVAL if flags & ~(_FIXED_GSO | _DECAP_L3 | _NO_CSUM_RESET) else 0


def _grows(packet: Packet, flags: int, delta: int) -> int:
    """0 when room may be made under these flags, else the error; the packet remembers that it is encapsulated."""
    if not flags & _ENCAP_L3:
        return 0
    inner = flags >> _ENCAP_L2_SHIFT
    if flags & _ENCAP_L3 == _ENCAP_L3 or flags & _ENCAP_L4 == _ENCAP_L4 or (flags & _ENCAP_L2_ETH and inner < ETH_HLEN):
        return -EINVAL
    if packet.encapsulated:
        return -EALREADY
    if inner > delta:
        return -EINVAL
    packet.encapsulated = True
    return 0


def protocol_of(ctx: SkbContext) -> int:
    raw = ctx.get("protocol")
    return (raw & 0xFF) << 8 | raw >> 8


@model
def skb_change_proto(run: Run, skb: int, proto: int, flags: int) -> int:
    """Swap room for an IPv4 header with room for an IPv6 one; the program then writes the header."""
    ctx = skb_of(run)
    packet = ctx.packet
    if flags:
        return -EINVAL
    wanted = (proto & 0xFF) << 8 | (proto >> 8) & 0xFF
    now = protocol_of(ctx)
    change = {(ETH_P_IP, ETH_P_IPV6): packet.push, (ETH_P_IPV6, ETH_P_IP): packet.pull}.get((now, wanted))
    if change is None:
        return -_ENOTSUPP
    if not change(packet.mac_len, 20):
        return -ENOMEM
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
    if protocol_of(ctx) not in (ETH_P_IP, ETH_P_IPV6):
        return -EOPNOTSUPP
    if kind > 2 or (kind and not tstamp):
        return -EINVAL
    ctx.put("tstamp", tstamp)
    ctx.put("tstamp_type", kind)
    return 0


@model
def skb_ecn_set_ce(run: Run, skb: int) -> int:
    ctx = skb_of(run)
    packet = ctx.packet
    data = packet.raw()
    at = 0 if packet.front else ETH_HLEN
    if protocol_of(ctx) == ETH_P_IP and len(data) >= at + 20:
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
    if protocol_of(ctx) == ETH_P_IPV6 and len(data) >= at + 40:
        kind = data[at + 1] >> 4 & 3
        if kind == 0:
            return 0
        packet.patch(at + 1, bytes((data[at + 1] | 0x30,)))
        return 1
    return 0


def _s32(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def swap16(value: int) -> int:
    return (value & 0xFF) << 8 | (value >> 8) & 0xFF
