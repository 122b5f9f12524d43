"""Calls of kernel functions, right and wrong: what is said of them, and that the running kernel says the same."""

from __future__ import annotations

import os

import pytest

from pybpf import ProgramSpec, asm, verify
from pybpf.asm.insn import Insn
from pybpf.uapi.prog import ProgType

SK, CLS, XDP, TP, SYSCALL = (
    ProgType.SOCKET_FILTER,
    ProgType.SCHED_CLS,
    ProgType.XDP,
    ProgType.TRACEPOINT,
    ProgType.SYSCALL,
)
OUT = "r0 = 0; exit"
NEW = "r1 = r10; r1 += -8; r2 = 0; r3 = 10; !bpf_iter_num_new"
NEXT = "r1 = r10; r1 += -8; !bpf_iter_num_next"
END = "r1 = r10; r1 += -8; !bpf_iter_num_destroy"
TASK = "r1 = 1; !bpf_task_from_pid; if r0 == 0 goto out; r6 = r0"
DROP = "r1 = r6; !bpf_task_release"
MASK = "!bpf_cpumask_create; if r0 == 0 goto out; r6 = r0"
UNMASK = "r1 = r6; !bpf_cpumask_release"
DYNPTR = "r6 = r1; r2 = 0; r3 = r10; r3 += -16; !bpf_dynptr_from_skb"
SLICE = "r1 = r10; r1 += -16; r2 = 0; r3 = r10; r3 += -32; r4 = 14; !bpf_dynptr_slice"
SAVE = "r1 = r10; r1 += -8; !bpf_local_irq_save"
RESTORE = "r1 = r10; r1 += -8; !bpf_local_irq_restore"
LOOP = f"{NEW}; next: {NEXT}; if r0 == 0 goto done"
INNER = f"{NEW}; inner: {NEXT}; if r0 == 0 goto over".replace("-8", "-16")
DONE = f"done: {END}; {OUT}"

