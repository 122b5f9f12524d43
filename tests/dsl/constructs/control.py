"""Control: tests, matches, loops, functions that are inlined or called."""

from __future__ import annotations

from enum import IntEnum

from pybpf import bounded, sched_cls, subprogram, u8, u32, u64, unroll, xdp

from . import Run
from .numbers import A, B


class Mode(IntEnum):
    OFF = 0
    ON = 1


PRIMES = (2, 3, 5, 7)


@sched_cls
def logic(skb):
    if (skb.len > 60 and skb.mark != 0) or not skb.priority:
        return 1
    return 2


@sched_cls
def ladder(skb):
    n = skb.mark
    if n < 10:
        r = 1
    elif n < 20:
        r = 5
    elif n == 77:
        r = skb.priority
    else:
        r = 9
    return r


@sched_cls
def early(skb):
    if skb.mark == 0:
        return 0
    n = skb.mark * 3
    if n > 1000:
        return 1000
    return n


@sched_cls
def conditional(skb):
    n = skb.mark if skb.mark > skb.priority else skb.priority + 1
    return n * 2


@sched_cls
def value_of_or(skb):
    return skb.mark or skb.priority


@sched_cls
def value_of_and(skb):
    return skb.mark and skb.priority


@sched_cls
def named(skb):
    if (n := skb.mark * 2) > 10:
        return n
    return skb.priority


@sched_cls
def counted_tests(skb):
    n = 0
    if skb.mark > 5:
        n += 1
    if skb.priority > 5:
        n += 2
    return n


@sched_cls
def matched(skb):
    match skb.mark:
        case Mode.ON:
            return 1
        case 5 | 6:
            return 2
        case n if n > 100:
            return 3
    return 4


@sched_cls
def matched_values(skb):
    match skb.mark:
        case 0:
            r = 10
        case 1:
            r = skb.priority
        case 2 | 3 | 4:
            r = 30
        case _:
            r = 40
    return r + 1


@sched_cls
def member(skb):
    return 1 if skb.mark in (1, 5, 9) else 2


@sched_cls
def in_range(skb):
    return 1 if skb.mark in range(10, 20) else 2


@sched_cls
def table(skb):
    return PRIMES[skb.mark & 3]


@sched_cls
def while_loop(skb):
    n = skb.mark
    bits = 0
    while n != 0 and bits < 32:
        n >>= 1
        bits += 1
    return bits


@sched_cls
def unrolled(skb):
    total = 0
    for i in range(4):
        total += (skb.mark >> (i * 8)) & 0xFF
    return total


@sched_cls
def copied(skb):
    h = skb.mark
    for _ in unroll(range(3)):
        h ^= h << 13
        h ^= h >> 17
    return h


@sched_cls
def long_loop(skb):
    h = u32(skb.mark)
    for i in range(100):
        h = u32(h * 31 + i)
    return h


@sched_cls
def loop_of_data(skb):
    total = 0
    for i in range(bounded(skb.mark & 0xFF, max=64)):
        total += i & 3
    return u32(total)


@sched_cls
def nested_loops(skb):
    n = 0
    for i in range(12):
        for j in range(12):
            if i * j == skb.mark:
                n += 1
    return n


@sched_cls
def break_and_continue(skb):
    total = 0
    for i in range(40):
        if i & 1:
            continue
        if i > skb.mark:
            break
        total += i
    return u32(total)


@sched_cls
def loop_else(skb):
    for i in range(50):
        if i * i == skb.mark:
            break
    else:
        return 99
    return i


@sched_cls
def over_constants(skb):
    found = 0
    for i, prime in enumerate(PRIMES):
        if skb.mark % prime == 0:
            found |= 1 << i
    return found


@sched_cls
def backwards(skb):
    n = 0
    for i in range(60, 0, -3):
        if skb.mark >= i:
            n += i
    return u32(n)


@sched_cls
def endless(skb):
    n = u64(skb.mark)
    rounds = 0
    while True:
        if n <= 1 or rounds == 100:
            break
        n = n // 2 if n & 1 == 0 else n * 3 + 1
        rounds += 1
    return rounds


