"""Callbacks that the verifier walks once (before Linux 6.7): it must not know what a round finds, nor what it leaves."""

from __future__ import annotations

import os

import pytest

from pybpf import VM, Struct, load, u8, u32, u64, xdp
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


def expected_steps(length):
    whole, rest = divmod(length * 2000, 3)
    return 7 * whole + 2 * (rest == 2)


RUNNING = tuple(int(part) for part in os.uname().release.split(".")[:2])
CASES = [
    (no_rounds, lambda n: 0 if n & 1 else 2),
    (steps, expected_steps),
    (called, lambda n: 100 if n & 7 < 3 else 10 + (n & 7)),
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
