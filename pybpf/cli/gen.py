"""Write a typed Python module for a BPF object file: its programs, maps, variables and the structs that they exchange.

An editor then completes their names, and a type checker knows them.  The module opens the object when it is asked to.
"""

from __future__ import annotations

import argparse
import keyword
import os
import sys
from pathlib import Path

from ..btf.btf import Btf
from ..btf.kinds import Kind
from ..btf.types import Array, Enum, Int, Struct, Type
from ..elf import ObjectSpec, open_elf
from ..elf.file import ElfFile
from ..types import Scalar

EPILOG = """examples:
  pybpf gen filter.o > filter.py           a module beside the object
  pybpf gen filter.o -o filter.py --name Filter
"""
_SCALARS = {(1, False): "u8", (2, False): "u16", (4, False): "u32", (8, False): "u64"}
_TAKEN = {"Any", "Collection", "IntEnum", "MapSpec", "ObjectSpec", "Program", "ProgramSpec", "Struct"}
_SCALARS |= {(1, True): "s8", (2, True): "s16", (4, True): "s32", (8, True): "s64"}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument("object", help="the object file")
    parser.add_argument("-o", "--output", metavar="OUT", help="write to this file")
    parser.add_argument("--name", help="of the class; by default made from the file's name")
    parser.add_argument(
        "--btf", metavar="FILE", help="kernel types to resolve against, instead of the running kernel's"
    )


def run(args: argparse.Namespace) -> int:
    raw = Path(args.object).read_bytes()
    stem = os.path.basename(args.object).split(".", 1)[0]
    target = Btf.parse(Path(args.btf).read_bytes()) if args.btf else None
    text = generate(raw, stem, os.path.basename(args.object), args.name, target)
    if args.output:
        Path(args.output).write_text(text)
    else:
        sys.stdout.write(text)
    return 0


def generate(raw: bytes, stem: str, file: str, class_name: str | None = None, target: Btf | None = None) -> str:
    """The text of the module for the object `raw`, which the module looks for as `file` beside itself."""
    obj = open_elf(raw, btf=target, name=stem)
    name = class_name or _class_name(stem)
    types = _Types(_own_btf(raw), {*_TAKEN, name})
    body = _object_class(obj, types, name, file)
    return (
        f'"""The programs, maps and variables of {file}; written by `pybpf gen`: change the C source, not this."""\n\n'
        + _imports(types, body)
        + "".join(types.chunks)
        + body
    )


def _own_btf(raw: bytes) -> Btf | None:
    section = ElfFile(raw).section(".BTF")
    return Btf.parse(section.data) if section is not None and section.size else None


def _imports(types: _Types, body: str) -> str:
    lines = ["from __future__ import annotations\n"]
    standard = [*(["import ctypes"] if types.needs_ctypes else []), "import os"]
    standard += ["from enum import IntEnum"] if types.needs_enum else []
    standard += ["from typing import TYPE_CHECKING, Any" if types.needs_checking else "from typing import Any"]
    lines += ["\n".join(standard) + "\n"]
    names = sorted(
        {"Collection", "MapSpec", "Program", "ProgramSpec", "load_collection", "open_elf", *types.used}, key=_order
    )
    lines += [f"from pybpf import {', '.join(names)}", "from pybpf.elf import ObjectSpec\n\n\n"]
    return "\n".join(lines)


def _order(name: str) -> tuple[bool, str]:
    """Names of an import as linters sort them: classes, then functions."""
    return name[0].islower(), name


