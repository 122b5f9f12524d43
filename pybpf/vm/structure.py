"""Blocks put together as Python: loops as `while`, joins as blocks that are left by `break`, branches as `if`.

The dominator tree gives the nesting, as in N. Ramsey, "Beyond Relooper" (ICFP 2022). Python leaves one loop at a
time, so a jump out of several sets `x` first and each loop on the way passes it on. Irreducible or too deeply nested
code becomes a loop around a tree of tests on `pc` instead.
"""

from __future__ import annotations

from bisect import bisect_right

from .access import stack_text
from .emit import NOWHERE
from .flow import dominators
from .memory import FRAME_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .emit import Place
    from .function import Function, Written

    _Todo = tuple[int, int, int, int]  # what, the block or line, instructions not counted yet, indentation

_MAX_NESTING = 17  # Python allows 20 loops and tries inside one another
_MAX_INDENT = 80
_BODY = 1  # columns that the body of a function is indented by
_FEW = 4  # ways into a join that ends an `if`: long chains would be indented ever deeper
_SHORT = 4  # instructions of a block that ends the program and is repeated rather than jumped to
_PROLOGUE = {
    "CB": "CB = S.ctx.data",
    "CP": "CP = S.ctx.pointers",
    "PK": "PK = S.ctx.packet.view",
    "B": "B = S.budget - S.insns",
}

_ENTER, _JOIN, _ELSE, _FOLD, _FALLS, _CLOSE = range(6)
_SIMPLE = ("return ", "n += ", "break")


class TooDeepError(Exception):
    """The structured form does not fit Python."""


