"""The assembler's language beyond single instructions: labels, names, constants, comments, dumps, errors."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pybpf import asm
from pybpf.asm import Call, Insn, Pseudo
from pybpf.errors import AsmError

FRONT_DOOR = """
        r6 = r1
        r0 = *(u8 *)skb[23]
        if r0 == 17 goto udp
        r0 = 0
        exit
udp:    r0 = 65535
        exit
"""


def test_front_door():
    prog = asm.assemble(FRONT_DOOR)
    raw = asm.encode(prog)
    assert asm.decode(raw) == asm.resolve(prog)
    assert asm.disassemble(raw) == ("r6 = r1\nr0 = *(u8 *)skb[23]\nif r0 == 17 goto +2\nr0 = 0\nexit\nr0 = 65535\nexit")
    assert [insn.symbol for insn in prog if insn.symbol] == ["udp"]
    assert [insn.label for insn in prog if insn.label] == ["udp"]


def test_places_are_kept():
    prog = asm.assemble(FRONT_DOOR, file="count.s")
    assert [insn.source.line for insn in prog] == [2, 3, 4, 5, 6, 7, 8]
    assert prog[5].source.file == "count.s"
    assert prog[5].source.column == 9
    assert prog[5].source.text == "udp:    r0 = 65535"


def test_comments():
    text = """
        r0 = 0      # hash
        r0 = 1      // slashes
        r0 = 2      ; semicolon
        r0 = 3      /* one line */
        /* several
           lines: r0 = 99 */ r0 = 4
        r0 = /* between */ 5 # /* not opened
        ; r0 = 99
        # r0 = 99
        exit
    """
    assert [insn.imm for insn in asm.assemble(text)] == [0, 1, 2, 3, 4, 5, 0]


def test_windows_lines_and_tabs():
    assert asm.assemble("\tr0\t=\t5\r\nexit\r\n") == asm.assemble("r0 = 5\nexit")


def test_labels():
    text = """
    first: second:
    third: r0 = 0
        goto first
        goto second
        if r0 != 1 goto third
        may_goto last
        gotol "a label"
    "a label": .L9:
    last:
        exit
    """
    assert [insn.off or insn.imm for insn in asm.resolve(asm.assemble(text))] == [0, -2, -3, -4, 1, 0, 0]


def test_wide_loads_count_two_slots():
    prog = asm.resolve(asm.assemble("goto x\nr1 = 5 ll\nx: exit"))
    assert prog[0].off == 2


def test_constants():
    text = """
    .equ PROTO, 23
    .set UDP, 0x11
    .equ BELOW, -8
    .equ SAME, UDP
        r0 = *(u8 *)skb[PROTO]
        if r0 == SAME goto +1
        *(u64 *)(r10 + BELOW) = r0
        *(u64 *)(r10 - PROTO) = -UDP
        exit
    """
    assert asm.disassemble(asm.assemble(text)) == (
        "r0 = *(u8 *)skb[23]\nif r0 == 17 goto +1\n*(u64 *)(r10 - 8) = r0\n*(u64 *)(r10 - 23) = -17\nexit"
    )


@pytest.mark.parametrize(
    ("text", "kind", "offset"),
    [
        ("r1 = packets ll", Pseudo.MAP_FD, 0),
        ("r1 = map_by_fd(packets)", Pseudo.MAP_FD, 0),
        ("r1 = map[id:packets]", Pseudo.MAP_FD, 0),
        ("r1 = map_val(packets)", Pseudo.MAP_VALUE, 0),
        ("r1 = map_val(packets) + 12", Pseudo.MAP_VALUE, 12),
        ("r1 = map_val(map_by_fd(packets)) + 12", Pseudo.MAP_VALUE, 12),
        ('r1 = map_val("packets") - 4', Pseudo.MAP_VALUE, -4),
        ("r1 = var_addr(packets)", Pseudo.BTF_ID, 0),
    ],
)
def test_maps_by_name(text, kind, offset):
    (insn,) = asm.assemble(text)
    assert (insn.symbol, insn.src, insn.imm, insn.next_imm, insn.slots) == ("packets", kind, 0, offset, 2)
    assert asm.assemble(str(insn))[0].symbol == "packets"
    assert asm.assemble(str(insn)) == [insn]


def test_names_that_are_words_of_the_language_are_quoted():
    (insn,) = asm.assemble('r1 = map_by_fd("map")')
    assert (insn.symbol, str(insn)) == ("map", 'r1 = map_by_fd("map")')
    odd = insn.replace(symbol='.rodata "é\n\\')
    assert str(odd) == 'r1 = map_by_fd(".rodata \\u{22}\\u{e9}\\u{a}\\u{5c}")'
    assert asm.assemble(str(odd))[0].symbol == odd.symbol


def test_what_a_call_by_name_calls():
    text = """
        call bpf_map_lookup_elem
        call ktime_get_ns
        call helper
        call bpf_cpumask_create
        call kfunc ktime_get_ns
        call bpf_rcu_read_lock#71234
        r2 = code_addr(helper)
        exit
    helper:
        exit
    """
    prog = asm.assemble(text)
    assert [(i.src, i.imm, i.symbol) for i in prog[:6]] == [
        (Call.HELPER, 1, None),
        (Call.HELPER, 5, None),
        (Call.LOCAL, 0, "helper"),
        (Call.KFUNC, 0, "bpf_cpumask_create"),
        (Call.KFUNC, 0, "ktime_get_ns"),
        (Call.KFUNC, 71234, "bpf_rcu_read_lock"),
    ]
    resolved = asm.resolve(prog)
    assert resolved[2].imm == 6  # slot 2 to slot 9
    assert resolved[6].imm == 2  # slot 6 to slot 9, counted from its first slot
    again = asm.assemble(asm.disassemble(prog))
    assert again == prog
    assert [i.symbol for i in again] == [i.symbol for i in prog]


def test_a_label_shadows_a_helper():
    prog = asm.assemble("call ktime_get_ns\nexit\nktime_get_ns: exit")
    assert prog[0].src == Call.LOCAL


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("frobnicate", 1, 1, "expected an instruction, got 'frobnicate'"),
        ("exit\n  r1 = ", 2, 7, "expected "),
        ("r1 += w2", 1, 7, "expected a number or a register r0 to r10, got w2"),
        ("r1 = r11 r", 1, 10, "expected the end of the line, got 'r'"),
        ("r1 = r12", 1, 6, "r12 is no register"),
        ("w11 = *(u8 *)(w1 + 0)", 1, 15, "expected a register r0 to r10, got w1"),
        ("r1 = *(u8 *)(r2 + 32768)", 1, 17, "32768 is out of range: expected -32768 to 32767"),
        ("r1 = *(u8 *)(r2 - 32769)", 1, 17, "-32769 is out of range"),
        (
            "r1 = 2147483648",
            1,
            6,
            "2147483648 is out of range: expected -2147483648 to 2147483647: 32 bits are sign-ext",
        ),
        ("w1 = 4294967296", 1, 6, "4294967296 is out of range"),
        ("r1 = 18446744073709551616 ll", 1, 6, "out of range"),
        ("goto +32768", 1, 6, "32768 is out of range: expected -32768 to 32767: gotol reaches farther"),
        ("if r1 == 4294967295 goto +1", 1, 10, "out of range"),
        ("r1 = addr_space_cast(r2, 0, 65536)", 1, 29, "65536 is out of range: expected 0 to 65535"),
        ("r1 = le16 r2", 1, 11, "expected r1 again, got r2"),
        ("r1 = le24 r1", 1, 11, "expected `ll`, got r1"),
        ("r2 = atomic_fetch_add((u64 *)(r1 + 0), r3)", 1, 40, "expected r2 again, got r3"),
        ("r1 = cmpxchg_64(r1 + 0, r0, r2)", 1, 1, "expected register 0, got 1"),
        ("r5 = *(u8 *)skb[2]", 1, 1, "expected register 0, got 5"),
        ("goto nowhere", 1, 6, "no label is named 'nowhere'"),
        ("loop: goto lop", 1, 12, "did you mean 'loop'?"),
        ("x: exit\nx: exit", 2, 1, "label 'x' is there twice"),
        ("exit\nx:", 2, None, "label 'x' has no instruction behind it"),
        ("r1: exit", 1, 1, "expected a name for a label, got r1"),
        ("goto: exit", 1, 1, "expected a name for a label, got 'goto'"),
        ("r0 = 0; exit", 1, 7, "`;` begins a comment, and this one is an instruction"),
        ("r0 = 010", 1, 6, "010 could be octal: write 10 or 0o10"),
        ("r0 = 0x", 1, 6, "0x is no number"),
        ("r0 = 5x", 1, 6, "5x is no number"),
        ("r0 = ''", 1, 6, "expected one ASCII character"),
        ("r0 = 'ab'", 1, 8, "expected a quote behind the character"),
        (r"r0 = '\q'", 1, 8, "after the backslash"),
        ("r0 = é", 1, 6, "'é' has no meaning here"),
        ("r0 = ٣", 1, 6, "'٣' has no meaning here"),
        ("r0 = 0\0", 1, 7, "'\\x00' has no meaning here"),
        ('call "x', 1, 6, "expected a closing quote"),
        ('call ""', 1, 6, "expected a name between the quotes"),
        ("exit /* and so on", 1, None, "expected */ before the end of the text"),
        (".equ X", 1, 6, "expected .equ NAME, number"),
        (".equ X, 1\n.equ X, 2", 2, 6, "expected a name that is not a constant yet"),
        (".equ r1, 1", 1, 6, "expected .equ NAME, number"),
        (".text", 1, 1, "expected an instruction, got '.text'"),
        (".insn 256, 0, 0, 0, 0", 1, 7, "expected 0 to 255, got 256"),
        (".insn 1, 2, 3", 1, 1, "expected .insn opcode, dst, src, off, imm"),
        (".insn 7, 0, 0, 0, 0, 1", 1, 22, "only a wide load"),
        ("r0 = " + "9" * 5000, 1, 6, "is no number"),
        ("(bf) r1 += r2", 1, 6, "the text is not that of opcode bf"),
    ],
)
def test_errors_say_where_and_what(text, line, column, message):
    with pytest.raises(AsmError) as caught:
        asm.assemble(text, file="x.s")
    error = caught.value
    assert message in error.message
    assert error.line == line
    assert (error.column or None) == column
    assert str(error).startswith(f"x.s:{line}:")
    if column:
        assert str(error).splitlines()[-1] == " " * (4 + column - 1) + "^"


def test_bytes_are_not_text():
    with pytest.raises(AsmError, match="disassemble takes bytes"):
        asm.assemble(b"exit")


LOG = """\
func#0 @0
0: R1=ctx() R10=fp0
; int count(struct __sk_buff *skb) @ count.c:12
0: (bf) r6 = r1                       ; R1=ctx() R6_w=ctx()
1: (b7) r0 = 0                        ; R0_w=0
2: (15) if r6 == 0x0 goto pc+1        ; R6_w=ctx()
(10) frame 0 insn 6 +live -8
mark_precise: frame0: last_idx 2 first_idx 0 subseq_idx -1
3: (95) exit

