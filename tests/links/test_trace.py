"""Tracing hooks, with events that really happen: tracepoints, perf events, probes of user space, iterators."""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from pybpf import ElfError, NotSupportedError, SpecError, SyscallError, features
from pybpf.links import elf, perf
from pybpf.uapi import AttachType as A
from pybpf.uapi import LinkType
from pybpf.uapi import ProgType as P

pytestmark = pytest.mark.kernel


def children():
    """Start a process that ends, which many hooks notice."""
    subprocess.run(["true"], check=True)


def have_pmu(name):
    return os.path.exists(f"/sys/bus/event_source/devices/{name}/type")


def probing(name):
    if not have_pmu(name):
        pytest.skip(f"this kernel has no {name} events")


# -- tracepoints --------------------------------------------------------------------------------------------------


def test_tracepoint(counting):
    prog, hits = counting(P.TRACEPOINT)
    with prog.attach("sched/sched_process_fork"):
        before = hits()
        children()
        assert hits() > before
    seen = hits()
    children()
    assert hits() == seen


def test_tracepoint_link(counting):
    if not features.have_link_type(LinkType.PERF_EVENT):
        pytest.skip("this kernel has no perf event links")
    prog, _ = counting(P.TRACEPOINT)
    with prog.attach("sched:sched_process_fork", cookie=7) as link:
        assert link.info.type == LinkType.PERF_EVENT


def test_raw_tracepoint(counting):
    prog, hits = counting(P.RAW_TRACEPOINT)
    with prog.attach("sched_process_exec") as link:
        children()
        assert hits() >= 1
        assert link.info.type == LinkType.RAW_TRACEPOINT


def test_btf_tracepoint(counting):
    if not features.have_attach_type(A.TRACE_RAW_TP):
        pytest.skip("this kernel has no BTF tracepoints")
    prog, hits = counting(P.TRACING, A.TRACE_RAW_TP, attach_to="sched_process_exec")
    with prog.attach():
        children()
        assert hits() >= 1
    with pytest.raises(SpecError, match=r"load spec\.replace"):
        prog.attach("sched_switch")


def test_tracepoint_errors(counting):
    prog, _ = counting(P.TRACEPOINT)
    with pytest.raises(SyscallError, match=r"(?s)sched/sched_swich.*sched/sched_switch"):
        prog.attach("sched/sched_swich")
    with pytest.raises(SyscallError, match="no category 'scheduler'"):
        prog.attach("scheduler/sched_switch")
    with pytest.raises(SpecError, match="category/name"):
        prog.attach("sched_switch")
    raw, _ = counting(P.RAW_TRACEPOINT)
    with pytest.raises(SyscallError, match="raw tracepoints have no category: 'sched_switch'"):
        raw.attach("sched/sched_switch")
    with pytest.raises(SyscallError, match="no_such_tracepoint"):
        raw.attach("no_such_tracepoint")


def test_nothing_stays_after_kill(killed):
    from pybpf import links

    before = {link.id for link in links()}
    kill = killed("""
        from pybpf import load
        from pybpf.dsl.kinds import raw_tracepoint, tracepoint
        @tracepoint("sched/sched_process_fork")
        def one(ctx):
            return 0
        @raw_tracepoint("sched_process_fork")
        def two(ctx):
            return 0
        progs = [load(one), load(two)]
        attached = [prog.attach() for prog in progs]
    """)
    assert {link.id for link in links()} - before
    kill()
    for _ in range(50):
        if {link.id for link in links()} <= before:
            return
        time.sleep(0.1)
    pytest.fail("links are left")


# -- perf events --------------------------------------------------------------------------------------------------


def test_perf_event_by_frequency(counting):
    prog, hits = counting(P.PERF_EVENT)
    with prog.attach("cpu-clock", frequency=200):
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            pass
        assert hits() >= 5
    seen = hits()
    time.sleep(0.05)
    assert hits() == seen


