"""Global functions: what their prototypes and tags (`__arg_ctx`, `__arg_nonnull`, ...) ask of callers and promise inside."""

from __future__ import annotations

import pytest

from pybpf.uapi.prog import ProgType

pytestmark = pytest.mark.kernel

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


def library(cases, functions):
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
    for signature in functions:
        t.function(signature)
    return t


TABLE = f"""
trusted untrusted | CLS
    f(task_struct* trusted untrusted)
    {TASK}; r1 = r6; call f; {DROP}; out: {OUT}; f: r0 = *(u32 *)(r1 + 64); exit
trusted arena | CLS
    f(task_struct* trusted arena)
    {TASK}; r1 = r6; call f; {DROP}; out: {OUT}; f: r0 = *(u32 *)(r1 + 64); exit
syscall ctx moved | SYSCALL | argument | dereference of modified ctx ptr R1 off=8 disallowed
    f(void* ctx)
    r1 += 8; call f; exit; f: {OUT}
ctx double ptr tag | SK | argument | arg#0 should be a pointer to this program's context, or void
    f(void** ctx)
    call f; exit; f: {OUT}
syscall ptr ctx | SYSCALL | argument | arg#0 should be a pointer to this program's context, or void
    f(void** ctx)
    call f; exit; f: {OUT}
tp float ctx | TP
    f(float* ctx)
    call f; exit; f: {OUT}
sk_buff ctx tag | SK | argument | arg#0 should be a pointer to this program's context, or void
    f(sk_buff* ctx)
    call f; exit; f: {OUT}
size_t ctx rtp | RTP
    f(size_t* ctx)
    call f; exit; f: {OUT}
int ctx rtp | RTP | argument | arg#0 should be a pointer to this program's context, or void
    f(int* ctx)
    call f; exit; f: {OUT}
pt_regs typedef ctx tag | KPROBE
    f(bpf_user_pt_regs_t* ctx)
    call f; exit; f: {OUT}
const pt_regs typedef | KPROBE
    f(const bpf_user_pt_regs_t*)
    call f; exit; f: {OUT}
perf pt_regs typedef ctx tag | PE
    f(bpf_user_pt_regs_t* ctx)
    call f; exit; f: {OUT}
perf pt_regs typedef | PE | argument | R1 type=ctx expected=fp
    f(bpf_user_pt_regs_t*)
    call f; exit; f: {OUT}
numbers | SK
    f(int, enum, size_t)
    r1 = 1; r2 = 2; r3 = 3; call f; exit; f: r0 = r1; r0 += r2; r0 += r3; exit
number is a pointer | SK | argument | R1 is not a scalar
    f(int)
    r1 = r10; call f; exit; f: {OUT}
number not set | SK | argument | R1 is not a scalar
    f(int, int)
    call f; exit; f: {OUT}
float | SK | argument | Arg#0 type FLOAT in f() is not supported yet.
    f(float)
    r1 = 1; call f; exit; f: {OUT}
struct by value | SK | argument | Arg#0 type STRUCT in f() is not supported yet.
    f(pair)
    r1 = 1; r2 = 1; call f; exit; f: {OUT}
six arguments | SK | argument | Global function f() with 6 > 5 args. Buggy compiler.
    f(int, int, int, int, int, int)
    r1 = 1; r2 = 1; r3 = 1; r4 = 1; r5 = 1; call f; exit; f: {OUT}
returns pointer | SK | argument | Global function f() doesn't return scalar. Only those are su
    f(int) -> void*
    r1 = 1; call f; {OUT}; f: {OUT}
returns void | SK | argument | Global function f() doesn't return scalar. Only those are su
    f(int) -> void
    r1 = 1; call f; {OUT}; f: {OUT}
returns struct | SK | argument | Global function f() doesn't return scalar. Only those are su
    f(int) -> pair
    r1 = 1; call f; {OUT}; f: {OUT}
returns stack | SK | return-value | At subprogram exit the register R0 is not a scalar value (fp
    f(int)
    r1 = 1; call f; {OUT}; f: r0 = r10; exit
returns ctx | SK | return-value | At subprogram exit the register R0 is not a scalar value (ct
    f(__sk_buff*)
    call f; {OUT}; f: r0 = r1; exit
returns nothing | SK | uninitialised | R0 !read_ok: the program ends without a return value
    f(int)
    r1 = 1; call f; {OUT}; f: exit
tag on a number | SK | argument | arg#0 has pointer tag, but is not a pointer type
    f(int nonnull)
    r1 = 1; call f; exit; f: {OUT}
unknown tag | SK | argument | arg#0 has unsupported set of tags (odd)
    f(pair* odd)
    {FILL}; {S16}; call f; exit; f: {OUT}
unknown tag, static | SK
    static f(pair* odd)
    {FILL}; {S16}; call f; exit; f: {OUT}
mem | SK
    f(pair*)
    {FILL}; {S16}; call f; exit; f: if r1 == 0 goto o; {USE}; o: {OUT}
mem unchecked | SK | null | R1 invalid mem access 'mem_or_null'
    f(pair*)
    {FILL}; {S16}; call f; exit; f: {USE}
mem null | SK
    f(pair*)
    r1 = 0; call f; exit; f: {OUT}
mem nonnull | SK
    f(pair* nonnull)
    {FILL}; {S16}; call f; exit; f: {USE}
mem nonnull null | SK
    f(pair* nonnull)
    r1 = 0; call f; exit; f: {OUT}
mem overrun | SK | bounds-memory | R1 min value is outside of the allowed memory range: mem has
    f(pair* nonnull)
    {FILL}; {S16}; call f; exit; f: r0 = *(u64 *)(r1 + 16); exit
mem too small | SK | argument | invalid read from stack R1 off=-8 size=16
    f(pair* nonnull)
    {FILL}; r1 = r10; r1 += -8; call f; exit; f: {OUT}
mem uninit | SK
    f(pair* nonnull)
    {S16}; call f; exit; f: {OUT}
mem number | SK | argument | R1 type=scalar expected=fp
    f(pair* nonnull)
    r1 = 5; call f; exit; f: {OUT}
mem ctx | SK | argument | R1 type=ctx expected=fp
    f(pair* nonnull)
    call f; exit; f: {OUT}
mem int* | SK
    f(int* nonnull)
    {FILL}; {S16}; call f; exit; f: r0 = *(u32 *)(r1 + 0); exit
mem ptr ptr | SK
    f(pair** nonnull)
    {FILL}; {S16}; call f; exit; f: r0 = *(u64 *)(r1 + 0); exit
mem array | SK
    f(char[16]* nonnull)
    {FILL}; {S16}; call f; exit; f: r0 = *(u64 *)(r1 + 8); exit
mem union | SK
    f(union* nonnull)
    {FILL}; {S16}; call f; exit; f: r0 = *(u64 *)(r1 + 0); exit
mem enum | SK
    f(enum* nonnull)
    {FILL}; {S16}; call f; exit; f: r0 = *(u32 *)(r1 + 0); exit
mem const | SK
    f(const pair* nonnull)
    {FILL}; {S16}; call f; exit; f: *(u64 *)(r1 + 0) = 1; {OUT}
mem void | SK | argument | arg#0 reference type('VOID ') size cannot be determined
    f(void* nonnull)
    {FILL}; {S16}; call f; exit; f: {OUT}
mem fwd | SK | argument | arg#0 reference type('FWD unknown') size cannot be determine
    f(unknown* nonnull)
    {FILL}; {S16}; call f; exit; f: {OUT}
mem proto | SK | argument | arg#0 reference type('FUNC_PROTO ') size cannot be determine
    f(proto* nonnull)
    {FILL}; {S16}; call f; exit; f: {OUT}
mem nullable tag | SK | argument | arg#0 has invalid combination of tags
    f(pair* nullable)
    {FILL}; {S16}; call f; exit; f: {OUT}
mem nonnull nullable | SK | argument | arg#0 has invalid combination of tags
    f(pair* nonnull nullable)
    {FILL}; {S16}; call f; exit; f: {OUT}
ctx by name | SK
    f(__sk_buff*)
    call f; exit; f: r0 = *(u32 *)(r1 + 0); exit
ctx by kernel name | SK
    f(sk_buff*)
    call f; exit; f: r0 = *(u32 *)(r1 + 0); exit
ctx by tag | SK
    f(void* ctx)
    call f; exit; f: r0 = *(u32 *)(r1 + 0); exit
ctx tag nonnull | SK | argument | arg#0 has invalid combination of tags
    f(void* ctx nonnull)
    call f; exit; f: r0 = *(u32 *)(r1 + 0); exit
ctx tag nullable | SK | argument | arg#0 has invalid combination of tags
    f(void* ctx nullable)
    call f; exit; f: r0 = *(u32 *)(r1 + 0); exit
ctx tag trusted | SK | argument | arg#0 has invalid combination of tags
    f(task_struct* ctx trusted)
    call f; exit; f: r0 = *(u32 *)(r1 + 0); exit
ctx tag on other struct | SK | argument | arg#0 should be a pointer to this program's context, or void
    f(pair* ctx)
    call f; exit; f: {OUT}
ctx null | SK | argument | R1 is not the context
    f(__sk_buff*)
    r1 = 0; call f; exit; f: {OUT}
ctx moved | SK | argument | dereference of modified ctx ptr R1 off=4 disallowed
    f(__sk_buff*)
    r1 += 4; call f; exit; f: {OUT}
ctx stack | SK | argument | R1 is not the context
    f(__sk_buff*)
    r1 = r10; call f; exit; f: {OUT}
ctx of others | XDP | argument | R1 type=ctx expected=fp
    f(__sk_buff*)
    call f; exit; f: {OUT}
ctx xdp kernel | XDP
    f(xdp_buff*)
    call f; exit; f: r0 = *(u32 *)(r1 + 12); exit
ctx kprobe typedef | KPROBE
    f(bpf_user_pt_regs_t*)
    call f; exit; f: r0 = *(u64 *)(r1 + 0); exit
ctx kprobe struct | KPROBE
    f(pt_regs*)
    call f; exit; f: r0 = *(u64 *)(r1 + 0); exit
ctx kprobe tag struct | KPROBE
    f(pt_regs* ctx)
    call f; exit; f: r0 = *(u64 *)(r1 + 0); exit
ctx kprobe user_pt_regs | KPROBE | argument | arg#0 should be a pointer to this program's context, or void
    f(user_pt_regs* ctx)
    call f; exit; f: {OUT}
ctx rawtp | RTP
    f(bpf_raw_tracepoint_args*)
    call f; exit; f: r0 = *(u64 *)(r1 + 0); exit
ctx rawtp u64 | RTP
    f(u64* ctx)
    call f; exit; f: r0 = *(u64 *)(r1 + 0); exit
ctx tp tag void | TP
    f(void* ctx)
    call f; exit; f: r0 = *(u64 *)(r1 + 8); exit
ctx tp tag u64 | TP
    f(u64* ctx)
    call f; exit; f: r0 = *(u64 *)(r1 + 8); exit
ctx perf | PE
    f(bpf_perf_event_data*)
    call f; exit; f: r0 = *(u64 *)(r1 + 0); exit
ctx perf tag pt_regs | PE
    f(pt_regs* ctx)
    call f; exit; f: r0 = *(u64 *)(r1 + 0); exit
dynptr | CLS
    f(bpf_dynptr*)
    {DYNPTR}; call f; exit; f: !bpf_dynptr_size; exit
dynptr const | CLS
    f(const bpf_dynptr*)
    {DYNPTR}; call f; exit; f: !bpf_dynptr_size; exit
dynptr tags | CLS | argument | arg#0 has invalid combination of tags
    f(bpf_dynptr* nonnull)
    {DYNPTR}; call f; exit; f: {OUT}
dynptr none | CLS | argument | Expected an initialized dynptr as arg #0
    f(bpf_dynptr*)
    {S16}; call f; exit; f: {OUT}
dynptr ctx | CLS | argument | R1 is no dynptr (ctx)
    f(bpf_dynptr*)
    call f; exit; f: {OUT}
dynptr passed on | CLS
    f(bpf_dynptr*)
    g(bpf_dynptr*)
    {DYNPTR}; call f; exit; f: call g; exit; g: {OUT}
dynptr passed on moved | CLS | argument | dereference of modified dynptr_ptr ptr R1 off=8 disallowed
    f(bpf_dynptr*)
    g(bpf_dynptr*)
    {DYNPTR}; call f; exit; f: r1 += 8; call g; exit; g: {OUT}
trusted | CLS
    f(task_struct* trusted)
    {TASK}; r1 = r6; call f; {DROP}; out: {OUT}; f: r0 = *(u32 *)(r1 + 64); exit
trusted flavour | CLS
    f(task_struct___mine* trusted)
    {TASK}; r1 = r6; call f; {DROP}; out: {OUT}; f: r0 = *(u32 *)(r1 + 64); exit
trusted fwd | CLS | argument | arg#0 has type FWD 'cgroup', but only a kernel struct is all
    f(cgroup* trusted)
    {TASK}; r1 = r6; call f; {DROP}; out: {OUT}; f: r0 = *(u32 *)(r1 + 64); exit
trusted unknown struct | CLS | argument | arg#0 has type STRUCT 'nosuch', but only a kernel struct is
    f(nosuch* trusted)
    {TASK}; r1 = r6; call f; {DROP}; out: {OUT}; f: {OUT}
trusted int | CLS | argument | arg#0 has type INT 'int', but only a kernel struct is allowe
    f(int* trusted)
    {TASK}; r1 = r6; call f; {DROP}; out: {OUT}; f: {OUT}
trusted void | CLS | argument | arg#0 has type VOID '', but only a kernel struct is allowed
    f(void* trusted)
    {TASK}; r1 = r6; call f; {DROP}; out: {OUT}; f: {OUT}
trusted null | CLS | argument | R1 type=scalar expected=ptr_, trusted_ptr_, rcu_ptr_
    f(task_struct* trusted)
    r1 = 0; call f; {OUT}; f: {OUT}
trusted number | CLS | argument | R1 type=scalar expected=ptr_, trusted_ptr_, rcu_ptr_
    f(task_struct* trusted)
    r1 = 4; call f; {OUT}; f: {OUT}
trusted nonnull | CLS | argument | arg#0 has invalid combination of tags
    f(task_struct* trusted nonnull)
    {TASK}; r1 = r6; call f; {DROP}; out: {OUT}; f: r0 = *(u32 *)(r1 + 64); exit
trusted maybe null given | CLS | argument | R1 type=ptr_or_null_ expected=ptr_, trusted_ptr_, rcu_ptr_
    f(task_struct* trusted)
    r1 = 1; !bpf_task_from_pid; r6 = r0; r1 = r0; call f; if r6 == 0 goto out; {DROP}; out: {OUT}; f: {OUT}
trusted nullable | CLS
    f(task_struct* trusted nullable)
    r1 = 0; call f; {OUT}; f: if r1 == 0 goto o; r0 = *(u32 *)(r1 + 64); exit; o: {OUT}
trusted nullable unchecked | CLS | null | R1 invalid mem access 'trusted_ptr_or_null_'
    f(task_struct* trusted nullable)
    r1 = 0; call f; {OUT}; f: r0 = *(u32 *)(r1 + 64); exit
trusted nullable maybe | CLS
    f(task_struct* trusted nullable)
    r1 = 1; !bpf_task_from_pid; r6 = r0; r1 = r0; call f; if r6 == 0 goto out; {DROP}; out: {OUT}; f: {OUT}
trusted other struct | CLS | argument | R1 is of type cgroup but task_struct is expected
    f(task_struct* trusted)
    {CGROUP}; r1 = r6; call f; {UNCGROUP}; out: {OUT}; f: {OUT}
trusted then acquire | CLS
    f(task_struct* trusted)
    {TASK}; r1 = r6; call f; {DROP}; out: {OUT}; f: {ACQUIRE}
trusted release in callee | CLS | reference | release kernel function bpf_task_release expects refcounted
    f(task_struct* trusted)
    {TASK}; r1 = r6; call f; {DROP}; out: {OUT}; f: !bpf_task_release; {OUT}
untrusted | CLS
    f(task_struct* untrusted)
    r1 = 0; call f; {OUT}; f: r0 = *(u32 *)(r1 + 64); exit
untrusted stack | CLS
    f(task_struct* untrusted)
    r1 = r10; call f; {OUT}; f: r0 = *(u32 *)(r1 + 64); exit
untrusted written | CLS | type | only read is supported
    f(task_struct* untrusted)
    r1 = 0; call f; {OUT}; f: *(u32 *)(r1 + 64) = 0; {OUT}
untrusted acquire | CLS | argument | R1 must be a rcu pointer
    f(task_struct* untrusted)
    r1 = 0; call f; {OUT}; f: !bpf_task_acquire; {OUT}
untrusted void | CLS
    f(void* untrusted)
    r1 = 5; call f; {OUT}; f: r0 = *(u64 *)(r1 + 999); exit
untrusted int | CLS
    f(int* untrusted)
    r1 = 5; call f; {OUT}; f: r0 = *(u64 *)(r1 + 999); exit
untrusted char | CLS
    f(char* untrusted)
    r1 = 5; call f; {OUT}; f: r1 += 7; r0 = *(u8 *)(r1 + 999); exit
untrusted int written | CLS | type | R1 cannot write into rdonly_untrusted_mem
    f(int* untrusted)
    r1 = 5; call f; {OUT}; f: *(u64 *)(r1 + 8) = 1; {OUT}
untrusted enum | CLS
    f(enum* untrusted)
    r1 = 5; call f; {OUT}; f: r0 = *(u64 *)(r1 + 999); exit
untrusted ptr | CLS | argument | arg#0 has type PTR '', but only a kernel struct is allowed
    f(int** untrusted)
    r1 = 5; call f; {OUT}; f: r0 = *(u64 *)(r1 + 999); exit
untrusted nosuch | CLS | argument | arg#0 has type STRUCT 'nosuch', but only a kernel struct is
    f(nosuch* untrusted)
    r1 = 5; call f; {OUT}; f: {OUT}
untrusted nullable | CLS | argument | arg#0 has invalid combination of tags
    f(task_struct* untrusted nullable)
    r1 = 5; call f; {OUT}; f: {OUT}
untrusted trusted | CLS | argument | R1 type=scalar expected=ptr_, trusted_ptr_, rcu_ptr_
    f(task_struct* untrusted trusted)
    r1 = 5; call f; {OUT}; f: {OUT}
untrusted fwd | CLS | argument | arg#0 has type FWD 'cgroup', but only a kernel struct is all
    f(cgroup* untrusted)
    r1 = 5; call f; {OUT}; f: r0 = *(u64 *)(r1 + 0); exit
untrusted uninit | CLS | uninitialised | R6 !read_ok: it is read, but nothing was written to it on th
    f(task_struct* untrusted)
    r1 = r6; call f; {OUT}; f: {OUT}
untrusted never set | CLS | argument | R1 is not a scalar
    f(int, task_struct* untrusted)
    r0 = 0; call f; {OUT}; f: {OUT}
arena number | CLS
    f(pair* arena)
    r1 = 5; call f; {OUT}; f: {OUT}
arena stack | CLS | argument | R1 is not a pointer to arena or scalar
    f(pair* arena)
    r1 = r10; call f; {OUT}; f: {OUT}
arena nonnull | CLS | argument | arg#0 has invalid combination of tags
    f(pair* arena nonnull)
    r1 = 5; call f; {OUT}; f: {OUT}
arena used | CLS | type | R1 invalid mem access 'scalar'
    f(pair* arena)
    r1 = 5; call f; {OUT}; f: r0 = *(u64 *)(r1 + 0); exit
"""


def test_prototypes(cases, decided, case):
    decided(cases.spec_of(case, library=library(cases, case.functions)), case.category, case.message)


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
            functions = library(cases, [f"f({name}*{tag})"])
            flags = 16 * (kind == ProgType.SYSCALL)
            spec = cases.program(kind, text, library=functions, expected_attach_type=KINDS[kind], flags=flags)
            if kernel.load(spec).accept != verify(spec, "6.18", env=env).ok:
                wrong.append(f"{name}*{tag}")
    assert not wrong
