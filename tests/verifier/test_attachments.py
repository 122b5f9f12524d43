"""What a program is attached to, and what of the kernel it names by number; the kernel says the same."""

from __future__ import annotations

import pytest

from pybpf import verify
from pybpf.uapi.attach import AttachType
from pybpf.uapi.prog import ProgFlags, ProgType

pytestmark = pytest.mark.kernel

OUT = "r0 = 0; exit"
CA = "@tcp_congestion_ops"

TABLE = f"""
function's address | CLS
    #18 1 3 0 $bpf_prog_put; #00 0 0 0 0; {OUT}
function's address read | CLS | bounds-memory | R1 min value is outside of the allowed memory range: mem has
    #18 1 3 0 $bpf_prog_put; #00 0 0 0 0; r0 = *(u8 *)(r1 + 0); exit
variable's address where there are no variables | CLS | btf | ldimm64 failed to find the address for kernel symbol 'runqueues'
    #18 1 3 0 $runqueues; #00 0 0 0 0; {OUT}
address of a structure | CLS | btf | of the kernel's BTF is no variable
    #18 1 3 0 $task_struct; #00 0 0 0 0; {OUT}
address of nothing | CLS | btf | no kernel variable 9999999 in the kernel's BTF
    #18 1 3 0 9999999; #00 0 0 0 0; {OUT}
address in a module | CLS | btf | invalid module BTF object FD specified
    #18 1 3 0 $bpf_prog_put; #00 0 0 0 77; {OUT}
call of a structure | CLS | helper | is not a function
    r1 = 0; #85 0 2 0 $task_struct; {OUT}
call of nothing | CLS | helper | kernel btf_id 9999999 is not a function
    r1 = 0; #85 0 2 0 9999999; {OUT}
call of number zero | CLS | helper | invalid kernel function call not eliminated in verifier pass
    r1 = 0; #85 0 2 0 0; {OUT}
call of number zero that is never made | CLS
    r0 = 0; if r0 == 0 goto o; #85 0 2 0 0; o: {OUT}
call in a module that is not given | CLS | helper | no BTF of a module is given
    r1 = 0; #85 0 2 1 $bpf_prog_put; {OUT}
call in a module of negative number | CLS | helper | negative offset disallowed for a kernel module's function
    r1 = 0; #85 0 2 -1 $bpf_prog_put; {OUT}
call of a function that is not for programs | CLS | helper | calling kernel function bpf_prog_put is not allowed
    r1 = 0; #85 0 2 0 $bpf_prog_put; {OUT}
call by a proprietary program | CLS proprietary | license | cannot call kernel function from non-GPL compatible program
    !bpf_rcu_read_lock; !bpf_rcu_read_unlock; {OUT}
member of a structure | STRUCT_OPS {CA}/ssthresh
    r1 = *(u64 *)(r1 + 0); {OUT}
member's argument read into | STRUCT_OPS {CA}/ssthresh | bounds-memory | cannot access ptr member next with moff 0 in struct
    r1 = *(u64 *)(r1 + 0); r0 = *(u32 *)(r1 + 24); {OUT}
member's argument too many | STRUCT_OPS {CA}/ssthresh | ctx-access | invalid bpf_context access off=8 size=8
    r1 = *(u64 *)(r1 + 8); {OUT}
member's argument written | STRUCT_OPS {CA}/ssthresh | ctx-access | invalid bpf_context access off=0 size=8
    *(u64 *)(r1 + 0) = 1; {OUT}
member without its result | STRUCT_OPS {CA}/ssthresh | uninitialised | R0 !read_ok: the program ends without a return value
    exit
member of a proprietary program | STRUCT_OPS {CA}/ssthresh proprietary | license | programs of this type need a GPL-compat
    {OUT}
member that returns nothing | STRUCT_OPS {CA}/set_state
    exit
member that returns nothing, with a pointer | STRUCT_OPS {CA}/set_state
    r0 = r10; exit
member's third argument | STRUCT_OPS {CA}/cong_avoid
    r1 = *(u64 *)(r1 + 16); exit
member's fourth argument | STRUCT_OPS {CA}/cong_avoid | ctx-access | invalid bpf_context access off=24 size=8
    r1 = *(u64 *)(r1 + 24); exit
member's number, narrow | STRUCT_OPS {CA}/cong_avoid
    r1 = *(u32 *)(r1 + 8); exit
member's pointer, narrow | STRUCT_OPS {CA}/cong_avoid | ctx-access | invalid bpf_context access off=0 size=4
    r1 = *(u32 *)(r1 + 0); exit
member that need not be there | STRUCT_OPS {CA}/init
    exit
member that sleeps | STRUCT_OPS sleepable {CA}/ssthresh
    {OUT}
member that is no function | STRUCT_OPS {CA}/name | btf | attach to invalid member name of struct tcp_congestion_ops
    {OUT}
member that no program stands for | STRUCT_OPS {CA}/get_info | btf | attach to unsupported member get_info of struct tcp_
    {OUT}
member of a structure that is not registered | STRUCT_OPS @file_operations/llseek | btf | is not a supported struct
    {OUT}
"""


def test_rules(cases, decided, case):
    decided(cases.spec_of(case), case.category, case.message)


TARGETED = ("UNSPEC", "TRACING", "LSM", "STRUCT_OPS", "EXT")


@pytest.mark.parametrize("kind", [kind for kind in ProgType if kind.name not in TARGETED], ids=lambda kind: kind.name)
def test_which_attach_types_a_program_may_have(cases, kernel, env, kind):
    flags = ProgFlags.SLEEPABLE if kind == ProgType.SYSCALL else 0
    wrong = []
    for attach in (None, *AttachType, 100):
        spec = cases.program(kind, OUT, expected_attach_type=attach, flags=flags)
        if kernel.load(spec).accept != verify(spec, "6.18", env=env).ok:
            wrong.append(attach)
    assert not wrong
