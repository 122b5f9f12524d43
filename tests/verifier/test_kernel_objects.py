"""Objects of the kernel: what is read through pointers that BTF types, how far they are trusted, who hands them out."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.kernel

TASK = "r1 = 1; !bpf_task_from_pid; if r0 == 0 goto out; r6 = r0"
DROP = "r1 = r6; !bpf_task_release"
ACQUIRE = "!bpf_task_acquire; if r0 == 0 goto {}; r1 = r0; !bpf_task_release"
SKB = "r6 = r1; !bpf_cast_to_kern_ctx; r7 = r0"
OUT = "r0 = 0; exit"
DYNPTR = "r6 = r1; r2 = 0; r3 = r10; r3 += -16; !bpf_dynptr_from_skb; r1 = r10; r1 += -16; r2 = 0"
END = f"out: {OUT}"

TABLE = f"""
number | CLS
    {TASK}; r7 = *(u32 *)(r6 + $task_struct.pid); {DROP}; {END}
part of a number | CLS
    {TASK}; r7 = *(u16 *)(r6 + $task_struct.pid); {DROP}; {END}
byte of an array | CLS
    {TASK}; r7 = *(u8 *)(r6 + $task_struct.comm); {DROP}; {END}
words of an array | CLS
    {TASK}; r7 = *(u64 *)(r6 + $task_struct.comm); {DROP}; {END}
member of a structure inside | CLS
    {TASK}; r7 = *(u64 *)(r6 + $task_struct.se); {DROP}; {END}
pointer | CLS | bounds-memory | access beyond the end of member  (0+4)
    {TASK}; r7 = *(u64 *)(r6 + $task_struct.mm); if r7 == 0 goto x; r7 = *(u64 *)(r7 + 64); x: {DROP}; {END}
half a pointer | CLS | bounds-memory | cannot access ptr member mm with moff 1136 in struct task_st
    {TASK}; r7 = *(u32 *)(r6 + $task_struct.mm); {DROP}; {END}
middle of a pointer | CLS | bounds-memory | cannot access ptr member mm with moff 1136 in struct task_st
    {TASK}; r7 = r6; r7 += 4; r7 = *(u64 *)(r7 + $task_struct.mm); {DROP}; {END}
beyond the structure | CLS | bounds-memory | access beyond struct task_struct at off 30000 size 8
    {TASK}; r7 = *(u64 *)(r6 + 30000); {DROP}; {END}
before the structure | CLS | bounds-memory | R6 is ptr_task_struct invalid negative access: off=-8
    {TASK}; r7 = *(u64 *)(r6 - 8); {DROP}; {END}
at unknown offset | CLS | bounds-memory | R7 is ptr_task_struct invalid variable offset: off=0
    {TASK}; call 7; r0 &= 7; r7 = r6; r7 += r0; r7 = *(u8 *)(r7 + 0); {DROP}; {END}
moved by a constant | CLS
    {TASK}; r7 = r6; r7 += 8; r7 = *(u8 *)(r7 + $task_struct.pid); {DROP}; {END}
written | CLS | type | only read is supported
    {TASK}; *(u32 *)(r6 + $task_struct.pid) = 1; {DROP}; {END}
of a proprietary program | CLS proprietary
    r1 = hash ll; r0 = *(u64 *)(r1 + 0); {OUT}
parent in an RCU section | SYSCALL
    {TASK}; !bpf_rcu_read_lock; r1 = *(u64 *)(r6 + $task_struct.real_parent); if r1 == 0 goto x; {ACQUIRE.format("x")}
    x: !bpf_rcu_read_unlock; {DROP}; {END}
parent outside of an RCU section | SYSCALL | argument | R1 must be a rcu pointer
    {TASK}; r1 = *(u64 *)(r6 + $task_struct.real_parent); if r1 == 0 goto x; {ACQUIRE.format("x")}
    x: {DROP}; {END}
parent in a program that does not sleep | CLS
    {TASK}; r1 = *(u64 *)(r6 + $task_struct.real_parent); if r1 == 0 goto x; {ACQUIRE.format("x")}
    x: {DROP}; {END}
parent unchecked | CLS
    {TASK}; r1 = *(u64 *)(r6 + $task_struct.real_parent); {ACQUIRE.format("x")}; x: {DROP}; {END}
