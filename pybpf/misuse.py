"""What is wrong with the arguments of a constructor, in the words of the one who called it; loaded when something is."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType
    from typing import Any


def explain(
    what: str, code: CodeType, defaults: int, args: tuple[Any, ...], kw: dict[str, Any], options: Iterable[str] = ()
) -> str:
    """What a call of `what` did wrong, "" when it named what there is, and gave all that is needed.

    `code` is the function that takes the arguments (its first parameter is not counted), `defaults` how many of its
    parameters by position have one, `options` what it takes by name beside them.
    """
    count = code.co_argcount
    places = code.co_varnames[1:count]
    named = code.co_varnames[count : count + code.co_kwonlyargcount]
    known = [*places[code.co_posonlyargcount and code.co_posonlyargcount - 1 :], *named, *options]
    unknown = [key for key in kw if key not in known]
    if unknown:
        return f"{what} has no option {unknown[0]!r}{near(unknown[0], known)}"
    needed = places[: len(places) - defaults]
    missing = [name for name in needed[len(args) :] if name not in kw]
    taken = f"{what}({', '.join([*needed, *(f'{name}=...' for name in places[len(needed) :])])})"
    if missing:
        return f"{what} needs {' and '.join(missing)}: {taken}"
    if len(args) > len(places) and not code.co_flags & 0x04:
        return f"{what} takes {len(places)} arguments by position, {len(args)} given: {taken}"
    twice = [name for name in places[: len(args)] if name in kw]
    return f"{what} was given {twice[0]} twice" if twice else ""


def near(wrong: str, known: Iterable[str]) -> str:
    """What may have been meant, or else what there is, where that is not too much to read."""
    from difflib import get_close_matches

    there = list(known)
    found = get_close_matches(wrong, there, 1, 0.66)
    if found:
        return f"; did you mean {found[0]}?"
    return f"; it takes {', '.join(there)}" if len(there) < 24 else ""
