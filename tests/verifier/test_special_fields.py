"""Locks, timers and work queues in values of maps, and what their callbacks may do; the kernel says the same."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.kernel


def look(name: str, register: int = 7, key: int = 0) -> str:
    """The value of a map in a register."""
    call = f"r2 = r10; r2 += -4; r1 = {name} ll; call 1"
    return f"*(u32 *)(r10 - 4) = {key}; {call}; if r0 == 0 goto out; r{register} = r0"


def lock(register: int = 7) -> str:
    return f"r1 = r{register}; call 93"


def unlock(register: int = 7) -> str:
    return f"r1 = r{register}; call 94"


OUT = "r0 = 0; exit"
END = f"out: {OUT}"
TIMED = look("timed")
INIT = "r1 = r7; r1 += 8; r2 = timed ll; r3 = 1; call 169"

TABLE = f"""
spin lock | CLS
    {look("locked")}; r6 = r7; r6 += 8; {lock(6)}; *(u64 *)(r7 + 0) = 1; {unlock(6)}; {END}
spin lock twice | CLS | lock | function calls are not allowed while holding a lock
    {look("locked")}; r6 = r7; r6 += 8; {lock(6)}; {lock(6)}; {unlock(6)}; {END}
spin lock not held | CLS | lock | bpf_spin_unlock without taking a lock
    {look("locked")}; r6 = r7; r6 += 8; {unlock(6)}; {END}
spin lock of another | CLS | lock | bpf_spin_unlock of different lock
    {look("locked")}; r6 = r7; r6 += 8; {look("locked", 8)}; r8 += 8; {lock(6)}; {unlock(8)}; {END}
spin lock wrong place | CLS | lock | off 0 doesn't point to 'struct bpf_spin_lock' that is at 8
    {look("locked")}; {lock(7)}; {unlock(7)}; {END}
spin lock variable | CLS | lock | R1 doesn't have constant offset. bpf_spin_lock has to be at the
    {look("locked")}; call 7; r0 &= 8; r7 += r0; {lock(7)}; {unlock(7)}; {END}
spin lock none | CLS | lock | off 0 doesn't point to 'struct bpf_spin_lock' that is at 64
    {look("pointers")}; {lock(7)}; {unlock(7)}; {END}
spin lock untyped | CLS | lock | map 'untyped' has to have BTF in order to use bpf_spin_lock
    {look("untyped")}; {lock(7)}; {unlock(7)}; {END}
spin lock on stack | CLS | argument | R1 type=fp expected=map_value, ptr_
    r7 = r10; r7 += -8; *(u64 *)(r10 - 8) = 0; {lock(7)}; {unlock(7)}; {OUT}
spin lock read | CLS | type | bpf_spin_lock cannot be accessed directly by load/store
    {look("locked")}; r0 = *(u32 *)(r7 + 8); {END}
spin lock written | CLS | type | bpf_spin_lock cannot be accessed directly by load/store
    {look("locked")}; *(u32 *)(r7 + 8) = 0; {END}
spin lock read by helper | CLS | type | bpf_spin_lock cannot be accessed directly by load/store
    {look("locked")}; r1 = r7; r2 = 16; r3 = 0; r4 = 0; r5 = 0; call 28; {END}
spin lock helper inside | CLS | lock | function calls are not allowed while holding a lock
    {look("locked")}; r6 = r7; r6 += 8; {lock(6)}; call 7; {unlock(6)}; {END}
spin lock call inside | CLS
    {look("locked")}; r6 = r7; r6 += 8; {lock(6)}; call f; {unlock(6)}; {END}; f: {OUT}
spin lock global call inside | CLS | lock | global function calls are not allowed while holding a lock, use
    {look("locked")}; r6 = r7; r6 += 8; {lock(6)}; r1 = 0; call outer; {unlock(6)}; {END}; outer: {OUT}
spin lock kept | CLS | lock | BPF_EXIT instruction in main prog cannot be used inside bpf_spin
    {look("locked")}; r6 = r7; r6 += 8; {lock(6)}; {END}
spin lock in a socket filter | SK | lock | socket filter programs cannot use maps with a bpf_spin_lock
    {look("locked")}; {END}
spin lock in a tracepoint | TP | lock | tracing programs cannot use maps with a bpf_spin_lock
    {look("locked")}; {END}
lists in a tracepoint | TP | map | tracing programs cannot use bpf_list_head and bpf_rb_root
    {look("roots")}; {END}
timer in a tracepoint | TP | map | tracing programs cannot use maps with a bpf_timer or bpf_wq
    {look("timed")}; {END}
