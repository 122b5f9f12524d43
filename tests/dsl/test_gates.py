"""Long loops compiled for Linux 6.4 to 6.8: an iterator over numbers is their gate, destroyed on every way out."""

from __future__ import annotations

import pytest

from pybpf import (
    VM,
    Array,
    CompileError,
    HashMap,
    ProgArray,
    Struct,
    char,
    kernel_iter,
    load,
    sched_cls,
    socket_filter,
    u32,
    u64,
    verify,
    write_elf,
    xdp,
)
from pybpf import helpers as bpf
from pybpf.elf import open_elf
from pybpf.net import Ethernet

PACKET = bytes(range(64))
cells = Array(u64, max_entries=8)
table = HashMap(u32, u64, max_entries=64)


class Key(Struct):
    name: char[8]


def short(ctx):
    total = 0
    for i in range(100000):
        total += i & 7
        if total == 77:
            break
    return u32(total)


SHORT = """\
    r6 = r10
    r6 -= r10
    r1 = r10
    r1 += -8
    r2 = 0
    r3 = 8388608
    call bpf_iter_num_new#-1
    r0 = 0
.L0_1:
    r1 = r10
    r1 -= r10
    r6 += r1
    r7 = r0
    r7 += r1
    r1 = r10
    r1 += -8
    call bpf_iter_num_next#-1
    if r0 == 0 goto .L0_6
    if r6 >= 100000 goto .L0_6
    r0 = r6
    r0 &= 7
    r0 += r7
    if r0 != 77 goto .L0_5
    r7 = r0
    goto .L0_6
.L0_5:
    r6 += 1
    goto .L0_1
.L0_6:
    r1 = r10
    r1 += -8
    call bpf_iter_num_destroy#-1
    r0 = r7
    exit
"""


def test_the_text_of_a_loop():
    lines = xdp(short, kernel="6.6").disassemble().splitlines()
    assert "\n".join(line for line in lines if not line.startswith("    ;")) + "\n" == SHORT


@pytest.mark.parametrize(
    ("kernel", "licence", "way"),
    [
        ("6.3", "GPL", "call bpf_loop"),
        ("6.4", "GPL", "call bpf_iter_num_next"),
        ("6.4", "Dual MIT/GPL", "call bpf_iter_num_next"),
        ("6.8", "GPL", "call bpf_iter_num_next"),
        ("6.8", "MIT", "call bpf_loop"),  # functions of the kernel are for programs under the GPL
        ("6.9", "GPL", "may_goto"),
        ("6.9", "MIT", "may_goto"),
    ],
)
def test_the_way_depends_on_kernel_and_licence(kernel, licence, way):
    text = socket_filter(short, kernel=kernel, license=licence).disassemble()
    assert [w for w in ("call bpf_loop", "call bpf_iter_num_next", "may_goto") if w in text] == [way]


def left_by_return(ctx):
    n = len(ctx)
    for i in range(200000):
        if i * i > n * 100000:
            return u32(i)
        if i > 150000:
            return 7
    return 9


def left_twice(ctx):
    """Out of the inner loop, and then out of the outer one."""
    found = 0
    for i in range(300):
        for j in range(300):
            if i * j == len(ctx) * 100:
                found = i * 1000 + j
                break
        else:
            continue
        break
    return u32(found)


def returned_through(ctx):
    for i in range(300):
        for j in range(300):
            if i * j == len(ctx) * 100:
                return u32(i * 1000 + j)
    return 1


def search(n):
    for i in range(100000):
        if i * i >= n:
            return i
    return 0


def inlined(ctx):
    return u32(search(len(ctx)) + search(20) * 100)


def three_deep(ctx):
    total = u64(0)
    for i in range(20):
        j = u64(i)
        while j < len(ctx):
            for k in range(u32(len(ctx) - j)):
                if k & j == 1:
                    continue
                total += k ^ i
            j = j * 2 + 1
    return u32(total)


def over_an_array(ctx):
    values = u32[100]()
    total = u32(0)
    for i in range(len(values)):
        values[i] = u32(i * len(ctx))
    for v in values:
        if v & 64:
            total += v
        elif v > 9000:
            break
    return total


def descending(ctx):
    total = u64(0)
    for i in range(u32(len(ctx) * 1000), 3, -7):
        if i & 3 == 1:
            total += i
    return u32(total)


def used_behind(ctx):
    """What a loop without tests has counted is an index behind it."""
    row = u64[8]()
    n = 0
    for _ in range(70000):
        n += 3
    row[n & 7] = 5
    return u32(row[70000 * 3 & 7] + n)


class Packet:
    def __len__(self):
        return 64


ONLY_NUMBERS = [short, left_by_return, left_twice, returned_through, inlined, three_deep, descending]


