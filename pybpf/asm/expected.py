"""What the assembler expected where a line went wrong; only loaded when one did."""

from __future__ import annotations

from .table import ROWS, TO_CLASSES, TO_NAMED_CLASSES

_WORD = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")
_SPOKEN = {
    "r": "a register r0 to r10",
    "w": "a register w0 to w10",
    "N": "a number",
    "O": "an offset such as + 8",
    "X": "a name",
}
_MOST = 8  # alternatives worth listing


def expected(classes: list[str]) -> tuple[int, str]:
    """(index of the first token that leads nowhere, what could have stood there), for a line that is no instruction."""
    live = _SHAPES
    index = 0
    while index < len(classes):
        going_on = [shape for shape in live if len(shape) > index and shape[index] == classes[index]]
        if not going_on:
            break
        live = going_on
        index += 1
    options = sorted({shape[index] if len(shape) > index else "" for shape in live}, key=_last_words)
    if index == 0 or not options:
        return index, "an instruction"
    spoken = [_SPOKEN.get(option, f"`{option}`" if option else "the end of the line") for option in options]
    if len(spoken) > _MOST:
        spoken = [*spoken[:_MOST], "..."]
    return index, spoken[0] if len(spoken) == 1 else ", ".join(spoken[:-1]) + " or " + spoken[-1]


def _last_words(option: str) -> tuple[bool, str]:
    return option not in _SPOKEN, option


def _split(shape: str) -> tuple[str, ...]:
    """A shape with its spaces as a tuple of token classes."""
    out: list[str] = []
    word = ""
    for c in shape + " ":
        if c in _WORD:
            word += c
            continue
        if word:
            out.append(word)
            word = ""
        if c != " ":
            out.append(c)
    return tuple(out)


_SHAPES = sorted({_split(row[1].translate(table)) for row in ROWS for table in (TO_CLASSES, TO_NAMED_CLASSES)})
