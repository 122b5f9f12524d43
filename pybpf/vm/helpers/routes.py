"""bpf_fib_lookup over the rows that a test gives (net/core/filter.c, `bpf_ipv4_fib_lookup`, `bpf_ipv6_fib_lookup`)."""

from __future__ import annotations

from errno import EAFNOSUPPORT, EINVAL, ENODEV
from ipaddress import ip_address

from ...uapi import ProgType, bpf_fib_lookup
from .packet import packet_of
from .table import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..environment import Route
    from ..run import Run

_SIZE = 64  # sizeof(struct bpf_fib_lookup)
_AF_INET, _AF_INET6 = 2, 10
_DIRECT, _OUTPUT, _SKIP_NEIGH, _TBID, _SRC, _ALL = 1, 2, 4, 8, 16, 0x3F
_NOT_FWDED, _FWD_DISABLED, _UNSUPP_LWT, _NO_NEIGH, _FRAG_NEEDED, _NO_SRC_ADDR = 4, 5, 6, 7, 8, 9
_ERRORS = (1, 2, 3)  # black hole, unreachable, prohibited: these have no device
_DEFAULT, _MAIN, _LOCAL = 253, 254, 255
_ETH_HLEN, _VLAN_HLEN = 14, 4
# Where the fields stand that unions and bit layouts hide.
_LENGTH, _METRIC, _SOURCE, _DESTINATION, _VLAN, _SMAC, _DMAC = 6, 12, 16, 32, 48, 52, 58


@model
def fib_lookup(run: Run, ctx: int, params: int, plen: int, flags: int) -> int:
    flags &= 0xFFFFFFFF
    size = plen & 0xFFFFFFFF
    if size >> 31 or size < _SIZE or flags & ~_ALL:
        return -EINVAL
    raw = bytearray(run.mem.read(params, _SIZE))
    if raw[bpf_fib_lookup.family.offset] not in (_AF_INET, _AF_INET6):
        return -EAFNOSUPPORT
    packet_decides = run.image.spec.prog_type != ProgType.XDP and not any(raw[_LENGTH : _LENGTH + 2])
    status = _look_up(run, raw, flags, not packet_decides)
    if status == 0 and packet_decides:
        status = _forwardable(run, raw)
    run.mem.write(params, bytes(raw))
    return status


def _look_up(run: Run, raw: bytearray, flags: int, checks_mtu: bool) -> int:
    """The answer, and what the kernel writes into the parameters meanwhile."""
    env = run.env
    device = int.from_bytes(raw[8:12], "little")
    if raw[0] == _AF_INET6 and any(_never_forwarded(raw, at) for at in (_SOURCE, _DESTINATION)):
        return _NOT_FWDED
    if env.devices and device not in env.devices:
        return -ENODEV
    if not env.forwarding:
        return _FWD_DISABLED
    row = _row(env.routes, raw, flags, device)
    if flags & _DIRECT and flags & _TBID:
        raw[_VLAN : _VLAN + 4] = bytes(4)  # where the table's number stood
    if row is None:
        return _NOT_FWDED
    if row.result and row.result not in (_UNSUPP_LWT, _NO_NEIGH):
        return row.result
    mtu = _mtu(row, env.devices)
    if checks_mtu and mtu and int.from_bytes(raw[_LENGTH : _LENGTH + 2], "little") > mtu:
        _put(raw, _LENGTH, 2, mtu)
        return _FRAG_NEEDED
    if row.result == _UNSUPP_LWT:
        return _UNSUPP_LWT
    _put(raw, _METRIC, 4, row.metric)
    _put(raw, 8, 4, row.ifindex)
    if row.gateway is not None:
        if row.gateway.version == 6:
            raw[0] = _AF_INET6
        raw[_DESTINATION : _DESTINATION + len(row.gateway.packed)] = row.gateway.packed
    if flags & _SRC:
        if row.source is None and row.network.version == 6:
            return _NO_SRC_ADDR
        source = bytes(4) if row.source is None else row.source.packed
        raw[_SOURCE : _SOURCE + len(source)] = source
    if not flags & _SKIP_NEIGH:
        if row.result or row.dmac is None:
            return _NO_NEIGH
        raw[_SMAC:_DMAC], raw[_DMAC:_SIZE] = row.smac, row.dmac
    raw[_VLAN : _VLAN + 4] = bytes(4)
    if checks_mtu and mtu:
        _put(raw, _LENGTH, 2, mtu)
    return 0


def _never_forwarded(raw: bytearray, at: int) -> bool:
    """Whether an IPv6 address stands for something on this link only (`rt6_need_strict`)."""
    address = ip_address(bytes(raw[at : at + 16]))
    return address.is_multicast or address.is_link_local or address.is_loopback


def _row(routes: Iterable[Route], raw: bytearray, flags: int, device: int) -> Route | None:
    """The row that counts: that of the longest prefix, of those the one of the least metric."""
    version = 4 if raw[0] == _AF_INET else 6
    wanted = ip_address(bytes(raw[_DESTINATION : _DESTINATION + (4 if version == 4 else 16)]))
    fitting = [r for r in routes if r.network.version == version and wanted in r.network]
    if version == 4 and flags & _OUTPUT:
        fitting = [r for r in fitting if r.ifindex == device or r.result in _ERRORS]
    for tables in _tables(version, flags, int.from_bytes(raw[_VLAN : _VLAN + 4], "little")):
        rows = [r for r in fitting if r.table in tables]
        if rows:
            return max(rows, key=lambda r: (r.network.prefixlen, -r.metric))
    return None


def _tables(version: int, flags: int, given: int) -> list[tuple[int, ...]]:
    """Which tables are searched, one group after the other; without rules of policy, IPv4 has local and main as one."""
    if flags & _DIRECT:
        table = (given or _MAIN) if flags & _TBID else _MAIN
        return [(_LOCAL, _MAIN) if version == 4 and table in (_LOCAL, _MAIN) else (table,)]
    return [(_LOCAL, _MAIN), (_DEFAULT,)] if version == 4 else [(_LOCAL,), (_MAIN,)]


def _mtu(row: Route, devices: dict[int, int]) -> int:
    return row.mtu or devices.get(row.ifindex, 0)


def _forwardable(run: Run, raw: bytearray) -> int:
    """Without a length given, a socket buffer is measured itself against the device that was found."""
    mtu = run.env.devices.get(int.from_bytes(raw[8:12], "little"), 0)
    if not mtu:
        return 0
    _put(raw, _LENGTH, 2, mtu)
    return _FRAG_NEEDED if len(packet_of(run)) > mtu + _ETH_HLEN + _VLAN_HLEN else 0


def _put(raw: bytearray, at: int, size: int, value: int) -> None:
    raw[at : at + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")
