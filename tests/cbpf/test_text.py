"""The four text forms, both ways, against libpcap's and tcpdump's own."""

from __future__ import annotations

import contextlib
import ctypes
import random
import re
import shutil
import subprocess

import pytest
from filters import EXPRESSIONS, random_filter
from hypothesis import given
from hypothesis import strategies as st

from pybpf import FilterError, NotSupportedError
from pybpf.cbpf import EXTENSIONS, Filter, Insn, parse, pcap_filter
from pybpf.cbpf.insn import OPCODES
from pybpf.cbpf.text import FORMS, format_insn


def compiled(expression: str) -> Filter:
    try:
        return pcap_filter(expression)
    except NotSupportedError as error:
        pytest.skip(str(error))


EXACT = ("c", "decimal")


def meaningful(insns: Filter) -> Filter:
    """Without what no text in words can show: a k that the instruction ignores (libpcap leaves some)."""
    ignored = ("x", "len", "acc", "")
    return Filter(i._replace(k=0) if OPCODES[i.code][1] in ignored else i for i in insns)


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_reads_back(expression, form):
    insns = compiled(expression)
    assert parse(insns.format(form)) == (insns if form in EXACT else meaningful(insns))


@pytest.mark.parametrize("form", FORMS)
def test_random_filters_read_back(form):
    rng = random.Random(1)
    for _ in range(300):
        insns = Filter(random_filter(rng))
        assert parse(insns.format(form)) == (insns if form in EXACT else meaningful(insns))


@pytest.mark.parametrize(("form", "flag"), [("tcpdump", "-d"), ("c", "-dd"), ("decimal", "-ddd")])
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_text_is_that_of_tcpdump(expression, form, flag):
    if not shutil.which("tcpdump"):
        pytest.skip("tcpdump is not installed")
    shown = subprocess.run(["tcpdump", "-y", "EN10MB", flag, expression], capture_output=True, text=True, check=True)
    assert compiled(expression).format(form) == shown.stdout.rstrip("\n")


