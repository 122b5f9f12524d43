"""Global functions: what their prototypes and tags (`__arg_ctx`, `__arg_nonnull`, ...) ask of callers and promise inside."""

from __future__ import annotations

import pytest

from pybpf.uapi.prog import ProgType

pytestmark = pytest.mark.kernel

SK, CLS, XDP, TP, SYSCALL, RTP, KP, PE = (
    ProgType.SOCKET_FILTER,
    ProgType.SCHED_CLS,
    ProgType.XDP,
    ProgType.TRACEPOINT,
    ProgType.SYSCALL,
    ProgType.RAW_TRACEPOINT,
    ProgType.KPROBE,
    ProgType.PERF_EVENT,
)
CONTEXTS = [
    "__sk_buff",
    "xdp_md",
    "sk_buff",
    "xdp_buff",
    "bpf_raw_tracepoint_args",
    "pt_regs",
    "bpf_perf_event_data",
    "user_pt_regs",
    "bpf_sock",
    "bpf_sock_addr",
    "bpf_sock_ops",
    "sk_msg_md",
    "bpf_sysctl",
    "bpf_sockopt",
    "bpf_cgroup_dev_ctx",
    "bpf_sk_lookup",
    "bpf_nf_ctx",
    "sk_reuseport_md",
    "bpf_flow_keys",
]
OUT = "r0 = 0; exit"
FILL = "*(u64 *)(r10 - 8) = 0; *(u64 *)(r10 - 16) = 0"
S16 = "r1 = r10; r1 += -16"
USE = "r0 = *(u64 *)(r1 + 0); exit"
DYNPTR = "r2 = 0; r3 = r10; r3 += -16; !bpf_dynptr_from_skb; r1 = r10; r1 += -16"
TASK = "r1 = 1; !bpf_task_from_pid; if r0 == 0 goto out; r6 = r0"
DROP = "r1 = r6; !bpf_task_release"


CGROUP = "r1 = 1; !bpf_cgroup_from_id; if r0 == 0 goto out; r6 = r0"
UNCGROUP = "r1 = r6; !bpf_cgroup_release"
ACQUIRE = "!bpf_task_acquire; if r0 == 0 goto o; r1 = r0; !bpf_task_release; o: r0 = 0; exit"


def library(cases, functions: str):
    t = cases.Types()
    number, word = ("a", "u64", 0), ("b", "u64", 8)
    t.struct("pair", 16, number, word)
    for name in (*CONTEXTS, "bpf_dynptr", "task_struct", "task_struct___mine", "nosuch"):
        t.struct(name, 8, number)
    t.names["bpf_user_pt_regs_t"] = t.builder.add_typedef("bpf_user_pt_regs_t", t.find("pt_regs"))
    t.names["size_t"] = t.builder.add_typedef("size_t", t.find("u64"))
    t.names["enum"] = t.builder.add_enum("e", [("A", 0)])
    t.names["float"] = t.builder.add_float("float", 4)
    t.names["proto"] = t.builder.add_func_proto(t.find("int"), [])
    t.names["union"] = t.builder.add_union("u", 8, [("a", t.find("u64"), 0)])
    for signature in functions.split("; "):
        t.function(signature)
    return t