@pytest.mark.kernel
@pytest.mark.parametrize("kernel", ["6.3", "6.4", "6.8", "6.9"])
@pytest.mark.parametrize("function", [*ONLY_NUMBERS, over_an_array, used_behind], ids=lambda f: f.__name__)
def test_loops_mean_what_python_means(function, kernel):
    expected = {over_an_array: 0, used_behind: 210005}.get(function)
    if function is over_an_array:
        expected = 0
        for v in (i * 64 for i in range(100)):
            if v & 64:
                expected += v
            elif v > 9000:
                break
    if expected is None:
        expected = function(Packet()) & 0xFFFFFFFF
    spec = xdp(function, kernel=kernel)
    report = verify(spec)
    assert report.ok, report
    assert VM(spec).run(data=PACKET).retval == expected
    with load(spec) as prog:
        assert prog.test_run(PACKET).retval == expected


def held(skb):
    """References that a callback of bpf_loop could not be handed: one that must be released, one to the packet."""
    view = skb.packet(u32)
    if view is None:
        return 0
    key = Key()
    sum_ = u64(0)
    cell = cells.get(1)
    if cell is None:
        return 0
    i = u64(0)
    while i < skb.len * 1000:
        table[u32(i & 31)] += 1
        cell += 1
        key.name[i & 7] += 1
        sum_ += view.value & 0xFF
        i += 1
    bpf.ktime_get_ns()
    return u32(sum_ + i)


@pytest.mark.kernel
def test_references_stay():
    spec = sched_cls(held, kernel="6.6")
    assert verify(spec).ok
    vm = VM(spec, budget=1 << 24)
    with load(spec) as prog:
        assert prog.test_run(PACKET).retval == vm.run(data=PACKET).retval == 64000 + 64000 * PACKET[0]
        assert prog[cells][1] == vm[cells][1] == 64000
        assert dict(prog[table].items()) == dict(vm[table].items()) == dict.fromkeys(range(32), 2000)


@pytest.mark.kernel
def test_an_object_file_holds_the_iterator(tmp_path):
    path = tmp_path / "short.o"
    write_elf(path, xdp(short, kernel="6.6"))
    with load(open_elf(path).programs[0]) as prog:
        assert prog.test_run(PACKET).retval == 77


jumps = ProgArray(max_entries=2)


def with_tail_call(skb):
    for i in range(100000):
        if i == skb.len:
            jumps.tail_call(skb, 1)
    return 1


def with_helper(skb):
    for i in range(100000):
        if i == skb.len:
            bpf.tail_call(skb, jumps, 1)
    return 1


def with_iterator(skb):
    for i in kernel_iter("num")(0, 9):
        if i == skb.len:
            jumps.tail_call(skb, 1)
    return 1


@pytest.mark.parametrize(
    ("function", "kernel", "why"),
    [
        (with_tail_call, "6.3", "the body of this loop is a callback before Linux 6.9"),
        (with_helper, "6.3", "the body of this loop is a callback before Linux 6.9"),
        (with_tail_call, "6.6", "has an iterator of the kernel to end (from Linux 6.9 it needs none)"),
        (with_iterator, "6.12", "has an iterator of the kernel to end"),
    ],
)
def test_a_tail_call_must_not_leave_a_loop_that_wants_an_end(function, kernel, why):
    with pytest.raises(CompileError) as caught:
        _ = sched_cls(function, kernel=kernel).insns
    assert why in caught.value.message


@pytest.mark.kernel
def test_a_tail_call_may_leave_a_loop_with_may_goto():
    with load(sched_cls(with_tail_call, kernel="6.12")) as prog:
        assert prog.test_run(PACKET).retval == 1


@pytest.mark.kernel
@pytest.mark.parametrize("kernel", ["6.3", "6.6", "6.12", None])
def test_packets_change_in_long_loops(kernel):
    """A round may move the packet: views are asked for anew in each, and those from before it are refused behind."""

    def grow(skb):
        for i in range(100000):
            if i % 30000 == 7:
                bpf.skb_change_head(skb, 16, 0)
            eth = skb.packet(Ethernet)
            if eth is not None and i == 70000:
                return eth.src[5] + skb.len
        return 1

    spec = sched_cls(grow, kernel=kernel)
    with load(spec) as prog:
        assert prog.test_run(PACKET).retval == VM(spec, budget=1 << 24).run(data=PACKET).retval

    def stale(skb):
        eth = skb.packet(Ethernet)
        if eth is None:
            return 0
        for i in range(100000):
            if i % 30000 == 7:
                bpf.skb_change_head(skb, 16, 0)
            if eth.src[5] == i:
                return 2
        return 1

    with pytest.raises(CompileError, match=r"moved|anew|again"):
        _ = sched_cls(stale, kernel=kernel).insns
