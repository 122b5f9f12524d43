"""The page of kernel support, from results made up here."""

from __future__ import annotations

import json

import pytest

from pybpf.uapi import ProgType
from tools.guests import matrix

XDP = int(ProgType.XDP)
KINDS = ("program type", "map type", "link type", "command")


def result(seen, probed):
    return {
        "release": "6.1.0-1-amd64",
        "whole": True,
        "tests": {"passed": 3, "failed": 1, "skipped": 2},
        "failed": ["tests/x.py::test_y"],
        "seen": {"program type": seen},
        "probed": {**{kind: [] for kind in KINDS}, "program type": probed},
    }


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (result([XDP], [XDP]), "**yes**"),
        (result([], [XDP]), "*probed*"),
        (result([], []), "\N{EN DASH}"),
        ({"missing": "no mirror"}, "?"),
        (None, "?"),
    ],
)
def test_cells_say_what_was_seen(row, expected):
    assert matrix.cell(row, "program type", XDP) == expected


def test_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr(matrix, "RESULTS", tmp_path)
    (tmp_path / "6.1.json").write_text(json.dumps(result([XDP], [XDP])))
    (tmp_path / "6.12.json").write_text(json.dumps({"missing": "no mirror"}))
    page = matrix.page()
    assert "| 6.1 | 6.1.0-1-amd64 | 3 | 1 | 2 |" in page
    assert "| 6.12 | not run: no mirror | | | |" in page
    assert "| `XDP` | ? | **yes** | ? | ? | ? |" in page
    assert "UNSPEC" not in page


def test_what_passes_the_second_time_has_passed(tmp_path, monkeypatch):
    monkeypatch.setattr(matrix, "RESULTS", tmp_path)
    asked = []

    def run(kernel, tests, seconds):
        second = {"tests": {"passed": 1, "failed": 0, "skipped": 0}, "failed": [], "seen": {"command": [5]}}
        row = result([XDP], [XDP]) | (second if asked else {})
        asked.append(list(tests))
        (tmp_path / f"{kernel}.json").write_text(json.dumps(row))
        return ""

    monkeypatch.setattr(matrix, "run", run)
    said = matrix.test("6.1", 1)
    assert asked == [list(matrix.TESTS), ["tests/x.py::test_y"]]
    assert "4 passed, 0 failed, 2 skipped" in said
    assert "tests/x.py::test_y: passed the second time" in said
    row = matrix.read("6.1")
    assert matrix.well(row)
    assert row["seen"] == {"command": [5], "program type": [XDP]}


def test_failures_are_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(matrix, "RESULTS", tmp_path)
    (tmp_path / "6.1.json").write_text(json.dumps(result([], [])))
    assert "tests/x.py::test_y" in matrix.report("6.1")
    assert "not run" in matrix.report("5.10")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({**result([], []), "failed": []}, True),
        (result([], []), False),
        ({**result([], []), "failed": [], "whole": False}, False),
        ({"missing": "no mirror"}, True),
        (None, False),
    ],
)
def test_what_counts_as_a_failure(row, expected):
    assert matrix.well(row) == expected
