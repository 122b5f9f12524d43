"""Intervals that the compiler knows and the verifier does not (quotients, swapped bytes, results of helpers): still accepted."""

from __future__ import annotations

import pytest

from pybpf import (
    VM,
    Array,
    PerCpuArray,
    Struct,
    bounded,
    cgroup_skb,
    load,
    socket_filter,
    subprogram,
    u8,
    u16,
    u32,
    u64,
    verify,
    xdp,
)
from pybpf import helpers as bpf
from pybpf.net import ETH_P_IP, Ethernet, IPv4, Udp

TABLE = (9, 8, 7, 6, 5, 4, 3, 2, 1, 0)


class Row(Struct):
    cells: u32[10]
    pad: u64


rows = Array(Row, max_entries=1)
scratch = PerCpuArray(Row, max_entries=1)


@xdp
def remainder_indexes_table(ctx):
    return TABLE[len(ctx) % 10] & 3


@xdp
def quotient_indexes_stack(ctx):
    cells = u32[10]()
    ip = ctx.packet(IPv4, at=14)
    if ip is None:
        return 2
    cells[ip.ttl // 26] = 3
    return cells[(ip.ttl + 1) // 26] & 3


@xdp
def loop_carried_index(ctx):
    row = rows.get(0)
    if row is None:
        return 0
    i = u32(len(ctx) % 10)
    for _ in range(20):
        row.cells[i % 10] = i
        i = (i * 7 + 3) % 10
    return i & 3


@xdp
def swapped_offset(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None or eth.type != ETH_P_IP:
        return 2
    ip = ctx.packet(IPv4, after=eth)
    if ip is None:
        return 2
    udp = ctx.packet(Udp, at=14 + (ip.length // 2))
    return 2 if udp is None else 1


@xdp
def clamped_by_min(ctx):
    row = rows.get(0)
    if row is None:
        return 0
    return row.cells[min(len(ctx) // 7, 9)] & 3


@socket_filter
def legacy_load_indexes(skb):
    return TABLE[skb.load_byte(0) // 26]


@cgroup_skb("egress")
def returned(skb):
    return skb.len % 3 // 2


@subprogram
def cell(i: u16) -> u32:
    return TABLE[i // 6554]


@xdp
def parameter_of_subprogram(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None:
        return 2
    return cell(eth.type) & 3


@xdp
def random_row(ctx):
    row = rows.get(0)
    if row is None:
        return 0
    row.cells[bpf.get_prandom_u32() % 10] += 1
    return 2


@xdp
def product_of_signed(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None:
        return 2
    x = (eth.src[0] - 7) * (eth.src[1] - 7)
    if 0 <= x < 10:
        return TABLE[x] & 3
    return TABLE[u8(x) // 26] & 3


@xdp
def bounded_counter_is_an_index(ctx):
    """How many there are stands in the map; that it is no more than the array has, in the loop."""
    row = rows.get(0)
    if row is None:
        return 2
    for i in range(bounded(row.pad, max=10)):
        if row.cells[i] == ctx.rx_queue_index:
            return 1
    for i in range(9, bounded(row.pad, max=4), -2):
        row.cells[i] = 5
    return 2


PROGRAMS = [v for v in list(globals().values()) if hasattr(v, "prog_type")]


@pytest.mark.parametrize("isa", [1, 2, 3, 4])
@pytest.mark.parametrize("spec", PROGRAMS, ids=lambda s: s.name)
def test_the_verifier_follows(spec, isa):
    report = verify(spec.replace(isa=isa))
    assert report.ok, report


@pytest.mark.kernel
@pytest.mark.parametrize("isa", [1, 2, 3, 4])
@pytest.mark.parametrize("spec", PROGRAMS, ids=lambda s: s.name)
def test_the_kernel_follows(spec, isa):
    load(spec.replace(isa=isa)).close()


def test_a_remainder_selects_what_it_says():
    for size in range(14, 60):
        assert VM(remainder_indexes_table).run(data=bytes(size)).retval == TABLE[size % 10] & 3
        assert VM(clamped_by_min).run(data=bytes(size)).retval == 0
