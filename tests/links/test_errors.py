"""Attaching that fails: the error names what the program should have been attached to, and the remedy."""

from __future__ import annotations

import os
import socket

import pytest

from pybpf import (
    BpfError,
    HashMap,
    NotSupportedError,
    ProgramSpec,
    SpecError,
    SyscallError,
    asm,
    features,
    load,
    program,
    u32,
)
from pybpf.links.hints import TARGETS
from pybpf.maps.create import create
from pybpf.uapi import AttachType as A
from pybpf.uapi import LinkType as L
from pybpf.uapi import ProgType as P

pytestmark = pytest.mark.kernel

XDP, TC, CGROUP = (P.XDP, A.XDP, 2), (P.SCHED_CLS, None, 0), (P.CGROUP_SKB, A.CGROUP_INET_EGRESS, 1)
KPROBE, PERF, SK_LOOKUP = (P.KPROBE, None, 0), (P.PERF_EVENT, None, 0), (P.SK_LOOKUP, A.SK_LOOKUP, 1)
NETFILTER, SK_MSG, ITER = (P.NETFILTER, A.NETFILTER, 1), (P.SK_MSG, A.SK_MSG_VERDICT, 1), (P.TRACING, A.TRACE_ITER, 0)
MULTI, LWT = (P.KPROBE, A.TRACE_UPROBE_MULTI, 0), (P.LWT_XMIT, None, 0)

# program, target, options, what the error says
CASES = [
    (XDP, 1 << 20, {}, "interface 1048576.*interfaces here: lo"),
    (XDP, 1 << 80, {}, "no index of an interface"),
    (XDP, "lo", {"mode": "native"}, 'interface lo.*mode="generic" works on every interface'),
    (XDP, "lo", {"direction": "ingress"}, "attaching <Program.*'direction'"),
    (TC, "lo", {"direction": "up"}, "'ingress' or 'egress'"),
    (TC, "lo", {"before": True, "after": True}, "exclude each other"),
    (CGROUP, "/etc/passwd", {}, "cgroup '/etc/passwd'.*mkdir makes one"),
    (CGROUP, "{cgroup}", {"hook": A.CGROUP_INET4_BIND}, "cgroup .*loaded for another hook"),
    (CGROUP, "{cgroup}", {"hook": "sideways"}, "'sideways': expected 'ingress', 'egress'"),
    (SK_LOOKUP, 1 << 30, {}, "network namespace '/proc/1073741824/ns/net'.*ip netns list"),
    (
        NETFILTER,
        "ipv4/input",
        {"priority": -(1 << 31)},
        "netfilter ipv4/input at priority -2147483648.*the kernel's own",
    ),
    (SK_MSG, "sockets", {}, "'sockets' is no live socket map"),
    (KPROBE, "libc.so.6", {"offset": 1 << 40, "kind": "uprobe"}, "libc.so.6.*offset 0x10000000000 of .*instruction"),
    (KPROBE, "libc.so.6:getpgid", {"pid": 1 << 30}, "libc.so.6:getpgid.*no process of that id"),
    (MULTI, "libc.so.6:nosuch*", {}, "no function of .*libc.so.6 matches 'nosuch\\*'"),
    (PERF, "cpu-clock", {"cpus": [1 << 20]}, "perf event cpu-clock.*no such CPU"),
    (PERF, "cpu-clock", {"frequency": 1 << 30}, "perf event cpu-clock.*perf_event_max_sample_rate"),
    (PERF, "cpu-clock", {"frequency": 1, "period": 1}, "exclude each other"),
    (LWT, "nonsense", {"device": "lo"}, "'nonsense' is no network"),
    (LWT, "10.99.0.0/16", {"device": "nosuch0"}, "interface 'nosuch0'"),
    (ITER, None, {}, "iterator bpf_map_elem.*map=, a live map"),
]


