"""Each construct of the language: its code as it was reviewed, the kernel's and our verifier's consent, and what it does.

After a change that is meant: PYBPF_GOLDEN=write pytest tests/dsl/test_constructs.py
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
from pathlib import Path

import pytest

from benchmarks.codegen import clang, includes
from pybpf import VM, CompileError, NotSupportedError, load, verify
from pybpf.dsl.program import ISA_V4, Function, version
from pybpf.elf import open_elf
from pybpf.uapi import ProgType

TARGET = os.environ.get("GUEST_KERNEL")
HERE = Path(__file__).resolve().parent
THEMES = {
    name: importlib.import_module(f"tests.dsl.constructs.{name}")
    for name in ("numbers", "control", "memory", "packets", "maps", "kernel")
}
CONSTRUCTS = [
    pytest.param(theme, name, isa, id=f"{theme.__name__.rpartition('.')[2]}-{name}-v{isa}")
    for theme in THEMES.values()
    for name, found in vars(theme).items()
    if isinstance(found, Function)
    for isa in range(getattr(theme, "LEAST", {}).get(name, 1), getattr(theme, "MOST", {}).get(name, 4) + 1)
]


def listing(spec):
    """A program as its Python lines, each with the code that it became."""
    lines = (re.sub(r" @ \S+:\d+$", "", line) for line in spec.disassemble(helpers=True).splitlines())
    return f"=== {spec.name}\n" + "\n".join(x.rstrip() for x in lines) + "\n"


@pytest.mark.parametrize("name", THEMES)
def test_code_is_as_reviewed(name):
    made = "\n".join(listing(found) for found in vars(THEMES[name]).values() if isinstance(found, Function))
    path = HERE / "golden" / f"{name}.txt"
    if os.environ.get("PYBPF_GOLDEN") == "write":
        path.write_text(made)
    assert made == path.read_text()


def observed(objects, run, returned, data):
    """What a run is asked for, as it was: return value, packet, contents of maps."""
    maps = {}
    for declared, expected in run.after.items():
        found = objects[declared]
        maps[declared.name] = dict(found.items()) if isinstance(expected, dict) else found[0]
    return returned & 0xFFFFFFFF, data if run.out is not None else None, maps


def expected(run):
    return run.returns, run.out, {declared.name: value for declared, value in run.after.items()}


def given(spec, run):
    """The arguments of a run: programs that are system calls have a context and no packet."""
    if spec.prog_type == ProgType.SYSCALL:
        return {"ctx": bytes(8)}
    fields = {"mark": run.mark, "priority": run.priority}
    fields = {name: value for name, value in fields.items() if value and spec.prog_type == ProgType.SCHED_CLS}
    return {"data": run.data, "ctx": fields or None}


@pytest.mark.parametrize(("theme", "name", "isa"), CONSTRUCTS)
def test_the_machine_does_what_is_written(theme, name, isa):
    spec = vars(theme)[name].replace(isa=isa)
    report = verify(spec)
    assert report.ok, report
    for run in () if name in getattr(theme, "KERNEL_ONLY", ()) else theme.RUNS[name]:
        vm = VM(spec)
        if run.before:
            run.before(vm)
        result = vm.run(**given(spec, run))
        assert observed(vm, run, result.retval, result.data) == expected(run)


@pytest.mark.kernel
@pytest.mark.parametrize(("theme", "name", "isa"), CONSTRUCTS)
def test_the_kernel_does_what_is_written(theme, name, isa):
    """In a guest for its kernel: `python -m tools.guests 5.10 -- .venv/bin/pytest -m kernel tests/dsl/test_constructs.py`."""
    if isa == 4 and version(TARGET) < ISA_V4:
        pytest.skip("no ISA v4")
    spec = vars(theme)[name].replace(isa=isa, kernel=TARGET)
    try:
        with load(spec):
            pass
    except (CompileError, NotSupportedError) as error:
        if TARGET is None or not re.search(r"Linux \d|in (this|its) BTF", str(error)):
            raise
        pytest.skip(str(error))
    for run in theme.RUNS[name]:
        with load(spec) as prog:
            if run.before:
                run.before(prog)
            result = prog.test_run(**given(spec, run))
            assert observed(prog, run, result.retval, result.data) == expected(run)


def beside_clang(compiler, name, level):
    """Of each program that has a twin in C: its instructions, and those that clang -O2 makes."""
    source = HERE / "constructs" / f"{name}.bpf.c"
    command = [
        compiler,
        "-O2",
        "-g",
        "-target",
        "bpf",
        f"-mcpu=v{level}",
        *includes(),
        "-c",
        source,
        "-o",
        "-",
    ]
    made = subprocess.run(command, check=True, capture_output=True).stdout
    theirs = {spec.name: sum(insn.slots for insn in spec.insns) for spec in open_elf(made).programs}
    for found in vars(THEMES[name]).values():
        if isinstance(found, Function) and found.name in theirs:  # what C has not on this level is not there
            spec = found.replace(isa=level)
            yield found.name, sum(insn.slots for insn in spec.insns), theirs[found.name]


@pytest.mark.parametrize("level", [3, 4])
def test_code_is_as_short_as_clangs(level):
    compiler = clang()
    if compiler is None:
        pytest.skip("no clang")
    counts = [row for name in THEMES if name != "kernel" for row in beside_clang(compiler, name, level)]
    longer = {name: (ours, theirs) for name, ours, theirs in counts if ours > theirs + 1}
    assert sum(ours for _, ours, _ in counts) < 1.03 * sum(theirs for _, _, theirs in counts), longer
