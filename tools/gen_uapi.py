#!/usr/bin/env python3
"""Writes pybpf/uapi/ from a kernel's BTF and UAPI headers: enums, structures, helper prototypes.

    python tools/gen_uapi.py --fetch     Debian's newest kernel and headers into .cache/uapi, then generate
    python tools/gen_uapi.py             generate from what --fetch left there
    python tools/gen_uapi.py --check     compare the committed files with what can be read on this machine

What is written is facts: names, numbers, layouts, C types.  tools/uapi_tables.py says which enum or structure becomes
which class, under which name, in which module; tools/uapi_sources.py finds and reads the BTF and the headers.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path

from uapi_sources import Sources, cached, fetch, number, prototypes
from uapi_tables import CONSTANTS, ENUMS, STRUCTS

from pybpf.btf import Btf, Kind, Struct, Type

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "pybpf" / "uapi"
SKIP = re.compile(r"^(__|MAX_|.*_MAX_STATES$|PERF_\w+_MAX$|__PERF)")


# --- enums


def members_of(members: Iterable[tuple[str, int]], prefixes: str) -> Iterator[tuple[str, int]]:
    """The members that a class gets, without prefix; of two names for one number a deprecated one comes last."""
    for member, value in sorted(members, key=lambda m: m[0].endswith("_DEPRECATED")):
        if not SKIP.match(member):
            yield next((member[len(p) :] for p in prefixes.split() if member.startswith(p)), member), value


def enum_class(name: str, base: str, doc: str, members: list[tuple[str, int]], prefixes: str) -> str:
    """Python source of one enum; of several names for one number the one marked deprecated comes last."""
    rows = dict(members_of(members, prefixes))
    order = sorted(rows, key=lambda m: rows[m])  # stable: aliases stay behind the first name
    hexed = base == "IntFlag"
    body = "".join(f"    {m} = {hex(rows[m]) if hexed and rows[m] > 9 else rows[m]}\n" for m in order)
    return f'class {name}({base}):\n    """{doc}"""\n\n{body}'


# --- structures


class Layouts:
    """Turns structures of BTF into ctypes classes, nested ones first, with explicit padding.

    Padding is explicit so that 32-bit machines, which align 64-bit numbers to 4, get the same layout.
    """

    def __init__(self, btf: Btf) -> None:
        self.btf = btf
        self.done: set[str] = set()
        self.code: list[str] = []

    def ctype(self, type_: Type, hint: str) -> str:
        names = typedefs(type_)
        type_ = type_.stripped
        if type_.kind == Kind.PTR:
            return "c_uint64"
        if type_.kind == Kind.ARRAY:
            return f"{self.ctype(type_.element, hint)} * {type_.count}"
        if type_.kind in (Kind.STRUCT, Kind.UNION):
            name = type_.name or hint
            self.emit(name, type_)
            return name
        if type_.kind == Kind.INT and type_.name == "char":
            return "c_char"
        for big in ("__be16", "__be32", "__be64"):
            if big in names:
                return big[2:]
        signed = type_.kind == Kind.INT and type_.signed
        return f"c_{'' if signed else 'u'}int{type_.size * 8}"

    def emit(self, name: str, type_: Struct) -> None:
        """Append the class, and before it those that it is made of."""
        if name in self.done:
            return
        self.done.add(name)
        rows: list[tuple[str, str, int]] = []
        anonymous: list[str] = []
        at = pads = 0
        for member in type_.members:
            field, inner = member.name, member.type
            if not field and inner.stripped.kind == Kind.UNION and len(inner.stripped.members) == 1:
                # What __bpf_md_ptr() makes: a pointer that has 64 bits everywhere.
                field, inner = inner.stripped.members[0].name, inner.stripped.members[0].type
            width = member.type.size
            offset = member.offset // width * width if member.bit_size else member.offset  # bit fields share a word
            if not type_.is_union and offset > at:
                rows.append((f"_pad{pads}", f"c_uint8 * {offset - at}", 0))
                pads += 1
            if not field:
                field = f"_{len(anonymous)}"
                anonymous.append(field)
            rows.append((field, self.ctype(inner, f"{name}_{field.lstrip('_')}"), member.bit_size))
            at = offset + width
        if not type_.is_union and at < type_.size:
            rows.append((f"_pad{pads}", f"c_uint8 * {type_.size - at}", 0))
        kind, base = ("union", "Union") if type_.is_union else ("struct", "Structure")
        doc = f"{kind} {type_.name}" if type_.name else "Part of a larger structure"
        fields = "".join(f'        ("{f}", {c}{f", {b}" if b else ""}),\n' for f, c, b in rows)
        names = "".join(f'"{a}", ' for a in anonymous)
        self.code.append(
            f'class {name}({base}):\n    """{doc}, {type_.size} bytes."""\n\n'
            + (f"    _anonymous_ = ({names})\n" if anonymous else "")
            + (f"    _fields_ = (\n{fields}    )\n" if rows else "    _fields_ = ()\n")
        )

    def member(self, path: str) -> Struct | None:
        """`name` is that structure; `name.member` the type of that member, or the anonymous structure around it."""
        outer, _, wanted = path.partition(".")
        found = next((t for t in self.btf.find_all(outer) if t.kind in (Kind.STRUCT, Kind.UNION)), None)
        if not wanted or found is None:
            return found
        for member in found.members:
            inner = member.type.stripped
            if member.name == wanted or (not member.name and any(m.name == wanted for m in inner.members)):
                return inner
        return None


def typedefs(type_: Type) -> set[str]:
    """The names of the typedefs on the way to what a type is."""
    names = set()
    while type_.kind in (Kind.TYPEDEF, Kind.CONST, Kind.VOLATILE, Kind.RESTRICT, Kind.TYPE_TAG):
        names.add(type_.name)
        type_ = type_.type
    return names


# --- modules


def banner(sources: Sources, doc: str, headers: bool = False) -> str:
    origin = sources.headers_origin if headers else sources.btf_origin
    return (
        f'"""{doc}\n\nWritten by tools/gen_uapi.py; do not edit.\nFrom {origin}.\n"""\n\n'
        "from __future__ import annotations\n\n"
    )


def modules(sources: Sources) -> dict[str, str]:
    """File name -> text of every module of pybpf/uapi/."""
    texts: dict[str, str] = {}
    exports: dict[str, list[str]] = {}
    for module, rows in ENUMS.items():
        origin = f"{sources.btf_origin}, {sources.headers_origin}"
        text = (
            f'"""Constants of the kernel: {", ".join(r[0] for r in rows[:3])}{", ..." if len(rows) > 3 else ""}\n\n'
            f'Written by tools/gen_uapi.py; do not edit.\nFrom {origin}.\n"""\n\n'
            "from __future__ import annotations\n\n"
        )
        bases = sorted({r[1] for r in rows})
        text += f"from enum import {', '.join(bases)}\n\n\n"
        blocks = []
        for name, base, doc, where, prefixes in rows:
            members = sources.enum(where)
            if not members:
                raise SystemExit(f"gen_uapi: {name}: nothing found by {where!r}")
            blocks.append(enum_class(name, base, doc, members, prefixes))
        exports[module] = [r[0] for r in rows]
        texts[module] = text + "\n\n".join(blocks)
    for module, (doc, classes) in STRUCTS.items():
        layouts = Layouts(sources.btf)
        for name, path in classes.items():
            t = layouts.member(path)
            if t is None:
                raise SystemExit(f"gen_uapi: no {path} in this BTF")
            layouts.emit(name, t)
        code = "\n\n".join(layouts.code)
        used = set(re.findall(r"\bc_\w+|\b(?:Structure|Union)\b", code))
        big = sorted(set(re.findall(r"\bbe(\d+)", code)))
        swapped = "".join(f"be{bits} = c_uint{bits}.__ctype_be__\n" for bits in big)
        plain = sorted(used | {f"c_uint{bits}" for bits in big})
        imports = f"from ctypes import {', '.join(plain)}\n"
        text = (
            f'"""{doc or "perf_event_open(2): constants and structures."}\n\n'
            f'Written by tools/gen_uapi.py; do not edit.\nFrom {sources.btf_origin}.\n"""\n\n'
            "from __future__ import annotations\n\n"
        )
        if module in texts:
            enums = texts[module].split("\n\n\n", 1)
            bases = sorted({r[1] for r in ENUMS[module]})
            texts[module] = f"{text}{imports}from enum import {', '.join(bases)}\n\n{swapped}\n\n{enums[1]}\n\n{code}"
            exports[module] += [*classes]
        else:
            texts[module] = f"{text}{imports}\n{swapped}\n\n{code}"
            exports[module] = [*classes]
    texts.update(helper_modules(sources))
    exports["helper_names"] = ["HELPER_NAMES"]
    exports["protos"] = ["HELPER_PROTOS"]
    constants = [(c, number(sources.defines(h)[c])) for h, names in CONSTANTS.items() for c in names]
    lines = "".join(f"{c} = {v}\n" for c, v in constants)
    texts["const"] = banner(sources, "Sizes that the UAPI names.", headers=True) + lines
    exports["const"] = [c for c, _ in constants]
    texts["__init__"] = init_module(exports)
    return {f"{name}.py": ruff(text) for name, text in texts.items()}


