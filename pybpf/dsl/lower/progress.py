"""How many rounds a while loop may take, as far as its text shows: by its test, and by tests in its body that leave it.

`while i < 100:` takes 100 rounds at most when each round adds to `i`, and nothing else assigns it; so does `while True:` with
`if i >= 100: break`.  What a round may skip, because a `continue` stands before it, says nothing.
"""

from __future__ import annotations

from _ast import Constant

from ..objects.values import Const, Int
from ..parse import children
from .bounds import sight
from .gates import MAX_ROUNDS
from .joins import is_number
from .survey import assigned, counters, named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .compiler import Compiler

ZERO = Constant(0, lineno=0, col_offset=0)
NOT = {"Lt": "GtE", "LtE": "Gt", "Gt": "LtE", "GtE": "Lt", "Eq": "NotEq", "NotEq": "Eq"}
MIRRORED = {"Lt": "Gt", "LtE": "GtE", "Gt": "Lt", "GtE": "LtE", "Eq": "Eq", "NotEq": "NotEq"}


def rounds_of_while(c: Compiler, node: Any, constant: bool) -> int:
    """The most rounds of a while loop, from where its names stand now; MAX_ROUNDS where nothing shows it to the verifier.

    `constant`: only by comparisons with what is known at compile time.
    """
    found = MAX_ROUNDS
    every = firsts(node.body)
    tests = list(holding(node.test, True))
    for statement in every:
        if statement.__class__.__name__ == "If" and leaves(statement.body):
            tests += holding(statement.test, False)
    for name, op, bound in tests:
        step = step_of(node.body, every, name)
        if op == "NotEq" and len(steps(node.body, name)) > len(steps(every, name, deep=False)):
            step = 0  # it may jump over the number
        front = c.state.env.get(name)
        if not isinstance(front, (Const, Int)) or not is_number(front):
            continue
        if step:
            found = min(found, rounds(c, front, op, bound, step, constant, assigned(node.body)))
        elif stops_shrinking(op, bound) and sight(c, front)[0] >= 0 and not constant:
            found = min(found, halvings(node.body, every, name, sight(c, front)[1]))
    return found


def stops_shrinking(op: str, bound: Any) -> bool:
    """Whether a comparison fails for a number that has become 0: `!= 0`, `> 1`."""
    least = getattr(bound, "value", None)
    return isinstance(least, int) and (
        least >= 0 if op == "Gt" else least > 0 if op == "GtE" else op == "NotEq" and least == 0
    )


def deciding(node: Any) -> set[str]:
    """The names that a while loop's rounds are bounded by: those of its test, and of tests that leave it, which a round steps.

    All of its test, where it steps none of them.
    """
    every = firsts(node.body)
    stepped = {name for name, _, _ in holding(node.test, True) if step_of(node.body, every, name)}
    names = stepped or named(node.test)
    for statement in every:
        if statement.__class__.__name__ == "If" and leaves(statement.body):
            names |= {name for name, _, _ in holding(statement.test, False) if step_of(node.body, every, name)}
    return names


def sinking(node: Any) -> set[str]:
    """Those of them that each round takes something from."""
    every = firsts(node.body)
    return {name for name in deciding(node) if step_of(node.body, every, name) < 0}


def falling(body: list[Any]) -> set[str]:
    """The names that these statements only take constants from."""
    names = counters(body) - assigned(body, in_place=False)
    return {name for name in names if all(by_constant(step, name) < 0 for step in steps(body, name))}


def firsts(body: list[Any]) -> list[Any]:
    """The statements that every round runs: those before the first that may go on with the next round."""
    found = []
    for statement in body:
        found.append(statement)
        if any(goes_on(statement)):
            break
    return found


def goes_on(node: Any) -> Iterator[Any]:
    """The `continue` statements in a statement that belong to the loop around it."""
    kind = node.__class__.__name__
    if kind == "Continue":
        yield node
    for part in ("body", "orelse", "cases"):
        inner = getattr(node, part, None)
        if isinstance(inner, list) and not (kind in ("For", "While") and part == "body"):
            for statement in inner:
                yield from goes_on(statement)


def leaves(body: list[Any]) -> bool:
    return body[-1].__class__.__name__ in ("Break", "Return")


def holding(test: Any, truth: bool) -> Iterator[tuple[str, str, Any]]:
    """The comparisons of a name that all hold while a test is true (or false): name, operator, with what."""
    kind = test.__class__.__name__
    if kind == "Name" and truth:
        yield test.id, "NotEq", ZERO
    if kind == "BoolOp" and (test.op.__class__.__name__ == "And") == truth:
        for value in test.values:
            yield from holding(value, truth)
    if kind == "Compare" and (truth or len(test.ops) == 1):
        left = test.left
        for op, right in zip(test.ops, test.comparators, strict=True):
            name = op.__class__.__name__
            if name in NOT:
                name = name if truth else NOT[name]
                if left.__class__.__name__ == "Name":
                    yield left.id, name, right
                if right.__class__.__name__ == "Name":
                    yield right.id, MIRRORED[name], left
            left = right


