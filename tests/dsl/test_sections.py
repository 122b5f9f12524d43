"""Sections and iterators of the kernel, work queues, writable tracepoints: what they do, and what is refused."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from pybpf import (
    CompileError,
    HashMap,
    Struct,
    SyscallError,
    VerifierError,
    char,
    kernel_iter,
    kfunc,
    load,
    no_preempt,
    raw_tracepoint_writable,
    rcu,
    s32,
    sched_cls,
    subprogram,
    u32,
    u64,
    verify,
)
from pybpf import helpers as bpf
from pybpf.verifier import Env

from .ported import modern

pytestmark = pytest.mark.kernel
PACKET = bytes(64)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (modern.sum_of_numbers, 45), (modern.nested_iterators, 30), (modern.ways_out_of_a_section, 4),
        (modern.numbers_by_hand, 0),
    ],
    ids=lambda x: getattr(x, "name", x),
)  # fmt: skip
@pytest.mark.parametrize("isa", [1, 2, 3, 4])
def test_runs_of_packets(spec, expected, isa):
    if isa < 3 and spec is modern.ways_out_of_a_section:
        isa = 3  # an atomic result
    with load(spec.replace(isa=isa)) as prog:
        assert prog.test_run(PACKET).retval == expected


counts = HashMap(u32, u64, max_entries=8)


class Total(Struct):
    n: u64


@subprogram
def outline(x: u32) -> u32:
    with rcu():
        counts[x] += 1
    return x


def inlined(x):
    with rcu():
        if x > 4:
            return 5
        counts[x] += 2
    return 7


def called_back(i, total):
    with rcu():
        total.n += 1
    return 0


@sched_cls
def sections_in_sections(ctx):
    """The verifier refuses a section of RCU in another, also where a function begins it."""
    total = Total()
    got = outline(3)
    with rcu():
        got += outline(2) + inlined(u32(len(ctx)))
        with rcu():
            got += 1
            with no_preempt():
                got += 1
                with no_preempt():
                    got += 1
                if len(ctx) > 70:
                    return 3
        bpf.loop(3, called_back, total)
    bpf.loop(3, called_back, total)
    return u32(got + outline(4) + total.n)


def test_sections_in_sections():
    with load(sections_in_sections) as prog:
        assert prog.test_run(PACKET).retval == 3 + 2 + 5 + 3 + 4 + 6
        assert prog.test_run(bytes(80)).retval == 3
        assert dict(prog[counts].items()) == {2: 2, 3: 2, 4: 1}


def test_iterators_of_tasks():
    with load(modern.count_tasks) as prog:
        assert 0 < prog.test_run(ctx=bytes(8)).retval <= 1001
    with load(modern.broken_off) as prog:
        assert prog.test_run(ctx=bytes(8)).retval == 7


def test_work_is_done_later():
    with load(modern.queue_work) as prog:
        assert prog.test_run(PACKET).retval == 0
        deadline = time.monotonic() + 5
        while prog[modern.jobs][0].n == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert prog[modern.jobs][0].n == 5


def test_a_writable_tracepoint():
    """The error of a test run is what the program wrote; only ours, because everybody's runs pass there."""
    name = f"pybpf-{os.getpid()}".encode()

    @raw_tracepoint_writable("bpf_test_finish")
    def fail(ctx):
        comm = char[16]()
        bpf.get_current_comm(comm)
        if comm != name:
            return
        error = ctx.buffer(s32)
        if error == 0:
            error.value = -5

    thread = Path("/proc/thread-self/comm")
    before = thread.read_bytes().strip()
    with load(fail) as prog, load(modern.thrown) as other, prog.attach():
        thread.write_bytes(name)
        try:
            with pytest.raises(SyscallError) as caught:
                other.test_run(PACKET)
        finally:
            thread.write_bytes(before)
    assert caught.value.errno == errno.EIO


def in_a_value(skb):
    kernel_iter("num")(0, 3)
    return 0


def unknown(skb):
    for _ in kernel_iter("nonsense")(0):
        pass
    return 0


def not_called(skb):
    with rcu:
        pass
    return 0


def with_arguments(skb):
    with rcu(1):
        pass
    return 0


def with_else(skb):
    for i in kernel_iter("num")(0, 3):
        if i == skb.len - 50:
            break
    else:
        return 1
    return 0


def of_tasks(skb):
    for _ in kernel_iter("task")(None, 0):
        pass
    return 0


@pytest.mark.parametrize("kernel", ["6.4", "6.12"])
def test_the_else_of_an_iterator(kernel):
    spec = sched_cls(kernel=kernel)(with_else)
    assert "may_goto" not in spec.disassemble()
    with load(spec) as prog:
        assert [prog.test_run(bytes(n)).retval for n in (51, 52, 64)] == [0, 0, 1]


def objects(skb):
    kfunc("bpf_obj_new_impl")(1, None)
    return 0


def held_too_long(skb):
    lock = kfunc("bpf_preempt_disable")
    lock()
    return 0


@pytest.mark.parametrize(
    ("function", "options", "told"),
    [
        (in_a_value, {}, "is what a for loop runs over"),
        (unknown, {}, "this kernel has no iterator 'nonsense'"),
        (not_called, {}, r"the kernel's sections \(`with rcu\(\):`\)"),
        (with_arguments, {}, "rcu takes no arguments"),
        (with_else, {"kernel": "6.3"}, r"the iterator num of the kernel came with Linux 6\.4"),
        (of_tasks, {"kernel": "6.6"}, r"the iterator task of the kernel came with Linux 6\.7"),
        (objects, {}, "HashMap"),
    ],
)
def test_what_is_refused(function, options, told):
    with pytest.raises(CompileError, match=told):
        _ = sched_cls(**options)(function).insns


def test_a_section_by_hand_must_be_left():
    spec = sched_cls(held_too_long)
    assert not verify(spec, env=Env.here()).ok
    with pytest.raises(VerifierError):
        load(spec)
