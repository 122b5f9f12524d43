"""Loops of all shapes for all targets: what compiles is accepted, and computes what Python computes; else our error says why."""

from __future__ import annotations

import re

import pytest

from pybpf import CompileError, xdp

from .loop_model import results
from .shapes import PACKETS, wrong

UNSEEN = "nothing shows it how many there are: let a counter end it"
LONG = "count fewer rounds"
UNBOUNDED = r"write range\(bounded\(n, max=...\)\)"
BEFORE_5_17 = {
    "breaks_everywhere": LONG, "while_and_or": UNSEEN, "step_around_masked": LONG, "thousand_around_array": LONG,
    "thousand_around_struct": LONG, "collatz_around_two": UNSEEN, "product_with_break": UNSEEN, "typed_u8": UNSEEN,
    "bounded_triple": LONG, "bounded_long": LONG, "map_nested": UNBOUNDED, "map_in_test": UNSEEN, "array_sieve": UNSEEN,
    "calls_long": LONG, "inlined_loops": UNSEEN, "early_return": UNBOUNDED, "return_from_while": UNSEEN,
    "loop_variable_kept": UNBOUNDED, "fibonacci": UNBOUNDED, "gcd": UNSEEN, "bits_counted": UNSEEN,
    "binary_search": UNSEEN, "bound_changes": UNSEEN, "while_else": UNSEEN, "one_million": LONG, "small_then_large": LONG,
    "step_undone": UNSEEN, "stepped_in_if": UNSEEN, "index_guarded_outside": LONG, "unrolled_around_long": LONG,
    "loops_in_branches": LONG, "continue_in_while": UNSEEN, "number_met_in_a_round": LONG,
    "assigned_in_the_test": UNSEEN,
}  # fmt: skip
EXPECTED = results(PACKETS)


@pytest.mark.kernel
@pytest.mark.parametrize("kernel", ["5.10", "5.17", "6.6", "6.9", None])
@pytest.mark.parametrize("name", EXPECTED)
def test_loops(name, kernel):
    told = wrong(name, kernel, EXPECTED[name])
    if kernel == "5.10" and name in BEFORE_5_17:
        assert re.match(f"refused: .*{BEFORE_5_17[name]}", told)
    else:
        assert not told


def never_left(ctx):
    n = u64 = 1
    while True:
        n = n * 7 + u64
        if n & 0xFFFF == len(ctx):
            return 5


def test_the_kernel_leaves_every_loop():
    with pytest.raises(
        CompileError, match="the kernel leaves this loop after 8388608 rounds: write a return behind it"
    ):
        _ = xdp(never_left).insns
