"""The code that is made of known programs, as it was reviewed.

After a change that is meant: PYBPF_GOLDEN=write pytest tests/dsl/test_golden.py
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parents[1] / "examples"
PROGRAMS = [
    ("count_protocols", "count"), ("drop_ports", "drop_ports"), ("icmp_echo", "echo"), ("lpm_firewall", "firewall"),
    ("token_bucket", "limit"), ("mark_dns", "mark"), ("redirect_connect", "redirect"), ("bytes_by_protocol", "count"),
]  # fmt: skip


@pytest.mark.parametrize(("example", "name"), PROGRAMS, ids=[f"{e}-{n}" for e, n in PROGRAMS])
def test_code_is_as_reviewed(example, name):
    spec = importlib.util.spec_from_file_location(f"golden_{example}", EXAMPLES / f"{example}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    lines = getattr(module, name).disassemble(helpers=True).splitlines()
    made = "\n".join(line for line in lines if not line.lstrip().startswith(";")) + "\n"  # without paths
    path = HERE / "golden" / f"{example}.txt"
    if os.environ.get("PYBPF_GOLDEN") == "write":
        path.write_text(made)
    assert made == path.read_text()
