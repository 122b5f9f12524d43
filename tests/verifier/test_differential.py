"""The running kernel decides generated programs too, and agrees."""

from __future__ import annotations

import json
import os

import pytest

pytestmark = pytest.mark.kernel

COUNT = int(os.environ.get("PYBPF_DIFFERENTIAL", "900"))
"""Programs to compare; continuous integration sets 20000."""
SHOWN = 10


def on_this_kernel() -> bool:
    return os.uname().release.startswith("6.18.")


@pytest.mark.skipif(not on_this_kernel(), reason="the tables' origin is Linux 6.18, this kernel is another")
@pytest.mark.timeout(2400)
def test_verdicts_are_the_kernels(oracle, differential):
    tally, found = differential.run(seed=20, count=COUNT)
    reviewed = json.loads(differential.KNOWN.read_text())
    new = [finding for finding in found if not differential.known(finding, reviewed)]
    assert tally["programs"] >= COUNT - 2
    assert not new, "\n".join(json.dumps(finding) for finding in new[:SHOWN])
    assert tally["category differs"] * 10 <= tally["category agrees"]


def test_known_disagreements_have_reasons(differential):
    for row in json.loads(differential.KNOWN.read_text()):
        assert len(row["why"]) > 20, row
