"""Comparisons of pointers, of packets with their end, of equal numbers; jumps that do not exist; the kernel says the same."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.kernel

PACKET = "r2 = *(u32 *)(r1 + 76); r3 = *(u32 *)(r1 + 80); r4 = r2; r4 += 8"
META = "r2 = *(u32 *)(r1 + 140); r3 = *(u32 *)(r1 + 76); r4 = r2; r4 += 8"
READ = "r0 = *(u64 *)(r2 + 0)"
VALUE = "*(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r1 = hash ll; call 1"
OUT = "r0 = 0; exit"

TABLE = f"""
jump with source | SK | encoding | BPF_JA uses reserved fields
    #05 0 1 0 0; {OUT}
jump with immediate | SK | encoding | BPF_JA uses reserved fields
    #05 0 0 0 1; {OUT}
long jump with offset | SK | encoding | BPF_JA uses reserved fields
    #06 0 0 1 0; {OUT}
may_goto with another operand | SK | encoding | invalid may_goto imm 0
    #e5 0 1 0 0; {OUT}
may_goto with immediate | SK | encoding | invalid may_goto imm 1
    #e5 0 0 0 1; {OUT}
conditional jump with source | SK | encoding | BPF_JMP/JMP32 uses reserved fields
    r0 = 0; #15 0 1 0 0; exit
conditional jump with immediate | SK | encoding | BPF_JMP/JMP32 uses reserved fields
    r0 = 0; #1d 0 1 0 1; exit
no such register compared | SK | encoding | R11 is invalid: there are R0 to R10
    #15 11 0 0 0; {OUT}
no such register compared with | SK | uninitialised | R0 !read_ok: it is read, but nothing was written to it on th
    #1d 0 11 0 0; {OUT}
exit with offset | SK | cfg | unreachable insn 2
    r0 = 0; #95 0 0 1 0; exit
call with destination | SK | encoding | BPF_CALL uses reserved fields
    #85 1 0 0 7; {OUT}
call with offset | SK | encoding | BPF_CALL uses reserved fields
    #85 0 0 1 7; {OUT}
call of a fourth kind | SK | encoding | BPF_CALL uses reserved fields
    #85 0 3 0 7; {OUT}
nothing compared | SK | uninitialised | R3 !read_ok: it is read, but nothing was written to it on th
    r0 = 0; if r3 == 0 goto o; o: exit
nothing compared with | SK | uninitialised | R3 !read_ok: it is read, but nothing was written to it on th
    r0 = 0; if r0 == r3 goto o; o: exit
packet > end | CLS
    {PACKET}; if r4 > r3 goto o; {READ}; o: {OUT}
packet > end, other side | CLS | bounds-packet | R2 offset is outside of the packet: off=0 size=8, checked up
    {PACKET}; if r4 > r3 goto i; goto o; i: {READ}; o: {OUT}
packet >= end | CLS
    {PACKET}; if r4 >= r3 goto o; {READ}; o: {OUT}
packet >= end, one byte more | CLS
    {PACKET}; if r4 >= r3 goto o; r0 = *(u8 *)(r2 + 8); o: {OUT}
packet >= end, two bytes more | CLS | bounds-packet | R2 offset is outside of the packet: off=8 size=2, checked up
    {PACKET}; if r4 >= r3 goto o; r0 = *(u16 *)(r2 + 8); o: {OUT}
packet < end | CLS
    {PACKET}; if r4 < r3 goto i; goto o; i: r0 = *(u8 *)(r2 + 8); o: {OUT}
packet < end, other side | CLS | bounds-packet | R2 offset is outside of the packet: off=0 size=8, checked up
    {PACKET}; if r4 < r3 goto o; {READ}; o: {OUT}
packet <= end | CLS
    {PACKET}; if r4 <= r3 goto i; goto o; i: {READ}; o: {OUT}
packet <= end, one byte more | CLS | bounds-packet | R2 offset is outside of the packet: off=8 size=1, checked up
    {PACKET}; if r4 <= r3 goto i; goto o; i: r0 = *(u8 *)(r2 + 8); o: {OUT}
end > packet | CLS
    {PACKET}; if r3 > r4 goto i; goto o; i: r0 = *(u8 *)(r2 + 8); o: {OUT}
