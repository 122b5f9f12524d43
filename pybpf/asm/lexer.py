"""One line of assembly to tokens.

Written by hand: a script that assembles ten lines must not pay for importing `re`.
"""

from __future__ import annotations

from .table import KEYWORDS, LAST_REGISTER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Token = tuple[str, int | str, int]

# A token is (class, value, column).  Classes are those of `table.SHAPES`: "r" and "w" registers, "N" a number, "O" a
# number with a sign behind a register or a bracket, "X" a name; anything else stands for itself.

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.$")
_DIGITS = frozenset("0123456789")
_WORD = _LETTERS | _DIGITS
_PUNCTUATION = frozenset("()[]*+-=<>!&|^/%,:")
_BEFORE_OFFSET = frozenset(("r", "w", ")", "]"))
_ESCAPES = {"n": 10, "t": 9, "r": 13, "0": 0, "\\": 92, "'": 39, '"': 34}
REGISTERS = {f"{kind}{n}": (kind, n) for kind in "rw" for n in range(LAST_REGISTER + 1)}


class Misread(Exception):
    """Internal: what is wrong, and at which column; becomes an AsmError that knows the line."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message)
        self.message = message
        self.column = column


class Line:
    """The tokens of a line, `rest` = what follows a `;` (None without one), `open` = a block comment goes on."""

    __slots__ = ("open", "rest", "tokens")

    def __init__(self) -> None:
        self.tokens: list[Token] = []
        self.rest: str | None = None
        self.open = False


def tokenize(text: str, constants: Mapping[str, int], start: int = 0) -> Line:
    """The tokens of `text` from `start` on.  Comments begin with `#`, `//` or `;`, or stand in `/* */`."""
    line = Line()
    tokens = line.tokens
    i, end = start, len(text)
    while i < end:
        c = text[i]
        if c in " \t\r":
            i += 1
        elif c in _LETTERS:
            j = _word_end(text, i)
            tokens.append(_word(text[i:j], constants, i + 1))
            i = j
        elif c in _DIGITS or c == "'":
            value, j = _number(text, i)
            tokens.append(("N", value, i + 1))
            i = j
        elif text.startswith("//", i) or (c == "#" and not _numbers_a_call(text, i, tokens)):
            break
        elif text.startswith("/*", i):
            closing = text.find("*/", i + 2)
            if closing < 0:
                line.open = True
                break
            i = closing + 2
        elif c == ";":
            line.rest = text[i + 1 :]
            break
        elif c in "+-":
            i = _sign(text, i, tokens, constants)
        elif c in _PUNCTUATION or c == "#":
            tokens.append((c, c, i + 1))
            i += 1
        elif c == '"':
            name, j = _quoted(text, i)
            tokens.append(("X", name, i + 1))
            i = j
        else:
            raise Misread(f"{c!r} has no meaning here", i + 1)
    return line


def _word_end(text: str, i: int) -> int:
    while i < len(text) and text[i] in _WORD:
        i += 1
    return i


def _word(word: str, constants: Mapping[str, int], column: int) -> Token:
    register = REGISTERS.get(word)
    if register is not None:
        return (*register, column)
    if word in KEYWORDS:
        return word, word, column
    if word in constants:
        return "N", constants[word], column
    if word[0] in "rw" and word[1:].isdigit() and len(word) < 4:
        raise Misread(f"{word} is no register: there are r0 to r10 and w0 to w10", column)
    return "X", word, column


def _number(text: str, i: int) -> tuple[int, int]:
    """(value, index behind it) of the number or character that begins at `i`."""
    if text[i] == "'":
        return _character(text, i)
    j = _word_end(text, i)
    digits = text[i:j]
    try:
        return int(digits, 0), j
    except ValueError:
        if digits.isdigit() and digits[0] == "0" and len(digits) < 80:
            raise Misread(f"{digits} could be octal: write {int(digits)} or 0o{digits.lstrip('0')}", i + 1) from None
        shown = digits if len(digits) <= 80 else digits[:80] + "..."
        raise Misread(f"{shown} is no number: expected decimal, 0x, 0o or 0b digits", i + 1) from None


def _character(text: str, i: int) -> tuple[int, int]:
    body, j = text[i + 1 : i + 2], i + 2
    if body == "\\":
        kind = text[j : j + 1]
        if kind == "x" and all(c in "0123456789abcdefABCDEF" for c in text[j + 1 : j + 3].ljust(2)):
            value, j = int(text[j + 1 : j + 3], 16), j + 3
        elif kind in _ESCAPES:
            value, j = _ESCAPES[kind], j + 1
        else:
            raise Misread("expected \\n, \\t, \\r, \\0, \\\\, \\', \\\" or \\xHH after the backslash", j + 1)
    elif body and body != "'" and body.isascii():
        value = ord(body)
    else:
        raise Misread("expected one ASCII character between the quotes", i + 1)
    if text[j : j + 1] != "'":
        raise Misread("expected a quote behind the character", j + 1)
    return value, j + 1


def _sign(text: str, i: int, tokens: list[Token], constants: Mapping[str, int]) -> int:
    """Take a sign with its number as one token, and any other + or - alone; returns where to go on."""
    sign = -1 if text[i] == "-" else 1
    j = i + 1
    if text[i : i + 2] == "+-":  # (r10 +-8), as printf's %+d never writes but people do
        sign, j = -1, i + 2
    while j < len(text) and text[j] in " \t":
        j += 1
    value, end = None, j
    if j < len(text):
        if text[j] in _DIGITS or text[j] == "'":
            value, end = _number(text, j)
        elif text[j] in _LETTERS:
            end = _word_end(text, j)
            value = constants.get(text[j:end])
    if value is None:
        tokens.append((text[i], text[i], i + 1))
        return i + 1
    offset = bool(tokens) and tokens[-1][0] in _BEFORE_OFFSET
    tokens.append(("O" if offset else "N", sign * value, i + 1))
    return end


def _quoted(text: str, i: int) -> tuple[str, int]:
    """(name, index behind it) of a quoted name; it may hold \\\\, \\", and \\u{HEX} for any character."""
    out = []
    j = i + 1
    while j < len(text) and text[j] != '"':
        if text[j] == "\\":
            closing = text.find("}", j)
            code = text[j + 3 : closing]
            if text[j + 1 : j + 2] in ("\\", '"') and text[j + 1 : j + 2]:
                out.append(text[j + 1])
                j += 2
            elif (
                text[j + 1 : j + 3] == "u{" and 0 < len(code) <= 6 and all(c in "0123456789abcdefABCDEF" for c in code)
            ):
                if int(code, 16) > 0x10FFFF:
                    raise Misread("expected a character up to \\u{10ffff}", j + 1)
                out.append(chr(int(code, 16)))
                j = closing + 1
            else:
                raise Misread('expected \\\\, \\" or \\u{HEX} in the quoted name', j + 1)
        else:
            out.append(text[j])
            j += 1
    if j >= len(text):
        raise Misread("expected a closing quote", i + 1)
    if j == i + 1:
        raise Misread("expected a name between the quotes", i + 1)
    return "".join(out), j + 1


def _numbers_a_call(text: str, i: int, tokens: list[Token]) -> bool:
    """Whether the # at `i` is that of `call bpf_map_lookup_elem#1`, as the kernel prints it, and begins no comment."""
    if not tokens or tokens[0][0] != "call" or text[i - 1] not in _WORD:
        return False
    return text[i + 1 : i + 2] in _WORD or (text[i + 1 : i + 2] == "-" and text[i + 2 : i + 3] in _DIGITS)