leader | CLS
    {TASK}; r1 = *(u64 *)(r6 + $task_struct.group_leader); if r1 == 0 goto x; {ACQUIRE.format("x")}
    x: {DROP}; {END}
last wakee, not safe | CLS | argument | R1 must be a rcu pointer
    {TASK}; r1 = *(u64 *)(r6 + $task_struct.last_wakee); if r1 == 0 goto x; {ACQUIRE.format("x")}; x: {DROP}; {END}
parent of the last wakee | CLS | argument | R1 must be a rcu pointer
    {TASK}; r1 = *(u64 *)(r6 + $task_struct.last_wakee); r1 = *(u64 *)(r1 + $task_struct.real_parent)
    if r1 == 0 goto x
    {ACQUIRE.format("x")}; x: {DROP}; {END}
parent after the RCU section | SYSCALL | argument | R1 must be a rcu pointer
    {TASK}; !bpf_rcu_read_lock; r7 = *(u64 *)(r6 + $task_struct.real_parent); !bpf_rcu_read_unlock; r1 = r7
    if r1 == 0 goto x
    {ACQUIRE.format("x")}; x: {DROP}; {END}
parent read after the RCU section | SYSCALL
    {TASK}; !bpf_rcu_read_lock; r7 = *(u64 *)(r6 + $task_struct.real_parent); !bpf_rcu_read_unlock
    r7 = *(u32 *)(r7 + $task_struct.pid); {DROP}; {END}
cgroups of a task | CLS
    {TASK}; r1 = *(u64 *)(r6 + $task_struct.cgroups); r1 = *(u64 *)(r1 + $css_set.dfl_cgrp); if r1 == 0 goto x
    !bpf_cgroup_acquire; if r0 == 0 goto x; r1 = r0; !bpf_cgroup_release; x: {DROP}; {END}
cgroup is under a task's | CLS
    {TASK}; r2 = *(u64 *)(r6 + $task_struct.cgroups); r2 = *(u64 *)(r2 + $css_set.dfl_cgrp); r1 = r6
    if r2 == 0 goto x
    !bpf_task_under_cgroup; x: {DROP}; {END}
structure inside as an argument | CLS | argument | kernel function bpf_task_acquire args#0 expected pointer to
    {TASK}; r1 = r6; r1 += $task_struct.se; !bpf_task_acquire; {DROP}; {END}
wrong structure as an argument | CLS | argument | kernel function bpf_task_acquire args#0 expected pointer to
    {TASK}; r1 = *(u64 *)(r6 + $task_struct.cgroups); !bpf_task_acquire; {DROP}; {END}
cpumask of a task | CLS | helper | calling kernel function bpf_cpumask_first is not allowed
    {TASK}; r1 = *(u64 *)(r6 + $task_struct.cpus_ptr); !bpf_cpumask_first; {DROP}; {END}
union in a structure | CLS
    {SKB}; r1 = *(u64 *)(r7 + $sk_buff.dev); r0 = *(u32 *)(r1 + $net_device.ifindex); r0 = 0; exit
socket of a packet | CLS
    {SKB}; r1 = *(u64 *)(r7 + $sk_buff.sk); if r1 == 0 goto out; r0 = *(u16 *)(r1 + 16); {END}
socket of a packet, unchecked | CLS | null | R1 invalid mem access 'rcu_ptr_or_null_'
    {SKB}; r1 = *(u64 *)(r7 + $sk_buff.sk); r0 = *(u16 *)(r1 + 16); {END}
socket of a packet in a helper | CLS | argument | R2 type=rcu_ptr_ expected=sock_common, sock, tcp_sock, xdp_s
    {SKB}; r2 = *(u64 *)(r7 + $sk_buff.sk); if r2 == 0 goto out; r1 = sks ll; r3 = 0; r4 = 0; call 107; {END}
socket of a packet, unchecked in a helper | CLS | argument | R2 type=rcu_ptr_or_null_ expected=sock_common, sock, tcp_soc
    {SKB}; r2 = *(u64 *)(r7 + $sk_buff.sk); r1 = sks ll; r3 = 0; r4 = 0; call 107; {END}
