"""Links in the kernel: what is attached where; list them, show one, detach one."""

from __future__ import annotations

import argparse

from ..errors import SpecError
from ..links.base import BpfLink
from ..links.found import links
from . import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EPILOG = """examples:
  pybpf link list
  pybpf link show 12 --json
  pybpf link detach 12
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument("action", choices=("list", "show", "detach"), nargs="?", default="list")
    parser.add_argument("link", nargs="?", help="an id, or the path of a pin")
    table.add_json(parser)


def run(args: argparse.Namespace) -> int:
    if args.action == "list":
        rows = []
        for link in links():
            with link:
                rows.append(_summary(link.details))
        table.show(rows, args.json, "no links")
        return 0
    if args.link is None:
        raise SpecError("which link? give an id or the path of a pin")
    with BpfLink.from_id(int(args.link)) if args.link.isdigit() else BpfLink.from_pin(args.link) as link:
        if args.action == "show":
            table.details(link.details, args.json)
        else:
            link.detach_now()
    return 0


def _summary(details: dict[str, Any]) -> dict[str, Any]:
    return {key: details[key] for key in ("id", "type", "prog_id", "target")}
