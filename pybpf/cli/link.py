"""Links in the kernel: what is attached where; list them, show one, dump what the kernel tells of it, detach one."""

from __future__ import annotations

import argparse

from ..links.base import BpfLink
from ..links.found import links
from . import table
from .map import plain
from .which import add_arguments, no_more, which

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EPILOG = """examples:
  pybpf link list
  pybpf link show 12 --json
  pybpf link dump 12            the members of struct bpf_link_info, as they are
  pybpf link detach 12
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    add_arguments(parser, "link", "show", "dump", "detach")


def run(args: argparse.Namespace) -> int:
    if args.action == "list":
        no_more(args.link, "list")
        table.show_each(links(), lambda link: _summary(link.details), args.json, "no links")
        return 0
    with which("link", args.link, BpfLink.from_id, BpfLink.from_pin) as link:
        if args.action == "show":
            table.details(link.details, args.json)
        elif args.action == "dump":
            table.details(_members(link.info), args.json)
        else:
            link.detach_now()
    return 0


def _members(info: Any) -> dict[str, Any]:
    """The members of the structure; of the union in it those of the link's own type."""
    from ..uapi import LinkType, named

    part = getattr(info, str(getattr(named(LinkType, info.type), "name", "")).lower(), None)
    own = {} if part is None else _without_padding(plain(part))
    return {"type": info.type, "id": info.id, "prog_id": info.prog_id, **own}


def _without_padding(members: dict[str, Any]) -> dict[str, Any]:
    """Members with a name; those of an anonymous union, which are different views of the same bytes, stand beside them."""
    named = {key: value for key, value in members.items() if not key.startswith("_")}
    unions = [value for key, value in members.items() if key.startswith("_") and isinstance(value, dict)]
    return {
        key: _without_padding(value) if isinstance(value, dict) else value
        for part in (named, *map(_without_padding, unions))
        for key, value in part.items()
    }


def _summary(details: dict[str, Any]) -> dict[str, Any]:
    return {key: details[key] for key in ("id", "type", "prog_id", "target")}
