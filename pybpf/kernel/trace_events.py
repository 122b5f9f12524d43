"""The fields of trace events: from their formats in tracefs where it is mounted, else from the table of common events.

The formats are the running kernel's, as BTF is; the table, `tracepoints`, is that of Linux 6.18.
"""

from __future__ import annotations

from .. import types
from ..syscall import tracefs
from ..types import Array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..types import Scalar

    Fields = dict[str, tuple[Any, int, str]]

_TYPES: dict[str, Any] = vars(types)
SCALARS: dict[tuple[int, bool], Scalar] = {
    (size, sign == "s"): _TYPES[f"{sign}{8 * size}"] for size in (1, 2, 4, 8) for sign in "us"
}
"""The native integers, by size in bytes and signedness."""
_formats: dict[str, Fields] = {}


def event_format(target: str) -> Fields | None:
    """The fields of an event such as "sched/sched_switch", or None for one that is not known.

    Name -> (type, offset in bytes, "plain" or "dynamic"); a dynamic field is a u32 that says where its bytes are.
    """
    found = _formats.get(target)
    if found is None:
        text = None
        for root in tracefs.PLACES:
            try:
                with open(f"{root}/events/{target}/format", encoding="utf-8") as file:
                    text = file.read()
                break
            except OSError:
                continue
        if text is not None:
            found = parse_format(text)
        else:
            found = common_event(target)
        if found is not None:
            _formats[target] = found
    return found


def similar(target: str) -> str:
    """A hint at the known event whose name comes closest to that of `target`; "" when none does."""
    from difflib import get_close_matches
    from glob import glob

    known = [event for root in tracefs.PLACES for event in glob("*/*", root_dir=f"{root}/events")]
    if not known:
        from .tracepoints import CALLS, EVENTS

        calls = (f"syscalls/sys_enter_{line.split('|')[0]}" for line in CALLS.splitlines())
        known = [*(line.split("|")[0] for line in EVENTS.splitlines()), *calls]
    by_name = {event.rpartition("/")[2]: event for event in known}
    near = get_close_matches(target.rpartition("/")[2], by_name, 1)
    return f"; did you mean {by_name[near[0]]}?" if near else ""


def common_event(target: str) -> Fields | None:
    """The fields of an event by the table alone, or None for an event that is not in it."""
    from .tracepoints import CALLS, EVENTS

    category, _, name = target.partition("/")
    if category == "syscalls":
        if name.startswith("sys_exit_"):
            return dict([field("int __syscall_nr", 8, 4, True), field("long ret", 16, 8, True)])
        args = _row(CALLS, name.removeprefix("sys_enter_"))
        if args is None:
            return None
        numbered = [field(f"long {arg}", 16 + 8 * i, 8, False) for i, arg in enumerate(args)]
        return dict([field("int __syscall_nr", 8, 4, True), *numbered])
    row = _row(EVENTS, target)
    return None if row is None else dict(_placed(text) for text in row)


def _row(table: str, name: str) -> list[str] | None:
    for line in table.splitlines():
        head, *rest = line.split("|")
        if head == name:
            return rest
    return None


def _placed(text: str) -> tuple[str, tuple[Any, int, str]]:
    """A field as the table has it: declaration@offset:size:signed."""
    declaration, _, place = text.rpartition("@")
    offset, size, signed = map(int, place.split(":"))
    return field(declaration, offset, size, bool(signed))


def parse_format(text: str) -> Fields:
    """The `format` file of an event."""
    fields: Fields = {}
    for line in text.splitlines():
        line = line.strip()
        if not line.startswith("field:"):
            continue
        parts = dict(part.strip().split(":", 1) for part in line.split(";") if ":" in part)
        declaration, offset, size = parts["field"], int(parts["offset"]), int(parts["size"])
        signed = parts.get("signed") == "1"
        fields.update([field(declaration, offset, size, signed)])
    return fields


def field(declaration: str, offset: int, size: int, signed: bool) -> tuple[str, tuple[Any, int, str]]:
    """One field from its C declaration: `char prev_comm[16]`, `__data_loc char[] name`, `const char * filename`."""
    if declaration.startswith(("__data_loc", "__rel_loc")):
        return declaration.split()[-1], (_TYPES["u32"], offset, "dynamic")
    head, _, rest = declaration.partition("[")
    words = head.replace("*", "* ").split()
    name = words[-1]
    scalar = SCALARS.get((size, signed))
    if rest:
        count = rest.split("]")[0]
        n = int(count) if count.isdigit() else size
        each = size // n if n else 1
        element: Any = (
            _TYPES["char"] if words[0] == "char" or (each == 1 and "char" in words) else SCALARS.get((each, signed))
        )
        return name, (Array(element, n) if element is not None else Array(_TYPES["u8"], size), offset, "plain")
    return name, (scalar if scalar is not None else Array(_TYPES["u8"], size), offset, "plain")


__all__ = ("SCALARS", "common_event", "event_format", "parse_format")
