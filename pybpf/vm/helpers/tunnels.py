"""Helpers on what goes with a packet beside its bytes: tunnel keys and options, IPsec states, encapsulation."""

from __future__ import annotations

import ctypes
from errno import EINVAL, ENOENT, ENOMEM

from ...uapi import bpf_tunnel_key, bpf_xfrm_state
from .packet import packet_of, skb_of
from .table import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run

_TUNINFO_IPV6 = 1
_ENCAP_IP = 2  # BPF_LWT_ENCAP_IP
_MOST = 255


@model
def skb_get_tunnel_key(run: Run, skb: int, key: int, size: int, flags: int) -> int:
    """The environment's `tunnel_key`; an error and zeros where there is none."""
    size &= 0xFFFFFFFF
    known = run.env.tunnel_key
    if known is None or flags & ~_TUNINFO_IPV6 & ~(1 << 4) or size > ctypes.sizeof(bpf_tunnel_key):
        run.mem.write(key, bytes(size))
        return -EINVAL
    run.mem.write(key, bytes(known)[:size])
    return 0


@model
def skb_set_tunnel_key(run: Run, skb: int, key: int, size: int, flags: int) -> int:
    size &= 0xFFFFFFFF
    if flags & ~0x3F or size > ctypes.sizeof(bpf_tunnel_key):
        return -EINVAL
    made = bpf_tunnel_key.from_buffer_copy(run.mem.read(key, size).ljust(ctypes.sizeof(bpf_tunnel_key), b"\0"))
    run.env.tunnel_key = made
    run.record("tunnel_key", made)
    return 0


@model
def skb_get_tunnel_opt(run: Run, skb: int, opt: int, size: int) -> int:
    size &= 0xFFFFFFFF
    known = run.env.tunnel_options
    if not known:
        run.mem.write(opt, bytes(size))
        return -ENOENT
    if size < len(known):
        run.mem.write(opt, bytes(size))
        return -ENOMEM
    run.mem.write(opt, known.ljust(size, b"\0"))
    return len(known)


@model
def skb_set_tunnel_opt(run: Run, skb: int, opt: int, size: int) -> int:
    size &= 0xFFFFFFFF
    if run.env.tunnel_key is None or size % 4:
        return -EINVAL
    if size > _MOST:
        return -ENOMEM
    run.env.tunnel_options = run.mem.read(opt, size)
    return 0


@model
def skb_get_xfrm_state(run: Run, skb: int, index: int, xfrm_state: int, size: int, flags: int) -> int:
    """One of the environment's `xfrm_states`."""
    index, size = index & 0xFFFFFFFF, size & 0xFFFFFFFF
    states = run.env.xfrm_states
    if index >= len(states) or size != ctypes.sizeof(bpf_xfrm_state) or flags:
        run.mem.write(xfrm_state, bytes(size))
        return -EINVAL
    run.mem.write(xfrm_state, bytes(states[index]))
    return 0


@model
def lwt_push_encap(run: Run, skb: int, type: int, hdr: int, length: int) -> int:
    """An IP header in front of the packet; segment routing headers are refused."""
    raw = run.mem.read(hdr, length & 0xFFFFFFFF)
    if type & 0xFFFFFFFF != _ENCAP_IP or len(raw) < 20 or raw[0] >> 4 not in (4, 6):
        return -EINVAL
    packet = packet_of(run)
    packet.replace(raw + packet.raw())
    ctx = skb_of(run)
    ctx.put("protocol", int.from_bytes((0x0800 if raw[0] >> 4 == 4 else 0x86DD).to_bytes(2, "big"), "little"))
    ctx.refresh()
    return 0
