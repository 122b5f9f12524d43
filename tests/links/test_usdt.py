"""USDT: probes of a small C program, whose operands are in registers, in memory and constant, at two sites and in libc."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys

import pytest

from pybpf import (
    Array,
    ElfError,
    HashMap,
    NotSupportedError,
    SpecError,
    Struct,
    char,
    features,
    load,
    load_collection,
    open_elf,
    s32,
    s64,
    u32,
    usdt,
)
from pybpf import helpers as bpf
from pybpf import types as t
from pybpf.links import elf, operands
from pybpf.links import usdt as sites
from pybpf.uapi import LinkType

pytestmark = pytest.mark.kernel

# One macro puts a note: what sys/sdt.h does, with the operands written out.
SOURCE = r"""
#include <stdint.h>
#define PROBE(name, semaphore, operands, ...) __asm__ volatile( \
    "990: nop\n .pushsection .note.stapsdt,\"\",\"note\"\n .balign 4\n .4byte 992f-991f,994f-993f,3\n" \
    "991: .asciz \"stapsdt\"\n 992: .balign 4\n 993: .8byte 990b\n .8byte 0\n .8byte " semaphore "\n" \
    ".asciz \"pybpf\"\n .asciz \"" name "\"\n .asciz \"" operands "\"\n 994: .balign 4\n .popsection\n" :: __VA_ARGS__)
