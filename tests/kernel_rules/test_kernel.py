"""The tables against the kernel that runs here: samples asked again, and calls made from every signature.

A kernel without a table of its own release is compared with what the prober finds on it, not with another's table.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys

import pytest

from pybpf import kernel
from pybpf.cli.probe.calls import Calls, Functions, Unmade
from pybpf.cli.probe.compare import differences
from pybpf.cli.probe.door import Kernel, call, insn, mov
from pybpf.cli.probe.maps import Maps
from pybpf.cli.probe.programs import Programs, describe
from pybpf.cli.probe.table import _socket, make_table, render
from pybpf.kernel.tables import Rules
from pybpf.uapi import HELPER_NAMES

pytestmark = pytest.mark.kernel
RELEASE = ".".join(os.uname().release.split(".")[:2])
EXPECTED = {
    "ctx": ("ctx",),
    "map": ("map_ptr",),
    "size": ("scalar", "inv"),
    "size0": ("scalar", "inv"),
    "alloc_size": ("scalar", "inv"),
    "func": ("func",),
    "stack": ("fp",),
    "record": ("ringbuf_mem", "alloc_mem"),
    "socket": ("sock",),
    "percpu_btf": ("percpu_ptr_",),
    "str": ("map_value",),
    "timer": ("map_value",),
    "lock": ("map_value",),
    **dict.fromkeys(("key", "value", "mem", "fixed"), ("fp",)),
    **dict.fromkeys(("dynptr", "dynptr_new", "dynptr_ringbuf"), ("fp", "dynptr_ptr")),
    "sock": ("sock", "sock_common"),
    "btf": ("ptr_", "trusted_ptr_"),
    "kptr": ("map_value",),
}
"""Words of which at least one is in the kernel's "expected=" for an argument of a kind, in any version."""


@pytest.fixture(scope="module")
def table():
    return make_table(lambda text: None)


@pytest.fixture(scope="module")
def programs():
    return Programs(Kernel())


@pytest.fixture(scope="module")
def variants(programs):
    return {variant.key: variant for variant in programs.variants()}


def test_the_committed_table_is_what_this_kernel_says(table):
    if RELEASE not in kernel.KERNELS:
        pytest.skip(f"no table of Linux {RELEASE}")
    known = kernel.rules(RELEASE)
    if table["release"].split("-")[0] not in known.origin:
        pytest.skip(f"this is {table['release']}, the table was {known.origin}: builds may differ")
    assert list(differences(known, Rules(table))) == []


def test_a_table_survives_being_written(table, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(render(table))
    assert list(differences(kernel.rules(str(file)), Rules(table))) == []


def test_samples_of_helpers_and_contexts_asked_with_whole_programs(table, variants, programs):
    """As a user's program meets them: loads and stores that are accepted or refused, helpers that are known or not."""
    rules = Rules(table)
    chosen = random.Random(20261)
    for key, variant in chosen.sample(sorted(variants.items(), key=lambda item: str(item[0])), 25):
        allowed = rules.program(key[0], key[1], sleepable=key[2])
        for _ in range(40):
            width, bits = chosen.choice(((1, 0x10), (2, 0x08), (4, 0), (8, 0x18)))
            at = chosen.randrange(0, max(allowed.context.size, 8), width)
            if not allowed.context.size:
                break  # arguments of a kernel function: its BTF tells
            loaded = programs.kernel.accepts(variant, insn(0x61 | bits, 0, 1, at) + variant.end)
            stored = programs.kernel.accepts(variant, mov(2, 0) + insn(0x63 | bits, 1, 2, at) + variant.end)
            where = f"{describe(key)}: {width} bytes at {at}"
            assert (allowed.context.load(at, width) is not None) == loaded, where
            assert allowed.context.store(at, width) == stored, where
        for number in chosen.sample(range(1, len(HELPER_NAMES)), 20):
            _, log = programs.kernel.says(variant, call(number) + variant.end)
            refused = any(
                words in log for words in ("cannot use helper", "unknown func", "might sleep", "invalid func")
            )
            assert allowed.allows(number) == (not refused), (describe(key), HELPER_NAMES[number], log)


def test_signatures_are_what_the_verifier_expects(table):
    """Each argument in turn of a wrong kind: what the kernel then asks for is what the signature says."""
    rules = Rules(table)
    asked = 0
    for number in range(1, len(HELPER_NAMES)):
        expected = rules.expected(number)
        signatures = {
            tuple(arg.kind for arg in kernel.helper(number, key[0]).args): kernel.helper(number, key[0])
            for key in rules.programs_that_call(number)
        }
        fitting = [s for s in signatures.values() if len(s.args) == len(expected)]
        assert fitting or not expected, HELPER_NAMES[number]
        for i, words in enumerate(expected):
            if not words:
                continue
            asked += 1
            kinds = {signature.args[i].kind for signature in fitting}
            given = set(words.replace(",", " ").split())
            assert any(given & set(EXPECTED.get(kind, ())) for kind in kinds), (HELPER_NAMES[number], i, words, kinds)
    assert asked > 150


def test_calls_made_from_signatures_are_accepted(table, variants, programs):
    """A right call of each helper gets past the verifier: nothing is missing from, or wrong in, its signature."""
    rules = Rules(table)
    maps = Maps(programs.kernel)
    functions = Functions(programs.kernel)
    sockets = {key: _socket(table["contexts"][row[0]]) for key, row in table["programs"].items()}
    passed, wrong = 0, []
    for number in range(1, len(HELPER_NAMES)):
        complaint = None
        for key in {key[0]: key for key in rules.programs_that_call(number)}.values():
            signature = kernel.helper(number, key[0])
            if signature.acquires or {"dynptr_new", "dynptr", "lock"} & {arg.kind for arg in signature.args}:
                break  # what is acquired must be given back, which these calls do not do
            try:
                accepted, log = Calls(programs.kernel, maps, functions, variants[key], sockets[key]).says(signature)
            except Unmade:
                continue
            if accepted:
                passed += 1
                break
            complaint = (HELPER_NAMES[number], log.strip().split("\n")[-2])
        else:
            wrong += [complaint] if complaint else []
    maps.close()
    assert wrong == [("sk_release", "R1 must be referenced when passed to release function")] or not wrong
    assert passed > 110


def test_the_command(tmp_path):
    file = tmp_path / "table.py"
    command = [sys.executable, "-m", "pybpf", "probe", "-q", "-o", str(file), "--against", "6.12"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "kinds of program" in done.stdout
    assert kernel.rules(str(file)).version == RELEASE
