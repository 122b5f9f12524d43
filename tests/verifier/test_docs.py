"""Each error in docs/verifier.md: its program gives the report that stands under it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pybpf import MapSpec, ProgramSpec, asm, verify
from pybpf.btf.builder import BtfBuilder
from pybpf.uapi.map import MapType
from pybpf.uapi.prog import ProgType
from pybpf.verifier import CATEGORIES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "verifier.md"


def guarded() -> MapSpec:
    """An array whose values begin with a spin lock."""
    builder = BtfBuilder()
    u32 = builder.add_int("unsigned int", 4)
    lock = builder.add_struct("bpf_spin_lock", 4, [("val", u32, 0)])
    value = builder.add_struct("value", 8, [("lock", lock, 0), ("count", u32, 32)])
    return MapSpec(MapType.ARRAY, 4, 8, 1, name="guarded", btf=builder.to_bytes(), btf_key=u32, btf_value=value)


CASE = re.compile(
    r"^### (?P<title>.*?)\n.*?^```asm (?P<kind>\w+)(?: (?P<how>\S+))?\n(?P<code>.*?)^```\n\n```text\n(?P<report>.*?)^```$",
    re.M | re.S,
)
CASES = list(CASE.finditer(PAGE.read_text()))
MAPS = {
    "values": MapSpec(MapType.HASH, 4, 16, 8, name="values"),
    "ring": MapSpec(MapType.RINGBUF, 0, 0, 4096, name="ring"),
    "guarded": guarded(),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["title"])
def test_report(case):
    insns = asm.assemble(case["code"], "prog.s")
    used = {insn.symbol for insn in insns if insn.wide}
    spec = ProgramSpec(
        insns,
        ProgType[case["kind"].upper()],
        name="prog",
        license="MIT" if case["how"] == "MIT" else "GPL",
        maps={name: spec for name, spec in MAPS.items() if name in used},
    )
    kernel = case["how"] if case["how"] and case["how"][0].isdigit() else None
    assert str(verify(spec, kernel, privileged=case["how"] != "unprivileged")) == case["report"].rstrip("\n")


def test_page_shows_all_categories():
    """Every category of rejection."""
    shown = {
        category
        for category in CATEGORIES
        if any(re.search(rf"(^| ){category}: ", case["report"], re.M) for case in CASES)
    }
    assert set(CATEGORIES) == shown, set(CATEGORIES) - shown
