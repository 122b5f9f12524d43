"""Programs written for other toolkits, ported: our verifier takes each, and so does the kernel where it can load it.

`PYBPF_PORTED=all` loads the kinds that this kernel's configuration lacks as well (in an emulated one).
"""

from __future__ import annotations

import os

import pytest

from pybpf import load, verify
from pybpf.dsl.program import Function
from pybpf.verifier import Env

from .ported import modern, network, tracing

PROGRAMS = [
    pytest.param(found, id=f"{module.__name__.rpartition('.')[2]}-{name}")
    for module in (modern, network, tracing)
    for name, found in vars(module).items()
    if isinstance(found, Function)
]
ELSEWHERE = frozenset((2, 26, 29))
"""KPROBE, TRACING, LSM: not every kernel is configured for them."""


UNKNOWN = frozenset(("path_of_file",))
"""Whose kernel functions our verifier has no model of."""


@pytest.fixture(scope="module")
def env():
    return Env.here()


@pytest.mark.kernel
@pytest.mark.parametrize("spec", PROGRAMS)
def test_ported_programs_are_taken(spec, env):
    report = verify(spec, env=env)
    ours = os.uname().release.startswith("6.18.")  # another kernel may have renamed what a program calls
    assert report.ok or spec.name in UNKNOWN or not ours, report
    iterator = spec.expected_attach_type == 28
    if spec.prog_type not in ELSEWHERE or iterator or os.environ.get("PYBPF_PORTED") == "all":
        with load(spec):
            pass
