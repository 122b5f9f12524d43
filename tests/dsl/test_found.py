"""What random programs found, made small: each runs in the kernel and gives what Python gives."""

from __future__ import annotations

import ctypes

import pytest

import pybpf
from pybpf import VM, HashMap, PerCpuArray, Struct, load, s64, u8, u32, u64
from pybpf import helpers as bpf

pytestmark = pytest.mark.kernel


class Numbers(Struct):
    small: u8
    many: u8[4]
    wide: u32
    rest: u64


counts = HashMap(u32, u64, max_entries=8)
local = PerCpuArray(u64, max_entries=2)


def least(ctx):
    """The absolute of the least s8 is one more than the greatest."""
    n = ctx.packet(Numbers)
    if n is None:
        return 0
    return 1 if abs(pybpf.s8(n.small + 127)) == 128 and pybpf.s8(abs(pybpf.s8(n.small + 127))) == -128 else 2


def index_in_a_frame(ctx):
    """A number is added to the pointer to a stack, not the pointer to the number: the verifier then takes it for one to
    the stack of the caller, where a pointer is kept."""
    n = ctx.packet(Numbers)
    if n is None:
        return 0
    counts[n.small] += 1
    got = inner(1)
    return u32(got) + n.small + u8(len(ctx) > 4)


@pybpf.subprogram
def inner(by: u32) -> u64:
    n = Numbers()
    found = n.many[n.small & 3]
    if found != 0:
        n.rest = by
    return n.rest + by


def first_round(ctx):
    """A loop that is left in its first round divides by a number that is 0 by then."""
    for i in range(u8(len(ctx)) & 7):
        local[1] ^= u64(pybpf.smod(s64(5), s64(i)))
        return 5
    return 6


def nothing(i, total):
    return 0


def no_rounds(ctx):
    """What a call that is left out gives says nothing of other zeros."""
    got = Numbers()
    rounds = bpf.loop(0, nothing, got)
    counts[7] += 3
    return u32(counts[6]) + u32(rounds)


def compared(ctx):
    """A u32 is never equal to a negative number, wherever that comes from."""
    n = u32(len(ctx))
    if n == s64(-1) or n == s64(n) - (1 << 40):
        return 1
    return 2 if n != pybpf.s8(-1) else 3


def wandering(ctx):
    """An offset that was compared outside of an inner loop, in which the verifier forgets it."""
    hits = u64(0)
    for i in range(9):
        left = u32(1)
        while left > 0:
            left = u32(left - 1)
            view = ctx.packet(Numbers, at=i)
            if view is not None:
                hits += 1
    return u32(hits)


def read_twice(ctx):
    """The same difference, once with a sign and once without."""
    n = ctx.packet(Numbers)
    if n is None:
        return 0
    exact = -n.small
    wrapped = u64(0) - n.small
    return 1 if exact <= 5 and wrapped > 5 else 2


def unseen_rounds(ctx):
    """Numbers that end loops, and whose bounds the verifier does not follow: what is shifted by one, and what is divided."""
    n = ctx.packet(Numbers)
    if n is None:
        return 0
    left, hits = u32(u32(2) >> (n.small & 31)), 0
    while left > 0:
        left = u32(left - 1)
        if n.many[left & 3] == 0:
            counts[left] += 1
            hits += 1
    rest = u32(u32(n.small & 7) % 10)
    while rest > 0:
        rest = u32(rest - 1)
        counts[4] += 1
        if n.many[rest & 3] == 0:
            hits += 1
    return u32(hits)


class Mixed(Struct):
    """ctypes puts `many` at byte 2, where nothing of 4 bytes is aligned."""

    _fields_ = (
        ("on", ctypes.c_uint8, 1),
        ("level", ctypes.c_uint8, 7),
        ("left", ctypes.c_int16, 5),
        ("right", ctypes.c_int16, 11),
        ("many", ctypes.c_uint32, 20),
    )


def mixed_bits(ctx):
    n = ctx.packet(Numbers)
    if n is None:
        return 0
    made = Mixed(level=n.small & 127, many=0x54321, left=-3, right=-700)
    made.many += n.small
    made.right -= n.small
    return u32(made.many - made.level + made.left + made.right)


