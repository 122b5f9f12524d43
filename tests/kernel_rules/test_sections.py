"""Section names, both ways."""

from __future__ import annotations

import pytest

from pybpf.errors import SpecError
from pybpf.kernel import find_section, section_name
from pybpf.kernel.sections import sections
from pybpf.uapi import AttachType, ProgFlags, ProgType


@pytest.mark.parametrize(
    ("text", "prog_type", "attach_type", "target"),
    [
        ("xdp", ProgType.XDP, AttachType.XDP, ""),
        ("tp/syscalls/sys_enter_execve", ProgType.TRACEPOINT, None, "syscalls/sys_enter_execve"),
        ("uprobe/libc.so.6:malloc", ProgType.KPROBE, None, "libc.so.6:malloc"),
        ("uprobe//usr/lib/libc.so.6:malloc+4", ProgType.KPROBE, None, "/usr/lib/libc.so.6:malloc+4"),
        ("cgroup/connect4", ProgType.CGROUP_SOCK_ADDR, AttachType.CGROUP_INET4_CONNECT, ""),
        ("cgroup_skb/ingress", ProgType.CGROUP_SKB, AttachType.CGROUP_INET_INGRESS, ""),
        ("kprobe.multi/tcp_*", ProgType.KPROBE, AttachType.TRACE_KPROBE_MULTI, "tcp_*"),
        ("fentry.s/do_unlinkat", ProgType.TRACING, AttachType.TRACE_FENTRY, "do_unlinkat"),
        ("struct_ops/ssthresh", ProgType.STRUCT_OPS, AttachType.STRUCT_OPS, "ssthresh"),
        ("iter/bpf_map_elem", ProgType.TRACING, AttachType.TRACE_ITER, "bpf_map_elem"),
        ("socket", ProgType.SOCKET_FILTER, None, ""),
    ],
)
def test_names_as_libbpf_documents_them(text, prog_type, attach_type, target):
    found = find_section(text)
    assert (found.prog_type, found.attach_type, found.target) == (prog_type, attach_type, target)
    assert str(found) == text


def test_flags_and_the_mark_against_loading():
    assert find_section("?xdp.frags/devmap").flags == ProgFlags.XDP_HAS_FRAGS
    assert not find_section("?xdp").autoload
    assert find_section("lsm.s/file_open").sleepable


@pytest.mark.parametrize("section", list(sections()), ids=str)
def test_the_name_of_what_a_name_means_means_the_same(section):
    target = "x" if section.target_form else ""
    name = section_name(section.prog_type, section.attach_type, target, flags=section.flags)
    again = find_section(name)
    assert (again.prog_type, again.attach_type, again.flags, again.target) == (
        section.prog_type,
        section.attach_type,
        section.flags,
        target,
    )


def test_number_zero_is_an_attach_type():
    assert section_name(ProgType.CGROUP_SKB, AttachType.CGROUP_INET_INGRESS) == "cgroup_skb/ingress"
    assert section_name(ProgType.CGROUP_SKB) == "cgroup/skb"
    assert section_name(ProgType.SOCKET_FILTER, 0) == "socket"


@pytest.mark.parametrize(("wrong", "hint"), [("xpd", "xdp"), ("kprob/f", ""), ("", ""), ("xdp/eth0", "")])
def test_unknown_names_are_refused(wrong, hint):
    with pytest.raises(SpecError, match=f"did you mean '{hint}'" if hint else "not the section name"):
        find_section(wrong)
    with pytest.raises(SpecError, match="no section name"):
        section_name(999)
