"""Links in the kernel: what is attached where; list them, show one, detach one."""

from __future__ import annotations

import argparse

from ..links.base import BpfLink
from ..links.found import links
from . import table
from .which import add_argument, no_more, which

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
    add_argument(parser, "link")
    table.add_json(parser)


def run(args: argparse.Namespace) -> int:
    if args.action == "list":
        no_more(args.link, "list")
        rows = []
        for link in links():
            with link:
                rows.append(_summary(link.details))
        table.show(rows, args.json, "no links")
        return 0
    with which("link", args.link, BpfLink.from_id, BpfLink.from_pin) as link:
        if args.action == "show":
            table.details(link.details, args.json)
        else:
            link.detach_now()
    return 0


def _summary(details: dict[str, Any]) -> dict[str, Any]:
    return {key: details[key] for key in ("id", "type", "prog_id", "target")}
