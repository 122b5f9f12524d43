"""Calls of helpers: the arguments that each takes, the maps that go with it, what it gives; the kernel says the same."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.kernel

PACKET = "r6 = r1; r7 = *(u32 *)(r1 + 76); r3 = *(u32 *)(r1 + 80); r4 = r7; r4 += 16; if r4 > r3 goto out"
KEY = "*(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4"
VALUE = f"{KEY}; r1 = array ll; call 1; if r0 == 0 goto out; r7 = r0"
BUFFER = "*(u64 *)(r10 - 8) = 0; *(u64 *)(r10 - 16) = 0"
LOCAL = f"{VALUE}; r1 = r7; r2 = 16; r3 = 0; r4 = r10; r4 += -32; call 197"
RESERVED = "r1 = ring ll; r2 = 16; r3 = 0; r4 = r10; r4 += -32; call 198"
SUBMIT = "r1 = r10; r1 += -32; r2 = 0; call 199"
TUPLE = "*(u64 *)(r10 - 48) = 0; *(u32 *)(r10 - 40) = 0; r2 = r10; r2 += -48; r3 = 12; r4 = -1; r5 = 0"
OUT = "r0 = 0; exit"
END = f"out: {OUT}"

TABLE = f"""
argument never set | SK | uninitialised | R1 !read_ok: it is read, but nothing was written to it on th
    call 7; call 6; {OUT}
number for a map | SK | argument | R1 type=scalar expected=map_ptr
    r1 = 5; r2 = r10; r2 += -4; call 1; {OUT}
key never written | SYSCALL
    r1 = hash ll; r2 = r10; r2 += -4; call 1; {OUT}
key in a value | SK
    {VALUE}; r2 = r7; r1 = hash ll; call 1; {OUT}; {END}
key that overruns a value | SK | bounds-map | R2 min value is outside of the allowed memory range: map_val
    {VALUE}; r2 = r7; r2 += 14; r1 = hash ll; call 1; {OUT}; {END}
key in the packet | CLS
    {PACKET}; r2 = r7; r1 = hash ll; call 1; {END}
key in an unchecked packet | CLS | bounds-packet | R2 offset is outside of the packet: off=0 size=4, checked up
    r2 = *(u32 *)(r1 + 76); r1 = hash ll; call 1; {OUT}
value in the packet | CLS
    {PACKET}; {KEY}; r3 = r7; r1 = hash ll; r4 = 0; call 2; {END}
packet for a socket filter | SK
    {KEY}; r1 = hash ll; call 1; {OUT}
key is the context | SK | argument | R2 type=ctx expected=fp, pkt, pkt_meta, map_key, map_value,
    r2 = r1; r1 = hash ll; call 1; {OUT}
key is a map | SK | argument | R2 type=map_ptr expected=fp, pkt, pkt_meta, map_key, map_val
    r2 = hash ll; r1 = hash ll; call 1; {OUT}
value never written | SYSCALL
    {KEY}; r3 = r10; r3 += -32; r1 = hash ll; r4 = 0; call 2; {OUT}
value too short | SK | bounds-stack | invalid read from stack R3 off=-8 size=16
    {KEY}; {BUFFER}; r3 = r10; r3 += -8; r1 = hash ll; r4 = 0; call 2; {OUT}
flags are a pointer | SK
    {KEY}; {BUFFER}; r3 = r10; r3 += -16; r1 = hash ll; r4 = r10; call 2; {OUT}
value read into a value | SK
    {VALUE}; {KEY}; r3 = r7; r1 = hash ll; r4 = 0; call 2; {END}
read-only map updated | SK | type | write into map forbidden
    {KEY}; {BUFFER}; r3 = r10; r3 += -16; r1 = readonly ll; r4 = 0; call 2; {OUT}
read-only map deleted from | SK | type | write into map forbidden
    {KEY}; r1 = frozenhash ll; call 3; {OUT}
constant key of an array | SK
    {KEY}; r1 = array ll; call 1; r0 = *(u64 *)(r0 + 0); exit
constant key beyond an array | SK | null | R0 invalid mem access 'map_value_or_null'
    *(u32 *)(r10 - 4) = 1; r2 = r10; r2 += -4; r1 = array ll; call 1; r0 = *(u64 *)(r0 + 0); exit
constant key in a register | SK | null | R0 invalid mem access 'map_value_or_null'
    r3 = 3; *(u32 *)(r10 - 4) = r3; r2 = r10; r2 += -4; r1 = many ll; call 1; r0 = *(u64 *)(r0 + 0); exit
constant key in a wide register | SK | null | R0 invalid mem access 'map_value_or_null'
    r3 = 3; *(u64 *)(r10 - 8) = r3; r2 = r10; r2 += -8; r1 = many ll; call 1; r0 = *(u64 *)(r0 + 0); exit
