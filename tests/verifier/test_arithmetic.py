"""Arithmetic on numbers and pointers, moves, conversions, and the encodings that do not exist; the kernel says the same."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.kernel

PACKET = "r2 = *(u32 *)(r1 + 76); r3 = *(u32 *)(r1 + 80)"
VALUE = "*(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r1 = hash ll; call 1"
OUT = "r0 = 0; exit"

TABLE = f"""
no such register | SK | encoding | R11 is invalid: there are R0 to R10
    #bf 11 1 0 0; {OUT}
no such source | SK | encoding | R11 is invalid: there are R0 to R10
    #bf 0 11 0 0; {OUT}
no such operand | SK | encoding | R11 is invalid: there are R0 to R10
    #0f 0 11 0 0; {OUT}
no such constant's register | SK | encoding | R11 is invalid: there are R0 to R10
    #b7 11 0 0 1; {OUT}
no such negated register | SK | encoding | R11 is invalid: there are R0 to R10
    #87 11 0 0 0; {OUT}
no such swapped register | SK | encoding | R11 is invalid: there are R0 to R10
    #dc 11 0 0 16; {OUT}
no such cast register | SK | encoding | R11 is invalid: there are R0 to R10
    r2 = arena ll; #bf 11 1 1 1; {OUT}
no such extended register | SK | encoding | R11 is invalid: there are R0 to R10
    #bf 11 1 8 0; {OUT}
written frame pointer by a sum | SK | type | frame pointer is read only
    #07 10 0 0 8; {OUT}
negation with source | SK | encoding | BPF_NEG uses reserved fields
    #87 1 1 0 0; {OUT}
negation with offset | SK | encoding | BPF_NEG uses reserved fields
    #87 1 0 1 0; {OUT}
negation with immediate | SK | encoding | BPF_NEG uses reserved fields
    #87 1 0 0 1; {OUT}
swap of 8 bits | SK | encoding | BPF_END uses reserved fields
    #dc 1 0 0 8; {OUT}
swap with offset | SK | encoding | BPF_END uses reserved fields
    #dc 1 0 1 16; {OUT}
swap with 64-bit class and source | SK | encoding | unknown opcode df
    #df 1 0 0 16; {OUT}
sum with offset | SK | encoding | BPF_ALU uses reserved fields
    #07 0 0 1 1; {OUT}
sum with both operands | SK | encoding | BPF_ALU uses reserved fields
    r0 = 0; #0f 0 1 0 1; {OUT}
sum with immediate and source | SK | encoding | BPF_ALU uses reserved fields
    r0 = 0; #07 0 1 0 1; {OUT}
division with wrong offset | SK | encoding | BPF_ALU uses reserved fields
    r0 = 8; #37 0 0 2 1; {OUT}
move with source and immediate | SK | encoding | BPF_MOV uses reserved fields
    #bf 0 1 0 1; {OUT}
move of a constant with source | SK | encoding | BPF_MOV uses reserved fields
    #b7 0 1 0 1; {OUT}
move of a constant with offset | SK | encoding | BPF_MOV uses reserved fields
    #b7 0 0 8 1; {OUT}
move that extends 4 bits | SK | encoding | BPF_MOV uses reserved fields
    #bf 0 1 4 0; {OUT}
narrow move that extends 32 bits | SK | encoding | BPF_MOV uses reserved fields
    #bc 0 1 32 0; {OUT}
shift of 32 bits | SK | encoding | invalid shift 32
    r0 = 1; w0 <<= 31; w0 <<= 32; exit
shift by a number | SK
    r0 = 1; r1 = 99; r0 <<= r1; {OUT}
negative shift | SK | encoding | invalid shift -1
    r0 = 1; #67 0 0 0 -1; {OUT}
remainder by zero | SK | encoding | div by zero
    r0 = 1; r0 %= 0; exit
division by a register | SK
    r0 = 7; r1 = 0; r0 /= r1; exit
negated | SK
    r0 = 7; r0 = -r0; w0 = -w0; {OUT}
negated nothing | SK | uninitialised | R3 !read_ok: it is read, but nothing was written to it on th
    r3 = -r3; {OUT}
negated pointer | SK | type | R1 invalid mem access 'scalar'
    r1 = -r1; r0 = *(u8 *)(r1 + 0); {OUT}
negated pointer is a number | SK
    r1 = -r1; {OUT}
swapped | SK
    r0 = 7; r0 = be16 r0; r0 = le32 r0; r0 = be64 r0; r0 = bswap32 r0; {OUT}
