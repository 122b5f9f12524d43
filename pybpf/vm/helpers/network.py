"""Helpers that decide where packets go: redirects (recorded), routes, sockets, and the sockets' options."""

from __future__ import annotations

from errno import EEXIST, EINVAL, ENODEV, ENOENT, ENOPROTOOPT

from ...uapi import MapType, ProgType, bpf_sk_lookup
from ..context.special import LookupContext
from ..maps import References, Table
from ..sockets import PseudoSocket, socket_address, tcp_address
from .environment import ancestors
from .packet import packet_of
from .table import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..run import Run

_TCP, _UDP = 6, 17
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_LISTEN, _TIME_WAIT, _NEW_SYN_RECV = 10, 6, 12
_XDP_ABORTED, _XDP_REDIRECT = 0, 4
_TC_ACT_REDIRECT, _TC_ACT_SHOT = 7, 2
_SK_DROP, _SK_PASS = 0, 1
_BROADCAST, _EXCLUDE_INGRESS = 8, 16
_REPLACE = 1  # BPF_SK_LOOKUP_F_REPLACE


@model
def redirect(run: Run, ifindex: int, flags: int) -> int:
    if run.image.spec.prog_type == ProgType.XDP:
        if flags:
            return _XDP_ABORTED
        run.record("redirect", ifindex & 0xFFFFFFFF)
        return _XDP_REDIRECT
    if flags & ~1:
        return _TC_ACT_SHOT
    run.record("redirect", ifindex & 0xFFFFFFFF)
    return _TC_ACT_REDIRECT


@model
def redirect_peer(run: Run, ifindex: int, flags: int) -> int:
    if flags:
        return _TC_ACT_SHOT
    run.record("redirect_peer", ifindex & 0xFFFFFFFF)
    return _TC_ACT_REDIRECT


@model
def redirect_neigh(run: Run, ifindex: int, params: int, plen: int, flags: int) -> int:
    if flags or (plen and plen & 0xFFFFFFFF < 20):
        return _TC_ACT_SHOT
    run.record("redirect_neigh", ifindex & 0xFFFFFFFF)
    return _TC_ACT_REDIRECT


@model
def clone_redirect(run: Run, skb: int, ifindex: int, flags: int) -> int:
    if flags & ~1:
        return -EINVAL
    ifindex &= 0xFFFFFFFF
    if run.env.devices and ifindex not in run.env.devices:
        return -EINVAL
    run.record("clone_redirect", ifindex, packet_of(run).raw())
    return 0


@model
def redirect_map(run: Run, map: int, key: int, flags: int) -> int:
    """A missing entry gives the action in the low bits of `flags`."""
    found = run.map(map)
    index = (key & 0xFFFFFFFF).to_bytes(4, "little")
    kind = found.spec.map_type
    known = 3 | (_BROADCAST | _EXCLUDE_INGRESS if kind in (MapType.DEVMAP, MapType.DEVMAP_HASH) else 0)
    if flags & ~known:
        return _XDP_ABORTED
    present = (isinstance(found, Table) and found.lookup(index)) or (
        isinstance(found, References) and found.target(index)
    )
    if not present and not flags & _BROADCAST:
        return flags & 3
    run.record("redirect_map", found, key & 0xFFFFFFFF)
    return _XDP_REDIRECT


def _redirect_socket(run: Run, map: int, key: bytes, flags: int) -> int:
    found = run.references(run.map(map))
    socket = found.target(key)
    if flags & ~1 or not isinstance(socket, PseudoSocket):
        return _SK_DROP
    run.record("redirect_socket", socket)
    socket.received.append(packet_of(run).raw())
    return _SK_PASS


@model
def sk_redirect_map(run: Run, skb: int, map: int, key: int, flags: int) -> int:
    return _redirect_socket(run, map, (key & 0xFFFFFFFF).to_bytes(4, "little"), flags)


@model
def msg_redirect_map(run: Run, msg: int, map: int, key: int, flags: int) -> int:
    return _redirect_socket(run, map, (key & 0xFFFFFFFF).to_bytes(4, "little"), flags)


