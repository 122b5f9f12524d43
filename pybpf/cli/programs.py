"""The programs that a command is given: from Python, assembly, ELF objects, or raw bytes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..errors import BpfError, SpecError
from ..spec import MapSpec, ProgramSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from enum import IntEnum
    from typing import Any

_TEXT = (".s", ".S", ".asm", ".txt")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that say which programs, for `read`."""
    parser.add_argument(
        "program", help="a Python file, an ELF object, assembly or raw bytes ('-': raw bytes on standard input)"
    )
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        help="the program of that name or ELF section, when the file has several (repeatable)",
    )
    parser.add_argument("--type", help="program type of assembly and raw bytes: xdp, socket_filter, sched_cls, ...")
    parser.add_argument("--attach-type", help="expected attach type of assembly and raw bytes: cgroup_inet4_bind, ...")
    parser.add_argument("--license", default="GPL", help="licence of assembly and raw bytes (default: GPL)")
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="NAME=TYPE,KEY,VALUE,ENTRIES",
        help="a map that assembly refers to, sizes in bytes (packets=hash,4,8,256)",
    )


def read(args: argparse.Namespace) -> tuple[list[ProgramSpec], list[ProgramSpec]]:
    """The programs that are meant (those named, or all), and the others of the file.

    SpecError when there are none, or none of a name; OSError when the file cannot be read.
    """
    path = Path(args.program)
    specs = _read(path, args)
    if not specs:
        raise SpecError(f"{path} has no program")
    for name in args.name:
        if not any(name in (spec.name, spec.section) for spec in specs):
            raise SpecError(f"{path} has no program named {name!r}; it has {', '.join(spec.name for spec in specs)}")
    meant = [spec for spec in specs if not args.name or {spec.name, spec.section} & set(args.name)]
    # By identity: comparing decorated functions compiles them.
    return meant, [spec for spec in specs if not any(spec is one for one in meant)]


def _read(path: Path, args: argparse.Namespace) -> list[ProgramSpec]:
    from ..uapi import AttachType, ProgType

    if path.suffix == ".py":
        return _from_python(path)
    piped = args.program == "-"
    raw = sys.stdin.buffer.read() if piped else path.read_bytes()
    if raw.startswith(b"\x7fELF"):
        from ..elf import open_elf

        return list(open_elf(raw, name=path.name.partition(".")[0]))
    if not args.type:
        raise SpecError(f"{path}: say what kind of program it is, with --type")
    prog_type = _member(ProgType, args.type, "program type")
    attach_type = None if args.attach_type is None else _member(AttachType, args.attach_type, "attach type")
    common: dict[str, Any] = {
        "name": "stdin" if piped else path.stem,
        "license": args.license,
        "expected_attach_type": attach_type,
    }
    if path.suffix not in _TEXT:
        return [ProgramSpec.from_bytes(raw, prog_type, **common)]
    from ..asm import assemble

    maps = {spec.name: spec for spec in map(_map, args.map)}
    return [ProgramSpec(assemble(raw.decode("utf-8", "replace"), str(path)), prog_type, maps=maps, **common)]


def _from_python(path: Path) -> list[ProgramSpec]:
    """What a file defines, in its order; it is imported, so its `if __name__ == "__main__"` part does not run."""
    from importlib.util import module_from_spec, spec_from_file_location

    name = f"pybpf_program_{path.stem}"  # a name of its own: the user's json.py shall not stand for Python's
    found = spec_from_file_location(name, path)
    if not path.exists():
        raise SpecError(f"{path}: there is no such file")
    if found is None or found.loader is None:
        raise SpecError(f"{path} cannot be imported")
    module = module_from_spec(found)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        found.loader.exec_module(module)
    except (BpfError, KeyboardInterrupt):
        raise
    except BaseException as error:  # whatever the user's file raises, SystemExit included
        raise SpecError(f"{path} failed while it was imported: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.parent.resolve()))
    out: list[ProgramSpec] = []
    for value in vars(module).values():
        if isinstance(value, ProgramSpec) and not any(value is known for known in out):
            out.append(value)
    return out


def _map(text: str) -> MapSpec:
    from ..uapi import MapType

    name, _, rest = text.partition("=")
    parts = rest.split(",")
    if not name or len(parts) != 4 or not all(p.isdigit() for p in parts[1:]):
        raise SpecError(f"--map {text}: expected NAME=TYPE,KEY,VALUE,ENTRIES, such as packets=hash,4,8,256")
    key, value, entries = map(int, parts[1:])
    return MapSpec(_member(MapType, parts[0], "map type"), key, value, entries, name=name)


def _member(enum: type[IntEnum], word: str, what: str) -> int:
    if word.isdigit():
        return int(word)
    try:
        return int(enum[word.upper()])
    except KeyError:
        from difflib import get_close_matches

        near = get_close_matches(word.upper(), list(enum.__members__), 1)
        raise SpecError(f"no {what} {word!r}" + (f": did you mean {near[0].lower()}?" if near else "")) from None
