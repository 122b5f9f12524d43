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

_TEXT = (".s", ".S", ".asm", ".txt")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that say which programs, for `read`."""
    parser.add_argument("program", help="a Python file, an ELF object, assembly or raw bytes")
    parser.add_argument("--name", help="the program of that name, when the file has several")
    parser.add_argument("--type", help="program type of assembly and raw bytes: xdp, socket_filter, sched_cls, ...")
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="NAME=TYPE,KEY,VALUE,ENTRIES",
        help="a map that assembly refers to, sizes in bytes (packets=hash,4,8,256)",
    )


def read(args: argparse.Namespace) -> list[ProgramSpec]:
    """The programs in the file, those named first.  SpecError when there are none, or none of that name."""
    path = Path(args.program)
    specs = _read(path, args)
    if args.name:
        named = [spec for spec in specs if spec.name == args.name]
        if not named:
            known = ", ".join(spec.name for spec in specs) or "none"
            raise SpecError(f"{path} has no program named {args.name!r}; it has {known}")
        specs = named + [spec for spec in specs if spec.name != args.name]
    if not specs:
        raise SpecError(f"{path} has no program")
    return specs


def _read(path: Path, args: argparse.Namespace) -> list[ProgramSpec]:
    from ..uapi import ProgType

    if path.suffix == ".py":
        return _from_python(path)
    raw = path.read_bytes()
    if raw.startswith(b"\x7fELF"):
        from ..elf import open_elf

        return list(open_elf(str(path)))
    if not args.type:
        raise SpecError(f"{path}: say what kind of program it is, with --type")
    prog_type = _member(ProgType, args.type)
    maps = {spec.name: spec for spec in map(_map, args.map)}
    if path.suffix in _TEXT:
        from ..asm import assemble

        return [ProgramSpec(assemble(raw.decode("utf-8", "replace"), str(path)), prog_type, name=path.stem, maps=maps)]
    return [ProgramSpec.from_bytes(raw, prog_type, name=path.stem)]


def _from_python(path: Path) -> list[ProgramSpec]:
    """What a file defines, in its order; it is imported, so its `if __name__ == "__main__"` part does not run."""
    from importlib.util import module_from_spec, spec_from_file_location

    found = spec_from_file_location(path.stem, path)
    if found is None or found.loader is None or not path.exists():
        raise SpecError(f"{path} cannot be imported")
    module = module_from_spec(found)
    sys.modules[path.stem] = module
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
    return MapSpec(_member(MapType, parts[0]), key, value, entries, name=name)


def _member(enum: type[IntEnum], word: str) -> int:
    try:
        return int(enum[word.upper()])
    except KeyError:
        known = ", ".join(m.lower() for m in enum.__members__)
        raise SpecError(f"there is no {enum.__name__} {word!r}; there are {known}") from None
