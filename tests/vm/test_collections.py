"""Trees and lists of objects that a program allocates: a compiled program in the kernel and offline, operation by operation."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from pybpf import VM, load, open_elf

SOURCE = Path(__file__).with_name("collections.c")
CLANG = shutil.which("clang-19") or shutil.which("clang")
ENGINES = ("interpreter", "translator")
AT_ONCE = 24
ADD, TAKE_FIRST, PUSH_FRONT, PUSH_BACK, POP_FRONT, POP_BACK, FIND, FRONT, BACK = range(9)


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    if CLANG is None:
        pytest.skip("clang is not installed")
    if not Path("/usr/include/bpf/bpf_helpers.h").exists():
        pytest.skip("libbpf-dev is not installed")
    path = tmp_path_factory.mktemp("collections") / "collections.o"
    headers = ["-I/usr/include/x86_64-linux-gnu"]
    subprocess.run([CLANG, "-O2", "-g", "-target", "bpf", "-mcpu=v3", *headers, "-c", SOURCE, "-o", path], check=True)
    return open_elf(path)["walk"]


def answers(machine, run, operations: list[tuple[int, int]]) -> list[int]:
    for i, (operation, key) in enumerate(operations):
        raw = operation.to_bytes(4, "little") + key.to_bytes(4, "little")
        assert machine["ops"].raw.update(i.to_bytes(4, "little"), raw, 0) == 0
    run(data=bytes(64))
    return list(machine["out"].values())


@pytest.mark.kernel
def test_generated(walk, scale):
    """The tree's shape is the machine's own; what is found in it, and in which order it ends, is the kernel's."""
    emptying = [(TAKE_FIRST, 0)] * (AT_ONCE - 8) + [(POP_FRONT, 0)] * 8
    with load(walk) as prog:
        for seed in range(20 * scale):
            rng = random.Random(seed)
            machines = {engine: VM(walk, engine=engine) for engine in ENGINES}
            for _ in range(3):
                weights = (ADD, ADD, *range(9), FIND)
                operations = [(rng.choice(weights), rng.randrange(12)) for _ in range(AT_ONCE)]
                expected = answers(prog, prog.test_run, operations)
                for engine, vm in machines.items():
                    assert answers(vm, vm.run, operations) == expected, (seed, engine)
            for _ in range(5):
                left = answers(prog, prog.test_run, emptying)
                for vm in machines.values():
                    assert answers(vm, vm.run, emptying) == left, seed
            assert not any(vm.mem.references for vm in machines.values())