def helper_modules(sources: Sources) -> dict[str, str]:
    members = [(n.removeprefix("BPF_FUNC_"), v) for n, v in sources.enum("enum bpf_func_id") if not n.startswith("__")]
    names = [n for n, v in sorted(members, key=lambda m: m[1])]
    if [v for _, v in sorted(members, key=lambda m: m[1])] != list(range(len(members))):
        raise SystemExit("gen_uapi: helper ids are not consecutive")
    protos = prototypes(sources.header("linux/bpf.h"))
    missing = [n for n in names[1:] if n not in protos]
    if missing:
        raise SystemExit(f"gen_uapi: no prototype for {missing}")
    text = banner(sources, "Names of the helpers by id, without the cost of an enum; C calls them bpf_<name>.")
    texts = {"helper_names": text + "HELPER_NAMES = (\n" + "".join(f'    "{n}",\n' for n in names) + ")\n"}
    doc = "C prototypes of the helpers by id: (return type, ((argument type, argument name), ...))."
    text = banner(sources, doc, headers=True)
    rows = ['    ("", ()),\n']
    for n in names[1:]:
        ret, args = protos[n]
        rows.append(f"    ({ret!r}, {tuple(args)!r}),  # {n}\n")
    texts["protos"] = text + (
        "HELPER_PROTOS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (\n" + "".join(rows) + ")\n"
    )
    return texts