end >= packet | CLS
    {PACKET}; if r3 >= r4 goto i; goto o; i: {READ}; o: {OUT}
end < packet | CLS
    {PACKET}; if r3 < r4 goto o; {READ}; o: {OUT}
end <= packet | CLS
    {PACKET}; if r3 <= r4 goto o; r0 = *(u8 *)(r2 + 8); o: {OUT}
packet == end | CLS | bounds-packet | R2 offset is outside of the packet: off=0 size=8, checked up
    {PACKET}; if r4 == r3 goto i; goto o; i: {READ}; o: {OUT}
packet s> end | CLS | bounds-packet | R2 offset is outside of the packet: off=0 size=8, checked up
    {PACKET}; if r4 s> r3 goto o; {READ}; o: {OUT}
narrow packet > end | CLS | bounds-packet | R2 offset is outside of the packet: off=0 size=8, checked up
    {PACKET}; if w4 > w3 goto o; {READ}; o: {OUT}
packet compared with packet | CLS | bounds-packet | R2 offset is outside of the packet: off=0 size=8, checked up
    {PACKET}; if r4 > r2 goto o; {READ}; o: {OUT}
packet start > end | CLS | bounds-packet | R2 offset is outside of the packet: off=0 size=1, checked up
    {PACKET}; if r2 > r3 goto o; r0 = *(u8 *)(r2 + 0); o: {OUT}
packet start >= end | CLS | bounds-packet | R2 offset is outside of the packet: off=0 size=1, checked up
    {PACKET}; if r2 >= r3 goto o; r0 = *(u8 *)(r2 + 0); o: {OUT}
beyond the end for sure | CLS
    {PACKET}; if r4 <= r3 goto o; if r4 > r3 goto o; r0 = r9; o: {OUT}
beyond the end, at the end | CLS
    {PACKET}; if r4 <= r3 goto o; if r4 >= r3 goto o; r0 = r9; o: {OUT}
at the end or beyond | CLS
    {PACKET}; if r4 < r3 goto o; if r4 >= r3 goto o; r0 = r9; o: {OUT}
at the end or beyond, beyond | CLS | uninitialised | R9 !read_ok: it is read, but nothing was written to it on th
    {PACKET}; if r4 < r3 goto o; if r4 > r3 goto o; r0 = r9; o: {OUT}
beyond the end, end first | CLS
    {PACKET}; if r4 <= r3 goto o; if r3 < r4 goto o; r0 = r9; o: {OUT}
at the end, end first | CLS
    {PACKET}; if r4 < r3 goto o; if r3 <= r4 goto o; r0 = r9; o: {OUT}
beyond the end, not below | CLS
    {PACKET}; if r4 <= r3 goto o; if r4 < r3 goto x; {OUT}; x: r0 = r9; o: {OUT}
beyond the end, not equal | CLS | uninitialised | R9 !read_ok: it is read, but nothing was written to it on th
    {PACKET}; if r4 <= r3 goto o; if r4 == r3 goto x; {OUT}; x: r0 = r9; o: {OUT}
inside, then end | CLS | uninitialised | R9 !read_ok: it is read, but nothing was written to it on th
    {PACKET}; if r4 > r3 goto o; if r4 > r3 goto x; {OUT}; x: r0 = r9; o: {OUT}
unknown offset > end | CLS
    {PACKET}; r5 = *(u32 *)(r1 + 0); r5 &= 7; r4 += r5; r6 = r4; r4 += 4; if r4 > r3 goto o; r0 = *(u32 *)(r6 + 0); o: {OUT}
offset beyond the limit | CLS | bounds-packet | R2 offset is outside of the packet: off=0 size=8, checked up
    {PACKET}; r5 = *(u32 *)(r1 + 0); r5 &= 65535; r2 += r5; r4 = r2; r4 += 8; if r4 > r3 goto o; {READ}; o: {OUT}
offset within the limit | CLS
    {PACKET}; r5 = *(u32 *)(r1 + 0); r5 &= 32767; r2 += r5; r4 = r2; r4 += 8; if r4 > r3 goto o; {READ}; o: {OUT}
metadata > data | CLS
    {META}; if r4 > r3 goto o; {READ}; o: {OUT}
