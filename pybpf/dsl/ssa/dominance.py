"""Which blocks stand on every way to a block, kept while the graph grows; and what is known because of it.

Each block knows its immediate dominator, and an ancestor further up to jump to, chosen so that any ancestor is found in
a logarithmic number of steps (Myers, "An applicative random-access stack", 1983).  What a branch has shown holds in all blocks
that the branch's target dominates, so facts are looked up by dominance and nothing is copied at branches.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .ir import Block

_ENOUGH = 4  # entries looked at before the answer is noted again


def enter(block: Block, pred: Block) -> None:
    """Take an edge from `pred` into account.  An edge back from a loop's body changes nothing."""
    above = pred if block.above is None else nearest(block.above, pred)
    block.above = above
    block.depth = above.depth + 1
    leap = above.leap or above
    far = leap.leap or leap
    block.leap = far if above.depth - leap.depth == leap.depth - far.depth else above


def dominates(a: Block, b: Block) -> bool:
    """Whether every way to `b` leads through `a`."""
    depth = a.depth
    while b.depth > depth:
        leap = b.leap
        b = leap if leap.depth >= depth else b.above  # type: ignore[union-attr,assignment]
    return a is b


def nearest(a: Block, b: Block) -> Block:
    """The last block that stands on every way to both."""
    while a is not b:
        if a.depth < b.depth:
            a, b = b, a
        if a.depth > b.depth:
            leap = a.leap
            a = leap if leap.depth >= b.depth else a.above  # type: ignore[union-attr,assignment]
        elif a.leap is not b.leap:
            a, b = a.leap, b.leap  # type: ignore[assignment]
        else:
            a, b = a.above, b.above  # type: ignore[assignment]
    return a


class Facts:
    """What is known at one point, as a mapping: Value -> (lo, hi), ("null", Value) -> True, ...

    `known` is shared by all points of a graph: for each key the blocks where something was learnt, the latest last.
    """

    __slots__ = ("known", "point")

    def __init__(self, known: dict[Any, list[tuple[Block, Any]]], point: Any) -> None:
        self.known = known
        self.point = point  # a State: its block may change while code is added

    def get(self, key: Any, default: Any = None) -> Any:
        entries = self.known.get(key)
        if entries is None:
            return default
        here = self.point.block
        found = None
        steps = 0
        for block, fact in reversed(entries):
            if block is here or dominates(block, here):
                found = fact
                break
            steps += 1
        if steps > _ENOUGH:
            entries.append((here, found))
        return default if found is None else found

    def __contains__(self, key: Any) -> bool:
        return self.get(key) is not None

    def __setitem__(self, key: Any, fact: Any) -> None:
        block = self.point.block
        self.known.setdefault(key, []).append((block, fact))
        block.learnt[key] = fact

    def since(self, above: Block) -> dict[Any, Any]:
        """What was learnt on the way from `above` to this point."""
        found: dict[Any, Any] = {}
        block = self.point.block
        while block is not above:
            for key, fact in block.learnt.items():
                found.setdefault(key, fact)
            block = block.above
        return found


def meet(states: list[Any], into: Facts) -> None:
    """What all of `states` know, for the point where they meet: of intervals, one that holds them all."""
    above = into.point.block.above
    first, *others = sorted((state.facts.since(above) for state in states), key=len)
    for key, fact in first.items():
        facts = [fact, *(other.get(key) for other in others)]
        if None not in facts:
            into[key] = joined(facts)


def joined(facts: list[Any]) -> Any:
    """What is known where facts of one kind meet: that something holds, an interval, or one with the number of a block."""
    first = facts[0]
    if first is True:
        return True
    if first[0].__class__ is tuple:
        return joined([interval for interval, _ in facts]), min(number for _, number in facts)
    return min(f[0] for f in facts), max(f[1] for f in facts)