def test_every_opcode_prints_as_libpcap_prints_it():
    class Raw(ctypes.Structure):
        _fields_ = (("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint))

    try:
        image = ctypes.CDLL("libpcap.so.0.8").bpf_image
    except OSError:
        pytest.skip("libpcap0.8 is not installed")
    image.restype = ctypes.c_char_p
    image.argtypes = [ctypes.POINTER(Raw), ctypes.c_int]
    for code in OPCODES.keys() - {0x81}:  # ldx #pktlen: the kernel takes it, libpcap does not know it
        for k in (0, 5, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, *EXTENSIONS.values()):
            if code == 0x05 and k > 0x7FFFFFF0:
                continue  # a jump out of any filter; libpcap shows it as going backwards
            theirs = image(ctypes.byref(Raw(code, 1, 2, k)), 3).decode()
            if OPCODES[code][1] == "acc":
                theirs = theirs.rstrip() + "      "  # libpcap prints no operand; so do we
            assert format_insn(Insn(code, 1, 2, k), 3).rstrip() == theirs.rstrip(), (hex(code), k)


ASM = """
        ldh [12]            ; the ethertype
        jne #0x806, drop
        ldb [20] /* the
                    operation */
        jlt #2, keep
        ldx len
        ldxb 4*([14]&0xf)
        ld [x + 4]
        ld vlan_tci
        ldi 5
        add #-1
        jmp keep
keep:   ret #-1
drop:   ret a
"""


def test_the_assembler_of_the_kernel_tools():
    assert list(parse(ASM)) == [
        (0x28, 0, 0, 12),
        (0x15, 0, 10, 0x806),
        (0x30, 0, 0, 20),
        (0x35, 0, 7, 2),
        (0x81, 0, 0, 0),
        (0xB1, 0, 0, 14),
        (0x40, 0, 0, 4),
        (0x20, 0, 0, 0xFFFFF02C),
        (0x00, 0, 0, 5),
        (0x04, 0, 0, 0xFFFFFFFF),
        (0x05, 0, 0, 0),
        (0x06, 0, 0, 0xFFFFFFFF),
        (0x16, 0, 0, 0),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bogus #1", "'bogus' is not an instruction"),
        ("jeq #1, nowhere\nret #0", "no label 'nowhere'"),
        ("a: ret #0\na: ret #1", "label 'a' stands twice"),
        ("ld [y]\nret #0", "operand '[y]'"),
        ("ld #99999999999\nret #0", "does not fit 32 bits"),
        ("up: ld #1\nja up\nret #0", "go forward only"),
        ("st [4]\nret #0", "st does not take that operand"),
        ("3\n1 2 3", "the count says 3 instructions, 1 follow"),
        ("1\n1 2 3", "'1 2 3': expected four numbers"),
        ("{ 1, 2, 3 }", "<filter>:1: '1 2 3': expected four numbers"),
        ("{ 6, 0, 0, 0 },\nfoo", "<filter>:2: 'foo': expected rows of"),
        ("{ 6, 0, 0, 08 },", "'6 0 0 08': expected four numbers"),
        ("{ 1, 2, 3, 0x1ffffffff }", "k 32"),
        ("ld #1", "the last instruction must be a ret"),
        ("", "a filter has 1..4096 instructions"),
    ],
)
def test_errors_say_what_and_where(text, message):
    with pytest.raises(FilterError, match=re.escape(message)):
        parse(text)


def test_an_error_shows_the_line():
    with pytest.raises(FilterError) as caught:
        parse("ldh [12]\n  jeq #0x800, nowhere\nret #0", file="my.bpf")
    assert str(caught.value).startswith("my.bpf:2:3: no label 'nowhere'")
    assert caught.value.line == 2


@pytest.mark.parametrize(
    ("text", "insns"),
    [
        # What bpf_asm of the kernel's tools/bpf makes of the same text.
        ("LDH [12]\nRet #0", [(0x28, 0, 0, 12), (0x06, 0, 0, 0)]),
        ("ld [010]\nadd #0b101\nret %a", [(0x20, 0, 0, 8), (0x04, 0, 0, 5), (0x16, 0, 0, 0)]),
        ("# a comment\nldx 4*([0xe]&0xF)\nret #0", [(0xB1, 0, 0, 14), (0x06, 0, 0, 0)]),
        ("ld #vlan_tci\njeq #1, l1 ; ret #2\nl1: ret #0", [(0x20, 0, 0, 0xFFFFF02C), (0x15, 0, 0, 1), (0x06, 0, 0, 0)]),
        ("ld #proto\nldb [%x + 1]\nret a", [(0x20, 0, 0, 0xFFFFF000), (0x50, 0, 0, 1), (0x16, 0, 0, 0)]),
        ("st M[ 1 ]\nldx M[1]\njmp end\nend: ret #-1", [(2, 0, 0, 1), (0x61, 0, 0, 1), (5, 0, 0, 0), (6, 0, 0, 0xFFFFFFFF)]),
        # What it prints, and what iptables and C sources hold.
        ("2,40 0 0 12,6 0 0 0,", [(0x28, 0, 0, 12), (0x06, 0, 0, 0)]),
        ("static struct sock_filter f[] = {\n\t{ 0x28, 0, 0, 0xc },\n\t{ 6, 0, 0, 0 },\n};", [(0x28, 0, 0, 12), (6, 0, 0, 0)]),
        # One line: instructions between semicolons.
        ("ld #1; l: ret a", [(0, 0, 0, 1), (0x16, 0, 0, 0)]),
    ],
)  # fmt: skip
def test_spellings(text, insns):
    assert list(parse(text)) == insns


@given(st.text(alphabet=st.sampled_from("ldxjeqtM[]()#0x123456789&*+-,;:{}\n\t aret/٣²"), max_size=60))
def test_any_text_gives_a_filter_or_a_filter_error(text):
    with contextlib.suppress(FilterError):
        parse(text)