metadata > moved data | CLS | bounds-packet | R2 offset is outside of the packet: off=0 size=8, checked up
    {META}; r3 += 4; if r4 > r3 goto o; {READ}; o: {OUT}
metadata > end | CLS | bounds-packet | R2 offset is outside of the packet: off=0 size=8, checked up
    {META}; r3 = *(u32 *)(r1 + 80); if r4 > r3 goto o; {READ}; o: {OUT}
data < metadata | CLS
    {META}; if r3 < r4 goto o; {READ}; o: {OUT}
metadata written | CLS
    {META}; if r4 > r3 goto o; *(u64 *)(r2 + 0) = 1; o: {OUT}
copies know the end as well | CLS
    {PACKET}; *(u64 *)(r10 - 8) = r2; if r4 > r3 goto o; r2 = *(u64 *)(r10 - 8); {READ}; o: {OUT}
null test of a copy | SK
    {VALUE}; r6 = r0; if r6 == 0 goto o; r0 = *(u64 *)(r0 + 0); o: {OUT}
null test of a spilled copy | SK
    {VALUE}; *(u64 *)(r10 - 16) = r0; if r0 == 0 goto o; r1 = *(u64 *)(r10 - 16); r0 = *(u64 *)(r1 + 0); o: {OUT}
null test with a register | SK | null | R0 invalid mem access 'map_value_or_null'
    r7 = 0; {VALUE}; if r0 == r7 goto o; r0 = *(u64 *)(r0 + 0); o: {OUT}
null test of half | SK | null | R0 invalid mem access 'map_value_or_null'
    {VALUE}; if w0 == 0 goto o; r0 = *(u64 *)(r0 + 0); o: {OUT}
null test against one | SK | null | R0 invalid mem access 'map_value_or_null'
    {VALUE}; if r0 == 1 goto o; r0 = *(u64 *)(r0 + 0); o: {OUT}
null test by order | SK | null | R0 invalid mem access 'map_value_or_null'
    {VALUE}; if r0 > 0 goto i; {OUT}; i: r0 = *(u64 *)(r0 + 0); {OUT}
null test of a valid pointer | SK | uninitialised | R9 !read_ok: it is read, but nothing was written to it on th
    if r1 == 0 goto x; {OUT}; x: r0 = r9; exit
null test of the stack | SK | uninitialised | R9 !read_ok: it is read, but nothing was written to it on th
    if r10 == 0 goto x; {OUT}; x: r0 = r9; exit
null test of a value twice | SK
    {VALUE}; if r0 == 0 goto o; if r0 == 0 goto x; {OUT}; x: r0 = r9; o: {OUT}
null test of a map | SK
    r2 = hash ll; if r2 == 0 goto x; {OUT}; x: r0 = r9; exit
not null test of a map | SK
    r2 = hash ll; if r2 != 0 goto o; r0 = r9; o: {OUT}
value compared with another | SK
    {VALUE}; r6 = r0; {VALUE}; if r6 == 0 goto o; if r6 != r0 goto o; r0 = *(u64 *)(r0 + 0); o: {OUT}
value compared with another, unequal | SK | null | R0 invalid mem access 'map_value_or_null'
    {VALUE}; r6 = r0; {VALUE}; if r6 == 0 goto o; if r6 == r0 goto o; r0 = *(u64 *)(r0 + 0); o: {OUT}
value compared with another, reversed | SK
    {VALUE}; r6 = r0; {VALUE}; if r6 == 0 goto o; if r0 != r6 goto o; r0 = *(u64 *)(r0 + 0); o: {OUT}
value compared with the stack | SK
    {VALUE}; if r0 != r10 goto o; r0 = *(u64 *)(r0 + 0); o: {OUT}
two unchecked compared | SK | null | R0 invalid mem access 'map_value_or_null'
    {VALUE}; r6 = r0; {VALUE}; if r6 != r0 goto o; r0 = *(u64 *)(r0 + 0); o: {OUT}
task compared with a value | CLS | null | R6 invalid mem access 'ptr_or_null_'
    {VALUE}; r7 = r0; if r7 == 0 goto o; r1 = 1; !bpf_task_from_pid; r6 = r0; if r6 != r7 goto x
    r0 = *(u32 *)(r6 + 64); x: if r6 == 0 goto o; r1 = r6; !bpf_task_release; o: {OUT}
