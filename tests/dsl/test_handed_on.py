"""What is handed on: views and records to functions out of line, numbers to helpers as memory, the kernel's own buffers to
`ctx.packet`; enums as constants.  The machine and the kernel do what Python says; the rest is refused with advice."""

from __future__ import annotations

import importlib.util

import pytest

from pybpf import VM, CompileError, load, verify
from pybpf.uapi import ProgType
from pybpf.verifier import Env

HEAD = """\
from enum import IntEnum, IntFlag

from pybpf import *
from pybpf import helpers as bpf
from pybpf.net import *


class Event(Struct):
    n: u64
    name: char[16]


class Color(IntEnum):
    RED = 1
    GREEN = 2
    BLUE = 4


class Flags(IntFlag):
    A = 1
    B = 2


ring = RingBuf(Event)
seen = Array(u64, max_entries=4)
group = ReuseportSockArray(4)
from_skb = kfunc("bpf_dynptr_from_skb")
dynptr_slice, slice_rdwr = kfunc("bpf_dynptr_slice"), kfunc("bpf_dynptr_slice_rdwr")


@subprogram
def lifetime(ip: IPv4) -> u32:
    return ip.ttl


@subprogram
def rewrite(ip: IPv4, ttl: u8):
    ip.ttl = ttl
    ip.check = 0x1234


@subprogram
def port(ctx, ip: IPv4) -> u32:
    udp = ctx.packet(Udp, after=ip)
    return 0 if udp is None else udp.dest


@subprogram
def move(ctx, ip: IPv4) -> u32:
    n = ip.ttl
    ctx.adjust_head(-4)
    return n


@subprogram
def fill(event: Event, n: u64):
    event.n = n


@subprogram
def end(event: Event):
    event.submit()


@subprogram
def some(bytes_: u8[20], i: u32) -> u32:
    return bytes_[i % 20]
"""
PACKET = (
    bytes(range(12)) + b"\x08\x00" + bytes([0x45, 0, 0, 50, 1, 2, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2])
    + bytes([0x13, 0x88, 0, 53, 0, 30, 0, 0]) + bytes(range(100, 122))
)  # fmt: skip
VIEW = "ip = ctx.packet(IPv4, at=14)\nif ip is None:\n    return 9\n"
DYNPTR = "d = u64[2]()\nif from_skb(ctx, 0, d) < 0:\n    return 9\nbuf = IPv4()\n"
HOOK = {"pf": 2, "hook": 0}


def at(offset, data):
    return PACKET[:offset] + data + PACKET[offset + len(data) :]


# decorator, body, what it returns, the packet behind it (None: as it was)
RUNS = {
    "a view": ("xdp", VIEW + "return lifetime(ip)", 64, None),
    "a view that is written": ("xdp", VIEW + "rewrite(ip, 9)\nrewrite(ip, u8(ip.ttl + 1))\nreturn ip.ttl", 10,
                               at(22, b"\x0a\x11\x12\x34")),
    "a view of what is behind a view": ("xdp", VIEW + "return port(ctx, ip) + ip.ttl", 117, None),
    "a view, before the packet moves": ("xdp", VIEW + "n = move(ctx, ip)\nctx.adjust_head(4)\nreturn n", 64, None),
    "a copy of the packet": ("socket_filter", VIEW.replace("14", "0") + "return lifetime(ip)", 64, None),
    "a record": ("tc", "e = ring.reserve()\nif e is None:\n    return 9\nfill(e, 7)\nn = e.n\ne.submit()\nreturn u32(n)", 7,
                 None),
    "numbers in network order": (
        "tc", ("n = ctx.len + 0x01020300\nctx.store_bytes(30, be32(n), 0)\nx = be16(0x5566)\nctx.store_bytes(34, x, 0)\n"
        "y: be16 = ctx.len & 0xFF\nctx.store_bytes(36, y, 0)\nreturn be32(n) & 0xFF"), 64,
        at(30, bytes([1, 2, 3, 64, 0x55, 0x66, 0, 64]))),
    "numbers of every width": (
        "tc", ("ctx.store_bytes(30, u8(7), 0)\nctx.store_bytes(31, u16(0x0102), 0)\nctx.store_bytes(33, u32(5), 0)\n"
        "return u16(3) + be16(4)"), 7, at(30, bytes([7, 2, 1, 5, 0, 0, 0]))),
    "netfilter sees the packet": (
        "netfilter", ("ip = ctx.packet(IPv4)\nif ip is None:\n    return 1\nseen[0] = ip.ttl\n"
        "udp = ctx.packet(Udp, after=ip)\nbig = ctx.packet(u8[60])\nif udp is None or big is not None:\n    return 1\n"
        "t = 0\nfor i in range(4):\n    b = ctx.packet(u8[1], at=28 + i)\n    if b is not None:\n        t += b[0]\n"
        "return 0 if udp.dest == 53 and seen[0] == 64 and t == 406 else 1"), 0, None),
    "netfilter's buffer as a dynptr": (
        "netfilter", DYNPTR.replace("from_skb(ctx,", "from_skb(ctx.skb,").replace("9", "1")
        + "ip = dynptr_slice(d, 0, buf, sizeof(buf))\nreturn 1 if ip is None or ip.protocol != 17 else 0", 0, None),
    "a slice that is written": ("tc", DYNPTR + "ip = slice_rdwr(d, 14, buf, 20)\nif ip is None:\n    return 9\nip.ttl = 7\n"
                                "ip.ttl += 2\nreturn ip.protocol", 17, at(22, b"\x09")),
    "a slice without a buffer": ("tc", DYNPTR + "b = dynptr_slice(d, 14, None, 20)\nreturn 9 if b is None else b[9]", 17,
                                 None),
    "a loop over an enum": ("xdp", ("t = 0\nfor color in Color:\n    if len(ctx) > color:\n        t += color\n"
                            "return t * 10 + len(Color)"), 73, None),
    "flags": ("xdp", "f = Flags(len(ctx) & 3)\nreturn 1 if f & Flags.A else f | Flags.B", 2, None),
}  # fmt: skip