packet of a packet | CLS
    {SKB}; r1 = *(u64 *)(r7 + $sk_buff.next); r0 = *(u32 *)(r1 + $sk_buff.len); r0 = 0; exit
bits of a structure | CLS
    {SKB}; r0 = *(u8 *)(r7 + $sk_buff.pkt_type); r0 = 0; exit
bits of a structure, too wide | CLS
    {SKB}; r0 = *(u64 *)(r7 + $sk_buff.pkt_type); r0 = 0; exit
head of a packet | CLS
    {SKB}; r1 = *(u64 *)(r7 + $sk_buff.head); r0 = *(u8 *)(r1 + 0); r0 = 0; exit
packet written | CLS | type | only read is supported
    {SKB}; *(u32 *)(r7 + $sk_buff.mark) = 1; {OUT}
context back from the kernel's | CLS | argument | arg#0 expected pointer to ctx, but got trusted_ptr_
    {SKB}; r1 = r7; r2 = 0; r3 = r10; r3 += -16; !bpf_dynptr_from_skb; {OUT}
head of a packet, written | CLS | type | R1 cannot write into rdonly_untrusted_mem
    {SKB}; r1 = *(u64 *)(r7 + $sk_buff.head); *(u8 *)(r1 + 0) = 1; {OUT}
head of a packet, beyond | CLS
    {SKB}; r1 = *(u64 *)(r7 + $sk_buff.head); r1 += 99; r0 = *(u64 *)(r1 + 9999); {OUT}
head of a packet in a helper | TP
    call 158; r1 = *(u64 *)(r0 + $task_struct.stack); r2 = 8; r3 = r1; r1 = r10; r1 += -8; call 113; {OUT}
head of a packet as memory | CLS | argument | R1 type=rdonly_untrusted_mem expected=fp, pkt, pkt_meta, map
    {SKB}; r1 = *(u64 *)(r7 + $sk_buff.head); r2 = 8; r3 = 0; r4 = 0; r5 = 0; call 28; {OUT}
function of a device | CLS
    {SKB}; r1 = *(u64 *)(r7 + $sk_buff.dev); r1 = *(u64 *)(r1 + $net_device.netdev_ops); r1 = *(u64 *)(r1 + 0)
    r0 = *(u64 *)(r1 + 0); {OUT}
kernel context of a raw tracepoint | RTP | argument | kern ctx type is not a struct
    !bpf_cast_to_kern_ctx; {OUT}
kernel context of a syscall program | SYSCALL | argument | kern ctx type is not a struct
    !bpf_cast_to_kern_ctx; {OUT}
kernel context of tracing | TRACING 23 @sched_switch | argument | kern ctx type is not a struct
    !bpf_cast_to_kern_ctx; {OUT}
packet of a tracepoint | TRACING 23 @kfree_skb
    r1 = *(u64 *)(r1 + 0); r2 = 0; r3 = r10; r3 += -16; !bpf_dynptr_from_skb; {OUT}
released at an offset | CLS | argument | R1 must have zero offset when passed to release func or trus
    {TASK}; r1 = r6; r1 += 8; !bpf_task_release; {END}
structure inside as the cpumask | CLS | helper | calling kernel function bpf_cpumask_first is not allowed
    {TASK}; r1 = r6; r1 += $task_struct.cpus_mask; !bpf_cpumask_first; {DROP}; {END}
structure beside the cpumask | CLS | helper | calling kernel function bpf_cpumask_first is not allowed
    {TASK}; r1 = r6; r1 += $task_struct.se; !bpf_cpumask_first; {DROP}; {END}
context of another kind | CLS | argument | arg#0 expected pointer to ctx, but got untrusted_ptr_
    {SKB}; r1 = *(u64 *)(r7 + $sk_buff.dev); r2 = 0; r3 = r10; r3 += -16; !bpf_dynptr_from_skb; {OUT}
kernel context twice | CLS | argument | arg#0 expected pointer to ctx, but got trusted_ptr_
    {SKB}; r1 = r7; !bpf_cast_to_kern_ctx; {OUT}
kernel context of XDP | XDP
    !bpf_cast_to_kern_ctx; r1 = *(u64 *)(r0 + $xdp_buff.rxq); r1 = *(u64 *)(r1 + $xdp_rxq_info.dev)
    r0 = *(u32 *)(r1 + $net_device.ifindex); r0 = 2; exit