inner map | SK
    *(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r1 = outer ll; call 1; if r0 == 0 goto o; *(u32 *)(r10 - 4) = 0
    r2 = r10; r2 += -4
    r1 = r0; call 1; if r0 == 0 goto o; r0 = *(u64 *)(r0 + 8); o: {OUT}
inner map unchecked | SK | argument | R1 type=map_value_or_null expected=map_ptr
    *(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r1 = outer ll; call 1; r1 = r0; *(u32 *)(r10 - 4) = 0; r2 = r10
    r2 += -4; call 1; {OUT}
inner map overrun | SK | bounds-map | R0 min value is outside of the allowed memory range: map_val
    *(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r1 = outer ll; call 1; if r0 == 0 goto o; *(u32 *)(r10 - 4) = 0
    r2 = r10; r2 += -4
    r1 = r0; call 1; if r0 == 0 goto o; r0 = *(u64 *)(r0 + 16); o: {OUT}
socket in a sockmap | CLS
    *(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r1 = socks ll; call 1; if r0 == 0 goto o; r6 = *(u32 *)(r0 + 4)
    r1 = r0; call 86; o: {OUT}
socket in a sockmap leaks | CLS | reference | BPF_EXIT instruction in main prog would lead to reference le
    *(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r1 = socks ll; call 1; {OUT}
socket in a sockhash unchecked | CLS | null | R0 invalid mem access 'map_value_or_null'
    *(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r1 = sockhash ll; call 1; r6 = *(u32 *)(r0 + 4); {OUT}
XDP socket | XDP
    *(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r1 = xsks ll; call 1; if r0 == 0 goto o; r0 = *(u32 *)(r0 + 0); o: {OUT}
XDP socket overrun | XDP | bounds-memory | R0 invalid xdp_sock access off=4 size=4
    *(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r1 = xsks ll; call 1; if r0 == 0 goto o; r0 = *(u32 *)(r0 + 4); o: {OUT}
XDP socket half read | XDP | bounds-memory | R0 invalid xdp_sock access off=0 size=2
    *(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r1 = xsks ll; call 1; if r0 == 0 goto o; r0 = *(u16 *)(r0 + 0); o: {OUT}
XDP socket written | XDP | type | R0 cannot write into xdp_sock
    *(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r1 = xsks ll; call 1; if r0 == 0 goto o; *(u32 *)(r0 + 0) = 1; o: {OUT}
equal numbers, wide and narrow | SK
    r6 = *(u32 *)(r1 + 0); r7 = r6; w7 += 1; if w6 > 7 goto o; if w7 > 8 goto x; {OUT}; x: r0 = r9; o: {OUT}
equal numbers moved twice | SK | uninitialised | R9 !read_ok: it is read, but nothing was written to it on th
    r6 = *(u32 *)(r1 + 0); r6 &= 255; r7 = r6; r7 += 3; r8 = r7; r8 += 4; if r6 > 7 goto o; if r8 > 14 goto x; {OUT}
    x: r0 = r9; o: {OUT}
equal numbers moved back | SK
    r6 = *(u32 *)(r1 + 0); r6 &= 255; r7 = r6; r7 -= 3; if r7 s> 4 goto o; if r6 > 7 goto x; {OUT}; x: r0 = r9; o: {OUT}
equal numbers spilled | SK
    r6 = *(u32 *)(r1 + 0); *(u64 *)(r10 - 8) = r6; if r6 > 7 goto o; r7 = *(u64 *)(r10 - 8); if r7 > 7 goto x; {OUT}
    x: r0 = r9; o: {OUT}
equal numbers, copy of half | SK | uninitialised | R9 !read_ok: it is read, but nothing was written to it on th
    r6 = *(u64 *)(r1 + 48); w7 = w6; if w7 > 7 goto o; if w6 > 7 goto x; {OUT}; x: r0 = r9; o: {OUT}
many equal numbers | SK
    r0 = *(u32 *)(r1 + 0); r2 = r0; r3 = r0; r4 = r0; r5 = r0; r6 = r0; r7 = r0; r8 = r0; if r0 > 7 goto o
    if r8 > 7 goto x; {OUT}
    x: r0 = r9; o: {OUT}
many equal numbers, spilled | SK
    r0 = *(u32 *)(r1 + 0); r2 = r0; r3 = r0; r4 = r0; r5 = r0; r6 = r0; r7 = r0; r8 = r0; *(u64 *)(r10 - 8) = r0
    *(u64 *)(r10 - 16) = r0
    if r0 > 7 goto o; r1 = *(u64 *)(r10 - 16); if r1 > 7 goto x; {OUT}; x: r0 = r9; o: {OUT}
bits tested | SK
    r6 = *(u32 *)(r1 + 0); if r6 & 8 goto i; {OUT}; i: r6 &= 8; if r6 != 0 goto o; r0 = r9; o: {OUT}
bits tested, none | SK
    r6 = *(u32 *)(r1 + 0); if w6 & -8 goto o; if r6 > 7 goto x; {OUT}; x: r0 = r9; o: {OUT}
bits tested by a register | SK
    r6 = *(u32 *)(r1 + 0); r7 = 8; if r6 & r7 goto o; r6 &= 8; if r6 == 0 goto o; r0 = r9; o: {OUT}
compared with itself | SK | uninitialised | R9 !read_ok: it is read, but nothing was written to it on th
    r6 = *(u32 *)(r1 + 0); if r6 != r6 goto x; if r6 < r6 goto x; if r6 == r6 goto o; x: r0 = r9; o: {OUT}
two unknown numbers | SK
    r6 = *(u32 *)(r1 + 0); r7 = *(u32 *)(r1 + 4); r7 &= 7; if r6 > r7 goto o; if r6 > 7 goto x; {OUT}; x: r0 = r9; o: {OUT}
two unknown numbers equal | SK
    r6 = *(u32 *)(r1 + 0); r7 = *(u32 *)(r1 + 4); r7 &= 7; if r6 != r7 goto o; if r6 > 7 goto x; {OUT}; x: r0 = r9; o: {OUT}
two unknown numbers, signed | SK
    r6 = *(u32 *)(r1 + 0); r7 = *(u32 *)(r1 + 4); r7 &= 7; if w6 s>= w7 goto o; if w6 s> 6 goto x; {OUT}; x: r0 = r9
    o: {OUT}
many equal numbers that are read | SK | uninitialised | R9 !read_ok: it is read, but nothing was written to it on th
    r0 = *(u32 *)(r1 + 0); r2 = r0; r3 = r0; r4 = r0; r5 = r0; r6 = r0; r7 = r0; r8 = r0; if r0 > 7 goto o
    if r8 > 7 goto x; {OUT}
    x: r0 = r9; o: r2 += r3; r2 += r4; r2 += r5; r2 += r6; r2 += r7; {OUT}
many equal numbers in the caller | SK | complexity | infinite loop detected at insn 19
    r6 = *(u32 *)(r1 + 0); r7 = r6; r8 = r6; r9 = r6; r1 = r6; r2 = r6; r3 = r6; r4 = r6; call f; r0 = 0
    if r9 > 7 goto x; {OUT}
    x: r0 = r5; r6 += r7; r6 += r8; {OUT}; f: r0 = 0; l: if r1 > 7 goto l; exit
two numbers that cannot be equal | SK
    r6 = *(u32 *)(r1 + 0); r6 &= 7; if r6 == 0 goto o; r7 = *(u32 *)(r1 + 4); r7 &= 1073709056; if r7 != r6 goto o
    *(u64 *)(r10 - 8) = 0; r2 = r10; r2 += r6; r0 = *(u8 *)(r2 - 8); o: {OUT}
excluded bound | SK
    r6 = *(u32 *)(r1 + 0); r6 &= 7; if r6 == 7 goto o; if r6 > 6 goto x; {OUT}; x: r0 = r9; o: {OUT}
excluded narrow bound | SK
    r6 = *(u32 *)(r1 + 0); r6 &= 7; if w6 == 0 goto o; if w6 < 1 goto x; {OUT}; x: r0 = r9; o: {OUT}
excluded signed bound | SK
    r6 = *(u32 *)(r1 + 0); if w6 s< -5 goto o; if w6 s> 5 goto o; if w6 == -5 goto o; if w6 s< -4 goto x; {OUT}
    x: r0 = r9; o: {OUT}
"""


def test_rules(cases, plainmaps, decided, case):
    decided(cases.spec_of(case, plainmaps), case.category, case.message)
