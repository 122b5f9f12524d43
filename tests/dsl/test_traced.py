"""Arguments of what is traced: the code as it was reviewed, over types that stay the same, what it does in the machine, and the
kernel's consent where the host has the hook.  (Offsets in the kernel's own structures differ from kernel to kernel.)

After a change that is meant: PYBPF_GOLDEN=write pytest tests/dsl/test_traced.py
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pybpf import (
    VM,
    Array,
    bpf_iter,
    char,
    fentry,
    fexit,
    fmod_ret,
    kprobe,
    kretprobe,
    load,
    lsm,
    raw_tracepoint,
    tp_btf,
    u8,
    u32,
    u64,
    uprobe,
    usdt,
    verify,
)
from pybpf.btf import Btf
from pybpf.btf.builder import BtfBuilder
from pybpf.dsl.objects.usdt import SPECS, Operand, Spec
from pybpf.verifier import Env

from .test_constructs import listing

pytestmark = pytest.mark.skipif(os.uname().machine != "x86_64", reason="registers of x86_64 are in the reviewed code")
GOLDEN = Path(__file__).resolve().parent / "golden" / "traced.txt"
seen = Array(u64, max_entries=4)


def types() -> Btf:
    """A kernel with a struct task_struct of 64 bytes, and what the programs below are attached to."""
    made = BtfBuilder()
    number, long, bits = made.add_int("int", 4, True), made.add_int("long", 8, True), made.add_int("unsigned int", 4)
    truth, letter = made.add_int("bool", 1, is_bool=True), made.add_int("char", 1, True, is_char=True)
    kuid = made.add_struct("kuid_t", 4, [("val", bits, 0)])
    cred = made.add_struct("cred", 8, [("usage", bits, 0), ("uid", kuid, 32)])
    text = made.add_array(letter, 16)
    own = len(made) + 3  # the structure, behind the pointers to it and to its credentials
    pointer, of_cred = made.add_ptr(own), made.add_ptr(cred)
    task = made.add_struct(
        "task_struct", 64,
        [("pid", number, 0), ("tgid", number, 32), ("real_parent", pointer, 64), ("comm", text, 128),
         ("cred", of_cred, 256), ("sched_reset_on_fork", bits, 320, 1), ("sched_migrated", bits, 321, 3)],
    )  # fmt: skip
    assert task == own
    meta = made.add_ptr(made.add_struct("bpf_iter_meta", 16, [("seq", pointer, 0), ("seq_num", long, 64)]))
    for prefix in ("btf_trace_", "__bpf_trace_"):
        proto = made.add_func_proto(
            0, [("", long), ("preempt", truth), ("prev", pointer), ("next", pointer), ("state", bits)]
        )
        if prefix == "btf_trace_":
            made.add_typedef(f"{prefix}sched_switch", made.add_ptr(proto))
        else:
            made.add_func(f"{prefix}sched_switch", proto)
    made.add_func("wake_up_new_task", made.add_func_proto(0, [("p", pointer)]))
    made.add_func("do_exit_code", made.add_func_proto(number, [("p", pointer), ("code", long)]))
    made.add_func("bpf_lsm_task_setnice", made.add_func_proto(number, [("p", pointer), ("nice", number)]))
    made.add_func("bpf_iter_task", made.add_func_proto(number, [("meta", meta), ("task", pointer)]))
    return Btf(made.to_bytes())


def programs():
    """All of them, made anew for the types that are known now."""

    @tp_btf("sched_switch")
    def fields_of_arguments(ctx, preempt, prev, next):
        if preempt and next.pid != 0:
            seen[0] += u64(next.tgid & 0xFF)
        return 0

    @tp_btf("sched_switch")
    def chained_fields(ctx):
        seen[0] = u32(ctx.next.real_parent.cred.uid.val)
        return 0

    @tp_btf("sched_switch")
    def bit_fields_and_arrays(ctx, preempt, prev, next):
        comm = char[16]()
        comm = prev.comm
        seen[0] = u64(prev.sched_reset_on_fork) * 100 + comm[1]
        return 0

    @raw_tracepoint("sched_switch")
    def read_by_a_helper(ctx, preempt, prev, next):
        seen[0] = u64(next.real_parent.tgid & 0xFF)
        return 0

    @fentry("wake_up_new_task")
    def entry(ctx, p):
        seen[0] = u32(p.pid)
        return 0

    @fexit("do_exit_code")
    def leaving(ctx, p, code, ret):
        if ret < 0:
            seen[0] = u64(code) + u32(p.pid)
        return 0

    @fmod_ret("do_exit_code")
    def instead(ctx, p, code):
        return -1 if code == 7 else 0

    @lsm("task_setnice")
    def hook(ctx, p, nice, ret):
        if ret != 0:
            return ret
        return -1 if nice < 0 and p.cred.uid.val != 0 else 0

    @bpf_iter("task")
    def iterator(ctx):
        task = ctx.task
        if task is not None:
            seen[0] = u32(task.pid)
        return 0

    @kprobe("do_exit_code")
    def probe(ctx, p, code):
        seen[0] = u32(p.pid) + u64(code)
        return 0

    @kretprobe("do_exit_code")
    def probe_of_a_return(ctx):
        if ctx.ret < 0:
            seen[0] += 1
        return 0

    @uprobe
    def probe_of_a_process(ctx, first):
        seen[0] = first + ctx.args[1]
        return 0

    @usdt("/usr/bin/true:provider:probe")
    def operands(ctx, first, second: u8):
        seen[0] = first + second
        return 0

    return [found for found in locals().values() if type(found).__name__ == "Function"]


TASK = (7).to_bytes(4, "little") + (9).to_bytes(4, "little")


@pytest.fixture
def fixed(monkeypatch):
    btf = types()
    monkeypatch.setattr(Btf, "_kernel", btf)
    return btf


def test_code_is_as_reviewed(fixed):
    made = "\n".join(listing(spec) for spec in programs())
    if os.environ.get("PYBPF_GOLDEN") == "write":
        GOLDEN.write_text(made)
    assert made == GOLDEN.read_text()


def given(vm):
    """Arguments of each program: a task, 7 of the process 9, with the comm "ab", that is its own parent, of user 1000."""
    memory = bytearray(64)
    task = vm.kernel_memory(memory)
    cred = vm.kernel_memory(bytes(4) + (1000).to_bytes(4, "little"))
    memory[:8] = (7).to_bytes(4, "little") + (9).to_bytes(4, "little")
    memory[8:16] = task.to_bytes(8, "little")
    memory[16:18] = b"ab"
    memory[32:40] = cred.to_bytes(8, "little")
    memory[40] = 1
    switch = [1, task, task]
    return {
        "fields_of_arguments": switch, "chained_fields": switch, "bit_fields_and_arrays": switch, "read_by_a_helper": switch,
        "entry": [task], "leaving": [task, 5, (1 << 64) - 1], "instead": [task, 7], "hook": [task, (1 << 64) - 3, 0],
        "iterator": [0, task], "probe": {"args": [task, 5]}, "probe_of_a_return": {"ax": (1 << 64) - 3},
        "probe_of_a_process": {"args": [30, 12]}, "operands": {"args": [30, 12]},
    }  # fmt: skip


# program -> what it returns, and what it leaves in the map
RUNS = {
    "fields_of_arguments": (0, 9), "chained_fields": (0, 1000), "bit_fields_and_arrays": (0, 100 + ord("b")),
    "read_by_a_helper": (0, 9), "entry": (0, 7), "leaving": (0, 12), "instead": (-1, None), "hook": (-1, None),
    "iterator": (0, 7), "probe": (0, 12), "probe_of_a_return": (0, 1), "probe_of_a_process": (0, 42), "operands": (0, 30 + 12),
}  # fmt: skip


@pytest.mark.parametrize("isa", [1, 2, 3, 4])
@pytest.mark.parametrize("name", RUNS)
def test_the_machine_does_what_is_written(name, isa, fixed):
    spec = next(spec for spec in programs() if spec.name == name).replace(isa=isa)
    report = verify(spec, env=Env(btf=fixed))
    assert report.ok, report
    vm = VM(spec, btf=fixed)
    if name == "operands":
        site = Spec(cookie=0, count=2)
        for i, register in enumerate((112, 104)):  # rdi, rsi
            site.operands[i] = Operand(how=1, register=register)
        vm[SPECS][0] = site
    returned, left = RUNS[name]
    assert vm.run(ctx=given(vm)[name]).retval == returned & 0xFFFFFFFF
    assert left is None or vm[seen][0] == left


HERE = frozenset(
    ("fields_of_arguments", "chained_fields", "read_by_a_helper", "iterator", "probe_of_a_process", "operands")
)


@pytest.mark.kernel
@pytest.mark.parametrize("isa", [1, 3, 4])
def test_the_kernel_takes_those_whose_hooks_it_has(isa):
    taken = [spec for spec in programs() if spec.name in HERE]
    assert len(taken) == len(HERE)
    for spec in taken:
        with load(spec.replace(isa=isa)) as prog:
            assert prog.info.xlated_prog_len > 0
