"""What printk writes is what Python's f-string would: in the trace pipe, for every conversion that the kernel has."""

from __future__ import annotations

import contextlib
import os
import time

import pytest

from pybpf import CompileError, TracePipe, char, load, printk, s32, tracepoint, u8, u32, xdp
from pybpf import helpers as bpf
from pybpf.dsl.lower.formats import of_number, of_text

MARK = "pybpf-printk"


@tracepoint("syscalls/sys_enter_getpgid")
def says(ctx):
    pid = u32(ctx.pid)
    text = char[16]()
    text[0] = 65
    text[1] = 66
    low = s32(pid) - 47
    if pid != 42:
        return 0
    printk(f"pybpf-printk {pid} {pid:x} {pid:X} {pid:08x} {pid:5d} {pid:#x} {low} {low:03d} {low:d} 100% {{}} {'c'}")
    printk(f"pybpf-printk |{pid:<5}|{pid:>5}|{pid:5}|{pid:+}|{pid:05}|{pid:<5x}|{low:+d}")
    printk(f"pybpf-printk |{text}|{text:8}|{text:>8}|{text}abc|{text}1|{text}{text}{pid}|{text:s}")
    printk(f"pybpf-printk {pid + 23:c}{pid + 24:c} plain {pid=} {pid!r}")
    return 0


@tracepoint("syscalls/sys_enter_getpgid")
def addresses(ctx):
    if ctx.pid != 43:
        return 0
    v6 = u8[16]()
    v6[15] = 1
    host = u32(0x7F000001)
    printk(f"pybpf-printk {host:pI4}x {v6:pI6}x {v6:pi6} {host:pi4}")
    printk(f"pybpf-printk {bpf.get_current_task():ps} {bpf.get_current_task():pK}")
    return 0


@tracepoint("syscalls/sys_enter_getpgid")
def behind(ctx):
    if ctx.pid == 44:
        text = char[16]()
        text[0] = 65
        text[1] = 66
        printk(f"pybpf-printk {text} {ctx.pid} {ctx.pid} {ctx.pid} {ctx.pid}")
    return 0


def lines(spec, number, wanted):
    with load(spec) as prog, TracePipe() as pipe, prog.attach():
        os.getpgid(0)
        with contextlib.suppress(ProcessLookupError):
            os.getpgid(number)
        found: list[str] = []
        end = time.monotonic() + 5
        while len(found) < wanted and time.monotonic() < end:
            found += [line.split(MARK, 1)[1].strip() for line in pipe.poll(0.2) if MARK in line]
        return found


@pytest.mark.kernel
def test_the_kernel_writes_what_python_would():
    pid, low, text = 42, -5, "AB"
    assert lines(says, pid, 4) == [
        f"{pid} {pid:x} {pid:X} {pid:08x} {pid:5d} {pid:#x} {low} {low:03d} {low:d} 100% {{}} {'c'}",
        f"|{pid:<5}|{pid:>5}|{pid:5}|{pid:+}|{pid:05}|{pid:<5x}|{low:+d}",
        f"|{text}|{text:8}|{text:>8}|{text}abc|{text}1|{text}{text}{pid}|{text:s}",
        f"AB plain {pid=} {pid!r}",
    ]


@pytest.mark.kernel
def test_addresses():
    first, second = lines(addresses, 43, 2)
    assert first == (
        "127.0.0.1x 0000:0000:0000:0000:0000:0000:0000:0001x 00000000000000000000000000000001 127.000.000.001"
    )
    assert len(second.split()) == 2


@pytest.mark.kernel
def test_what_lies_behind_a_pointer_is_stored_before():
    """An array whose address is only among the values is written to all the same."""
    assert lines(behind, 44, 1) == ["AB 44 44 44 44"]


@pytest.mark.parametrize(
    ("spec", "lo", "hi", "conversion"),
    [
        ("", 0, 9, "%llu"), ("", -1, 9, "%lld"), ("d", 0, 9, "%llu"), ("5", 0, 9, "%5llu"), ("05", 0, 9, "%05llu"),
        ("<5", 0, 9, "%-5llu"), (">5d", -1, 9, "%5lld"), ("+", 0, 9, "%+lld"), ("+", 0, 1 << 63, None), (" d", 0, 9, "% lld"),
        ("x", 0, 9, "%llx"), ("08X", 0, 9, "%08llX"), ("#x", 0, 9, "0x%llx"), ("#X", 0, 9, "0X%llX"), ("#06x", 0, 9, None),
        ("p", 0, 9, "0x%llx"), ("8p", 0, 9, None), ("c", 0, 9, "%c"), ("5c", 0, 9, None), ("ps", 0, 9, "%ps"),
        ("<05", 0, 9, None), ("^5", 0, 9, None), (",", 0, 9, None), (".2", 0, 9, None), ("o", 0, 9, None), ("b", 0, 9, None),
        ("s", 0, 9, None), ("*>5", 0, 9, None), ("#d", 0, 9, None), ("+x", 0, 9, None),
    ],
)  # fmt: skip
def test_conversions_of_numbers(spec, lo, hi, conversion):
    assert of_number(spec, lo, hi) == conversion


def test_conversions_of_texts():
    specs = ("", "s", "8", "<8", ">8", "8s", "08", "+", "x", ".3", "^8")
    assert [of_text(s) for s in specs] == ["%s", "%s", "%-8s", "%-8s", "%8s", "%-8s", *[None] * 5]


def test_what_the_kernel_cannot_write_is_refused():
    @xdp
    def wrong(ctx):
        printk(f"{len(ctx):,}")
        return 2

    with pytest.raises(CompileError, match="printk has no format ',' for a number") as caught:
        wrong.insns  # noqa: B018
    assert "numbers have d, x, X, #x, c, p, with" in str(caught.value)
