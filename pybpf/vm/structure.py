"""Blocks put together as Python: loops as `while`, joins as blocks that are left by `break`, branches as `if`.

The dominator tree gives the nesting, as in N. Ramsey, "Beyond Relooper" (ICFP 2022). Python leaves one loop at a
time, so a jump out of several sets `x` first and each loop on the way passes it on. Irreducible or too deeply nested
code becomes a loop around a tree of tests on `pc` instead.
"""

from __future__ import annotations

from .emit import NOWHERE, Emitter
from .flow import blocks_of, dominators, liveness, order
from .memory import FRAME_SIZE
from .ranges import join, refined, widen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .emit import Line, Shape, State, Value
    from .flow import Block
    from .image import Image

_MAX_NESTING = 17  # Python allows 20 loops and tries inside one another
_MAX_INDENT = 80
_SHORT = 4  # instructions of a block that ends the program and is repeated rather than jumped to


class _TooDeepError(Exception):
    """The structured form does not fit Python."""


class Function:
    """The text of one translated function: `lines` are (text, slot, instructions counted before it)."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.lines: list[Line] = []
        self.promoted: dict[int, int] = {}
        self.uses: set[str] = set()
        self.calls: dict[int, list[list[Value]]] = {}


def write(image: Image, start: int, shape: Shape, arguments: list[Value]) -> Function:
    """Translate the function that begins at slot `start`; `arguments` is what is known of r1 to r5."""
    blocks = blocks_of(image, start, image.end_of(start))
    sequence = order(blocks, start)
    liveness(blocks, sequence)
    promoted = _promotable(blocks)
    emitter = Emitter(shape, image.starts, promoted)
    slots = {at: (size, (0, 0)) for at, size in promoted.items()} if promoted else {}
    entry: State = [None, *arguments, None, None, None, None, ("f", 0), slots]
    texts = _flow(emitter, blocks, sequence, entry)
    function = Function(start)
    function.promoted = promoted or {}
    function.uses = emitter.uses
    function.calls = emitter.calls
    writer = _Writer(function, blocks, sequence, texts)
    try:
        writer.structured()
    except (_TooDeepError, RecursionError):  # the writer's own recursion goes as deep as the chain of blocks
        function.lines = []
        writer.flat()
    return function


def _promotable(blocks: dict[int, Block]) -> dict[int, int] | None:
    """Stack slots by offset with their sizes, when every use of r10 is a direct access and none overlaps another;
    else None.
    """
    slots: dict[int, int] = {}
    for block in blocks.values():
        for _, insn in block.code:
            opcode, dst, src, off, _, _ = insn
            if dst != 10 and src != 10:
                continue
            cls = opcode & 7
            plain = opcode & 0xE0 == 0x60
            if (
                (plain and cls == 1 and src == 10 and dst != 10)
                or (plain and cls == 3 and dst == 10 and src != 10)
                or (plain and cls == 2 and dst == 10)
            ):
                pass
            else:
                return None
            size = (4, 2, 1, 8)[opcode >> 3 & 3]
            if opcode & 0xE0 == 0x80 or slots.setdefault(off, size) != size or not -FRAME_SIZE <= off <= -size:
                return None
    end = -FRAME_SIZE
    for at in sorted(slots):
        if at < end:
            return None
        end = at + slots[at]
    return slots


class _Text:
    """A written block: its lines, the condition of its jump, and how many instructions it counts."""

    __slots__ = ("condition", "count", "lines", "state")

    def __init__(self, lines: list[Line], condition: str, count: int, state: State) -> None:
        self.lines = lines
        self.condition = condition
        self.count = count
        self.state = state


def _flow(emitter: Emitter, blocks: dict[int, Block], sequence: list[int], entry: State) -> dict[int, _Text]:
    """Write every block, going round loops until what is known where they begin no longer changes."""
    number = {first: i for i, first in enumerate(sequence)}
    start = sequence[0]
    around: dict[int, State] = {}  # what came back to the beginning of a loop so far
    texts: dict[int, _Text] = {}
    states: dict[int, State] = {}
    for sweep in range(8):
        changed = False
        incoming: dict[int, State] = {start: entry}
        for first in sequence:
            state = incoming[first]
            if first in around:
                state = join(state, around[first])
            block = blocks[first]
            if first not in texts or states[first] != state:
                states[first] = state
                condition, after = emitter.block(block, state.copy())
                texts[first] = _Text(emitter.lines, condition, emitter.count, after)
            text = texts[first]
            last = block.code[-1][1] if text.condition else None
            for target, taken in ((block.fall, False), (block.jump, True)):
                if target is None:
                    continue
                behind = refined(last, text.state, taken) if last is not None else text.state
                if number[target] > number[first]:
                    known = incoming.get(target)
                    incoming[target] = behind if known is None else join(known, behind)
                else:
                    before = around.get(target)
                    new = widen(before or states[target], behind, sweep)
                    if before is None or new != before:
                        around[target] = new
                        changed = True
        if not changed:
            return texts
    raise AssertionError("ranges of a loop did not settle")


class _Frame:
    """A `while` around the text being written: a loop that begins at `node`, or a block that ends where `node`
    begins.
    """

    __slots__ = ("escapes", "loop", "node")

    def __init__(self, node: int, loop: bool) -> None:
        self.node = node
        self.loop = loop
        self.escapes: set[int] = set()


class _Writer:
    def __init__(
        self, function: Function, blocks: dict[int, Block], sequence: list[int], texts: dict[int, _Text]
    ) -> None:
        self.function = function
        self.blocks = blocks
        self.texts = texts
        self.out = function.lines
        self.short = {
            f for f in sequence[1:] if len(blocks[f].code) <= _SHORT and not blocks[f].next and blocks[f].broken is None
        }
        self.sequence = [f for f in sequence if f not in self.short]
        self.number = {first: i for i, first in enumerate(self.sequence)}
        self.frames: list[_Frame] = []
        self.indent = 0
        self.nesting = 0

    def put(self, text: str, slot: int = NOWHERE, count: int = 0) -> None:
        self.out.append((" " * self.indent + text, slot, count, None))

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
        idom = dominators(self.sequence, before)
        for target in self.loops:
            for source in before[target]:
                if self.number[source] >= self.number[target] and not _dominates(idom, target, source):
                    raise _TooDeepError  # irreducible
        self.joins: dict[int, list[int]] = {first: [] for first in self.sequence}
        for first in self.sequence[1:]:
            if forward[first] > 1:
                self.joins[idom[first]].append(first)
        self.merges = {first for first, count in forward.items() if count > 1}
        self.tree(self.sequence[0], 0)

    def tree(self, node: int, pending: int) -> None:
        """Write a block and everything that it dominates."""
        if self.indent > _MAX_INDENT:
            raise _TooDeepError
        # The join that comes first in the order ends the innermost block.
        joins = self.joins[node]
        if node not in self.loops:
            self.within(node, joins, len(joins), pending)
            return
        if pending:
            self.put(f"n += {pending}")
        frame = self.open(node, True)
        self.within(node, joins, len(joins), 0)
        self.close(frame)

    def within(self, node: int, joins: list[int], left: int, pending: int) -> None:
        if not left:
            self.block(node, pending)
            return
        join = joins[left - 1]
        frame = self.open(join, False)
        self.within(node, joins, left - 1, pending)
        self.close(frame)
        self.tree(join, 0)

    def open(self, node: int, loop: bool) -> _Frame:
        self.nesting += 1
        if self.nesting > _MAX_NESTING:
            raise _TooDeepError
        frame = _Frame(node, loop)
        self.put("while True:")
        self.indent += 1
        self.frames.append(frame)
        return frame

    def close(self, frame: _Frame) -> None:
        self.frames.pop()
        self.indent -= 1
        self.nesting -= 1
        for target in sorted(frame.escapes):
            inner = self.frames[-1]
            if inner.node == target:
                self.put(f"if x == {target}: x = None; {'continue' if inner.loop else 'break'}")
            else:
                inner.escapes.add(target)
                self.put(f"if x == {target}: break")

    def block(self, node: int, pending: int) -> None:
        text = self.texts[node]
        self.copy(text, pending)
        block = self.blocks[node]
        pending += text.count
        if text.condition:
            assert block.jump is not None
            assert block.fall is not None
            last = block.code[-1][0]
            self.put(f"if {text.condition}:", last, pending - 1)
            self.indent += 1
            self.branch(node, block.jump, pending)
            self.indent -= 1
            self.branch(node, block.fall, pending)
        elif block.jump is not None:
            self.branch(node, block.jump, pending)
        elif block.fall is not None:
            self.branch(node, block.fall, pending)

    def copy(self, text: _Text, pending: int) -> None:
        room = " " * self.indent
        append = self.out.append
        for line, slot, count, virtual in text.lines:
            line = room + (line.replace("{pending}", str(pending)) if "{" in line else line)
            append((line, slot, pending + count, virtual))

    def branch(self, source: int, target: int, pending: int) -> None:
        if target in self.short:
            self.copy(self.texts[target], pending)
            return
        back = self.number[target] <= self.number[source]
        if not back and target not in self.merges:
            self.tree(target, pending)
            return
        if pending:
            self.put(f"n += {pending}")
        if back:
            self.put("if n > S.budget: S.insns = n; raise S.out_of_budget()", self.blocks[target].first)
        frame = self.frames[-1]
        if frame.node == target and frame.loop == back:
            self.put("continue" if back else "break")
            return
        # The name of a place must say whether it is a loop's beginning: one block can be both.
        for outer in reversed(self.frames):
            if outer.node == target and outer.loop == back:
                break
        frame.escapes.add(target)
        self.function.uses.add("x")
        self.put(f"x = {target}")
        self.put("break")

    # --- flat --------------------------------------------------------------------------------------------

    def flat(self) -> None:
        """A loop around a tree of comparisons with the number of the block to run."""
        self.out = self.function.lines
        self.short = set()
        nodes = list(self.texts)
        self.number = {first: i for i, first in enumerate(nodes)}
        self.indent = 0
        self.put("pc = 0")
        self.put("while True:")
        self.indent = 1
        self.put("if n > S.budget: S.insns = n; raise S.out_of_budget()")
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
        self.put(f"n += {text.count}", block.code[-1][0])
        if text.condition:
            assert block.jump is not None
            assert block.fall is not None
            self.put(
                f"pc = {self.number[block.jump]} if {text.condition} else {self.number[block.fall]}", block.code[-1][0]
            )
        else:
            self.put(f"pc = {self.number[block.next[0]]}")


def _dominates(idom: dict[int, int], a: int, b: int) -> bool:
    while b != a:
        if idom[b] == b:
            return False
        b = idom[b]
    return True
