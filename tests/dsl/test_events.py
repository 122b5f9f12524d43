"""Fields of trace events: from tracefs, and from the table where there is none."""

from __future__ import annotations

import os

import pytest

from pybpf import CompileError, helpers, tracepoint, u32
from pybpf.kernel import trace_events
from pybpf.kernel.trace_events import common_event

FORMAT = """name: sched_process_exec
ID: 283
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:__data_loc char[] filename;	offset:8;	size:4;	signed:0;
	field:pid_t pid;	offset:12;	size:4;	signed:1;
	field:char comm[16];	offset:16;	size:16;	signed:0;

print fmt: "filename=%s pid=%d", __get_str(filename), REC->pid
"""


def test_format():
    fields = trace_events.parse_format(FORMAT)
    assert {name: (repr(t), off, how) for name, (t, off, how) in fields.items() if off >= 8} == {
        "filename": ("u32", 8, "dynamic"),
        "pid": ("s32", 12, "plain"),
        "comm": ("char[16]", 16, "plain"),
    }


def test_table():
    fields = common_event("syscalls/sys_enter_execve")
    assert {n: f[1] for n, f in fields.items()} == {"__syscall_nr": 8, "filename": 16, "argv": 24, "envp": 32}
    assert common_event("sched/sched_switch")["next_pid"][1] == 56
    assert common_event("syscalls/sys_exit_read")["ret"][1] == 16
    assert common_event("no/such") is None


@pytest.mark.parametrize("target", ["syscalls/sys_enter_openat", "sched/sched_switch", "syscalls/sys_exit_read"])
def test_table_and_tracefs_agree(target):
    path = f"/sys/kernel/tracing/events/{target}/format"
    if not os.access(path, os.R_OK):
        pytest.skip("no tracefs is mounted")
    with open(path) as file:
        live = {n: f[1] for n, f in trace_events.parse_format(file.read()).items() if f[1] >= 8}
    assert live == {n: f[1] for n, f in common_event(target).items()}


def test_compiles_without_tracefs(monkeypatch):
    monkeypatch.setattr("pybpf.syscall.tracefs.PLACES", ())
    monkeypatch.setattr(trace_events, "_formats", {})

    @tracepoint("sched/sched_process_exec")
    def f(ctx):
        return u32(helpers.get_smp_processor_id()) + u32(ctx.pid)

    assert f.insns


def test_unknown_fields_are_named():
    @tracepoint("sched/sched_switch")
    def f(ctx):
        return ctx.nonsense

    with pytest.raises(CompileError, match="has no field 'nonsense'; it has prev_comm, prev_pid"):
        _ = f.insns