def define(folder, decorator, body):
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    file = folder / "program.py"
    file.write_text(f"{HEAD}\n\n@{decorator}\ndef f(ctx):\n{lines}")
    spec = importlib.util.spec_from_file_location("program", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.f


def outcome(run, spec, changed):
    found = run(data=PACKET, ctx=HOOK if spec.prog_type == ProgType.NETFILTER else None)
    return found.retval, found.data if changed else None


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("isa", [1, 3])
def test_machine(name, isa, tmp_path):
    decorator, body, returned, packet = RUNS[name]
    spec = define(tmp_path, decorator, body).replace(isa=isa)
    assert outcome(VM(spec).run, spec, packet) == (returned, packet)


@pytest.mark.kernel
@pytest.mark.parametrize("name", RUNS)
def test_kernel(name, tmp_path):
    decorator, body, returned, packet = RUNS[name]
    spec = define(tmp_path, decorator, body)
    report = verify(spec, env=Env.here())
    assert report.ok, report
    with load(spec) as prog:
        assert outcome(prog.test_run, spec, packet) == (returned, packet)


@pytest.mark.kernel
def test_a_group_of_sockets_is_chosen_from(tmp_path):
    spec = define(tmp_path, "sk_reuseport", "return 1 if group.select(ctx, ctx.hash & 3) == 0 else 0")
    with load(spec) as prog:
        assert prog.info.xlated_prog_len > 0


def test_arguments_of_probes_by_number(tmp_path):
    spec = define(tmp_path, "uprobe", "return u32(ctx.args[1]) + u32(ctx.args[0])")
    assert VM(spec).run(ctx={"args": [7, 30]}).retval == 37


REFUSED = {
    "a view that is not tested": ("xdp", "return lifetime(ctx.packet(IPv4))", "may be None here"),
    "a view behind a function that moves the packet": (
        "xdp", VIEW + "n = move(ctx, ip)\nreturn n + ip.ttl", "the packet may have moved"),
    "an index that needs the packet's end": (
        "xdp", "b = ctx.packet(u8[20])\nreturn 0 if b is None else some(b, 7)", "needs the context"),
    "a record ended by another function": (
        "tc", "e = ring.reserve()\nif e is None:\n    return 0\nend(e)\nreturn 0", "no method 'submit'"),
    "a number of no width": ("tc", "ctx.store_bytes(22, u8(ctx.len & 7) + 1, 0)\nreturn 0", "not known how wide"),
    "a slice that is read-only": ("tc", DYNPTR + "b = dynptr_slice(d, 14, None, 20)\nif b is None:\n    return 9\nb[2] = 1\n"
                                  "return 0", "read-only"),
    "a number as an enum's member": ("xdp", "return Color(len(ctx))", "as in `x == Color.RED`"),
    "a method of a map that has none": (
        "sk_reuseport", "group.redirect(ctx, 1)\nreturn 1", "no method redirect; it has select"),
    "a structure without its member": (
        "struct_ops('tcp_congestion_ops.ssthresh')", "return ctx.sk", "tcp_congestion_ops/ssthresh"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name, tmp_path):
    decorator, body, told = REFUSED[name]
    with pytest.raises(CompileError, match=r"program\.py:") as error:
        assert define(tmp_path, decorator, body).insns
    assert told in str(error.value)
