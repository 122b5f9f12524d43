"""Puts the answers together into the table that `pybpf.kernel.rules` reads, and writes it as Python text."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from typing import Any

from ...kernel.signatures import helper
from ...uapi.helper_names import HELPER_NAMES
from .calls import Calls, Functions
from .door import Kernel, Key, Variant, call
from .maps import Maps
from .programs import Programs, describe

_SOCKETS = ("sock_or_null", "sock_common_or_null", "sock", "sock_common")


def make_table(report: Callable[[str], None]) -> dict[str, Any]:
    """The table of the running kernel; `report` is told in words what is being asked."""
    kernel = Kernel()
    programs = Programs(kernel)
    maps = Maps(kernel)
    variants = list(programs.variants())
    contexts, helper_sets, kfunc_sets = _Pool(), _Pool(), _Pool()
    kfuncs = programs.kfuncs(variants)
    rows = {}
    sets: dict[Key, tuple[int, Any]] = {}
    for variant in variants:
        report(f"asking about {describe(variant.key)}")
        context = programs.context(variant)
        allowed = programs.helpers(variant)
        sets[variant.key] = (allowed, context)
        rows[variant.key] = (
            contexts.index(context),
            helper_sets.index(allowed),
            programs.returns(variant),
            programs.packet(variant, context),
            programs.test_run(variant),
            not kernel.accepts(variant, variant.end, gpl=False),
            kfunc_sets.index(sum(1 << i for i, name in enumerate(kfuncs) if variant.key in kfuncs[name])),
        )
    report("asking about helpers")
    gpl_only, expected, words, takers = _helpers(kernel, maps, variants, sets)
    report("asking about maps")
    map_rows = {t: (*maps.rules(t), takers.get(t, 0)) for t in maps.types()}
    maps.close()
    release = os.uname().release
    return {
        "version": ".".join(release.split(".")[:2]),
        "release": release,
        "machine": platform.machine(),
        "programs": rows,
        "contexts": contexts.values,
        "helper_sets": helper_sets.values,
        "kfuncs": tuple(kfuncs),
        "kfunc_sets": kfunc_sets.values,
        "gpl_only": gpl_only,
        "words": words,
        "expected": expected,
        "maps": map_rows,
    }


def _helpers(
    kernel: Kernel, maps: Maps, variants: list[Variant], sets: dict[Key, tuple[int, Any]]
) -> tuple[int, dict[int, tuple[int | None, ...]], list[str], dict[int, int]]:
    """(GPL-only helpers, what each expects of its arguments by place in the words, the words, map type -> helpers)."""
    gpl_only = 0
    expected: dict[int, tuple[int | None, ...]] = {}
    takers: dict[int, int] = {}
    words = _Pool()
    functions = Functions(kernel)
    for number in range(1, len(HELPER_NAMES)):
        able = [v for v in variants if sets[v.key][0] >> number & 1]
        if not able:
            continue
        _, log = kernel.says(able[0], call(number) + able[0].end, gpl=False)
        if "GPL" in log:
            gpl_only |= 1 << number
        # One kind of each program type; the last one listed of XDP is the plain one.
        asked = {variant.key[0]: variant for variant in able}.values()
        callers = [
            (Calls(kernel, maps, functions, variant, _socket(sets[variant.key][1])), helper(number, variant.key[0]))
            for variant in asked
        ]
        best: tuple[str | None, ...] | None = None
        for calls, rules in callers:  # the one that can make most of the arguments tells most about them
            answers = calls.expected(rules)
            if best is None or answers.count(None) < best.count(None):
                best = answers
            if None not in answers:
                break
        expected[number] = tuple(None if answer is None else words.index(answer) for answer in best or ())
        for map_type in maps.types() if any(arg.kind == "map" for arg in callers[0][1].args) else ():
            # A program for a devmap may not refer to a devmap, though others may: any of them will do.
            if any(calls.takes_map(rules, map_type) for calls, rules in callers):
                takers[map_type] = takers.get(map_type, 0) | 1 << number
    return gpl_only, expected, words.values, takers


def _socket(context: tuple[str, int, tuple[Any, ...]]) -> int | None:
    """Offset of a pointer to a socket in a context."""
    return next((row[1] for row in context[2] if row[4] in _SOCKETS), None)


class _Pool:
    """Values that many rows share, each kept once and referred to by its place."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def index(self, value: Any) -> int:
        if value not in self.values:
            self.values.append(value)
        return self.values.index(value)


def render(table: dict[str, Any]) -> str:
    """The table as a Python module whose last statement is `TABLE = {...}`."""
    lines = [
        f'"""The rules of Linux {table["release"]} ({table["machine"]}), asked of that kernel by `pybpf probe`.',
        "",
        "Do not edit.",
        '"""',
        "",
        "# fmt: off",
        "TABLE = {",
    ]
    for name, value in table.items():
        if isinstance(value, dict):
            lines += [f"    {name!r}: {{", *(f"        {_text(k)}: {_text(v)}," for k, v in value.items()), "    },"]
        elif name == "contexts":
            lines.append(f"    {name!r}: [")
            for of, size, rows in value:
                lines += [f"        ({of!r}, {size}, (", *(f"            {row!r}," for row in rows), "        )),"]
            lines.append("    ],")
        elif isinstance(value, list):
            lines += [f"    {name!r}: [", *(f"        {_text(v)}," for v in value), "    ],"]
        else:
            lines.append(f"    {name!r}: {_text(value)},")
    return "\n".join([*lines, "}", ""])


def _text(value: Any) -> str:
    """`value` as Python text, enums and large numbers as numbers, the latter in hexadecimal."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_text, value))}{',' * (len(value) == 1)})"
    if isinstance(value, int) and not isinstance(value, bool):
        return hex(value) if value >= 1 << 16 else str(int(value))
    return repr(value)
