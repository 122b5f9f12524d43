"""Loads and stores: the stack, values and keys of maps, packets, contexts, sockets, buffers; the kernel says the same."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.kernel

PACKET = "r2 = *(u32 *)(r1 + 76); r3 = *(u32 *)(r1 + 80); r4 = r2; r4 += 8; if r4 > r3 goto o"
KEY = "*(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4"
VALUE = f"{KEY}; r1 = array ll; call 1; if r0 == 0 goto o"
SKSK = "r2 = *(u64 *)(r1 + 168); if r2 == 0 goto o"
FULL = "r1 = *(u64 *)(r1 + 168); if r1 == 0 goto o; call 95; if r0 == 0 goto o; r2 = r0"
TCP = "r1 = *(u64 *)(r1 + 168); if r1 == 0 goto o; call 96; if r0 == 0 goto o; r2 = r0"
INDEX = "r6 = *(u32 *)(r1 + 0); r6 &= 8; r7 = r10; r7 += -16; r7 += r6"
OUT = "r0 = 0; exit"
TO_OUT = f"o: {OUT}"

TABLE = f"""
store with immediate | SK | encoding | BPF_STX uses reserved fields
    #7b 10 1 -8 1; {OUT}
constant store with source | SK | encoding | BPF_ST uses reserved fields
    #7a 10 1 -8 1; {OUT}
store to no register | SK | encoding | R11 is invalid: there are R0 to R10
    #7b 11 1 -8 0; {OUT}
store from no register | SK | encoding | R11 is invalid: there are R0 to R10
    #7b 10 11 -8 0; {OUT}
constant store to no register | SK | encoding | R11 is invalid: there are R0 to R10
    #7a 11 0 -8 0; {OUT}
load from no register | SK | encoding | R11 is invalid: there are R0 to R10
    #79 0 11 -8 0; {OUT}
load to no register | SK | encoding | R11 is invalid: there are R0 to R10
    #79 11 10 -8 0; {OUT}
load into the frame pointer | SK | type | frame pointer is read only
    *(u64 *)(r10 - 8) = 0; #79 10 10 -8 0; {OUT}
load through nothing | SK | uninitialised | R3 !read_ok: it is read, but nothing was written to it on th
    r0 = *(u8 *)(r3 + 0); exit
store through nothing | SK | uninitialised | R3 !read_ok: it is read, but nothing was written to it on th
    *(u8 *)(r3 + 0) = 0; {OUT}
store of nothing | SK | uninitialised | R3 !read_ok: it is read, but nothing was written to it on th
    *(u64 *)(r10 - 8) = r3; {OUT}
register store through nothing | SK | uninitialised | R3 !read_ok: it is read, but nothing was written to it on th
    *(u64 *)(r3 - 8) = r1; {OUT}
atomic of 2 bytes | SK | encoding | invalid atomic operand size
    r1 = 1; *(u64 *)(r10 - 8) = 0; #cb 10 1 -8 0; {OUT}
atomic of another kind | SK | encoding | BPF_ATOMIC uses invalid atomic opcode 02
    r1 = 1; *(u64 *)(r10 - 8) = 0; #db 10 1 -8 2; {OUT}
atomic with nothing | SK | uninitialised | R3 !read_ok: it is read, but nothing was written to it on th
    *(u64 *)(r10 - 8) = 0; #db 10 3 -8 0; {OUT}
atomic through nothing | SK | uninitialised | R3 !read_ok: it is read, but nothing was written to it on th
    r1 = 1; #db 3 1 -8 0; {OUT}
atomic fetch into the frame pointer | SK | type | frame pointer is read only
    *(u64 *)(r10 - 8) = 0; #db 10 10 -8 1; {OUT}
atomic with a pointer | SK
    *(u64 *)(r10 - 8) = 0; #db 10 1 -8 0; {OUT}
atomic exchange | SK
    r1 = 1; *(u64 *)(r10 - 8) = 0; #db 10 1 -8 225; r0 = r1; {OUT}
atomic exchange of a pointer | SK
    *(u64 *)(r10 - 8) = 0; #db 10 1 -8 225; {OUT}
