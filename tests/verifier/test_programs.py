"""Whole programs: functions, depth of the stack, what loops keep, where locks may be held; the kernel says the same."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.kernel

OUT = "r0 = 0; exit"
DEEP = "*(u8 *)(r10 - 200) = 0"
KEY = "*(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4"

TABLE = f"""
jump before the start | SK | cfg | jump out of range from insn 0 to -1
    goto -2; {OUT}
jump into another function | SK | cfg | jump out of range from insn 1 to 3
    call f; if r0 == 0 goto f; exit; f: {OUT}
jump into a wide load | SK | cfg | unreachable insn 1
    goto +1; r1 = 5 ll; {OUT}
call into a wide load | SK
    #85 0 1 0 2; {OUT}; r1 = 5 ll; {OUT}
call out of the program | SK | cfg | call to invalid destination 100
    #85 0 1 0 99; {OUT}
call before the program | SK | cfg | call to invalid destination -4
    #85 0 1 0 -5; {OUT}
function that runs into the next | SK | cfg | last insn is not an exit or jmp
    call f; call g; exit; f: r0 = 0; g: {OUT}
function that ends in a jump | SK
    call f; exit; f: goto o; x: {OUT}; o: goto x
function that nothing reaches | SK | cfg | unreachable insn 2
    {OUT}; f: {OUT}
function that no path calls | SK
    r0 = 0; if r0 == 0 goto o; call f; o: exit; f: r0 = r9; exit
pointer to the main function | SK | btf | missing btf func_info
    r2 = code_addr(m); {OUT}; m: {OUT}
unknown opcode | SK | encoding | unknown opcode 8e
    #8e 0 0 0 0; {OUT}
unknown load | SK | encoding | BPF_LDX uses reserved fields
    #b9 0 10 -8 0; {OUT}
load with immediate | SK | encoding | BPF_LDX uses reserved fields
    *(u64 *)(r10 - 8) = 0; #79 0 10 -8 1; exit
frames of 2 x 200 | SK
    {DEEP}; call f; exit; f: {DEEP}; {OUT}
frames of 3 x 200 | SK | stack-depth | combined stack size of 3 calls is 624. Too large
    {DEEP}; call f; exit; f: {DEEP}; call g; exit; g: {DEEP}; {OUT}
frames of 3 x 200, not at once | SK
    {DEEP}; call f; call g; exit; f: {DEEP}; {OUT}; g: {DEEP}; {OUT}
frames of callbacks | SK | btf | missing btf func_info
    {DEEP}; r1 = 2; r2 = code_addr(f); r3 = 0; r4 = 0; call 181; {OUT}; f: {DEEP}; call g; {OUT}; g: {DEEP}; {OUT}
frames under a tail call | SK | btf | tail_call is not allowed in subprogs without BTF
    *(u8 *)(r10 - 300) = 0; call f; exit; f: r2 = progs ll; r3 = 0; call 12; {OUT}
eight functions deep | SK
    call a; exit; a: call b; exit; b: call c; exit; c: call d; exit; d: call e; exit; e: call f; exit; f: call g
    exit; g: {OUT}
nine functions deep | SK | stack-depth | the call stack of 8 frames is too deep
    call a; exit; a: call b; exit; b: call c; exit; c: call d; exit; d: call e; exit; e: call f; exit; f: call g; exit
    g: call h; exit; h: {OUT}
functions that call each other | SK | stack-depth | the call stack of 8 frames is too deep
    call a; exit; a: call b; exit; b: call a; exit
function's arguments | SK
    r1 = 3; r2 = 4; call f; if r0 != 7 goto x; {OUT}; x: r0 = r9; exit; f: r0 = r1; r0 += r2; exit
function's argument that is not set | SK | uninitialised | R3 !read_ok: it is read, but nothing was written to it on th
    r1 = 3; call f; exit; f: r0 = r3; exit