swapped nothing | SK | uninitialised | R3 !read_ok: it is read, but nothing was written to it on th
    r3 = be16 r3; {OUT}
swapped pointer | SK
    r1 = be64 r1; {OUT}
sum with nothing | SK | uninitialised | R3 !read_ok: it is read, but nothing was written to it on th
    r0 = 1; r0 += r3; exit
sum into nothing | SK | uninitialised | R3 !read_ok: it is read, but nothing was written to it on th
    r3 += 1; {OUT}
sum into nothing of a register | SK | uninitialised | R3 !read_ok: it is read, but nothing was written to it on th
    r3 += r1; {OUT}
narrow copy of nothing | SK | uninitialised | R3 !read_ok: it is read, but nothing was written to it on th
    w0 = w3; {OUT}
narrow copy of a pointer | SK
    w2 = w1; r0 = r2; {OUT}
narrow copy of a pointer used | SK | type | R2 invalid mem access 'scalar'
    w2 = w1; r0 = *(u8 *)(r2 + 0); exit
extended copy of nothing | SK | uninitialised | R3 !read_ok: it is read, but nothing was written to it on th
    r0 = (s8)r3; {OUT}
extended copy of a pointer | SK
    r2 = (s32)r1; r0 = 0; exit
narrow extended copy of a pointer | SK
    w2 = (s16)w1; r0 = 0; exit
extended copies | SK
    r0 = *(u32 *)(r1 + 0); r2 = (s8)r0; r3 = (s16)r0; r4 = (s32)r0; w5 = (s8)w0; w6 = (s16)w0; {OUT}
extended constant | SK
    r2 = 255; r0 = (s8)r2; r0 += 1; if r0 == 0 goto o; r0 = r9; o: {OUT}
cast of an address | SYSCALL
    r1 = arena ll; r2 = 5; #bf 3 2 1 1; r0 = *(u64 *)(r3 + 0); *(u64 *)(r3 + 8) = 1; #bf 3 2 1 65536; {OUT}
cast without arena | SYSCALL | encoding | addr_space_cast insn can only be used in a program that has
    r2 = 5; #bf 3 2 1 1; {OUT}
cast to another space | SYSCALL | encoding | addr_space_cast insn can only convert between address space
    r1 = arena ll; r2 = 5; #bf 3 2 1 2; {OUT}
cast of nothing | SYSCALL | uninitialised | R6 !read_ok: it is read, but nothing was written to it on th
    r1 = arena ll; #bf 3 6 1 1; {OUT}
cast pointer moved | SYSCALL
    r1 = arena ll; r2 = 5; #bf 3 2 1 1; r3 += 100; r0 = *(u64 *)(r3 + 0); {OUT}
cast pointer compared | SYSCALL
    r1 = arena ll; r2 = 5; #bf 3 2 1 1; if r3 == 0 goto o; r0 = *(u8 *)(r3 - 4); o: {OUT}
cast pointer atomic | SYSCALL
    r1 = arena ll; r2 = 5; #bf 3 2 1 1; r4 = 1; lock *(u64 *)(r3 + 0) += r4; {OUT}
cast pointer to helper | SYSCALL | argument | R1 type=arena expected=fp, pkt, pkt_meta, map_key, map_value
    r1 = arena ll; r2 = 5; #bf 3 2 1 1; r1 = r3; r2 = 8; call 16; {OUT}
cast with a narrow register | SYSCALL | encoding | BPF_MOV uses reserved fields
    r1 = arena ll; r2 = 5; #bc 3 2 1 1; {OUT}
arena pointer to address | SYSCALL
    r1 = map_val(arena) + 8; {OUT}
arena used in a socket filter | SK
    r1 = arena ll; {OUT}
stack minus register | SK | type | R2 subtraction from stack pointer prohibited
    r2 = r10; r3 = 8; r2 -= r3; {OUT}
stack minus constant | SK | type | R2 subtraction from stack pointer prohibited
    r2 = r10; r2 -= 8; *(u64 *)(r2 + 0) = 0; {OUT}
number minus pointer | SK | type | R2 tried to subtract pointer from scalar
    r2 = 8; r2 -= r10; {OUT}
pointer minus pointer | SK
    r2 = r10; r2 -= r10; {OUT}
pointer minus itself is a number | SK | type | R2 invalid mem access 'scalar'
    r2 = r10; r2 -= r10; r0 = *(u8 *)(r2 + 0); exit
