"""Rows of a table as programs: assembly with functions of its own and the kernel's, maps, and the BTF that tells of them.

    r1 = 1; !bpf_task_from_pid; call f; r0 = 0; exit; f: r0 = 0; exit

`!name` calls a kernel function.  `signatures` describes functions after the first: `f(int, pair* nonnull) -> int`, a type and the
tags of each argument; `static` before it makes it one that is walked into.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pybpf import ProgramSpec, asm
from pybpf.btf.builder import GLOBAL, STATIC, BtfBuilder
from pybpf.uapi.prog import ProgType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pybpf import MapSpec

_FUNCTION = re.compile(r"(static )?(\w+)\((.*)\)(?: -> (.*))?")


class Types:
    """BTF in the making; a type is found by its C name: `int`, `pair*`, `const char*`."""

    def __init__(self) -> None:
        self.builder = BtfBuilder()
        self.names: dict[str, int] = {"void": 0}
        for name, size, signed in (("int", 4, True), ("u32", 4, False), ("u64", 8, False), ("char", 1, True)):
            self.names[name] = self.builder.add_int(name, size, signed)

    def struct(self, name: str, size: int, *members: tuple[str, str, int]) -> int:
        """A structure of (name, type, offset in bytes)."""
        rows = [(field, self.find(type_), 8 * offset) for field, type_, offset in members]
        self.names[name] = self.builder.add_struct(name, size, rows)
        return self.names[name]

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

    def function(self, signature: str) -> int:
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
        return func


def program(
    prog_type: int,
    text: str,
    maps: Mapping[str, MapSpec] | None = None,
    signatures: str = "",
    types: Callable[[Types], Any] | None = None,
    attach: int | None = None,
    sleepable: bool = False,
    **fields: Any,
) -> ProgramSpec:
    """The spec of a row; `types` adds what its BTF needs beside `signatures`, which are separated by semicolons."""
    insns = asm.assemble(re.sub(r"!(\w+)", r"call kfunc \1", text).replace("; ", "\n"))
    used = {insn.symbol for insn in insns if insn.wide}
    known = {name: one for name, one in (maps or {}).items() if name in used}
    if signatures or types is not None:
        made = Types()
        if types is not None:
            types(made)
        parts = [part.strip() for part in signatures.split(";") if part.strip()]
        names = [_FUNCTION.fullmatch(part).group(2) for part in parts]  # type: ignore[union-attr]
        places, slot = {}, 0
        for insn in insns:
            if insn.label in names:
                places[insn.label] = slot
            slot += insn.slots
        ids = [made.function(part) for part in ("main(void*)", *parts)]
        rows = [(0, ids[0]), *((places[name], id_) for name, id_ in zip(names, ids[1:], strict=True))]
        fields["func_info"] = tuple(sorted(rows))
        fields["btf"] = made.builder.to_bytes()
    return ProgramSpec(
        tuple(asm.resolve(insns)),
        prog_type,
        name="case",
        maps=known,
        expected_attach_type=attach,
        flags=16 if sleepable or prog_type == ProgType.SYSCALL else 0,
        **fields,
    )
