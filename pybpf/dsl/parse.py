"""From a Python function to its AST, without `inspect` and `ast` (together they cost 15 ms of a cold start).

The text comes from the file that the code object names; where there is none (a notebook, a REPL that keeps its lines)
from `linecache` if something filled it, and otherwise from the caller's `source=`.
"""

from __future__ import annotations

import sys
from os import fstat

from ..errors import CompileError
from ..source import Source
from .program import STARTED, began

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FunctionType
    from typing import Any

_PyCF_ONLY_AST = 0x400
_files: dict[str, tuple[str, ...]] = {}
_changed: set[str] = set()
"""Files written since this process began: their text may not be that of the functions that came from them."""


class Parsed:
    """A function's AST: `node`, the `file`, and `shift`, what to add to a node's line to get the file's."""

    __slots__ = ("file", "given", "lines", "node", "shift")

    def __init__(self, node: Any, file: str, lines: tuple[str, ...], shift: int, given: bool) -> None:
        self.node = node
        self.file = file
        self.lines = lines
        self.shift = shift
        self.given = given  # whether the text came with `source=`

    def source(self, node: Any) -> Source:
        line = getattr(node, "lineno", 0)
        text = self.lines[line + self.shift - 1] if 0 < line + self.shift <= len(self.lines) else ""
        return Source(self.file, line + self.shift, max(getattr(node, "col_offset", -1) + 1, 0), text.rstrip("\n"))


def parse(fn: FunctionType, source: str | None = None) -> Parsed:
    """The AST of a function.  CompileError when its text cannot be found."""
    code = fn.__code__
    file, first = code.co_filename, code.co_firstlineno
    if code.co_name == "<lambda>":
        raise CompileError("a program has a name and lines: write it with def, not lambda", began(code))
    lines = tuple(source.splitlines(keepends=True)) if source is not None else _lines(fn, file)
    if not lines:
        raise CompileError(
            f"the source text of {fn.__name__} is not at hand ({file}): define it in a file, or pass it with "
            f"source=..., as in @xdp(source=text)"
        )
    name = code.co_name  # `functools.wraps` gives a wrapper another's __name__
    found = _block(lines, first, name) or _whole(lines, first, name, file)
    if found is None:
        if source is not None:
            raise CompileError(f"the text that source= gave {wrong_with(source, name, first)}", began(code))
        raise CompileError(
            f"{file} has no function {name} at line {first}: has the file changed since it was imported?"
        )
    node, shift = found
    if source is None and file in _changed and not same(code, node, file):
        raise CompileError(f"{file} has changed since {name} was defined (line {first}): import it anew")
    return Parsed(node, file, lines, shift, source is not None)


