"""Programs in the kernel, whoever loaded them: list them, show one, dump its instructions."""

from __future__ import annotations

import argparse

from ..live import Program, programs
from ..uapi import ProgType
from . import table
from .which import add_arguments, no_more, which

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EPILOG = """examples:
  pybpf prog list
  pybpf prog show 42 --json
  pybpf prog dump 42            the translated instructions, as the kernel runs them
  pybpf prog dump /sys/fs/bpf/mine
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    add_arguments(parser, "program", "show", "dump")
    parser.add_argument("--raw", action="store_true", help="dump the bytes, not text")


def run(args: argparse.Namespace) -> int:
    if args.action == "list":
        no_more(args.program, "list")
        table.show_each(programs(), _row, args.json, "no programs")
        return 0
    with which("prog", args.program, Program.from_id, Program.from_pin) as prog:
        if args.action == "show":
            info = prog.info
            table.details({**_summary(info), **_more(prog, info)}, args.json)
        else:
            _dump(prog, args)
    return 0


def _row(prog: Program) -> dict[str, Any]:
    return {**_summary(prog.info), "maps": len(prog.map_ids)}


def _summary(info: Any) -> dict[str, Any]:
    return {
        "id": info.id,
        "type": table.name(ProgType, info.type),
        "name": info.name.decode(errors="replace"),
        "tag": bytes(info.tag).hex(),
        "gpl": bool(info.gpl_compatible),
        "insns": info.xlated_prog_len // 8,
        "jited": info.jited_prog_len,
    }


def _more(prog: Program, info: Any) -> dict[str, Any]:
    return {
        "uid": info.created_by_uid,
        "loaded": f"{info.load_time / 1e9:.3f} s after boot",
        "map_ids": prog.map_ids,
        "btf_id": info.btf_id or None,
        "ifindex": info.ifindex or None,
        "verified_insns": getattr(info, "verified_insns", 0) or None,
        "run_count": info.run_cnt or None,
        "run_time_ns": info.run_time_ns or None,
        "recursion_misses": getattr(info, "recursion_misses", 0) or None,
    }


def _dump(prog: Program, args: argparse.Namespace) -> None:
    import json
    import sys

    from ..asm import disassemble

    raw = prog.info_array("xlated_prog_insns")
    if args.raw:
        sys.stdout.buffer.write(raw)
    elif args.json:
        print(json.dumps(disassemble(raw).splitlines()))
    else:
        print(disassemble(raw, numbers=True))
