"""Programs ask Bloom filters of values that lie on the stack: Linux 7.2 takes these for overwritten by the question."""

from __future__ import annotations

import os

import pytest

from pybpf import VM, BloomFilter, NotSupportedError, Struct, bounded, load, subprogram, tc, u8, u32, u64
from pybpf import helpers as bpf


class Key(Struct):
    a: u32
    b: u32
    c: u64


class Held(Struct):
    key: Key
    n: u32


small = BloomFilter(u8, max_entries=100)
keys = BloomFilter(Key, max_entries=100)


def number(skb):
    x = u8(skb.len & 255)
    small.add(x)
    n = u32(0)
    for _ in range(20):
        if x in small:
            n += 1
    return n


def branch_between(skb):
    key = Key()
    key.a = skb.len
    if skb.mark == 5:
        key.c = 4
    if key in keys:
        return 2
    return key.a & 1


def asked_twice(skb):
    key = Key()
    key.a = skb.len
    keys.add(key)
    if key in keys:
        key.b = 8
        return 3 if key in keys else 4
    return 5


def in_rounds(skb):
    key = Key()
    n = u32(0)
    for i in range(bounded(skb.len, max=100_000)):
        key.b = u32(i & 3)
        if i == 2:
            keys.add(key)
        if key in keys and skb.mark != 3:
            n += 1
    return n


@subprogram
def has(key: Key) -> u32:
    return u32(1) if key in keys else u32(0)


def in_function(skb):
    key = Key()
    keys.add(key)
    if skb.mark == 3:
        key.b = 1
    return has(key) + has(key)


def each(index, held):
    if held.key in keys:
        held.n += 1
    return 0


def in_callback(skb):
    held = Held()
    keys.add(held.key)
    bpf.loop(5, each, held, 0)
    return held.n


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("function", "expected"),
    [(number, 20), (branch_between, 0), (asked_twice, 4), (in_rounds, 15), (in_function, 2), (in_callback, 5)],
)
def test_programs(function, expected):
    running = tuple(map(int, os.uname().release.split(".")[:2]))
    program = tc(function, kernel=None if running >= (6, 9) else "6.1")  # long loops have may_goto from 6.9 on
    assert VM(program).run(data=bytes(60)).retval == expected
    try:
        with load(program) as live:
            assert live.test_run(bytes(60)).retval == expected
    except NotSupportedError as error:
        pytest.skip(str(error))
