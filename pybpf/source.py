"""`Source`: a place in a text that a person wrote, kept by instructions and by errors."""

from __future__ import annotations


class Source(tuple[str, int, int, str]):
    """A place: `file`, `line` and `column` (both counted from 1; column 0 = unknown), and the `text` of the line."""

    __slots__ = ()

    def __new__(cls, file: str, line: int, column: int = 0, text: str = "") -> Source:
        return tuple.__new__(cls, (file, line, column, text))

    def __getnewargs__(self) -> tuple[str, int, int, str]:
        return (self[0], self[1], self[2], self[3])  # for copy and pickle

    @property
    def file(self) -> str:
        return self[0]

    @property
    def line(self) -> int:
        return self[1]

    @property
    def column(self) -> int:
        return self[2]

    @property
    def text(self) -> str:
        return self[3]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.column else f"{self.file}:{self.line}"

    def __repr__(self) -> str:
        return f"Source({self.file!r}, {self.line}, {self.column}, {self.text!r})"

    def excerpt(self) -> str:
        """The line with a caret below its column, each on a line of its own; "" when the text is not known."""
        if not self.text:
            return ""
        line = self.text.expandtabs(1).rstrip()
        caret = "\n    " + " " * (self.column - 1) + "^" if self.column else ""
        return f"\n    {line}{caret}"


class Counting:
    """Whether somebody counts which lines of programs run: each line that does something then has code of its own."""

    lines = False