from 2 to 4: R0_w=0 R6_w=0 R10=fp0
4: R0_w=0 R6_w=0 R10=fp0
4: (05) goto pc-2
3: (95) exit
processed 6 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
"""


def test_a_whole_log():
    """A log walks the program: instructions come by their number, each once."""
    assert asm.disassemble(asm.assemble(LOG)) == "r6 = r1\nr0 = 0\nif r6 == 0 goto +1\nexit\ngoto -2"


def test_a_log_with_holes_is_refused():
    with pytest.raises(AsmError, match="lacks what is between 1 and 3"):
        asm.assemble("0: (05) goto pc+2\n3: (95) exit")
    assert len(asm.assemble("0: (b7) r0 = 0\n3: (95) exit")) == 2


def test_a_log_that_contradicts_itself_is_refused():
    with pytest.raises(AsmError, match="two different instructions at 0"):
        asm.assemble("0: (b7) r0 = 0\n0: (b7) r0 = 1")


def test_a_dump_without_numbers():
    assert asm.disassemble(asm.assemble("(b7) r0 = 0\n(95) exit")) == "r0 = 0\nexit"
    with pytest.raises(AsmError, match="got 'frob'"):
        asm.assemble("(b7) r0 = 0\n(95) frob")


def test_live_registers_list():
    text = "Live regs before insn:\n      0: .1......89 (bf) r6 = r1\n      1: ......6... (95) exit\n"
    assert asm.disassemble(asm.assemble(text)) == "r6 = r1\nexit"


OPCODES = """\
int count(struct __sk_buff * skb):
; r6 = skb;
   0: (bf) r6 = r1
       bf 16 00 00 00 00 00 00
   1: (18) r1 = map[id:23001][0]+4
       18 21 00 00 d9 59 00 00 00 00 00 00 04 00 00 00
   3: (37) r2 /= 3
       37 02 01 00 03 00 00 00
   4: BUG_ldx_91
       91 12 00 00 00 00 00 00
   5: (85) call bpf_ktime_get_ns#269488
       85 00 00 00 b0 1c 04 00
   6: (85) call pc+1#bpf_prog_b11459a0e11ca14c_F
       85 10 01 00 01 00 00 00
   7: (95) exit
       95 00 00 00 00 00 00 00