packet minus constant | CLS
    {PACKET}; r2 -= 4; {OUT}
packet minus register | CLS
    {PACKET}; r4 = r2; r4 += 20; if r4 > r3 goto o; r4 -= 4; r0 = *(u8 *)(r4 - 10); o: {OUT}
packet minus unknown | CLS | bounds-packet | R4 min value is negative, either use unsigned index or do a
    {PACKET}; r5 = *(u32 *)(r1 + 0); r5 &= 7; r4 = r2; r4 += 20; if r4 > r3 goto o; r4 -= r5; r0 = *(u8 *)(r4 - 1); o: {OUT}
packet minus unknown below | CLS | bounds-packet | R4 min value is negative, either use unsigned index or do a
    {PACKET}; r5 = *(u32 *)(r1 + 0); r5 &= 7; r4 = r2; r4 -= r5; r6 = r4; r6 += 8; if r6 > r3 goto o
    r0 = *(u8 *)(r4 + 0); o: {OUT}
packet minus huge | CLS | bounds-packet | value -4294967295 makes pkt pointer be out of bounds
    {PACKET}; r5 = *(u32 *)(r1 + 0); r2 -= r5; {OUT}
packet plus huge | CLS
    {PACKET}; r5 = *(u32 *)(r1 + 0); r5 <<= 10; r2 += r5; {OUT}
packet plus negative | CLS | bounds-packet | R4 min value is negative, either use unsigned index or do a
    {PACKET}; r5 = *(u32 *)(r1 + 0); r5 &= 7; r5 -= 3; r4 = r2; r4 += r5; r6 = r4; r6 += 8; if r6 > r3 goto o
    r0 = *(u8 *)(r4 + 0); o: {OUT}
packet pointer masked | CLS | type | R2 bitwise operator &= on pointer prohibited
    {PACKET}; r2 &= 7; {OUT}
packet pointer or | CLS | type | R2 bitwise operator |= on pointer prohibited
    {PACKET}; r2 |= 7; {OUT}
packet pointer xor register | CLS | type | R2 bitwise operator ^= on pointer prohibited
    {PACKET}; r4 = 1; r2 ^= r4; {OUT}
packet pointer shifted | CLS | type | R2 pointer arithmetic with <<= operator prohibited
    {PACKET}; r2 <<= 1; {OUT}
number times pointer | CLS | type | R4 pointer arithmetic with *= operator prohibited
    {PACKET}; r4 = 2; r4 *= r2; {OUT}
number plus pointer | CLS
    {PACKET}; r4 = 14; r4 += r2; if r4 > r3 goto o; r0 = *(u8 *)(r2 + 13); o: {OUT}
number or pointer | CLS | type | R4 bitwise operator |= on pointer prohibited
    {PACKET}; r4 = 14; r4 |= r2; {OUT}
pointer minus pointer to the packet | CLS
    {PACKET}; r3 -= r2; r0 = r3; exit
narrow difference of pointers | CLS
    {PACKET}; w3 -= w2; r0 = 0; exit
narrow sum of a pointer | CLS | type | R3 32-bit pointer arithmetic prohibited
    {PACKET}; w3 += 1; r0 = 0; exit
end plus constant | CLS | type | R3 pointer arithmetic on pkt_end prohibited
    {PACKET}; r3 += 1; {OUT}
end minus constant | CLS | type | R3 pointer arithmetic on pkt_end prohibited
    {PACKET}; r3 -= 1; {OUT}
end plus unknown | CLS | type | R3 pointer arithmetic on pkt_end prohibited
    {PACKET}; r5 = *(u32 *)(r1 + 0); r3 += r5; {OUT}
map plus constant | SK | type | R2 pointer arithmetic on map_ptr prohibited
    r2 = hash ll; r2 += 4; {OUT}
