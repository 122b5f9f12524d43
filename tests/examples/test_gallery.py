"""The page of the gallery names every example, and every example says what it is and whether it needs root."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "examples").glob("*.py"))


def test_every_example_is_in_the_gallery():
    rows = re.findall(r"^\| `(\w+\.py)` \|", (ROOT / "docs" / "gallery.md").read_text(), re.MULTILINE)
    assert sorted(rows) == [file.name for file in FILES]


def test_every_example_is_run_by_a_test():
    tests = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    untested = [file.name for file in FILES if f'"{file.stem}"' not in tests and file.stem != "demo"]
    assert not untested


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