@pytest.mark.parametrize(("kind", "target", "options", "said"), CASES)
def test_errors_name_the_target_and_the_remedy(kind, target, options, said, request, counting):
    prog_type, hook, returns = kind
    if hook is not None and not features.have_attach_type(hook):
        pytest.skip(f"this kernel has no {hook.name}")
    if kind is XDP and not features.have_link_type(L.XDP):
        pytest.skip("this kernel has no XDP links")
    if prog_type == P.KPROBE and not os.path.exists("/sys/bus/event_source/devices/uprobe/type"):
        pytest.skip("this kernel has no uprobe events")
    if prog_type == P.LWT_XMIT:
        pytest.importorskip("pyroute2")
    if target == "{cgroup}":
        target = request.getfixturevalue("cgroup")
    extra = {"attach_to": "bpf_map_elem"} if kind is ITER else {}
    prog, _ = counting(prog_type, hook, returns=returns, **extra)
    with pytest.raises(BpfError, match=f"(?s){said}"):
        prog.attach(target, **options)


def test_a_place_that_is_taken(pair, counting):
    if not features.have_link_type(L.XDP):
        pytest.skip("this kernel has no XDP links")
    first, _ = counting(*XDP[:2], returns=2)
    second, _ = counting(*XDP[:2], returns=2)
    with first.attach(pair.name, mode="generic"), pytest.raises(BpfError, match=r"(?s)another XDP program.*attached\("):
        second.attach(pair.name, mode="generic")


def test_a_map_of_another_type(counting):
    prog, _ = counting(*SK_MSG[:2], returns=1)
    with (
        create(HashMap(u32, u32, max_entries=1, name="table")) as live,
        pytest.raises(BpfError, match=r"(?s)socket map table.*no SockMap or SockHash"),
    ):
        prog.attach(live)


WITHOUT = [kind for kind in TARGETS if kind not in (P.CGROUP_SOCKOPT, P.LWT_IN)]


@pytest.mark.parametrize("kind", WITHOUT, ids=lambda kind: P(kind).name)
def test_without_a_target(kind):
    hooks = {P.CGROUP_SOCK_ADDR: A.CGROUP_INET4_CONNECT, P.XDP: A.XDP, P.SK_MSG: A.SK_MSG_VERDICT}

    @program(kind, hooks.get(kind))
    def plain(ctx):
        return 1

    with load(plain) as prog, pytest.raises(SpecError, match=r"is attached to (a|an) .*prog.attach\("):
        prog.attach()


@pytest.mark.parametrize(
    ("prog_type", "hook", "target", "text"),
    [
        (P.TRACING, A.TRACE_RAW_TP, "sched_swich", "the tracepoint 'sched_swich' .*did you mean sched_switch"),
        (P.TRACING, A.TRACE_FENTRY, "security_inode_mkdr", "the function .*did you mean security_inode_mkdir"),
        (P.TRACING, A.TRACE_ITER, "tsk", "the iterator 'tsk' .*did you mean task"),
        (P.LSM, A.LSM_MAC, "file_opn", "the LSM hook 'file_opn' .*did you mean file_open"),
    ],
)
def test_names_that_the_kernel_lacks(prog_type, hook, target, text):
    spec = ProgramSpec(asm.assemble("r0 = 0\nexit"), prog_type, expected_attach_type=hook, attach_to=target)
    with pytest.raises(NotSupportedError, match=text):
        load(spec)


def test_a_replacement_needs_a_program():
    spec = ProgramSpec(asm.assemble("r0 = 0\nexit"), P.EXT, attach_to="x", name="mine")
    with pytest.raises(SpecError, match=r"mine replaces a function of a live program.*not 'x'"):
        load(spec)


def test_raw_tracepoints_that_are_near(counting):
    prog, _ = counting(P.RAW_TRACEPOINT)
    with pytest.raises(SyscallError) as caught:
        prog.attach("sched_swich")
    assert "did you mean sched_switch" in caught.value.hint


def test_an_update_that_expects_another_program(counting):
    if not features.have_link_type(L.XDP):
        pytest.skip("this kernel has no links of XDP")
    first, second = counting(P.XDP, A.XDP, returns=2)[0], counting(P.XDP, A.XDP, returns=2)[0]
    with first.attach("lo", mode="generic") as link:
        with pytest.raises(SyscallError) as caught:
            link.update(second, old=second)
        assert f"the program there is number {first.id}, not the old one" in caught.value.hint
        link.update(second, old=first)
        assert link.info.prog_id == second.id


def test_a_group_of_sockets_needs_its_option(counting):
    prog, _ = counting(P.SK_REUSEPORT)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(SyscallError) as caught:
            prog.attach(sock)
    assert "SO_REUSEPORT" in caught.value.hint