def test_perf_event_by_period_of_one_process(counting):
    prog, hits = counting(P.PERF_EVENT)
    with prog.attach("page-faults", period=1, pid=os.getpid()):
        # Fresh pages, one by one: memory of the heap may have been touched before, or come as one huge page.
        with mmap.mmap(-1, 1 << 20) as memory:
            memory.madvise(mmap.MADV_NOHUGEPAGE)
            for page in range(0, len(memory), mmap.PAGESIZE):
                memory[page] = 1
        assert hits() >= 100


def test_perf_event_errors(counting):
    prog, _ = counting(P.PERF_EVENT)
    with pytest.raises(SpecError, match="cpu-clock"):
        prog.attach("tea-time")
    with pytest.raises((NotSupportedError, SyscallError)):
        prog.attach((9999, 1))


def test_hardware_event(counting):
    prog, hits = counting(P.PERF_EVENT)
    try:
        link = prog.attach("cycles", period=100_000, pid=os.getpid())
    except NotSupportedError as why:
        pytest.skip(str(why))
    with link:
        sum(range(1_000_000))
        assert hits() >= 1


def test_cpus_are_counted():
    assert len(perf.online_cpus()) == os.cpu_count()


# -- probes of user space -----------------------------------------------------------------------------------------


def call_libc():
    ctypes.CDLL("libc.so.6").getpgid(0)


def test_uprobe_by_library_and_function(counting):
    probing("uprobe")
    prog, hits = counting(P.KPROBE)
    with prog.attach("libc.so.6:getpgid"):
        call_libc()
        assert hits() >= 1
    seen = hits()
    call_libc()
    assert hits() == seen


def test_uretprobe_of_one_process(counting):
    probing("uprobe")
    prog, hits = counting(P.KPROBE)
    with prog.attach("libc.so.6:getpgid", kind="uretprobe", pid=os.getpid()):
        call_libc()
        assert hits() == 1


def test_uprobe_multi(counting):
    if not features.have_attach_type(A.TRACE_UPROBE_MULTI):
        pytest.skip("this kernel has no uprobe_multi")
    prog, hits = counting(P.KPROBE, A.TRACE_UPROBE_MULTI)
    with prog.attach("libc.so.6:getpgi[d]", pid=os.getpid()) as link:
        call_libc()
        assert hits() == 1
        assert link.info.type == LinkType.UPROBE_MULTI


def test_uprobe_errors(counting):
    prog, _ = counting(P.KPROBE)
    with pytest.raises(ElfError, match=r"no function 'getpgidd'; did you mean .*getpgid"):
        prog.attach("libc.so.6:getpgidd")
    with pytest.raises(ElfError, match="no such library or command"):
        prog.attach("libnosuch.so:main")
    with pytest.raises(SpecError, match="file:function"):
        prog.attach("libc.so.6", kind="uprobe")
    with pytest.raises(SpecError, match="'zprobe'"):
        prog.attach("x", kind="zprobe")


def test_functions_are_where_other_tools_see_them():
    nm = shutil.which("nm") or shutil.which("llvm-nm-19")
    if nm is None:
        pytest.skip("no nm")
    path = elf.find_file("libc.so.6")
    listed = subprocess.run([nm, "-D", "--defined-only", path], capture_output=True, text=True).stdout
    address = next(int(line.split()[0], 16) for line in listed.splitlines() if line.split()[-1].startswith("getpgid"))
    image = elf.Image(path)
    assert image.function_offset("getpgid") == image.file_offset(address)


def test_damaged_elf(tmp_path):
    with pytest.raises(ElfError, match="not an ELF file"):
        elf.Image(__file__)
    (tmp_path / "cut").write_bytes(Path(elf.find_file("libc.so.6")).read_bytes()[:100])
    with pytest.raises(ElfError, match="cut short"):
        elf.Image(str(tmp_path / "cut"))


# -- iterators ----------------------------------------------------------------------------------------------------


def test_iterator_over_tasks(counting):
    if not features.have_link_type(LinkType.ITER):
        pytest.skip("this kernel has no iterators")
    prog, hits = counting(P.TRACING, A.TRACE_ITER, attach_to="task")
    with prog.attach() as link:
        assert link.read() == b""
        assert hits() >= len(os.listdir("/proc/self/task"))
        assert list(link) == []
        assert link.info.type == LinkType.ITER
