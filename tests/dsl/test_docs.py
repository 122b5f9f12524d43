"""Every Python block of the language's documents runs, and every program in it is accepted by the kernel."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from pybpf import ProgramSpec, load

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCKS = [
    (name, i, block)
    for name in ("tutorial", "language", "compiler")
    for i, block in enumerate(re.findall(r"```python\n(.*?)```", (DOCS / f"{name}.md").read_text(), re.DOTALL))
    if re.search(r"^@", block, re.MULTILINE)  # what uses the program of a block before is run by tests/docs
]


def run(name, i, block, tmp_path):
    path = tmp_path / f"{name}_{i}.py"
    path.write_text(block)
    spec = importlib.util.spec_from_file_location(f"docs_{name}_{i}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("name", "i", "block"), BLOCKS, ids=[f"{n}-{i}" for n, i, _ in BLOCKS])
def test_blocks_compile(name, i, block, tmp_path):
    module = run(name, i, block, tmp_path)
    programs = [x for x in vars(module).values() if isinstance(x, ProgramSpec)]
    assert programs
    assert all(spec.insns for spec in programs)


@pytest.mark.kernel
@pytest.mark.parametrize(("name", "i", "block"), BLOCKS, ids=[f"{n}-{i}" for n, i, _ in BLOCKS])
def test_kernel_accepts_blocks(name, i, block, tmp_path):
    for spec in vars(run(name, i, block, tmp_path)).values():
        if isinstance(spec, ProgramSpec):
            load(spec).close()


def test_the_graph_is_as_shown(tmp_path):
    [(_, _, block)] = [b for b in BLOCKS if b[0] == "compiler"]
    shown = re.search(r"```text\n(.*?)```", (DOCS / "compiler.md").read_text(), re.DOTALL).group(1)
    assert run("compiler", 0, block, tmp_path).count.ir.strip() == shown.strip()
