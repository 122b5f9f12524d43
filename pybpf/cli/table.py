"""Output of the commands that list things: a table for people, JSON for programs."""

from __future__ import annotations

import json
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option `--json`, which `show` obeys."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def show(rows: Sequence[Mapping[str, Any]], as_json: bool, empty: str = "nothing") -> None:
    """Print rows, which have the same keys: as JSON, as a rich table on a terminal, or in columns of plain text."""
    if as_json:
        print(json.dumps(list(rows), indent=2, default=str))
    elif not rows:
        print(empty)
    elif not (sys.stdout.isatty() and _rich(rows)):
        _plain(rows)


def show_each(live: Iterable[Any], row: Callable[[Any], Mapping[str, Any]], as_json: bool, empty: str) -> None:
    """Print a row of each object of the kernel, which is closed behind it."""
    rows = []
    for one in live:
        with one:
            rows.append(row(one))
    show(rows, as_json, empty)


def details(record: Mapping[str, Any], as_json: bool) -> None:
    """Print one record: as JSON, or a field a line."""
    if as_json:
        print(json.dumps(record, indent=2, default=str))
        return
    width = max(map(len, record))
    for key, value in record.items():
        if value not in (None, "", [], {}):
            print(f"{key:<{width}}  {_text(value)}")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _plain(rows: Sequence[Mapping[str, Any]]) -> None:
    cells = [list(rows[0])] + [[_text(value) for value in row.values()] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    for row in cells:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


_STYLES = {"ok": "green", "yes": "green", "warn": "yellow", "no": "red"}


def _rich(rows: Sequence[Mapping[str, Any]]) -> bool:
    """False where rich is not installed."""
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        return False
    table = Table(box=None, header_style="bold")
    for heading in rows[0]:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_text(value), style=_STYLES.get(_text(value), "")) for value in row.values()))
    Console().print(table)
    return True


def name(enum: Any, number: int) -> str:
    """The name of a kernel constant in small letters; the number when it is newer than our tables."""
    from ..uapi import named

    found = named(enum, number)
    return str(found.name).lower() if isinstance(found, enum) else str(number)