# (name, program type, text, prototypes, category or None for a program that is taken, part of the message)
CASES = [
    (
        "trusted untrusted",
        CLS,
        f"{TASK}; r1 = r6; call f; {DROP}; out: {OUT}; f: r0 = *(u32 *)(r1 + 64); exit",
        "f(task_struct* trusted untrusted)",
        None,
        "",
    ),
    (
        "trusted arena",
        CLS,
        f"{TASK}; r1 = r6; call f; {DROP}; out: {OUT}; f: r0 = *(u32 *)(r1 + 64); exit",
        "f(task_struct* trusted arena)",
        None,
        "",
    ),
    (
        "syscall ctx moved",
        SYSCALL,
        f"r1 += 8; call f; exit; f: {OUT}",
        "f(void* ctx)",
        "argument",
        "dereference of modified ctx ptr R1 off=8 disallowed",
    ),
    (
        "ctx double ptr tag",
        SK,
        f"call f; exit; f: {OUT}",
        "f(void** ctx)",
        "argument",
        "arg#0 should be a pointer to this program's context, or void",
    ),
    (
        "syscall ptr ctx",
        SYSCALL,
        f"call f; exit; f: {OUT}",
        "f(void** ctx)",
        "argument",
        "arg#0 should be a pointer to this program's context, or void",
    ),
    ("tp float ctx", TP, f"call f; exit; f: {OUT}", "f(float* ctx)", None, ""),
    (
        "sk_buff ctx tag",
        SK,
        f"call f; exit; f: {OUT}",
        "f(sk_buff* ctx)",
        "argument",
        "arg#0 should be a pointer to this program's context, or void",
    ),
    ("size_t ctx rtp", RTP, f"call f; exit; f: {OUT}", "f(size_t* ctx)", None, ""),
    (
        "int ctx rtp",
        RTP,
        f"call f; exit; f: {OUT}",
        "f(int* ctx)",
        "argument",
        "arg#0 should be a pointer to this program's context, or void",
    ),
    ("pt_regs typedef ctx tag", KP, f"call f; exit; f: {OUT}", "f(bpf_user_pt_regs_t* ctx)", None, ""),
    ("const pt_regs typedef", KP, f"call f; exit; f: {OUT}", "f(const bpf_user_pt_regs_t*)", None, ""),
    ("perf pt_regs typedef ctx tag", PE, f"call f; exit; f: {OUT}", "f(bpf_user_pt_regs_t* ctx)", None, ""),
    (
        "perf pt_regs typedef",
        PE,
        f"call f; exit; f: {OUT}",
        "f(bpf_user_pt_regs_t*)",
        "argument",
        "R1 type=ctx expected=fp",
    ),
    (
        "numbers",
        SK,
        "r1 = 1; r2 = 2; r3 = 3; call f; exit; f: r0 = r1; r0 += r2; r0 += r3; exit",
        "f(int, enum, size_t)",
        None,
        "",
    ),
    ("number is a pointer", SK, f"r1 = r10; call f; exit; f: {OUT}", "f(int)", "argument", "R1 is not a scalar"),
    ("number not set", SK, f"call f; exit; f: {OUT}", "f(int, int)", "argument", "R1 is not a scalar"),
    (
        "float",
        SK,
        f"r1 = 1; call f; exit; f: {OUT}",
        "f(float)",
        "argument",
        "Arg#0 type FLOAT in f() is not supported yet.",
    ),
    (
        "struct by value",
        SK,
        f"r1 = 1; r2 = 1; call f; exit; f: {OUT}",
        "f(pair)",
        "argument",
        "Arg#0 type STRUCT in f() is not supported yet.",
    ),
    (
        "six arguments",
        SK,
        f"r1 = 1; r2 = 1; r3 = 1; r4 = 1; r5 = 1; call f; exit; f: {OUT}",
        "f(int, int, int, int, int, int)",
        "argument",
        "Global function f() with 6 > 5 args. Buggy compiler.",
    ),
    (
        "returns pointer",
        SK,
        f"r1 = 1; call f; {OUT}; f: {OUT}",
        "f(int) -> void*",
        "argument",
        "Global function f() doesn't return scalar. Only those are su",
    ),
    (
        "returns void",
        SK,
        f"r1 = 1; call f; {OUT}; f: {OUT}",
        "f(int) -> void",
        "argument",
        "Global function f() doesn't return scalar. Only those are su",
    ),
    (
        "returns struct",
        SK,
        f"r1 = 1; call f; {OUT}; f: {OUT}",
        "f(int) -> pair",
        "argument",
        "Global function f() doesn't return scalar. Only those are su",
    ),
    (
        "returns stack",
        SK,
        f"r1 = 1; call f; {OUT}; f: r0 = r10; exit",
        "f(int)",
        "return-value",
        "At subprogram exit the register R0 is not a scalar value (fp",
    ),
    (
        "returns ctx",
        SK,
        f"call f; {OUT}; f: r0 = r1; exit",
        "f(__sk_buff*)",
        "return-value",
        "At subprogram exit the register R0 is not a scalar value (ct",
    ),
    (
        "returns nothing",
        SK,
        f"r1 = 1; call f; {OUT}; f: exit",
        "f(int)",
        "uninitialised",
        "R0 !read_ok: the program ends without a return value",
    ),
    (
        "tag on a number",
        SK,
        f"r1 = 1; call f; exit; f: {OUT}",
        "f(int nonnull)",
        "argument",
        "arg#0 has pointer tag, but is not a pointer type",
    ),
    (
        "unknown tag",
        SK,
        f"{FILL}; {S16}; call f; exit; f: {OUT}",
        "f(pair* odd)",
        "argument",
        "arg#0 has unsupported set of tags (odd)",
    ),
    ("unknown tag, static", SK, f"{FILL}; {S16}; call f; exit; f: {OUT}", "static f(pair* odd)", None, ""),
    ("mem", SK, f"{FILL}; {S16}; call f; exit; f: if r1 == 0 goto o; {USE}; o: {OUT}", "f(pair*)", None, ""),
    (
        "mem unchecked",
        SK,
        f"{FILL}; {S16}; call f; exit; f: {USE}",
        "f(pair*)",
        "null",
        "R1 invalid mem access 'mem_or_null'",
    ),
    ("mem null", SK, f"r1 = 0; call f; exit; f: {OUT}", "f(pair*)", None, ""),
    ("mem nonnull", SK, f"{FILL}; {S16}; call f; exit; f: {USE}", "f(pair* nonnull)", None, ""),
    ("mem nonnull null", SK, f"r1 = 0; call f; exit; f: {OUT}", "f(pair* nonnull)", None, ""),
    (
        "mem overrun",
        SK,
        f"{FILL}; {S16}; call f; exit; f: r0 = *(u64 *)(r1 + 16); exit",
        "f(pair* nonnull)",
        "bounds-memory",
        "R1 min value is outside of the allowed memory range: mem has",
    ),
    (
        "mem too small",
        SK,
        f"{FILL}; r1 = r10; r1 += -8; call f; exit; f: {OUT}",
        "f(pair* nonnull)",
        "argument",
        "invalid read from stack R1 off=-8 size=16",
    ),
    ("mem uninit", SK, f"{S16}; call f; exit; f: {OUT}", "f(pair* nonnull)", None, ""),
    ("mem number", SK, f"r1 = 5; call f; exit; f: {OUT}", "f(pair* nonnull)", "argument", "R1 type=scalar expected=fp"),
    ("mem ctx", SK, f"call f; exit; f: {OUT}", "f(pair* nonnull)", "argument", "R1 type=ctx expected=fp"),
    ("mem int*", SK, f"{FILL}; {S16}; call f; exit; f: r0 = *(u32 *)(r1 + 0); exit", "f(int* nonnull)", None, ""),
    ("mem ptr ptr", SK, f"{FILL}; {S16}; call f; exit; f: r0 = *(u64 *)(r1 + 0); exit", "f(pair** nonnull)", None, ""),
    ("mem array", SK, f"{FILL}; {S16}; call f; exit; f: r0 = *(u64 *)(r1 + 8); exit", "f(char[16]* nonnull)", None, ""),
    ("mem union", SK, f"{FILL}; {S16}; call f; exit; f: r0 = *(u64 *)(r1 + 0); exit", "f(union* nonnull)", None, ""),
    ("mem enum", SK, f"{FILL}; {S16}; call f; exit; f: r0 = *(u32 *)(r1 + 0); exit", "f(enum* nonnull)", None, ""),
    (
        "mem const",
        SK,
        f"{FILL}; {S16}; call f; exit; f: *(u64 *)(r1 + 0) = 1; {OUT}",
        "f(const pair* nonnull)",
        None,
        "",
    ),
    (
        "mem void",
        SK,
        f"{FILL}; {S16}; call f; exit; f: {OUT}",
        "f(void* nonnull)",
        "argument",
        "arg#0 reference type('VOID ') size cannot be determined",
    ),
    (
        "mem fwd",
        SK,
        f"{FILL}; {S16}; call f; exit; f: {OUT}",
        "f(unknown* nonnull)",
        "argument",
        "arg#0 reference type('FWD unknown') size cannot be determine",
    ),
    (
        "mem proto",
        SK,
        f"{FILL}; {S16}; call f; exit; f: {OUT}",
        "f(proto* nonnull)",
        "argument",
        "arg#0 reference type('FUNC_PROTO ') size cannot be determine",
    ),
    (
        "mem nullable tag",
        SK,
        f"{FILL}; {S16}; call f; exit; f: {OUT}",
        "f(pair* nullable)",
        "argument",
        "arg#0 has invalid combination of tags",
    ),
    (
        "mem nonnull nullable",
        SK,
        f"{FILL}; {S16}; call f; exit; f: {OUT}",
        "f(pair* nonnull nullable)",
        "argument",
        "arg#0 has invalid combination of tags",
    ),
    ("ctx by name", SK, "call f; exit; f: r0 = *(u32 *)(r1 + 0); exit", "f(__sk_buff*)", None, ""),
    ("ctx by kernel name", SK, "call f; exit; f: r0 = *(u32 *)(r1 + 0); exit", "f(sk_buff*)", None, ""),
    ("ctx by tag", SK, "call f; exit; f: r0 = *(u32 *)(r1 + 0); exit", "f(void* ctx)", None, ""),
    (
        "ctx tag nonnull",
        SK,
        "call f; exit; f: r0 = *(u32 *)(r1 + 0); exit",
        "f(void* ctx nonnull)",
        "argument",
        "arg#0 has invalid combination of tags",
    ),
    (
        "ctx tag nullable",
        SK,
        "call f; exit; f: r0 = *(u32 *)(r1 + 0); exit",
        "f(void* ctx nullable)",
        "argument",
        "arg#0 has invalid combination of tags",
    ),
    (
        "ctx tag trusted",
        SK,
        "call f; exit; f: r0 = *(u32 *)(r1 + 0); exit",
        "f(task_struct* ctx trusted)",
        "argument",
        "arg#0 has invalid combination of tags",
    ),
    (
        "ctx tag on other struct",
        SK,
        f"call f; exit; f: {OUT}",
        "f(pair* ctx)",
        "argument",
        "arg#0 should be a pointer to this program's context, or void",
    ),
    ("ctx null", SK, f"r1 = 0; call f; exit; f: {OUT}", "f(__sk_buff*)", "argument", "R1 is not the context"),
    (
        "ctx moved",
        SK,
        f"r1 += 4; call f; exit; f: {OUT}",
        "f(__sk_buff*)",
        "argument",
        "dereference of modified ctx ptr R1 off=4 disallowed",
    ),
    ("ctx stack", SK, f"r1 = r10; call f; exit; f: {OUT}", "f(__sk_buff*)", "argument", "R1 is not the context"),
    ("ctx of others", XDP, f"call f; exit; f: {OUT}", "f(__sk_buff*)", "argument", "R1 type=ctx expected=fp"),
    ("ctx xdp kernel", XDP, "call f; exit; f: r0 = *(u32 *)(r1 + 12); exit", "f(xdp_buff*)", None, ""),
    ("ctx kprobe typedef", KP, "call f; exit; f: r0 = *(u64 *)(r1 + 0); exit", "f(bpf_user_pt_regs_t*)", None, ""),
    ("ctx kprobe struct", KP, "call f; exit; f: r0 = *(u64 *)(r1 + 0); exit", "f(pt_regs*)", None, ""),
    ("ctx kprobe tag struct", KP, "call f; exit; f: r0 = *(u64 *)(r1 + 0); exit", "f(pt_regs* ctx)", None, ""),
    (
        "ctx kprobe user_pt_regs",
        KP,
        f"call f; exit; f: {OUT}",
        "f(user_pt_regs* ctx)",
        "argument",
        "arg#0 should be a pointer to this program's context, or void",
    ),
    ("ctx rawtp", RTP, "call f; exit; f: r0 = *(u64 *)(r1 + 0); exit", "f(bpf_raw_tracepoint_args*)", None, ""),
    ("ctx rawtp u64", RTP, "call f; exit; f: r0 = *(u64 *)(r1 + 0); exit", "f(u64* ctx)", None, ""),
    ("ctx tp tag void", TP, "call f; exit; f: r0 = *(u64 *)(r1 + 8); exit", "f(void* ctx)", None, ""),
    ("ctx tp tag u64", TP, "call f; exit; f: r0 = *(u64 *)(r1 + 8); exit", "f(u64* ctx)", None, ""),
    ("ctx perf", PE, "call f; exit; f: r0 = *(u64 *)(r1 + 0); exit", "f(bpf_perf_event_data*)", None, ""),
    ("ctx perf tag pt_regs", PE, "call f; exit; f: r0 = *(u64 *)(r1 + 0); exit", "f(pt_regs* ctx)", None, ""),
    ("dynptr", CLS, f"{DYNPTR}; call f; exit; f: !bpf_dynptr_size; exit", "f(bpf_dynptr*)", None, ""),
    ("dynptr const", CLS, f"{DYNPTR}; call f; exit; f: !bpf_dynptr_size; exit", "f(const bpf_dynptr*)", None, ""),
    (
        "dynptr tags",
        CLS,
        f"{DYNPTR}; call f; exit; f: {OUT}",
        "f(bpf_dynptr* nonnull)",
        "argument",
        "arg#0 has invalid combination of tags",
    ),
    (
        "dynptr none",
        CLS,
        f"{S16}; call f; exit; f: {OUT}",
        "f(bpf_dynptr*)",
        "argument",
        "Expected an initialized dynptr as arg #0",
    ),
    ("dynptr ctx", CLS, f"call f; exit; f: {OUT}", "f(bpf_dynptr*)", "argument", "R1 is no dynptr (ctx)"),
    (
        "dynptr passed on",
        CLS,
        f"{DYNPTR}; call f; exit; f: call g; exit; g: {OUT}",
        "f(bpf_dynptr*); g(bpf_dynptr*)",
        None,
        "",
    ),
    (
        "dynptr passed on moved",
        CLS,
        f"{DYNPTR}; call f; exit; f: r1 += 8; call g; exit; g: {OUT}",
        "f(bpf_dynptr*); g(bpf_dynptr*)",
        "argument",
        "dereference of modified dynptr_ptr ptr R1 off=8 disallowed",
    ),
    (
        "trusted",
        CLS,
        f"{TASK}; r1 = r6; call f; {DROP}; out: {OUT}; f: r0 = *(u32 *)(r1 + 64); exit",
        "f(task_struct* trusted)",
        None,
        "",
    ),
    (
        "trusted flavour",
        CLS,
        f"{TASK}; r1 = r6; call f; {DROP}; out: {OUT}; f: r0 = *(u32 *)(r1 + 64); exit",
        "f(task_struct___mine* trusted)",
        None,
        "",
    ),
    (
        "trusted fwd",
        CLS,
        f"{TASK}; r1 = r6; call f; {DROP}; out: {OUT}; f: r0 = *(u32 *)(r1 + 64); exit",
        "f(cgroup* trusted)",
        "argument",
        "arg#0 has type FWD 'cgroup', but only a kernel struct is all",
    ),
    (
        "trusted unknown struct",
        CLS,
        f"{TASK}; r1 = r6; call f; {DROP}; out: {OUT}; f: {OUT}",
        "f(nosuch* trusted)",
        "argument",
        "arg#0 has type STRUCT 'nosuch', but only a kernel struct is ",
    ),
    (
        "trusted int",
        CLS,
        f"{TASK}; r1 = r6; call f; {DROP}; out: {OUT}; f: {OUT}",
        "f(int* trusted)",
        "argument",
        "arg#0 has type INT 'int', but only a kernel struct is allowe",
    ),
    (
        "trusted void",
        CLS,
        f"{TASK}; r1 = r6; call f; {DROP}; out: {OUT}; f: {OUT}",
        "f(void* trusted)",
        "argument",
        "arg#0 has type VOID '', but only a kernel struct is allowed",
    ),
    (
        "trusted null",
        CLS,
        f"r1 = 0; call f; {OUT}; f: {OUT}",
        "f(task_struct* trusted)",
        "argument",
        "R1 type=scalar expected=ptr_, trusted_ptr_, rcu_ptr_",
    ),
    (
        "trusted number",
        CLS,
        f"r1 = 4; call f; {OUT}; f: {OUT}",
        "f(task_struct* trusted)",
        "argument",
        "R1 type=scalar expected=ptr_, trusted_ptr_, rcu_ptr_",
    ),
    (
        "trusted nonnull",
        CLS,
        f"{TASK}; r1 = r6; call f; {DROP}; out: {OUT}; f: r0 = *(u32 *)(r1 + 64); exit",
        "f(task_struct* trusted nonnull)",
        "argument",
        "arg#0 has invalid combination of tags",
    ),
    (
        "trusted maybe null given",
        CLS,
        f"r1 = 1; !bpf_task_from_pid; r6 = r0; r1 = r0; call f; if r6 == 0 goto out; {DROP}; out: {OUT}; f: {OUT}",
        "f(task_struct* trusted)",
        "argument",
        "R1 type=ptr_or_null_ expected=ptr_, trusted_ptr_, rcu_ptr_",
    ),
    (
        "trusted nullable",
        CLS,
        f"r1 = 0; call f; {OUT}; f: if r1 == 0 goto o; r0 = *(u32 *)(r1 + 64); exit; o: {OUT}",
        "f(task_struct* trusted nullable)",
        None,
        "",
    ),
    (
        "trusted nullable unchecked",
        CLS,
        f"r1 = 0; call f; {OUT}; f: r0 = *(u32 *)(r1 + 64); exit",
        "f(task_struct* trusted nullable)",
        "null",
        "R1 invalid mem access 'trusted_ptr_or_null_'",
    ),
    (
        "trusted nullable maybe",
        CLS,
        f"r1 = 1; !bpf_task_from_pid; r6 = r0; r1 = r0; call f; if r6 == 0 goto out; {DROP}; out: {OUT}; f: {OUT}",
        "f(task_struct* trusted nullable)",
        None,
        "",
    ),
    (
        "trusted other struct",
        CLS,
        f"{CGROUP}; r1 = r6; call f; {UNCGROUP}; out: {OUT}; f: {OUT}",
        "f(task_struct* trusted)",
        "argument",
        "R1 is of type cgroup but task_struct is expected",
    ),
    (
        "trusted then acquire",
        CLS,
        f"{TASK}; r1 = r6; call f; {DROP}; out: {OUT}; f: {ACQUIRE}",
        "f(task_struct* trusted)",
        None,
        "",
    ),
    (
        "trusted release in callee",
        CLS,
        f"{TASK}; r1 = r6; call f; {DROP}; out: {OUT}; f: !bpf_task_release; {OUT}",
        "f(task_struct* trusted)",
        "reference",
        "release kernel function bpf_task_release expects refcounted ",
    ),
    (
        "untrusted",
        CLS,
        f"r1 = 0; call f; {OUT}; f: r0 = *(u32 *)(r1 + 64); exit",
        "f(task_struct* untrusted)",
        None,
        "",
    ),
    (
        "untrusted stack",
        CLS,
        f"r1 = r10; call f; {OUT}; f: r0 = *(u32 *)(r1 + 64); exit",
        "f(task_struct* untrusted)",
        None,
        "",
    ),
    (
        "untrusted written",
        CLS,
        f"r1 = 0; call f; {OUT}; f: *(u32 *)(r1 + 64) = 0; {OUT}",
        "f(task_struct* untrusted)",
        "type",
        "only read is supported",
    ),
    (
        "untrusted acquire",
        CLS,
        f"r1 = 0; call f; {OUT}; f: !bpf_task_acquire; {OUT}",
        "f(task_struct* untrusted)",
        "argument",
        "R1 must be a rcu pointer",
    ),
    ("untrusted void", CLS, f"r1 = 5; call f; {OUT}; f: r0 = *(u64 *)(r1 + 999); exit", "f(void* untrusted)", None, ""),
    ("untrusted int", CLS, f"r1 = 5; call f; {OUT}; f: r0 = *(u64 *)(r1 + 999); exit", "f(int* untrusted)", None, ""),
    (
        "untrusted char",
        CLS,
        f"r1 = 5; call f; {OUT}; f: r1 += 7; r0 = *(u8 *)(r1 + 999); exit",
        "f(char* untrusted)",
        None,
        "",
    ),
    (
        "untrusted int written",
        CLS,
        f"r1 = 5; call f; {OUT}; f: *(u64 *)(r1 + 8) = 1; {OUT}",
        "f(int* untrusted)",
        "type",
        "R1 cannot write into rdonly_untrusted_mem",
    ),
    ("untrusted enum", CLS, f"r1 = 5; call f; {OUT}; f: r0 = *(u64 *)(r1 + 999); exit", "f(enum* untrusted)", None, ""),
    (
        "untrusted ptr",
        CLS,
        f"r1 = 5; call f; {OUT}; f: r0 = *(u64 *)(r1 + 999); exit",
        "f(int** untrusted)",
        "argument",
        "arg#0 has type PTR '', but only a kernel struct is allowed",
    ),
    (
        "untrusted nosuch",
        CLS,
        f"r1 = 5; call f; {OUT}; f: {OUT}",
        "f(nosuch* untrusted)",
        "argument",
        "arg#0 has type STRUCT 'nosuch', but only a kernel struct is ",
    ),
    (
        "untrusted nullable",
        CLS,
        f"r1 = 5; call f; {OUT}; f: {OUT}",
        "f(task_struct* untrusted nullable)",
        "argument",
        "arg#0 has invalid combination of tags",
    ),
    (
        "untrusted trusted",
        CLS,
        f"r1 = 5; call f; {OUT}; f: {OUT}",
        "f(task_struct* untrusted trusted)",
        "argument",
        "R1 type=scalar expected=ptr_, trusted_ptr_, rcu_ptr_",
    ),
    (
        "untrusted fwd",
        CLS,
        f"r1 = 5; call f; {OUT}; f: r0 = *(u64 *)(r1 + 0); exit",
        "f(cgroup* untrusted)",
        "argument",
        "arg#0 has type FWD 'cgroup', but only a kernel struct is all",
    ),
    (
        "untrusted uninit",
        CLS,
        f"r1 = r6; call f; {OUT}; f: {OUT}",
        "f(task_struct* untrusted)",
        "uninitialised",
        "R6 !read_ok: it is read, but nothing was written to it on th",
    ),
    (
        "untrusted never set",
        CLS,
        f"r0 = 0; call f; {OUT}; f: {OUT}",
        "f(int, task_struct* untrusted)",
        "argument",
        "R1 is not a scalar",
    ),
    ("arena number", CLS, f"r1 = 5; call f; {OUT}; f: {OUT}", "f(pair* arena)", None, ""),
    (
        "arena stack",
        CLS,
        f"r1 = r10; call f; {OUT}; f: {OUT}",
        "f(pair* arena)",
        "argument",
        "R1 is not a pointer to arena or scalar",
    ),
    (
        "arena nonnull",
        CLS,
        f"r1 = 5; call f; {OUT}; f: {OUT}",
        "f(pair* arena nonnull)",
        "argument",
        "arg#0 has invalid combination of tags",
    ),
    (
        "arena used",
        CLS,
        f"r1 = 5; call f; {OUT}; f: r0 = *(u64 *)(r1 + 0); exit",
        "f(pair* arena)",
        "type",
        "R1 invalid mem access 'scalar'",
    ),
]


