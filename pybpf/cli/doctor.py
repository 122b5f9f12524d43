"""Can I use BPF here?  Capabilities, switches, mounts, limits, BTF and JIT, each with its remedy.

The exit status is 1 when something that is needed is missing.
"""

from __future__ import annotations

import argparse
import os

from ..features import report
from . import table

EPILOG = """examples:
  pybpf doctor
  sudo pybpf doctor --json
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    table.add_json(parser)


def run(args: argparse.Namespace) -> int:
    findings = report()
    if not args.json:
        system = os.uname()
        print(f"Linux {system.release} on {system.machine}, as uid {os.geteuid()}")
    table.show([{"what": f.name, "state": f.state, "found": f.detail, "remedy": f.remedy} for f in findings], args.json)
    return int(any(finding.state == "no" for finding in findings))
