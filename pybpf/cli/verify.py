"""Check programs offline: whether the kernel would take them, why not, and what to do.

FILE is a Python file (every program that it defines is checked), an ELF object (.o), assembly (.s, .asm; `--type` says
what kind of program) or raw bytes (.bin, or anything else with `--type`).  The exit status is 0 when all programs would
be taken, 1 when one would be rejected, 2 when one is not known.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..errors import BpfError, SpecError
from ..spec import ProgramSpec
from ..uapi.attach import AttachType
from ..uapi.prog import ProgType
from ..verifier import Env, Report, verify

EPILOG = """examples:
  pybpf verify examples/count.py
  pybpf verify prog.o --kernel 5.10
  pybpf verify filter.s --type socket_filter
  pybpf verify prog.bin --type xdp --json
  pybpf verify prog.py --html report.html
  pybpf verify prog.py --sarif > results.sarif
"""

_STATUS = {"accept": 0, "reject": 1, "unknown": 2}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument(
        "file", help="a Python file, ELF object, assembly or raw bytes ('-': raw bytes on standard input)"
    )
    parser.add_argument("--type", help="program type of assembly and raw bytes: xdp, socket_filter, sched_cls, ...")
    parser.add_argument("--attach-type", help="expected attach type, such as cgroup_inet4_bind")
    parser.add_argument("--name", action="append", help="check only the program of that name (may be repeated)")
    parser.add_argument("--license", default="GPL", help="licence of assembly and raw bytes (default: GPL)")
    parser.add_argument("--kernel", help="the kernel to check for: 5.10, 6.1, ..., or the file of `pybpf probe`")
    parser.add_argument("--unprivileged", action="store_true", help="check as for a user without capabilities")
    parser.add_argument("--here", action="store_true", help="take CPUs and kernel types from the running machine")
    parser.add_argument("--quiet", action="store_true", help="print only programs that would not be taken")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print JSON")
    output.add_argument("--sarif", action="store_true", help="print SARIF 2.1.0")
    output.add_argument("--html", metavar="OUT", help="write one page with the control flow and all states")


def run(args: argparse.Namespace) -> int:
    specs = [spec for spec in _specs(args) if not args.name or spec.name in args.name]
    if not specs:
        raise SpecError(f"{args.file} has no program" + (f" named {' or '.join(args.name)}" if args.name else ""))
    env = Env.here() if args.here else None
    reports = [verify(spec, args.kernel, not args.unprivileged, env, record=bool(args.html)) for spec in specs]
    _write(reports, args)
    return max((_STATUS[report.verdict] for report in reports), key=(0, 2, 1).index)


def _write(reports: list[Report], args: argparse.Namespace) -> None:
    from json import dumps

    if args.json:
        print(dumps([report.to_json() for report in reports], indent=2))
    elif args.sarif:
        from ..verifier.sarif import document

        print(dumps(document(reports), indent=2))
    else:
        if args.html:
            from ..verifier.html import pages

            Path(args.html).write_text(pages(reports), encoding="utf-8")
        for report in reports:
            if not args.quiet or not report.ok:
                print(report)


def _specs(args: argparse.Namespace) -> list[ProgramSpec]:
    path = Path(args.file)
    if path.suffix == ".py":
        return _from_python(path)
    raw = sys.stdin.buffer.read() if args.file == "-" else path.read_bytes()
    if raw.startswith(b"\x7fELF"):
        from ..elf import open_elf

        return list(open_elf(path).programs)
    if not args.type:
        raise SpecError(f"{args.file}: say what kind of program it is, with --type")
    prog_type = _member(ProgType, args.type, "program type")
    attach = None if args.attach_type is None else _member(AttachType, args.attach_type, "attach type")
    name = path.stem if args.file != "-" else "stdin"
    if path.suffix in (".s", ".asm", ".S", ".txt"):
        from ..asm import assemble

        insns = assemble(raw.decode("utf-8", "replace"), args.file)
        return [ProgramSpec(insns, prog_type, name=name, license=args.license, expected_attach_type=attach)]
    return [ProgramSpec.from_bytes(raw, prog_type, name=name, license=args.license, expected_attach_type=attach)]


def _from_python(path: Path) -> list[ProgramSpec]:
    """The programs that a file defines, in its order; the file is executed as a module, not as a script."""
    from importlib.util import module_from_spec, spec_from_file_location

    found = spec_from_file_location(path.stem, path)
    if found is None or found.loader is None:
        raise SpecError(f"{path} cannot be imported")
    module = module_from_spec(found)
    sys.modules[path.stem] = module
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        found.loader.exec_module(module)
    except BpfError:
        raise
    except Exception as error:  # whatever the user's file raises while it is imported
        raise SpecError(f"{path} failed while it was imported: {type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)
        sys.modules.pop(path.stem, None)
    seen: list[ProgramSpec] = []
    for value in vars(module).values():
        if isinstance(value, ProgramSpec) and not any(value is other for other in seen):
            seen.append(value)
    return seen


def _member(enum: type[ProgType] | type[AttachType], word: str, what: str) -> int:
    if word.isdigit():
        return int(word)
    try:
        return int(enum[word.upper()])
    except KeyError:
        from difflib import get_close_matches

        near = get_close_matches(word.upper(), list(enum.__members__), 1)
        raise SpecError(f"no {what} {word!r}" + (f": did you mean {near[0].lower()}?" if near else "")) from None