def init_module(exports: dict[str, list[str]]) -> str:
    checking = "".join(f"    from .{m} import {n} as {n}\n" for m, names in sorted(exports.items()) for n in names)
    homes = "".join(f"    **dict.fromkeys({tuple(names)!r}, {m!r}),\n" for m, names in sorted(exports.items()))
    return f'''"""The kernel's constants and structures: enums, ctypes structures, helper prototypes.

Every name is imported from its module when it is first used: `from pybpf.uapi import ProgType` loads `uapi.prog` alone.
Members have the kernel's spelling without its prefix (`BPF_PROG_TYPE_XDP` is `ProgType.XDP`).  A kernel newer than
this table may give numbers that it lacks: flags keep unknown bits, and `named()` keeps unknown numbers.

Written by tools/gen_uapi.py.  Do not edit.
"""

from __future__ import annotations

from ..lazy import exports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from enum import IntEnum
    from typing import TypeVar

{checking}
    _E = TypeVar("_E", bound=IntEnum)

_HOME = {{
{homes}}}

__all__ = ("named", *_HOME)  # noqa: PLE0604 (the table above is the one list of public names)


def named(enum: type[_E], value: int) -> _E | int:
    """The member of `enum` with this value, or `value` itself when a newer kernel has one that we do not know."""
    try:
        return enum(value)
    except ValueError:
        return value


__getattr__ = exports(__name__, _HOME)


def __dir__() -> list[str]:
    return sorted(__all__)
'''


def ruff(text: str) -> str:
    """`text` as the project's formatter and import sorter leave it."""
    for command in (["check", "--fix-only", "--select", "I"], ["format"]):
        command = [
            sys.executable,
            "-m",
            "ruff",
            *command,
            "--quiet",
            "--stdin-filename",
            str(OUT / "generated.py"),
            "-",
        ]
        done = subprocess.run(command, input=text, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"gen_uapi: {done.stderr}")
        text = done.stdout
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fetch", action="store_true", help="download Debian's newest kernel and headers first")
    parser.add_argument("--check", action="store_true", help="write nothing; compare, and exit 1 when they differ")
    args = parser.parse_args()
    if args.fetch:
        fetch()
    sources = cached()
    if args.check:
        return check(sources)
    if sources is None:
        raise SystemExit("gen_uapi: nothing to read; run with --fetch")
    for name, text in modules(sources).items():
        (OUT / name).write_text(text)
    return 0


def check(sources: Sources | None) -> int:
    """Compare the committed files with a full regeneration, or else their numbers with the running kernel's BTF."""
    if sources is not None:
        texts = modules(sources)
        stale = [name for name, text in texts.items() if (OUT / name).read_text() != text]
        verdict = f"{', '.join(stale)} differ: run tools/gen_uapi.py" if stale else "up to date"
        print(f"uapi: compared whole with {sources.btf_origin}: {verdict}")
        return bool(stale)
    running = Path("/sys/kernel/btf/vmlinux")
    if not running.exists():
        print("uapi: not compared: no fetched packages (tools/gen_uapi.py --fetch), no BTF of a running kernel")
        return 0
    wrong = list(disagreements(Sources(running.read_bytes(), "the running kernel", None, "")))
    print(
        "\n".join(wrong) or "uapi: agrees with the running kernel's BTF; not compared: the text of the files, constants"
    )
    if not wrong:
        print("      and prototypes that stand in headers only (tools/gen_uapi.py --fetch gets what they come from)")
    return bool(wrong)


def disagreements(sources: Sources) -> Iterator[str]:
    """What another kernel's BTF says otherwise: numbers of enums, offsets of fields.  Either may have more."""
    for module, rows in ENUMS.items():
        for name, _, _, where, prefixes in rows:
            ours = getattr(import_module(f"pybpf.uapi.{module}"), name)
            theirs = dict(members_of(sources.enum(where), prefixes))
            for member, value in theirs.items():
                if member in ours.__members__ and ours[member] != value:
                    yield f"uapi: {name}.{member} is {int(ours[member])}, there {value}"
    for module, (_, classes) in STRUCTS.items():
        layouts = Layouts(sources.btf)
        for name, path in classes.items():
            ours, theirs = getattr(import_module(f"pybpf.uapi.{module}"), name), layouts.member(path)
            for member in theirs.members if theirs else ():
                field = getattr(ours, member.name, None) if member.name else None
                if field is not None and not member.bit_size and field.offset != member.offset:
                    yield f"uapi: {name}.{member.name} is at {field.offset}, there at {member.offset}"


if __name__ == "__main__":
    raise SystemExit(main())
