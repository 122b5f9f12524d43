"""What callbacks and long loops change in memory on the stack: the verifier must not know it.

Callbacks it walks once (before Linux 6.7), and would take what a round finds, or leaves, for what all do; or it walks them until
nothing is new, which numbers that it knows prevent.
"""

from __future__ import annotations

import os

import pytest

from pybpf import VM, Array, Struct, load, subprogram, u8, u32, u64, xdp
from pybpf import helpers as bpf


class State(Struct):
    step: u32
    done: u8
    total: u64


def no_rounds(ctx):
    """A number, and a field, that every round sets, in a loop that may have none."""
    seen = u32(7)
    state = State(step=7)
    i = 0
    while i < (len(ctx) & 1) * 70000:
        seen = u32(1)
        state.step = 1
        state.done = 1
        i += 1
    if state.done == 0 and seen == 7:
        return 1 + u32(state.step == 7)
    return 0


def steps(ctx):
    """A machine of three states in a structure, which is in the first one where the loop begins."""
    state = State()
    i = 0
    while i < len(ctx) * 2000:
        if state.step == 0:
            state.step = 1
        elif state.step == 1:
            state.step = 2
            state.total += 2
        else:
            state.step = 0
            state.total += 5
        i += 1
    return u32(state.total)


def turn(i, state):
    if state.step == 2:
        state.done = 1
        state.total += 10
    state.step += 1
    return 0


def called(ctx):
    """The same by a callback of the program's own."""
    state = State()
    bpf.loop(len(ctx) & 7, turn, state)
    if state.done == 0:
        return 100
    return u32(state.total) + state.step


eight = Array(u64, max_entries=8)


class Sum(Struct):
    n: u64
    large: u32


def one_more(m, key, value, total):
    total.n += 1


def summed(ctx):
    """Nothing in the callback is decided, but behind it, and otherwise for each number of rounds."""
    total = Sum()
    eight.for_each(one_more, total)
    return u32(total.n > 5)


def summed_in_a_loop(ctx):
    total = Sum()
    for i in range(70000):
        eight.for_each(one_more, total)
        if total.n > 9999:
            return u32(i)
    return 0


def mix(m, key, value, total):
    total.n = total.n * 5 + 1
    if total.n & 64 == 0 or total.n > 900:
        total.large += 1
    return 0


def mixed(ctx):
    total = Sum(n=58)
    eight.for_each(mix, total)
    eight.for_each(mix, total)
    return total.large


def grow(total):
    total.n = total.n * 5 + 1
    if total.n > 900:
        total.large += 1


def changed_by_a_function(ctx):
    total = Sum(n=58)
    for _ in range(70000):
        grow(total)
    return total.large


@subprogram
def grow_apart(total: Sum):
    for _ in range(70000):
        total.n = total.n * 5 + 1
        if total.n > 900:
            total.large += 1
    return 0


@subprogram
def grow_once(total: Sum):
    total.n = total.n * 5 + 1
    if total.n > 900:
        total.large += 1
    return 0


def changed_out_of_line(ctx):
    total = Sum(n=58)
    for _ in range(70000):
        grow_once(total)
    return total.large


def changed_in_a_function(ctx):
    total = Sum(n=58)
    grow_apart(total)
    return total.large


def grown(rounds, counts):
    n, large = 58, 0
    for _ in range(rounds):
        n = n * 5 + 1 & (1 << 64) - 1
        large += counts(n)
    return large


def expected_steps(length):
    whole, rest = divmod(length * 2000, 3)
    return 7 * whole + 2 * (rest == 2)


RUNNING = tuple(int(part) for part in os.uname().release.split(".")[:2])
CASES = [
    (no_rounds, lambda n: 0 if n & 1 else 2),
    (steps, expected_steps),
    (called, lambda n: 100 if n & 7 < 3 else 10 + (n & 7)),
    (summed, lambda n: 1),
    (summed_in_a_loop, lambda n: 1249),
    (mixed, lambda n: grown(16, lambda n: n & 64 == 0 or n > 900)),
    (changed_by_a_function, lambda n: grown(70000, lambda n: n > 900)),
    (changed_out_of_line, lambda n: grown(70000, lambda n: n > 900)),
    (changed_in_a_function, lambda n: grown(70000, lambda n: n > 900)),
]


@pytest.mark.kernel
@pytest.mark.parametrize(("function", "expected"), CASES, ids=[f.__name__ for f, _ in CASES])
@pytest.mark.parametrize("kernel", ["6.1", "6.12"])
def test_what_callbacks_change(function, expected, kernel):
    if tuple(map(int, kernel.split("."))) > RUNNING:
        pytest.skip(f"this kernel is older than {kernel}")
    spec = xdp(function, kernel=kernel)
    with load(spec) as prog:
        for length in (60, 61, 64, 66, 71):
            packet = bytes(length)
            assert prog.test_run(packet).retval == expected(length), length
            if function is called:
                assert VM(spec).run(data=packet).retval == expected(length)


def hundred_rounds(ctx):
    """So few that the verifier could walk them, but for the callback, for which it keeps too few states."""
    total = Sum()
    for i in range(100):
        eight.for_each(mix, total)
        if total.large == 9999:
            return u32(i)
    return total.large


@pytest.mark.kernel
def test_a_callback_in_a_short_loop():
    with load(xdp(hundred_rounds)) as prog:
        assert prog.test_run(bytes(64)).retval == grown(800, lambda n: n & 64 == 0 or n > 900)
