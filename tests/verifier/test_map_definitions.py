"""Definitions of maps that contradict themselves: what is said of programs that name one, and that the kernel makes none."""

from __future__ import annotations

import os

import pytest

from pybpf import MapSpec, ProgramSpec, asm, verify
from pybpf.errors import SyscallError
from pybpf.syscall import map_create
from pybpf.uapi.map import MapFlags, MapType
from pybpf.uapi.prog import ProgType

# (name, definition, part of the message, or "" for one that can be made)
CASES = [
    ("hash", MapSpec(MapType.HASH, 4, 8, 16), ""),
    ("hash without keys", MapSpec(MapType.HASH, 0, 8, 16), "keys have 0 bytes"),
    ("hash without values", MapSpec(MapType.HASH, 4, 0, 16), "values have 0 bytes"),
    ("hash without entries", MapSpec(MapType.HASH, 4, 8, 0), "max_entries is 0"),
    ("array", MapSpec(MapType.ARRAY, 4, 8, 1), ""),
    ("array with wide keys", MapSpec(MapType.ARRAY, 8, 8, 1), "keys have 8 bytes, and must have 4"),
    ("array that is not preallocated", MapSpec(MapType.ARRAY, 4, 8, 1, flags=MapFlags.NO_PREALLOC), "flags 0x1"),
    ("neither read nor written", MapSpec(MapType.ARRAY, 4, 8, 1, flags=0x180), "neither read nor write"),
    ("ring buffer", MapSpec(MapType.RINGBUF, 0, 0, 8192), ""),
    ("ring buffer of three pages", MapSpec(MapType.RINGBUF, 0, 0, 3 * 4096), "power of two"),
    ("ring buffer with values", MapSpec(MapType.RINGBUF, 0, 4, 4096), "values have 4 bytes"),
    ("queue with keys", MapSpec(MapType.QUEUE, 4, 4, 4), "keys have 4 bytes"),
    ("trie", MapSpec(MapType.LPM_TRIE, 8, 8, 4, flags=MapFlags.NO_PREALLOC), ""),
    ("trie, preallocated", MapSpec(MapType.LPM_TRIE, 8, 8, 4), "needs the flags 0x1"),
    ("stacks", MapSpec(MapType.STACK_TRACE, 4, 1016, 4), ""),
    ("stacks of build ids", MapSpec(MapType.STACK_TRACE, 4, 4064, 4, flags=MapFlags.STACK_BUILD_ID), ""),
    ("stacks of half build ids", MapSpec(MapType.STACK_TRACE, 4, 40, 4, flags=MapFlags.STACK_BUILD_ID), "steps of 32"),
    ("maps of nothing", MapSpec(MapType.ARRAY_OF_MAPS, 4, 4, 4), "needs an inner map"),
]


@pytest.mark.parametrize(("name", "definition", "message"), CASES, ids=[case[0] for case in CASES])
def test_definitions(name, definition, message):
    insns = asm.resolve(asm.assemble("r1 = m ll\nr0 = 0\nexit"))
    report = verify(ProgramSpec(insns, ProgType.SOCKET_FILTER, maps={"m": definition}))
    if not message:
        assert report.ok, report
    else:
        assert (report.verdict, report.findings[0].category) == ("reject", "map"), report
        assert message in report.findings[0].message, report


@pytest.mark.kernel
@pytest.mark.parametrize(("name", "definition", "message"), CASES, ids=[case[0] for case in CASES])
def test_the_kernel_makes_them_or_not(oracle, name, definition, message):
    d = definition
    try:
        os.close(map_create(d.map_type, d.key_size, d.value_size, d.max_entries, d.flags))
        made = True
    except SyscallError:
        made = False
    assert made == (not message)