kernel context of a flow dissector | FLOW_DISSECTOR
    !bpf_cast_to_kern_ctx; r0 = *(u64 *)(r0 + 0); r0 = 0; exit
kernel context of a cgroup's socket | CGROUP_SOCK 2
    !bpf_cast_to_kern_ctx; r0 = *(u16 *)(r0 + 16); r0 = 1; exit
kernel context of perf | PE
    !bpf_cast_to_kern_ctx; r1 = *(u64 *)(r0 + 0); r0 = *(u64 *)(r1 + 0); r0 = 0; exit
kernel context of a tracepoint | TP | argument | kern ctx type is not a struct
    !bpf_cast_to_kern_ctx; {OUT}
cast to a structure | CLS
    r2 = $task_struct; !bpf_rdonly_cast; r0 = *(u32 *)(r0 + $task_struct.pid); r0 = 0; exit
cast to a structure, written | CLS | type | only read is supported
    r2 = $task_struct; !bpf_rdonly_cast; *(u32 *)(r0 + $task_struct.pid) = 1; {OUT}
cast to a structure, beyond | CLS | bounds-memory | access beyond struct task_struct at off 30000 size 4
    r2 = $task_struct; !bpf_rdonly_cast; r0 = *(u32 *)(r0 + 30000); {OUT}
cast to a structure, as argument | CLS | argument | R1 must be a rcu pointer
    r2 = $task_struct; !bpf_rdonly_cast; r1 = r0; !bpf_task_acquire; {OUT}
cast to a structure, pointer | CLS
    r2 = $task_struct; !bpf_rdonly_cast; r1 = *(u64 *)(r0 + $task_struct.real_parent)
    r0 = *(u32 *)(r1 + $task_struct.pid); r0 = 0; exit
cast to a structure, compared | CLS
    r2 = $task_struct; !bpf_rdonly_cast; if r0 == 0 goto out; r0 = *(u32 *)(r0 + $task_struct.pid); {END}
cast to a structure, in memory of a helper | TP
    r2 = $task_struct; !bpf_rdonly_cast; r1 = r10; r1 += -8; r2 = 8; r3 = r0; call 113; {OUT}
cast to void | CLS
    r2 = 0; !bpf_rdonly_cast; r0 = *(u64 *)(r0 + 99); r0 = 0; exit
cast to void, written | CLS | type | R0 cannot write into rdonly_untrusted_mem
    r2 = 0; !bpf_rdonly_cast; *(u64 *)(r0 + 0) = 1; {OUT}
cast to void, at unknown offset | CLS
    r3 = *(u32 *)(r1 + 0); r2 = 0; r6 = r3; !bpf_rdonly_cast; r0 += r6; r0 = *(u64 *)(r0 - 8); r0 = 0; exit
cast to an unknown type | CLS | argument | Unknown type ID 99999999 passed to kfunc bpf_rdonly_cast
    r2 = 99999999; !bpf_rdonly_cast; {OUT}
cast to a number | CLS | argument | kfunc bpf_rdonly_cast type ID argument must be of a struct o
    r2 = 1; !bpf_rdonly_cast; {OUT}
cast to a type that is not constant | CLS | argument | R2 must be a known constant
    r2 = *(u32 *)(r1 + 0); !bpf_rdonly_cast; {OUT}
current task | TP
    call 158; r0 = *(u32 *)(r0 + $task_struct.pid); {OUT}
current task acquired | TP
    call 158; r1 = r0; {ACQUIRE.format("out")}; {END}
current task as a number | TP | type | R0 invalid mem access 'scalar'
    call 35; r0 = *(u32 *)(r0 + $task_struct.pid); {OUT}
registers of the current task | TP
    call 158; r1 = r0; call 175; r0 = *(u64 *)(r0 + 0); {OUT}
storage of a task | TP
    call 158; r2 = r0; r1 = tasks ll; r3 = 0; r4 = 1; call 156; if r0 == 0 goto out; *(u64 *)(r0 + 0) = 1; {END}
storage of a task, unchecked | TP | null | R0 invalid mem access 'map_value_or_null'
    call 158; r2 = r0; r1 = tasks ll; r3 = 0; r4 = 1; call 156; *(u64 *)(r0 + 0) = 1; {END}
