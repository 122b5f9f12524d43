"""The pytest plugin, in a pytest of its own."""

from __future__ import annotations

import pytest

from pybpf.testing import map_difference, packet_difference

pytest_plugins = ["pytester"]

SUITE = """
from pybpf import HashMap, socket_filter, u32, u64

packets = HashMap(u32, u64, max_entries=16)
FRAME = bytes(12) + b"\\x08\\x00" + bytes([0x45, 0, 0, 40, 0, 0, 0, 0, 64, 17]) + bytes(40)

@socket_filter
def count(skb):
    packets[skb.load_byte(9)] += 1
    if skb.load_byte(8) == 3:
        return 7
    return 0

def test_same_in_both(bpf):
    machine = bpf(count)
    assert machine.run(data=FRAME).retval == 0
    assert machine[packets] == {17: 1}
"""


@pytest.fixture
def suite(pytester):
    pytester.makepyfile(SUITE)
    return pytester


@pytest.mark.kernel
def test_both_engines(suite):
    result = suite.runpytest_subprocess("-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*test_same_in_both*vm*PASSED*", "*test_same_in_both*kernel*PASSED*"])


def test_offline_only_with_coverage(suite):
    result = suite.runpytest_subprocess("--bpf=vm", "--bpf-cov")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["*coverage of eBPF programs*", "count * of * instructions*missed*", "*: 4 of 5 lines  80%   missed: 10"]
    )


REPORTS = (((), "programs.py 6 1 83% 7"), (("--cov-branch",), "programs.py 6 1 2 1 75% 7"))


@pytest.mark.parametrize("processes", [(), ("-n2",)], ids=["one process", "two"])
@pytest.mark.parametrize(("branches", "row"), REPORTS, ids=["lines", "branches"])
def test_lines_of_programs_in_reports_of_coverage(pytester, processes, branches, row):
    pytest.importorskip("pytest_cov", reason="pytest-cov is not installed")
    pytester.makepyfile(programs=PROGRAM, test_it=TEST)
    options = (
        "-p",
        "no:cacheprovider",
        "--bpf=vm",
        "--bpf-cov",
        "--cov=programs",
        "--cov-report=term-missing",
        *branches,
    )
    result = pytester.runpytest_subprocess(*options, *processes)
    result.assert_outcomes(passed=2)
    result.stdout.re_match_lines([" *".join(row.split()), ".*coverage of eBPF programs", r"f  .* 5 of .*instructions"])


PROGRAM = """
from pybpf import socket_filter


@socket_filter
def f(skb):
    if skb.load_byte(8) == 3:
        return 7
    return 0
"""
TEST = """
from programs import f

def test_it(bpf):
    assert bpf(f).run(data=bytes(60)).retval == 0

def test_again(bpf):
    assert bpf(f).run(data=bytes(60)).retval == 0
"""

CHOICES = """
import pytest
from pybpf import SyscallError

@pytest.mark.bpf("vm")
def test_only_offline(bpf):
    machine = bpf(count, time_ns=7)
    assert machine.run(data=FRAME, trace=True).trace
    assert machine.env.time_ns == 7

def test_contexts_and_refusals_are_the_same(bpf):
    machine = bpf(count)
    assert machine.run(data=FRAME, ctx={"mark": 3}).ctx.mark == 3
    with pytest.raises(SyscallError) as caught:
        machine.run(data=b"short")
    assert caught.value.errno == 22
    assert list(machine.maps) == ["packets"]

@pytest.mark.bpf("kernel")
def test_what_the_kernel_has_not(bpf):
    with pytest.raises(AttributeError, match="only the offline machine"):
        bpf(count).advance(1)
"""


@pytest.mark.kernel
def test_engines_by_mark(pytester):
    pytester.makepyfile(SUITE + CHOICES)
    result = pytester.runpytest_subprocess("-v", "--strict-markers")
    result.assert_outcomes(passed=6)
    pytester.makepyfile(SUITE + CHOICES.replace('"vm"', '"qemu"'))
    result = pytester.runpytest_subprocess()
    result.stdout.fnmatch_lines(["*bpf('qemu')*expected one of vm, kernel*"])


def test_failures_are_readable(pytester):
    failing = SUITE.replace("{17: 1}", "{18: 1, 17: 2}").replace(
        ".retval == 0", ".data == FRAME[:30] + b'x' + FRAME[31:]"
    )
    pytester.makepyfile(failing)
    pytester.runpytest_subprocess("--bpf=vm", "-vv").stdout.fnmatch_lines(["*packets differ (- left, + right)*"])
    pytester.makepyfile(SUITE.replace("{17: 1}", "{18: 1, 17: 2}"))
    result = pytester.runpytest_subprocess("--bpf=vm", "-vv")
    result.stdout.fnmatch_lines(["*map contents differ*", "*only right: 18: 1*", "*17: 1 != 2*"])


def test_differences():
    frame = bytes(12) + b"\x08\x00" + bytes([0x45, 0, 0, 40, 0, 0, 0, 0, 64, 17]) + bytes(40)
    other = frame[:22] + b"\x3f" + frame[23:]
    lines = packet_difference(frame, other)
    assert "ip ttl: 64 != 63" in lines
    assert any(line.startswith("0010 - ") for line in lines)
    assert "length: 64 != 60" in packet_difference(frame, frame[:60])
    assert [line for line in packet_difference(frame, bytes(60)) if ":" in line] == [
        "length: 64 != 60",
        "ethernet type: 0x0800 != 0x0000",
    ]
    assert packet_difference(bytes(20), bytes(19) + b"\1") == [
        "0010 - 00 00 00 00",
        "     + 00 00 00 01",
        "                ^^",
    ]
    assert map_difference({1: 2, 3: 4}, {1: 5}) == ["only left:  3: 4", "1: 2 != 5"]


def test_text_is_no_packet(pytester):
    pytester.makepyfile('def test(): assert b"a string of some length" == b"a string of another length"')
    result = pytester.runpytest_subprocess()
    result.stdout.fnmatch_lines(["E *At index 12 diff*"])
    result.stdout.no_fnmatch_line("*packets differ*")


def test_each_line_that_ran_counts(pytester):
    """Also one that only gives a constant, which the compiler would else make before the test."""
    both = "\n    assert bpf(f).run(data=bytes(22) + b'\\3' + bytes(37)).retval == 7\n"
    pytester.makepyfile(programs=PROGRAM, test_it=TEST.rstrip() + both)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--bpf=vm", "--bpf-cov")
    result.stdout.fnmatch_lines(["*programs.py: 4 of 4 lines  100%"])
