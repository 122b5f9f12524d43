"""Programs written both ways: here in Python, in c/codegen.bpf.c in C.  Some are examples."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from pybpf import Global, HashMap, PerCpuArray, Struct, XdpAction, u16, u32, u64, xdp
from pybpf.net import (
    ETH_P_8021AD,
    ETH_P_8021Q,
    ETH_P_IP,
    ICMP_ECHO,
    ICMP_ECHOREPLY,
    IPPROTO_ICMP,
    Ethernet,
    Icmp,
    IPv4,
    Udp,
    Vlan,
)
from pybpf.types import be16


def example(name: str):
    path = Path(__file__).resolve().parent.parent / "examples" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"example_{name}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Flow(Struct):
    source: u32
    dest: u32
    sport: u16
    dport: u16
    protocol: u32


class Stats(Struct):
    packets: u64
    bytes: u64


flows = HashMap(Flow, Stats, max_entries=4096)
ports = PerCpuArray(u64, max_entries=65536)
samples = Global(u64)


@xdp
def flow_stats(ctx):
    ip = ctx.packet(IPv4, at=14)
    if ip is None:
        return XdpAction.PASS
    udp = ctx.packet(Udp, after=ip)
    if udp is None:
        return XdpAction.PASS
    key = Flow(ip.saddr, ip.daddr, udp.source, udp.dest, ip.protocol)
    stats = flows.get(key)
    if stats is None:
        flows[key] = Stats(1, len(ctx))
        return XdpAction.PASS
    stats.packets += 1
    stats.bytes += len(ctx)
    return XdpAction.PASS


@xdp
def echo(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None or eth.type != ETH_P_IP:
        return XdpAction.PASS
    ip = ctx.packet(IPv4, after=eth)
    if ip is None or ip.protocol != IPPROTO_ICMP or ip.ihl != 5:
        return XdpAction.PASS
    icmp = ctx.packet(Icmp, after=ip)
    if icmp is None or icmp.type != ICMP_ECHO:
        return XdpAction.PASS
    eth.dst, eth.src = eth.src, eth.dst
    ip.saddr, ip.daddr = ip.daddr, ip.saddr
    icmp.type = ICMP_ECHOREPLY
    total = icmp.check + (ICMP_ECHO << 8)
    icmp.check = u16((total & 0xFFFF) + (total >> 16))
    return XdpAction.TX


@xdp
def vlan_ports(ctx):
    eth = ctx.packet(Ethernet)
    if eth is None:
        return XdpAction.PASS
    kind = eth.type
    at = 14
    for _ in range(2):
        if kind not in (ETH_P_8021Q, ETH_P_8021AD):
            break
        tag = ctx.packet(Vlan, at=at)
        if tag is None:
            return XdpAction.PASS
        kind = tag.type
        at += 4
    if kind != ETH_P_IP:
        return XdpAction.PASS
    ip = ctx.packet(IPv4, at=at)
    if ip is None:
        return XdpAction.PASS
    udp = ctx.packet(Udp, after=ip)
    if udp is None:
        return XdpAction.PASS
    ports[udp.dest] += 1
    return XdpAction.PASS


@xdp
def checksum(ctx):
    words = ctx.packet(be16[10], at=14)
    if words is None:
        return XdpAction.PASS
    total = u32(0)
    for word in words:
        total += word
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return XdpAction.PASS if total == 0xFFFF else XdpAction.DROP


@xdp
def forward(ctx):
    ip = ctx.packet(IPv4, at=14)
    if ip is None or ip.ttl <= 1:
        return XdpAction.DROP
    ip.ttl -= 1
    total = ip.check + 0x100
    ip.check = u16((total & 0xFFFF) + (total >> 16))
    return XdpAction.TX


@xdp
def sample(ctx):
    ip = ctx.packet(IPv4, at=14)
    if ip is None:
        return XdpAction.PASS
    udp = ctx.packet(Udp, after=ip)
    if udp is None:
        return XdpAction.PASS
    mixed = ip.saddr * 2654435761
    mixed ^= ip.daddr + (mixed << 6) + (mixed >> 2)
    mixed ^= (u32(udp.source) << 16 | udp.dest) + (mixed << 6) + (mixed >> 2)
    mixed ^= mixed >> 15
    if mixed % 100 < 37:
        samples.value += 1
        return XdpAction.DROP
    return XdpAction.PASS


def programs() -> dict:
    """Name (of the C function too) -> the Python program."""
    return {
        "count": example("count_protocols").count,
        "outgoing": example("bytes_by_protocol").count,
        "drop_ports": example("drop_ports").drop_ports,
        "flow_stats": flow_stats,
        "echo": echo,
        "firewall": example("lpm_firewall").firewall,
        "limit": example("token_bucket").limit,
        "mark": example("mark_dns").mark,
        "vlan_ports": vlan_ports,
        "checksum": checksum,
        "forward": forward,
        "sample": sample,
    }