storage of no task | TP
    r2 = 0; r1 = tasks ll; r3 = 0; r4 = 1; call 156; {OUT}
storage of another object | TP | argument | R2 is of type css_set but task_struct is expected
    call 158; r2 = *(u64 *)(r0 + $task_struct.cgroups); r1 = tasks ll; r3 = 0; r4 = 1; call 156; {OUT}
storage of a moved task | TP | argument | R2 is of type task_struct but task_struct is expected
    call 158; r2 = r0; r2 += 8; r1 = tasks ll; r3 = 0; r4 = 1; call 156; {OUT}
storage in a map of another kind | TP | argument | cannot pass map_type 32 into func bpf_task_storage_get#156
    call 158; r2 = r0; r1 = cgrps ll; r3 = 0; r4 = 1; call 156; {OUT}
iterator of tasks | CLS | reference | BPF_EXIT instruction in main prog would lead to reference le
    r1 = r10; r1 += -24; r2 = 0; r3 = 0; !bpf_iter_task_new; {OUT}
iterator of tasks in a syscall program | SYSCALL
    !bpf_rcu_read_lock; r1 = r10; r1 += -24; r2 = 0; r3 = 0; !bpf_iter_task_new; l: r1 = r10; r1 += -24
    !bpf_iter_task_next
    if r0 == 0 goto x; r7 = *(u32 *)(r0 + $task_struct.pid); goto l; x: r1 = r10; r1 += -24; !bpf_iter_task_destroy
    !bpf_rcu_read_unlock; {OUT}
tracepoint's task | TRACING 23 @sched_switch
    r2 = *(u64 *)(r1 + 8); r0 = *(u32 *)(r2 + $task_struct.pid); {OUT}
tracepoint's number | TRACING 23 @sched_switch | type | R2 invalid mem access 'scalar'
    r2 = *(u64 *)(r1 + 0); r0 = *(u32 *)(r2 + 0); {OUT}
tracepoint's number, narrow | TRACING 23 @sched_switch
    r2 = *(u8 *)(r1 + 0); {OUT}
tracepoint's pointer, narrow | TRACING 23 @sched_switch | ctx-access | invalid bpf_context access off=8 size=4
    r2 = *(u32 *)(r1 + 8); {OUT}
tracepoint's argument between | TRACING 23 @sched_switch | ctx-access | invalid bpf_context access off=4 size=8
    r2 = *(u64 *)(r1 + 4); {OUT}
tracepoint's argument too many | TRACING 23 @sched_switch | ctx-access | invalid bpf_context access off=32 size=8
    r2 = *(u64 *)(r1 + 32); {OUT}
tracepoint's argument written | TRACING 23 @sched_switch | ctx-access | invalid bpf_context access off=8 size=8
    *(u64 *)(r1 + 8) = 0; {OUT}
tracepoint's context moved | TRACING 23 @sched_switch | ctx-access | dereference of modified ctx ptr R1 off=8 disallowed
    r1 += 8; r2 = *(u64 *)(r1 + 0); {OUT}
tracepoint's task acquired | TRACING 23 @sched_switch
    r1 = *(u64 *)(r1 + 8); {ACQUIRE.format("out")}; {END}
tracepoint's task acquired and kept | TRACING 23 @sched_switch | reference | BPF_EXIT instruction in main prog would lead to
    r1 = *(u64 *)(r1 + 8); !bpf_task_acquire; {OUT}
tracepoint's task's parent acquired | TRACING 23 @sched_switch
    r1 = *(u64 *)(r1 + 8); r1 = *(u64 *)(r1 + $task_struct.real_parent); if r1 == 0 goto out
    {ACQUIRE.format("out")}; {END}
tracepoint's task written | TRACING 23 @sched_switch | type | only read is supported
    r1 = *(u64 *)(r1 + 8); *(u32 *)(r1 + $task_struct.pid) = 0; {OUT}
tracepoint returns one | TRACING 23 @sched_switch
    r0 = 1; exit
tracepoint's pointer to a number | TRACING 23 @sched_process_exec
    r1 = *(u64 *)(r1 + 16); r0 = *(u32 *)(r1 + $linux_binprm.envc); {OUT}
