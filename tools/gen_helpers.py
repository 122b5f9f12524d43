"""Write pybpf/helpers.pyi: every helper with its signature, for type checkers and editors.

    python tools/gen_helpers.py [--check]

Made from the project's own tables (`pybpf.kernel.helper`, `pybpf.uapi.protos`), by the rules with which the compiler fills
arguments in: sizes of buffers and the context may be left out, and trailing flags too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import product
from keyword import iskeyword
from pathlib import Path
from typing import Any

from pybpf.kernel import helper
from pybpf.uapi import ProgType
from pybpf.uapi.helper_names import HELPER_NAMES
from pybpf.uapi.protos import HELPER_PROTOS

TARGET = Path(__file__).resolve().parents[1] / "pybpf" / "helpers.pyi"
NUMBERS = frozenset(("u8", "u16", "u32", "u64", "s32", "s64", "int", "long", "__be16", "__wsum"))
HEAD = '''"""Signatures of the kernel's helpers, as `pybpf.helpers` has them inside programs.

Written by tools/gen_helpers.py; do not edit.
"""

from typing import Any, overload
'''


def optional(name: str) -> bool:
    return name == "flags" or name.startswith("arg")


def parameters(rules: Any, types: dict[str, str], leave_out: set[int]) -> list[str]:
    """The parameters as Python has them: trailing flags have a default."""
    kept = [arg.name for i, arg in enumerate(rules.args) if i not in leave_out]
    required = len(kept)
    while required and optional(kept[required - 1]):
        required -= 1
    return [
        f"{name}_: {types[name]}" if iskeyword(name) else f"{name}: {types[name]}" + (" = 0" if i >= required else "")
        for i, name in enumerate(kept)
    ]


def signatures(name: str, number: int) -> Iterator[str]:
    # Some program types have a variant without the context; the longest has all arguments.
    rules = max((helper(name, kind) for kind in ProgType), key=lambda variant: len(variant.args))
    _, arguments = HELPER_PROTOS[number]
    types = {n: "int" if t in NUMBERS else "Any" for t, n in arguments}
    types = {arg.name: types.get(arg.name, "Any") for arg in rules.args}
    returns = {"void": "None", "int": "int"}.get(rules.returns, "Any")
    sizes = {i for i, arg in enumerate(rules.args) if arg.memory_arg is not None}
    context = {i for i, arg in enumerate(rules.args) if arg.kind == "ctx"}
    for i in sizes:
        types[rules.args[i].name] = "int"
    forms: list[list[str]] = []
    for without in product((set(), sizes), (set(), context)):
        form = parameters(rules, types, set().union(*without))
        if form not in forms:
            forms.append(form)
    for form in forms:
        if len(forms) > 1:
            yield "@overload"
        yield f"def {name}({', '.join(form)}) -> {returns}: ..."


def stub() -> str:
    lines = [HEAD]
    for number, name in enumerate(HELPER_NAMES):
        if number:
            lines += signatures(name, number)
    return "\n".join(lines) + "\n"


def main() -> None:
    text = stub()
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(text)
    elif TARGET.read_text() != text:
        sys.exit(f"{TARGET.name} is not what tools/gen_helpers.py writes: run it")


if __name__ == "__main__":
    main()
