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
    pytester.runpytest_subprocess("--bpf=vm", "-vv").stdout.fnmatch_lines(["*packets differ*"])
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
    assert map_difference({1: 2, 3: 4}, {1: 5}) == ["only left:  3: 4", "1: 2 != 5"]
