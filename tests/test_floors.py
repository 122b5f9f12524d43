"""The architecture as a test: an import goes down a floor, or stays inside its own package."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent / "pybpf"

# Top-level module or package of pybpf -> floor.  `asm` and `syscall` share a floor and never meet.
FLOORS = {
    **dict.fromkeys(("errors", "source", "lazy", "misuse", "uapi"), 0),
    **dict.fromkeys(("asm", "syscall"), 1),
    **dict.fromkeys(("spec", "declared", "types", "fields", "net", "mapview", "records", "btf", "kernel"), 2),
    **dict.fromkeys(("dsl", "helpers", "verifier", "vm", "elf", "cbpf"), 3),
    **dict.fromkeys(("maps", "events", "links", "features", "ksyms", "token", "xsk"), 4),
    **dict.fromkeys(("loader", "live"), 5),
    **dict.fromkeys(("cli", "testing", "__main__"), 6),
}
# Siblings of one floor that may read each other; everything else on a floor stands alone.
NEIGHBOURS = {
    "errors": {"source"},
    "uapi": {"lazy"},
    "spec": {"types", "btf"},
    "declared": {"spec", "types"},
    "fields": {"types", "btf"},
    "net": {"types"},
    "mapview": {"spec", "types"},
    "records": {"types"},
    "btf": {"types"},
    "kernel": {"btf", "types", "spec"},
    "dsl": {"cbpf"},
    "helpers": {"dsl"},
    "elf": set(),
    "events": {"maps"},
    "links": {"features"},
    "maps": {"features", "events"},
    "ksyms": {"maps"},
    "xsk": {"links"},
    "loader": {"live"},
    "__main__": {"cli"},
}


def top_level(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def run_time_nodes(node: ast.AST):
    """All nodes but those that only a type checker sees."""
    for child in ast.iter_child_nodes(node):
        if is_type_checking(child):
            for other in child.orelse:
                yield other
                yield from run_time_nodes(other)
            continue
        yield child
        yield from run_time_nodes(child)


def imported(path: Path):
    """(line, top-level module of pybpf) for each run-time import in a file, function bodies included."""
    package = ["pybpf", *path.relative_to(ROOT).parts[:-1]]
    for node in run_time_nodes(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            names = [".".join([*module, alias.name]) for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "pybpf" and len(parts) > 1:
                yield node.lineno, parts[1]


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down(path):
    here = top_level(path)
    if here == "__init__":
        return
    assert here in FLOORS, f"{here} has no floor: give it one in this test and in docs/architecture.md"
    for line, there in imported(path):
        if there == here or there not in FLOORS:
            continue  # itself, or a name of the package such as __version__
        allowed = FLOORS[there] < FLOORS[here] or there in NEIGHBOURS.get(here, set())
        assert allowed, (
            f"{path.relative_to(ROOT.parent)}:{line}: {here} (F{FLOORS[here]}) imports {there} (F{FLOORS[there]})"
        )


@pytest.mark.parametrize("floor", range(4))
def test_only_syscall_knocks_on_the_kernel(floor):
    """Below F4 nothing but `syscall/` reaches libc or the kernel's files."""
    for path in ROOT.rglob("*.py"):
        here = top_level(path)
        if FLOORS.get(here) == floor and here != "syscall":
            assert "CDLL" not in path.read_text() or here == "cbpf", path


# Folder inside a package -> the folders beside it that it may import when it runs.
STAGES = {
    "dsl/ssa": set(),
    "dsl/backend": {"ssa"},
    "verifier/numbers": set(),
    "verifier/memory": {"numbers"},
    "verifier/pruning": {"numbers"},
    "verifier/calls": {"numbers", "memory", "pruning"},
    "verifier/steps": {"numbers", "memory", "pruning", "calls"},
}
BESIDE = {
    folder: {p.stem for p in (ROOT / folder).parent.iterdir() if p.is_dir() or folder.startswith("dsl/")}
    for folder in STAGES
}
"""What stands beside each: in the verifier modules are for all, in the compiler they are not."""


@pytest.mark.parametrize("folder", STAGES)
def test_stages_do_not_look_back(folder):
    """The compiler's graph knows nothing of Python's syntax; what the verifier knows of memory, nothing of calls."""
    for path in (ROOT / folder).rglob("*.py"):
        for node in run_time_nodes(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == 2:
                there = (node.module or "").partition(".")[0]
                allowed = there in STAGES[folder] or there not in BESIDE[folder]
                assert allowed, f"{folder}/{path.name}:{node.lineno} imports {there}"
