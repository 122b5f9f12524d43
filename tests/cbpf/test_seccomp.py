"""Seccomp policies: judged offline, and by the kernel in a child process."""

from __future__ import annotations

import errno
import itertools
import operator
import os
import socket
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybpf import FilterError, NotSupportedError, SyscallError
from pybpf.cbpf import Filter, Insn, Seccomp, SeccompData, parse
from pybpf.cbpf.insn import OPCODES
from pybpf.cbpf.seccomp import Action, Condition, arg, check, fail

OPS = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
EDGES = [0, 1, 5, 0xFFFFFFFF, 0x100000000, 0x100000005, 0x200000000, (1 << 64) - 1]


@pytest.mark.parametrize("op", OPS)
def test_comparisons_are_64_bits_wide(op):
    for value in EDGES:
        policy = Seccomp(arch="x86_64").rule("read", fail(7), Condition(2, op, value))
        for given_ in EDGES:
            expected = (Action.ERRNO, 7) if OPS[op](given_, value) else (Action.ALLOW, 0)
            assert policy.run(SeccompData("read", (0, 0, given_))) == expected, (given_, op, value)


@settings(deadline=None)  # emulated kernels are slow
@given(st.integers(0, 5), st.sampled_from(sorted(OPS)), *[st.integers(0, (1 << 64) - 1)] * 3)
def test_masks(index, op, value, mask, given_):
    policy = Seccomp(arch="aarch64").rule("openat", Action.TRAP, Condition(index, op, value, mask))
    args = [0] * 6
    args[index] = given_
    expected = Action.TRAP if OPS[op](given_ & mask, value) else Action.ALLOW
    assert policy.run(SeccompData("openat", args))[0] == expected


def test_the_first_rule_that_fits_decides():
    policy = Seccomp(Action.KILL_PROCESS).rule("read", Action.LOG, arg(0) == 3).rule("read", Action.ALLOW)
    assert policy.run(SeccompData("read", (3,)))[0] == Action.LOG
    assert policy.run(SeccompData("read", (4,)))[0] == Action.ALLOW
    assert policy.run(SeccompData("write"))[0] == Action.KILL_PROCESS


def test_other_architectures_and_x32_are_killed():
    policy = Seccomp(arch="x86_64")
    assert policy.run(SeccompData("read", arch="i386"))[0] == Action.KILL_PROCESS
    assert policy.run(SeccompData(0x40000000))[0] == Action.KILL_PROCESS


def test_a_policy_of_many_rules_is_one_filter():
    names = ["read", "write", "openat", "close", "ptrace", "mount"]
    policy = Seccomp()
    for name, index in itertools.product(names, range(6)):
        policy = policy.rule(name, fail(index), arg(index) > 1 << 33, arg(index) & 3 == 0)
    assert policy.run(SeccompData("mount", (0, 0, 0, 1 << 34)))[1] == 3


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Seccomp(arch="vax"), NotSupportedError, "seccomp policy for vax"),
        (lambda: Seccomp(arch="x86_64").rule("no_such_call", Action.LOG), FilterError, "no system call 'no_such_call'"),
        (lambda: arg(6), FilterError, "argument 6"),
        (lambda: fail(5000), FilterError, "errno 5000"),
        (lambda: arg(0) == "tcp", FilterError, "compared with an integer"),
        (lambda: arg(0) > 1 << 64, FilterError, "does not fit 64 bits"),
    ],
)
def test_bad_rules_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.kernel
@pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")
def test_installed_in_a_child_it_judges_as_offline():
    from pybpf import install_seccomp

    policy = Seccomp().rule("socket", fail(errno.ENETDOWN), arg(0) == socket.AF_INET6)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            install_seccomp(policy, log=True)
            socket.socket(socket.AF_INET).close()
            try:
                socket.socket(socket.AF_INET6)
            except OSError as refused:
                status = 0 if refused.errno == errno.ENETDOWN else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Seccomp(0x12340000), "305397760 is not an action"),
        (lambda: Seccomp().rule("read", "deny"), "'deny' is not an action"),
        (lambda: Seccomp().rule("read", 1 << 32 | Action.LOG), "is not an action"),
        (lambda: Seccomp().rule(1 << 40, Action.LOG), "a number has 32 bits"),
        (lambda: Seccomp().rule("read", Action.LOG, Condition(0, "~", 1)), "comparison '~': expected one of == !="),
        (lambda: Seccomp().rule("read", Action.LOG, Condition(7, "==", 1)), "argument 7"),
        (lambda: Seccomp().rule("read", Action.LOG, Condition(1, "==", -1)), "unsigned numbers of 64 bits"),
        (lambda: Seccomp().run(SeccompData("read", range(7))), "7 arguments"),
    ],
)
def test_what_means_nothing_is_refused(make, message):
    with pytest.raises(FilterError, match=message):
        make()


def test_a_filter_from_text_runs_on_a_call():
    refuse_odd = parse("ld [16]\njset #1, odd\nret #0x7fff0000\nodd: ret #0x50016")
    assert refuse_odd.run(SeccompData("close", (3,)).packet()) == Action.ERRNO | errno.EINVAL
    assert refuse_odd.run(SeccompData("close", (4,)).packet()) == Action.ALLOW


def in_child(work) -> int:
    """The exit status of a child that does the work: 0, or 1 when it raised SyscallError."""
    pid = os.fork()
    if pid == 0:
        status = 2
        try:
            work()
            status = 0
        except SyscallError:
            status = 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


ALLOW = Insn(0x06, k=Action.ALLOW)


@pytest.mark.kernel
def test_what_seccomp_takes_is_what_the_kernel_takes(monkeypatch):
    from pybpf import install_seccomp

    seen = set()
    for code, (_, operand) in OPCODES.items():
        for k in (0, 2, 4, 60, 64, 0xFFFFF000) if operand in ("abs", "ind", "msh") else (1,):
            before = [Insn(0x02, k=1)] if operand == "mem" else []
            insns = Filter([*before, Insn(code, 0, 0, k), ALLOW, ALLOW])
            try:
                check(bytes(insns))
                ours = 0
            except FilterError:
                ours = 1
            with monkeypatch.context() as patch:
                patch.setattr("pybpf.cbpf.seccomp.check", lambda raw: None)
                theirs = in_child(lambda insns=insns: install_seccomp(insns))
            assert max(theirs, 0) == ours, (hex(code), k)  # below 0: it was taken, and killed the child
            seen.add(ours)
    assert seen == {0, 1}
    with pytest.raises(FilterError, match="insn 0: seccomp does not take 'ldh      \\[12\\]'"):
        install_seccomp(parse("ldh [12]\nret a"))


@pytest.mark.kernel
def test_a_thread_with_a_filter_of_its_own_is_named():
    from pybpf import install_seccomp

    def work():
        done, leave = threading.Event(), threading.Event()

        def own():
            install_seccomp(Seccomp(), all_threads=False)
            done.set()
            leave.wait()

        threading.Thread(target=own, daemon=True).start()
        done.wait(10)
        try:
            install_seccomp(Seccomp())
        except SyscallError as error:
            if error.errno == errno.EBUSY and "has a filter of its own" in str(error):
                raise
        leave.set()

    assert in_child(work) == 1
