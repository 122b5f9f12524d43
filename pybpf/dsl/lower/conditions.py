"""Conditions become jumps: `cond` gives the state in which a test holds and the one in which it does not."""

from __future__ import annotations

from ..objects.integers import MIRROR, NEGATED, TESTS, compare, learn
from ..objects.refs import Ref
from ..objects.values import Conflict, Const, Front, Int, Tuple, span
from ..ssa.build import State
from ..ssa.ir import Value
from .joins import merge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .compiler import Compiler

    Outcome = tuple[State | None, State | None]


def cond(c: Compiler, node: Any) -> Outcome:
    """The states where `node` is true and where it is false; None for one that cannot happen."""
    kind = node.__class__.__name__
    if kind == "BoolOp":
        return bool_op(c, node)
    if kind == "UnaryOp" and node.op.__class__.__name__ == "Not":
        yes, no = cond(c, node.operand)
        return no, yes
    if kind == "Compare":
        return chain(c, node)
    if kind == "IfExp":
        yes, no = cond(c, node.test)
        return both(c, [(yes, node.body), (no, node.orelse)], node)
    return truth(c, c.expr(node), node)


def both(c: Compiler, arms: list[tuple[State | None, Any]], node: Any) -> Outcome:
    holds, fails = [], []
    for state, test in arms:
        if state is None:
            continue
        c.b.state = state
        yes, no = cond(c, test)
        holds += [yes] if yes else []
        fails += [no] if no else []
    return merge(c, holds, node), merge(c, fails, node)


def bool_op(c: Compiler, node: Any) -> Outcome:
    conjunction = node.op.__class__.__name__ == "And"
    early: list[State] = []
    state: State | None = c.b.state
    for operand in node.values:
        if state is None:
            break
        c.b.state = state
        yes, no = cond(c, operand)
        state, out = (yes, no) if conjunction else (no, yes)
        if out is not None:
            early.append(out)
    done = merge(c, early, node)
    return (state, done) if conjunction else (done, state)


def chain(c: Compiler, node: Any) -> Outcome:
    """`a < b <= d`: each operand is evaluated once, and only as far as needed."""
    left = c.expr(node.left)
    early: list[State] = []
    state: State | None = c.b.state
    for op, right_node in zip(node.ops, node.comparators, strict=True):
        assert state is not None
        c.b.state = state
        right = c.expr(right_node)
        c.b.at = node
        yes, no = one_test(c, op.__class__.__name__, left, right, node)
        if no is not None:
            early.append(no)
        left, state = right, yes
        if state is None:
            break
    return state, merge(c, early, node)


def always(c: Compiler, outcome: bool) -> Outcome:
    return (c.b.state, None) if outcome else (None, c.b.state)


def one_test(c: Compiler, op: str, left: Front, right: Front, node: Any) -> Outcome:
    for front in (left, right):
        if isinstance(front, Conflict):
            c.fail(front.what(), node)
    if op in ("Is", "IsNot"):
        if isinstance(left, Const) and left.obj is None:
            left, right = right, left
        if not (isinstance(right, Const) and right.obj is None):
            if isinstance(left, Const) and isinstance(right, Const):
                return always(c, (left.obj is right.obj) == (op == "Is"))
            c.fail("`is` compares with None: write == for numbers", node)
        yes, no = is_none(c, left, node)
        return (yes, no) if op == "Is" else (no, yes)
    if op in ("In", "NotIn"):
        yes, no = contains(c, left, right, node)
        return (yes, no) if op == "In" else (no, yes)
    test = TESTS[op]
    if isinstance(left, Const) and isinstance(right, Const):
        return always(c, constant_test(c, op, left.obj, right.obj, node))
    if any(isinstance(f, Const) and f.obj is None for f in (left, right)):
        c.fail("compare with None by `is None`", node)
    custom = getattr(left, "test", None) or getattr(right, "test", None)
    if custom is not None:
        return custom(c, test, right if hasattr(left, "test") else left, node)  # type: ignore[no-any-return]
    if test in ("==", "!=") and any(isinstance(f, Ref) and not f.is_number() for f in (left, right)):
        yes, no = same_bytes(c, left, right, node)
        return (yes, no) if test == "==" else (no, yes)
    return test_of(c, test, left, right, node)