registers that a function keeps | SK
    r6 = 3; call f; r0 = r6; exit; f: r6 = r10; {OUT}
registers that a function spoils | SK | uninitialised | R2 !read_ok: it is read, but nothing was written to it on th
    r6 = r1; call f; r0 = r2; exit; f: r2 = 1; {OUT}
registers that a function does not get | SK | uninitialised | R6 !read_ok: it is read, but nothing was written to it on th
    r6 = r1; call f; exit; f: r0 = r6; exit
pointer given back | SK
    call f; r0 = *(u32 *)(r0 + 0); exit; f: r0 = r1; exit
spilled over a call | SK
    *(u64 *)(r10 - 8) = r1; call f; r1 = *(u64 *)(r10 - 8); r0 = *(u32 *)(r1 + 0); exit; f: *(u64 *)(r10 - 8) = 0; {OUT}
loop over the stack | SK
    r6 = 0; l: r7 = r10; r7 += -16; r7 += r6; *(u8 *)(r7 + 0) = 1; r6 += 1; if r6 < 16 goto l; r0 = *(u64 *)(r10 - 16); exit
loop over the stack, one too far | SK | bounds-stack | invalid write to stack R7 off=0 size=1
    r6 = 0; l: r7 = r10; r7 += -16; r7 += r6; *(u8 *)(r7 + 0) = 1; r6 += 1; if r6 < 17 goto l; {OUT}
loop counted in the stack | SK | type | R7 subtraction from stack pointer prohibited
    *(u64 *)(r10 - 8) = 0; l: r6 = *(u64 *)(r10 - 8); r6 += 1; *(u64 *)(r10 - 8) = r6; if r6 < 20 goto l; r7 = r10
    r7 -= r6; {OUT}
loop counted in half a slot | SK
    *(u64 *)(r10 - 8) = 0; l: r6 = *(u32 *)(r10 - 8); r6 += 1; *(u32 *)(r10 - 8) = r6; if r6 < 20 goto l; {OUT}
loop counted down | SK
    r6 = 9; l: r6 += -1; r7 = r10; r7 += -16; r7 += r6; *(u8 *)(r7 + 0) = 1; if r6 != 0 goto l; {OUT}
loop with a bound that is read | SK
    r6 = *(u32 *)(r1 + 0); r6 &= 15; r7 = 0; l: if r7 >= r6 goto o; r8 = r10; r8 += -16; r8 += r7
    *(u8 *)(r8 + 0) = 1; r7 += 1
    goto l; o: {OUT}
loop that doubles | SK
    r6 = 1; l: r6 <<= 1; if r6 < 1000 goto l; r7 = r10; r7 += -8; *(u64 *)(r10 - 8) = r6; {OUT}
loop that does nothing | SK | complexity | infinite loop detected at insn 0
    l: if r1 == 0 goto o; goto l; o: {OUT}
loop whose counter is a function's | SK
    r6 = 0; l: r1 = r6; call f; r6 = r0; if r6 < 20 goto l; {OUT}; f: r0 = r1; r0 += 1; exit
loop whose counter is in the caller's stack | SK
    *(u64 *)(r10 - 8) = 0; l: r1 = r10; r1 += -8; call f; r6 = *(u64 *)(r10 - 8); if r6 < 20 goto l; {OUT}
    f: r2 = *(u64 *)(r1 + 0); r2 += 1; *(u64 *)(r1 + 0) = r2; {OUT}
loop of an atomic counter | SK | complexity | infinite loop detected at insn 2
    *(u64 *)(r10 - 8) = 0; r7 = 1; l: #db 10 7 -8 0; r6 = *(u64 *)(r10 - 8); if r6 < 20 goto l; {OUT}
loop with half a counter | SK
    r6 = 0; l: w6 += 1; if w6 < 20 goto l; r7 = r10; r7 += -24; r7 += r6; *(u8 *)(r7 + 0) = 1; {OUT}
