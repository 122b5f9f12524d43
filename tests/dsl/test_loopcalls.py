"""Long loops compiled for kernels between 5.17 and 6.8: their bodies are callbacks of bpf_loop, and mean the same."""

from __future__ import annotations

import pytest

from pybpf import (
    VM,
    Array,
    CompileError,
    HashMap,
    Struct,
    XdpAction,
    bounded,
    load,
    s64,
    sched_cls,
    sk_lookup,
    u8,
    u32,
    u64,
    verify,
    xdp,
)
from pybpf import helpers as bpf
from pybpf.net import Ethernet
from pybpf.uapi import bpf_sk_lookup

table = HashMap(u32, u64, max_entries=1024)
cells = Array(u64, max_entries=4)
PACKET = bytes(range(64))


class Pair(Struct):
    a: u64
    b: u32


def collatz(ctx):
    x = len(ctx) * 7919 + 1
    n = 0
    while x != 1 and n < 10000:
        if x & 1:
            x = x * 3 + 1
        else:
            x = x // 2
        n += 1
    return n


def counted(ctx):
    total = 0
    for i in range(bounded(len(ctx) * 1000, max=500000)):
        total += i & 7
    return u32(total)


def broken(ctx):
    n = len(ctx)
    total = 0
    for i in range(300000):
        if i % 3 == 1:
            continue
        total += 1
        if i > n * 1000:
            break
    else:
        total = 7
    return u32(total)


def completed(ctx):
    total = len(ctx)
    for i in range(70000, 0, -1):
        if i == total * 5000:
            break
        total = total ^ (i & 1)
    else:
        total += 1000
    return u32(total)


def left_by_return(ctx):
    n = len(ctx)
    for i in range(200000):
        if i * i > n * 100000:
            return XdpAction.DROP
        if i > 150000:
            return XdpAction.PASS
    return XdpAction.TX


def returned_number(ctx):
    n = len(ctx)
    for i in range(200000):
        if i * 3 > n * 1000:
            return u32(i)
    return 9


def nested(ctx):
    n = len(ctx)
    total = 0
    for i in range(100):
        for j in range(200):
            if i ^ j & 3:
                total += 1
            if i > j:
                total += 2
            if (i & j) == n - 59:
                total += 3
    return total


def widened(ctx):
    n = 0
    steps = 0
    while n < 1 << 40:
        n = n * 3 + len(ctx)
        steps += 1
        if steps > 100000:
            return 1
    return steps


def inlined(ctx):
    return search(len(ctx)) + search(20)


def search(n):
    for i in range(100000):
        if i * i >= n:
            return i
    return 0


def narrow(ctx):
    """What rounds leave in a few numbers is an index in the loop and behind it."""
    n = len(ctx)
    rows = u32[8]()
    at = 0
    last = 0
    turn = s64(0)
    for i in range(100000):
        rows[at] += 1
        if i & 3 == 1:
            at = (at * 5 + i) & 7
            turn = 3 - s64(at)
        rows[turn + 4] += 2
        if i > n * 1000:
            last = at
            break
    return rows[last] * 8 + rows[at]


def narrow_in_nested(ctx):
    """What the inner of three loops leaves in a few numbers is an index in the loops around it."""
    rows = u32[8]()
    x = 0
    y = 1
    total = 0
    for i in range(30):
        for j in range(40):
            for k in range(50):
                rows[x] += 1
                if k & 3 == j & 1:
                    x = (x * 5 + k) & 7
                if total > 1 << 40:
                    return y
                total += k * len(ctx)
            y = x ^ 3
            rows[y & 7] += 1
        rows[x] += i
    return rows[x] + rows[y & 7]


PLAIN = [
    collatz,
    counted,
    broken,
    completed,
    left_by_return,
    returned_number,
    nested,
    widened,
    inlined,
    narrow,
    narrow_in_nested,
]


class Fake:
    def __len__(self):
        return 64


@pytest.mark.kernel
@pytest.mark.parametrize("kernel", ["6.1", "6.6", "6.12"])
@pytest.mark.parametrize("function", PLAIN, ids=lambda f: f.__name__)
def test_loops_mean_what_python_means(function, kernel):
    expected = function(Fake()) & 0xFFFFFFFF
    for isa in (2, 4 if kernel == "6.12" else 3):
        spec = xdp(kernel=kernel, isa=isa)(function)
        text = spec.disassemble()
        ways = [name for name in ("call bpf_loop", "bpf_iter_num_next", "may_goto") if name in text]
        assert ways == [{"6.1": "call bpf_loop", "6.6": "bpf_iter_num_next", "6.12": "may_goto"}[kernel]]
        if kernel != "6.12" and isa == 3:
            assert verify(spec).ok
        with load(spec) as prog:
            assert prog.test_run(data=PACKET).retval == expected
        if function in (collatz, nested, widened, inlined):
            assert VM(spec).run(data=PACKET).retval == expected


