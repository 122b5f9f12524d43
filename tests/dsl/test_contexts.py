"""Every field of every program type's context: it is read and written where the kernel lets it, and refused by name elsewhere."""

from __future__ import annotations

import pytest

import pybpf
from pybpf import (
    CompileError,
    Global,
    Struct,
    XdpAction,
    char,
    kprobe,
    ksyscall,
    load,
    perf_event,
    printk,
    u32,
    u64,
    xdp,
)
from pybpf import helpers as bpf
from pybpf.dsl.kinds import TABLE
from pybpf.errors import NotSupportedError
from pybpf.kernel import rules

TARGETS = {
    "function": "do_nanosleep", "system call": "nanosleep", "category/name": "sched/sched_switch", "name": "sched_switch",
}  # fmt: skip
OWN = frozenset(("data", "data_end", "data_meta"))  # reached by ctx.packet and ctx.meta
BY_NAME = frozenset((5, 24))  # the fields are those of the event, and of the tracepoint


def fields():
    table = rules("6.18")
    for name, (prog_type, attach_type, target, flags) in TABLE.items():
        try:
            program = table.program(prog_type, attach_type, sleepable=bool(flags & 1 << 4))
        except NotSupportedError:
            continue
        if program.context.name and prog_type not in BY_NAME and not flags & 1 << 4:
            yield pytest.param(name, program, TARGETS.get(target), id=name)


def build(name, body, target):
    text = "def f(ctx):\n" + "".join(f"    {line}\n" for line in body)
    scope: dict = {}
    exec(compile(text, "<snippet>", "exec"), scope)
    decorator = getattr(pybpf, name)
    return decorator(target, source=text)(scope["f"]) if target else decorator(source=text)(scope["f"])


@pytest.mark.kernel
@pytest.mark.parametrize(("name", "program", "target"), list(fields()))
def test_every_field(name, program, target):
    lowest, highest = program.returns or (0, 1)
    result, other = max(lowest, 0), max(lowest, min(highest, max(lowest, 0) + 1))
    for field in program.context.fields.values():
        place = f"ctx.{field.name}" + ("[0]" if field.count > 1 else "")
        if field.kind == "scalar":
            reading = [f"if {place} == 7:", f"    return {result}", f"return {other}"]
        else:
            reading = [f"x = {place}", "if x is None:", f"    return {result}", f"return {result}"]
        for body, allowed in ((reading, field.loadable), ([f"{place} = 1", f"return {result}"], field.storable)):
            spec = build(name, body, target)
            if any(allowed(0, size) for size in (field.size, 4, 2, 1)) and field.name not in OWN:
                try:
                    load(spec).close()
                except NotSupportedError:
                    pytest.skip(f"{name} programs do not load here")
            else:
                with pytest.raises(
                    CompileError, match=r"it (can|has)|can be (read|written)|cannot be written|instead of"
                ):
                    _ = spec.insns
    with pytest.raises(CompileError, match=r"has no (field|argument) 'nonsense'"):
        _ = build(name, ["x = ctx.nonsense", f"return {result}"], target).insns


def test_elements_that_may_not_be_written():
    for index in (1, 3):
        with pytest.raises(CompileError, match=rf"may not write ctx.replylong\[{index}\]; only \[0\] of it"):
            _ = build("sock_ops", [f"ctx.replylong[{index}] = 4", "return 1"], None).insns


class Pair(Struct):
    a: u32
    b: u64


pair = Global(Pair)


@ksyscall("openat")
def opens(ctx):
    name = char[64]()
    bpf.probe_read_user_str(name, ctx.filename)
    if ctx.dfd == 3 or ctx.flags & 1:
        printk(f"{name}")
    return 0


@kprobe("do_nanosleep")
def sleeps(ctx):
    printk(f"{ctx.t.task.pid} {ctx.mode} {ctx.di} {ctx.ip}")
    return 0


@perf_event
def samples(ctx):
    return u32(ctx.regs.ip + ctx.regs.sp) & 1 if ctx.sample_period > 3 else 0


@pytest.mark.kernel
@pytest.mark.parametrize("spec", [opens, sleeps, samples], ids=repr)
def test_arguments_and_registers_by_name(spec):
    load(spec).close()


@xdp
def globals_of_structures(ctx):
    pair.value.a = 5
    pair.b = 7
    copy = Pair(a=1, b=2)
    pair.value.b += copy.b
    if pair.a != 5:
        pair.value = copy
    return XdpAction.PASS if pair.value.b == 9 else XdpAction.DROP


@pytest.mark.kernel
def test_a_global_structure_by_its_value():
    with load(globals_of_structures) as prog:
        assert prog.test_run(data=bytes(64)).retval == XdpAction.PASS