constant key of a per-CPU array | SK
    {KEY}; r1 = percpu ll; call 1; r0 = *(u64 *)(r0 + 0); exit
unknown key of an array | SK | null | R0 invalid mem access 'map_value_or_null'
    r3 = *(u32 *)(r1 + 0); *(u32 *)(r10 - 4) = r3; r2 = r10; r2 += -4; r1 = many ll; call 1; r0 = *(u64 *)(r0 + 0); exit
constant key of a hash | SK | null | R0 invalid mem access 'map_value_or_null'
    {KEY}; r1 = hash ll; call 1; r0 = *(u64 *)(r0 + 0); exit
zero key in bytes | SK
    *(u8 *)(r10 - 4) = 0; *(u8 *)(r10 - 3) = 0; *(u8 *)(r10 - 2) = 0; *(u8 *)(r10 - 1) = 0; r2 = r10; r2 += -4
    r1 = array ll; call 1
    r0 = *(u64 *)(r0 + 0); exit
queue pushed | SK
    {BUFFER}; r1 = queue ll; r2 = r10; r2 += -16; r3 = 0; call 87; {OUT}
queue popped | SK
    r1 = queue ll; r2 = r10; r2 += -16; call 88; r0 = *(u64 *)(r10 - 8); exit
queue looked up | SK | argument | invalid zero-sized read
    {KEY}; r1 = queue ll; call 1; {OUT}
hash pushed | SK | argument | cannot pass map_type 1 into func bpf_map_push_elem#87
    {BUFFER}; r1 = hash ll; r2 = r10; r2 += -16; r3 = 0; call 87; {OUT}
bloom filter asked | SK
    {BUFFER}; r1 = bloom ll; r2 = r10; r2 += -16; call 89; {OUT}
bloom filter asked about nothing | TP
    r1 = bloom ll; r2 = r10; r2 += -16; call 89; {OUT}
bloom filter popped | SK | argument | cannot pass map_type 30 into func bpf_map_pop_elem#88
    r1 = bloom ll; r2 = r10; r2 += -16; call 88; {OUT}
size negative | TP | argument | R2 min value is negative, either use unsigned or 'var &= con
    r2 = *(u32 *)(r1 + 8); r2 = (s32)r2; r1 = r10; r1 += -8; call 16; {OUT}
size unbounded | TP | argument | R2 unbounded memory access, use 'var &= const' or 'if (var <
    r2 = *(u32 *)(r1 + 8); r2 |= 1; r1 = r10; r1 += -8; call 16; {OUT}
size bounded | TP
    r2 = *(u32 *)(r1 + 8); r2 &= 7; r2 += 1; r1 = r10; r1 += -8; call 16; {OUT}
size bounded too late | TP | bounds-stack | invalid write to stack R1 off=-8 size=16
    r2 = *(u32 *)(r1 + 8); r2 &= 15; r2 += 1; r1 = r10; r1 += -8; call 16; {OUT}
size of a pointer | TP | argument | R2 type=fp expected=scalar
    r1 = r10; r1 += -8; r2 = r10; call 16; {OUT}
size zero | TP | argument | R2 invalid zero-sized read: u64=[0,0]
    r1 = r10; r1 += -8; r2 = 0; call 16; {OUT}
no memory of size zero | TP | argument | R1 type=scalar expected=fp, pkt, pkt_meta, map_key, map_valu
    r1 = 0; r2 = 0; r3 = 0; call 4; {OUT}
no memory of a size | TP | argument | R1 type=scalar expected=fp, pkt, pkt_meta, map_key, map_valu
    r1 = 0; r2 = 8; r3 = 0; call 4; {OUT}
filled memory is read | TP
    r1 = r10; r1 += -8; r2 = 8; r3 = 0; call 4; r0 = *(u64 *)(r10 - 8); exit
memory filled in part is read | SYSCALL
    r1 = r10; r1 += -8; r2 = 4; r3 = 0; call 4; r0 = *(u64 *)(r10 - 8); {OUT}
memory is the context | TP | argument | R1 type=ctx expected=fp, pkt, pkt_meta, map_key, map_value,
    r2 = 8; r3 = 0; call 4; {OUT}
memory is the context of a syscall program | SYSCALL | argument | R1 type=ctx expected=fp, pkt, pkt_meta, map_key, map_value,
    r2 = 8; r3 = 0; call 112; {OUT}
memory in a read-only value | TP | type | write into map forbidden, value_size=16 off=0 size=8
    {KEY}; r1 = readonly ll; call 1; if r0 == 0 goto out; r1 = r0; r2 = 8; r3 = 0; call 4; {END}
memory in a read-only value, read | CLS
    {KEY}; r1 = readonly ll; call 1; if r0 == 0 goto out; r1 = r0; r2 = 8; r3 = 0; r4 = 0; r5 = 0; call 28; {END}
