"""Section names, both ways."""

from __future__ import annotations

import ctypes

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


# "Program Types and ELF Sections" of the kernel's documentation, as of libbpf 1.6; "+" allows a target behind a slash.
DOCUMENTED = """
cgroup/dev cgroup/skb cgroup_skb/egress cgroup_skb/ingress cgroup/getsockopt cgroup/setsockopt cgroup/sysctl
cgroup/bind4 cgroup/bind6 cgroup/connect4 cgroup/connect6 cgroup/connect_unix cgroup/getpeername4 cgroup/getpeername6
cgroup/getpeername_unix cgroup/getsockname4 cgroup/getsockname6 cgroup/getsockname_unix cgroup/recvmsg4 cgroup/recvmsg6
cgroup/recvmsg_unix cgroup/sendmsg4 cgroup/sendmsg6 cgroup/sendmsg_unix cgroup/post_bind4 cgroup/post_bind6
cgroup/sock_create cgroup/sock cgroup/sock_release freplace+ flow_dissector kprobe+ kretprobe+ ksyscall+ kretsyscall+
uprobe+ uprobe.s+ uretprobe+ uretprobe.s+ usdt+ usdt.s+ kprobe.multi+ kretprobe.multi+ kprobe.session+ uprobe.multi+
uprobe.multi.s+ uretprobe.multi+ uretprobe.multi.s+ uprobe.session+ uprobe.session.s+ lirc_mode2 lsm_cgroup+ lsm+ lsm.s+
lwt_in lwt_out lwt_seg6local lwt_xmit netfilter perf_event raw_tracepoint.w+ raw_tp.w+ raw_tracepoint+ raw_tp+ action
classifier tc tc/egress tc/ingress tcx/egress tcx/ingress netkit/primary netkit/peer sk_lookup sk_msg
sk_reuseport/migrate sk_reuseport sk_skb sk_skb/stream_parser sk_skb/stream_verdict sk_skb/verdict socket sockops
struct_ops+ struct_ops.s+ syscall tp+ tracepoint+ tp_btf+ fentry+ fentry.s+ fexit+ fexit.s+ fmod_ret+ fmod_ret.s+ iter+
iter.s+ xdp.frags/cpumap xdp/cpumap xdp.frags/devmap xdp/devmap xdp.frags xdp
"""
NAMES = DOCUMENTED.split()
# What object files carry beyond that list: old names, and hooks of kernels that are newer than it.
BEYOND = {"xdp_devmap", "xdp_cpumap", "fsession", "fsession.s", "fentry.multi", "fexit.multi", "fsession.multi"}


def test_the_documented_names_are_all_there():
    ours = {section.name for section in sections()}
    assert {name.rstrip("+") for name in NAMES} == ours - BEYOND


@pytest.mark.parametrize("name", NAMES)
def test_targets_stand_where_they_are_documented(name):
    assert find_section("?" + name.rstrip("+")).name == name.rstrip("+")
    if name.endswith("+"):
        assert find_section(f"{name[:-1]}/some/thing").target == "some/thing"
    else:
        with pytest.raises(SpecError):
            find_section(f"{name}/some/thing")


def test_as_the_installed_libbpf_reads_them():
    """Every name that this libbpf knows means the same to it; it lists them in the message for one that it does not."""
    try:
        libbpf = ctypes.CDLL("libbpf.so.1")
    except OSError:
        pytest.skip("no libbpf.so.1")
    libc, said = ctypes.CDLL(None), []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
    def keep(level, form, values):
        text = ctypes.create_string_buffer(1 << 16)
        libc.vsnprintf(text, ctypes.c_size_t(len(text)), form, ctypes.c_void_p(values))
        said.append(text.value.decode())
        return 0

    def theirs(name):
        kind, hook = ctypes.c_int(), ctypes.c_int()
        result = libbpf.libbpf_prog_type_by_name(name.encode(), ctypes.byref(kind), ctypes.byref(hook))
        return (kind.value, hook.value) if result == 0 else None

    libbpf.libbpf_set_print(keep)
    try:
        assert theirs("no such section") is None
        names = said[-1].partition("are:")[2].split()
        assert len(names) > 50
        for name in names:
            for text in (name.rstrip("+"), f"{name.rstrip('+')}/x"):
                try:
                    found = find_section(text)
                    # libbpf attaches no function of a structure, and gives it no hook.
                    hook = 0 if found.prog_type == ProgType.STRUCT_OPS else int(found.attach_type or 0)
                    ours = int(found.prog_type), hook
                except SpecError:
                    ours = None
                assert (text, ours) == (text, theirs(text))
    finally:
        libbpf.libbpf_set_print(None)


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
