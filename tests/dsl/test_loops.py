"""Long counting loops: the kernel accepts them, and they take exactly the rounds that Python takes."""

from __future__ import annotations

import pytest

from pybpf import Array, CompileError, Global, bounded, load, load_collection, u64, xdp

total = Global(u64)
table = Array(u64, max_entries=1000)
MASK = (1 << 64) - 1


@xdp
def independent(ctx):
    for _ in range(200000):
        total.value += 1
    return 2


@xdp
def mixing(ctx):
    n = u64(0)
    for i in range(120000):
        n += i * 3 ^ n
    total.value = n
    return 2


@xdp
def nested(ctx):
    n = u64(0)
    for i in range(1000):
        for j in range(1000):
            n += i ^ j
    total.value = n
    return 2


@xdp
def leaving(ctx):
    n = u64(0)
    for i in range(3, 300000, 7):
        if i == 30002:
            continue
        if i > 250000:
            n += 1000000
            break
        n += 1
    else:
        n += 5
    total.value = n
    return 2


@xdp
def ending(ctx):
    n = u64(0)
    for i in range(bounded(len(ctx) * 10000, max=100000)):
        n += i & 7
    else:
        n += 1
    total.value = n
    return 2


@xdp
def indexing(ctx):
    for i in range(100000):
        table[i % 1000] += 1
        total.value += 1
    return 2


def expected_mixing():
    n = 0
    for i in range(120000):
        n = n + (i * 3 ^ n) & MASK
    return n


EXPECTED = [
    (independent, lambda: 200000),
    (mixing, expected_mixing),
    (nested, lambda: sum(i ^ j for i in range(1000) for j in range(1000))),
    (leaving, lambda: len([i for i in range(3, 250001, 7) if i != 30002]) + 1000000),
    (ending, lambda: sum(i & 7 for i in range(100000)) + 1),
    (indexing, lambda: 100000),
]


@pytest.mark.kernel
@pytest.mark.parametrize(("program", "rounds"), EXPECTED, ids=[p.name for p, _ in EXPECTED])
def test_rounds(program, rounds):
    with load_collection(program) as objs:
        assert objs[program].test_run(bytes(64)).retval == 2
        assert objs[total][0] == rounds()


def test_the_counter_is_tested_behind_may_goto():
    lines = [line.strip() for line in independent.disassemble().splitlines()]
    at = next(i for i, line in enumerate(lines) if line.startswith("may_goto"))
    assert lines[at - 3 : at - 1] == ["r0 = r10", "r0 -= r10"]
    assert lines[at + 1].startswith("if r0 < 200000")


def test_older_kernels_are_told_of_the_next():
    @xdp(kernel="5.15")
    def long(ctx):
        for _ in range(400000):
            total.value += 1
        return 2

    with pytest.raises(CompileError, match=r"compile for Linux 5\.17"):
        long.insns  # noqa: B018


def test_more_rounds_than_may_goto_has_are_refused():
    @xdp
    def endless(ctx):
        for _ in range(10_000_000):
            total.value += 1
        return 2

    with pytest.raises(CompileError, match="8388608 rounds"):
        endless.insns  # noqa: B018


BODIES = {
    "sum": "n += i",
    "test": "if n & 64:\n        n += 3\n    else:\n        n ^= i",
    "map": "table[i % 1000] += 1",
    "leave": "n += 1\n    if n & 0x1ff == 0x133:\n        break",
}
HEADS = {
    "range": "for i in range({k}):",
    "bounded": "for i in range(bounded(len(ctx) * {k}, max={k})):",
    "while": "i = 0\n  while i < {k}:\n    i += 1",
}


@pytest.mark.kernel
@pytest.mark.parametrize("kernel", ["5.10", "5.17", "6.9"])
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("body", BODIES)
def test_any_number_of_rounds_is_accepted_or_refused_with_advice(kernel, head, body):
    for rounds in (10, 1000, 100_000, 1 << 20):
        text = (
            f"def f(ctx):\n  n = u64(len(ctx))\n  {HEADS[head].format(k=rounds)}\n    {BODIES[body]}\n  return n & 3\n"
        )
        scope = dict(globals())
        exec(compile(text, "<snippet>", "exec"), scope)
        program = xdp(scope["f"], source=text, kernel=kernel)
        if kernel == "5.10" and rounds >= 100_000 and not (body == "sum" and rounds == 100_000):
            with pytest.raises(CompileError, match=r"compile for Linux 5\.17"):
                _ = program.insns
            continue
        with load(program):
            pass
