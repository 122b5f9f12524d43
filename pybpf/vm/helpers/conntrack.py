"""Kernel functions on tracked connections, over those of `env.connections` (net/netfilter/nf_conntrack_bpf.c)."""

from __future__ import annotations

from errno import EAFNOSUPPORT, EBUSY, EINVAL, ENOENT, EPROTO

from ...errors import VmFault
from ..environment import Connection
from ..kernelobjects import connection_address, note_status
from .table import kfunc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run

_ENONET = 64
_TRANSPORTS = (6, 17)
_TUPLES = (12, 36)  # of IPv4 and of IPv6, as in struct bpf_sock_tuple
_SIZES = (12, 16)  # of struct bpf_ct_opts, without and with the zone
_NETNS, _ERROR, _PROTOCOL, _DIRECTION, _ZONE, _ZONE_DIRECTION, _RESERVED = 0, 4, 8, 9, 10, 12, 13
_BOTH_WAYS = 3
_SEEN_REPLY, _ASSURED, _CONFIRMED = 2, 4, 8  # IPS_*
_FIXED = 1 | _CONFIRMED | 1 << 9  # expected, confirmed, dying
_UNCHANGEABLE = _FIXED | 0x1F0 | 0x1800 | 0xC000  # NAT, sequence adjustment, templates, untracked, offloaded


def _asked(
    run: Run, tuple: int, size: int, opts: int, length: int, is_new: bool = False
) -> tuple[int, int, bytes] | int:
    """(protocol, zone, addresses and ports) that the arguments mean, or the error."""
    length &= 0xFFFFFFFF
    if not opts or not tuple or length not in _SIZES:
        return -EINVAL
    raw = run.mem.read(opts, length)
    zone = int.from_bytes(raw[_ZONE : _ZONE + 2], "little")
    if any(raw[_RESERVED:]) or (length == _SIZES[0] and zone):
        return -EINVAL
    netns = int.from_bytes(raw[:4], "little", signed=True)
    if netns < -1 and (is_new or raw[_PROTOCOL] in _TRANSPORTS):
        return -EINVAL
    if raw[_PROTOCOL] not in _TRANSPORTS:
        return -EPROTO
    if size & 0xFFFFFFFF not in _TUPLES:
        return -EAFNOSUPPORT
    if netns >= 0:
        return -_ENONET
    if length == _SIZES[1] and not raw[_ZONE_DIRECTION]:
        run.mem.store(opts + _ZONE_DIRECTION, 1, _BOTH_WAYS)
    return raw[_PROTOCOL], zone, run.mem.read(tuple, size & 0xFFFFFFFF)


def _failed(run: Run, opts: int, length: int, error: int) -> int:
    if opts and length & 0xFFFFFFFF >= _ERROR + 4:
        run.mem.store(opts + _ERROR, 4, error)
    return 0


@kfunc(5)
def bpf_skb_ct_lookup(run: Run, ctx: int, tuple: int, size: int, opts: int, length: int) -> int:
    asked = _asked(run, tuple, size, opts, length)
    if isinstance(asked, int):
        return _failed(run, opts, length, asked)
    for found in run.env.connections:
        if asked in (found.key, found.reply):
            run.mem.store(opts + _DIRECTION, 1, asked != found.key)
            return connection_address(run.mem, run.env, found)
    return _failed(run, opts, length, -ENOENT)


@kfunc(5)
def bpf_xdp_ct_lookup(run: Run, ctx: int, tuple: int, size: int, opts: int, length: int) -> int:
    return bpf_skb_ct_lookup(run, ctx, tuple, size, opts, length) or 0


@kfunc(5)
def bpf_skb_ct_alloc(run: Run, ctx: int, tuple: int, size: int, opts: int, length: int) -> int:
    asked = _asked(run, tuple, size, opts, length, is_new=True)
    if isinstance(asked, int):
        return _failed(run, opts, length, asked)
    return connection_address(run.mem, run.env, Connection.of_key(asked))


@kfunc(5)
def bpf_xdp_ct_alloc(run: Run, ctx: int, tuple: int, size: int, opts: int, length: int) -> int:
    return bpf_skb_ct_alloc(run, ctx, tuple, size, opts, length) or 0


def _connection(run: Run, address: int) -> Connection:
    found = run.mem.owner(address)
    if not isinstance(found, Connection):
        raise VmFault(f"0x{address:x} is no tracked connection")
    return found


@kfunc(1)
def bpf_ct_insert_entry(run: Run, nfct_i: int) -> int:
    """The connection, which is tracked from now on; NULL when there is one of these addresses and ports."""
    made = _connection(run, nfct_i)
    if any(made.key in (other.key, other.reply) for other in run.env.connections):
        run.mem.drop(nfct_i)
        return 0
    made.status |= _CONFIRMED
    note_status(run.mem, run.env, made)
    run.env.connections.append(made)
    return nfct_i


@kfunc(1)
def bpf_ct_release(run: Run, nfct: int) -> int:
    _connection(run, nfct)
    return 0


@kfunc(2)
def bpf_ct_set_timeout(run: Run, nfct: int, timeout: int) -> int:
    _connection(run, nfct).timeout = timeout & 0xFFFFFFFF
    return 0


@kfunc(2)
def bpf_ct_change_timeout(run: Run, nfct: int, timeout: int) -> int:
    return bpf_ct_set_timeout(run, nfct, timeout) or 0


@kfunc(2)
def bpf_ct_set_status(run: Run, nfct: int, status: int) -> int:
    found, status = _connection(run, nfct), status & 0xFFFFFFFF
    changed = found.status ^ status
    if changed & _FIXED or changed & ~status & (_SEEN_REPLY | _ASSURED):
        return -EBUSY
    found.status |= status & ~_UNCHANGEABLE
    note_status(run.mem, run.env, found)
    return 0


@kfunc(2)
def bpf_ct_change_status(run: Run, nfct: int, status: int) -> int:
    return bpf_ct_set_status(run, nfct, status) or 0