@model
def sk_redirect_hash(run: Run, skb: int, map: int, key: int, flags: int) -> int:
    return _redirect_socket(run, map, run.mem.read(key, run.map(map).key_size), flags)


@model
def msg_redirect_hash(run: Run, msg: int, map: int, key: int, flags: int) -> int:
    return _redirect_socket(run, map, run.mem.read(key, run.map(map).key_size), flags)


@model
def sk_select_reuseport(run: Run, reuse: int, map: int, key: int, flags: int) -> int:
    found = run.references(run.map(map))
    socket = found.target(run.mem.read(key, found.key_size))
    if flags:
        return -EINVAL
    if socket is None:
        return -ENOENT
    run.record("select", socket)
    return 0


@model
def sk_assign(run: Run, ctx: int, sk: int, flags: int) -> int:
    if flags & ~3:
        return -EINVAL
    socket = run.mem.owner(sk)
    run.record("assign", socket)
    if isinstance(run.ctx, LookupContext):
        if run.ctx.selected is not None and not flags & _REPLACE:
            return -EEXIST
        run.ctx.selected = socket if isinstance(socket, PseudoSocket) else None
        run.ctx.pointers[bpf_sk_lookup.sk.offset] = sk
    return 0


@model
def check_mtu(run: Run, ctx: int, ifindex: int, mtu_len: int, len_diff: int, flags: int) -> int:
    given = run.mem.load(mtu_len, 4)
    if flags & ~1 or (flags and (run.image.spec.prog_type == ProgType.XDP or len_diff & 0xFFFFFFFF or given)):
        return -EINVAL
    index = ifindex & 0xFFFFFFFF or 1
    if run.env.devices and index not in run.env.devices:
        return -ENODEV
    mtu = run.env.devices.get(index, 65536)
    difference = len_diff & 0xFFFFFFFF
    difference -= (difference >> 31) << 32
    length = given or len(packet_of(run)) - 14
    run.mem.store(mtu_len, 4, mtu)
    return 1 if length + difference > mtu else 0


def _lookup(run: Run, tuple_: int, size: int, protocol: int) -> int:
    """The socket among `env.sockets` that a packet of this tuple would be for: a connected one before one that listens,
    one bound to the address before one bound to any.
    """
    raw = run.mem.read(tuple_, size & 0xFFFFFFFF)
    width = {12: 4, 36: 16}.get(len(raw))
    if width is None:
        return 0
    family = _AF_INET if width == 4 else _AF_INET6
    remote, local, ports = raw[:width], raw[width : 2 * width], raw[2 * width :]
    wanted_port, own_port = int.from_bytes(ports[:2], "big"), int.from_bytes(ports[2:], "big")
    best, found = 0, None
    for socket in run.env.sockets:
        fields = socket.fields
        if fields.family not in (0, family) or fields.protocol not in (0, protocol) or fields.src_port != own_port:
            continue
        here, there = _addresses(fields, width)
        if here not in (local, bytes(width)):
            continue
        score = 1 + (here == local)
        if fields.state != _LISTEN and (fields.dst_port or any(there)):
            if (there, fields.dst_port) != (remote, wanted_port):
                continue
            score += 2
        if score > best:
            best, found = score, socket
    return socket_address(run.mem, found)


def _addresses(fields: Any, width: int) -> tuple[bytes, bytes]:
    """A socket's own address and its peer's."""
    if width == 4:
        return fields.src_ip4.to_bytes(4, "little"), fields.dst_ip4.to_bytes(4, "little")
    return bytes(fields.src_ip6), bytes(fields.dst_ip6)


@model
def sk_lookup_tcp(run: Run, ctx: int, tuple: int, tuple_size: int, netns: int, flags: int) -> int:
    return 0 if flags else _lookup(run, tuple, tuple_size, 6)


@model
def skc_lookup_tcp(run: Run, ctx: int, tuple: int, tuple_size: int, netns: int, flags: int) -> int:
    return 0 if flags else _lookup(run, tuple, tuple_size, 6)


@model
def sk_lookup_udp(run: Run, ctx: int, tuple: int, tuple_size: int, netns: int, flags: int) -> int:
    return 0 if flags else _lookup(run, tuple, tuple_size, 17)