def wrong_with(text: str, name: str, first: int) -> str:
    try:
        compile(text, "<source>", "exec", _PyCF_ONLY_AST, dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        return f"is not Python: {error}"
    return f"has no function {name} that begins at line {first}"


def same(code: CodeType, node: Any, file: str) -> bool:
    """Whether a definition is the one that a code object was made of: it has the same names and constants."""
    from _ast import Module

    made = compile(Module(body=[node], type_ignores=[]), file, "exec", dont_inherit=True)
    again = next((c for c in made.co_consts if getattr(c, "co_name", None) == code.co_name), None)
    return again is not None and _gist(again) == _gist(code)


def _gist(code: CodeType) -> Any:
    plain = [c for c in code.co_consts if not hasattr(c, "co_code")]
    return code.co_varnames, {*code.co_names, *code.co_freevars}, plain  # its instructions depend on the imports around


def _lines(fn: FunctionType, file: str) -> tuple[str, ...]:
    known = _files.get(file)
    if known is None:
        cache = sys.modules.get("linecache")
        if cache is not None:
            kept = cache.cache.get(file)
            # Python 3.13 keeps the text of `python -c` here, under the name that all that `exec` runs has as well.
            if kept and len(kept) > 2 and (file != "<string>" or _made_of(tuple(kept[2]), fn.__code__)):
                return tuple(kept[2])
            if file.startswith("<doctest "):
                return tuple(cache.getlines(file))  # which doctest replaces while its examples run
            of_code = getattr(cache, "_getlines_from_code", None)  # the interactive interpreter since Python 3.13
            if of_code is not None and (lines := of_code(fn.__code__)):
                return tuple(lines)
        if file == "<string>" and (lines := _command(fn.__code__)):
            return lines
        if file == "<stdin>" and (lines := _typed(fn.__code__)):
            return lines
        loader = fn.__globals__.get("__loader__") if file[:1] != "<" else None
        try:
            with open(file, encoding="utf-8") as stream:
                if fstat(stream.fileno()).st_mtime > STARTED:
                    _changed.add(file)
                known = tuple(stream)
        except (OSError, UnicodeDecodeError):
            get_source = getattr(loader, "get_source", None)
            try:
                text = get_source(fn.__module__) if get_source else None
            except (ImportError, OSError):
                text = None
            return tuple(text.splitlines(keepends=True)) if text else ()
        _files[file] = known
    return known


def _command(code: CodeType) -> tuple[str, ...]:
    """The text behind `python -c`, if a function came from it; what `exec` ran has the same file name."""
    args = sys.orig_argv
    at = next((i for i, arg in enumerate(args) if arg[:1] == "-" and arg[-1:] == "c"), len(args))
    lines = tuple("".join(args[at + 1 : at + 2]).splitlines(keepends=True))
    return lines if _made_of(lines, code) else ()


def _typed(code: CodeType) -> tuple[str, ...]:
    """The text of a function typed into an interactive interpreter before Python 3.13, which keeps none: from its history of
    lines, of which the last ones that make this very function are taken."""
    readline: Any = sys.modules.get("readline")
    if readline is None:
        return ()
    last = readline.get_current_history_length()
    lines = [f"{readline.get_history_item(i)}\n" for i in range(max(last - _HISTORY, 0) + 1, last + 1)]
    for start in range(len(lines) - 1, -1, -1):
        given = tuple(lines[max(start - code.co_firstlineno + 1, 0) :])
        begins = lines[start].lstrip().startswith(("@", "def ")) and not lines[start - 1].lstrip().startswith("@")
        if begins and _made_of(given, code):
            return given
    return ()


_HISTORY = 2000
"""Lines of the history that are looked through: more than anybody types in a sitting."""


def _made_of(lines: tuple[str, ...], code: CodeType) -> bool:
    found = _block(lines, code.co_firstlineno, code.co_name)
    return found is not None and same(code, found[0], code.co_filename)


def _block(lines: tuple[str, ...], first: int, name: str) -> tuple[Any, int] | None:
    """Parse only the function's own lines, found by indentation; None when that does not give the function."""
    if not 0 < first <= len(lines):
        return None
    start = lines[first - 1]
    indent = len(start) - len(start.lstrip())
    end, seen = first - 1, False
    while end < len(lines):
        stripped = lines[end].strip()
        if seen and stripped and stripped[0] not in "#)" and len(lines[end]) - len(lines[end].lstrip()) <= indent:
            break
        if stripped.startswith(("def ", "async def ")) and len(lines[end]) - len(lines[end].lstrip()) == indent:
            seen = True
        end += 1
    text = "".join(lines[first - 1 : end])
    if indent:
        text = "if 1:\n" + text
    try:
        body = compile(text, "<function>", "exec", _PyCF_ONLY_AST, dont_inherit=True).body
    except (SyntaxError, ValueError):
        return None
    if indent:
        body = body[0].body
    node = body[0] if body else None
    if node is None or type(node).__name__ not in ("FunctionDef", "AsyncFunctionDef") or node.name != name:
        return None
    return node, first - (2 if indent else 1)


def children(node: Any) -> list[Any]:
    """The nodes directly below one of an AST, in the order in which they are written."""
    found: list[Any] = []
    for field in getattr(node, "_fields", ()):
        child = getattr(node, field, None)
        if isinstance(child, list):
            found += [n for n in child if hasattr(n, "_fields")]
        elif hasattr(child, "_fields"):
            found.append(child)
    return found


def _whole(lines: tuple[str, ...], first: int, name: str, file: str) -> tuple[Any, int] | None:
    """Parse the whole text and look for the function that begins at line `first`."""
    try:
        todo = [compile("".join(lines), file, "exec", _PyCF_ONLY_AST, dont_inherit=True)]
    except (SyntaxError, ValueError):
        return None
    while todo:
        node = todo.pop()
        if getattr(node, "name", None) == name and hasattr(node, "args"):
            starts = [d.lineno for d in node.decorator_list] + [node.lineno]
            if first in starts:
                return node, 0
        todo += children(node)
    return None