atomic compare and exchange | SK
    r0 = 0; r1 = 1; *(u64 *)(r10 - 8) = 0; #db 10 1 -8 241; {OUT}
atomic compare without r0 | SK | uninitialised | R0 !read_ok: it is read, but nothing was written to it on th
    r1 = 1; *(u64 *)(r10 - 8) = 0; #db 10 1 -8 241; {OUT}
atomic compare with a pointer | SK
    r0 = r10; r1 = 1; *(u64 *)(r10 - 8) = 0; #db 10 1 -8 241; {OUT}
atomic on uninitialised memory | SYSCALL
    r1 = 1; #db 10 1 -8 0; {OUT}
atomic on a value | SK
    {VALUE}; r1 = 1; #db 0 1 0 0; {TO_OUT}
atomic on a value, misaligned | SK | alignment | misaligned value access off (0x0; 0x0)+0+4 size 8
    {VALUE}; r1 = 1; #db 0 1 4 0; {TO_OUT}
atomic on a read-only value | SK | type | write into map forbidden, value_size=16 off=0 size=8
    {KEY}; r1 = readonly ll; call 1; if r0 == 0 goto o; r1 = 1; #db 0 1 0 0; {TO_OUT}
atomic on the packet | CLS | type | BPF_ATOMIC stores into R2 pkt is not allowed
    {PACKET}; r5 = 1; #db 2 5 0 0; {TO_OUT}
atomic on a socket | CLS | type | BPF_ATOMIC stores into R2 sock_common is not allowed
    {SKSK}; r5 = 1; #c3 2 5 4 0; {TO_OUT}
atomic on a number | SK | alignment | misaligned access off (0x7; 0x0)+0+0 size 8
    r2 = 7; r5 = 1; #db 2 5 0 0; {TO_OUT}
atomic acquire | SK
    *(u64 *)(r10 - 8) = 0; #db 0 10 -8 256; {OUT}
atomic acquire of nothing | SK | uninitialised | R3 !read_ok: it is read, but nothing was written to it on th
    #db 0 3 -8 256; {OUT}
atomic acquire of the context | SK | type | BPF_ATOMIC loads from R1 ctx is not allowed
    #c3 0 1 0 256; {OUT}
atomic release | SK
    r1 = 1; #db 10 1 -8 272; {OUT}
atomic release of nothing | SK | uninitialised | R3 !read_ok: it is read, but nothing was written to it on th
    #db 10 3 -8 272; {OUT}
atomic release to the context | CLS | type | BPF_ATOMIC stores into R1 ctx is not allowed
    r2 = 1; #c3 1 2 8 272; {OUT}
atomic acquire of a byte | SK
    *(u64 *)(r10 - 8) = 0; #d3 0 10 -8 256; {OUT}
atomic acquire into no register | SK | encoding | R11 is invalid: there are R0 to R10
    #db 11 10 -8 256; {OUT}
atomic release from no register | SK | encoding | R11 is invalid: there are R0 to R10
    #db 10 11 -8 272; {OUT}
packet load | SK
    r6 = r1; r0 = *(u8 *)skb[23]; exit
packet load at register | SK
    r6 = r1; r7 = 4; r0 = *(u16 *)skb[r7 + 12]; exit
packet load at nothing | SK | uninitialised | R7 !read_ok: it is read, but nothing was written to it on th
    r6 = r1; r0 = *(u16 *)skb[r7 + 12]; exit
packet load without context | SK | uninitialised | R6 !read_ok: it is read, but nothing was written to it on th
    r0 = *(u8 *)skb[23]; exit
packet load of another | SK | type | at the time of BPF_LD_ABS|IND R6 != pointer to skb
    r6 = r10; r0 = *(u8 *)skb[23]; exit
packet load of a moved context | SK | ctx-access | dereference of modified ctx ptr R6 off=4 disallowed
    r6 = r1; r6 += 4; r0 = *(u8 *)skb[23]; exit
packet load spoils arguments | SK | uninitialised | R1 !read_ok: it is read, but nothing was written to it on th
    r6 = r1; r0 = *(u8 *)skb[23]; r0 = *(u32 *)(r1 + 0); exit
packet load of 8 bytes | SK | encoding | unknown opcode 38
    r6 = r1; #38 0 0 0 0; exit