# (name, program type, text, category or None for a program that is taken)
CASES = [
    ("rcu", CLS, f"!bpf_rcu_read_lock; !bpf_rcu_read_unlock; {OUT}", None),
    ("rcu left locked", CLS, f"!bpf_rcu_read_lock; {OUT}", "lock"),
    ("rcu never locked", CLS, f"!bpf_rcu_read_unlock; {OUT}", "lock"),
    ("rcu locked on one path", CLS, f"call 7; if r0 == 0 goto o; !bpf_rcu_read_lock; o: {OUT}", "lock"),
    ("preempt", CLS, f"!bpf_preempt_disable; !bpf_preempt_enable; {OUT}", None),
    ("preempt nested", CLS, "!bpf_preempt_disable; " * 2 + "!bpf_preempt_enable; " * 2 + OUT, None),
    ("preempt left disabled", CLS, f"!bpf_preempt_disable; {OUT}", "lock"),
    ("preempt never disabled", CLS, f"!bpf_preempt_enable; {OUT}", "lock"),
    ("irq", CLS, f"{SAVE}; {RESTORE}; {OUT}", None),
    ("irq not restored", CLS, f"{SAVE}; {OUT}", "lock"),
    ("irq saved twice", CLS, f"{SAVE}; {SAVE}; {RESTORE}; {OUT}", "argument"),
    ("irq never saved", CLS, f"{RESTORE}; {OUT}", "argument"),
    ("irq out of order", CLS, f"{SAVE}; {SAVE.replace('8', '16')}; {RESTORE}; {OUT}", "lock"),
    ("iterator", CLS, f"{LOOP}; r6 = *(u32 *)(r0 + 0); goto next; {DONE}", None),
    ("iterator in a tracepoint", TP, f"{LOOP}; r6 = *(u32 *)(r0 + 0); goto next; {DONE}", None),
    ("iterator counts", CLS, f"r6 = 0; {LOOP}; r6 += 1; goto next; {DONE}", None),
    (
        "iterator, count used",
        CLS,
        f"r6 = 0; {LOOP}; r6 += 1; r7 = r10; r7 += r6; *(u8 *)(r7 - 29) = 0; goto next; {DONE}",
        "argument",
    ),
    (
        "iterator, bounded count",
        CLS,
        f"r6 = 0; {LOOP}; r6 += 1; if r6 > 9 goto done; r7 = r10; r7 += r6; *(u8 *)(r7 - 29) = 0; goto next; {DONE}",
        None,
    ),
    ("iterator's element unchecked", CLS, f"{NEW}; {NEXT}; r6 = *(u32 *)(r0 + 0); {END}; {OUT}", "type"),
    ("iterator's element written", CLS, f"{LOOP}; *(u32 *)(r0 + 0) = 0; goto next; {DONE}", "type"),
    ("iterator's element overrun", CLS, f"{LOOP}; r6 = *(u64 *)(r0 + 0); goto next; {DONE}", "bounds-memory"),
    (
        "iterator's element after its end",
        CLS,
        f"{NEW}; {NEXT}; if r0 == 0 goto done; r6 = r0; {END}; r0 = *(u32 *)(r6 + 0); exit; {DONE}",
        "type",
    ),
    ("iterator not destroyed", CLS, f"{NEW}; {OUT}", "reference"),
    ("iterator made twice", CLS, f"{NEW}; {NEW}; {END}; {OUT}", "argument"),
    ("iterator never made", CLS, f"{NEXT}; {OUT}", "argument"),
    ("iterator destroyed twice", CLS, f"{NEW}; {END}; {END}; {OUT}", "argument"),
    ("iterator overwritten", CLS, f"{NEW}; *(u64 *)(r10 - 8) = 0; {END}; {OUT}", "argument"),
    ("iterator read", CLS, f"{NEW}; r0 = *(u64 *)(r10 - 8); {END}; {OUT}", "uninitialised"),
    ("iterator, no number", CLS, f"{NEW.replace('r2 = 0', 'r2 = r10')}; {END}; {OUT}", "argument"),
    ("iterator unaligned", CLS, f"{NEW.replace('-8', '-12')}; {OUT}", "argument"),
    (
        "iterators nested",
        CLS,
        f"{LOOP}; {INNER}; goto inner; over: {END.replace('-8', '-16')}; goto next; {DONE}",
        None,
    ),
    ("loop without end around an iterator", CLS, f"{NEW}; l: r6 = 0; goto l; {END}; {OUT}", "cfg"),
    ("task", CLS, f"{TASK}; {DROP}; out: {OUT}", None),
    ("task leaks", CLS, f"{TASK}; out: {OUT}", "reference"),
    ("task unchecked", CLS, f"r1 = 1; !bpf_task_from_pid; r6 = r0; {DROP}; {OUT}", "null"),
    ("task released twice", CLS, f"{TASK}; {DROP}; {DROP}; out: {OUT}", "argument"),
    (
        "task acquired",
        CLS,
        f"{TASK}; r1 = r6; !bpf_task_acquire; if r0 == 0 goto one; r1 = r0; !bpf_task_release; one: {DROP}; out: {OUT}",
        None,
    ),
    ("task acquired, not released", CLS, f"{TASK}; r1 = r6; !bpf_task_acquire; {DROP}; out: {OUT}", "reference"),
    ("task read", CLS, f"{TASK}; r7 = *(u32 *)(r6 + 64); {DROP}; out: {OUT}", None),
    ("task written", CLS, f"{TASK}; *(u32 *)(r6 + 64) = 0; {DROP}; out: {OUT}", "type"),
    ("task after release", CLS, f"{TASK}; {DROP}; r0 = *(u32 *)(r6 + 64); out: {OUT}", "type"),
    ("stack as task", CLS, f"r1 = r10; r1 += -8; *(u64 *)(r10 - 8) = 0; !bpf_task_release; {OUT}", "argument"),
    ("number as task", CLS, f"r1 = 5; !bpf_task_release; {OUT}", "argument"),
    ("null as task", CLS, f"r1 = 0; !bpf_task_release; {OUT}", "null"),
    ("nothing as pid", CLS, f"!bpf_task_from_pid; r1 = r2; {OUT}", "argument"),
    (
        "cgroup as task",
        CLS,
        f"r1 = 1; !bpf_cgroup_from_id; if r0 == 0 goto out; r6 = r0; {DROP}; out: {OUT}",
        "argument",
    ),
    (
        "cgroup",
        CLS,
        f"r1 = 1; !bpf_cgroup_from_id; if r0 == 0 goto out; r1 = r0; !bpf_cgroup_release; out: {OUT}",
        None,
    ),
    ("task not for socket filters", SK, f"{TASK}; {DROP}; out: {OUT}", "helper"),
    (
        "cpumask",
        SYSCALL,
        f"{MASK}; r1 = 0; r2 = r6; !bpf_cpumask_set_cpu; r1 = r6; !bpf_cpumask_first; {UNMASK}; out: {OUT}",
        None,
    ),
    ("context as memory", SYSCALL, f"r2 = 8; r3 = 0; r4 = 0; !bpf_copy_from_user_str; {OUT}", None),
    (
        "context as memory too large",
        SYSCALL,
        f"r2 = 65537; r3 = 0; r4 = 0; !bpf_copy_from_user_str; {OUT}",
        "argument",
    ),
    ("cpumask leaks", SYSCALL, f"{MASK}; out: {OUT}", "reference"),
    (
        "cpumask acquired",
        SYSCALL,
        f"{MASK}; r1 = r6; !bpf_cpumask_acquire; r1 = r0; !bpf_cpumask_release; {UNMASK}; out: {OUT}",
        None,
    ),
    ("void result read", CLS, f"{TASK}; {DROP}; r7 = r0; out: {OUT}", "uninitialised"),
    ("dynptr", CLS, f"{DYNPTR}; r1 = r10; r1 += -16; !bpf_dynptr_size; {OUT}", None),
    ("dynptr, wrong context", CLS, f"r1 = r10; r2 = 0; r3 = r10; r3 += -16; !bpf_dynptr_from_skb; {OUT}", "argument"),
    ("dynptr never made", CLS, f"r1 = r10; r1 += -16; !bpf_dynptr_size; {OUT}", "argument"),
    (
        "dynptr cloned",
        CLS,
        f"{DYNPTR}; r1 = r10; r1 += -16; r2 = r10; r2 += -32; !bpf_dynptr_clone; r1 = r10; r1 += -32; !bpf_dynptr_is_null; {OUT}",
        None,
    ),
    ("slice", CLS, f"{DYNPTR}; {SLICE}; if r0 == 0 goto o; r0 = *(u8 *)(r0 + 13); o: {OUT}", None),
    ("slice unchecked", CLS, f"{DYNPTR}; {SLICE}; r0 = *(u8 *)(r0 + 13); {OUT}", "null"),
    ("slice overrun", CLS, f"{DYNPTR}; {SLICE}; if r0 == 0 goto o; r0 = *(u8 *)(r0 + 14); o: {OUT}", "bounds-memory"),
    ("slice written", CLS, f"{DYNPTR}; {SLICE}; if r0 == 0 goto o; *(u8 *)(r0 + 1) = 0; o: {OUT}", "type"),
    ("slice to write", CLS, f"{DYNPTR}; {SLICE}_rdwr; if r0 == 0 goto o; *(u8 *)(r0 + 1) = 0; o: {OUT}", None),
    ("slice without buffer", CLS, f"{DYNPTR}; {SLICE.replace('r3 = r10; r3 += -32', 'r3 = 0')}; {OUT}", None),
    ("slice, size not known", CLS, f"call 7; r8 = r0; r8 &= 7; r1 = r6; {OUT}", "uninitialised"),
    (
        "slice after the packet moved",
        CLS,
        f"{DYNPTR}; {SLICE}; if r0 == 0 goto o; r7 = r0; r1 = r6; r2 = 64; call 39; r0 = *(u8 *)(r7 + 1); o: {OUT}",
        "type",
    ),
    (
        "slice of a dynptr that is gone",
        CLS,
        f"{DYNPTR}; {SLICE}; if r0 == 0 goto o; *(u64 *)(r10 - 16) = 0; r0 = *(u8 *)(r0 + 1); o: {OUT}",
        None,
    ),
]


