"""The page of kernel support, from results made up here."""

from __future__ import annotations

import json
import os
import subprocess
import sys

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


@pytest.mark.parametrize(
    ("runs", "asked", "well", "said"),
    [
        (["y", ""], 2, True, "tests/x.py::y: failed, and passed when run again"),
        (["y z", "y", ""], 3, True, "tests/x.py::z: failed, and passed when run again"),
        (["y z", "y", "y"], 3, False, "tests/x.py::y: failed 3 times of 3"),
        (["y", "died", "died"], 3, True, "tests/x.py::y: failed 1 times of 3"),
        (["y", "died", "y"], 3, True, "tests/x.py::y: failed 2 times of 3"),
        ([" ".join(f"t{i}" for i in range(30))], 1, False, "tests/x.py::t29: failed 1 times of 3"),
    ],
)
def test_what_fails_runs_again(runs, asked, well, said, tmp_path, monkeypatch):
    """Each run of `runs` names the tests that fail in it."""
    monkeypatch.setattr(matrix, "RESULTS", tmp_path)
    calls = []

    def run(kernel, tests, seconds):
        failed = runs[len(calls)]
        calls.append(list(tests))
        if failed == "died":
            matrix.write(kernel, {"missing": "the guest died"})
            return ""
        names = [f"tests/x.py::{name}" for name in failed.split()]
        counts = {"passed": 1, "failed": len(names), "skipped": 0}
        seen = {"command": [len(calls)]}
        matrix.write(kernel, result([], []) | {"tests": counts, "failed": names, "seen": seen})
        return ""

    monkeypatch.setattr(matrix, "run", run)
    line = matrix.test("6.1", 1)
    assert calls[0] == list(matrix.TESTS)
    assert len(calls) == asked
    assert said in line
    row = matrix.read("6.1")
    assert matrix.well(row) == well
    assert row["seen"]["command"] == [i + 1 for i in range(asked) if runs[i] != "died"]


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (matrix.boot.Result(0, "ok", "", "", 1), "6.1: not run: it ended before the first test"),
        (matrix.boot.Result(matrix.boot.DIED, "", "", "panic", 1), "6.1: not run: the guest died, 2 times: panic"),
        (matrix.boot.Result(matrix.boot.LATE, "", "", "", 1), "6.1: not run: not over after 7 seconds"),
        (matrix.images.ImageUnavailable("no mirror"), "6.1: not run: no mirror"),
    ],
)
def test_a_guest_without_results(outcome, expected, tmp_path, monkeypatch):
    """Only a guest that did not die must have left some."""
    monkeypatch.setattr(matrix, "RESULTS", tmp_path)

    def boot(*args, **options):
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(matrix.boot, "run", boot)
    assert matrix.test("6.1", 7).startswith(expected)
    assert matrix.well(matrix.read("6.1")) == (getattr(outcome, "status", 1) != 0)


def test_a_guest_that_dies_late_keeps_what_it_saw(tmp_path, monkeypatch):
    monkeypatch.setattr(matrix, "RESULTS", tmp_path)

    def boot(kernel, command, *, share, **options):
        (share / "seen.json").write_text(json.dumps({**result([XDP], [XDP]), "failed": [], "whole": False}))
        return matrix.boot.Result(matrix.boot.DIED, "", "", "Oops", 1)

    monkeypatch.setattr(matrix.boot, "run", boot)
    assert "(cut short: the guest died, 2 times: Oops)" in matrix.test("6.1", 1)
    assert matrix.well(matrix.read("6.1"))


PLUGIN_CASES = """
import pytest

@pytest.fixture
def leaves_something():
    yield
    assert False

def test_good():
    pass

def test_bad():
    assert False

def test_untidy(leaves_something):
    pass
"""


@pytest.mark.kernel
def test_whatever_fails_is_noted(tmp_path):
    """In a test, after it, and while its file is read."""
    (tmp_path / "test_cases.py").write_text(PLUGIN_CASES)
    (tmp_path / "test_broken.py").write_text("import nothing_of_that_name")
    plugin = ["-p", "tools.guests.seen", "--seen", "seen.json", "--continue-on-collection-errors"]
    command = [sys.executable, "-m", "pytest", "-q", *plugin, "--rootdir", ".", "-c", os.devnull]
    environment = {**os.environ, "PYTHONPATH": str(matrix.ROOT)}
    subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    seen = json.loads((tmp_path / "seen.json").read_text())
    failed = ["test_broken.py", "test_cases.py::test_bad", "test_cases.py::test_untidy"]
    assert (seen["failed"], seen["tests"]["passed"]) == (failed, 1)


def test_failures_are_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(matrix, "RESULTS", tmp_path)
    (tmp_path / "6.1.json").write_text(json.dumps(result([], [])))
    assert "tests/x.py::test_y" in matrix.report("6.1")
    assert "not run" in matrix.report("5.10")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({**result([], []), "failed": []}, True),
        (result([], []), True),
        ({**result([], []), "runs": 3}, False),
        ({**result([], []), "failed": [], "whole": False}, False),
        ({**result([], []), "failed": [], "whole": False, "why": "the guest died"}, True),
        ({"missing": "no mirror"}, True),
        (None, False),
    ],
)
def test_what_counts_as_a_failure(row, expected):
    assert matrix.well(row) == expected
