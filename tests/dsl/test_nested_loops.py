"""Loops in loops: the kernel takes them, whatever the inner one lets its verifier forget, and their numbers settle."""

from __future__ import annotations

import pytest

from pybpf import VM, HashMap, Struct, bounded, load, subprogram, u8, u16, u32, u64, verify, xdp
from pybpf import helpers as bpf

counts = HashMap(u32, u64, max_entries=8)
PACKET = bytes(range(1, 65))


def around_may_goto(ctx):
    """The verifier forgets at the inner loop's may_goto how often the outer one runs."""
    total = u32(0)
    for i in range(len(ctx) & 7):
        counts[i] += 1
        n = u32(len(ctx) & 3) + 2
        while n > 0:
            n = u32(n - 1)
            counts[u32(n) & 7] += 1
            total = u32(total + 1)
        if u32(len(ctx) - i) & 2 != 0:
            continue
        counts[5] += 1
    return total & 3


def rounds_multiply(ctx):
    """169 rounds that change a map, on each of the ways that lead here."""
    e = u32(len(ctx))
    for i in range(2, 40, 3):
        for j in range(2, 40, 3):
            if u32(e ^ i) & 2 != 0:
                counts[u32(e >> 4) & 7] += 1
            counts[u32(j) & 7] += 1
    return e & 3


def undone(ctx):
    """One way out of a round gives `g` a narrow number, another leaves it alone."""
    g = u8(len(ctx))
    for i in range(2000, -1, -1):
        if u32(len(ctx) + i) & 512 != 0:
            continue
        if u32(i) == 100:
            break
        g = u8(g + 3)
    return u32(g) & 3


def partly_known(ctx):
    """The verifier knows a bit more of `total` behind each test, and `flag` is 0 or 1: too many states."""
    total = u64(len(ctx))
    flag = u32(0)
    for i in range(len(ctx) & 7):
        for j in range(bounded(len(ctx) * 3, max=100)):
            if u64(total ^ j) & 3 == 2:
                total += 1
                continue
            total += 2
            if total & 32:
                flag = u32(1)
        if flag == 1:
            flag = u32(0)
            total += i
        elif total & 2 == 0:
            total += 7
    return u32(total) & 3


def bound_of_another(ctx):
    """The bound of the innermost loop is made outside of loops in which the verifier widens it."""
    total = u64(len(ctx))
    for _ in range(len(ctx) & 3):
        for _ in range(60):
            for _ in range(len(ctx) & 31):
                counts[u32(total) & 7] += 1
                total += 1
            if total & 2 == 0:
                total += 7
    return u32(total) & 3


def index_of_another(ctx):
    """So is an index, which one way through a round tests, and another uses."""
    k = len(ctx) & 7
    row = u64[8]()
    n = u64(len(ctx))
    for _ in range(len(ctx) & 3):
        m = n
        while m != 1:
            m = m * 3 + 1 if m & 1 else m // 2
            if k > 3:
                n += 1
            else:
                row[k] += 1
                n += row[k]
    return u32(n) & 3


@subprogram
def long(n: u64):
    total = n
    for i in range(70000):
        if total & 8:
            total += i
    return total


def around_a_call(ctx):
    total = u64(len(ctx))
    for i in range(len(ctx) & 3):
        total += long(total + i)
        if total & 64:
            total ^= 5
    return u32(total) & 3


class Head(Struct):
    n: u32


class Place(Struct):
    n: u64
    at: u8


def behind_another(ctx):
    """At the gate of the inner loop the verifier forgets what the outer one has shown of its counter."""
    head = ctx.packet(Head)
    if head is None:
        return 1
    mask, last = head.n, 1
    row = u32[8]()
    place = Place(n=1)
    for i in range(3000):
        n = row[6]
        while n:
            if n & 1:
                counts[1] += 1
            if n & 2:
                counts[2] += 1
            row[place.at & 7] = u32(~i & mask)
        if row[5]:
            continue
        if ctx.packet(Head, at=i) is not None:
            last = 2
    return last


def literal_and_narrow(ctx):
    """A literal before a loop, and in it numbers of 16 bits, on some ways: none is negative."""
    f = 128
    for i in range(40):
        for _ in range(len(ctx) & 31):
            counts[1] += 1
        if len(ctx) + i & 8:
            f = u16(u16(f * i * f) << 3)
        elif len(ctx) & 4:
            f = u16(len(ctx) << i)
    return u32(f < u64(f | f - ~55)) + (f & 2)


def shifted_constant(ctx):
    """The verifier knows nothing of a shift by a number that it does not know."""
    row = u64[8]()
    row[2 >> (len(ctx) & 7)] = 9
    return u32(row[0]) & 3


def bits_tested(ctx):
    """A test of bits makes the verifier forget the interval of what is tested, and of what differs from it by a constant."""
    k = len(ctx) & 7
    row = u64[8]()
    extra = k + 1
    n = 0
    if extra & 8 == 0:
        n = 1
    row[k] = 5
    return u32(row[k] + n) & 3


@pytest.mark.kernel
@pytest.mark.parametrize("kernel", ["5.17", "6.9"])
@pytest.mark.parametrize(
    "function",
    [
        around_may_goto,
        rounds_multiply,
        undone,
        partly_known,
        bound_of_another,
        index_of_another,
        behind_another,
        literal_and_narrow,
        around_a_call,
        shifted_constant,
        bits_tested,
    ],
    ids=lambda f: f.__name__,
)
def test_nested_loops(function, kernel):
    spec = xdp(function, kernel=kernel)
    report = verify(spec)
    assert report.ok, report
    for length in (60, 61, 63):
        with load(spec) as prog:
            vm = VM(spec)
            packet = PACKET[:length]
            assert vm.run(data=packet).retval == prog.test_run(packet).retval
            if spec.maps:
                assert dict(vm[counts].items()) == dict(prog[counts].items())


class Total(Struct):
    n: u64


def add(i, total):
    total.n += 1


def nothing(i, total):
    return 0


@pytest.mark.kernel
def test_a_loop_of_no_rounds_is_no_call():
    @xdp
    def program(ctx):
        total = Total()
        bpf.loop(3, add, total)
        return u32(bpf.loop(0, nothing, None) + u32(total.n)) & 3

    with load(program) as prog:
        assert prog.test_run(PACKET).retval == VM(program).run(data=PACKET).retval == 3