class Text:
    """Lines of Python, and where they come from.

    `origins` are (first line, instructions executed between `n` and there, places): the lines from the first one on
    have these places, and what follows behind them has none.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.origins: list[tuple[int, int, list[Place]]] = []

    def put(self, line: str) -> None:
        self.lines.append(line)

    def place_of(self, line: int) -> Place:
        """Where a line comes from; its count is from the last time on that `n` was brought up to date."""
        at = bisect_right(self.origins, line, key=_first) - 1
        if at >= 0:
            first, pending, places = self.origins[at]
            if line - first < len(places):
                slot, count, texts = places[line - first]
                return slot, pending + count, texts
        return NOWHERE, 0, {}


def _first(origin: tuple[int, int, list[Place]]) -> int:
    return origin[0]


class _Frame:
    """A `while` around the text being written: a loop that begins at `node`, or a block that ends where `node`
    begins.
    """

    __slots__ = ("escapes", "loop", "node")

    def __init__(self, node: int, loop: bool) -> None:
        self.node = node
        self.loop = loop
        self.escapes: set[int] = set()


class Writer:
    def __init__(self, out: Text, function: Function) -> None:
        self.out = out
        self.function = function
        self.uses = function.uses
        self.blocks = blocks = function.blocks
        self.texts = function.texts
        sequence = function.sequence
        self.short = {
            f for f in sequence[1:] if not blocks[f].next and len(blocks[f].code) <= _SHORT and blocks[f].broken is None
        }
        self.sequence = [f for f in sequence if f not in self.short] if self.short else sequence
        self.number = {first: i for i, first in enumerate(self.sequence)}
        self.frames: list[_Frame] = []
        self.indent = _BODY
        self.falls = False
        self.counter = ""

    def put(self, text: str) -> None:
        self.out.lines.append(" " * self.indent + text)

    def begin(self, counts: bool) -> None:
        """The head of the function; `counts` tells whether there is an `n` for instructions executed."""
        uses, function = self.uses, self.function
        self.counter = "n + " if counts else ""
        parameters = "".join(f", r{reg}" for reg in function.parameters)
        self.out.put(f"def f{function.entry}(S{parameters}):")
        self.counted = len(self.out.lines)  # where the line is that gains `x = None` at need
        if counts:
            self.put("n = 0")
        for name, line in _PROLOGUE.items():
            if name in uses:
                self.put(line)
        if function.resumed:
            for at, size in function.promoted.items():
                self.put(f"s{-at} = {stack_text(FRAME_SIZE + at, size)}")
        elif function.promoted:
            self.put(" = ".join(f"s{-at}" for at in function.promoted) + " = 0")

    # --- structured ------------------------------------------------------------------------------------

    def structured(self) -> None:
        before: dict[int, list[int]] = {first: [] for first in self.sequence}
        forward = dict.fromkeys(self.sequence, 0)
        self.loops: set[int] = set()
        for first in self.sequence:
            for target in self.blocks[first].next:
                if target in self.short:
                    continue
                before[target].append(first)
                if self.number[target] > self.number[first]:
                    forward[target] += 1
                else:
                    self.loops.add(target)
        self.ahead: dict[int, int] = {}  # by join: instructions executed there beyond `n`
        self.merges = {first for first, count in forward.items() if count > 1}
        self.joins: dict[int, list[int]] = {first: [] for first in self.sequence}
        self.ifs: set[int] = set()
        if self.merges or self.loops:
            idom = dominators(self.sequence, before, self.number, bool(self.loops))
            for target in self.loops:
                for source in before[target]:
                    if self.number[source] >= self.number[target] and not _dominates(idom, target, source):
                        raise TooDeepError  # irreducible
            for first in self.sequence[1:]:
                if forward[first] > 1:
                    self.joins[idom[first]].append(first)
            if few := {first for first in self.merges if forward[first] <= _FEW}:
                self.ifs = few - self.jumped_over(idom)
        if self.loops:
            self.uses.add("B")
        self.begin(bool(self.merges or self.loops or "n" in self.uses))
        self.write()

    def jumped_over(self, idom: dict[int, int]) -> set[int]:
        """The joins that are reached from inside the frame of another one, or of a loop: `if` and `else` do not end
        there.
        """
        found: set[int] = set()
        # The frames in which each block begins and ends, by the block behind them (None for a loop, or for no frame).
        begins: dict[int, int | None] = {}
        ends: dict[int, int | None] = {}
        for node in self.sequence:
            above = idom[node]
            if node in self.merges:
                behind = self.joins[above]
                later = behind.index(node) + 1
                frame = behind[later] if later < len(behind) else begins[above]
            else:
                frame = ends.get(above)
            begins[node] = frame = None if node in self.loops else frame
            joins = self.joins[node]
            ends[node] = frame = joins[0] if joins else frame
            for target in self.blocks[node].next:
                if target in self.merges and target != frame and self.number[target] > self.number[node]:
                    found.add(target)
        return found

    def write(self) -> None:
        """Write the blocks along the dominator tree.

        What is still to do waits on a stack with its indentation; `falls` is whether control may fall out at the end
        of what was written last.
        """
        todo: list[_Todo] = [(_ENTER, self.sequence[0], 0, _BODY)]
        while todo:
            what, node, pending, self.indent = todo.pop()
            if what == _ENTER:
                self.enter(todo, node, pending)
            elif what == _JOIN:
                self.enter(todo, node, self.ahead.get(node, 0))
            elif what == _ELSE:
                target = self.blocks[node].fall
                assert target is not None
                lines = self.out.lines
                if lines[-1][-1] == ":":  # nothing to do before the join: the other way only
                    lines[-1] = f"{' ' * self.indent}if {_negated(self.texts[node].condition)}:"
                    todo.append((_FALLS, len(lines) - 1, 0, 0))
                    self.indent += 1
                elif self.falls:
                    todo.append((_FALLS, len(lines), 0, 0))
                    self.put("else:")
                    self.indent += 1
                self.branch(todo, node, target, pending)
            elif what == _FOLD:
                self.fold(node)
            elif what == _CLOSE:
                self.close(self.frames.pop())
            else:
                self.fold(node)
                if self.out.lines[-1][-1] == ":":
                    self.out.lines[-1] += " pass"
                self.falls = True

    def fold(self, head: int) -> None:
        """Put what follows the line `head` behind its colon, when it is one simple statement that does not raise."""
        lines = self.out.lines
        if len(lines) == head + 2 and (only := lines[-1].lstrip()).startswith(_SIMPLE):
            lines.pop()
            lines[head] += " " + only
            if self.out.origins[-1][0] > head:
                self.out.origins.pop()

    def enter(self, todo: list[_Todo], node: int, pending: int) -> None:
        """Write a block; what it dominates is to be done next."""
        if self.indent > _MAX_INDENT:
            raise TooDeepError
        if node in self.loops:
            if pending:
                self.put(f"n += {pending}")
            pending = 0
            self.open(todo, node, True)
        # Each join follows the frame that ends there; the one that comes first in the order ends the innermost.
        for behind in reversed(self.joins[node]):
            todo.append((_JOIN, behind, 0, self.indent))
            if behind not in self.ifs:
                self.open(todo, behind, False)
        text = self.texts[node]
        self.copy(text, pending)
        block = self.blocks[node]
        pending += text.count
        if text.condition:
            assert block.jump is not None
            todo.append((_ELSE, node, pending, self.indent))
            todo.append((_FOLD, len(self.out.lines), 0, 0))
            self.put(f"if {text.condition}:")
            self.indent += 1
            self.branch(todo, node, block.jump, pending)
            return
        target = block.fall if block.jump is None else block.jump
        if target is None:
            self.falls = False
        else:
            self.branch(todo, node, target, pending)

    def open(self, todo: list[_Todo], node: int, loop: bool) -> None:
        self.frames.append(_Frame(node, loop))
        if len(self.frames) > _MAX_NESTING:
            raise TooDeepError
        todo.append((_CLOSE, 0, 0, self.indent))
        self.put("while True:")
        self.indent += 1

    def close(self, frame: _Frame) -> None:
        for target in sorted(frame.escapes):
            inner = self.frames[-1]
            if inner.node == target:
                self.put(f"if x == {target}: x = None; {'continue' if inner.loop else 'break'}")
            else:
                inner.escapes.add(target)
                self.put(f"if x == {target}: break")
        self.falls = False

    def copy(self, text: Written, pending: int) -> None:
        room = " " * self.indent
        lines = self.out.lines
        self.out.origins.append((len(lines), pending, text.places))
        if not text.counted:
            lines += [room + line for line in text.lines]
            return
        for at, line in enumerate(text.lines):
            lines.append(
                room
                + (line.replace("{}", f"{self.counter}{pending + text.places[at][1] + 1}") if "{" in line else line)
            )

    def put_budget(self, slot: int) -> None:
        self.out.origins.append((len(self.out.lines), 0, [(slot, 0, {})]))
        self.put("if n > B: OVER(S, n)")

    def branch(self, todo: list[_Todo], source: int, target: int, pending: int) -> None:
        """Go on at `target`."""
        self.falls = False
        if target in self.short:
            self.copy(self.texts[target], pending)
            return
        back = self.number[target] <= self.number[source]
        if not back and target not in self.merges:
            todo.append((_ENTER, target, pending, self.indent))
            return
        # Whoever comes first to a join leaves what is pending to it, so that only the others have to count.
        ahead = pending - (0 if target in self.loops else self.ahead.setdefault(target, pending))
        if ahead:
            self.put(f"n += {ahead}" if ahead > 0 else f"n -= {-ahead}")
        if not back and target in self.ifs:
            self.falls = True
            return
        if back:
            self.put_budget(self.blocks[target].first)
        frame = self.frames[-1]
        if frame.node == target and frame.loop == back:
            self.put("continue" if back else "break")
            return
        # The name of a place must say whether it is a loop's beginning: one block can be both.
        for outer in reversed(self.frames):
            if outer.node == target and outer.loop == back:
                break
        frame.escapes.add(target)
        self.out.lines[self.counted] = " n = 0; x = None"
        self.put(f"x = {target}")
        self.put("break")

    # --- flat --------------------------------------------------------------------------------------------

    def flat(self) -> None:
        """A loop around a tree of comparisons with the number of the block to run."""
        self.short = set()
        nodes = list(self.texts)
        self.number = {first: i for i, first in enumerate(nodes)}
        self.uses.add("B")
        self.begin(True)
        self.put("pc = 0")
        self.put("while True:")
        self.indent += 1
        self.put("if n > B: OVER(S, n)")
        self.choose(nodes, 0, len(nodes))

    def choose(self, nodes: list[int], low: int, high: int) -> None:
        if high - low > 1:
            middle = (low + high) // 2
            self.put(f"if pc < {middle}:")
            self.indent += 1
            self.choose(nodes, low, middle)
            self.indent -= 1
            self.put("else:")
            self.indent += 1
            self.choose(nodes, middle, high)
            self.indent -= 1
            return
        text = self.texts[nodes[low]]
        block = self.blocks[nodes[low]]
        self.copy(text, 0)
        if not block.next:
            return
        if text.condition:
            assert block.jump is not None
            assert block.fall is not None
            self.put(f"pc = {self.number[block.jump]} if {text.condition} else {self.number[block.fall]}")
        else:
            self.put(f"pc = {self.number[block.next[0]]}")
        self.put(f"n += {text.count}")


def _negated(condition: str) -> str:
    if " == " in condition:
        return condition.replace(" == ", " != ")
    return condition[4:] if condition.startswith("not ") else f"not {condition}"


def _dominates(idom: dict[int, int], a: int, b: int) -> bool:
    while b != a:
        if idom[b] == b:
            return False
        b = idom[b]
    return True
