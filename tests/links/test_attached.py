"""What is attached where: links tell it with names, and hooks are asked by name, for each mechanism."""

from __future__ import annotations

import os
import shutil
import subprocess
import time

import pytest

from pybpf import NotSupportedError, SockMap, SpecError, SyscallError, attached, features, links
from pybpf.links import tc
from pybpf.links.elf import find_file
from pybpf.maps.create import create
from pybpf.uapi import AttachType as A
from pybpf.uapi import LinkType as L
from pybpf.uapi import ProgType as P

pytestmark = pytest.mark.kernel


def need(have, *args):
    if not have(*args):
        pytest.skip(f"this kernel has no {args[0].name}")


def rows(prog, hook, target=None, **options):
    """(link id, target in words) of the attachments of one program."""
    return [(row.link_id, row.target) for row in attached(hook, target, **options) if row.prog_id == prog.id]


def gone(prog, hook, target=None):
    """An attachment ends with its last descriptor, and others that list links have one for a moment."""
    deadline = time.monotonic() + 5
    while (left := rows(prog, hook, target)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left == []


# program type, attach type, options of the program, target, options of attach, hook's name, its words, details
LINKS = {
    "tcx": (
        *(P.SCHED_CLS, None, {}, "lo", {"mechanism": "tcx"}, ("tcx/ingress", "lo"), "tcx_ingress interface lo"),
        {"interface": "lo", "attach_type": "tcx_ingress"},
    ),
    "netfilter": (
        *(P.NETFILTER, A.NETFILTER, {}, "ipv6/output", {"priority": -77}, ("netfilter", "ipv6/output")),
        *("netfilter ipv6/output at priority -77", {"hook": "ipv6/output", "priority": -77, "defragment": False}),
    ),
    "sk_lookup": (
        *(P.SK_LOOKUP, A.SK_LOOKUP, {}, None, {}, ("sk_lookup",), "sk_lookup network namespace this"),
        {"netns": "this", "attach_type": "sk_lookup"},
    ),
    "raw_tracepoint": (
        *(P.RAW_TRACEPOINT, None, {}, "sched_process_exec", {}, ("raw_tp/sched_process_exec",), "sched_process_exec"),
        {"tracepoint": "sched_process_exec"},
    ),
    "btf_tracepoint": (
        *(P.TRACING, A.TRACE_RAW_TP, {"attach_to": "sched_process_exec"}, None, {}, ("tp_btf/sched_process_exec",)),
        *("sched_process_exec", {"tracepoint": "sched_process_exec"}),
    ),
    "tracepoint": (
        *(P.TRACEPOINT, None, {}, "sched/sched_process_exec", {}, ("tp/sched/sched_process_exec",)),
        *("tracepoint sched_process_exec", {"event": "tracepoint", "name": "sched_process_exec"}),
    ),
    "perf_event": (
        *(
            P.PERF_EVENT,
            None,
            {},
            "page-faults",
            {"pid": os.getpid(), "period": 1 << 20},
            ("perf_event", "page-faults"),
        ),
        *("perf event page-faults", {"event": "event", "config": 2}),
    ),
    "kprobe": (
        *(P.KPROBE, None, {}, "security_inode_mkdir", {}, ("kprobe/security_inode_mkdir",)),
        *("kprobe security_inode_mkdir", {"event": "kprobe", "name": "security_inode_mkdir", "offset": 0}),
    ),
    "kretprobe": (
        *(P.KPROBE, None, {}, "security_inode_mkdir", {"kind": "kretprobe"}, ("kretprobe/security_inode_mkdir",)),
        *("kretprobe security_inode_mkdir", {"event": "kretprobe", "name": "security_inode_mkdir"}),
    ),
    "kprobe_multi": (
        *(P.KPROBE, A.TRACE_KPROBE_MULTI, {}, ["security_inode_mkdir", "security_inode_rmdir"], {"cookies": [7, 8]}),
        *(("kprobe.multi/security_inode_mkdir",), None),
        {"count": 2, "returns": False},
    ),
    "uprobe": (P.KPROBE, None, {}, "libc.so.6:getpgid", {}, ("uprobe/libc.so.6:getpgid",), None, {"event": "uprobe"}),
    "uretprobe": (
        *(P.KPROBE, None, {}, "libc.so.6:getpgid", {"kind": "uretprobe"}, ("uretprobe/libc.so.6:getpgid",), None),
        {"event": "uretprobe"},
    ),
    "uprobe_multi": (
        *(P.KPROBE, A.TRACE_UPROBE_MULTI, {}, "libc.so.6:getpgi[d]", {}, ("uprobe.multi/libc.so.6:getpgid",), None),
        {"count": 1, "returns": False, "pid": 0},
    ),
    "fentry": (
        *(P.TRACING, A.TRACE_FENTRY, {"attach_to": "security_inode_mkdir"}, None, {}, ("fentry/security_inode_mkdir",)),
        *("trace_fentry security_inode_mkdir", {"function": "security_inode_mkdir"}),
    ),
    "lsm": (
        *(P.LSM, A.LSM_MAC, {"attach_to": "inode_mkdir"}, None, {}, ("lsm/inode_mkdir",)),
        *("lsm_mac bpf_lsm_inode_mkdir", {"function": "bpf_lsm_inode_mkdir"}),
    ),
    "iter": (
        P.TRACING,
        A.TRACE_ITER,
        {"attach_to": "task"},
        None,
        {},
        ("iter/task",),
        "iterator task",
        {"kind": "task"},
    ),
}
# Links of these the kernel has since 5.15, and their names since 6.6; before, the events tell, but those of `perf_event`.
PERF = {"tracepoint", "perf_event", "kprobe", "kretprobe", "uprobe", "uretprobe"}


@pytest.mark.parametrize("case", LINKS)
def test_links_tell_where_they_are(counting, case):
    prog_type, attach_type, options, target, how, hook, words, expected = LINKS[case]
    if attach_type is not None:
        need(features.have_attach_type, attach_type)
    if case == "tcx":
        need(features.have_link_type, L.TCX)
    if case == "perf_event":
        need(features.have_link_type, L.PERF_EVENT)
    if case.startswith("k") and case in PERF and not os.path.exists("/sys/bus/event_source/devices/kprobe/type"):
        pytest.skip("this kernel has no kprobes")
    prog, _ = counting(prog_type, attach_type, returns=0 if prog_type in (P.LSM, P.TRACING, P.KPROBE) else 1, **options)
    try:
        link = prog.attach(target, **how)
    except NotSupportedError as why:
        pytest.skip(str(why))
    with link:
        if case in PERF and not features.have_link_type(L.PERF_EVENT):
            ((id_, where),) = rows(prog, *hook)
            assert (id_, words or where) == (0, where)
            return
        found = link.details
        assert (found["id"], found["prog_id"]) == (link.id, prog.id)
        assert found["type"] == L(link.info.type).name.lower()
        if found.get("event") == "":
            if case == "perf_event":
                with pytest.raises(NotSupportedError, match=r"perf event links.*6\.6"):
                    rows(prog, *hook)
            else:
                ((id_, where),) = rows(prog, *hook)
                assert (id_, words or where) == (link.id, where)
            return
        if found.get("function") == "" and features.have_link_type(L.PERF_EVENT) is False:
            return  # before Linux 5.13 the kernel does not tell the function
        assert words in (None, found["target"])
        assert {key: found[key] for key in expected} == expected
        assert [id_ for id_, _ in rows(prog, *hook)] == [link.id]
    assert gone(prog, *hook)


def test_names_and_cookies_of_many_functions(counting):
    need(features.have_attach_type, A.TRACE_KPROBE_MULTI)
    prog, _ = counting(P.KPROBE, A.TRACE_KPROBE_MULTI)
    names = ["security_inode_mkdir", "security_inode_rmdir"]
    with prog.attach(names, cookies=[7, 8], kind="kretprobe_multi") as link:
        found = link.details
        assert (found["count"], found["returns"]) == (2, True)
        if found["functions"]:  # Linux 6.6
            assert set(found["functions"]) == set(names)
            assert found["target"].startswith("return of 2 kernel functions: security_inode_")
            assert len(rows(prog, "kretprobe.multi/security_inode_rmdir")) == 1
            assert rows(prog, "kprobe.multi/security_inode_rmdir") == []


def test_xdp_by_link(pair, counting):
    need(features.have_link_type, L.XDP)
    prog, _ = counting(P.XDP, A.XDP, returns=2)
    with prog.attach(pair.name, mode="generic") as link:
        assert link.details["target"] == f"xdp interface {pair.name}"
        assert rows(prog, "xdp", pair.name) == [(link.id, f"xdp (generic) of interface {pair.name}")]
    assert gone(prog, "xdp", pair.name)


def test_xdp_without_a_link(pair, counting):
    pytest.importorskip("pyroute2")
    prog, _ = counting(P.XDP, A.XDP, returns=2)
    with prog.attach(pair.name, mode="generic", mechanism="netlink"):
        assert rows(prog, "xdp", pair.name) == [(0, f"xdp (generic) of interface {pair.name}")]
    assert attached("xdp", pair.name) == []


def test_both_mechanisms_and_directions_of_tc(pair, counting):
    pytest.importorskip("pyroute2")
    prog, _ = counting(P.SCHED_CLS)
    with prog.attach(pair.name, mechanism="clsact", direction="egress", priority=5):
        assert rows(prog, "tc", pair.name) == [(0, f"clsact egress of interface {pair.name}, priority 5")]
        assert rows(prog, "tc/ingress", pair.name) == []
        if features.have_link_type(L.TCX):
            with prog.attach(pair.name, direction="ingress") as link:
                assert rows(prog, "tc", pair.name)[0] == (link.id, f"tcx ingress of interface {pair.name}")
                assert rows(prog, "tcx/egress", pair.name) == []
    tc.cleanup(pair.name)


def test_cgroups_and_those_above(cgroup, counting):
    below = cgroup / "below"
    below.mkdir()
    try:
        prog, _ = counting(P.CGROUP_SOCK_ADDR, A.CGROUP_INET4_CONNECT, returns=1)
        with prog.attach(cgroup) as link:
            assert link.details["cgroup"] == str(cgroup)
            assert rows(prog, "cgroup/connect4", cgroup) == [(link.id, f"cgroup/connect4 of cgroup {cgroup}")]
            assert rows(prog, "cgroup/connect4", below) == []
            assert len(rows(prog, "cgroup/connect4", below, effective=True)) == 1
        assert gone(prog, "cgroup/connect4", cgroup)
        with prog.attach(cgroup, mode="multi"):
            assert rows(prog, "cgroup/connect4", cgroup) == [(0, f"cgroup/connect4 of cgroup {cgroup}")]
    finally:
        below.rmdir()


def test_socket_maps(counting):
    prog, _ = counting(P.SK_MSG, A.SK_MSG_VERDICT, returns=1)
    with create(SockMap(max_entries=2), "socks") as live, prog.attach(live) as link:
        try:
            found = rows(prog, "sk_msg", live)
        except SyscallError:
            pytest.skip("this kernel does not tell the programs of socket maps")
        assert [where for _, where in found] == ["sk_msg of socket map socks"]
        if features.have_link_type(L.SOCKMAP):
            assert link.details["map"] == "socks"


def test_a_link_of_an_interface_that_is_gone(pair, counting):
    need(features.have_link_type, L.XDP)
    prog, _ = counting(P.XDP, A.XDP, returns=2)
    with prog.attach(pair.name, mode="generic") as link:
        pair.remove()
        assert link.details["target"] == "xdp an interface that is gone, or detached"


@pytest.mark.parametrize(
    ("hook", "error", "message"),
    [
        ("socket", NotSupportedError, "what is attached at socket .*no list"),
        ("cgroup/skb", SpecError, "cgroup_skb/ingress or cgroup_skb/egress"),
        ("cgroup/connect4", SpecError, "give the path of a cgroup"),
        ("xdp", SpecError, "give an interface"),
        ("sk_skb/verdict", SpecError, "give a live socket map"),
        ("xdpp", SpecError, "did you mean 'xdp'"),
    ],
)
def test_what_cannot_be_asked(hook, error, message):
    with pytest.raises(error, match=message):
        attached(hook)
    with pytest.raises(SyscallError, match="interface 'nosuch0'"):
        attached("tc", "nosuch0")


def test_as_bpftool_tells_it(counting):
    """Every link of this process is in bpftool's list, under the same id, type and program."""
    bpftool = shutil.which("bpftool")
    if bpftool is None:
        pytest.skip("no bpftool")
    import json

    raw, _ = counting(P.RAW_TRACEPOINT)
    lookup, _ = counting(P.SK_LOOKUP, A.SK_LOOKUP, returns=1)
    with raw.attach("sched_process_exec") as one, lookup.attach() as two:
        done = subprocess.run([bpftool, "-j", "link"], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"bpftool does not list links here: {done.stderr or done.stdout}")
        theirs = {row["id"]: row for row in json.loads(done.stdout)}
        assert theirs[one.id]["tp_name"] == one.details["tracepoint"]
        assert theirs[two.id]["netns_ino"] == two.details["netns_ino"]
        ours = {}
        for link in links():
            with link:
                ours[link.id] = link.details
        assert ours[one.id]["prog_id"] == theirs[one.id]["prog_id"] == raw.id


def test_probes_are_found_by_any_name_of_their_file(counting, tmp_path):
    need(features.have_attach_type, A.TRACE_UPROBE_MULTI)
    (tmp_path / "linked.so").symlink_to(find_file("libc.so.6"))
    target = f"{tmp_path}/linked.so:getpgid"
    many, _ = counting(P.KPROBE, A.TRACE_UPROBE_MULTI)
    one, _ = counting(P.KPROBE)
    with many.attach(target) as all_, one.attach(target) as single:
        for name in (target, "libc.so.6:getpgid"):
            assert [id_ for id_, _ in rows(many, f"uprobe.multi/{name}")] == [all_.id]
            assert [id_ for id_, _ in rows(one, f"uprobe/{name}")] == [single.id]


def test_events_without_a_link(counting):
    """As old kernels and old tools attach: by ioctl to an event that is held open."""
    from pybpf.links.perf import open_event
    from pybpf.links.tracepoint import event_id
    from pybpf.syscall.fd import Fd
    from pybpf.syscall.perf import ENABLE, SET_BPF, perf_ioctl

    prog, _ = counting(P.TRACEPOINT)
    with Fd(open_event(2, event_id("sched/sched_process_exec"))) as event:
        perf_ioctl(event.fileno(), SET_BPF, prog.fileno())
        perf_ioctl(event.fileno(), ENABLE)
        assert rows(prog, "tp/sched/sched_process_exec") == [(0, "tracepoint sched_process_exec")]
    assert gone(prog, "tp/sched/sched_process_exec")
