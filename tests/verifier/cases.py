"""Tables of programs: assembly with functions of its own and the kernel's, maps, and the BTF that tells of them.

    task leaks | CLS | reference | reference leak
        r1 = 1; !bpf_task_from_pid
        r0 = 0; exit

A head tells name, program type (and behind it an attach type, @ what it is attached to, `sleepable`, `strict`, `proprietary`,
`frequent`: states are compared at every jump), the category of what is wrong (none: the program is taken) and part of the
message; indented lines are the program.  `!name` calls a kernel function, `%name` is the number of a type, `#85 0 0 0 7` an
instruction by its fields, `$task_struct.pid` a place in a structure of the kernel, `$task_struct` its number (and `$schedule` a
function's).  A library makes the BTF: `f(int, pair* nonnull) -> int` describes a function with a type and the tags of each
argument; `static` before it makes it one that is walked into.  Such lines may stand above the program.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from pybpf import MapSpec, ProgramSpec, asm
from pybpf.asm.insn import Insn
from pybpf.btf import Btf
from pybpf.btf.builder import GLOBAL, STATIC, BtfBuilder
from pybpf.btf.kinds import Kind
from pybpf.uapi.prog import ProgType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_FUNCTION = re.compile(r"(static )?(\w+)\((.*)\)(?: -> (.*))?")


KINDS = {
    "SK": ProgType.SOCKET_FILTER,
    "CLS": ProgType.SCHED_CLS,
    "TP": ProgType.TRACEPOINT,
    "RTP": ProgType.RAW_TRACEPOINT,
    "PE": ProgType.PERF_EVENT,
    "ADDR": ProgType.CGROUP_SOCK_ADDR,
}
"""Short names of program types; the others go by their own."""


_RAW = 0x77700000
FLAGS = {"strict": 1, "frequent": 8, "sleepable": 16}


class Case(NamedTuple):
    name: str
    kind: int
    attach: int | None
    flags: int
    target: str | None
    licence: str
    category: str | None
    message: str
    text: str
    functions: tuple[str, ...]


def table(text: str) -> Iterator[Case]:
    """The rows of a table."""
    for block in re.split(r"\n(?=\S)", text.strip()):
        head, *lines = block.split("\n")
        name, kind, category, message, *_ = [part.strip() for part in head.split(" | ")] + ["", ""]
        word, *more = kind.split()
        attach = next((int(one) for one in more if one.isdigit()), None)
        flags = sum(FLAGS.get(one, 0) for one in more) or (FLAGS["sleepable"] if word == "SYSCALL" else 0)
        target = next((one[1:] for one in more if one.startswith("@")), None)
        licence = "Proprietary" if "proprietary" in more else "GPL"
        lines = [line.strip() for line in lines]
        functions = tuple(line for line in lines if _FUNCTION.fullmatch(line))
        program = "; ".join(line.removesuffix(";") for line in lines if line not in functions)
        kind = KINDS.get(word) or ProgType[word]
        yield Case(name, kind, attach, flags, target, licence, category or None, message, program, functions)


class Types:
    """BTF in the making; a type is found by its C name: `int`, `pair*`, `const char*`."""

    def __init__(self) -> None:
        self.builder = BtfBuilder()
        self.names: dict[str, int] = {"void": 0}
        self.functions: dict[str, int] = {}
        self.sizes: dict[str, int] = {}
        for name, size, signed in (("int", 4, True), ("u32", 4, False), ("u64", 8, False), ("char", 1, True)):
            self.names[name] = self.builder.add_int(name, size, signed)
        self.function("main(void*)")

    def struct(self, name: str, size: int, *members: tuple[Any, ...]) -> None:
        """A structure of (name, type, offset in bytes, and a tag where there is one)."""
        rows = [(field, self.find(type_), 8 * offset) for field, type_, offset, *_ in members]
        self.names[name] = self.builder.add_struct(name, size, rows)
        self.sizes[name] = size
        for i, (_, _, _, *tags) in enumerate(members):
            for tag in tags:
                self.builder.add_decl_tag(tag, self.names[name], i)

    def find(self, name: str) -> int:
        name = name.strip()
        if name not in self.names:
            if name.endswith("*"):
                self.names[name] = self.builder.add_ptr(self.find(name[:-1]))
            elif name.endswith("]"):
                element, _, count = name[:-1].partition("[")
                self.names[name] = self.builder.add_array(self.find(element), int(count))
            elif name.startswith("const "):
                self.names[name] = self.builder.add_const(self.find(name.removeprefix("const ")))
            elif name.startswith("&"):  # `&kptr task_struct`: what a tagged pointer points to
                tag, _, target = name[1:].partition(" ")
                self.names[name] = self.builder.add_type_tag(tag, self.find(target))
            else:
                self.names[name] = self.builder.add_fwd(name)
        return self.names[name]

    def function(self, signature: str) -> None:
        found = _FUNCTION.fullmatch(signature.strip())
        assert found, signature
        static, name, arguments, result = found.groups()
        params, tags = [], []
        for i, argument in enumerate(filter(None, arguments.split(", "))):
            words = argument.split(" ")
            last = max(n for n, word in enumerate(words) if n == 0 or word.endswith("*"))
            params.append((f"a{i}", self.find(" ".join(words[: last + 1]))))
            tags += [(i, tag) for tag in words[last + 1 :]]
        proto = self.builder.add_func_proto(self.find(result or "int"), params)
        func = self.builder.add_func(name, proto, STATIC if static else GLOBAL)
        for i, tag in tags:
            self.builder.add_decl_tag(f"arg:{tag}", func, i)
        self.functions[name] = func

    def map(self, kind: int, value: str, entries: int = 1, flags: int = 0, key: int = 4, name: str = "") -> MapSpec:
        """A map of values of one of the structures, once all types are there."""
        raw = self.builder.to_bytes()
        size = self.sizes[value]
        number = self.find("u32" if key == 4 else "int") if key else 0
        found = self.find(value)
        return MapSpec(kind, key, size, entries, flags, name=name, btf=raw, btf_key=number, btf_value=found)


def described(functions: Iterable[str]) -> Types | None:
    """BTF of these functions; None when there are none."""
    if not functions:
        return None
    types = Types()
    for signature in functions:
        types.function(signature)
    return types


@lru_cache
def kernel_btf() -> Btf:
    return Btf.kernel()


def number_of(name: str) -> int:
    """The number of a structure, function or variable of the running kernel."""
    found = [type_ for kind in (Kind.STRUCT, Kind.FUNC, Kind.VAR) for type_ in kernel_btf().find_all(name, kind)]
    return int(found[0].id)


def offset_of(struct: str, member: str) -> int:
    """Where a member of the running kernel's structure lies, in bytes."""

    def look(type_: Any) -> int | None:
        for one in type_.members:
            if one.name == member:
                return int(one.bit_offset // 8)
            inner = one.type.stripped
            found = look(inner) if not one.name and inner.kind in (Kind.STRUCT, Kind.UNION) else None
            if found is not None:
                return int(one.bit_offset // 8) + found
        return None

    found = look(kernel_btf().find(struct, Kind.STRUCT))
    assert found is not None, f"{struct}.{member}"
    return found


def insns_of(text: str, library: Types | None = None) -> list[Insn]:
    """The instructions of a row."""
    if library is not None:
        text = re.sub(r"%(\w+)", lambda found: str(library.names[found[1]]), text)
    text = re.sub(r"\$(\w+)\.(\w+)", lambda found: str(offset_of(found[1], found[2])), text)
    text = re.sub(r"\$(\w+)", lambda found: str(number_of(found[1])), text)
    raw: list[Insn] = []

    def by_fields(found: re.Match[str]) -> str:
        opcode, *fields = found[1].split()
        raw.append(Insn(int(opcode, 16), *(int(field) for field in fields)))
        return f"call {_RAW + len(raw) - 1}"

    text = re.sub(r"#([0-9a-f]{2}( -?\d+){4})", by_fields, re.sub(r"!(\w+)", r"call kfunc \1", text))
    insns = asm.assemble(text.replace("; ", "\n"))
    return [raw[insn.imm - _RAW].replace(label=insn.label) if insn.imm >= _RAW else insn for insn in insns]


def program(
    prog_type: int,
    text: str,
    maps: Mapping[str, MapSpec] | None = None,
    library: Types | None = None,
    **fields: Any,
) -> ProgramSpec:
    """The spec of a program; labels that are names of the `library` are the functions that its BTF describes."""
    insns = insns_of(text, library)
    used = {insn.symbol for insn in insns if insn.wide}
    known = {name: one for name, one in (maps or {}).items() if name in used}
    if library is not None:
        rows, slot = [(0, library.functions["main"])], 0
        for insn in insns:
            if insn.label in library.functions:
                rows.append((slot, library.functions[insn.label]))
            slot += insn.slots
        fields |= {"func_info": tuple(rows), "btf": library.builder.to_bytes()}
    return ProgramSpec(tuple(asm.resolve(insns)), prog_type, name="case", maps=known, **fields)


def spec_of(case: Case, maps: Mapping[str, MapSpec] | None = None, library: Types | None = None) -> ProgramSpec:
    """The spec of a row."""
    fields: dict[str, Any] = {"flags": case.flags, "license": case.licence, "attach_to": case.target}
    return program(case.kind, case.text, maps, library, expected_attach_type=case.attach, **fields)