loop of a callback | SK | btf | missing btf func_info
    *(u64 *)(r10 - 8) = 0; r1 = 10; r2 = code_addr(f); r3 = r10; r3 += -8; r4 = 0; call 181; r6 = *(u64 *)(r10 - 8); {OUT}
    f: r3 = *(u64 *)(r2 + 0); r3 += 1; *(u64 *)(r2 + 0) = r3; {OUT}
loop of a callback, count used | SK | btf | missing btf func_info
    *(u64 *)(r10 - 8) = 0; r1 = 10; r2 = code_addr(f); r3 = r10; r3 += -8; r4 = 0; call 181; r6 = *(u64 *)(r10 - 8); r7 = r10
    r7 += -32; r7 += r6; *(u8 *)(r7 + 0) = 1; {OUT}; f: r3 = *(u64 *)(r2 + 0); r3 += 1; *(u64 *)(r2 + 0) = r3; {OUT}
loop of a callback, count masked | SK | btf | missing btf func_info
    *(u64 *)(r10 - 8) = 0; r1 = 10; r2 = code_addr(f); r3 = r10; r3 += -8; r4 = 0; call 181; r6 = *(u64 *)(r10 - 8)
    r6 &= 7; r7 = r10
    r7 += -32; r7 += r6; *(u8 *)(r7 + 0) = 1; {OUT}; f: r3 = *(u64 *)(r2 + 0); r3 += 1; *(u64 *)(r2 + 0) = r3; {OUT}
loop of a callback that loses a pointer | SK | btf | missing btf func_info
    *(u64 *)(r10 - 8) = r1; r1 = 10; r2 = code_addr(f); r3 = r10; r3 += -8; r4 = 0; call 181; r1 = *(u64 *)(r10 - 8)
    r0 = *(u32 *)(r1 + 0); exit; f: *(u64 *)(r2 + 0) = 0; {OUT}
loop of a callback inside another | SK | btf | missing btf func_info
    r1 = 5; r2 = code_addr(f); r3 = 0; r4 = 0; call 181; {OUT}; f: r1 = 5; r2 = code_addr(g); r3 = 0; r4 = 0
    call 181; {OUT}; g: {OUT}
loop of a callback that calls itself | SK | btf | missing btf func_info
    r1 = 5; r2 = code_addr(f); r3 = 0; r4 = 0; call 181; {OUT}; f: r1 = 5; r2 = code_addr(f); r3 = 0; r4 = 0; call 181; {OUT}
loop of a callback that keeps a reference | CLS | btf | missing btf func_info
    r1 = 5; r2 = code_addr(f); r3 = 0; r4 = 0; call 181; {OUT}; f: r1 = 1; !bpf_task_from_pid; {OUT}
loop of a callback of unknown count | SK | btf | missing btf func_info
    r1 = *(u32 *)(r1 + 0); r2 = code_addr(f); r3 = 0; r4 = 0; call 181; {OUT}; f: {OUT}
number that a jump decides precisely | SK
    r6 = *(u32 *)(r1 + 0); r7 = 4; if r6 > 3 goto a; r7 = 8; a: *(u64 *)(r10 - 16) = r7; r8 = *(u64 *)(r10 - 16)
    if r6 > 100 goto b
    r8 += 1; b: r9 = r10; r9 += -24; r9 += r8; *(u8 *)(r9 + 0) = 1; {OUT}
number that comes from a function | SK
    r6 = r1; call f; r7 = r0; r8 = *(u32 *)(r6 + 0); if r8 > 3 goto a; r7 += 1; a: r9 = r10; r9 += -24; r9 += r7
    *(u8 *)(r9 + 0) = 1
    {OUT}; f: r0 = *(u32 *)(r1 + 4); if r0 > 5 goto c; r0 = 1; exit; c: r0 = 2; exit
