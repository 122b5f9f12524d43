"""Maps in the kernel, whoever made them: list them, show one, dump its entries with the types of their BTF."""

from __future__ import annotations

import argparse
from functools import partial

from ..errors import BpfError
from ..uapi import MapType
from . import table
from .which import add_arguments, no_more, which

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EPILOG = """examples:
  pybpf map list
  pybpf map show 7
  pybpf map dump 7 --json
  pybpf map dump /sys/fs/bpf/packets
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    add_arguments(parser, "map", "show", "dump")


def run(args: argparse.Namespace) -> int:
    from ..maps.found import from_id, from_pin, maps

    if args.action == "list":
        no_more(args.map, "list")
        table.show_each(maps(), lambda live: _summary(live.info), args.json, "no maps")
        return 0
    with which("map", args.map, from_id, partial(from_pin, read_only=True)) as live:
        if args.action == "show":
            info = live.info
            more = {"btf_id": info.btf_id or None, "ifindex": info.ifindex or None, "map_extra": info.map_extra or None}
            table.details({**_summary(info), **more}, args.json)
        else:
            table.show(_entries(live), args.json, "empty")
    return 0


def _summary(info: Any) -> dict[str, Any]:
    return {
        "id": info.id,
        "type": table.name(MapType, info.type),
        "name": info.name.decode(errors="replace"),
        "key": info.key_size,
        "value": info.value_size,
        "max_entries": info.max_entries,
        "flags": f"{info.map_flags:#x}",
    }


def _entries(live: Any) -> list[dict[str, Any]]:
    """All entries.  BpfError for a map whose entries cannot be listed."""
    if not hasattr(live, "items"):
        raise BpfError(f"the entries of {live!r} cannot be listed")
    return [{"key": plain(key), "value": plain(value)} for key, value in live.items()]


def plain(value: Any) -> Any:
    """A key or value as JSON has it: structures as objects, bytes as hexadecimal digits."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    fields = getattr(type(value), "_fields_", None)
    if fields is not None:
        return {field[0]: plain(getattr(value, field[0])) for field in fields}
    if isinstance(value, (int, str, float)) or value is None:
        return value
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    try:
        return [plain(one) for one in value]
    except TypeError:
        return str(value)
