"""What this kernel can do, asked by probes: types, hooks, links, commands, instructions, helpers."""

from __future__ import annotations

import argparse

from .. import features
from ..errors import SpecError
from ..uapi import AttachType, Cmd, LinkType, MapType, ProgType
from . import table
from .which import no_more

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

EPILOG = """examples:
  pybpf feature                     everything
  pybpf feature map                 map types only
  pybpf feature prog --missing      program types that this kernel lacks, and the first that has them
  pybpf feature helper xdp          the helpers that XDP programs may call
  pybpf feature --json
"""

# kind: (question, enum, kind in the table of first kernels)
_KINDS: dict[str, tuple[Callable[[int], bool], Any, str]] = {
    "prog": (features.have_program_type, ProgType, "prog"),
    "map": (features.have_map_type, MapType, "map"),
    "attach": (features.have_attach_type, AttachType, "attach"),
    "link": (features.have_link_type, LinkType, "link"),
    "command": (features.have_command, Cmd, "cmd"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument("kind", nargs="?", choices=(*_KINDS, "isa", "helper"), help="only this kind")
    parser.add_argument("program", nargs="?", help="with `helper`: a program type, such as xdp")
    parser.add_argument("--missing", action="store_true", help="only what this kernel lacks")
    table.add_json(parser)


def run(args: argparse.Namespace) -> int:
    if args.kind == "helper":
        rows = list(_helpers(args.program))
    else:
        no_more(args.program, args.kind or "feature")
        kinds = [args.kind] if args.kind else [*_KINDS, "isa"]
        rows = [row for kind in kinds for row in (_isa() if kind == "isa" else _of(kind))]
    if args.missing:
        rows = [row for row in rows if not row["here"]]
    table.show(rows, args.json)
    return 0


def _row(kind: str, name: str, here: bool, first: str | None) -> dict[str, Any]:
    return {"kind": kind, "name": name, "here": here, "since": first or ""}


def _of(kind: str) -> list[dict[str, Any]]:
    have, enum, origin = _KINDS[kind]
    members = [member for member in enum if member.name != "UNSPEC"]
    return [_row(kind, member.name.lower(), have(member), features.first_kernel(origin, member)) for member in members]


def _isa() -> list[dict[str, Any]]:
    levels = {2: "4.14", 3: "5.1", 4: "6.6"}
    rows = [_row("isa", f"v{level}", features.isa_level() >= level, first) for level, first in levels.items()]
    extra = {"atomic_fetch": "5.12", "may_goto": "6.9", "addr_space_cast": "6.9", "load_acquire": "6.15"}
    return rows + [_row("isa", name, features.have_instruction(name), first) for name, first in extra.items()]


def _helpers(program: str | None) -> list[dict[str, Any]]:
    from ..uapi import Helper

    try:
        prog_type = ProgType[(program or "").upper()]
    except KeyError:
        asked = "helpers of what?" if program is None else f"{program!r} is no program type: give one of"
        raise SpecError(f"{asked} {', '.join(p.name.lower() for p in ProgType if p.name != 'UNSPEC')}") from None
    return [
        _row(
            "helper",
            f"bpf_{helper.name}",
            features.have_helper(prog_type, helper),
            features.first_kernel("helper", helper),
        )
        for helper in Helper
        if helper.name != "unspec"
    ]
