"""What a test may get wrong: each mistake is an error of ours that says what was expected, whole."""

from __future__ import annotations

import copy
import pickle
import re

import pytest

from pybpf import (
    VM,
    BpfError,
    ConversionError,
    HashMap,
    KindError,
    ProgramSpec,
    SpecError,
    asm,
    load,
    open_elf,
    u32,
    write_elf,
)
from pybpf.uapi import ProgType

FRAME = bytes(60)
CLOCK = ProgramSpec(asm.assemble("call bpf_ktime_get_ns\nexit"), ProgType.SOCKET_FILTER, name="clock")
TABLE = HashMap(u32, u32, max_entries=1, name="table")
EXECUTED = ProgramSpec(
    asm.assemble("r0 = 0\nexit"), ProgType.TRACEPOINT, attach_to="syscalls/sys_enter_execve", license="GPL"
)
PROBE = ProgramSpec(asm.assemble("r0 = 0\nexit"), ProgType.KPROBE, attach_to="vfs_read", license="GPL")
CONTEXTS = "a dict of fields, a ctypes structure or bytes"


def answering(function):
    vm = VM(CLOCK)
    vm.helper("ktime_get_ns", function)
    return vm.run(data=FRAME)


MISTAKES = {
    "packet in front": (
        lambda: VM(CLOCK).run(FRAME),
        KindError,
        "vm.run() takes a program first: give the packet as data=...",
    ),
    "repeat": (lambda: VM(CLOCK).run(data=FRAME, repeat="3"), KindError, "repeat is '3': expected a whole number"),
    "budget": (lambda: VM(CLOCK, budget="x"), KindError, "budget is 'x': expected a number of instructions"),
    "pid": (lambda: VM(CLOCK, pid="x"), KindError, "pid is 'x': expected a whole number"),
    "comm": (lambda: VM(CLOCK, comm=5), KindError, "comm is 5: expected text or bytes"),
    "seed": (lambda: VM(CLOCK, seed=1.5), KindError, "seed is 1.5: expected a whole number"),
    "no CPUs": (lambda: VM(CLOCK, cpus=0), SpecError, "cpus=0 on a machine of 0 CPUs (VM(..., cpus=n))"),
    "a CPU too many": (lambda: VM(CLOCK, cpu=4), SpecError, "cpu=4 on a machine of 4 CPUs (VM(..., cpus=n))"),
    "later": (lambda: setattr(VM(CLOCK).env, "cpu", 9), SpecError, "cpu=9 on a machine of 4 CPUs (VM(..., cpus=n))"),
    "misspelt": (
        lambda: setattr(VM(CLOCK).env, "time", 9),
        KindError,
        "the environment has no field 'time': did you mean 'time_ns'?",
    ),
    "back in time": (
        lambda: VM(CLOCK).advance(-5),
        SpecError,
        "advance(-5): time does not go back; set vm.env.time_ns to begin elsewhere",
    ),
    "half a nanosecond": (
        lambda: VM(CLOCK).advance(0.5),
        KindError,
        "advance(0.5): expected a whole number of nanoseconds",
    ),
    "a string": (
        lambda: VM(CLOCK).user_string(5),
        KindError,
        "5 cannot be put into memory: expected bytes, or a structure",
    ),
    "user memory": (
        lambda: VM(CLOCK).user_memory("x"),
        KindError,
        "'x' cannot be put into memory: expected bytes, or a structure",
    ),
    "no function": (
        lambda: answering(5),
        KindError,
        "5 cannot answer for ktime_get_ns: expected a function",
    ),
    "too many parameters": (
        lambda: answering(lambda a, b: 1),
        KindError,
        "ktime_get_ns has 0 arguments: a function that needs 2 cannot answer for it",
    ),
    "text for a number": (
        lambda: answering(lambda: "x"),
        KindError,
        "the function given for ktime_get_ns returned 'x': expected a number, or None for 0",
    ),
    "context of one number": (lambda: VM(CLOCK).run(data=FRAME, ctx=5), KindError, f"ctx is 5: expected {CONTEXTS}"),
    "context of words": (lambda: VM(CLOCK).run(data=FRAME, ctx=[1]), KindError, f"ctx is [1]: expected {CONTEXTS}"),
    "context of text": (lambda: VM(CLOCK).run(data=FRAME, ctx="x"), KindError, f"ctx is 'x': expected {CONTEXTS}"),
    "None in a field": (
        lambda: VM(CLOCK).run(data=FRAME, ctx={"mark": None}),
        ConversionError,
        "mark of struct __sk_buff is None: expected a number",
    ),
    "text in a field": (
        lambda: VM(CLOCK).run(data=FRAME, ctx={"mark": "x"}),
        ConversionError,
        "mark of struct __sk_buff: 'x' does not appear to be an IPv4 or IPv6 address",
    ),
    "a long array": (
        lambda: VM(CLOCK).run(data=FRAME, ctx={"cb": range(6)}),
        ConversionError,
        "cb of struct __sk_buff holds 5 numbers: range(0, 6) does not fit",
    ),
    "text for a pointer": (
        lambda: VM(EXECUTED).run(ctx={"filename": "/bin/ls"}),
        ConversionError,
        (
            "ctx: filename of syscalls/sys_enter_execve: '/bin/ls' is not an integer; expected u64; "
            "for a pointer, vm.user_string('/bin/ls')"
        ),
    ),
    "more arguments than registers": (
        lambda: VM(PROBE).run(ctx=[1, 2, 3, 4, 5, 6, 7]),
        SpecError,
        "ctx: 7 arguments: registers hold 6, others lie on the stack (sp)",
    ),
    "only a map": (lambda: VM(TABLE), SpecError, "VM() needs a program"),
    "nothing": (lambda: VM(), SpecError, "VM() needs a program"),
    "a list": (
        lambda: VM([1]),
        SpecError,
        "[1] is not a program: expected a ProgramSpec (or a decorated function)",
    ),
    "bytes for instructions": (
        lambda: ProgramSpec(bytes(8), ProgType.XDP),
        KindError,
        "ProgramSpec: insns are bytes, expected instructions: ProgramSpec.from_bytes(raw, prog_type) makes them",
    ),
    "text for instructions": (
        lambda: ProgramSpec("exit", ProgType.XDP),
        KindError,
        "ProgramSpec: insns are text, expected instructions: asm.assemble(text) makes them",
    ),
    "a number for a helper": (
        lambda: VM(CLOCK).helper(5, lambda: 5),
        KindError,
        "5 is no helper: expected its name, or the helper itself",
    ),
    "copy": (
        lambda: copy.copy(VM(CLOCK)),
        KindError,
        "<VM of clock> cannot be copied or pickled: make another VM of the same programs",
    ),
    "pickle": (
        lambda: pickle.dumps(VM(CLOCK)),
        KindError,
        "<VM of clock> cannot be copied or pickled: make another VM of the same programs",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name):
    make, kind, message = MISTAKES[name]
    with pytest.raises(BpfError, match=re.escape(message) + "$") as caught:
        make()
    assert type(caught.value) is kind


@pytest.mark.kernel
@pytest.mark.parametrize(
    "ctx", [5, [1], "x", {"mark": None}, {"mark": "x"}, {"cb": range(6)}, {"mrk": 1}, {3: 1}], ids=str
)
def test_the_kernel_gets_the_same_answer(ctx):
    with pytest.raises(BpfError) as offline:
        VM(CLOCK).run(data=FRAME, ctx=ctx)
    with load(CLOCK) as prog, pytest.raises(BpfError) as live:
        prog.test_run(FRAME, ctx)
    assert str(live.value) == str(offline.value)
    assert type(live.value) is type(offline.value)


@pytest.mark.parametrize("key", [3, None, "x", b"x"], ids=repr)
def test_no_such_map(key):
    vm = VM(CLOCK)
    assert key not in vm
    with pytest.raises(KeyError, match="is not one of this machine's maps: none"):
        vm[key]


@pytest.mark.parametrize("raised", [KeyboardInterrupt, ValueError, SystemExit])
def test_a_run_that_is_broken_off_leaves_the_machine_usable(raised):
    vm = VM(CLOCK, time_ns=7)
    mapped = len(vm.mem.readable)

    def fail():
        raise raised

    vm.helper("ktime_get_ns", fail)
    with pytest.raises(raised):
        vm.run(data=FRAME)
    assert len(vm.mem.readable) == mapped
    vm.helper("ktime_get_ns", lambda: 5)
    assert vm.run(data=FRAME).retval == 5


def test_maps_and_objects_come_along(tmp_path):
    assert repr(VM(CLOCK, TABLE)) == "<VM of clock; maps table>"
    write_elf(tmp_path / "o.o", CLOCK)
    vm = VM(open_elf(tmp_path / "o.o"))
    assert vm.run(data=FRAME).retval == vm.run("clock", data=FRAME).retval == 0