@model
def sk_release(run: Run, sock: int) -> int:
    return 0


@model
def sk_fullsock(run: Run, sk: int) -> int:
    return sk


@model
def tcp_sock(run: Run, sk: int) -> int:
    """The socket's `struct bpf_tcp_sock`; NULL for one that is not of TCP."""
    owner = run.mem.owner(sk)
    return tcp_address(run.mem, owner) if isinstance(owner, PseudoSocket) and owner.fields.protocol == _TCP else 0


def _as(run: Run, sk: int, wanted: Callable[[Any], bool]) -> int:
    owner = run.mem.owner(sk)
    return sk if isinstance(owner, PseudoSocket) and wanted(owner.fields) else 0


@model
def skc_to_tcp_sock(run: Run, sk: int) -> int:
    return _as(run, sk, lambda s: s.protocol == _TCP)


@model
def skc_to_tcp6_sock(run: Run, sk: int) -> int:
    return _as(run, sk, lambda s: s.protocol == _TCP and s.family == _AF_INET6)


@model
def skc_to_tcp_timewait_sock(run: Run, sk: int) -> int:
    return _as(run, sk, lambda s: s.protocol == _TCP and s.state == _TIME_WAIT)


@model
def skc_to_tcp_request_sock(run: Run, sk: int) -> int:
    return _as(run, sk, lambda s: s.protocol == _TCP and s.state == _NEW_SYN_RECV)


@model
def skc_to_udp6_sock(run: Run, sk: int) -> int:
    return _as(run, sk, lambda s: s.protocol == _UDP and s.family == _AF_INET6)


@model
def skc_to_unix_sock(run: Run, sk: int) -> int:
    return _as(run, sk, lambda s: s.family == _AF_UNIX)


@model
def skc_to_mptcp_sock(run: Run, sk: int) -> int:
    return 0


@model
def sk_ancestor_cgroup_id(run: Run, sk: int, ancestor_level: int) -> int:
    chain, level = ancestors(run), ancestor_level & 0xFFFFFFFF
    return chain[level] if level < len(chain) else 0


@model
def tcp_send_ack(run: Run, tp: int, rcv_nxt: int) -> int:
    run.record("tcp_send_ack", rcv_nxt & 0xFFFFFFFF)
    return 0


@model
def get_listener_sock(run: Run, sk: int) -> int:
    owner = run.mem.owner(sk)
    return sk if isinstance(owner, PseudoSocket) and owner.fields.state == 10 else 0


@model
def sk_cgroup_id(run: Run, sk: int) -> int:
    owner = run.mem.owner(sk)
    return owner.cgroup_id if isinstance(owner, PseudoSocket) else 0


def _options(run: Run, bpf_socket: int) -> dict[tuple[int, int], bytes]:
    owner = run.mem.owner(bpf_socket)
    return owner.options if isinstance(owner, PseudoSocket) else run.env.socket_options


@model
def setsockopt(run: Run, bpf_socket: int, level: int, optname: int, optval: int, optlen: int) -> int:
    key = (level & 0xFFFFFFFF, optname & 0xFFFFFFFF)
    _options(run, bpf_socket)[key] = run.mem.read(optval, optlen & 0xFFFFFFFF)
    return 0


@model
def getsockopt(run: Run, bpf_socket: int, level: int, optname: int, optval: int, optlen: int) -> int:
    value = _options(run, bpf_socket).get((level & 0xFFFFFFFF, optname & 0xFFFFFFFF))
    size = optlen & 0xFFFFFFFF
    run.mem.write(optval, (value or b"")[:size].ljust(size, b"\0"))
    return 0 if value is not None else -ENOPROTOOPT


@model
def bind(run: Run, ctx: int, addr: int, addr_len: int) -> int:
    run.record("bind", run.mem.read(addr, addr_len & 0xFFFFFFFF))
    return 0


@model
def sock_ops_cb_flags_set(run: Run, bpf_sock: int, argval: int) -> int:
    run.record("cb_flags", argval & 0x7F)
    return argval & 0xFFFFFFFF & ~0x7F
