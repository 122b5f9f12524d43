"""What the verifier must know, or must not be told, of registers and stack where rounds of long loops begin, and behind tests."""

from __future__ import annotations

import re

import pytest

from pybpf import VM, HashMap, RingBuf, Struct, load, u8, u32, u64, unroll, xdp

pytestmark = pytest.mark.kernel


class Numbers(Struct):
    small: u8
    many: u8[4]
    wide: u32
    rest: u64


counts = HashMap(u32, u64, max_entries=8)
sums = HashMap(u64, u64, max_entries=8)
events = RingBuf(Numbers, size=1 << 16)


def leftovers(ctx):
    """Each test leaves something on the stack and in registers that nobody reads in the next round."""
    n = ctx.packet(Numbers)
    if n is None:
        return 0
    hits = u64(0)
    for _ in range(500):
        for k in unroll(range(7)):
            if n.many[k & 3] > k:
                sums[u64(k)] += k
            if n.wide > k + 7:
                made = Numbers(small=k, rest=k)
                counts[k] += made.rest + made.small
                hits += n.wide
    return u32(hits)


def few(ctx):
    """So few tests that the verifier comes to an end anyway."""
    n = ctx.packet(Numbers)
    if n is None:
        return 0
    hits = u64(0)
    for i in range(500):
        if n.small == i and n.wide != i:
            sums[u64(i)] += i
            hits += 1
    return u32(hits)


def kept(ctx):
    """What stands on the stack, and is not dead: a structure made before the loop, and a key made in a round for the next."""
    n = ctx.packet(Numbers)
    if n is None:
        return 0
    made = Numbers(small=3)
    for _ in range(300):
        for k in unroll(range(7)):
            if n.many[k & 3] > made.many[k & 3]:
                made.rest += k
                sums[made.rest & 3] += 1
            if made.rest > 77:
                made.small = u8(made.rest)
                made.wide = 5
    return u32(made.rest + made.small + made.wide)


def copies(ctx):
    """Each round of the short loop makes what no other needs."""
    n = ctx.packet(Numbers)
    if n is None:
        return 0
    hits = u32(0)
    for _ in range(300):
        for k in unroll(range(10)):
            if n.many[k & 3] > k:
                events.output(Numbers(small=k, rest=n.wide))
            hits += n.small
    return hits


HEAD = """\
    r3 = 0
    r4 = 0
    r5 = 0
    *(u64 *)(r10 - 24) = 0
    *(u64 *)(r10 - 16) = 0
    *(u64 *)(r10 - 8) = 0
    r2 = r10
    r2 -= r10
    r7 = r0
    r7 += r2
    r8 = r1
    r8 += r2
    may_goto .L0_4
"""


def head(text):
    """From the label of the first loop to its gate."""
    lines = [line for line in text.splitlines() if not line.startswith("    ;")]
    start = lines.index(".L0_2:") + 1
    end = next(i for i in range(start, len(lines)) if "may_goto" in lines[i])
    return "\n".join(lines[start : end + 1]) + "\n"


def test_leftovers_are_cleared():
    assert head(xdp(leftovers).disassemble()) == HEAD
    assert " = 0" not in head(xdp(few).disassemble())


def test_copies_of_a_round_share_the_stack():
    """Else what each has left, or not, would tell 2 ** 10 ways through a round apart."""
    assert max(int(off) for off in re.findall(r"r10 - (\d+)", xdp(copies).disassemble())) == 24


PACKETS = [bytes([1, 0, 9, 3, 200, 0, 0, 0, 77, 0, 0, 0]) + bytes(50), bytes([3]) + bytes(61), bytes([255]) * 62]


@pytest.mark.parametrize("function", [leftovers, few, kept, copies])
@pytest.mark.parametrize("kernel", ["5.17", "6.4", None])
def test_nothing_else_changes(function, kernel):
    """As the kernel runs the program, and as the machine does; the oldest target has neither gates nor anything to clear."""
    spec, plain = xdp(function, kernel=kernel), xdp(function, kernel="5.17")
    with load(spec) as prog:
        for packet in PACKETS:
            expected = VM(plain).run(data=packet).retval
            assert prog.test_run(packet).retval == expected
            assert VM(spec).run(data=packet).retval == expected


def offsets(ctx):
    """Two of these are tested in registers that were loaded for it: their places on the stack are to be known, too."""
    n = ctx.packet(Numbers)
    if n is None:
        return 0
    a, b, d, e, f = n.wide >> 1, n.wide >> 2, n.wide >> 3, n.wide >> 4, n.wide >> 5
    if a > 30 or b > 30 or d > 30 or e > 30 or f > 30:
        return 1
    counts[1] += 1
    hits = u32(2)
    for at in (a, b, d, e, f):
        view = ctx.packet(Numbers, at=at)
        if view is not None:
            hits += view.small
    return hits


def test_what_a_test_shows_of_a_spilled_number():
    """Before Linux 6.8 the verifier did not know that a spilled number and what was loaded from its place are the same."""
    spec = xdp(offsets, kernel="5.10")
    lines = [line.strip() for line in spec.disassemble().splitlines() if ";" not in line]
    tests = [i for i, line in enumerate(lines) if " > 30 " in line and " = *(u64 *)(r10" in lines[i - 1]]
    assert tests
    for i in tests:
        register, place = lines[i - 1].split(" = ")
        assert lines[i + 1] == f"{place} = {register}"
    with load(spec) as prog:
        assert prog.test_run(bytes([1]) + bytes(61)).retval == 7