volatile unsigned short semaphore __attribute__((section(".probes")));
struct { int64_t pad; int32_t word; uint16_t half; int8_t byte; } memory = {0, -7, 65535, -3};
int64_t table[4] = {10, 20, 30, 40};
int main(void) {
    for (int64_t i = 0; i < 3; i++) {
        PROBE("tick", "semaphore", "-8@%%rdi 4@$5 -4@$-9", "D"(i));
        PROBE("places", "0", "-4@8(%%rsi) 2@12(%%rsi) -1@14(%%rsi) 8@(%%rdx,%%rcx,8) 1@%%dil -2@%%di 4@%%edi 8@%%r9",
              "S"(&memory), "d"(table), "c"(i), "D"(-2L));
    }
    PROBE("twice", "0", "8@%%rdi -4@%%esi", "D"(1L), "S"(-1L));
    PROBE("twice", "0", "8@%%rsi -4@$2", "S"(11L));
    PROBE("odd", "0", "4@%%edi 8f@%%xmm0", "D"(77));
    return semaphore;
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The compiled program: its file, and a run of it, which gives its exit status."""
    compiler = shutil.which("cc") or shutil.which("clang-19")
    if compiler is None or os.uname().machine != "x86_64":
        pytest.skip("no C compiler for a program with USDT probes")
    if not os.path.exists("/sys/bus/event_source/devices/uprobe/type"):
        pytest.skip("this kernel has no uprobe events")
    directory = tmp_path_factory.mktemp("usdt")
    (directory / "ticks.c").write_text(SOURCE)
    path = directory / "ticks"
    subprocess.run([compiler, "-O1", "-o", path, directory / "ticks.c"], check=True)
    return str(path), lambda: subprocess.run([path]).returncode


# Kernels without cookies of perf events tell sites apart by their place; programs are told which kernel they are for.
KERNEL = "6.1" if features.have_link_type(LinkType.PERF_EVENT) else "5.10"


class Row(Struct):
    values: t.Array(s64, 8)


rows = Array(Row, max_entries=8)
used = Array(u32, max_entries=1)
events = HashMap(char[16], s32, max_entries=1024)


def seen(prog, width):
    found = [list(prog[rows][i].values)[:width] for i in range(prog[used][0])]
    prog[used][0] = 0
    return found


@usdt("", kernel=KERNEL)
def places(ctx, a, b, c, d, e, f, g, h):
    row = rows.get(used[0] & 7)
    if row is not None:
        used[0] += 1
        for i in range(7):
            row.values[i] = s64(ctx.args[i])
        row.values[7] = s64(a)


@usdt("", kernel=KERNEL)
def two(ctx, first, second: s32):
    row = rows.get(used[0] & 7)
    if row is not None:
        used[0] += 1
        row.values[0] = s64(first)
        row.values[1] = second
        row.values[2] = s64(ctx.cookie)
        row.values[3] = s64(ctx.args[2])
        row.values[4] = s64(ctx.args[11])


def test_arguments_of_every_form(program):
    path, run = program
    with load(places) as prog, prog.attach(f"{path}:pybpf:places"):
        run()
        expected = [[-7, 65535, -3, element, 254, -2, 0xFFFFFFFE, -7] for element in (10, 20, 30)]
        assert seen(prog, 8) == expected


def test_the_semaphore_is_raised_meanwhile(program):
    path, run = program
    assert run() == 0
    with load(two) as prog:
        with prog.attach(f"{path}:pybpf:tick") as link:
            assert repr(link).endswith(f" to {path}:pybpf:tick>")
            assert run() == 1
        assert run() == 0
        assert seen(prog, 5) == [[i, 5, 0, -9, 0] for i in range(3)]


def test_sites_have_operands_of_their_own(program):
    path, run = program
    with load(two) as prog:
        target = f"{path}:pybpf:twice"
        for cookies in ([40, 41], None, [40, 41]):
            with prog.attach(target, cookies=cookies):
                run()
            first, second = cookies or (0, 0)
            assert seen(prog, 5) == [[1, -1, first, 0, 0], [11, 2, second, 0, 0]]


def test_one_program_at_two_probes(program):
    path, run = program
    with load(two) as prog, prog.attach(f"{path}:pybpf:twice"), prog.attach(f"{path}:pybpf:tick"):
        run()
        assert seen(prog, 2) == [[0, 5], [1, 5], [2, 5], [1, -1], [11, 2]]


def test_in_one_process_only(program):
    path, run = program
    with load(two) as prog, prog.attach(f"{path}:pybpf:tick", pid=os.getpid()):
        run()
        assert seen(prog, 2) == []


@usdt("", kernel=KERNEL)
def number(ctx, first):
    used[0] = u32(first)


def test_what_cannot_be_read_is_refused_when_it_is_named(program):
    path, run = program
    with load(number) as prog, prog.attach(f"{path}:pybpf:odd"):
        run()
        assert prog[used][0] == 77
    with load(two) as prog:
        with pytest.raises(
            SpecError, match="argument 2 of pybpf:odd cannot be read: programs do not see the register xmm0"
        ):
            prog.attach(f"{path}:pybpf:odd")
        with pytest.raises(ElfError, match="it has pybpf:odd, pybpf:places, pybpf:tick, pybpf:twice"):
            prog.attach(f"{path}:pybpf:tock")
        with pytest.raises(SpecError, match="2 sites: give as many cookies, not 1"):
            prog.attach(f"{path}:pybpf:twice", cookies=[1])
        with pytest.raises(SpecError, match="expected file:provider:name"):
            prog.attach("tick")
    with load(places) as prog, pytest.raises(SpecError, match="pybpf:tick has 3 arguments, places names 8"):
        prog.attach(f"{path}:pybpf:tick")


def test_nothing_stays_of_an_attachment_that_failed(program, fd_count):
    path, _ = program
    with load(two) as prog:
        before = fd_count()
        with pytest.raises(SpecError):
            prog.attach(f"{path}:pybpf:odd")
        assert fd_count() == before


def test_an_object_made_with_usdt_bpf_h(program, tmp_path):
    """libbpf's header reads the same map."""
    if not features.have_link_type(LinkType.PERF_EVENT):
        pytest.skip("such objects need cookies, which this kernel has not")
    clang = shutil.which("clang-19") or shutil.which("clang")
    if clang is None or not os.path.exists("/usr/include/bpf/usdt.bpf.h"):
        pytest.skip("no clang, or no libbpf-dev")
    (tmp_path / "probe.bpf.c").write_text("""
        #include <linux/ptrace.h>
        #include <linux/bpf.h>
        #include <stdbool.h>
        #include <bpf/bpf_helpers.h>
        #include <bpf/bpf_tracing.h>
        #include <bpf/usdt.bpf.h>
        long sum, cookies; int count;
        SEC("usdt")
        int BPF_USDT(probe, long a, long b) {
            sum += a * 100 + b;
            cookies += bpf_usdt_cookie(ctx);
            count = bpf_usdt_arg_cnt(ctx);
            return 0;
        }
        char _license[] SEC("license") = "GPL";
    """)
    command = [clang, "-O2", "-g", "-target", "bpf", "-D__TARGET_ARCH_x86", "-I/usr/include/x86_64-linux-gnu"]
    subprocess.run([*command, "-c", "probe.bpf.c", "-o", "probe.o"], cwd=tmp_path, check=True)
    path, run = program
    obj = open_elf(str(tmp_path / "probe.o"))
    with load_collection(*obj) as objects:
        with objects["probe"].attach(f"{path}:pybpf:twice", cookies=[3, 4]):
            run()
        bss = bytes(objects["probe"].maps[".bss"][0])
        values = {
            name: int.from_bytes(bss[v.offset :][: v.size], "little", signed=True) for name, v in obj.globals.items()
        }
        assert values == {"sum": 100 - 1 + 1100 + 2, "cookies": 7, "count": 2}


@usdt("", kernel=KERNEL)
def audited(ctx, event):
    name = char[16]()
    bpf.probe_read_user_str(name, event)
    events[name] += 1


def test_a_probe_that_a_distribution_built():
    """Debian's Python has probes, which fire while their semaphores are raised."""
    python = "/usr/bin/python3"
    if not os.path.exists(python) or not any(s.name == "audit" for s in elf.Image(python).sites()):
        pytest.skip("no Python that was built with USDT probes")
    code = "import sys\nfor _ in range(3): sys.audit('pybpf.hello', 1)"
    with load(audited) as prog:
        for attached, expected in ((True, 3), (False, 3)):
            with prog.attach(f"{python}:python:audit") if attached else contextlib.nullcontext():
                subprocess.run([python, "-I", "-S", "-c", code], check=True)
            assert dict(prog[events])[b"pybpf.hello"] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-4@%edi", [sites.Arg(4, True, "edi")]),
        ("8@-8(%rbp)", [sites.Arg(8, False, "rbp", -8, True)]),
        ("1@(%rax,%rbx,4)", [sites.Arg(1, False, "rax", 0, True, "rbx", 4)]),
        ("-4@$-9 8@x1", [sites.Arg(4, True, "", -9), sites.Arg(8, False, "x1")]),
        ("4@[sp, 12] -8@[x3]", [sites.Arg(4, False, "sp", 12, True), sites.Arg(8, True, "x3", 0, True)]),
        ("", []),
    ],
)
def test_operands_as_text(text, expected):
    assert sites.arguments(elf.Site(("p", "n", 0, 0, text))) == expected