def test_of(c: Compiler, test: str, a: Any, b: Any, node: Any) -> Outcome:
    """The states where a comparison of numbers holds, and where it does not."""
    outcome = compare(c, test, a, b, node)
    return always(c, outcome) if isinstance(outcome, bool) else jump(c, *outcome)


def constant_test(c: Compiler, op: str, a: Any, b: Any, node: Any) -> bool:
    try:
        match op:
            case "Eq":
                return bool(a == b)
            case "NotEq":
                return bool(a != b)
            case "Lt":
                return bool(a < b)
            case "LtE":
                return bool(a <= b)
            case "Gt":
                return bool(a > b)
            case _:
                return bool(a >= b)
    except TypeError as error:
        c.fail(str(error), node)


def jump(c: Compiler, test: str, bits: int, a: Value, b: Value) -> Outcome:
    yes, no = c.b.branch(test, bits, a, b)
    learn(c, yes.facts, test, a, b)
    signed = "s" if test.startswith("s") else ""
    learn(c, no.facts, signed + NEGATED[test.removeprefix("s")], a, b)
    return yes, no


def is_none(c: Compiler, front: Front, node: Any) -> Outcome:
    if isinstance(front, Const):
        return always(c, front.obj is None)
    custom = getattr(front, "is_none", None)
    if custom is not None:
        return custom(c, node)  # type: ignore[no-any-return]
    if not isinstance(front, Ref):
        return always(c, False)
    check = front.check
    if check is None or check in c.state.facts:
        return always(c, False)
    if check[0] == "null":
        none, some = c.b.branch("==", 64, check[1], c.b.const(0))
        some.facts[check] = True
        none.owned.pop(check[1], None)
        return none, some
    if check[0] == "failed":
        none, some = c.b.branch("!=", 64, check[1], c.b.const(0))
        some.facts[check] = True
        return none, some
    return past_end(c, check)


def past_end(c: Compiler, check: tuple[Any, ...]) -> Outcome:
    """A view that ends behind the packet's end is None; what one test has shown is not tested again."""
    _, view_end, packet_end = check
    base, room = (view_end.args[0], view_end.args[1].aux) if _is_offset(view_end) else (view_end, 0)
    known = c.state.facts.get(("room", base))
    if known and known[0] >= room:
        c.state.facts[check] = True
        return None, c.state
    none, some = c.b.branch(">", 64, view_end, packet_end)
    some.facts[check] = True
    some.facts["room", base] = (room, room)
    return none, some


def _is_offset(value: Value) -> bool:
    return value.op == "add" and value.args[1].op == "const"


def truth(c: Compiler, front: Front, node: Any) -> Outcome:
    """`if x:` for anything that has an unmistakable truth."""
    if isinstance(front, Const):
        return always(c, bool(front.obj))
    if isinstance(front, Conflict):
        c.fail(front.what(), node)
    if isinstance(front, Ref) and (front.check is not None or not front.is_number()):
        if front.check in c.state.facts and front.is_number():
            c.fail("a reference is tested with `is None`, and its number with `!= 0`: `if x:` could mean both", node)
        c.fail("compare with `is None`: `if x:` would mix a missing value with zero", node)
    custom = getattr(front, "truth", None)
    if custom is not None:
        return custom(c, node)  # type: ignore[no-any-return]
    return test_of(c, "!=", front, Const(0), node)