packet load with destination | SK | encoding | BPF_LD_[ABS|IND] uses reserved fields
    r6 = r1; #30 1 0 0 0; exit
packet load with offset | SK | encoding | BPF_LD_[ABS|IND] uses reserved fields
    r6 = r1; #30 0 0 1 0; exit
packet load with source | SK | encoding | BPF_LD_[ABS|IND] uses reserved fields
    r6 = r1; #30 0 1 0 0; exit
packet load for XDP | XDP | helper | BPF_LD_[ABS|IND] instructions not allowed for this program t
    r6 = r1; #30 0 0 0 0; exit
packet load with a reference | CLS | reference | BPF_LD_[ABS|IND] would lead to reference leak: reference 3,
    r6 = r1; {SKSK}; *(u64 *)(r10 - 48) = 0; *(u32 *)(r10 - 40) = 0; r2 = r10; r2 += -48; r3 = 12; r4 = -1; r5 = 0
    call 84
    if r0 == 0 goto o; r0 = *(u8 *)skb[23]; {TO_OUT}
packet load in a function | SK | btf | LD_ABS is not allowed in subprogs without BTF
    r6 = r1; call f; exit; f: r6 = r1; r0 = *(u8 *)skb[0]; exit
stack at unknown offset | SK
    *(u64 *)(r10 - 8) = 0; *(u64 *)(r10 - 16) = 0; {INDEX}; r0 = *(u64 *)(r7 + 0); exit
stack at unknown offset, zeros | SK | uninitialised | R9 !read_ok: it is read, but nothing was written to it on th
    *(u64 *)(r10 - 8) = 0; *(u64 *)(r10 - 16) = 0; {INDEX}; r0 = *(u64 *)(r7 + 0); if r0 == 0 goto o; r0 = r9
    {TO_OUT}
stack at unknown offset, numbers | SK | uninitialised | R9 !read_ok: it is read, but nothing was written to it on th
    *(u64 *)(r10 - 8) = 1; *(u64 *)(r10 - 16) = 0; {INDEX}; r0 = *(u64 *)(r7 + 0); if r0 == 0 goto o; r0 = r9
    {TO_OUT}
stack at unknown offset, nothing | SK
    {INDEX}; r0 = *(u64 *)(r7 + 0); {OUT}
stack at unknown offset, pointer | SK
    *(u64 *)(r10 - 8) = r1; *(u64 *)(r10 - 16) = 0; {INDEX}; r0 = *(u64 *)(r7 + 0); {OUT}