resilient | CLS
    {look("resilient")}; r1 = r7; !bpf_res_spin_lock; if r0 != 0 goto out; r1 = r7; !bpf_res_spin_unlock; {END}
resilient unchecked | CLS | lock | bpf_res_spin_unlock without taking a lock
    {look("resilient")}; r1 = r7; !bpf_res_spin_lock; r1 = r7; !bpf_res_spin_unlock; {END}
resilient twice | CLS | lock | Acquiring the same lock again, AA deadlock detected
    {look("resilient")}; r1 = r7; !bpf_res_spin_lock; if r0 != 0 goto out; r1 = r7; !bpf_res_spin_lock; {END}
resilient two | CLS
    {look("resilient")}; {look("resilient", 8)}; r1 = r7; !bpf_res_spin_lock; if r0 != 0 goto out; r1 = r8
    !bpf_res_spin_lock; if r0 != 0 goto x; r1 = r8; !bpf_res_spin_unlock; x: r1 = r7; !bpf_res_spin_unlock; {END}
resilient out of order | CLS | lock | bpf_res_spin_unlock cannot be out of order
    {look("resilient")}; {look("resilient", 8)}; r1 = r7; !bpf_res_spin_lock; if r0 != 0 goto out; r1 = r8
    !bpf_res_spin_lock; if r0 != 0 goto x; r1 = r7; !bpf_res_spin_unlock; r1 = r8; !bpf_res_spin_unlock; {OUT}
    x: r1 = r7; !bpf_res_spin_unlock; {END}
resilient never locked | CLS | lock | bpf_res_spin_unlock without taking a lock
    {look("resilient")}; r1 = r7; !bpf_res_spin_unlock; {END}
resilient stack | CLS | argument | arg#0 doesn't point to map value or allocated object
    r1 = r10; r1 += -8; !bpf_res_spin_lock; {OUT}
resilient wrong place | CLS | lock | off 4 doesn't point to 'struct bpf_res_spin_lock' that is at 0
    {look("resilient")}; r1 = r7; r1 += 4; !bpf_res_spin_lock; {END}
resilient kept | CLS | lock | BPF_EXIT instruction in main prog cannot be used inside bpf_spin
    {look("resilient")}; r1 = r7; !bpf_res_spin_lock; {END}
resilient plain lock | CLS | lock | map 'resilient' has no valid bpf_spin_lock
    {look("resilient")}; {lock()}; {unlock()}; {END}
plain resilient lock | CLS | lock | map 'locked' has no valid bpf_res_spin_lock
    {look("locked")}; r1 = r7; r1 += 8; !bpf_res_spin_lock; {END}
resilient around plain | CLS | lock | function calls are not allowed while holding a lock
    {look("resilient")}; {look("locked", 8)}; r1 = r7; !bpf_res_spin_lock; if r0 != 0 goto out; r1 = r8; r1 += 8
    call 93; r1 = r8; r1 += 8; call 94; r1 = r7; !bpf_res_spin_unlock; {END}
resilient around plain crossed | CLS | lock | function calls are not allowed while holding a lock
    {look("resilient")}; {look("locked", 8)}; r1 = r7; !bpf_res_spin_lock; if r0 != 0 goto out; r1 = r8; r1 += 8
    call 93; r1 = r7; !bpf_res_spin_unlock; r1 = r8; r1 += 8; call 94; {END}
timer | CLS
    {TIMED}; {INIT}; r1 = r7; r1 += 8; r2 = code_addr(f); call 170; r1 = r7; r1 += 8; r2 = 1000; r3 = 0; call 171
    r1 = r7; r1 += 8; call 172; {END}; f: {OUT}
timer wrong place | CLS | argument | off 0 doesn't point to 'struct bpf_timer' that is at 8
    {TIMED}; r1 = r7; r2 = timed ll; r3 = 1; call 169; {END}
timer variable | CLS | argument | R1 doesn't have constant offset. bpf_timer has to be at the cons
    {TIMED}; call 7; r0 &= 8; r7 += r0; r1 = r7; r2 = timed ll; r3 = 1; call 169; {END}
timer none | CLS | argument | map 'locked' has no valid bpf_timer
    {look("locked")}; r1 = r7; r2 = locked ll; r3 = 1; call 169; {END}
timer untyped | CLS | btf | map 'untyped' has to have BTF in order to use bpf_timer
    {look("untyped")}; r1 = r7; r2 = untyped ll; r3 = 1; call 169; {END}
timer other map | CLS | argument | timer pointer in R1 doesn't match map pointer in R2
    {TIMED}; r1 = r7; r1 += 8; r2 = hash ll; r3 = 1; call 169; {END}
timer on stack | CLS | argument | R1 type=fp expected=map_value
    r1 = r10; r1 += -16; r2 = timed ll; r3 = 1; call 169; {OUT}
