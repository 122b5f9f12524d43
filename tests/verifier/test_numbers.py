"""Numbers: every transfer function keeps every concrete result, exhaustively on small ones and by search on wide ones."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybpf.asm.opcodes import Alu, Jmp
from pybpf.verifier.numbers import arith, compare, num, tnum
from pybpf.verifier.numbers.num import Num

OPS = [op for op in arith._WIDE if op not in arith._SHIFTS]
SHIFTS = sorted(arith._SHIFTS)
SMALL = [(v, m) for m in range(16) for v in range(16) if not v & m]


def members(t):
    return [x for x in range(64) if tnum.contains(t, x)]


@pytest.mark.parametrize(
    ("function", "concrete"),
    [
        (tnum.add, lambda a, b: a + b),
        (tnum.sub, lambda a, b: a - b),
        (tnum.mul, lambda a, b: a * b),
        (tnum.bit_and, lambda a, b: a & b),
        (tnum.bit_or, lambda a, b: a | b),
        (tnum.bit_xor, lambda a, b: a ^ b),
    ],
)
def test_tnum_operations_are_sound(function, concrete):
    """All tnums of 4 bits, all members."""
    for a, b in itertools.product(SMALL, SMALL):
        result = function(a, b)
        assert not result[0] & result[1]
        for x, y in itertools.product(members(a), members(b)):
            assert tnum.contains(result, concrete(x, y) & tnum.U64), (a, b, x, y, result)


@pytest.mark.parametrize("function", [tnum.bit_and, tnum.bit_or, tnum.bit_xor, tnum.union])
def test_bitwise_tnums_are_exact(function):
    """No smaller tnum holds all results: each unknown bit takes both values."""
    concrete = {
        tnum.bit_and: lambda x, y: [x & y],
        tnum.bit_or: lambda x, y: [x | y],
        tnum.bit_xor: lambda x, y: [x ^ y],
        tnum.union: lambda x, y: [x, y],
    }[function]
    for a, b in itertools.product(SMALL, SMALL):
        results = {z for x, y in itertools.product(members(a), members(b)) for z in concrete(x, y)}
        value, mask = function(a, b)
        always = 63
        for z in results:
            always &= ~(z ^ min(results))
        assert mask & 63 == ~always & 63, (a, b)
        assert value == min(results) & ~mask


def test_tnum_relations():
    for a, b in itertools.product(SMALL, SMALL):
        ours, theirs = set(members(a)), set(members(b))
        assert tnum.within(a, b) == (theirs <= ours)
        assert tnum.overlap(a, b) == bool(ours & theirs)
        if ours & theirs:
            assert set(members(tnum.intersect(a, b))) == ours & theirs
        assert ours | theirs <= set(members(tnum.union(a, b)))


@pytest.mark.parametrize("low", range(0, 40, 3))
def test_tnum_of_range(low):
    for high in range(low, 41):
        found = tnum.from_range(low, high)
        assert all(tnum.contains(found, x) for x in range(low, high + 1))


EDGES = [0, 1, 2, 7, 8, 255, 256, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]
words = st.one_of(
    st.sampled_from(EDGES), st.integers(0, (1 << 64) - 1), st.integers(0, 255), st.integers(0, (1 << 32) - 1)
)


@st.composite
def numbers(draw):
    """A number and one of its members."""
    x = draw(words)
    known = Num(0, tnum.U64, *num.UNBOUNDED)
    for kind in draw(st.lists(st.sampled_from(["bits", "u64", "s64", "u32", "s32"]), max_size=3)):
        y = draw(words)
        if kind == "bits":
            known = known._replace(
                value=x & ~y & ~known.mask | x & ~y & known.mask | known.value & ~known.mask & ~y, mask=y & known.mask
            )
            known = known._replace(value=x & ~known.mask)
        elif kind == "u64":
            known = known._replace(umin=max(known.umin, min(x, y)), umax=min(known.umax, max(x, y)))
        elif kind == "s64":
            a, b = sorted((num.s64(x), num.s64(y)))
            known = known._replace(smin=max(known.smin, a), smax=min(known.smax, b))
        elif kind == "u32":
            a, b = sorted((x & tnum.U32, y & tnum.U32))
            known = known._replace(umin32=max(known.umin32, a), umax32=min(known.umax32, b))
        else:
            a, b = sorted((num.s32(x), num.s32(y)))
            known = known._replace(smin32=max(known.smin32, a), smax32=min(known.smax32, b))
    return num.sync(known), x


@settings(max_examples=300, deadline=None)
@given(numbers())
def test_sync_keeps_members(a):
    known, x = a
    assert known.holds(x)
    assert not num.contradicts(known)
    assert not known.value & known.mask


@settings(max_examples=500, deadline=None)
@given(numbers(), numbers(), st.sampled_from(OPS), st.booleans())
def test_arithmetic_keeps_results(a, b, op, wide):
    (known, x), (other, y) = a, b
    result = arith.apply(op, wide, known, other)
    assert result.holds(arith.concrete(op, wide, x, y)), (Alu(op), wide)


@settings(max_examples=300, deadline=None)
@given(numbers(), st.integers(0, 63), st.sampled_from(SHIFTS), st.booleans())
def test_shifts_keep_results(a, count, op, wide):
    known, x = a
    result = arith.apply(op, wide, known, num.const(count if wide else count & 31))
    assert result.holds(arith.concrete(op, wide, x, count if wide else count & 31))


@settings(max_examples=300, deadline=None)
@given(numbers(), st.sampled_from([1, 2, 4]))
def test_extensions_keep_results(a, size):
    known, x = a
    bits = size * 8
    low = x & (1 << bits) - 1
    assert num.truncate(known, size).holds(low)
    signed = low - (1 << bits) if low >> bits - 1 else low
    assert num.sign_extend(known, size).holds(signed & tnum.U64)
    if size < 4:
        assert num.sign_extend32(known, size).holds(signed & tnum.U32)
    swapped = int.from_bytes(low.to_bytes(size, "little"), "big")
    assert num.byte_swap(known, size).holds(swapped)


@settings(max_examples=500, deadline=None)
@given(numbers(), numbers(), st.sampled_from(sorted(compare.INVERSE)), st.booleans())
def test_branches_keep_members(a, b, op, wide):
    (known, x), (other, y) = a, b
    holds = compare.concrete(op, wide, x, y)
    decided = compare.outcome(op, wide, known, other)
    assert decided is None or decided == holds, Jmp(op)
    left, right = compare.refine(op if holds else compare.INVERSE[op], wide, known, other)
    assert left.holds(x)
    assert right.holds(y)


def test_refinement_narrows():
    """What a comparison with a constant teaches."""
    yes, _ = compare.refine(Jmp.JLT, True, num.UNKNOWN, num.const(10))
    assert (yes.umin, yes.umax, yes.smin, yes.smax) == (0, 9, 0, 9)
    no, _ = compare.refine(Jmp.JGE, True, num.UNKNOWN, num.const(10))
    assert (no.umin, no.umax) == (10, tnum.U64)
    equal, _ = compare.refine(Jmp.JEQ, True, num.UNKNOWN, num.const(-3))
    assert equal == num.const(-3)
    odd, _ = compare.refine(Jmp.JSET, True, num.UNKNOWN, num.const(1))
    assert odd.tnum == (1, tnum.U64 - 1)


def test_text_is_the_kernels():
    assert num.text(num.unsigned_load(1)) == "smin=smin32=0,smax=umax=smax32=umax32=255,var_off=(0x0; 0xff)"
    assert num.text(num.const(-5)) == "-5"
    assert num.text(num.UNKNOWN) == ""
