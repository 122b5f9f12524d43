"""The page of the gallery names every example, and every example says what it is and whether it needs root."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from pybpf import NotSupportedError, ProgramSpec, verify
from pybpf.verifier import Env

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "examples").glob("*.py"))


def test_every_example_is_in_the_gallery():
    rows = re.findall(r"^\| `(\w+\.py)` \|", (ROOT / "docs" / "gallery.md").read_text(), re.MULTILINE)
    assert sorted(rows) == [file.name for file in FILES]


def test_every_example_is_run_by_a_test():
    tests = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    untested = [file.name for file in FILES if f'"{file.stem}"' not in tests and file.stem != "demo"]
    assert not untested


def lines_of_code(text: str) -> int:
    """Lines that are neither blank, nor a comment, nor of a docstring."""
    left_out = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None
        for line in range(node.body[0].lineno, node.body[0].end_lineno + 1)
    }
    lines = enumerate(text.splitlines(), 1)
    return sum(1 for n, line in lines if line.strip() and not line.strip().startswith("#") and n not in left_out)


def test_lines_are_counted():
    rows = re.findall(r"^\| `(\w+)\.py` \| [^|]* \| (\d+) \|", (ROOT / "docs" / "gallery.md").read_text(), re.MULTILINE)
    counted = {file.stem: lines_of_code(file.read_text()) for file in FILES}
    assert {name: int(n) for name, n in rows} == counted


# What stands in for the arguments of functions that make programs.
MAKERS = {"pcap_predicate": lambda module: [module.program("udp port 9", "vlan and ip6")]}


def specs(module, name: str) -> list[ProgramSpec]:
    """The programs of an example."""
    try:
        made = MAKERS.get(name, lambda module: [])(module)
    except NotSupportedError as error:
        pytest.skip(str(error))
    return [thing for thing in vars(module).values() if isinstance(thing, ProgramSpec)] + made


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_verifier_takes_its_programs(example, file):
    """As the machine that will run them is: with the kernel's types where there are some."""
    found = specs(example(file.stem), file.stem)
    assert found or file.stem in WITHOUT_PROGRAMS
    for spec in found:
        report = verify(spec, env=Env.here())
        assert report.ok, f"{spec.name}: {report}"


WITHOUT_PROGRAMS = ("sandbox", "xdp_loader")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_first_lines_say_what_it_needs(file):
    doc = ast.get_docstring(ast.parse(file.read_text())) or ""
    assert "Needs" in doc or file.stem == "demo"
    assert file.name in doc or file.stem == "demo"


def test_demo(example, capsys):
    module = example("demo")
    assert module.count_offline() == {module.UDP: module.DATAGRAMS, module.TCP: module.CONNECTIONS}
    assert module.main() == 0
    assert "UDP" in capsys.readouterr().out
