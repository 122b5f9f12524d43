"""The `pybpf` command: one module a subcommand, listed in `COMMANDS`.

A command's module has `HELP` (one line), `configure(parser)` to add arguments and an `epilog` with
examples, and `run(args) -> int`, the exit status.  It is imported only when it is the one asked for.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from os import devnull

from ..errors import BpfError

COMMANDS: dict[str, str] = {
    "asm": "assemble text into eBPF bytes",
    "disasm": "print eBPF bytes as text",
    "doctor": "can I use BPF here? what is missing, and the remedy",
    "feature": "what this kernel can do",
    "filter": "compile pcap expressions, print classic filters, watch what they match",
    "gen": "write a typed Python module for a BPF object file",
    "link": "links in the kernel: list, show, dump, detach",
    "map": "maps in the kernel: list, show, dump",
    "probe": "ask the running kernel for its rules, and compare them with the tables",
    "prog": "programs in the kernel: list, show, dump",
    "run": "run programs offline, on packets and captures",
    "trace-pipe": "print what programs write with bpf_trace_printk",
    "verify": "check programs offline, as the kernel would",
}


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit status (2 for a usage error, 1 for an error of pybpf's tree)."""
    argv = sys.argv[1:] if argv is None else argv
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # closed by who started us; a program's descriptor must not take its number
            setattr(sys, stream, open(devnull, "w"))  # noqa: SIM115
    parser = argparse.ArgumentParser(prog="pybpf", description="eBPF from plain Python.")
    parser.add_argument("--version", action="version", version=_version())
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    wanted = next((word for word in argv if not word.startswith("-")), None)
    for name, help_ in COMMANDS.items():
        sub = commands.add_parser(name, help=help_, formatter_class=argparse.RawDescriptionHelpFormatter)
        if name == wanted:
            module = import_module(f".{name.replace('-', '_')}", __name__)
            sub.description = module.__doc__
            module.configure(sub)
            sub.set_defaults(run=module.run)
    args = parser.parse_args(argv)
    try:
        return int(args.run(args))
    except BpfError as error:
        print(f"pybpf {args.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\npybpf {args.command}: interrupted", file=sys.stderr)
        return 130  # as the shell reports a program that SIGINT ended
    except BrokenPipeError:
        return 141  # as the shell reports a program that SIGPIPE ended
    except OSError as error:  # a file of the user's, missing or unreadable
        print(f"pybpf {args.command}: {error}", file=sys.stderr)
        return 1


def _version() -> str:
    from .. import __version__

    return f"pybpf {__version__}"
