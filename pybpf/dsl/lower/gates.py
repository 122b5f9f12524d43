"""Gates: what a long loop passes in each round, where the verifier takes a state for one that it has seen, instead of counting.

`may_goto` (Linux 6.9) is one instruction.  An open-coded iterator over numbers (6.4) is a pair of calls around the loop and one
in each round; it lies in 8 bytes of the stack, and is destroyed on every way out.  Iterators over what the kernel has, `for task
in tasks(None, 0):`, are gates that give something.
"""

from __future__ import annotations

from ...spec import GPL_COMPATIBLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..ssa.build import State
    from ..ssa.ir import Value
    from .compiler import Compiler

MAY_GOTO = (6, 9)
ITERATORS = (6, 4)
MAX_ROUNDS = 1 << 23  # of may_goto, bpf_loop and an iterator over numbers alike (BPF_MAX_LOOPS)


class MayGoto:
    """The kernel counts the rounds of all loops in one call of a function, and then leaves."""

    name = "may_goto"
    stays = ""  # why a tail call cannot be made in the loop
    ends = False  # whether the loop has ended by itself where the gate does not open, so that its `else` runs

    def begin(self, c: Compiler) -> None: ...

    def enter(self, c: Compiler) -> State:
        """Pass the gate; gives the state in which it leaves the loop."""
        body, leave = c.b.graph.new_block(), c.b.graph.new_block()
        c.b.end("maygoto", body, leave)
        state = c.b.state
        c.b.state = state.fork(body)
        return state.fork(leave)

    end = None  # what must be done on every way out


class Numbers:
    """An iterator over as many numbers as there may be rounds; nobody looks at them."""

    name = "an iterator over numbers"
    stays = "this loop has an iterator of the kernel to end (from Linux 6.9 it needs none)"
    ends = False

    def __init__(self) -> None:
        self.place: Any = None

    def begin(self, c: Compiler) -> None:
        self.place = c.slot(8, 8, "iterator")
        self.call(c, "new", c.b.const(0), c.b.const(MAX_ROUNDS))

    def enter(self, c: Compiler) -> State:
        found = self.call(c, "next")
        found.lo, found.hi = 0, (1 << 64) - 1
        yes, no = c.b.branch("!=", 64, found, c.b.const(0))
        c.b.state = yes
        return no

    def end(self, c: Compiler) -> None:
        self.call(c, "destroy")

    def call(self, c: Compiler, what: str, *args: Value) -> Value:
        name = f"bpf_iter_num_{what}"
        return c.b.call("kfunc", name, name, [self.place, *args])


def gate(c: Compiler, state: State) -> Any:
    """The gate of long loops on the target kernel; None where it has none for this program here."""
    if c.unit.kernel >= MAY_GOTO:
        return MayGoto()
    if c.unit.kernel >= ITERATORS and c.unit.license in GPL_COMPATIBLE and "lock" not in state.owned:
        return Numbers()
    return None


def widens(blocks: list[Any]) -> bool:
    """Whether a gate stands in these blocks or in a function that they call, or one is called back.

    The verifier forgets the numbers of the loops around it there, on the stack too.  So these must have gates as well; else
    their tests decide nothing any more, and their rounds never end.  Around a callback, which it walks until nothing is new,
    it would not keep the states of so many rounds to compare with, and walk all that follow for each.
    """
    for block in blocks:
        if block.term is not None and block.term[0] == "maygoto":
            return True
        for value in block.values:
            if value.op == "function":
                return True
            graph: Any = getattr(value.aux, "target", None) if value.op == "call" else value.aux
            if value.op == "call" and hasattr(graph, "blocks") and widens(graph.blocks):
                return True
            if isinstance(graph, str) and graph.startswith("bpf_iter_") and graph.endswith("_next"):
                return True
    return False


def behind_gate(c: Compiler) -> None:
    """Where this runs in rounds, nothing of before counts as known to the verifier from the next block on.

    The gate of an inner loop compares with the round before of the outer one, and widens what is not the same: in values, or in
    being known as equal to others.
    """
    if c.widening or c.graph in c.unit.graphs:
        c.widening = len(c.b.graph.blocks)


def fresh_block(c: Compiler) -> None:
    """Go on in a block that stands behind the last gate."""
    if c.b.state is not None and c.b.state.block.number < c.widening:
        block = c.b.graph.new_block()
        c.b.end("jump", block)
        c.b.state = c.b.state.fork(block)


__all__ = [
    "ITERATORS",
    "MAX_ROUNDS",
    "MAY_GOTO",
    "MayGoto",
    "Numbers",
    "behind_gate",
    "fresh_block",
    "gate",
    "widens",
]