number that goes through a callback | SK | btf | missing btf func_info
    r6 = r1; *(u64 *)(r10 - 8) = 3; r1 = 2; r2 = code_addr(f); r3 = r10; r3 += -8; r4 = 0; call 181; r7 = *(u64 *)(r10 - 8)
    r7 &= 7; r9 = r10; r9 += -24; r9 += r7; *(u8 *)(r9 + 0) = 1; {OUT}; f: r3 = *(u64 *)(r2 + 0); r3 &= 3
    *(u64 *)(r2 + 0) = r3; {OUT}
number negated, swapped and extended | SK
    r6 = *(u32 *)(r1 + 0); r7 = 5; if r6 > 3 goto a; r7 = 6; a: r7 = -r7; r7 = -r7; r7 = be64 r7; r7 = be64 r7
    r7 = (s8)r7; w8 = w7
    r9 = r10; r9 += -24; r9 += r8; *(u8 *)(r9 + 0) = 1; {OUT}
number that was exchanged | SK
    r0 = 0; r6 = 5; *(u64 *)(r10 - 8) = r6; r7 = 3; #db 10 7 -8 225; r7 &= 7; r9 = r10; r9 += -24; r9 += r7
    *(u8 *)(r9 + 0) = 1; {OUT}
may_goto and a counter | SK
    r6 = 0; l: may_goto o; r6 += 1; if r6 > 7 goto o; r7 = r10; r7 += -16; r7 += r6; *(u8 *)(r7 + 0) = 1; goto l; o: {OUT}
may_goto and a counter that is not bound | SK | bounds-stack | invalid write to stack R7 off=0 size=1
    r6 = 0; l: may_goto o; r6 += 1; r7 = r10; r7 += -16; r7 += r6; *(u8 *)(r7 + 0) = 1; goto l; o: {OUT}
may_goto inside another | SK
    l: may_goto o; m: may_goto p; goto m; p: goto l; o: {OUT}
lock kept over the end of a function | CLS | lock | BPF_EXIT instruction in main prog cannot be used inside bpf_
    call f; {OUT}; f: !bpf_preempt_disable; {OUT}
lock given back by another function | CLS
    call f; call g; {OUT}; f: !bpf_preempt_disable; {OUT}; g: !bpf_preempt_enable; {OUT}
exception | CLS
    r1 = 0; !bpf_throw; {OUT}
exception of a pointer | CLS | argument | R1 is not a scalar
    r1 = r10; !bpf_throw; {OUT}
exception with a reference | CLS | reference | bpf_throw would lead to reference leak: reference 2, acquire
    r1 = 1; !bpf_task_from_pid; if r0 == 0 goto o; r1 = 0; !bpf_throw; o: {OUT}
exception in a locked section | CLS | lock | bpf_throw cannot be used inside bpf_rcu_read_lock-ed region
    !bpf_rcu_read_lock; r1 = 0; !bpf_throw; {OUT}
exception out of the range | CGROUP_SKB | return-value | At program exit the register R0 has smin=7 smax=7 should hav
    r1 = 7; !bpf_throw; {OUT}
exception of a function | CLS
    call f; {OUT}; f: r1 = 0; !bpf_throw; {OUT}
returned pointer | CLS
    r0 = r1; exit
returned map value | CLS
    {KEY}; r1 = hash ll; call 1; exit
returned pointer where the range counts | CGROUP_SKB | return-value | At program exit the register R0 is not a known value (ctx
    r0 = r1; exit
returned number out of range | CGROUP_SKB | return-value | At program exit the register R0 has smin=0 smax=4294967295 s
    r0 = *(u32 *)(r1 + 0); exit
returned number in range | CGROUP_SKB
    r0 = *(u32 *)(r1 + 0); r0 &= 1; exit
returned number of a narrow register | CGROUP_SKB
    w0 = -1; w0 &= 1; exit
"""


def test_rules(cases, plainmaps, decided, case):
    decided(cases.spec_of(case, plainmaps), case.category, case.message)