def test_an_operand_of_unknown_form():
    with pytest.raises(SpecError, match="'8:rax'"):
        sites.arguments(elf.Site(("p", "n", 0, 0, "8:rax")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-4@%edi", operands.pack("=QIHBB", 0, 1, 112, 1, 32)),
        ("8@%r8d", operands.pack("=QIHBB", 0, 1, 72, 0, 0)),
        ("-1@%sil", operands.pack("=QIHBB", 0, 1, 104, 1, 56)),
        ("2@$-1", operands.pack("=QIHBB", 2**64 - 1, 0, 0, 0, 48)),
        ("8@-8(%rbp)", operands.pack("=QIHBB", 2**64 - 8, 2, 32, 0, 0)),
        ("1@6(%rax,%rbx,4)", operands.pack("=QIHBB", 6, 3 | 40 << 8 | 2 << 20, 80, 0, 56)),
        ("8f@16(%rip)", operands.pack("=QIHBB", 16, 2, 128, 0, 0)),
    ],
)
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="names of registers are those of x86-64")
def test_operands_as_bytes(text, expected):
    assert operands._operand(sites.argument(text)) == expected


class Table:
    """A live array of specs, without a kernel."""

    def __init__(self, entries):
        self.rows = [bytes(208)] * entries
        self.spec, self.raw = self, self
        self.max_entries = entries

    def lookup(self, key):
        return self.rows[int.from_bytes(key, sys.byteorder)]

    def update(self, key, value):
        self.rows[int.from_bytes(key, sys.byteorder)] = value


def test_equal_specs_share_a_number():
    table = Table(2)
    assert [operands._number(table, bytes([n]) * 208) for n in (1, 2, 1, 2)] == [0, 1, 0, 1]
    with pytest.raises(SpecError, match="room for 2 different sites"):
        operands._number(table, bytes([3]) * 208)


def test_without_cookies_two_sites_at_one_place_of_a_page_are_refused():
    class Program:
        maps = {operands.SPECS: Table(4), operands.PLACES: {}}  # noqa: RUF012
        spec, name, links = None, "x", []

    class Attached:
        closed, places = False, {0x010}

    found = [elf.Site(("p", "n", offset, 0, f"8@${offset}")) for offset in (0x1010, 0x2020, 0x3010)]
    assert operands.describe(Program, found[:2], [0, 0]) == ([0, 0], {0x010, 0x020})
    assert Program.maps[operands.PLACES] == {0x010: 0, 0x020: 1}
    with pytest.raises(NotSupportedError, match=r"since Linux 5\.15|needs Linux 5\.15"):
        operands.describe(Program, found, [0, 0, 0])
    Program.links.append(Attached)
    with pytest.raises(SpecError, match="attached to another probe at place 0x10 of a page"):
        operands.describe(Program, found[2:], [0])
    Attached.closed = True
    assert operands.describe(Program, found[2:], [0]) == ([0], {0x010})