memory in a write-only value, read | CLS | type | read from map forbidden, value_size=16 off=0 size=8
    {KEY}; r1 = writeonly ll; call 1; if r0 == 0 goto out; r1 = r0; r2 = 8; r3 = 0; r4 = 0; r5 = 0; call 28; {END}
memory in a write-only value | TP
    {KEY}; r1 = writeonly ll; call 1; if r0 == 0 goto out; r1 = r0; r2 = 8; r3 = 0; call 4; {END}
memory in the packet | CLS
    {PACKET}; r1 = r7; r2 = 8; r3 = 0; r4 = 0; r5 = 0; call 28; {END}
memory in the packet, too large | CLS | bounds-packet | R1 offset is outside of the packet: off=0 size=20, checked u
    {PACKET}; r1 = r7; r2 = 20; r3 = 0; r4 = 0; r5 = 0; call 28; {END}
memory in the packet where it is not taken | CLS | argument | helper access to the packet is not allowed
    {PACKET}; r1 = r7; r2 = 8; r3 = 0; r4 = r10; call 105; {END}
memory in a record | TP
    r1 = ring ll; r2 = 16; r3 = 0; call 131; if r0 == 0 goto out; r6 = r0; r1 = r0; r2 = 16; r3 = 0; call 4; r1 = r6
    r2 = 0; call 132; {END}
memory at an unknown offset of the stack | TP
    r6 = *(u32 *)(r1 + 8); r6 &= 8; {BUFFER}; r1 = r10; r1 += -16; r1 += r6; r2 = 8; r3 = 0; call 4; {OUT}
memory at an unknown offset of the stack, read | CLS
    r6 = *(u32 *)(r1 + 0); r6 &= 8; {BUFFER}; r1 = r10; r1 += -16; r1 += r6; r2 = 8; r3 = 0; r4 = 0; r5 = 0; call 28; {OUT}
memory at an unknown offset of the stack, a pointer there | CLS
    r6 = *(u32 *)(r1 + 0); r6 &= 8; {BUFFER}; *(u64 *)(r10 - 8) = r1; r1 = r10; r1 += -16; r1 += r6; r2 = 8; r3 = 0
    r4 = 0; r5 = 0
    call 28; {OUT}
number from a text | CGROUP_SYSCTL
    {BUFFER}; r1 = r10; r1 += -16; r2 = 8; r3 = 0; r4 = r10; r4 += -24; call 105; r1 = *(u64 *)(r10 - 24); r0 = 1; exit
number from a text, misaligned | CGROUP_SYSCTL | alignment | misaligned stack access off (0x0; 0x0)+-28+0 size 8
    {BUFFER}; r1 = r10; r1 += -16; r2 = 8; r3 = 0; r4 = r10; r4 += -28; call 105; r0 = 1; exit
number from a text in a value | CGROUP_SYSCTL
    {VALUE}; {BUFFER}; r1 = r10; r1 += -16; r2 = 8; r3 = 0; r4 = r7; call 105; out: r0 = 1; exit
number from a text in a value, misaligned | CGROUP_SYSCTL | alignment | misaligned value access off (0x0; 0x0)+4+0 size 8
    {VALUE}; {BUFFER}; r1 = r10; r1 += -16; r2 = 8; r3 = 0; r4 = r7; r4 += 4; call 105; out: r0 = 1; exit
text compared | SK
    {BUFFER}; r1 = r10; r1 += -16; r2 = 8; r3 = map_val(frozen); call 182; {OUT}
text compared with a changing map | SK | argument | R3 does not point to a readonly map
    {BUFFER}; r1 = r10; r1 += -16; r2 = 8; r3 = map_val(array); call 182; {OUT}
text compared with a map that is not frozen | SK | argument | R3 does not point to a readonly map
    {BUFFER}; r1 = r10; r1 += -16; r2 = 8; r3 = map_val(readonly); call 182; {OUT}
text compared without an end | SK | argument | string is not zero-terminated
    {BUFFER}; r1 = r10; r1 += -16; r2 = 8; r3 = map_val(endless); call 182; {OUT}
text compared behind its end | SK | argument | string is not zero-terminated
    {BUFFER}; r1 = r10; r1 += -16; r2 = 8; r3 = map_val(frozen) + 6; call 182; {OUT}
text compared at an unknown offset | SK | argument | R3 is not a constant address
    r6 = *(u32 *)(r1 + 0); r6 &= 3; {BUFFER}; r1 = r10; r1 += -16; r2 = 8; r3 = map_val(frozen); r3 += r6; call 182; {OUT}
text compared with the stack | SK | argument | R3 type=fp expected=map_value
    {BUFFER}; r1 = r10; r1 += -16; r2 = 8; r3 = r1; call 182; {OUT}
