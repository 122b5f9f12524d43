"""The generated constants: spelling, completeness, layout, unknown numbers, and agreement with what made them."""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
from enum import IntEnum, IntFlag
from pathlib import Path

import pytest

from pybpf import uapi

ROOT = Path(__file__).resolve().parents[2]
HEADER = Path("/usr/include/linux/bpf.h")
RUNNING = Path("/sys/kernel/btf/vmlinux")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        (uapi.ProgType.XDP, 6),
        (uapi.ProgType.NETFILTER, 32),
        (uapi.MapType.HASH, 1),
        (uapi.MapType.CGROUP_STORAGE, 19),
        (uapi.MapType.INSN_ARRAY, 34),
        (uapi.AttachType.CGROUP_INET4_CONNECT, 10),
        (uapi.AttachType.TRACE_FENTRY, 24),
        (uapi.Cmd.PROG_LOAD, 5),
        (uapi.Cmd.PROG_STREAM_READ_BY_FD, 37),
        (uapi.LinkType.XDP, 6),
        (uapi.XdpAction.REDIRECT, 4),
        (uapi.TcAction.SHOT, 2),
        (uapi.TcAction.UNSPEC, -1),
        (uapi.SkAction.PASS, 1),
        (uapi.UpdateFlags.NOEXIST, 1),
        (uapi.MapFlags.NO_PREALLOC, 1),
        (uapi.ProgFlags.SLEEPABLE, 16),
        (uapi.AttachFlags.ALLOW_MULTI, 2),
        (uapi.XdpFlags.SKB_MODE, 2),
        (uapi.PerfOutputFlags.CURRENT_CPU, 0xFFFFFFFF),
        (uapi.Helper.map_lookup_elem, 1),
        (uapi.Helper.cgrp_storage_delete, 211),
    ],
)
def test_known_numbers(member, value):
    assert member == value


def test_a_deprecated_alias_is_not_the_name_shown():
    assert uapi.MapType(19).name == "CGROUP_STORAGE"
    assert uapi.Cmd(10).name == "PROG_TEST_RUN"


def test_numbers_of_a_newer_kernel_break_nothing():
    assert uapi.named(uapi.ProgType, 6) is uapi.ProgType.XDP
    assert uapi.named(uapi.ProgType, 1000) == 1000
    assert int(uapi.MapFlags(1 << 40 | 1)) == 1 << 40 | 1


def test_every_name_is_exported_and_loads_its_own_module_only():
    for name in uapi.__all__:
        assert getattr(uapi, name) is not None, name
    code = "import sys, pybpf.uapi; pybpf.uapi.ProgType; print([m for m in sys.modules if m.startswith('pybpf.uapi.')])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert shown.strip() == "['pybpf.uapi.prog']"
    with pytest.raises(AttributeError, match="no attribute 'ProgTypo'"):
        uapi.ProgTypo  # noqa: B018


def test_members_carry_no_prefix():
    for name in uapi.__all__:
        enum = getattr(uapi, name)
        if isinstance(enum, type) and issubclass(enum, (IntEnum, IntFlag)):
            noisy = [m for m in enum.__members__ if re.match(r"BPF_|__", m)]
            assert not set(noisy) - {"BPF_OUTPUT", "BPF_EVENT"}, (name, noisy)  # kinds of perf event
            assert enum.__doc__, name


def test_helper_names_and_prototypes_go_by_id():
    assert len(uapi.HELPER_NAMES) == len(uapi.HELPER_PROTOS) == len(uapi.Helper) == 212
    for helper in uapi.Helper:
        assert uapi.HELPER_NAMES[helper] == helper.name
    assert uapi.HELPER_PROTOS[1] == ("void *", (("struct bpf_map *", "map"), ("const void *", "key")))
    assert uapi.HELPER_PROTOS[6][1][-1] == ("...", "")
    assert uapi.HELPER_PROTOS[5] == ("u64", ())
    for returns, args in uapi.HELPER_PROTOS[1:]:
        assert returns
        assert len(args) <= 5
        assert all(name.isidentifier() for type_, name in args if type_ != "...")