timer read | CLS | type | bpf_timer cannot be accessed directly by load/store
    {TIMED}; r0 = *(u64 *)(r7 + 8); {END}
timer read beside | CLS
    {TIMED}; r0 = *(u64 *)(r7 + 0); {END}
timer callback returns one | CLS | return-value | At async callback return the register R0 has smin=1 smax=1 shoul
    {TIMED}; {INIT}; r1 = r7; r1 += 8; r2 = code_addr(f); call 170; {END}; f: r0 = 1; exit
timer callback value | CLS
    {TIMED}; {INIT}; r1 = r7; r1 += 8; r2 = code_addr(f); call 170; {END}; f: r0 = *(u64 *)(r3 + 0)
    r0 = *(u32 *)(r2 + 0); r0 = 0; exit
timer callback overrun | CLS | bounds-map | R3 min value is outside of the allowed memory range: map_value h
    {TIMED}; {INIT}; r1 = r7; r1 += 8; r2 = code_addr(f); call 170; {END}; f: r0 = *(u64 *)(r3 + 40); r0 = 0; exit
timer callback writes key | CLS | type | write to change key R2 not allowed
    {TIMED}; {INIT}; r1 = r7; r1 += 8; r2 = code_addr(f); call 170; {END}; f: *(u32 *)(r2 + 0) = 1; r0 = 0; exit
timer callback key overrun | CLS | bounds-map | R2 min value is outside of the allowed memory range: map_key has
    {TIMED}; {INIT}; r1 = r7; r1 += 8; r2 = code_addr(f); call 170; {END}; f: r0 = *(u64 *)(r2 + 0); r0 = 0; exit
timer callback looks up with key | CLS
    {TIMED}; {INIT}; r1 = r7; r1 += 8; r2 = code_addr(f); call 170; {END}; f: r1 = timed ll; call 1; r0 = 0; exit
timer callback key into helper write | CLS | type | R1 cannot write into map_key
    {TIMED}; {INIT}; r1 = r7; r1 += 8; r2 = code_addr(f); call 170; {END}; f: r1 = r2; r2 = 4; call 16; r0 = 0; exit
timer callback key into helper | CLS
    {TIMED}; {INIT}; r1 = r7; r1 += 8; r2 = code_addr(f); call 170; {END}; f: r1 = r2; r2 = 4; r3 = 0; r4 = 0
    r5 = 0; call 28; r0 = 0; exit
timer callback key helper overrun | CLS | bounds-map | R1 min value is outside of the allowed memory range: map_key has
    {TIMED}; {INIT}; r1 = r7; r1 += 8; r2 = code_addr(f); call 170; {END}; f: r1 = r2; r2 = 8; r3 = 0; r4 = 0
    r5 = 0; call 28; r0 = 0; exit
timer callback not a function | CLS | argument | R2 type=scalar expected=func
    {TIMED}; r1 = r7; r1 += 8; r2 = 5; call 170; {END}