text compared in a hash | SK | map | no direct value access support for this map type
    {KEY}; r1 = frozenhash ll; call 1; if r0 == 0 goto out; r3 = r0; {BUFFER}; r1 = r10; r1 += -16; r2 = 8; call 182; {END}
text formatted | SK
    {BUFFER}; r1 = r10; r1 += -16; r2 = 16; r3 = map_val(frozen); r4 = 0; r5 = 0; call 165; {OUT}
text formatted with no data of a size | SK | argument | R4 type=scalar expected=fp
    {BUFFER}; r1 = r10; r1 += -16; r2 = 8; r3 = map_val(frozen); r4 = 0; r5 = 8; call 165; {OUT}
record of unknown size | SK | argument | R2 is not a known constant
    r2 = *(u32 *)(r1 + 0); r1 = ring ll; r3 = 0; call 131; {OUT}
record of a hash | SK | argument | cannot pass map_type 1 into func bpf_ringbuf_reserve#131
    r1 = hash ll; r2 = 8; r3 = 0; call 131; {OUT}
record submitted twice | SK | argument | R1 type=scalar expected=ringbuf_mem
    r1 = ring ll; r2 = 16; r3 = 0; call 131; if r0 == 0 goto out; r6 = r0; r1 = r6; r2 = 0; call 132; r1 = r6
    r2 = 0; call 132; {END}
record submitted at an offset | SK | argument | R1 must have zero offset when passed to release func
    r1 = ring ll; r2 = 16; r3 = 0; call 131; if r0 == 0 goto out; r1 = r0; r1 += 8; r2 = 0; call 132; {END}
value submitted | SK | argument | R1 type=map_value expected=ringbuf_mem
    {VALUE}; r1 = r7; r2 = 0; call 132; {END}
processor's number | SK
    call 8; if r0 > 255 goto x; {OUT}; x: r0 = r9; exit
length of a text | TP
    r1 = r10; r1 += -16; r2 = 16; r3 = 0; call 45; if r0 s> 16 goto x; {OUT}; x: r0 = r9; exit
length of a stack | TP
    r6 = r1; {VALUE}; r1 = r6; r2 = r7; r3 = 16; r4 = 0; call 67; if r0 s> 16 goto x; {END}; x: r0 = r9; exit
dynptr of a value | SK
    {LOCAL}; r1 = r10; r1 += -32; r2 = 0; r3 = 8; call 203; if r0 == 0 goto out; r0 = *(u64 *)(r0 + 0); {END}
dynptr's data unchecked | SK | null | R0 invalid mem access 'mem_or_null'
    {LOCAL}; r1 = r10; r1 += -32; r2 = 0; r3 = 8; call 203; r0 = *(u64 *)(r0 + 0); {END}
dynptr's data overrun | SK | bounds-memory | R0 min value is outside of the allowed memory range: mem has
    {LOCAL}; r1 = r10; r1 += -32; r2 = 0; r3 = 8; call 203; if r0 == 0 goto out; r0 = *(u64 *)(r0 + 1); {END}
dynptr's data of unknown size | SK | argument | R3 is not a known constant
    r6 = *(u32 *)(r1 + 0); {LOCAL}; r1 = r10; r1 += -32; r2 = 0; r3 = r6; call 203; {END}
dynptr of the stack | SK | argument | Unsupported reg type fp for bpf_dynptr_from_mem data
    {BUFFER}; r1 = r10; r1 += -16; r2 = 16; r3 = 0; r4 = r10; r4 += -32; call 197; {OUT}
dynptr in a value | SK | argument | R4 type=map_value expected=fp, dynptr_ptr
    {VALUE}; r1 = r7; r2 = 8; r3 = 0; r4 = r7; call 197; {END}
dynptr misplaced | SK | argument | cannot pass in dynptr at an offset=-28
    {VALUE}; r1 = r7; r2 = 8; r3 = 0; r4 = r10; r4 += -28; call 197; {END}
dynptr too high | SK | argument | cannot pass in dynptr at an offset=-8
    {VALUE}; r1 = r7; r2 = 8; r3 = 0; r4 = r10; r4 += -8; call 197; {END}
dynptr at an unknown offset | SK | argument | dynptr has to be at a constant offset
    r6 = *(u32 *)(r1 + 0); r6 &= 8; {VALUE}; r1 = r7; r2 = 8; r3 = 0; r4 = r10; r4 += -48; r4 += r6; call 197; {END}
dynptr made twice | SK
    {LOCAL}; r1 = r7; r2 = 16; r3 = 0; r4 = r10; r4 += -32; call 197; {END}
dynptr made over half | SK | argument | Expected an initialized dynptr as arg #0
    {LOCAL}; r1 = r7; r2 = 16; r3 = 0; r4 = r10; r4 += -40; call 197; r1 = r10; r1 += -32; r2 = 0; r3 = 8; call 203; {END}
