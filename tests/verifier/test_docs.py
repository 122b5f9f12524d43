"""Each error in docs/verifier.md: its program gives the report that stands under it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pybpf import MapSpec, ProgramSpec, asm, verify
from pybpf.uapi.map import MapType
from pybpf.uapi.prog import ProgType
from pybpf.verifier import CATEGORIES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "verifier.md"
CASE = re.compile(
    r"^### (?P<title>.*?)\n.*?^```asm (?P<kind>\w+)(?: (?P<license>\w+))?\n(?P<code>.*?)^```\n\n```text\n(?P<report>.*?)^```$",
    re.M | re.S,
)
CASES = list(CASE.finditer(PAGE.read_text()))
MAPS = {
    "values": MapSpec(MapType.HASH, 4, 16, 8, name="values"),
    "ring": MapSpec(MapType.RINGBUF, 0, 0, 4096, name="ring"),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["title"])
def test_report(case):
    insns = asm.assemble(case["code"], "prog.s")
    used = {insn.symbol for insn in insns if insn.wide}
    spec = ProgramSpec(
        insns,
        ProgType[case["kind"].upper()],
        name="prog",
        license=case["license"] or "GPL",
        maps={name: spec for name, spec in MAPS.items() if name in used},
    )
    assert str(verify(spec)) == case["report"].rstrip("\n")


def test_page_shows_most_categories():
    """Every category of rejection that a root user's program meets on this kernel."""
    shown = {category for category in CATEGORIES if any(f" {category}: " in case["report"] for case in CASES)}
    rare = {"bounds-memory", "lock", "kernel-version", "map", "btf", "leak"}
    assert set(CATEGORIES) - shown <= rare, set(CATEGORIES) - shown