iterator's task | TRACING 28 @task
    r1 = *(u64 *)(r1 + 8); if r1 == 0 goto out; r0 = *(u32 *)(r1 + $task_struct.pid); {END}
iterator's task unchecked | TRACING 28 @task | null | R1 invalid mem access 'trusted_ptr_or_null_'
    r1 = *(u64 *)(r1 + 8); r0 = *(u32 *)(r1 + $task_struct.pid); {END}
iterator's output | TRACING 28 @task
    r1 = *(u64 *)(r1 + 0); r1 = *(u64 *)(r1 + 0); *(u64 *)(r10 - 8) = 0; r2 = r10; r2 += -8; r3 = 8; call 127; {OUT}
iterator's output of a number | TRACING 28 @task | argument | R1 type=scalar expected=ptr_, trusted_ptr_, rcu_ptr_
    r1 = 5; *(u64 *)(r10 - 8) = 0; r2 = r10; r2 += -8; r3 = 8; call 127; {OUT}
iterator's output of memory of the kernel | TRACING 28 @task
    r6 = *(u64 *)(r1 + 8); if r6 == 0 goto out; r1 = *(u64 *)(r1 + 0); r1 = *(u64 *)(r1 + 0); r2 = r6; r3 = 8
    call 127; {END}
iterator returns two | TRACING 28 @task | return-value | At program exit the register R0 has smin=2 smax=2 should hav
    r0 = 2; exit
iterator's key | TRACING 28 @bpf_map_elem
    r2 = *(u64 *)(r1 + 16); if r2 == 0 goto out; r0 = *(u32 *)(r2 + 0); {END}
iterator's key unchecked | TRACING 28 @bpf_map_elem | null | R2 invalid mem access 'rdonly_buf_or_null'
    r2 = *(u64 *)(r1 + 16); r0 = *(u32 *)(r2 + 0); {END}
iterator's key written | TRACING 28 @bpf_map_elem | type | R2 cannot write into rdonly_buf
    r2 = *(u64 *)(r1 + 16); if r2 == 0 goto out; *(u32 *)(r2 + 0) = 1; {END}
iterator's key at negative offset | TRACING 28 @bpf_map_elem | bounds-memory | R2 invalid rdonly buffer access: off=-4
    r2 = *(u64 *)(r1 + 16); if r2 == 0 goto out; r0 = *(u32 *)(r2 - 4); {END}
iterator's value written | TRACING 28 @bpf_map_elem
    r2 = *(u64 *)(r1 + 24); if r2 == 0 goto out; *(u32 *)(r2 + 0) = 1; {END}
iterator's value at unknown offset | TRACING 28 @bpf_map_elem | uninitialised | R9 !read_ok: it is read, but nothing was wri
    r2 = *(u64 *)(r1 + 24); if r2 == 0 goto out; call 7; r0 &= 7; r2 = r9; {END}
iterator's value moved by an unknown | TRACING 28 @bpf_map_elem | bounds-memory | R6 invalid variable buffer offset: off=0,
    r6 = *(u64 *)(r1 + 24); if r6 == 0 goto out; call 7; r0 &= 7; r6 += r0; r0 = *(u8 *)(r6 + 0); {END}
iterator's value into a helper | TRACING 28 @bpf_map_elem | helper | program of this type cannot use helper bpf_csum_diff#28
    r6 = *(u64 *)(r1 + 24); if r6 == 0 goto out; r1 = r6; r2 = 8; r3 = 0; r4 = 0; r5 = 0; call 28; r1 = r6; r2 = 8
    call 16; {END}
iterator's key filled by a helper | TRACING 28 @bpf_map_elem | argument | R1 type=rdonly_buf expected=fp, pkt, pkt_meta, map
    r6 = *(u64 *)(r1 + 16); if r6 == 0 goto out; r1 = r6; r2 = 8; call 16; {END}
iterator's key looked up | TRACING 28 @bpf_map_elem | argument | R2 type=rdonly_buf expected=fp, pkt, pkt_meta, map_key, map_
    r2 = *(u64 *)(r1 + 16); if r2 == 0 goto out; r1 = hash ll; call 1; {END}