def step_of(body: list[Any], every: list[Any], name: str) -> int:
    """By how much each round moves a name, at least; 0 where it may stay, go back, or be assigned otherwise."""
    found = steps(body, name)
    moves = [by_constant(statement, name) for statement in found]
    plain = [statement for statement in found if statement.__class__.__name__ == "Assign"]
    if stores(body, name) > len(plain):
        return 0
    always = [by_constant(s, name) for s in steps(every, name, deep=False)]
    if not always or not (all(move > 0 for move in moves) or all(move < 0 for move in moves)):
        return 0
    return sum(always)


def steps(body: list[Any], name: str, deep: bool = True) -> list[Any]:
    """The statements that change a name in place: `i += 3`, `i = i + 3`, `i = u32(i + 1)`."""
    found = []
    for node in body:
        kind = node.__class__.__name__
        if (kind == "AugAssign" and getattr(node.target, "id", "") == name) or by_constant(node, name):
            found.append(node)
        for part in ("body", "orelse", "cases") if deep else ():
            found += steps(getattr(node, part, None) or [], name)
    return found


def by_constant(node: Any, name: str) -> int:
    """What such a statement adds; 0 for everything else.  With a cast around it only 1, which cannot jump over a bound."""
    kind, most = node.__class__.__name__, 1 << 31
    if kind == "AugAssign" and getattr(node.target, "id", "") == name:
        op, number = node.op, node.value
    elif kind == "Assign" and len(node.targets) == 1 and getattr(node.targets[0], "id", "") == name:
        value = node.value
        if value.__class__.__name__ == "Call" and len(value.args) == 1:
            value, most = value.args[0], 1
        if value.__class__.__name__ != "BinOp" or getattr(value.left, "id", "") != name:
            return 0
        op, number = value.op, value.right
    else:
        return 0
    step = getattr(number, "value", None)
    sign = {"Add": 1, "Sub": -1}.get(op.__class__.__name__, 0)
    return sign * step if isinstance(step, int) and step <= most else 0


def stores(nodes: list[Any], name: str) -> int:
    """How often these statements assign a name, other than by `+=` and the like."""
    total = 0
    todo = list(nodes)
    while todo:
        node = todo.pop()
        kind = node.__class__.__name__
        if kind == "AugAssign" and node.target.__class__.__name__ == "Name":
            todo.append(node.value)
            continue
        total += kind == "Name" and node.id == name and node.ctx.__class__.__name__ != "Load"
        total += kind == "MatchAs" and node.name == name
        todo += children(node)
    return total


def rounds(c: Compiler, front: Any, op: str, bound: Any, step: int, constant: bool, changed: set[str]) -> int:
    """The most rounds until a number that moves by `step` at least reaches a bound."""
    if named(bound) & changed or any(True for _ in calls(bound)):
        return MAX_ROUNDS
    known = unread(c, bound)
    if not isinstance(known, (Const, Int)) or not is_number(known) or (constant and not isinstance(known, Const)):
        return MAX_ROUNDS
    (lo, hi), (blo, bhi) = sight(c, front), sight(c, known)
    if isinstance(front, Int) and front.type.bits == 64 and not front.type.signed:
        lo = max(lo, 0)  # comparisons are unsigned
    ends = ("Lt", "LtE") if step > 0 else ("Gt", "GtE")
    way = bhi - lo if step > 0 else hi - blo
    if op in ends:
        return min(max(way, 0) // abs(step) + 1, MAX_ROUNDS)
    if op == "NotEq" and step == -1 and blo == bhi <= lo:
        return min(way + 1, MAX_ROUNDS)
    if op == "NotEq" and lo == hi and blo == bhi and way >= 0 and way % step == 0:
        return min(way // abs(step) + 1, MAX_ROUNDS)
    return MAX_ROUNDS


def unread(c: Compiler, bound: Any) -> Any:
    """What a bound stands for, without what tests have shown of numbers in memory: these may change in the loop."""
    before = c.b.state
    c.b.state = before.fork(before.block)
    c.b.forget_memory()
    c.b.clobber("ctx")
    found = c.expr(bound)
    if c.b.state.block is before.block:
        c.b.state = before
    return found


def halvings(body: list[Any], every: list[Any], name: str, most: int) -> int:
    """The most rounds until a number of at most `most` that each round shifts right, or divides, is 0."""
    mine = [s for s in every if s.__class__.__name__ == "AugAssign" and getattr(s.target, "id", "") == name]
    if len(mine) != 1 or len(steps(body, name)) != 1 or stores(body, name):
        return MAX_ROUNDS
    op, by = mine[0].op.__class__.__name__, getattr(mine[0].value, "value", 0)
    if isinstance(by, int) and ((op == "RShift" and by > 0) or (op == "FloorDiv" and by > 1)):
        return most.bit_length() // (by if op == "RShift" else by.bit_length() - 1) + 1
    return MAX_ROUNDS


def calls(node: Any) -> Iterator[Any]:
    """Calls in an expression, but of `len`, which is the packet's length."""
    if node.__class__.__name__ == "Call" and getattr(node.func, "id", "") != "len":
        yield node
    for child in children(node):
        yield from calls(child)


__all__ = ["deciding", "falling", "rounds_of_while", "sinking"]
