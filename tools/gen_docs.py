"""Write the pages that are made from the project's own tables: one a program type, one a map type, the helpers.

    python tools/gen_docs.py            # write
    python tools/gen_docs.py --check    # fail when a page is not what the tables say

Each page begins with a head written by hand; what stands below the marker is made here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from pybpf import kernel
from pybpf.dsl.kinds import TABLE as DECORATORS
from pybpf.kernel.sections import sections
from pybpf.uapi import AttachType, MapFlags, MapType, ProgType, named
from pybpf.uapi.helper_names import HELPER_NAMES
from pybpf.uapi.protos import HELPER_PROTOS

DOCS = Path(__file__).resolve().parent.parent / "docs"
MARKER = "<!-- below: written by tools/gen_docs.py from the tables in pybpf/kernel -->"
ORDER = (kernel.DEFAULT, *reversed(kernel.KERNELS))
"""Kernels in the order in which they are asked for facts: some types are missing in some."""

NEAREST = {
    ProgType.LWT_IN: ProgType.LWT_XMIT,
    ProgType.LWT_OUT: ProgType.LWT_XMIT,
    ProgType.LWT_SEG6LOCAL: ProgType.LWT_XMIT,
    ProgType.SCHED_ACT: ProgType.SCHED_CLS,
    ProgType.RAW_TRACEPOINT_WRITABLE: ProgType.RAW_TRACEPOINT,
}
"""Types without an example in the gallery, and the type whose examples show the most of them."""

Key = tuple[int, int | None, bool]


def slug(member: ProgType | MapType) -> str:
    return str(member.name).lower().replace("_", "-")


def attach_name(number: int | None) -> str:
    return str(getattr(named(AttachType, number or 0), "name", number))


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    head = list(header)
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |"
    yield ""


def origin(what: str, rules: kernel.Rules) -> str:
    return f"*{what} as Linux {rules.version} answers.*"


def code_list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


# ---------------------------------------------------------------------------------- program types


def program_facts(prog_type: ProgType) -> Iterator[str]:
    rules = next(
        (r for r in map(kernel.rules, ORDER) if any(key[0] == prog_type for key in r.programs())), kernel.rules()
    )
    keys = [key for key in rules.programs() if key[0] == prog_type]
    known = [version for version in kernel.KERNELS if has_program(version, prog_type)]
    yield from gallery(prog_type)
    yield "## Facts"
    yield ""
    rows: list[tuple[object, object]] = [("number", int(prog_type))]
    since = kernel.since("prog", prog_type)
    rows.append(("first kernel", since or "not recorded"))
    rows.append(
        (
            "loaded by",
            f"Linux {', '.join(known)}" if known else f"none of Linux {', '.join(kernel.KERNELS)} as they were built",
        )
    )
    if keys:
        programs = [rules.program(t, a, sleepable=s) for t, a, s in keys]
        rows.append(("sleepable form", "yes" if any(key[2] for key in keys) else "no"))
        rows.append(
            ("direct packet access", {"": "no", "r": "reading", "rw": "reading and writing"}[programs[0].packet])
        )
        rows.append(("BPF_PROG_TEST_RUN", "yes" if programs[0].test_run else "no: run it offline with `VM`"))
        rows.append(
            ("licence", "must be GPL compatible" if programs[0].gpl_only else "any, unless it calls a GPL-only helper")
        )
    yield from table(("", ""), rows)
    yield from section_names(prog_type)
    if not keys:
        return
    yield from contexts(rules, keys)
    yield from returns(rules, keys)
    yield from helpers_of(rules, keys)
    yield from kfuncs_of(rules, keys)
    yield origin("Context, return values and helpers", rules)


def gallery(prog_type: ProgType) -> Iterator[str]:
    """The examples that use a decorator of this type."""
    names = {name for name, row in DECORATORS.items() if row[0] == prog_type}
    found = []
    for path in sorted((DOCS.parent / "examples").rglob("*.py")):
        used = set(re.findall(r"^@(\w+)", path.read_text(), re.MULTILINE))
        if used & names:
            found.append(path.relative_to(DOCS.parent))
    yield "## In the gallery"
    yield ""
    if found:
        yield code_list(str(path) for path in found) + "."
    elif prog_type in NEAREST:
        near = NEAREST[prog_type]
        yield f"None of this type; see those of [{near.name}]({slug(near)}.md#in-the-gallery), which is its nearest kin."
    else:
        yield "None of this type: the program above is the example."
    yield ""


def has_program(version: str, prog_type: int) -> bool:
    return any(key[0] == prog_type for key in kernel.rules(version).programs())


def section_names(prog_type: ProgType) -> Iterator[str]:
    rows = [
        (
            f"`{section.name}{'/' + section.target_form if section.target_form else ''}`",
            attach_name(section.attach_type) if section.attach_type is not None else "",
            "yes" if section.sleepable else "",
        )
        for section in sections()
        if section.prog_type == prog_type
    ]
    if rows:
        yield "## Section names"
        yield ""
        yield "As ELF objects name them, and as `open_elf` and `write_elf` read and write them."
        yield ""
        yield from table(("section", "attach type", "sleepable"), rows)


def contexts(rules: kernel.Rules, keys: list[Key]) -> Iterator[str]:
    groups: dict[tuple[object, ...], list[str]] = {}
    for prog_type, attach_type, sleepable in keys:
        context = rules.program(prog_type, attach_type, sleepable=sleepable).context
        rows = tuple(
            (
                f"`{field.name}`",
                field.offset,
                f"{field.count} x {field.size}" if field.count > 1 else field.size,
                "r" * field.readable + "w" * field.writable or "in parts",
                "" if field.kind == "scalar" else f"`{field.kind}`",
            )
            for field in context.fields.values()
        )
        groups.setdefault(rows, []).append(attach_name(attach_type) + (", sleepable" if sleepable else ""))
    yield "## Context"
    yield ""
    for rows, hooks in groups.items():
        if len(groups) > 1:
            yield f"With {', '.join(dict.fromkeys(hooks))}:"
            yield ""
        if not rows:
            yield "No fixed fields: what R1 points at depends on what the program is attached to."
            yield ""
            continue
        yield from table(("field", "offset", "bytes", "access", "a load gives"), rows)


def returns(rules: kernel.Rules, keys: list[Key]) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for prog_type, attach_type, sleepable in keys:
        limits = rules.program(prog_type, attach_type, sleepable=sleepable).returns
        said = (
            "any number"
            if limits is None
            else f"{limits[0]}"
            if limits[0] == limits[1]
            else f"{limits[0]} to {limits[1]}"
        )
        groups.setdefault(said, []).append(attach_name(attach_type))
    yield "## Return value: what the verifier takes"
    yield ""
    if len(groups) == 1:
        yield f"{next(iter(groups)).capitalize()}."
        yield ""
    else:
        yield from table(("range", "attach types"), ((k, ", ".join(dict.fromkeys(v))) for k, v in groups.items()))


def helpers_of(rules: kernel.Rules, keys: list[Key]) -> Iterator[str]:
    sets = {key: rules.program(key[0], key[1], sleepable=key[2]).helpers for key in keys}
    common = frozenset.intersection(*sets.values())
    yield f"## Helpers: {len(common)}"
    yield ""
    yield code_list(HELPER_NAMES[i] for i in sorted(common)) + "."
    yield ""
    more = {key: found - common for key, found in sets.items() if found - common}
    grouped: dict[frozenset[int], list[str]] = {}
    for key, extra in more.items():
        grouped.setdefault(extra, []).append(attach_name(key[1]) + (" (sleepable)" if key[2] else ""))
    for extra, hooks in grouped.items():
        yield f"With {', '.join(dict.fromkeys(hooks))} also: {code_list(HELPER_NAMES[i] for i in sorted(extra))}."
        yield ""


def kfuncs_of(rules: kernel.Rules, keys: list[Key]) -> Iterator[str]:
    names: set[str] = set()
    for key in keys:
        names |= rules.program(key[0], key[1], sleepable=key[2]).kfuncs
    if names:
        yield f"## Kernel functions (kfuncs): {len(names)}"
        yield ""
        yield code_list(sorted(names)) + "."
        yield ""


# -------------------------------------------------------------------------------------- map types


def map_facts(map_type: MapType) -> Iterator[str]:
    known = [version for version in kernel.KERNELS if map_type in kernel.rules(version).map_types()]
    yield "## Facts"
    yield ""
    rows: list[tuple[object, object]] = [
        ("number", int(map_type)),
        ("first kernel", kernel.since("map", map_type) or "not recorded"),
    ]
    rows.append(
        (
            "loaded by",
            f"Linux {', '.join(known)}" if known else f"none of Linux {', '.join(kernel.KERNELS)} as they were built",
        )
    )
    asked = next((r for r in map(kernel.rules, ORDER) if map_type in r.map_types()), None)
    if asked is not None:
        rules = asked.map(map_type)
        rows.append(("key bytes", span(rules.key_sizes)))
        rows.append(("value bytes", span(rules.value_sizes)))
        rows.append(
            (
                "max_entries",
                {"any": "any number above 0", "pages": "a power of two, of pages", "zero": "0"}.get(
                    rules.entries, rules.entries
                ),
            )
        )
        rows.append(("flags", code_list(flag_names(rules.flags))))
        if rules.required_flags:
            rows.append(("required flags", code_list(flag_names(rules.required_flags))))
        rows.append(("helpers", code_list(HELPER_NAMES[i] for i in sorted(rules.helpers))))
    yield from table(("", ""), rows)
    if asked is not None:
        yield origin("Sizes, flags and helpers", asked)


def span(sizes: tuple[int, int, int]) -> str:
    low, high, step = sizes
    return str(low) if low == high else f"{low} to {high}" + (f", in steps of {step}" if step > 1 else "")


def flag_names(flags: int) -> list[str]:
    names = [str(flag.name) for flag in MapFlags if flag.value & flags]
    rest = flags & ~sum(flag.value for flag in MapFlags)
    return names + ([hex(rest)] if rest else [])


# ---------------------------------------------------------------------------------------- helpers


def helper_index() -> Iterator[str]:
    yield "# Helpers"
    yield ""
    yield f"All {len(HELPER_NAMES) - 1} helpers with their C prototypes; in a program they are functions of"
    yield "`pybpf.helpers`, without the `bpf_`."
    yield f"Which program types may call them is said as Linux {kernel.rules().version} answers;"
    yield "EXT programs may call what the program may whose function they replace."
    yield ""
    yield MARKER
    yield ""
    yield ", ".join(f"[{name}](#{name})" for name in sorted(HELPER_NAMES[1 : len(HELPER_PROTOS)])) + "."
    yield ""
    every = {key[0] for key in kernel.rules().programs()}
    for number, name in enumerate(HELPER_NAMES):
        if number == 0 or number >= len(HELPER_PROTOS):
            continue
        result, args = HELPER_PROTOS[number]
        shown = ", ".join(f"{ctype}{'' if ctype.endswith('*') else ' '}{arg}".strip() for ctype, arg in args) or "void"
        types = sorted({key[0] for key in kernel.rules().programs_that_call(number)})
        yield f"## {name}"
        yield ""
        yield f"`{result}{'' if result.endswith('*') else ' '}bpf_{name}({shown})`"
        yield ""
        since = kernel.since("helper", number)
        facts = [f"number {number}"]
        facts += [f"since Linux {since}"] if since else []
        facts += ["GPL only"] if kernel.rules().gpl_only(number) else []
        yield ", ".join(facts) + "."
        yield ""
        links = ", ".join(f"[{ProgType(t).name}](programs/{slug(ProgType(t))}.md)" for t in types)
        yield (
            "Called from every program type."
            if set(types) == every
            else f"Called from: {links}."
            if links
            else f"No program type of Linux {kernel.rules().version} here may call it."
        )
        yield ""


# ---------------------------------------------------------------------------------------- indexes


def first_line(path: Path) -> str:
    """The title of a page."""
    return path.read_text().split("\n", 1)[0].removeprefix("# ") if path.exists() else ""


def index(
    title: str, said: str, folder: str, members: Iterable[ProgType] | Iterable[MapType], what: str
) -> Iterator[str]:
    names = [(member, slug(member)) for member in members if member != 0]
    yield f"# {title}"
    yield ""
    yield said
    yield ""
    rows = []
    for member, name in names:
        page = first_line(DOCS / folder / f"{name}.md")
        rows.append((f"[{member.name}]({name}.md)", page.partition(": ")[2], kernel.since(what, member) or ""))
    yield from table(("type", "", "since Linux"), rows)
    yield "```{toctree}"
    yield ":hidden:"
    yield ""
    yield from (name for _, name in names)
    yield "```"
    yield ""


def program_index() -> Iterator[str]:
    said = "What can be hooked, one page a type: when it runs, what its result does, how to write, attach and test it."
    yield from index("Program types", said, "programs", ProgType, "prog")


def map_index() -> Iterator[str]:
    said = (
        "Where programs keep data, one page a type: how to declare it, use it in a program and from Python. "
        "`load(program)` makes the maps that a program names;\n`load(packets)` makes one map alone."
    )
    yield from index("Map types", said, "maps", MapType, "map")


# ------------------------------------------------------------------------------------------ files


def pages() -> Iterator[tuple[Path, str, list[str]]]:
    """(path, title for a page without a head, lines below the marker)"""
    for prog_type in ProgType:
        if prog_type != ProgType.UNSPEC:
            yield DOCS / "programs" / f"{slug(prog_type)}.md", f"# {prog_type.name}", list(program_facts(prog_type))
    for map_type in MapType:
        if map_type != MapType.UNSPEC:
            yield DOCS / "maps" / f"{slug(map_type)}.md", f"# {map_type.name}", list(map_facts(map_type))


def render() -> Iterator[tuple[Path, str]]:
    for path, title, lines in pages():
        head = path.read_text().split(MARKER)[0].rstrip() if path.exists() else title
        yield path, "\n".join([head, "", MARKER, "", *lines]).rstrip() + "\n"
    yield DOCS / "helpers.md", "\n".join(helper_index()).rstrip() + "\n"
    yield DOCS / "programs" / "index.md", "\n".join(program_index())
    yield DOCS / "maps" / "index.md", "\n".join(map_index())


def main() -> int:
    check = "--check" in sys.argv
    stale = [path for path, text in render() if not (path.exists() and path.read_text() == text)]
    if not check:
        for path, text in render():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return 0
    for path in stale:
        print(f"{path.relative_to(DOCS.parent)} is not what the tables say: run python tools/gen_docs.py")
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
