"""Check programs offline: whether the kernel would take them, why not, and what to do.

PROGRAM is a Python file or an ELF object, of which every program is checked, assembly (.s, .asm) or raw bytes, with
`--type` to say what kind of program it is.  The exit status is 0 when all programs would be taken, 1 when one would be
rejected, 2 when one is not known.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..verifier import Env, Report, verify
from . import programs

EPILOG = """examples:
  pybpf verify count.py
  pybpf verify prog.o --kernel 5.10
  pybpf verify filter.s --type socket_filter
  pybpf verify prog.bin --type xdp --json
  pybpf verify prog.py --html report.html
  pybpf verify prog.py --sarif > results.sarif
"""

_STATUS = {"accept": 0, "reject": 1, "unknown": 2}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    programs.add_arguments(parser)
    parser.add_argument("--kernel", help="the kernel to check for: 5.10, 6.1, ..., or the file of `pybpf probe`")
    parser.add_argument("--unprivileged", action="store_true", help="check as for a user without capabilities")
    parser.add_argument("--caps", metavar="NAMES", help="check as for a user with these: bpf, perfmon, net_admin")
    parser.add_argument("--here", action="store_true", help="take CPUs and kernel types from the running machine")
    parser.add_argument("--quiet", action="store_true", help="print only programs that would not be taken")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print JSON")
    output.add_argument("--sarif", action="store_true", help="print SARIF 2.1.0")
    output.add_argument("--html", metavar="OUT", help="write one page with the control flow and all states")


def run(args: argparse.Namespace) -> int:
    specs, _ = programs.read(args)
    env = Env.here() if args.here else None
    loader = args.caps if args.caps is not None else not args.unprivileged
    reports = [verify(spec, args.kernel, loader, env, record=bool(args.html)) for spec in specs]
    _write(reports, args)
    return max((_STATUS[report.verdict] for report in reports), key=(0, 2, 1).index)


def _write(reports: list[Report], args: argparse.Namespace) -> None:
    from json import dumps

    if args.json:
        print(dumps([report.to_json() for report in reports], indent=2))
    elif args.sarif:
        from ..verifier.reports.sarif import document

        print(dumps(document(reports), indent=2))
    else:
        if args.html:
            from ..verifier.reports.html import pages

            Path(args.html).write_text(pages(reports), encoding="utf-8")
        for report in reports:
            if not args.quiet or not report.ok:
                print(report)
