"""Ask the running kernel for its rules, and compare them with the tables that pybpf has.

Every question is a tiny program or map that is made and dropped at once; nothing is attached.  Needs root, or CAP_BPF
with CAP_NET_ADMIN and CAP_PERFMON: what a capability is missing for is answered with a refusal.
"""

from __future__ import annotations

import argparse
import sys

from ...kernel import KERNELS, rules
from ...kernel.tables import Rules
from .compare import differences
from .table import make_table, render

HELP = "ask the running kernel for its rules: helpers, contexts, maps of each kind of program"


def configure(parser: argparse.ArgumentParser) -> None:
    known = ", ".join(KERNELS)
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="write the table: for kernel.rules(FILE), verify --kernel FILE"
    )
    parser.add_argument("--against", metavar="KERNEL", help=f"the table to compare with: {known}, or a file")
    parser.add_argument("-q", "--quiet", action="store_true", help="do not say what is being asked")
    parser.epilog = """examples:
  pybpf probe                        compare this kernel with the table nearest to it
  pybpf probe -o mine.py             write this kernel's table
  pybpf probe --against 6.12         what differs from Linux 6.12"""


def run(args: argparse.Namespace) -> int:
    """0 also where there are differences: a kernel built with other options is no mistake."""

    def report(text: str) -> None:
        if not args.quiet and sys.stderr.isatty():
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    table = make_table(report)
    report("")
    if args.output:
        with open(args.output, "w", encoding="utf-8") as file:
            file.write(render(table))
        print(f"{args.output}: the rules of Linux {table['release']}, {len(table['programs'])} kinds of program")
        if not args.against:
            return 0
    known = rules(args.against or table["version"])
    found = list(differences(known, Rules(table)))
    print("\n".join(found) if found else f"no difference from the table of Linux {known.version}")
    return 0
