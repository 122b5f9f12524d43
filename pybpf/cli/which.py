"""The one object that a command is about, by its id or by the path of its pin."""

from __future__ import annotations

from errno import ENOENT

from ..errors import SpecError, SyscallError
from . import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")


def add_arguments(parser: argparse.ArgumentParser, kind: str, *actions: str) -> None:
    """`list`, which takes nothing, and the actions on one object; `--json`."""
    parser.add_argument("action", choices=("list", *actions), nargs="?", default="list")
    parser.add_argument(kind, nargs="?", help="an id, or the path of a pin")
    table.add_json(parser)


def which(kind: str, text: str | None, by_id: Callable[[int], T], by_pin: Callable[[str], T]) -> T:
    """Open it.  SpecError for what is no id, no pin, or the pin of another kind of object."""
    if text is None:
        raise SpecError(f"which {kind}? give an id or the path of a pin")
    if text.lstrip("-").isdecimal():
        if not 0 < int(text) < 1 << 32:
            raise SpecError(f"{text} is no id: they are numbers from 1 to {(1 << 32) - 1}")
        return by_id(int(text))
    try:
        return by_pin(text)
    except TypeError as error:
        raise SpecError(str(error)) from None
    except SyscallError as error:
        if error.errno == ENOENT:
            error.hint = f"ids are numbers, pins are paths in a bpffs; `pybpf {kind} list` shows what there is"
        raise


def no_more(text: str | None, action: str) -> None:
    """An argument that an action does not take.  SpecError."""
    if text is not None:
        raise SpecError(f"{action} takes no argument, and there is {text!r}")