timer callback returns pointer | CLS | return-value | At async callback return the register R0 is not a known value (m
    {TIMED}; {INIT}; r1 = r7; r1 += 8; r2 = code_addr(f); call 170; {END}; f: r0 = r1; exit
timer callback returns nothing | CLS | uninitialised | R0 !read_ok: the program ends without a return value
    {TIMED}; {INIT}; r1 = r7; r1 += 8; r2 = code_addr(f); call 170; {END}; f: exit
timer in rcu | SYSCALL
    {TIMED}; {INIT}; {END}
work queue | CLS
    {TIMED}; r1 = r7; r1 += 24; r2 = timed ll; r3 = 0; !bpf_wq_init; r1 = r7; r1 += 24; r2 = code_addr(f); r3 = 0
    r4 = 0; !bpf_wq_set_callback_impl; r1 = r7; r1 += 24; r2 = 0; !bpf_wq_start; {END}; f: {OUT}
work queue stack | CLS | argument | arg#0 doesn't point to a map value
    r1 = r10; r1 += -16; r2 = timed ll; r3 = 0; !bpf_wq_init; {OUT}
work queue wrong place | CLS | argument | off 8 doesn't point to 'struct bpf_wq' that is at 24
    {TIMED}; r1 = r7; r1 += 8; r2 = timed ll; r3 = 0; !bpf_wq_init; {END}
work queue none | CLS | argument | map 'locked' has no valid bpf_wq
    {look("locked")}; r1 = r7; r2 = locked ll; r3 = 0; !bpf_wq_init; {END}
work queue other map | CLS | argument | workqueue pointer in R1 doesn't match map pointer in R2
    {TIMED}; r1 = r7; r1 += 24; r2 = hash ll; r3 = 0; !bpf_wq_init; {END}
work queue no map | CLS | argument | arg#1 is scalar, expected a struct bpf_map
    {TIMED}; r1 = r7; r1 += 24; r2 = 5; r3 = 0; !bpf_wq_init; {END}
work queue flags no number | CLS | argument | R3 is not a scalar
    {TIMED}; r1 = r7; r1 += 24; r2 = timed ll; r3 = r10; !bpf_wq_init; {END}
work queue callback number | CLS | argument | arg1 expected pointer to func
    {TIMED}; r1 = r7; r1 += 24; r2 = 5; r3 = 0; r4 = 0; !bpf_wq_set_callback_impl; {END}
work queue callback sleeps | CLS
    {TIMED}; r1 = r7; r1 += 24; r2 = code_addr(f); r3 = 0; r4 = 0; !bpf_wq_set_callback_impl; {END}; f: r1 = r10
    r1 += -8; r2 = 8; r3 = 0; call 148; {OUT}
timer callback sleeps | CLS | helper | helper call might sleep in a non-sleepable prog
    {TIMED}; {INIT}; r1 = r7; r1 += 8; r2 = code_addr(f); call 170; {END}; f: r1 = r10; r1 += -8; r2 = 8; r3 = 0
    call 148; {OUT}
map pointer moved | CLS | type | R2 pointer arithmetic on map_ptr prohibited
    {TIMED}; r1 = r7; r1 += 24; r2 = timed ll; r2 += 8; r3 = 0; !bpf_wq_init; {END}
work queue timer map | CLS
    {TIMED}; r1 = r7; r1 += 24; r2 = locked ll; r3 = 0; !bpf_wq_init; {END}
work queue sleeps task | CLS | argument | R4 type=scalar expected=ptr_, trusted_ptr_, rcu_ptr_
    {TIMED}; r1 = r7; r1 += 24; r2 = code_addr(f); r3 = 0; r4 = 0; !bpf_wq_set_callback_impl; {END}; f: r1 = r10
    r1 += -8; r2 = 8; r3 = 0; r4 = 0; r5 = 0; call 191; {OUT}
sleeping helper | CLS | helper | helper call might sleep in a non-sleepable prog
    r1 = r10; r1 += -8; r2 = 8; r3 = 0; call 148; {OUT}
sleeping helper in syscall | SYSCALL
    r1 = r10; r1 += -8; r2 = 8; r3 = 0; call 148; {OUT}
sleeping helper in rcu | SYSCALL | lock | sleepable helper bpf_copy_from_user#148 in rcu_read_lock region
    !bpf_rcu_read_lock; r1 = r10; r1 += -8; r2 = 8; r3 = 0; call 148; !bpf_rcu_read_unlock; {OUT}
sleeping helper not preempted | SYSCALL | lock | sleepable helper bpf_copy_from_user#148 in non-preemptible regio
    !bpf_preempt_disable; r1 = r10; r1 += -8; r2 = 8; r3 = 0; call 148; !bpf_preempt_enable; {OUT}
sleeping helper irq | SYSCALL | lock | sleepable helper bpf_copy_from_user#148 in IRQ-disabled region
    r1 = r10; r1 += -16; !bpf_local_irq_save; r1 = r10; r1 += -8; r2 = 8; r3 = 0; call 148; r1 = r10; r1 += -16
    !bpf_local_irq_restore; {OUT}
timer of a syscall program sleeps | SYSCALL | helper | helper call might sleep in a non-sleepable prog
    {TIMED}; {INIT}; r1 = r7; r1 += 8; r2 = code_addr(f); call 170; {END}; f: r1 = r10; r1 += -8; r2 = 8; r3 = 0
    call 148; {OUT}
sleeping kfunc in a work queue | CLS
    {TIMED}; r1 = r7; r1 += 24; r2 = code_addr(f); r3 = 0; r4 = 0; !bpf_wq_set_callback_impl; {END}; f: r1 = r10
    r1 += -8; r2 = 8; r3 = 0; r4 = 0; !bpf_copy_from_user_str; {OUT}
sleeping kfunc in a timer | SYSCALL | helper | program must be sleepable to call sleepable kfunc bpf_copy_from_
    {TIMED}; {INIT}; r1 = r7; r1 += 8; r2 = code_addr(f); call 170; {END}; f: r1 = r10; r1 += -8; r2 = 8; r3 = 0
    r4 = 0; !bpf_copy_from_user_str; {OUT}
"""


def test_rules(cases, owned, decided, case):
    library, maps = owned
    decided(cases.spec_of(case, maps, library), case.category, case.message)
