"""Random well-typed programs: the kernel and `verify` accept what is made of them, kernel and machine compute what Python does.

PYBPF_RANDOM_PROGRAMS=n says how many, PYBPF_RANDOM_FIRST where to begin; `python -m tests.dsl.campaign` does without pytest.
"""

from __future__ import annotations

import os

import pytest

from pybpf import verify

from .campaign import difference
from .generator import program
from .model import StepBudgetError
from .trial import Trial

FIRST = int(os.environ.get("PYBPF_RANDOM_FIRST", "0"))
COUNT = int(os.environ.get("PYBPF_RANDOM_PROGRAMS", "40"))
SEEDS = pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
TOO_LONG = "evaluating this program takes Python too long"


def trial_of(seed: int) -> Trial:
    try:
        return Trial(seed)
    except StepBudgetError:
        pytest.skip(TOO_LONG)


@SEEDS
def test_the_machine_computes_what_python_computes(seed):
    trial = trial_of(seed)
    for spec in trial.specs:
        report = verify(spec)
        assert report.ok, f"{trial.text}\n{report}"
    found = trial.machine()
    assert found == trial.expected, f"{trial.text}\n{difference(found, trial.expected)}"


@pytest.fixture
def one_cpu():
    """Values of per-CPU maps are compared, so every run must be on the same CPU."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.kernel
@SEEDS
def test_the_kernel_computes_what_python_computes(seed, one_cpu):
    trial = trial_of(seed)
    found = trial.kernel()
    assert found == trial.expected, f"{trial.text}\n{difference(found, trial.expected)}"


CONSTRUCTS = (
    "@subprogram", ".for_each(", "bpf.loop(", ".reserve()", ".submit()", ".discard()", "events.output(", ".tail_call(",
    "outer.get(", "shelves.get(", "waiting.p", "pile.p", "routes[", "recent[", "local[", "rows[", "scratch.get(",
    "with ref", ".timer.start(", "met.add(", "limit.value", "fixed.value", "grid.value", ".word.", ".items[", "p.tiny",
    "adjust_head(", "adjust_tail(", "abs(", "min(", "sdiv(", "smod(", "match ", "Mode.", "while True", "unroll(",
    "enumerate(", ":=", "ctx.cb[", "break", "continue",
)  # fmt: skip


def test_generated_programs_have_every_construct():
    """What the generator is meant to write, it writes; the same text each time."""
    texts = [program(seed) for seed in range(150)]
    assert texts[:5] == [program(seed) for seed in range(5)]
    whole = "\n".join(texts)
    assert [c for c in CONSTRUCTS if c not in whole] == []