dynptr read | SK
    {LOCAL}; r1 = r10; r1 += -64; r2 = 8; r3 = r10; r3 += -32; r4 = 0; r5 = 0; call 201; {END}
dynptr read into itself | SK | argument | potential write to dynptr at off=-32 disallowed
    {LOCAL}; r1 = r10; r1 += -32; r2 = 8; r3 = r10; r3 += -32; r4 = 0; r5 = 0; call 201; {END}
dynptr written | SK
    {LOCAL}; {BUFFER}; r1 = r10; r1 += -32; r2 = 0; r3 = r10; r3 += -16; r4 = 8; r5 = 0; call 202; {END}
dynptr overwritten at an unknown offset | SK
    r6 = *(u32 *)(r1 + 0); r6 &= 8; {LOCAL}; r1 = r10; r1 += -32; r1 += r6; *(u64 *)(r1 + 0) = 0; {END}
dynptr reserved | SK
    {RESERVED}; {SUBMIT}; {OUT}
dynptr reserved and kept | SK | reference | BPF_EXIT instruction in main prog would lead to reference le
    {RESERVED}; {OUT}
dynptr reserved and overwritten | SK | reference | cannot overwrite referenced dynptr
    {RESERVED}; *(u64 *)(r10 - 32) = 0; {OUT}
dynptr reserved and used | SK
    {RESERVED}; r1 = r10; r1 += -32; r2 = 0; r3 = 8; call 203; if r0 == 0 goto x; *(u64 *)(r0 + 0) = 1; x: {SUBMIT}; {OUT}
dynptr's data after its end | SK | type | R6 invalid mem access 'scalar'
    {RESERVED}; r1 = r10; r1 += -32; r2 = 0; r3 = 8; call 203; r6 = r0; {SUBMIT}; if r6 == 0 goto out
    r0 = *(u64 *)(r6 + 0); {END}
dynptr submitted twice | SK | reference | arg 1 is an unacquired reference
    {RESERVED}; {SUBMIT}; {SUBMIT}; {OUT}
dynptr of a value submitted | SK | reference | arg 1 is an unacquired reference
    {LOCAL}; {SUBMIT}; {END}
dynptr submitted at an offset | SK | argument | Expected an initialized dynptr as arg #0
    {RESERVED}; r1 = r10; r1 += -24; r2 = 0; call 199; {OUT}
dynptr of user space | SK | btf | missing btf func_info
    r1 = userring ll; r2 = code_addr(f); r3 = 0; r4 = 0; call 209; {OUT}; f: r6 = r1; r1 = r10; r1 += -8; r2 = 8
    r3 = r6; r4 = 0; r5 = 0
    call 201; {OUT}
dynptr of user space submitted | SK | btf | missing btf func_info
    r1 = userring ll; r2 = code_addr(f); r3 = 0; r4 = 0; call 209; {OUT}; f: r2 = 0; call 199; {OUT}
dynptr of user space moved | SK | btf | missing btf func_info
    r1 = userring ll; r2 = code_addr(f); r3 = 0; r4 = 0; call 209; {OUT}; f: r1 += 8; r2 = 0; r3 = 8; call 203; {OUT}
dynptr of user space made anew | SK | btf | missing btf func_info
    r1 = userring ll; r2 = code_addr(f); r3 = 0; r4 = 0; call 209; {OUT}; f: r6 = r1; r1 = map_val(array); r2 = 8
    r3 = 0; r4 = r6
    call 197; {OUT}
callback of an array | SK | btf | missing btf func_info
    r1 = many ll; r2 = code_addr(f); r3 = 0; r4 = 0; call 164; {OUT}; f: r0 = *(u64 *)(r3 + 0); r0 = *(u32 *)(r2 + 0); {OUT}
callback of a queue | SK | btf | missing btf func_info
    r1 = queue ll; r2 = code_addr(f); r3 = 0; r4 = 0; call 164; {OUT}; f: {OUT}
callback of a ring buffer | SK | btf | missing btf func_info
    r1 = ring ll; r2 = code_addr(f); r3 = 0; r4 = 0; call 164; {OUT}; f: {OUT}
callback returns two | SK | btf | missing btf func_info
    r1 = many ll; r2 = code_addr(f); r3 = 0; r4 = 0; call 164; {OUT}; f: r0 = 2; exit
callback with flags of its own | SK | btf | missing btf func_info
    r1 = many ll; r2 = code_addr(f); r3 = 0; r4 = 5; call 164; {OUT}; f: {OUT}
callback with the stack | SK | btf | missing btf func_info
    {BUFFER}; r1 = many ll; r2 = code_addr(f); r3 = r10; r3 += -8; r4 = 0; call 164; r0 = *(u64 *)(r10 - 8); exit
    f: *(u64 *)(r4 + 0) = 1; {OUT}