@sched_cls
def deleted_name(skb):
    n = skb.mark
    m = n + 1
    del n
    pass  # noqa: PIE790
    return m


def step(n, by=1, *, twice=False):
    """Inlined, with defaults and keywords."""
    if twice:
        return n + by * 2
    return n + by


@sched_cls
def inlined(skb):
    return step(step(skb.mark), 10, twice=True)


def clamp(n):
    if n > 100:
        return 100
    if n < 10:
        return 10
    return n


@sched_cls
def inlined_returns(skb):
    return clamp(skb.mark) + clamp(skb.priority)


@subprogram
def scaled(n: u32) -> u32:
    return n * 3


@sched_cls
def called(skb):
    return scaled(skb.mark) + scaled(skb.priority)


@subprogram
def larger(a: u32, b: u32, c: u32) -> u32:
    return max(a, b, c)


@sched_cls
def called_with_three(skb):
    return larger(skb.mark, skb.priority, 1000)


def make(port: int):
    @xdp(name=f"port_{port}")
    def f(ctx):
        p = ctx.packet(u8, at=port)
        if p is None:
            return 0
        return 1 if p == port * 2 else 2

    return f


specialised = make(14)

_bits = [n.bit_length() for n in (0, 1, A)]


def _loop(h: int) -> int:
    for i in range(100):
        h = (h * 31 + i) & 0xFFFFFFFF
    return h


def _copied(h: int) -> int:
    for _ in range(3):
        h = (h ^ h << 13) & 0xFFFFFFFF
        h ^= h >> 17
    return h


RUNS = {
    "logic": [Run(1, 5, 1), Run(2, 0, 1), Run(1, 0, 0), Run(2, 5, 1, bytes(60))],
    "ladder": [Run(1, 9), Run(5, 10), Run(B, 77, B), Run(9, A)],
    "early": [Run(0), Run(30, 10), Run(1000, 400)],
    "conditional": [Run(10, 5, 4), Run(12, 5, 5)],
    "value_of_or": [Run(5, 5, 7), Run(7, 0, 7)],
    "value_of_and": [Run(7, 5, 7), Run(0, 0, 7)],
    "named": [Run(12, 6, 3), Run(3, 5, 3)],
    "counted_tests": [Run(0), Run(1, 6), Run(2, 0, 6), Run(3, A, B)],
    "matched": [Run(1, 1), Run(2, 5), Run(2, 6), Run(3, 101), Run(4, 100), Run(4, 0)],
    "matched_values": [Run(11), Run(8, 1, 7), Run(31, 3), Run(41, A)],
    "member": [Run(1, 9), Run(2, 8)],
    "in_range": [Run(1, 10), Run(1, 19), Run(2, 20), Run(2, 9)],
    "table": [Run(7, 3), Run(2, 4)],
    "while_loop": [Run(0, 0), Run(1, 1), Run(32, A)],
    "unrolled": [Run(0xDE + 0xAD + 0xBE + 0xEF, A)],
    "copied": [Run(_copied(A), A)],
    "long_loop": [Run(_loop(A), A)],
    "loop_of_data": [Run(0), Run(sum(i & 3 for i in range(9)), 9), Run(sum(i & 3 for i in range(64)), 255)],
    "nested_loops": [Run(23, 0), Run(4, 12), Run(0, 13)],
    "break_and_continue": [Run(0, 0), Run(20, 9), Run(380, A)],
    "loop_else": [Run(7, 49), Run(99, 50)],
    "over_constants": [Run(0b1111, 210), Run(0b0101, 10)],
    "backwards": [Run(0, 2), Run(sum(range(3, 31, 3)), 30), Run(630, A)],
    "endless": [Run(0, 1), Run(8, 6), Run(100, 27)],
    "deleted_name": [Run(6, 5)],
    "inlined": [Run(26, 5)],
    "inlined_returns": [Run(110, 5, A), Run(100, 50, 50)],
    "called": [Run(36, 5, 7)],
    "called_with_three": [Run(1000, 5, 7), Run(A, A, B)],
    "specialised": [Run(2), Run(1, data=bytes(14) + bytes([28]) * 40)],
}
