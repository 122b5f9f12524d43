"""What the AST of a loop tells before it is lowered: names, tests, ways out, weight."""

from __future__ import annotations

from ..parse import children

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def counters(nodes: list[Any]) -> set[str]:
    """Names that these statements add to."""
    names: set[str] = set()
    todo = list(nodes)
    while todo:
        node = todo.pop()
        if node.__class__.__name__ == "AugAssign" and node.target.__class__.__name__ == "Name":
            names.add(node.target.id)
        for field in ("body", "orelse", "cases"):
            todo += getattr(node, field, ())
    return names


def ways_out(body: list[Any]) -> Any:
    """The `break` and `return` statements that leave a loop with this body."""
    for node in body:
        kind = node.__class__.__name__
        if kind in ("Break", "Return"):
            yield node
        for part in ("body", "orelse", "cases"):
            inner = getattr(node, part, None)
            if isinstance(inner, list) and not (kind in ("For", "While") and part == "body"):
                yield from ways_out(inner)


def weight(body: Any) -> int:
    """Roughly how much code a body makes: its AST nodes, with calls counted for more."""
    total = 0
    todo = list(body)
    while todo:
        node = todo.pop()
        kind = node.__class__.__name__
        total += 12 if kind == "Call" else 40 if kind in ("For", "While") else 1
        todo += children(node)
    return total


def count_tests(body: list[Any], known: frozenset[str] = frozenset(), loops: bool = True) -> int:
    """How many tests one round makes; each may double the paths that the verifier walks.  A loop doubles them for each bit of
    its number of rounds, and `m[key] += n` tests whether the key is there.  Tests of `known` names alone do not count, nor
    loops in it where not `loops`.
    """
    total = 0
    todo = list(body)
    while todo:
        node = todo.pop()
        kind = node.__class__.__name__
        if kind in ("For", "While") and not loops:
            continue
        if not known or not named(node) <= known:
            total += {"Compare": len(getattr(node, "ops", ())), "While": 3, "match_case": 1}.get(kind, 0)
            if kind == "Call" and getattr(node.func, "id", "") in ("min", "max", "abs"):
                total += 1
        if kind in ("If", "IfExp") and not named_test(node.test) and not (known and named(node.test) <= known):
            total += 1
        if kind == "For":
            total += max(rounds_of(node).bit_length(), 3)
        if kind == "AugAssign" and node.target.__class__.__name__ == "Subscript":
            total += 1
        todo += children(node)
    return total


def called_names(body: list[Any]) -> list[str]:
    """The names that these statements call, once for each call."""
    calls = [at for statement in body for at in nodes_of(statement) if at.__class__.__name__ == "Call"]
    return [at.func.id for at in calls if at.func.__class__.__name__ == "Name"]


def named_test(node: Any) -> bool:
    """Whether a condition has comparisons, which are counted as they are met; `if x & 1:` has none."""
    kind = node.__class__.__name__
    if kind == "BoolOp":
        return all(map(named_test, node.values))
    return kind == "Compare" or (kind == "UnaryOp" and named_test(node.operand))


def rounds_of(node: Any) -> int:
    """The rounds of a loop over a range that is written with numbers; 0 for another loop."""
    if getattr(getattr(node.iter, "func", None), "id", "") != "range":
        return 0
    try:
        from ast import literal_eval

        return len(range(*map(literal_eval, node.iter.args)))
    except (TypeError, ValueError, OverflowError):
        return 0


def named(node: Any) -> set[str]:
    """The names that an expression mentions."""
    return {at.id for at in nodes_of(node) if at.__class__.__name__ == "Name"}


def nodes_of(node: Any) -> list[Any]:
    """A node and all below it."""
    found = [node]
    for at in found:
        found += children(at)
    return found


def assigned(nodes: list[Any], in_place: bool = True) -> set[str]:
    """Names that these statements may assign; `in_place=False`: other than by `+=` and the like."""
    names: set[str] = set()
    todo = list(nodes)
    while todo:
        node = todo.pop()
        kind = node.__class__.__name__
        if kind == "Name":
            if node.ctx.__class__.__name__ != "Load":
                names.add(node.id)
            continue
        if kind == "MatchAs" and node.name:
            names.add(node.name)
        if kind == "AugAssign" and not in_place and node.target.__class__.__name__ == "Name":
            todo.append(node.value)
            continue
        todo += children(node)
    return names


def compared(nodes: list[Any]) -> set[str]:
    """The names that tests compare after which a round goes on either way; those of loops' own tests do not count."""
    names: set[str] = set()
    todo = list(nodes)
    while todo:
        node = todo.pop()
        kind = node.__class__.__name__
        if kind in ("For", "While"):
            todo += [*node.body, *node.orelse]
            continue
        if kind == "If" and not node.orelse and node.body[-1].__class__.__name__ in ("Break", "Return"):
            todo += node.body
            continue
        if kind == "Compare":
            names |= named(node)
        if kind == "Match":
            names |= named(node.subject)
        todo += children(node)
    return names