stack at unknown offset, too far | SK | bounds-stack | invalid variable-offset read from stack R7 var_off=(0x0; 0x1
    r6 = *(u32 *)(r1 + 0); r6 &= 16; r7 = r10; r7 += -16; r7 += r6; r0 = *(u64 *)(r7 + 0); {OUT}
stack at unbounded offset | SK | alignment | misaligned stack access off (0x0; 0xffffffff)+0+0 size 8
    r6 = *(u32 *)(r1 + 0); r7 = r10; r7 += r6; r0 = *(u64 *)(r7 + 0); {OUT}
stack written at unknown offset | SK
    {INDEX}; *(u64 *)(r7 + 0) = 7; {OUT}
stack written at unknown offset, then read | SK
    {INDEX}; *(u64 *)(r7 + 0) = 7; r0 = *(u64 *)(r10 - 8); exit
stack written at unknown offset over zeros | SK
    *(u64 *)(r10 - 8) = 0; *(u64 *)(r10 - 16) = 0; {INDEX}; *(u64 *)(r7 + 0) = 0; r0 = *(u64 *)(r10 - 8)
    if r0 == 0 goto o; r0 = r9; {TO_OUT}
stack written at unknown offset by a zero register | SK
    *(u64 *)(r10 - 8) = 0; *(u64 *)(r10 - 16) = 0; r8 = 0; {INDEX}; *(u64 *)(r7 + 0) = r8; r0 = *(u64 *)(r10 - 8)
    if r0 == 0 goto o
    r0 = r9; {TO_OUT}
stack written at unknown offset over a pointer | SK
    *(u64 *)(r10 - 8) = r1; {INDEX}; *(u64 *)(r7 + 0) = 7; r1 = *(u64 *)(r10 - 8); {OUT}
stack written at unknown offset, too low | SK | bounds-stack | invalid variable-offset write to stack R7 var_off=(0x0; 0x8)
    r6 = *(u32 *)(r1 + 0); r6 &= 8; r7 = r10; r7 += -520; r7 += r6; *(u64 *)(r7 + 0) = 7; {OUT}
stack atomic at unknown offset | SK | argument | R7 variable offset stack pointer cannot be used here
    *(u64 *)(r10 - 8) = 0; *(u64 *)(r10 - 16) = 0; {INDEX}; r1 = 1; #db 7 1 0 0; {OUT}
part of a pointer stored | SK | bounds-stack | invalid size of register spill
    *(u32 *)(r10 - 8) = r1; {OUT}
part of a pointer overwritten | SK
    *(u64 *)(r10 - 8) = r1; *(u32 *)(r10 - 8) = 1; {OUT}
part of a pointer overwritten, then read | SK
    *(u64 *)(r10 - 8) = r1; *(u32 *)(r10 - 8) = 1; r0 = *(u64 *)(r10 - 8); exit
part of a number read | SK
    *(u64 *)(r10 - 8) = 258; r0 = *(u8 *)(r10 - 8); if r0 == 2 goto o; r0 = r9; {TO_OUT}
upper part of a number read | SK
    r2 = *(u32 *)(r1 + 0); *(u64 *)(r10 - 8) = r2; r0 = *(u32 *)(r10 - 4); exit
stack of the caller | SK
    *(u64 *)(r10 - 8) = 0; r1 = r10; r1 += -8; call f; exit; f: *(u64 *)(r1 + 0) = 5; r0 = *(u64 *)(r1 + 0); exit
pointer stored into the caller's stack | SK | type | cannot spill pointers to stack into stack frame of the calle
    *(u64 *)(r10 - 8) = 0; r1 = r10; r1 += -8; call f; exit; f: *(u64 *)(r1 + 0) = r10; {OUT}
context stored into the caller's stack | SK
    r2 = r10; r2 += -8; call f; r1 = *(u64 *)(r10 - 8); r0 = *(u32 *)(r1 + 0); exit; f: *(u64 *)(r2 + 0) = r1; {OUT}
stack of a function that is gone | SK | type | cannot return stack pointer to the caller
    call f; r0 = *(u64 *)(r0 + 0); exit; f: r0 = r10; exit
stack unaligned at unknown offset | SK | alignment | misaligned stack access off (0x0; 0x7)+-16+0 size 8
    *(u64 *)(r10 - 8) = 0; *(u64 *)(r10 - 16) = 0; r6 = *(u32 *)(r1 + 0); r6 &= 7; r7 = r10; r7 += -16; r7 += r6
    r0 = *(u64 *)(r7 + 0); exit
value read-only | SK
    {KEY}; r1 = readonly ll; call 1; if r0 == 0 goto o; r0 = *(u64 *)(r0 + 0); {TO_OUT}
value read-only written | SK | type | write into map forbidden, value_size=16 off=0 size=8
    {KEY}; r1 = readonly ll; call 1; if r0 == 0 goto o; *(u64 *)(r0 + 0) = 1; {TO_OUT}
value write-only | SK
    {KEY}; r1 = writeonly ll; call 1; if r0 == 0 goto o; *(u64 *)(r0 + 0) = 1; {TO_OUT}
value write-only read | SK | type | read from map forbidden, value_size=16 off=0 size=8
    {KEY}; r1 = writeonly ll; call 1; if r0 == 0 goto o; r0 = *(u64 *)(r0 + 0); {TO_OUT}
value of a frozen map | SK
    r1 = map_val(frozen); r0 = *(u8 *)(r1 + 0); if r0 == 104 goto o; r0 = r9; {TO_OUT}
value of a frozen map, sign extended | SK
    r1 = map_val(frozen); r0 = *(s8 *)(r1 + 0); if r0 == 104 goto o; r0 = r9; {TO_OUT}
value of a frozen map looked up | SK
    {KEY}; r1 = frozen ll; call 1; if r0 == 0 goto o; r0 = *(u8 *)(r0 + 0); if r0 == 104 goto o; r0 = r9; {TO_OUT}
value of a frozen map at unknown offset | SK | uninitialised | R9 !read_ok: it is read, but nothing was written to it on th
    r2 = *(u32 *)(r1 + 0); r2 &= 1; r1 = map_val(frozen); r1 += r2; r0 = *(u8 *)(r1 + 0); if r0 == 104 goto o
    r0 = r9; {TO_OUT}
value of a frozen hash | SK
    {KEY}; r1 = frozenhash ll; call 1; if r0 == 0 goto o; r0 = *(u8 *)(r0 + 0); if r0 == 104 goto o; {TO_OUT}
pointer stored in a value | SK
    {VALUE}; *(u64 *)(r0 + 0) = r10; {TO_OUT}
value misaligned | SK
    {VALUE}; r0 = *(u64 *)(r0 + 1); {TO_OUT}
value misaligned, strict | SK strict | alignment | misaligned value access off (0x0; 0x0)+0+1 size 8
    {VALUE}; r0 = *(u64 *)(r0 + 1); {TO_OUT}
value aligned, strict | SK strict
    {VALUE}; r0 = *(u64 *)(r0 + 8); {TO_OUT}
value at unknown offset, strict | SK strict | alignment | misaligned value access off (0x0; 0x7)+0+0 size 2
    {VALUE}; r6 = r0; call 7; r0 &= 7; r6 += r0; r0 = *(u16 *)(r6 + 0); {TO_OUT}
value at aligned unknown offset, strict | SK strict
    {VALUE}; r6 = r0; call 7; r0 &= 6; r6 += r0; r0 = *(u16 *)(r6 + 0); {TO_OUT}
context misaligned, strict | SK strict | alignment | misaligned context access off (0x0; 0x0)+0+1 size 2
    r0 = *(u16 *)(r1 + 1); exit
packet misaligned, strict | CLS strict | alignment | misaligned packet access off (0x0; 0x0)+0+0 size 4
    {PACKET}; r0 = *(u32 *)(r2 + 0); {TO_OUT}
packet aligned behind Ethernet, strict | CLS strict
    {PACKET}; r0 = *(u32 *)(r2 + 2); {TO_OUT}
socket misaligned, strict | CLS strict | alignment | misaligned sock_common access off (0x0; 0x0)+0+2 size 4
    {SKSK}; r0 = *(u32 *)(r2 + 2); {TO_OUT}
common socket misaligned, strict | CLS strict | alignment | misaligned sock_common access off (0x0; 0x0)+0+5 size 2
    {SKSK}; r0 = *(u16 *)(r2 + 5); {TO_OUT}
flow keys misaligned, strict | FLOW_DISSECTOR strict | alignment | misaligned flow keys access off (0x0; 0x0)+0+1 size 2
    r2 = *(u64 *)(r1 + 144); r0 = *(u16 *)(r2 + 1); {OUT}
pointer stored in the packet | CLS
    {PACKET}; *(u64 *)(r2 + 0) = r10; {TO_OUT}
packet negative | CLS | bounds-packet | R2 offset is outside of the packet: off=-1 size=1, checked u
    {PACKET}; r0 = *(u8 *)(r2 - 1); {TO_OUT}
packet at negative unknown offset | CLS | bounds-packet | R2 min value is negative, either use unsigned index or do a
    {PACKET}; r5 = *(u32 *)(r1 + 0); r5 &= 7; r5 -= 8; r2 += r5; r4 = r2; r4 += 8; if r4 > r3 goto o
    r0 = *(u8 *)(r2 + 0); {TO_OUT}
packet end read | CLS | type | R3 invalid mem access 'pkt_end'
    {PACKET}; r0 = *(u8 *)(r3 + 0); {TO_OUT}
packet written by a socket filter | CGROUP_SKB | type | cannot write into packet
    r2 = *(u32 *)(r1 + 76); r3 = *(u32 *)(r1 + 80); r4 = r2; r4 += 8; if r4 > r3 goto o; *(u8 *)(r2 + 0) = 1; {TO_OUT}
pointer stored in the context | CLS
    *(u32 *)(r1 + 48) = r10; {OUT}
context written | CLS
    *(u32 *)(r1 + 48) = 7; {OUT}
context's read-only field written | CLS | ctx-access | invalid bpf_context access off=0 size=4
    *(u32 *)(r1 + 0) = 7; {OUT}
context at negative offset | CLS | ctx-access | invalid bpf_context access off=-4 size=4
    r0 = *(u32 *)(r1 - 4); exit
context misaligned | CLS | ctx-access | invalid bpf_context access off=1 size=2
    r0 = *(u16 *)(r1 + 1); exit
context beyond its end | CLS | ctx-access | invalid bpf_context access off=400 size=4
    r0 = *(u32 *)(r1 + 400); exit
context of a program that has none | SYSCALL
    r0 = *(u32 *)(r1 + 400); {OUT}
context of a program that has none, at unknown offset | SYSCALL | ctx-access | variable ctx access var_off=(0x0; 0x7) disallowed
    r2 = *(u32 *)(r1 + 0); r2 &= 7; r1 += r2; r0 = *(u8 *)(r1 + 0); {OUT}
context of another field | TP | ctx-access | invalid bpf_context access off=8188 size=8
    r0 = *(u64 *)(r1 + 8188); {OUT}
flow keys | FLOW_DISSECTOR
    r2 = *(u64 *)(r1 + 144); r0 = *(u16 *)(r2 + 0); *(u16 *)(r2 + 2) = 4; {OUT}
flow keys at their end | FLOW_DISSECTOR
    r2 = *(u64 *)(r1 + 144); r0 = *(u32 *)(r2 + 52); {OUT}
flow keys beyond their end | FLOW_DISSECTOR | bounds-memory | invalid access to flow keys off=53 size=4
    r2 = *(u64 *)(r1 + 144); r0 = *(u32 *)(r2 + 53); {OUT}
flow keys at negative offset | FLOW_DISSECTOR | bounds-memory | invalid access to flow keys off=-4 size=4
    r2 = *(u64 *)(r1 + 144); r0 = *(u32 *)(r2 - 4); {OUT}
pointer stored in flow keys | FLOW_DISSECTOR
    r2 = *(u64 *)(r1 + 144); *(u64 *)(r2 + 0) = r10; {OUT}
tracepoint buffer | RAW_TRACEPOINT_WRITABLE
    r2 = *(u64 *)(r1 + 0); *(u64 *)(r2 + 0) = 1; r0 = *(u64 *)(r2 + 8); {OUT}
tracepoint buffer at negative offset | RAW_TRACEPOINT_WRITABLE | bounds-memory | R2 invalid tracepoint buffer access: off=-8
    r2 = *(u64 *)(r1 + 0); r0 = *(u64 *)(r2 - 8); {OUT}
tracepoint buffer at unknown offset | RAW_TRACEPOINT_WRITABLE | bounds-memory | R2 invalid variable buffer offset: off=0, var
    r3 = *(u64 *)(r1 + 8); r3 &= 7; r2 = *(u64 *)(r1 + 0); r2 += r3; r0 = *(u8 *)(r2 + 0); {OUT}
socket unchecked | CLS | null | R2 invalid mem access 'sock_common_or_null'
    r2 = *(u64 *)(r1 + 168); r0 = *(u32 *)(r2 + 4); {OUT}
socket's family | CLS
    {SKSK}; r0 = *(u32 *)(r2 + 4); {TO_OUT}
socket's type hidden | CLS | bounds-memory | R2 invalid sock_common access off=8 size=4
    {SKSK}; r0 = *(u32 *)(r2 + 8); {TO_OUT}
socket written | CLS | type | R2 cannot write into sock_common
    {SKSK}; *(u32 *)(r2 + 4) = 1; {TO_OUT}
socket beyond its end | CLS | bounds-memory | R2 invalid sock_common access off=80 size=4
    {SKSK}; r0 = *(u32 *)(r2 + 80); {TO_OUT}
socket at negative offset | CLS | bounds-memory | R2 invalid sock_common access off=-4 size=4
    {SKSK}; r0 = *(u32 *)(r2 - 4); {TO_OUT}
socket at unknown offset | CLS | type | R2 pointer arithmetic on sock_common prohibited
    {SKSK}; r3 = *(u32 *)(r1 + 0); r3 &= 4; r2 += r3; r0 = *(u32 *)(r2 + 4); {TO_OUT}
full socket's type | CLS
    {FULL}; r0 = *(u32 *)(r2 + 8); {TO_OUT}
full socket's narrow field | CLS | bounds-memory | R2 invalid sock access off=13 size=1
    {FULL}; r0 = *(u8 *)(r2 + 13); r0 = *(u16 *)(r2 + 12); {TO_OUT}
full socket's wide load | CLS | bounds-memory | R2 invalid sock access off=8 size=8
    {FULL}; r0 = *(u64 *)(r2 + 8); {TO_OUT}
full socket misaligned | CLS | bounds-memory | R2 invalid sock access off=13 size=2
    {FULL}; r0 = *(u16 *)(r2 + 13); {TO_OUT}
full socket's ports | CLS
    {FULL}; r0 = *(u32 *)(r2 + 48); r0 = *(u16 *)(r2 + 48); r0 = *(u8 *)(r2 + 49); {TO_OUT}
full socket's padding of a port | CLS | bounds-memory | R2 invalid sock access off=50 size=2
    {FULL}; r0 = *(u16 *)(r2 + 50); {TO_OUT}
full socket's bound device, narrow | CLS | bounds-memory | R2 invalid sock access off=0 size=1
    {FULL}; r0 = *(u8 *)(r2 + 0); {TO_OUT}
full socket's source port, narrow | CLS
    {FULL}; r0 = *(u16 *)(r2 + 44); {TO_OUT}
full socket's IPv6 address | CLS
    {FULL}; r0 = *(u32 *)(r2 + 36); r0 = *(u8 *)(r2 + 40); {TO_OUT}
full socket's state, narrow | CLS
    {FULL}; r0 = *(u8 *)(r2 + 72); {TO_OUT}
full socket's mapping | CLS
    {FULL}; r0 = *(u32 *)(r2 + 76); {TO_OUT}
full socket's mapping, narrow | CLS
    {FULL}; r0 = *(u16 *)(r2 + 76); {TO_OUT}
TCP socket | CLS
    {TCP}; r0 = *(u32 *)(r2 + 0); r0 = *(u64 *)(r2 + 80); r0 = *(u64 *)(r2 + 88); {TO_OUT}
TCP socket's half of a wide field | CLS | bounds-memory | R2 invalid tcp_sock access off=80 size=4
    {TCP}; r0 = *(u32 *)(r2 + 80); {TO_OUT}
TCP socket's wide load | CLS | bounds-memory | R2 invalid tcp_sock access off=0 size=8
    {TCP}; r0 = *(u64 *)(r2 + 0); {TO_OUT}
TCP socket's narrow load | CLS | bounds-memory | R2 invalid tcp_sock access off=0 size=2
    {TCP}; r0 = *(u16 *)(r2 + 0); {TO_OUT}
TCP socket beyond its end | CLS | bounds-memory | R2 invalid tcp_sock access off=116 size=4
    {TCP}; r0 = *(u32 *)(r2 + 116); {TO_OUT}
TCP socket's last | CLS | bounds-memory | R2 invalid tcp_sock access off=112 size=4
    {TCP}; r0 = *(u32 *)(r2 + 112); {TO_OUT}
TCP socket written | CLS | type | R2 cannot write into tcp_sock
    {TCP}; *(u32 *)(r2 + 0) = 1; {TO_OUT}
map described | CLS
    r1 = hash ll; r0 = *(u32 *)(r1 + 32); {OUT}
map described, written | CLS | type | only read from bpf_htab is supported
    r1 = hash ll; *(u32 *)(r1 + 32) = 1; {OUT}
map described, negative | CLS | bounds-memory | R1 is bpf_htab invalid negative access: off=-4
    r1 = hash ll; r0 = *(u32 *)(r1 - 4); {OUT}
map described, pointer | CLS | type | R2 invalid mem access 'scalar'
    r1 = hash ll; r2 = *(u64 *)(r1 + 0); if r2 == 0 goto o; r0 = *(u64 *)(r2 + 0); {TO_OUT}
map described, far | CLS | bounds-memory | access beyond struct bpf_htab at off 32000 size 8
    r1 = hash ll; r0 = *(u64 *)(r1 + 32000); {OUT}
map described, proprietary | CLS proprietary
    r1 = hash ll; r0 = *(u32 *)(r1 + 32); {OUT}
ring buffer described | CLS
    r1 = ring ll; r0 = *(u32 *)(r1 + 32); {OUT}
record unchecked | SK | null | R0 invalid mem access 'ringbuf_mem_or_null'
    r1 = ring ll; r2 = 16; r3 = 0; call 131; r0 = *(u8 *)(r0 + 0); {OUT}
record overrun | SK | bounds-memory | R6 min value is outside of the allowed memory range: mem has
    r1 = ring ll; r2 = 16; r3 = 0; call 131; if r0 == 0 goto o; r6 = r0; *(u64 *)(r6 + 9) = 1; r1 = r6; r2 = 0
    call 132; {TO_OUT}
record with a pointer | SK
    r1 = ring ll; r2 = 16; r3 = 0; call 131; if r0 == 0 goto o; r6 = r0; *(u64 *)(r6 + 8) = r10; r1 = r6; r2 = 0
    call 132; {TO_OUT}
record at unknown offset | SK | bounds-memory | R7 max value is outside of the allowed memory range: mem has
    r7 = *(u32 *)(r1 + 0); r7 &= 7; r1 = ring ll; r2 = 16; r3 = 0; call 131; if r0 == 0 goto o; r6 = r0; r7 += r6
    *(u64 *)(r7 + 8) = 1
    r1 = r6; r2 = 0; call 132; {TO_OUT}
record at negative offset | SK | bounds-memory | R6 min value is outside of the allowed memory range: mem has
    r1 = ring ll; r2 = 16; r3 = 0; call 131; if r0 == 0 goto o; r6 = r0; *(u64 *)(r6 - 8) = 1; r1 = r6; r2 = 0
    call 132; {TO_OUT}
direct value | SK
    r1 = map_val(array) + 8; r0 = *(u64 *)(r1 + 0); *(u64 *)(r1 - 8) = 1; {OUT}
direct value overrun | SK | bounds-map | R1 min value is outside of the allowed memory range: map_val
    r1 = map_val(array) + 8; r0 = *(u64 *)(r1 + 1); {OUT}
direct value behind its end | SK | bounds-map | invalid access to map value pointer, value_size=16 off=16
    r1 = map_val(array) + 16; {OUT}
direct value of many | SK | bounds-map | invalid access to map value pointer, value_size=16 off=0
    r1 = map_val(many); {OUT}
direct value of a hash | SK | map | no direct value access support for this map type
    r1 = map_val(hash); {OUT}
direct value at a huge offset | SK | bounds-map | direct value offset of 536870912 is not allowed
    r1 = map_val(array) + 536870912; {OUT}
wide load with a remainder | SK | encoding | invalid bpf_ld_imm64 insn: its second half is missing
    #18 1 0 0 1; #01 0 0 0 0; {OUT}
wide load with offset | SK | encoding | BPF_LD_IMM64 uses reserved fields
    #18 1 0 1 1; #00 0 0 0 0; {OUT}
wide load of no kind | SK | encoding | unrecognized bpf_ld_imm64 insn
    #18 1 7 0 1; #00 0 0 0 0; {OUT}
wide load of no map | SK | argument | fd 9999 is not pointing to valid bpf_map
    #18 1 1 0 9999; #00 0 0 0 0; {OUT}
wide load of a map by number | SK | encoding | fd_idx without fd_array is invalid
    #18 1 5 0 0; #00 0 0 0 0; {OUT}
wide load of a map's value by number | SK | encoding | fd_idx without fd_array is invalid
    #18 1 6 0 0; #00 0 0 0 0; {OUT}
wide load into no register | SK | encoding | R11 is invalid: there are R0 to R10
    #18 11 0 0 1; #00 0 0 0 0; {OUT}
wide load cut short | SK | cfg | last insn is not an exit or jmp
    #18 1 0 0 1
"""


def test_rules(cases, plainmaps, decided, case):
    decided(cases.spec_of(case, plainmaps), case.category, case.message)