@pytest.mark.parametrize(
    ("name", "size", "offsets"),
    [
        ("__sk_buff", 192, {"protocol": 16, "cb": 48, "data": 76, "tstamp": 152, "sk": 168, "hwtstamp": 184}),
        ("xdp_md", 24, {"data_meta": 8, "egress_ifindex": 20}),
        ("bpf_sock_addr", 72, {"user_ip6": 8, "sk": 64}),
        ("bpf_sock_ops", 224, {"args": 4, "reply": 4, "skb_data": 192, "skb_hwtstamp": 216}),
        ("bpf_sockopt", 40, {"optval_end": 16, "retval": 36}),
        ("bpf_fib_lookup", 64, {"ipv4_src": 16, "smac": 52}),
        ("perf_event_attr", 144, {"config": 8, "sample_type": 24, "sample_max_stack": 108}),
        ("ProgInfo", 232, {"gpl_compatible": None, "netns_dev": 88, "run_time_ns": 192}),
        ("MapInfo", 104, {"map_extra": 80}),
        ("ProgLoadAttr", 168, {"attach_btf_id": 108, "fd_array": 120}),
    ],
)
def test_layouts_are_those_of_c(name, size, offsets):
    struct = getattr(uapi, name)
    assert ctypes.sizeof(struct) == size
    for field, offset in offsets.items():
        assert offset is None or getattr(struct, field).offset == offset, field


def test_network_byte_order_reads_as_numbers():
    packet = uapi.bpf_sock_tuple.from_buffer_copy(bytes(8) + b"\x00\x50\x01\xbb".ljust(28, b"\0"))
    assert (packet.ipv4.sport, packet.ipv4.dport) == (80, 443)


def test_bit_fields_share_a_word():
    info = uapi.ProgInfo.from_buffer_copy(bytes(84) + b"\x01" + bytes(147))
    assert info.gpl_compatible == 1
    attr = uapi.perf_event_attr()
    attr.disabled = attr.freq = 1
    assert int.from_bytes(bytes(attr)[40:48], sys.byteorder) in (1 | 1 << 10, 1 << 63 | 1 << 53)


@pytest.mark.skipif(not HEADER.exists(), reason="no linux/bpf.h here (apt-get install linux-libc-dev)")
def test_an_installed_header_says_the_same():
    """Whatever release is installed: it may lack members of ours, it may not have others under their names."""
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)
    seen = 0
    for enum, c_name, prefix in (
        (uapi.ProgType, "bpf_prog_type", "BPF_PROG_TYPE_"),
        (uapi.MapType, "bpf_map_type", "BPF_MAP_TYPE_"),
        (uapi.Cmd, "bpf_cmd", "BPF_"),
        (uapi.AttachType, "bpf_attach_type", "BPF_"),
    ):
        body = re.search(rf"enum {c_name} {{(.*?)}}", text, re.S)[1]
        number = -1
        for row in filter(None, map(str.strip, body.split(","))):
            member, _, given = (part.strip() for part in row.partition("="))
            if member.startswith("__"):
                break
            aliased = given.removeprefix(prefix)
            number = enum[aliased] if aliased in enum.__members__ else int(given, 0) if given else number + 1
            assert enum[member.removeprefix(prefix)] == number, member
            seen += 1
    assert seen > 120


@pytest.mark.skipif(not RUNNING.exists(), reason="the running kernel has no BTF in /sys/kernel/btf")
def test_the_generator_finds_nothing_to_change():
    done = subprocess.run([sys.executable, "tools/gen_uapi.py", "--check"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "uapi: " in done.stdout


@pytest.mark.skipif(not RUNNING.exists(), reason="the running kernel has no BTF in /sys/kernel/btf")
def test_a_wrong_number_is_found(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import gen_uapi

    sources = gen_uapi.Sources(RUNNING.read_bytes(), "here", None, "")
    monkeypatch.setattr("pybpf.uapi.prog.ProgType", IntEnum("ProgType", {"XDP": 7}))
    assert list(gen_uapi.disagreements(sources)) == ["uapi: ProgType.XDP is 7, there 6"]
