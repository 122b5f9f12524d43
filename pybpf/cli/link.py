"""Links in the kernel: what is attached where; list them, show one, detach one."""

from __future__ import annotations

import argparse

from ..errors import SpecError
from ..links.base import BpfLink
from ..links.found import links
from ..uapi import AttachType, LinkType
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
                rows.append(_summary(link.info))
        table.show(rows, args.json, "no links")
        return 0
    if args.link is None:
        raise SpecError("which link? give an id or the path of a pin")
    with BpfLink.from_id(int(args.link)) if args.link.isdigit() else BpfLink.from_pin(args.link) as link:
        if args.action == "show":
            table.details(_summary(link.info), args.json)
        else:
            link.detach_now()
    return 0


def _summary(info: Any) -> dict[str, Any]:
    return {
        "id": info.id,
        "type": table.name(LinkType, info.type),
        "prog_id": info.prog_id,
        "target": target(info),
    }


# link type -> the fields of its part of bpf_link_info that say where it is attached
_FIELDS: dict[int, tuple[str, tuple[str, ...]]] = {
    LinkType.TRACING: ("tracing", ("attach_type", "target_obj_id", "target_btf_id")),
    LinkType.CGROUP: ("cgroup", ("attach_type", "cgroup_id")),
    LinkType.NETNS: ("netns", ("attach_type", "netns_ino")),
    LinkType.XDP: ("xdp", ("ifindex",)),
    LinkType.TCX: ("tcx", ("attach_type", "ifindex")),
    LinkType.NETKIT: ("netkit", ("attach_type", "ifindex")),
    LinkType.NETFILTER: ("netfilter", ("pf", "hooknum", "priority", "flags")),
    LinkType.KPROBE_MULTI: ("kprobe_multi", ("count", "flags", "missed")),
    LinkType.UPROBE_MULTI: ("uprobe_multi", ("count", "flags", "pid")),
    LinkType.STRUCT_OPS: ("struct_ops", ("map_id",)),
    LinkType.SOCKMAP: ("sockmap", ("attach_type", "map_id")),
    LinkType.PERF_EVENT: ("perf_event", ("type",)),
}


def target(info: Any) -> str:
    """Where a link is attached, in words."""
    part, fields = _FIELDS.get(info.type, ("", ()))
    found = getattr(info, part, None) if part else None
    words = []
    for field in fields:
        value = getattr(found, field, None)
        if value is None:
            continue
        if field == "attach_type":
            words.append(table.name(AttachType, value))
        elif field == "ifindex":
            words.append(f"interface {_interface(value)}")
        else:
            words.append(f"{field} {value}")
    return ", ".join(words)


def _interface(index: int) -> str:
    from socket import if_indextoname

    try:
        return if_indextoname(index)
    except OSError:
        return str(index)
