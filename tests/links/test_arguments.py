"""What tracing programs are given: arguments and results of functions of the kernel and of libraries, in every kind of probe."""

from __future__ import annotations

import ctypes
import os
import socket
import time
from pathlib import Path

import pytest

from pybpf import (
    Array,
    SpecError,
    StructOps,
    SyscallError,
    features,
    fentry,
    fexit,
    kfunc,
    kprobe,
    kretprobe,
    kretsyscall,
    ksyscall,
    load,
    load_collection,
    lsm,
    raw_tracepoint,
    s32,
    struct_ops,
    tp_btf,
    tracepoint,
    u32,
    u64,
    uprobe,
    uretprobe,
)
from pybpf import helpers as bpf
from pybpf.links.struct_ops import attach_map
from pybpf.uapi import AttachType as A
from pybpf.uapi import ProgType as P

pytestmark = pytest.mark.kernel

seen = Array(u64, max_entries=4)
ME = os.getpid()


def need(attach_type):
    if not features.have_attach_type(attach_type):
        pytest.skip(f"this kernel has no {attach_type.name}")


def kprobes():
    if not os.path.exists("/sys/bus/event_source/devices/kprobe/type"):
        pytest.skip("this kernel has no kprobes")


def observed(spec, act, **options):
    """What the program stored while something was done."""
    with load(spec) as prog, prog.attach(**options):
        act()
        return [prog[seen][i] for i in range(4)]


def mine():
    """Only this process, so that others do not disturb."""
    return bpf.get_current_pid_tgid() >> 32 == ME


LIBC = ctypes.CDLL("libc.so.6")


def test_arguments_and_result_of_a_library_function():
    @uprobe("libc.so.6:getpgid")
    def entered(ctx, pid: s32):
        if mine():
            seen[0] = u64(pid)
            seen[1] += 1

    @uretprobe("libc.so.6:getpgid")
    def returned(ctx):
        if mine():
            seen[2] = ctx.retval

    if not os.path.exists("/sys/bus/event_source/devices/uprobe/type"):
        pytest.skip("this kernel has no uprobe events")
    assert observed(entered, lambda: LIBC.getpgid(ME))[:2] == [ME, 1]
    assert observed(returned, lambda: LIBC.getpgid(ME))[2] == os.getpgid(0)


def test_arguments_and_result_of_a_system_call():
    kprobes()

    @ksyscall("getpgid")
    def entered(ctx, pid: s32):
        if mine():
            seen[0] = u64(pid)

    @kretsyscall("getpgid")
    def returned(ctx):
        if mine():
            seen[1] = ctx.retval

    assert observed(entered, lambda: os.getpgid(ME))[0] == ME
    assert observed(returned, lambda: os.getpgid(ME))[1] == os.getpgid(0)


def test_arguments_and_result_of_a_kernel_function(tmp_path):
    kprobes()

    @kprobe("security_inode_mkdir")
    def entered(ctx, dir, dentry, mode: u32):
        if mine():
            seen[0] = mode & 0o7777
            seen[1] = dir.i_ino

    @kretprobe("security_inode_mkdir")
    def returned(ctx):
        if mine():
            seen[2] = u64(ctx.retval + 5)

    def act():
        os.mkdir(tmp_path / "made", 0o701)
        os.rmdir(tmp_path / "made")

    assert observed(entered, act)[:2] == [0o701, os.stat(tmp_path).st_ino]
    assert observed(returned, act)[2] == 5


def test_typed_arguments_of_trampolines(tmp_path):
    need(A.TRACE_FENTRY)

    @fentry("security_inode_mkdir")
    def entered(ctx):
        if mine():
            seen[0] = ctx.mode & 0o7777
            seen[1] = ctx.dir.i_ino

    @fexit("security_inode_mkdir")
    def left(ctx):
        if mine():
            seen[2] = u64(ctx.retval + 5)
            seen[3] = ctx.dir.i_ino

    def act():
        os.mkdir(tmp_path / "made", 0o701)
        os.rmdir(tmp_path / "made")

    inode = os.stat(tmp_path).st_ino
    assert observed(entered, act)[:2] == [0o701, inode]
    assert observed(left, act)[2:] == [5, inode]