map plus zero | SK
    r1 = hash ll; r1 += 0; *(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; call 1; {OUT}
map plus unknown | SK | type | R1 pointer arithmetic on map_ptr prohibited
    r2 = *(u32 *)(r1 + 0); r1 = hash ll; r1 += r2; {OUT}
map minus zero | SK | type | R1 pointer arithmetic on map_ptr prohibited
    r1 = hash ll; r1 -= 0; {OUT}
value or null plus constant | SK | null | R0 pointer arithmetic on map_value_or_null prohibited, null-
    {VALUE}; r0 += 4; {OUT}
value or null plus zero | SK | null | R0 pointer arithmetic on map_value_or_null prohibited, null-
    {VALUE}; r0 += 0; {OUT}
value plus huge constant | SK | bounds-map | math between map_value pointer and 536870912 is not allowed
    {VALUE}; if r0 == 0 goto o; r1 = 536870912; r0 += r1; o: {OUT}
value plus large constant twice | SK | bounds-map | map_value pointer offset 1073740000 is not allowed
    {VALUE}; if r0 == 0 goto o; r0 += 536870000; r0 += 536870000; o: {OUT}
value minus large constant twice | SK | bounds-map | map_value pointer offset -1073740000 is not allowed
    {VALUE}; if r0 == 0 goto o; r0 += -536870000; r0 += -536870000; o: {OUT}
value plus unbounded | SK | bounds-map | math between map_value pointer and register with unbounded m
    r6 = *(u32 *)(r1 + 0); r7 = r6; r6 <<= 32; r6 |= r7; {VALUE}; if r0 == 0 goto o; r0 += r6; o: {OUT}
value plus negative range | SK | bounds-map | value -4294967295 makes map_value pointer be out of bounds
    r6 = *(u32 *)(r1 + 0); r6 |= 1; r6 = -r6; {VALUE}; if r0 == 0 goto o; r0 += r6; o: {OUT}
value plus and minus unknown | SK | bounds-map | R0 min value is negative, either use unsigned index or do a
    r6 = *(u32 *)(r1 + 0); r6 &= 7; {VALUE}; if r0 == 0 goto o; r0 += r6; r0 -= r6; r0 = *(u8 *)(r0 + 0); o: {OUT}
value plus unknown twice | SK
    r6 = *(u32 *)(r1 + 0); r6 &= 7; {VALUE}; if r0 == 0 goto o; r0 += r6; r0 += r6; r0 = *(u8 *)(r0 + 0); o: {OUT}
value plus contradictory | SK
    r6 = *(u32 *)(r1 + 0); if r6 > 5 goto o; if r6 < 7 goto o; {VALUE}; r0 += r6; o: {OUT}
context plus unknown | SK | ctx-access | variable ctx access var_off=(0x0; 0x4) disallowed
    r2 = *(u32 *)(r1 + 0); r2 &= 4; r1 += r2; r0 = *(u32 *)(r1 + 0); exit
context minus | SK | ctx-access | negative offset ctx ptr R1 off=-4 disallowed
    r1 -= 4; r0 = *(u32 *)(r1 + 4); exit
context minus in the program's context | SYSCALL
    r1 += 8; r1 -= 8; r0 = *(u64 *)(r1 + 0); {OUT}
context negative | SYSCALL | ctx-access | negative offset ctx ptr R1 off=-8 disallowed
    r1 -= 8; r0 = *(u64 *)(r1 + 0); {OUT}
context far | SYSCALL
    r0 = *(u64 *)(r1 + 32760); {OUT}
flow keys plus constant | FLOW_DISSECTOR
    r2 = *(u64 *)(r1 + 144); r2 += 4; r0 = *(u16 *)(r2 + 0); r0 = 0; exit
flow keys plus unknown | FLOW_DISSECTOR | ctx-access | invalid bpf_context access off=0 size=4
    r3 = *(u32 *)(r1 + 0); r2 = *(u64 *)(r1 + 144); r3 &= 3; r2 += r3; r0 = 0; exit
flow keys minus constant | FLOW_DISSECTOR
    r2 = *(u64 *)(r1 + 144); r2 -= 4; r0 = 0; exit
socket plus constant | CLS | type | R2 pointer arithmetic on sock_common prohibited
    r2 = *(u64 *)(r1 + 168); if r2 == 0 goto o; r2 += 4; o: {OUT}
socket or null plus constant | CLS | null | R2 pointer arithmetic on sock_common_or_null prohibited, nul
    r2 = *(u64 *)(r1 + 168); r2 += 4; {OUT}
function plus constant | SK | btf | missing btf func_info
    r2 = code_addr(f); r2 += 8; {OUT}; f: {OUT}
record plus constant | SK
    r1 = ring ll; r2 = 16; r3 = 0; call 131; if r0 == 0 goto o; r6 = r0; r0 += 8; *(u64 *)(r0 + 0) = 1; r1 = r6
    r2 = 0; call 132; o: {OUT}
"""


def test_rules(cases, plainmaps, decided, case):
    decided(cases.spec_of(case, plainmaps), case.category, case.message)
