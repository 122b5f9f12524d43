"""Random well-typed programs: the kernel and `verify` accept what is made of them, kernel and machine compute what Python does.

PYBPF_RANDOM_PROGRAMS=n says how many, PYBPF_RANDOM_FIRST where to begin.
"""

from __future__ import annotations

import ctypes
import os
import random

import pytest

from pybpf import VM, load, verify, xdp
from pybpf.dsl.program import ISA_V4, version

from .generate import Generator
from .model import COMPILED, MAPS, Input, evaluate

FIRST = int(os.environ.get("PYBPF_RANDOM_FIRST", "0"))
COUNT = int(os.environ.get("PYBPF_RANDOM_PROGRAMS", "40"))


def build(text: str, **options):
    scope = dict(COMPILED)
    exec(compile(text, "<generated>", "exec"), scope)
    return xdp(scope["program"], source=text, **options)


def packet(rng: random.Random) -> bytes:
    def number(bits: int, signed: bool) -> int:
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        return rng.choice((rng.randint(low, high), rng.randint(max(low, -4), 4), low, high, 0, 1))

    head = Input()
    for name, ctype, *bits in Input._fields_:
        signed = ctype(-1).value < 0
        setattr(head, name, number(bits[0] if bits else 8 * ctypes.sizeof(ctype), signed))
    return bytes(head) + rng.randbytes(rng.choice((0, 10, 24, 60)))


def outcome(runs, spec, state) -> list[object]:
    """Results of a machine or of the kernel in the form that `evaluate` gives."""
    used = {name: state[declared] for name, declared in MAPS.items() if any(m is declared for m in spec.maps.values())}
    zeros = dict.fromkeys(range(8), 0)
    found = {
        "counts": dict(used["counts"].items()) if "counts" in used else {},
        "table": dict(used["table"].items()) if "table" in used else zeros,
        "percpu": {k: sum(v) for k, v in used["percpu"].items()} if "percpu" in used else zeros,
        "records": {bytes(k): bytes(v) for k, v in used["records"].items()} if "records" in used else {},
        "seen": used["seen"][0] if "seen" in used else 0,
    }
    return [*((run.retval, bytes(run.data)) for run in runs), found]


def case(seed: int, kernel: str | None = None):
    isa = seed % (4 if version(kernel) >= ISA_V4 else 3) + 1
    text = Generator(seed, isa).program()
    rng = random.Random(seed)
    packets = [packet(rng) for _ in range(6)]
    return text, build(text, isa=isa, kernel=kernel), packets, evaluate(text, packets)


SEEDS = pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))


@SEEDS
def test_the_machine_computes_what_python_computes(seed):
    text, spec, packets, expected = case(seed)
    report = verify(spec)
    assert report.ok, f"{text}\n{report}"
    vm = VM(spec)
    runs = [vm.run(data=data) for data in packets]
    assert outcome(runs, spec, vm) == expected, text


@pytest.fixture
def one_cpu():
    """Values of per-CPU maps are compared, so every run must be on the same CPU."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.kernel
@SEEDS
def test_the_kernel_computes_what_python_computes(seed, one_cpu):
    text, spec, packets, expected = case(seed)
    with load(spec) as prog:
        runs = [prog.test_run(data) for data in packets]
        assert outcome(runs, spec, prog) == expected, text
