"""Hooks on functions of the kernel: kprobes, trampolines, security, replacement, struct_ops.  Kernels that lack one skip it."""

from __future__ import annotations

import ctypes
import os
import socket
from pathlib import Path

import pytest

from pybpf import NotSupportedError, SpecError, SyscallError, asm, features, load
from pybpf.btf import BtfBuilder
from pybpf.links.tracing import attach_multi
from pybpf.live import enable_stats
from pybpf.spec import ProgramSpec
from pybpf.uapi import AttachType as A
from pybpf.uapi import LinkType
from pybpf.uapi import ProgType as P

pytestmark = pytest.mark.kernel
X86 = os.uname().machine == "x86_64"


def need(attach_type):
    if not features.have_attach_type(attach_type):
        pytest.skip(f"this kernel has no {attach_type.name}")


def kprobes():
    if not os.path.exists("/sys/bus/event_source/devices/kprobe/type"):
        pytest.skip("this kernel has no kprobes")


def make_directory(tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made").rmdir()


# -- kprobes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["kprobe", "kretprobe"])
def test_kprobe(counting, tmp_path, kind):
    kprobes()
    prog, hits = counting(P.KPROBE)
    with prog.attach("security_inode_mkdir", kind=kind):
        make_directory(tmp_path)
        assert hits() >= 1
    seen = hits()
    make_directory(tmp_path)
    assert hits() == seen


@pytest.mark.parametrize("kind", ["ksyscall", "kretsyscall"])
def test_ksyscall(counting, kind):
    kprobes()
    prog, hits = counting(P.KPROBE)
    with prog.attach("getpgid", kind=kind):
        os.getpgid(0)
        assert hits() >= 1


def test_kprobe_cookie(counting):
    kprobes()
    prog, _ = counting(P.KPROBE)
    if features.have_link_type(LinkType.PERF_EVENT):
        prog.attach("security_inode_mkdir", cookie=5).close()
    else:
        with pytest.raises(NotSupportedError, match=r"without it no cookie"):
            prog.attach("security_inode_mkdir", cookie=5)


def test_kprobe_errors(counting):
    kprobes()
    prog, _ = counting(P.KPROBE)
    with pytest.raises(
        SyscallError, match=r"(?s)no function 'security_inode_mkdirr'; did you mean .*security_inode_mkdir"
    ):
        prog.attach("security_inode_mkdirr")
    with pytest.raises(SpecError, match=r"function\+offset"):
        prog.attach("do_exit+here")


def test_kprobe_multi(counting, tmp_path):
    need(A.TRACE_KPROBE_MULTI)
    prog, hits = counting(P.KPROBE, A.TRACE_KPROBE_MULTI)
    with prog.attach("security_inode_mkd*") as link:
        make_directory(tmp_path)
        assert hits() >= 1
        assert link.info.type == LinkType.KPROBE_MULTI
    with prog.attach(["security_inode_mkdir", "security_inode_rmdir"], kind="kretprobe_multi", cookies=[1, 2]):
        before = hits()
        make_directory(tmp_path)
        assert hits() - before >= 2
    with pytest.raises(SpecError, match="matches"):
        prog.attach("no_such_function_*")
    with pytest.raises(SpecError, match="one for each"):
        prog.attach(["do_exit"], cookies=[1, 2])


def test_kprobe_session(counting, tmp_path):
    need(A.TRACE_KPROBE_SESSION)
    prog, hits = counting(P.KPROBE, A.TRACE_KPROBE_SESSION)
    with prog.attach("security_inode_mkdir"):
        make_directory(tmp_path)
        assert hits() >= 2  # entry and return


# -- trampolines --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", [A.TRACE_FENTRY, A.TRACE_FEXIT])
def test_fentry_and_fexit(counting, tmp_path, hook):
    need(hook)
    prog, hits = counting(P.TRACING, hook, attach_to="security_inode_mkdir")
    with prog.attach() as link:
        make_directory(tmp_path)
        assert hits() >= 1
        assert link.info.type == LinkType.TRACING
    seen = hits()
    make_directory(tmp_path)
    assert hits() == seen


def test_fentry_cookie(counting, tmp_path):
    need(A.TRACE_FENTRY)
    prog, hits = counting(P.TRACING, A.TRACE_FENTRY, attach_to="security_inode_mkdir")
    try:
        link = prog.attach(cookie=9)
    except SyscallError as why:
        pytest.skip(f"this kernel has no cookies of fentry: {why.strerror}")
    with link:
        make_directory(tmp_path)
        assert hits() >= 1


def test_fmod_ret_denies(counting, tmp_path):
    need(A.MODIFY_RETURN)
    prog, hits = counting(P.TRACING, A.MODIFY_RETURN, returns=-1, attach_to="security_path_chroot")
    with prog.attach():
        assert ctypes.CDLL(None, use_errno=True).chroot(b"/") == -1
        assert hits() >= 1
    assert ctypes.CDLL(None).chroot(b"/") == 0


def test_fsession(counting, tmp_path):
    need(A.TRACE_FSESSION)
    spec = ProgramSpec(
        asm.assemble("r0 = 0\nexit"),
        P.TRACING,
        name="session",
        expected_attach_type=A.TRACE_FSESSION,
        attach_to="security_inode_mkdir",
    )
    try:
        prog = load(spec)
    except SyscallError as why:
        pytest.skip(f"no target for sessions: {why}")
    with prog, prog.attach():
        make_directory(tmp_path)


def test_many_functions_by_one_link(tmp_path):
    need(A.TRACE_FENTRY_MULTI)
    spec = ProgramSpec(asm.assemble("r0 = 0\nexit"), P.TRACING, name="many", expected_attach_type=A.TRACE_FENTRY_MULTI)
    with (
        load(spec) as prog,
        enable_stats(),
        attach_multi(prog, ["security_inode_mkdir", "security_inode_rmdir"]) as link,
    ):
        make_directory(tmp_path)
        assert prog.info.run_cnt >= 2
        assert link.info.type == LinkType.TRACING_MULTI


# -- security -----------------------------------------------------------------------------------------------------


def lsm_active():
    need(A.LSM_MAC)
    active = Path("/sys/kernel/security/lsm")
    if not active.exists() or "bpf" not in active.read_text().split(","):
        pytest.skip("bpf is not among the active security modules")


def test_lsm_denies(counting, tmp_path):
    lsm_active()
    prog, hits = counting(P.LSM, A.LSM_MAC, returns=-1, attach_to="inode_mkdir")
    with prog.attach():
        with pytest.raises(PermissionError):
            make_directory(tmp_path)
        assert hits() >= 1
    make_directory(tmp_path)


def test_lsm_counts(counting, tmp_path):
    lsm_active()
    prog, hits = counting(P.LSM, A.LSM_MAC, attach_to="inode_mkdir")
    with prog.attach():
        make_directory(tmp_path)
        assert hits() >= 1


def test_lsm_of_a_cgroup(counting, cgroup):
    lsm_active()
    need(A.LSM_CGROUP)
    prog, hits = counting(P.LSM, A.LSM_CGROUP, returns=0, attach_to="socket_bind")
    with prog.attach(cgroup) as link, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        with pytest.raises(PermissionError):
            sock.bind(("127.0.0.1", 0))
        assert hits() >= 1
        assert link.info.type == LinkType.CGROUP


# -- replacement --------------------------------------------------------------------------------------------------


def one_function(name, value, prog_type, **fields):
    """A program whose function `name(void *)` gives `value`, with the BTF by which it can be replaced."""
    builder = BtfBuilder()
    integer = builder.add_int("int", 4, signed=True)
    context = builder.add_ptr(builder.add_struct("__sk_buff", 4, [("len", integer, 0)]))
    func = builder.add_func(name, builder.add_func_proto(integer, [("ctx", context)]))
    return ProgramSpec(
        asm.assemble(f"r0 = {value}\nexit"),
        prog_type,
        name=name,
        btf=builder.to_bytes(),
        func_info=[(0, func)],
        **fields,
    )


def test_freplace():
    """A loaded program's function is replaced, and is itself again afterwards."""
    if not features.have_program_type(P.EXT):
        pytest.skip("this kernel has no freplace")
    with load(one_function("judge", 1, P.SOCKET_FILTER)) as prog:
        assert prog.test_run(bytes(64)).retval == 1
        with load(one_function("judge", 2, P.EXT, attach_to=(prog, "judge"))) as other:
            with other.attach() as link:
                assert prog.test_run(bytes(64)).retval == 2
                assert link.info.type == LinkType.TRACING
            assert prog.test_run(bytes(64)).retval == 1


# -- struct_ops ---------------------------------------------------------------------------------------------------


def test_struct_ops_needs_its_map(counting):
    if not features.have_program_type(P.STRUCT_OPS):
        pytest.skip("this kernel has no struct_ops")
    from pybpf.links.struct_ops import attach

    with pytest.raises(SpecError, match="attach the struct_ops map"):
        attach(None, "tcp_congestion_ops")