def left_alone(ctx):
    """A number that a round may leave as it was is no larger for that."""
    total, by, left = 0, 7, u32(len(ctx)) & 7
    while left > 0:
        left = u32(left - 1)
        if left == 3:
            by = 1
        total = u32(-by * 139 + by)
    return u32(total + 1000)


def exchanged(ctx):
    """Two numbers that change places in each round, known before the loop."""
    one, two, left = 1, 1, u32(len(ctx)) & 7
    while left > 0:
        left = u32(left - 1)
        if left & 1 == 0:
            one, two = two, one
    return u32(-one * 139 + two * 500)


def masked_twice(ctx):
    """Masks that come to the same bit: the second knows that it is one."""
    n = ctx.packet(Numbers)
    if n is None:
        return 0
    x, cells = n.small & 7, u32[2]()
    cells[1] = x & 9
    return cells[x & 9 & 1]


def much_compared(a, b):
    for shift in (1, 2, 3):
        if a >> shift > b:
            counts[shift] += 1
        if b >> shift > a:
            counts[shift] += a
    return a ^ b


def elsewhere_tested(ctx):
    """A short loop with many tests, in a function that it calls."""
    n = ctx.packet(Numbers)
    if n is None:
        return 0
    hits = u64(0)
    for i in range(40):
        hits += much_compared(n.rest + i, hits)
    return u32(hits)


def stored_on_one_way(ctx):
    """What one way stored in the packet, the other has not: it is read again where they meet."""
    n = ctx.packet(Numbers)
    if n is None:
        return 0
    other = n.many[1]
    if ctx.packet(Numbers, at=100) is not None:
        n.small = other
    return u32(n.small + 5)


CASES = [
    (stored_on_one_way, 6),
    (masked_twice, 1),
    (elsewhere_tested, 4294967255),
    (exchanged, 361),
    (unseen_rounds, 2),
    (mixed_bits, 0x54321 + 1 - 1 - 3 - 701),
    (left_alone, 1000 - 138),
    (read_twice, 1),
    (least, 1),
    (index_in_a_frame, 3),
    (first_round, 5),
    (no_rounds, 0),
    (compared, 2),
    (wandering, 9),
]


@pytest.mark.parametrize(("function", "expected"), CASES, ids=[f.__name__ for f, _ in CASES])
@pytest.mark.parametrize("isa", [1, 3, 4])
def test_what_was_found(function, expected, isa):
    spec = pybpf.xdp(function, isa=isa)
    packet = bytes([1]) + bytes(61)
    assert VM(spec).run(data=packet).retval == expected
    with load(spec) as prog:
        assert prog.test_run(packet).retval == expected


def test_tests_of_called_functions_count():
    assert "may_goto" in pybpf.xdp(elsewhere_tested).disassemble()


waiting = pybpf.Queue(u64, max_entries=2)


def errors(ctx):
    """Before Linux 6.4 the functions of maps gave an int, whose sign the upper half of the register lacks."""
    if (
        counts.update(6, 1, 2) < 0
        and counts.delete(6) < 0
        and waiting.push(4) == 0
        and bpf.map_delete_elem(counts, 6) < 0
    ):
        return 1
    return 2


jumps = pybpf.ProgArray(max_entries=2)


def behind_a_jump(ctx):
    n = ctx.packet(Numbers)
    if n is None:
        return 0
    jumps.tail_call(ctx, 1)
    return n.small


def test_views_behind_a_tail_call():
    with load(pybpf.xdp(behind_a_jump)) as prog:
        assert prog.test_run(bytes([3]) + bytes(63)).retval == 3
    with pytest.raises(pybpf.CompileError, match="may have moved"):
        _ = pybpf.xdp(behind_a_jump, kernel="6.12").insns


def test_errors_of_maps_have_a_sign():
    spec = pybpf.xdp(errors, kernel="5.10")
    assert "if w0 s>= 0" in spec.disassemble()
    assert VM(spec).run(data=bytes(64)).retval == 1
    with load(spec) as prog:
        assert prog.test_run(bytes(64)).retval == 1