"""


@pytest.mark.skipif(sys.byteorder != "little", reason="the dump was made on a little-endian machine")
def test_bpftool_opcodes():
    """The bytes decide where an old bpftool prints less (s/=) or nothing (BUG); calls keep their names."""
    assert asm.disassemble(asm.assemble(OPCODES)).splitlines() == [
        "r6 = r1",
        "r1 = map_val(map_by_fd(23001)) + 4",
        "r2 s/= 3",
        "r2 = *(s8 *)(r1 + 0)",
        "call 5",
        "call pc+1",
        "exit",
    ]


def test_bpftool_without_opcodes_may_not_tell():
    with pytest.raises(AsmError, match="dump again with `opcodes`"):
        asm.assemble("0: (b7) r0 = 0\n4: BUG_ldx_91\n5: (95) exit")


def test_a_small_program_loads_little():
    """Assembling imports nothing that costs a script its cold start."""
    code = (
        "import sys; before = set(sys.modules); from pybpf import asm; asm.encode(asm.assemble('r0 = 0\\nexit'));"
        "heavy = {'re', 'dataclasses', 'typing', 'inspect', 'ast', 'logging', 'ctypes'} & (set(sys.modules) - before);"
        "print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_options_of_the_disassembler():
    prog = asm.resolve(asm.assemble("r1 = 5 ll\nx: r0 = 0\ngoto x\nif r0 == 1 goto +1\nexit\nexit", file="a.s"))
    prog[0] = prog[0].replace(comment="five")
    raw = asm.encode(prog, "little")
    assert asm.disassemble(raw, byteorder="little", labels=True).splitlines() == [
        "    r1 = 5 ll",
        "L2:",
        "    r0 = 0",
        "    goto L2",
        "    if r0 == 1 goto L6",
        "    exit",
        "L6:",
        "    exit",
    ]
    assert asm.resolve(asm.assemble(asm.disassemble(prog, labels=True))) == prog
    assert asm.disassemble(prog, labels=False, numbers=True).splitlines()[:3] == [
        "   0: r1 = 5 ll",
        "   2: r0 = 0",
        "   3: goto -2",
    ]
    assert asm.assemble(asm.disassemble(prog, labels=False, numbers=True)) == prog
    first = asm.disassemble(prog[:1], raw=True, comments=True, source=True).splitlines()
    assert first[0] == "; r1 = 5 ll @ a.s:1"
    assert first[1].endswith("r1 = 5 ll  # five")
    assert bytes.fromhex(first[1][:47]) == asm.encode(prog[:1])


def test_helpers_by_name():
    prog = asm.assemble("call 1\ncall 99999\ncall pc+0\nexit")
    text = asm.disassemble(prog, helpers=True)
    assert text.splitlines() == ["call bpf_map_lookup_elem", "call 99999", "call pc+0", "exit"]
    assert asm.assemble(text) == prog


def test_text_is_not_disassembled():
    with pytest.raises(AsmError, match="assemble takes text"):
        asm.disassemble("exit")


def test_labels_made_up_do_not_clash():
    prog = asm.assemble("L1: goto +0\nexit")
    assert asm.disassemble(prog, labels=True).splitlines() == ["L1:", "    goto L1_", "L1_:", "    exit"]
    assert str(Insn(0x05, symbol="x")) == "goto x"