iterator's map | TRACING 28 @bpf_map_elem
    r2 = *(u64 *)(r1 + 8); if r2 == 0 goto out; r0 = *(u32 *)(r2 + $bpf_map.id); {END}
iterator's map's count | TRACING 28 @bpf_map
    r1 = *(u64 *)(r1 + 8); if r1 == 0 goto out; !bpf_map_sum_elem_count; {END}
iterator's map, unchecked count | TRACING 28 @bpf_map | null | Possibly NULL pointer passed to trusted arg0
    r1 = *(u64 *)(r1 + 8); !bpf_map_sum_elem_count; {END}
slice with an unknown size | CLS | argument | memory, len pair leads to invalid memory access
    r7 = *(u32 *)(r1 + 0); {DYNPTR}; r3 = r10; r3 += -64; r4 = r7; !bpf_dynptr_slice; {OUT}
slice with a size in bounds | CLS | argument | R4 must be a known constant
    r7 = *(u32 *)(r1 + 0); r7 &= 7; {DYNPTR}; r3 = r10; r3 += -64; r4 = r7; !bpf_dynptr_slice; {OUT}
slice with a negative size | CLS | argument | memory, len pair leads to invalid memory access
    r7 = *(u32 *)(r1 + 0); r7 = (s32)r7; {DYNPTR}; r3 = r10; r3 += -64; r4 = r7; !bpf_dynptr_slice; {OUT}
slice of an unknown size without a buffer | CLS | argument | R4 must be a known constant
    r7 = *(u32 *)(r1 + 0); {DYNPTR}; r3 = 0; r4 = r7; !bpf_dynptr_slice; {OUT}
slice with too small a buffer | CLS | argument | arg#2 arg#3 memory, len pair leads to invalid memory access:
    {DYNPTR}; r3 = r10; r3 += -8; r4 = 16; !bpf_dynptr_slice; {OUT}
slice with the context as buffer | CLS | argument | R3 type=ctx expected=fp
    {DYNPTR}; r3 = r6; r4 = 16; !bpf_dynptr_slice; {OUT}
text of user space | SYSCALL
    r1 = r10; r1 += -8; r2 = 8; r3 = 0; r4 = 0; !bpf_copy_from_user_str; {OUT}
text of user space of a pointer's size | SYSCALL | argument | R2 is not a scalar
    r1 = r10; r1 += -8; r2 = r10; r3 = 0; r4 = 0; !bpf_copy_from_user_str; {OUT}
text of user space of an unknown size | SYSCALL | argument | arg#0 arg#1 memory, len pair leads to invalid memory access
    r2 = *(u32 *)(r1 + 0); r1 = r10; r1 += -8; r3 = 0; r4 = 0; !bpf_copy_from_user_str; {OUT}
text of user space of a negative size | SYSCALL | argument | arg#0 arg#1 memory, len pair leads to invalid memory access
    r2 = -1; r1 = r10; r1 += -8; r3 = 0; r4 = 0; !bpf_copy_from_user_str; {OUT}
text of user space into nothing | SYSCALL
    r1 = 0; r2 = 0; r3 = 0; r4 = 0; !bpf_copy_from_user_str; {OUT}
text of user space into an unchecked value | SYSCALL
    *(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r1 = hash ll; call 1; r1 = r0; r2 = 8; r3 = 0; r4 = 0
    !bpf_copy_from_user_str; {OUT}
text of user space into a read-only value | SYSCALL | argument | arg#0 arg#1 memory, len pair leads to invalid memory access:
    r1 = map_val(readonly); r2 = 8; r3 = 0; r4 = 0; !bpf_copy_from_user_str; {OUT}
text of user space in an RCU section | SYSCALL | lock | kernel func bpf_copy_from_user_str is sleepable within rcu_r
    !bpf_rcu_read_lock; r1 = r10; r1 += -8; r2 = 8; r3 = 0; r4 = 0; !bpf_copy_from_user_str; !bpf_rcu_read_unlock; {OUT}
object of the program without BTF | CLS | btf | bpf_obj_new_impl requires prog BTF
    r1 = 1; r2 = 0; !bpf_obj_new_impl; {OUT}
"""


def test_rules(cases, plainmaps, decided, case):
    decided(cases.spec_of(case, plainmaps), case.category, case.message)