def contains(c: Compiler, item: Front, container: Front, node: Any) -> Outcome:
    custom = getattr(container, "contains", None)
    if custom is not None:
        return custom(c, item, node)  # type: ignore[no-any-return]
    if isinstance(container, Const) and isinstance(item, Const):
        try:
            return always(c, item.obj in container.obj)
        except TypeError as error:
            c.fail(str(error), node)
    if isinstance(container, Tuple):
        options: list[Front] = container.items
    elif isinstance(container, Const) and isinstance(container.obj, range):
        wanted = container.obj if container.obj.step > 0 else container.obj[::-1]
        if not wanted:
            return always(c, False)
        states = []
        low = compare(c, ">=", item, Const(wanted.start), node)
        yes, no = always(c, low) if isinstance(low, bool) else jump(c, *low)
        states += [no] if no else []
        if yes is None:
            return None, merge(c, states, node)
        c.b.state = yes
        high = compare(c, "<", item, Const(wanted[-1] + 1), node)
        yes, no = always(c, high) if isinstance(high, bool) else jump(c, *high)
        states += [no] if no else []
        if yes is not None and wanted.step > 1:
            c.b.state = yes
            on = compare(c, "==", steps_from(c, item, wanted, node), Const(0), node)
            yes, no = always(c, on) if isinstance(on, bool) else jump(c, *on)
            states += [no] if no else []
        return yes, merge(c, states, node)
    elif isinstance(container, Const) and isinstance(container.obj, (tuple, list, set, frozenset, dict, bytes)):
        found = sorted(container.obj) if isinstance(container.obj, (set, frozenset)) else container.obj
        options = [Const(obj) for obj in found]
    else:
        network = isinstance(container, Const) and hasattr(container.obj, "network_address")
        instead = (
            ": write address & int(n.netmask) == int(n.network_address), or look it up in an LpmTrie" if network else ""
        )
        c.fail(f"`in` looks in maps, tuples and ranges, not in {container.what()}{instead}", node)
    hits: list[State] = []
    state: State | None = c.b.state
    for option in options:
        if state is None:
            break
        c.b.state = state
        yes, state = one_test(c, "Eq", item, option, node)
        if yes is not None:
            hits.append(yes)
    return merge(c, hits, node), state


def steps_from(c: Compiler, item: Front, wanted: range, node: Any) -> Front:
    """How far a number in a range lies behind the last one that the range has."""
    from ..objects.integers import binary

    distance = binary(c, "Sub", item, Const(wanted.start), node) if wanted.start else item.number(c, node)
    if isinstance(distance, Int):
        lo, hi = span(c, distance)
        facts = c.state.facts
        facts[distance.value] = (max(lo, 0), min(hi, wanted[-1] - wanted.start))
    return binary(c, "Mod", distance, Const(wanted.step), node)


def unlike(a: Any, b: Any) -> bool:
    """Structures of different classes, which are never equal."""
    from ..objects.layout import is_struct

    return a is not b and is_struct(a) and is_struct(b)


def same_bytes(c: Compiler, left: Front, right: Front, node: Any) -> Outcome:
    """Arrays and structures, or one of them and a constant, compared byte for byte."""
    from ..objects.layout import padding, sizeof, type_name
    from ..objects.pieces import chunk, constant_bytes, pieces
    from .calls import inline, own

    if not isinstance(left, Ref):
        left, right = right, left
    assert isinstance(left, Ref)
    equal = own(left.type, "__eq__")
    if equal is not None:
        return truth(c, inline(c, equal, [left, right], {}, node), node)
    size = sizeof(left.type)
    raw = None
    if isinstance(right, Const):
        raw = constant_bytes(c, right.obj, left.type, node)
    elif not isinstance(right, Ref) or sizeof(right.type) != size or unlike(left.type, right.type):
        c.fail(f"{left.what()} is compared with a value of the same type, not with {right.what()}", node)
    if padding(left.type):
        c.fail(f"{type_name(left.type)} has padding between its fields: compare the fields one by one", node)
    left.usable(c, node)
    step = chunk(left)
    if isinstance(right, Ref):
        right.usable(c, node)
        step = min(step, chunk(right))
    early: list[State] = []
    known = [
        (at - left.off, width)
        for i, whole in pieces(size, step)
        for at, width in c.b.halves(left.base, left.off + i, whole, left.region)
    ]
    for i, width in known:
        a = c.b.load(left.base, left.off + i, width, False, left.region)
        if isinstance(right, Ref):
            b = c.b.load(right.base, right.off + i, width, False, right.region)
        else:
            assert raw is not None
            b = c.b.const(int.from_bytes(raw[i : i + width], "little"))
        yes, no = jump(c, "==", 64, a, b)
        assert yes is not None
        assert no is not None
        early.append(no)
        c.b.state = yes
    return c.b.state, merge(c, early, node)


def as_number(c: Compiler, outcome: Outcome, node: Any) -> Front:
    """A condition as 0 or 1."""
    from ..objects.values import INT

    yes, no = outcome
    if yes is None or no is None:
        c.b.state = yes or no  # type: ignore[assignment]
        return Const(yes is not None)
    yes.env["$bool"], no.env["$bool"] = Const(1), Const(0)
    state = merge(c, [yes, no], node)
    assert state is not None
    c.b.state = state
    found = state.env.pop("$bool")
    assert isinstance(found, Int)
    return Int(found.value, INT)


__all__ = ["MIRROR", "as_number", "cond"]