callback around a virtual memory area | TP | btf | missing btf func_info
    call 158; r1 = r0; r2 = 0; r3 = code_addr(f); r4 = 0; r5 = 0; call 180; {OUT}; f: r0 = *(u64 *)(r2 + 0); {OUT}
storage of a cgroup | CGROUP_SKB
    r1 = store ll; r2 = 0; call 81; r0 = *(u32 *)(r0 + 0); r0 = 1; exit
storage of a cgroup with flags | CGROUP_SKB | argument | get_local_storage() doesn't support non-zero flags
    r1 = store ll; r2 = 1; call 81; r0 = 1; exit
storages of a cgroup | CGROUP_SKB
    r1 = store ll; r2 = 0; call 81; r1 = percpustore ll; r2 = 0; call 81; r0 = 1; exit
two storages of a cgroup | CGROUP_SKB | map | only one cgroup storage of each type is allowed
    r1 = store ll; r2 = 0; call 81; r1 = store2 ll; r2 = 0; call 81; r0 = 1; exit
storage of a cgroup looked up | CGROUP_SKB | argument | cannot pass map_type 19 into func bpf_map_lookup_elem#1
    r2 = r10; r2 += -16; *(u64 *)(r10 - 16) = 0; *(u64 *)(r10 - 8) = 0; r1 = store ll; call 1; r0 = 1; exit
socket looked up | CLS
    {TUPLE}; call 84; if r0 == 0 goto out; r6 = *(u32 *)(r0 + 4); r1 = r0; call 86; {END}
socket looked up and kept | CLS | reference | BPF_EXIT instruction in main prog would lead to reference le
    {TUPLE}; call 84; {OUT}
socket released twice | CLS | argument | R1 type=scalar expected=sock_common, sock, tcp_sock, xdp_soc
    {TUPLE}; call 84; if r0 == 0 goto out; r6 = r0; r1 = r0; call 86; r1 = r6; call 86; {END}
socket of the packet released | CLS | reference | R1 must be referenced when passed to release function
    r1 = *(u64 *)(r1 + 168); if r1 == 0 goto out; call 86; {END}
cgroup released as a socket | CLS | argument | R1 is of type cgroup but sock_common is expected
    r1 = 1; !bpf_cgroup_from_id; if r0 == 0 goto o; r7 = r0; r1 = r7; call 86; o: {OUT}
cgroup for a socket of TCP | CLS | argument | R1 is of type cgroup but sock_common is expected
    r1 = 1; !bpf_cgroup_from_id; if r0 == 0 goto o; r7 = r0; r1 = r7; call 137; r1 = r7; !bpf_cgroup_release; o: {OUT}
cgroup assigned | CLS | argument | R2 is of type cgroup but sock_common is expected
    r6 = r1; r1 = 1; !bpf_cgroup_from_id; if r0 == 0 goto o; r7 = r0; r1 = r6; r2 = r7; r3 = 0; call 124
    r1 = r7; !bpf_cgroup_release; o: {OUT}
task's cookie | TRACING 23 @sched_switch | argument | R1 is of type task_struct but sock_common is expected
    r1 = *(u64 *)(r1 + 8); call 46; {OUT}
typed socket for a socket of TCP | CLS
    r1 = *(u64 *)(r1 + 168); if r1 == 0 goto o; call 137; if r0 == 0 goto o; r1 = r0; call 136; o: {OUT}
typed socket for a full one | CLS | argument | R1 type=ptr_ expected=sock_common, sock, tcp_sock, xdp_sock
    r1 = *(u64 *)(r1 + 168); if r1 == 0 goto o; call 137; if r0 == 0 goto o; r1 = r0; call 95; o: {OUT}
typed socket for a listener | CLS | argument | R1 type=ptr_ expected=sock_common, sock, tcp_sock, xdp_sock
    r1 = *(u64 *)(r1 + 168); if r1 == 0 goto o; call 137; if r0 == 0 goto o; r1 = r0; call 98; o: {OUT}
typed socket for a socket of multipath TCP | CLS | argument | R1 type=ptr_ expected=sock_common, sock, tcp_sock, xdp_soc
    r1 = *(u64 *)(r1 + 168); if r1 == 0 goto o; call 137; if r0 == 0 goto o; r1 = r0; call 196; o: {OUT}
full socket of a socket looked up | CLS
    {TUPLE}; call 84; if r0 == 0 goto out; r6 = r0; r1 = r0; call 95; if r0 == 0 goto x; r7 = *(u32 *)(r0 + 8)
    x: r1 = r6; call 86; {END}
full socket used after release | CLS | type | R7 invalid mem access 'scalar'
    {TUPLE}; call 84; if r0 == 0 goto out; r6 = r0; r1 = r0; call 95; r7 = r0; r1 = r6; call 86; if r7 == 0 goto out
    r7 = *(u32 *)(r7 + 8); {END}