def test_a_security_hook_decides_by_its_arguments(tmp_path):
    need(A.LSM_MAC)
    active = Path("/sys/kernel/security/lsm")
    if not active.exists() or "bpf" not in active.read_text().split(","):
        pytest.skip("bpf is not among the active security modules")

    @lsm("inode_mkdir")
    def judge(ctx):
        if mine() and (ctx.mode & 0o007) != 0:
            return -13
        return 0

    with load(judge) as prog, prog.attach():
        os.mkdir(tmp_path / "private", 0o750)
        with pytest.raises(PermissionError):
            os.mkdir(tmp_path / "public", 0o755)


def fork():
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def test_arguments_of_tracepoints():
    child = Array(u32, max_entries=1)

    @tracepoint("sched/sched_process_fork")
    def by_format(ctx):
        if mine():
            child[0] = u32(ctx.child_pid)

    @raw_tracepoint("sched_process_fork")
    def raw(ctx, parent, forked):
        if mine():
            child[0] = u32(forked.pid)

    @tp_btf("sched_process_fork")
    def typed(ctx):
        if mine():
            child[0] = u32(ctx.child.pid)

    for spec in (by_format, raw, typed):
        if spec is typed and not features.have_attach_type(A.TRACE_RAW_TP):
            continue
        if spec is raw and not features.have_btf():
            continue
        with load(spec) as prog, prog.attach():
            pid = fork()
            assert prog[child][0] == pid, spec


# -- structures of programs ----------------------------------------------------------------------------------------


def test_a_scheduler_of_our_own():
    """sched_ext: every task of the machine is queued by the program, and things still run."""
    if not os.path.exists("/sys/kernel/sched_ext/state"):
        pytest.skip("this kernel has no sched_ext")
    insert = kfunc("scx_bpf_dsq_insert")
    queued = Array(u64, max_entries=1)

    @struct_ops("sched_ext_ops/enqueue")
    def enqueue(ctx, task, flags):
        queued[0] += 1
        insert(task, 0x8000000000000001, 20_000_000, flags)  # SCX_DSQ_GLOBAL
        return 0

    declared = StructOps("sched_ext_ops", {"enqueue": enqueue, "name": b"pybpf_fifo"}, name="scheduler")
    state = Path("/sys/kernel/sched_ext/state")
    with load_collection(declared) as objs:
        with attach_map(objs[declared]):
            assert state.read_text().strip() == "enabled"
            assert Path("/sys/kernel/sched_ext/root/ops").read_text().strip().startswith("pybpf_fifo")
            end = time.monotonic() + 1
            while time.monotonic() < end:
                fork()
            assert objs[queued][0] > 10
        assert state.read_text().strip() in ("disabled", "disabling")


def test_a_congestion_control_sees_its_connection():
    if not features.have_program_type(P.STRUCT_OPS):
        pytest.skip("this kernel has no struct_ops")
    calls = Array(u64, max_entries=2)

    @struct_ops("tcp_congestion_ops/init")
    def init(ctx, sk):
        calls[0] += 1
        return 0

    @struct_ops("tcp_congestion_ops/ssthresh")
    def ssthresh(ctx, sk):
        return 2

    @struct_ops("tcp_congestion_ops/cong_avoid")
    def cong_avoid(ctx, sk, ack, acked):
        calls[1] += u32(acked)
        return 0

    @struct_ops("tcp_congestion_ops/undo_cwnd")
    def undo_cwnd(ctx, sk):
        return 2

    functions = {"init": init, "ssthresh": ssthresh, "cong_avoid": cong_avoid, "undo_cwnd": undo_cwnd}
    declared = StructOps("tcp_congestion_ops", {**functions, "name": b"pybpf_seen"}, name="control")
    try:
        objs = load_collection(declared)
    except (SyscallError, SpecError) as why:
        pytest.skip(f"no congestion control by programs: {why}")
    with objs, attach_map(objs[declared]), socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"pybpf_seen")
        client.connect(server.getsockname())
        accepted, _ = server.accept()
        with accepted:
            client.sendall(b"x" * 200_000)
            got = 0
            while got < 200_000:
                got += len(accepted.recv(1 << 16))
        assert objs[calls][0] == 1
        assert objs[calls][1] > 0