def build(prog_type: int, text: str, kernel_btf) -> ProgramSpec:
    """A program; `!name` is a call of a kernel function."""
    lines, calls = [], []
    for line in text.split("; "):
        label, _, rest = line.rpartition("!")
        if "!" in line:
            calls.append(rest)
            lines.append(f"{label}call 7777{len(calls) - 1:03}")
        else:
            lines.append(line)
    insns = [
        Insn(0x85, 0, 2, 0, kernel_btf.find(calls[insn.imm - 7777000], 12).id)
        if insn.opcode == 0x85 and insn.imm >= 7777000
        else insn
        for insn in asm.resolve(asm.assemble("\n".join(lines)))
    ]
    return ProgramSpec(tuple(insns), prog_type, name="case", flags=16 if prog_type == SYSCALL else 0)


@pytest.mark.kernel
@pytest.mark.skipif(not os.uname().release.startswith("6.18."), reason="the tables' origin is Linux 6.18")
@pytest.mark.parametrize(("name", "prog_type", "text", "category"), CASES, ids=[case[0] for case in CASES])
def test_kernel_functions(oracle, env, name, prog_type, text, category):
    spec = build(prog_type, text, env.btf)
    report = verify(spec, "6.18", env=env)
    said = report.findings[0].category if report.findings else None
    with oracle.Kernel() as kernel:
        verdict = kernel.load(spec)
    assert report.verdict == ("accept" if verdict.accept else "reject"), (verdict.reason, str(report))
    assert said == category, (verdict.reason, str(report))
