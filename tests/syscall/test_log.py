"""What is read from verifier logs of all ages."""

import pytest

from pybpf.syscall.log import parse

OLD = """\
0: R1=ctx() R10=fp0
0: (b7) r2 = 5                        ; R2_w=5
1: (61) r0 = *(u32 *)(r2 +0)
R2 invalid mem access 'scalar'
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""
OLDER = """\
0: (bf) r6 = r1
1: (71) r0 = *(u8 *)(r6 +0)
 R1=ctx(id=0,off=0,imm=0) R6_w=ctx(id=0,off=0,imm=0) R10=fp0
invalid bpf_context access off=0 size=1
verification time 50 usec
stack depth 0
processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""
NEW = """\
0: R1=ctx() R10=fp0
0: (95) exit
R0 !read_ok

Verification failed: Register Type Safety: Unreadable register

Reason:
  R0 has never been set on this path, so it cannot be an input.

At:
  insn 0
        | ^-- error: R0 is not readable
  Instruction context:
  >>> 0 | (95) exit

Causal path:
  no retained diagnostic events on this path

Suggestion:
  Set R0 on every path before
  this instruction.

processed 1 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""


def test_until_7_2():
    assert parse(OLD) == ("R2 invalid mem access 'scalar'", 1, "r0 = *(u32 *)(r2 +0)", "")
    assert parse(OLDER) == ("invalid bpf_context access off=0 size=1", 1, "r0 = *(u8 *)(r6 +0)", "")


def test_from_7_3():
    found = parse(NEW)
    assert found.reason == "R0 !read_ok: R0 has never been set on this path, so it cannot be an input."
    assert (found.insn, found.text) == (0, "exit")
    assert found.hint == "Set R0 on every path before this instruction."


@pytest.mark.parametrize(
    ("line", "insn"),
    [
        ("unreachable insn 7", 7),
        ("back-edge from insn 3 to 2", 3),
        ("jump out of range from insn 5 to 90", 5),
        ("last insn is not an exit or jmp", None),
    ],
)
def test_before_the_first_instruction(line, insn):
    statistics = "processed 0 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0"
    found = parse(f"{line}\n{statistics}\n")
    assert (found.reason, found.insn) == (line, insn)


def test_a_source_line_is_no_reason():
    log = "; x = y @ a.c:3\n3: (85) call bpf_get_current_pid_tgid#14\nhelper call is not allowed in probe\n"
    found = parse(log)
    assert (found.reason, found.insn) == ("helper call is not allowed in probe", 3)


@pytest.mark.parametrize("log", ["", "\n\n", "processed 0 insns (limit 1)", "Verification failed:", "At:\n insn x"])
def test_nothing_to_find(log):
    found = parse(log)
    assert found.insn is None
    assert found.hint == ""
