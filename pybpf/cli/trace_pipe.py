"""Print what programs write with bpf_trace_printk, as it comes, until it is interrupted.

The pipe is one for the whole machine: a line that is read here, nobody else reads.
"""

from __future__ import annotations

import argparse
import json

from ..events.tracepipe import TracePipe, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

EPILOG = """examples:
  pybpf trace-pipe
  pybpf trace-pipe --count 10 --json
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument("--count", type=number(int), help="end after that many lines")
    parser.add_argument("--timeout", type=number(float), help="end when nothing came for that many seconds")


def number(kind: Callable[[str], float]) -> Callable[[str], float]:
    """A number that is not negative, for argparse."""

    def parse(text: str) -> float:
        value = kind(text)
        if not value >= 0:
            raise argparse.ArgumentTypeError(f"{text} is negative, or no number")
        return value

    parse.__name__ = "number"  # what argparse calls a text that is none
    return parse


def run(args: argparse.Namespace) -> int:
    left = args.count
    with TracePipe() as pipe:
        try:
            while left is None or left > 0:
                lines = pipe.poll(args.timeout)
                if not lines and args.timeout is not None:
                    break
                for line in lines[:left]:
                    _print(line, args.json)
                left = None if left is None else left - len(lines)
        except KeyboardInterrupt:
            pass
    return 0


def _print(line: str, as_json: bool) -> None:
    if not as_json:
        print(line.rstrip("\n"), flush=True)
        return
    parts = parse(line)
    print(json.dumps({"line": line} if parts is None else parts._asdict()), flush=True)