@pytest.mark.parametrize(("name", "kind", "text", "functions", "category", "message"), CASES, ids=[c[0] for c in CASES])
def test_prototypes(cases, decided, name, kind, text, functions, category, message):
    spec = cases.program(kind, text, library=library(cases, functions), flags=16 * (kind == SYSCALL))
    decided(spec, category, message)


KINDS = {
    kind: None for kind in ProgType if kind.name not in ("UNSPEC", "TRACING", "LSM", "STRUCT_OPS", "EXT", "LIRC_MODE2")
}
KINDS |= {
    ProgType.CGROUP_SOCK_ADDR: 10,
    ProgType.CGROUP_SOCKOPT: 21,
    ProgType.SK_LOOKUP: 36,
    ProgType.SK_REUSEPORT: 39,
    ProgType.NETFILTER: 45,
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_which_structures_are_contexts(cases, kernel, env, kind):
    """By their name alone, and where a tag says so."""
    from pybpf import verify

    wrong = []
    for name in CONTEXTS:
        for tag in ("", " ctx"):
            text = f"call f; r0 = 1; exit; f: {OUT}"
            functions = library(cases, f"f({name}*{tag})")
            flags = 16 * (kind == ProgType.SYSCALL)
            spec = cases.program(kind, text, library=functions, expected_attach_type=KINDS[kind], flags=flags)
            if kernel.load(spec).accept != verify(spec, "6.18", env=env).ok:
                wrong.append(f"{name}*{tag}")
    assert not wrong