class _Types:
    """Classes for structs and enumerations, each written once and after those it needs."""

    def __init__(self, btf: Btf | None, taken: set[str]) -> None:
        self.taken = taken
        self.btf = btf
        self.chunks: list[str] = []
        self.used: set[str] = set()
        self.names: dict[str, str | None] = {}
        self.needs_ctypes = self.needs_enum = self.needs_checking = False

    def spell(self, t: Type) -> str | None:
        """The Python name of a type; None for what has no counterpart (unions, bit-fields, pointers): use bytes."""
        inner = t.stripped
        if isinstance(inner, Int):
            if inner.is_char and not inner.is_bool:
                return self._use("u8")
            name = _SCALARS.get((inner.size, inner.signed))
            return self._use(name) if name and not inner.is_bool else None
        if isinstance(inner, Enum):
            return self._use("s32" if inner.signed else "u32") if inner.size == 4 else None
        if isinstance(inner, Array):
            element = inner.element.stripped
            if isinstance(element, Int) and element.size == 1 and (element.is_char or element.name == "char"):
                return f"{self._use('char')}[{inner.count}]" if inner.count else None
            name = self.spell(inner.element)
            scalar = name is not None and name in _SCALARS.values()
            return f"{name}[{inner.count}]" if scalar and inner.count else None
        if inner.kind == Kind.PTR:
            return self._use("u64")
        return self.struct(inner, inner.name) if isinstance(inner, Struct) else None

    def class_name(self, name: str) -> str:
        """The name of a class for a C name, other than those that the module needs itself."""
        found = _class_name(name)
        return f"{found}_" if found in self.taken else found

    def _use(self, name: str) -> str:
        self.used.add(name)
        return name

    def struct(self, t: Struct, called: str) -> str | None:
        """The class of a struct, written now if it was not; `called` names one that has no name of its own."""
        if not called or t.is_union:
            return None
        name = self.class_name(called)
        if name in self.names:
            return self.names[name]
        self.names[name] = None  # a struct that holds itself is no type
        rows, at = [], 0
        for m in t.members:
            inner = m.type.stripped
            spelled = self.spell(m.type) if m.name and not m.bit_size else None
            if m.name and isinstance(inner, Struct) and not inner.name:
                spelled = self.struct(inner, f"{called}_{m.name}")
            if spelled is None or m.offset != -(-at // _alignment(m.type)) * _alignment(m.type):
                return None
            at = m.offset + m.size
            rows.append(self._field(_identifier(m.name), spelled, f"# byte {m.offset}: {m.type}"))
        if not rows or -(-at // _alignment(t)) * _alignment(t) != t.size:
            return None
        self._use("Struct")
        self.chunks.append(f'class {name}(Struct):\n    """`{t}`, {t.size} bytes."""\n\n{"".join(rows)}\n\n')
        self.names[name] = name
        return name

    def _field(self, name: str, spelled: str, comment: str) -> str:
        """One field; checkers are told of an array what reading it gives, for to them `u32[4]` is no type."""
        if not spelled.endswith("]"):
            return f"    {name}: {spelled}  {comment}\n"
        self.needs_checking = True
        element = spelled.partition("[")[0]
        hint = "bytes"
        if element != "char":
            self.needs_ctypes = True
            size, signed = next(key for key, scalar in _SCALARS.items() if scalar == element)
            hint = f"ctypes.Array[ctypes.c_{'' if signed else 'u'}int{size * 8}]"
        return f"    if TYPE_CHECKING:\n        {name}: {hint}\n    else:\n        {name}: {spelled}  {comment}\n"

    def enums(self, t: Type) -> None:
        """Write a class for an enumeration with a name."""
        if isinstance(t, Enum) and t.name and t.items:
            self.needs_enum = True
            name = self.class_name(t.name)
            if name not in self.names:
                self.names[name] = name
                rows = "".join(f"    {_identifier(field)} = {value}\n" for field, value in t.items)
                self.chunks.append(f"class {name}(IntEnum):\n{rows}\n\n")


def _alignment(t: Type) -> int:
    from ..btf.layout import Layout

    return Layout().alignment(t)


def _object_class(obj: ObjectSpec, types: _Types, name: str, file: str) -> str:
    btf = types.btf
    if btf is not None:
        definitions = _map_definitions(btf)
        for t in btf:
            types.enums(t)
            # Structs that are sent through buffers are named by no map: all that are defined here and whole are given.
            if isinstance(t, Struct) and t.id not in definitions:
                types.struct(t, t.name)
    rows = [
        f"class {name}:\n",
        f'    """{file}: opened by making it, loaded by `load()`."""\n\n',
        f'    FILE = os.path.join(os.path.dirname(__file__), "{file}")\n\n',
        "    def __init__(self, path: str = FILE, **options: Any) -> None:\n",
        "        self.object: ObjectSpec = open_elf(path, **options)\n",
        *_typed_maps(obj, types),
        "        self.live: Collection | None = None\n\n",
    ]
    taken = {"object", "live", "load", "set", "close", "FILE"}
    for program in obj.programs:
        rows += _property(
            taken, program.name, "ProgramSpec", f"SEC({program.section!r})", f"self.object[{program.name!r}]"
        )
    for symbol, spec in obj.maps.items():
        if not symbol.startswith("."):
            what = f"key: {_shown(spec.key, spec.key_size)}; value: {_shown(spec.value, spec.value_size)}"
            rows += _property(taken, symbol, "MapSpec", what, f"self.object.maps[{symbol!r}]")
    variables = {n: g for n, g in obj.globals.items() if n.isidentifier() and not keyword.iskeyword(n)}
    if variables:
        parameters = ", ".join(f"{n}: int | bytes | None = None" for n in variables)
        given = ", ".join(f"{n!r}: {n}" for n in variables)
        listed = "".join(f"        {n}: {g.type}, {g.size} bytes in {g.section}\n" for n, g in variables.items())
        rows += [
            f"    def set(self, *, {parameters}) -> None:\n",
            f'        """Give variables their values before loading.\n\n{listed}        """\n',
            f"        values = {{{given}}}\n",
            "        self.object = self.object.set(**{n: v for n, v in values.items() if v is not None})\n\n",
        ]
    rows += [
        f"    def load(self) -> {name}:\n",
        '        """Load the programs and maps; `live` has them."""\n',
        "        self.live = load_collection(self.object)\n",
        "        return self\n\n",
        "    def program(self, spec: ProgramSpec) -> Program:\n",
        '        """The loaded program of a spec."""\n',
        "        assert self.live is not None, 'load() first'\n",
        "        found: Program = self.live[spec]\n",
        "        return found\n\n",
        "    def close(self) -> None:\n",
        "        if self.live is not None:\n",
        "            self.live.close()\n\n",
        f"    def __enter__(self) -> {name}:\n        return self\n\n",
        "    def __exit__(self, *exc: object) -> None:\n        self.close()\n",
    ]
    return "".join(rows)


def _map_definitions(btf: Btf) -> set[int]:
    """Structs that only say what a map is."""
    found: set[int] = set()
    for section in btf.find_all(".maps", Kind.DATASEC):
        todo = [var.type.stripped for var, _, _ in section.vars]  # type: ignore[attr-defined]
        for t in todo:
            found.add(t.id)
            values = t["values"].type.stripped if isinstance(t, Struct) and "values" in t else None
            if isinstance(values, Array):
                todo.append(values.element.stripped.type.stripped)
    return found


def _typed_maps(obj: ObjectSpec, types: _Types) -> list[str]:
    """Lines that make maps hold the classes of the module."""
    lines = []
    for symbol, spec in obj.maps.items():
        for which in ("key", "value"):
            type_ = getattr(spec, which)
            name = types.names.get(types.class_name(type_.__name__)) if isinstance(type_, type) else None
            if name:
                lines.append(f"        self.object = self.object.edit_map({symbol!r}, {which}={name})\n")
    return lines


def _property(taken: set[str], name: str, type_: str, doc: str, value: str) -> list[str]:
    python = _identifier(name)
    while python in taken:
        python += "_"
    taken.add(python)
    return [
        f'    @property\n    def {python}(self) -> {type_}:\n        """{doc}"""\n',
        f"        found: {type_} = {value}\n        return found\n\n",
    ]


def _shown(type_: object, size: int) -> str:
    if isinstance(type_, Scalar):
        return type_.name
    return f"struct {type_.__name__}" if isinstance(type_, type) else f"{size} bytes"


def _identifier(name: str) -> str:
    text = "".join(c if c.isalnum() and c.isascii() else "_" for c in name) or "_"
    text = f"_{text}" if text[0].isdigit() else text
    return f"{text}_" if keyword.iskeyword(text) else text


def _class_name(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in _identifier(name).split("_")) or "Object"
