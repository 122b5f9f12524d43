"""Ways that meet: numbers traced to where they came from, states that were seen already or not; the kernel says the same."""

from __future__ import annotations

import os
import re

import pytest

from pybpf import ProgramSpec, load, verify
from pybpf.uapi.prog import ProgType

from .cases import insns_of

pytestmark = pytest.mark.kernel

OUT = "r0 = 0; exit"
FILL = "*(u64 *)(r10 - 32) = 0; *(u64 *)(r10 - 24) = 0"
VARY = "r7 = r10; r7 += -32; r7 += r1; *(u8 *)(r7 + 0) = 1"
FORK = "call 7; if r0 == 0 goto b"
LOOP = "r1 = 8; r2 = code_addr(cb); r3 = r10; r4 = 0; call 181"
DATA = "r6 = *(u32 *)(r1 + 76); r8 = *(u32 *)(r1 + 80); r2 = r6"
TUPLE = "*(u64 *)(r10 - 48) = 0; *(u64 *)(r10 - 40) = 0"
LOOKUP = f"{TUPLE}; r1 = r6; r2 = r10; r2 += -48; r3 = 12; r4 = -1; r5 = 0; call 84; if r0 == 0 goto o; r7 = r0"

TABLE = f"""
number from an atomic addition | SK frequent
    {FILL}; *(u64 *)(r10 - 8) = 4; r1 = 1; #db 10 1 -8 1; r1 &= 7; {VARY}; {OUT}
number from an atomic addition in a map | SK frequent
    {FILL}; *(u32 *)(r10 - 4) = 0; r2 = r10; r2 += -4; r1 = array ll; call 1; if r0 == 0 goto o; r1 = 1; #db 0 1 0 1
    r1 &= 7; {VARY}; o: {OUT}
number from a compare and exchange | SK frequent
    {FILL}; *(u64 *)(r10 - 8) = 4; r0 = 4; r1 = 1; #db 10 1 -8 241; r1 = r0; r1 &= 7; {VARY}; {OUT}
number exchanged on one way | SK frequent
    {FILL}; {FORK}; r0 = 5; b: *(u64 *)(r10 - 8) = r0; r1 = 1; #db 10 1 -8 225; r1 &= 7; {VARY}; {OUT}
number from a load with acquire | SK frequent
    {FILL}; *(u64 *)(r10 - 8) = 4; #db 1 10 -8 256; {VARY}; {OUT}
number from a load with acquire, too large | SK frequent | bounds-stack | invalid write to stack R7 off=8 size=1
    {FILL}; *(u64 *)(r10 - 8) = 40; #db 1 10 -8 256; {VARY}; {OUT}
number from a store with release | SK frequent
    {FILL}; r2 = 4; #db 10 2 -8 272; r1 = *(u64 *)(r10 - 8); {VARY}; {OUT}
number from the packet | SK frequent
    {FILL}; r6 = r1; {FORK}; b: r0 = *(u8 *)skb[0]; r1 = r0; r1 &= 7; {VARY}; {OUT}
number from the packet, unbounded | SK frequent | bounds-stack | math between fp pointer and register with unbounded min value
    {FILL}; r6 = r1; {FORK}; b: r0 = *(u8 *)skb[0]; r1 = r0; {VARY}; {OUT}
number of a function that reads the packet | SK frequent
    static f(void*)
    {FILL}; call f; r1 = r0; r1 &= 7; {VARY}; {OUT}; f: r6 = r1; r0 = *(u8 *)skb[0]; exit
number of a function that calls another program | SK frequent
    static f(void*)
    {FILL}; call f; r1 = r0; r1 &= 7; {VARY}; {OUT}; f: r2 = progs ll; r3 = 0; call 12; r0 = 3; exit
number from before a function that calls another program | SK frequent
    static f(void*)
    {FILL}; r9 = r1; call 7; r8 = r0; r8 &= 7; r1 = r9; call f; r1 = r8; {VARY}; {OUT}; f: r2 = progs ll; r3 = 0; call 12
    r0 = 3; exit
number of a loop's round | SK frequent
    static cb(u64, void*)
    {FILL}; {LOOP}; {OUT}; cb: {FILL}; r1 &= 7; {VARY}; {OUT}
number of a loop's round, unbounded | SK frequent | bounds-stack | math between fp pointer and register with unbounded min value
    static cb(u64, void*)
    {FILL}; {LOOP}; {OUT}; cb: {FILL}; {VARY}; {OUT}
number from before a loop | SK frequent
    static cb(u64, void*)
    {FILL}; call 7; r8 = r0; r8 &= 7; {LOOP}; r1 = r8; {VARY}; {OUT}; cb: {OUT}
number of rounds | SK frequent
    static cb(u64, void*)
    {FILL}; {LOOP}; r1 = r0; r1 &= 7; {VARY}; {OUT}; cb: {OUT}
number behind the context of a loop | SK frequent
    static cb(u64, void*)
    {FILL}; call 7; r0 &= 7; *(u64 *)(r10 - 8) = r0; {LOOP}; r1 = *(u64 *)(r10 - 8); r1 &= 7; {VARY}; {OUT}
    cb: r1 = *(u64 *)(r2 - 8); r1 += 1; *(u64 *)(r2 - 8) = r1; {OUT}
number given to a function | SK frequent
    static f(u64)
    call 7; r1 = r0; r1 &= 7; call f; {OUT}; f: {FILL}; {VARY}; {OUT}
number given to a function on two ways | SK frequent | bounds-stack | invalid write to stack R7 off=8 size=1
    static f(u64)
    call 7; r1 = 4; if r0 == 0 goto b; r1 = 40; b: call f; {OUT}; f: {FILL}; {VARY}; {OUT}
number spilled by a function | SK frequent
    static f(u64)
    call 7; r1 = r0; r1 &= 7; call f; {OUT}; f: {FILL}; *(u64 *)(r10 - 8) = r1; r1 = 0; r1 = *(u64 *)(r10 - 8); {VARY}
    {OUT}
number filled by a function | SK frequent
    static f(u64)
    {FILL}; call 7; r0 &= 7; *(u64 *)(r10 - 8) = r0; r1 = r10; call f; r1 = r0; {VARY}; {OUT}; f: r0 = *(u64 *)(r1 - 8)
    exit
number of two ways | SK frequent | bounds-stack | invalid write to stack R7 off=8 size=1
    {FILL}; call 7; r1 = 4; if r0 == 0 goto b; r1 = 40; b: {VARY}; {OUT}
number of two ways on the stack | SK frequent | bounds-stack | invalid write to stack R7 off=8 size=1
    {FILL}; call 7; r1 = 4; if r0 == 0 goto b; r1 = 40; b: *(u64 *)(r10 - 8) = r1; r1 = 0; r1 = *(u64 *)(r10 - 8); {VARY}
    {OUT}
number swapped | SK frequent
    {FILL}; call 7; r1 = r0; r1 = be16 r1; r1 &= 7; {VARY}; {OUT}
equal numbers | SK frequent
    {FILL}; call 7; r8 = r0; r1 = r0; if r8 > 7 goto o; {VARY}; o: {OUT}
packet checked for less on one way | CLS frequent | bounds-packet | R6 offset is outside of the packet: off=8 size=8
    {DATA}; {FORK}; r2 = r6; r2 += 16; if r2 > r8 goto o; goto j; b: r2 = r6; r2 += 8; if r2 > r8 goto o
    j: r0 = *(u64 *)(r6 + 8); o: {OUT}
packet checked for more on one way | CLS frequent
    {DATA}; {FORK}; r2 = r6; r2 += 16; if r2 > r8 goto o; goto j; b: r2 = r6; r2 += 24; if r2 > r8 goto o
    j: r0 = *(u64 *)(r6 + 8); o: {OUT}
packet checked on one way | CLS frequent | bounds-packet | R6 offset is outside of the packet: off=8 size=8, checked up to 0
    {DATA}; {FORK}; r2 = r6; r2 += 16; if r2 > r8 goto o; b: r0 = *(u64 *)(r6 + 8); o: {OUT}
packet moved on one way | CLS frequent | bounds-packet | R6 offset is outside of the packet: off=9 size=8, checked up to 16
    {DATA}; {FORK}; r2 = r6; r2 += 16; if r2 > r8 goto o; goto j; b: r2 = r6; r2 += 16; if r2 > r8 goto o; r6 += 1
    j: r0 = *(u64 *)(r6 + 8); o: {OUT}
packet moved by different numbers | CLS frequent
    {DATA}; call 7; r0 &= 7; if r0 == 0 goto b; r6 += r0; r2 = r6; r2 += 8; if r2 > r8 goto o; goto j; b: r6 += r0
    r2 = r6; r2 += 8; if r2 > r8 goto o; j: r0 = *(u64 *)(r6 + 0); o: {OUT}
end of the packet on one way | CLS frequent | type | R6 invalid mem access 'pkt_end'
    {DATA}; {FORK}; r2 = r6; r2 += 8; if r2 > r8 goto o; goto j; b: r6 = r8; j: r0 = *(u8 *)(r6 + 0); o: {OUT}
bytes written on one way | SK frequent
    *(u64 *)(r10 - 8) = 0; {FORK}; *(u32 *)(r10 - 8) = r0; b: r0 = *(u64 *)(r10 - 8); {OUT}
bytes zeroed on one way | SK frequent
    call 7; *(u64 *)(r10 - 8) = r0; if r0 == 0 goto b; *(u32 *)(r10 - 8) = 0; b: r0 = *(u64 *)(r10 - 8); {OUT}
register of another type on one way | SK frequent | type | R6 invalid mem access 'scalar'
    r6 = r10; {FORK}; r6 = 5; b: r0 = *(u8 *)(r6 - 1); {OUT}
register not set on one way | SK frequent | uninitialised | R6 !read_ok: it is read, but nothing was written to it on th
    {FORK}; r6 = 5; b: r0 = r6; exit
dynptr on both ways | CLS frequent
    r6 = r1; {FORK}; r1 = r6; r2 = 0; r3 = r10; r3 += -16; !bpf_dynptr_from_skb; goto j; b: r1 = r6; r2 = 0; r3 = r10
    r3 += -16; !bpf_dynptr_from_skb; j: r1 = r10; r1 += -16; !bpf_dynptr_size; {OUT}
dynptr on one way | CLS frequent | argument | Expected an initialized dynptr as arg #0
    r6 = r1; *(u64 *)(r10 - 8) = 0; *(u64 *)(r10 - 16) = 0; {FORK}; r1 = r6; r2 = 0; r3 = r10; r3 += -16
    !bpf_dynptr_from_skb; b: r1 = r10; r1 += -16; !bpf_dynptr_size; {OUT}
dynptr of other memory on one way | CLS frequent
    r6 = r1; {FORK}; r1 = r6; r2 = 0; r3 = r10; r3 += -16; !bpf_dynptr_from_skb; goto j; b: *(u32 *)(r10 - 20) = 0
    r2 = r10; r2 += -20; r1 = array ll; call 1; if r0 == 0 goto o; r1 = r0; r2 = 8; r3 = 0; r4 = r10; r4 += -16; call 197
    j: r1 = r10; r1 += -16; !bpf_dynptr_size; o: {OUT}
interrupts on both ways | CLS frequent
    {FORK}; r1 = r10; r1 += -8; !bpf_local_irq_save; goto j; b: r1 = r10; r1 += -8; !bpf_local_irq_save; j: r1 = r10
    r1 += -8; !bpf_local_irq_restore; {OUT}
sockets of two ways | CLS frequent
    r6 = r1; {FORK}; {LOOKUP}; goto j; b: {LOOKUP}; j: r1 = r7; call 86; o: {OUT}
task or socket held | CLS frequent | argument | R1 is of type task_struct but sock_common is expected
    r6 = r1; {FORK}; {LOOKUP}; goto j; b: r1 = 1; !bpf_task_from_pid; if r0 == 0 goto o; r7 = r0; j: r1 = r7; call 86
    o: {OUT}
values of two maps | SK frequent
    *(u32 *)(r10 - 4) = 0; {FORK}; r2 = r10; r2 += -4; r1 = array ll; call 1; if r0 == 0 goto o; goto j; b: r2 = r10
    r2 += -4; r1 = hash ll; call 1; if r0 == 0 goto o; j: r0 = *(u64 *)(r0 + 0); o: {OUT}
frames of two calls | SK frequent
    static f(u64)
    {FORK}; call f; {OUT}; b: call f; {OUT}; f: r6 = 1; r0 = 0; exit
loop with nothing changed | SK | complexity | infinite loop detected at insn 1
    r6 = 0; a: call 7; if r0 != 0 goto a; {OUT}
loop with nothing changed at all | SK frequent | complexity | infinite loop detected at insn 1
    a: r0 = 0; if r0 == 0 goto a; exit
loop that changes a pointer | SK frequent | bounds-stack | invalid write to stack R6 off=0 size=1
    {FILL}; r6 = r10; r6 += -32; a: *(u8 *)(r6 + 0) = 1; r6 += 1; call 7; r7 = r10; r7 += -24; r0 = 1; r1 = r10; r1 += -24
    if r6 != r1 goto a; {OUT}
pointer spilled on one way | SK frequent | type | R1 invalid mem access 'scalar'
    {FORK}; *(u64 *)(r10 - 8) = r10; goto j; b: r2 = 0; *(u64 *)(r10 - 8) = r2; j: r1 = *(u64 *)(r10 - 8)
    r0 = *(u64 *)(r1 - 8); {OUT}
other pointers spilled | SK frequent | bounds-stack | invalid read from stack R1 off=-520 size=8
    {FORK}; *(u64 *)(r10 - 8) = r10; goto j; b: r2 = r10; r2 += -8; *(u64 *)(r10 - 8) = r2; j: r1 = *(u64 *)(r10 - 8)
    r0 = *(u64 *)(r1 - 512); {OUT}
"""


def test_rules(cases, plainmaps, decided, case):
    decided(cases.spec_of(case, plainmaps, cases.described(case.functions)), case.category, case.message)


FORKS = "".join(f"call 7; if r0 == 0 goto n{n}; *(u64 *)(r10 - {8 * n}) = r0; n{n}: " for n in range(1, 9))
ZEROS = "; ".join(f"*(u64 *)(r10 - {8 * n}) = 0" for n in range(1, 9))


@pytest.mark.parametrize("text", [f"{ZEROS}; l: may_goto o; {FORKS}; goto l; o: {OUT}", f"{ZEROS}; {FORKS}; {OUT}"])
@pytest.mark.skipif(not os.uname().release.startswith("6.18."), reason="as Linux 6.18 does it")
def test_dead_bytes_tell_ways_apart_in_a_loop(text):
    """Only of states that it is done with the kernel forgets dead bytes, and a loop's are not, until the loop is."""
    spec = ProgramSpec(insns=insns_of(text), prog_type=ProgType.SOCKET_FILTER)
    with load(spec, log_level=4) as prog:
        walked = int(re.search(r"processed (\d+) insns", prog.log)[1])
    assert 0.5 < verify(spec, "6.18").processed / walked < 2