full socket released in its place | CLS
    {TUPLE}; call 84; if r0 == 0 goto out; r6 = r0; r1 = r0; call 95; if r0 == 0 goto x; r1 = r0; call 86; {OUT}
    x: r1 = r6; call 86; {END}
TCP socket of a socket looked up | CLS
    {TUPLE}; call 84; if r0 == 0 goto out; r6 = r0; r1 = r0; call 96; if r0 == 0 goto x; r7 = *(u32 *)(r0 + 0)
    x: r1 = r6; call 86; {END}
listener of a socket | CLS
    r1 = *(u64 *)(r1 + 168); if r1 == 0 goto out; call 95; if r0 == 0 goto out; r1 = r0; call 98
    if r0 == 0 goto out; r0 = *(u32 *)(r0 + 4); {END}
socket of the kernel's type | CLS
    r1 = *(u64 *)(r1 + 168); if r1 == 0 goto out; call 137; if r0 == 0 goto out; r1 = *(u16 *)(r0 + 16); {END}
storage of a socket | CLS
    r2 = *(u64 *)(r1 + 168); if r2 == 0 goto out; r1 = r2; call 95; if r0 == 0 goto out; r1 = sks ll; r2 = r0
    r3 = 0; r4 = 1; call 107
    if r0 == 0 goto out; *(u64 *)(r0 + 0) = 1; {END}
storage of no socket | CLS | argument | R2 type=scalar expected=sock_common, sock, tcp_sock, xdp_soc
    r1 = sks ll; r2 = 0; r3 = 0; r4 = 1; call 107; {OUT}
storage of a socket with a value | CLS
    r2 = *(u64 *)(r1 + 168); if r2 == 0 goto out; r1 = r2; call 95; if r0 == 0 goto out; {BUFFER}; r1 = sks ll
    r2 = r0; r3 = r10; r3 += -8
    r4 = 1; call 107; {END}
storage of a socket looked up | CLS | argument | cannot pass map_type 24 into func bpf_map_lookup_elem#1
    {KEY}; r1 = sks ll; call 1; {OUT}
two references in one call | CLS | argument | R3 type=sock expected=fp, pkt, pkt_meta, map_key, map_value,
    {TUPLE}; call 84; if r0 == 0 goto out; r6 = r0; r1 = sks ll; r2 = r6; r3 = r6; r4 = 0; call 107; r1 = r6; call 86; {END}
sockmap updated | CLS
    {TUPLE}; call 84; if r0 == 0 goto out; r6 = r0; {KEY}; r1 = socks ll; r3 = r6; r4 = 0; call 2; r1 = r6; call 86; {END}
sockmap updated with a number | CLS | argument | R3 type=fp expected=sock_common, sock, tcp_sock, xdp_sock, p
    {KEY}; {BUFFER}; r1 = socks ll; r3 = r10; r3 += -16; r4 = 0; call 2; {OUT}
sockmap deleted from | CLS
    {KEY}; r1 = socks ll; call 3; {OUT}
sockmap deleted from by a tracepoint | TP | argument | cannot pass map_type 15 into func bpf_map_delete_elem#3
    {KEY}; r1 = socks ll; call 3; {OUT}
sockmap deleted from by socket operations | SOCK_OPS 3
    {KEY}; r1 = socks ll; call 3; {OUT}
sockmap updated by socket operations | SOCK_OPS 3 | argument | cannot pass map_type 15 into func bpf_map_update_elem#2
    r6 = r1; {KEY}; r1 = socks ll; r3 = *(u64 *)(r6 + 184); if r3 == 0 goto out; r4 = 0; call 2; {END}
sockmap updated by its helper | SOCK_OPS 3
    {KEY}; r3 = r2; r2 = socks ll; r4 = 0; call 53; {OUT}
hash updated by the sockmap's helper | SOCK_OPS 3 | argument | cannot pass map_type 1 into func bpf_sock_map_update#53
    {KEY}; r3 = r2; r2 = hash ll; r4 = 0; call 53; {OUT}
sockmap pushed | CLS | argument | invalid arg_type for sockmap/sockhash
    {BUFFER}; r1 = socks ll; r2 = r10; r2 += -16; r3 = 0; call 87; {OUT}
tail call | SK
    r2 = progs ll; r3 = 0; call 12; {OUT}
tail call of a hash | SK | argument | cannot pass map_type 1 into func bpf_tail_call#12
    r2 = hash ll; r3 = 0; call 12; {OUT}
tail call with a reference | CLS | reference | tail_call would lead to reference leak: reference 2, acquire
    r6 = r1; {TUPLE}; call 84; if r0 == 0 goto out; r1 = r6; r2 = progs ll; r3 = 0; call 12; {END}