@xdp(kernel="6.1")
def captures(ctx):
    """References to a map value, the packet and the stack, the context, and a map: all are seen in the loop."""
    eth = ctx.packet(Ethernet)
    if eth is None:
        return 1
    cells[2] = 5
    cell = cells.get(2)
    if cell is None:
        return 2
    pair = Pair(a=1)
    rows = u32[4]()
    i = u64(0)
    while i < len(ctx) * 2000:
        rows[i & 3] += 1
        pair.a += eth.src[i % 6] + eth.dst[1]
        pair.b = u32(i)
        cell += 1
        table[u32(i & 15)] += 1
        eth.dst[2] = u8(i)
        if ctx.rx_queue_index > 77:
            break
        i += 1
    view = ctx.packet(Ethernet)
    if view is None:
        return 3
    return rows[1] + pair.b + u32(cell.value) + u32(table[3]) + view.dst[2]


@pytest.mark.kernel
@pytest.mark.parametrize("isa", [1])
def test_what_a_loop_may_use(isa):
    spec = captures.replace(isa=isa)
    expected = 32000 + 127999 + 5 + 128000 + 8000 + (127999 & 255)
    assert verify(spec).ok
    assert VM(spec, budget=1 << 24).run(data=PACKET).retval == expected
    with load(spec) as prog:
        assert prog.test_run(data=PACKET).retval == expected


@sk_lookup
def in_range(ctx):
    """A program of this type returns 0 or 1, and that is what rounds give."""
    for i in range(200000):
        if i * 3 > ctx.local_port * 1000:
            return i & 1
    return 1


@pytest.mark.kernel
@pytest.mark.parametrize("kernel", ["6.1", "6.6", "6.12"])
def test_what_a_round_returns_is_in_range(kernel):
    spec = in_range.replace(kernel=kernel)
    assert verify(spec).ok
    with load(spec) as prog:
        for port in (3, 6, 9):
            given = bpf_sk_lookup(family=2, protocol=6, local_port=port)
            assert prog.test_run(ctx=given).retval == (port * 1000 // 3 + 1) & 1


@sched_cls(kernel="6.1")
def in_a_loop(skb):
    """A short loop around a long one, whose variables are found by trying."""
    total = 0
    for begin in range(20):
        n = begin
        while n < skb.len * 1000:
            n = n * 2 + 1
            if bpf.get_prandom_u32() == 0 and n == 0:
                return 5
        total += n & 0xFF
    return total & 0xFFFF


@pytest.mark.kernel
def test_a_loop_in_a_loop():
    def value(n):
        while n < 64000:
            n = n * 2 + 1
        return n & 0xFF

    expected = sum(map(value, range(20)))
    with load(in_a_loop) as prog:
        assert prog.test_run(data=PACKET).retval == expected


@pytest.mark.parametrize(
    ("kernel", "body", "told"),
    [
        ("5.15", "t = 0\nfor i in range(700000):\n    t += 1\nreturn t & 1", "compile for Linux 5.17"),
        ("5.15", "t = 0\nfor i in range(bounded(len(ctx), max=700000)):\n    t += 1\nreturn t & 1", "Linux 5.17"),
        ("6.1", "for i in range(9 << 20):\n    if i == len(ctx):\n        return 1\nreturn 0", "rounds at most"),
        ("6.1", "for i in range(99999):\n    x = i\nreturn x & 1", "x is not a number when this loop begins"),
        (
            "6.1",
            "c = cells.get(1)\nwhile len(ctx) > bpf.get_prandom_u32():\n    c += 1\nreturn 0",
            "test or read it before the loop",
        ),
    ],
)
def test_refusals(kernel, body, told):
    text = "def f(ctx):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    scope = dict(globals())
    exec(compile(text, "<snippet>", "exec"), scope)
    with pytest.raises(CompileError) as caught:
        _ = xdp(source=text, kernel=kernel)(scope["f"]).insns
    assert told in caught.value.message