class Place(Struct):
    row: u32
    column: u32
    first: u64
    second: u64


places = HashMap(Place, u32, max_entries=100)
totals = HashMap(u64, u32, max_entries=100)


def met_by_helpers(skb):
    """Behind `i == 2` the counter is known, and what helpers read on the stack lies there in another way than before."""
    place = Place()
    n = u32(0)
    for i in range(pybpf.bounded(skb.len, max=100_000)):
        place.first = u64(i & 3)
        if i == 2:
            places[place] = 1
        if place in places and skb.mark != 77:
            n += 1
    return n


def met_in_fields(skb):
    place = Place()
    n, m = u32(0), u64(0)
    for i in range(pybpf.bounded(skb.len, max=100_000)):
        if i == 2:
            place.first += i
            place.second = m
            m += place.first
        if m not in totals and skb.mark != 77:
            n += 1
        if i == 20:
            place.second = place.first
            places[place] = n
    return n + u32(place.second)


@pytest.mark.parametrize("kernel", ["6.6", "6.12", None])
@pytest.mark.parametrize(("function", "expected"), [(met_by_helpers, 16), (met_in_fields, 66)])
def test_long_loops_that_meet_a_number(function, expected, kernel):
    spec = pybpf.tc(function, kernel=kernel)
    assert VM(spec).run(data=bytes(64)).retval == expected
    with load(spec) as prog:
        assert prog.test_run(bytes(64)).retval == expected


class Ends(Struct):
    a: u32
    b: u32


class Flow(Struct):
    key: Ends
    count: u64


flow_ring = pybpf.RingBuf(Flow, size=4096)
by_pair = HashMap(Ends, u64, max_entries=8)


def key_in_a_record(ctx):
    flow = flow_ring.reserve()
    if flow is None:
        return 1
    flow.key.a = 5
    flow.key.b = 6
    flow.count = 7
    by_pair[flow.key] = flow.count
    flow.submit()
    return 2


@pytest.mark.parametrize(("kernel", "copies"), [("6.1", 1), ("6.2", 0)])
def test_keys_in_records_are_copied_before_linux_6_2(kernel, copies):
    spec = pybpf.xdp(key_in_a_record, kernel=kernel)
    assert spec.disassemble().count("r0 = *(u64 *)(r6 + 0)") == copies
    with load(spec) as prog:
        assert prog.test_run(bytes(64)).retval == 2
        assert [(k.a, k.b, n) for k, n in prog[by_pair].items()] == [(5, 6, 7)]


class Parts(Struct):
    _fields_ = (("three", ctypes.c_uint8, 3), ("five", ctypes.c_uint8, 5))


def index_from_a_written_bit_field(ctx):
    """What stands in the byte was made by the mask that reading it needs: it is seen to be small, too."""
    p = ctx.packet(Parts)
    if p is None:
        return 0
    p.five = 9
    return (1, 2, 3, 4, 5, 6, 7, 8)[p.three & 7]


def test_an_index_from_a_written_bit_field():
    with load(pybpf.xdp(index_from_a_written_bit_field)) as prog:
        assert prog.test_run(bytes([0xF5]) + bytes(63)).retval == 6


class Outer(Struct):
    numbers: Numbers


@pybpf.subprogram
def one(by: u32) -> u8:
    return 1


def no_rounds_that_only_the_verifier_sees(ctx):
    """The count lies in memory that it knows to be 0: it removes the callback, and then misses it beside other functions."""
    found = one(1)
    outer = Outer()
    numbers = Numbers(wide=1, small=u8(outer.numbers.wide))
    return u32(bpf.loop(numbers.small, nothing, numbers)) + found


def test_no_rounds_that_only_the_verifier_sees():
    spec = pybpf.xdp(no_rounds_that_only_the_verifier_sees)
    with load(spec) as prog:
        assert prog.test_run(bytes(64)).retval == VM(spec).run(data=bytes(64)).retval == 1