tail call in a function | SK | btf | tail_call is not allowed in subprogs without BTF
    call f; exit; f: r2 = progs ll; r3 = 0; call 12; {OUT}
program array looked up | SK | argument | cannot pass map_type 3 into func bpf_map_lookup_elem#1
    {KEY}; r1 = progs ll; call 1; {OUT}
redirected by a map | XDP
    r1 = devices ll; r2 = 0; r3 = 0; call 51; exit
redirected by a hash | XDP | argument | cannot pass map_type 1 into func bpf_redirect_map#51
    r1 = hash ll; r2 = 0; r3 = 0; call 51; exit
redirected by CPUs | XDP
    r1 = cpus ll; r2 = 0; r3 = 0; call 51; exit
device looked up | XDP
    {KEY}; r1 = devices ll; call 1; if r0 == 0 goto out; r0 = *(u32 *)(r0 + 0); {END}
device written | XDP | type | write into map forbidden, value_size=4 off=0 size=4
    {KEY}; r1 = devhash ll; call 1; if r0 == 0 goto out; *(u32 *)(r0 + 0) = 1; {END}
event sent | TP
    r6 = r1; {BUFFER}; r1 = r6; r2 = events ll; r3 = 0; r4 = r10; r4 += -16; r5 = 16; call 25; {OUT}
event sent to a ring buffer | TP | argument | cannot pass map_type 27 into func bpf_perf_event_output#25
    r6 = r1; {BUFFER}; r1 = r6; r2 = ring ll; r3 = 0; r4 = r10; r4 += -16; r5 = 16; call 25; {OUT}
event of no context | TP | argument | R1 type=fp expected=ctx
    {BUFFER}; r1 = r10; r2 = events ll; r3 = 0; r4 = r10; r4 += -16; r5 = 16; call 25; {OUT}
event of a moved context | TP | ctx-access | dereference of modified ctx ptr R1 off=8 disallowed
    r1 += 8; {BUFFER}; r2 = events ll; r3 = 0; r4 = r10; r4 += -16; r5 = 16; call 25; {OUT}
stack's id | TP
    r2 = traces ll; r3 = 0; call 27; {OUT}
stack's id in a hash | TP | argument | cannot pass map_type 1 into func bpf_get_stackid#27
    r2 = hash ll; r3 = 0; call 27; {OUT}
value of another CPU | SK
    {KEY}; r1 = percpu ll; r3 = 0; call 195; if r0 == 0 goto out; r0 = *(u64 *)(r0 + 0); {END}
value of another CPU of a plain array | SK | argument | cannot pass map_type 2 into func bpf_map_lookup_percpu_elem#
    {KEY}; r1 = array ll; r3 = 0; call 195; {OUT}
address of the function in a tracepoint | TP | helper | func bpf_get_func_ip#173 not supported for program type 5
    call 173; {OUT}
address of the function in a probe | KPROBE
    call 173; {OUT}
helper of a proprietary program | TP proprietary | license | cannot call GPL-restricted function bpf_probe_read_kernel fr
    r1 = r10; r1 += -8; r2 = 8; r3 = 0; call 113; {OUT}
free helper of a proprietary program | TP proprietary
    call 5; {OUT}
kernel function of a proprietary program | CLS proprietary | license | cannot call kernel function from non-GPL compatible prog
    !bpf_rcu_read_lock; !bpf_rcu_read_unlock; {OUT}
kernel function of no number | SK | helper | invalid kernel function call not eliminated in verifier pass
    if r1 == 0 goto x; {OUT}; x: #85 0 2 0 0; {OUT}
kernel function of no number that is reached | SK | helper | invalid kernel function call not eliminated in verifier pass
    #85 0 2 0 0; {OUT}
kernel function of a module | SK | helper | failed to find BTF for kernel function: no BTF of a module i
    #85 0 2 1 5; {OUT}
kernel function of a negative module | SK | helper | failed to find BTF for kernel function: negative offset disa
    #85 0 2 -1 5; {OUT}
kernel function that is a type | SK | helper | kernel btf_id 1 is not a function
    #85 0 2 0 1; {OUT}
kernel function of too high a number | SK | helper | kernel btf_id 99999999 is not a function
    #85 0 2 0 99999999; {OUT}
kernel variable of too high a number | SK | btf | no kernel variable 99999999 in the kernel's BTF
    #18 1 3 0 99999999; #00 0 0 0 0; {OUT}
kernel variable that is a type | SK | btf | type 1 of the kernel's BTF is no variable
    #18 1 3 0 1; #00 0 0 0 0; {OUT}
variable of each CPU | TP | argument | R1 type=scalar expected=percpu_ptr_, percpu_rcu_ptr_, percpu
    r1 = 5; r2 = 0; call 153; {OUT}
"""


def test_rules(cases, plainmaps, decided, case):
    decided(cases.spec_of(case, plainmaps), case.category, case.message)
