"""Loops: unrolled when short, else with the test at the bottom, so that an iteration costs one jump."""

from __future__ import annotations

from ..objects.refs import Ref
from ..objects.values import Const, Front, Int, span
from ..ssa.build import State
from .bounds import COMPARES, in_sight
from .conditions import cond
from .counting import PLAIN_STEPS, counted, too_long, unknown, walkable
from .gates import MAX_ROUNDS
from .gates import gate as gate_of
from .joins import merge
from .progress import deciding, rounds_of_while, sinking
from .rounds import BOUNDED_LOOPS, SINCE_LOOP, Loop, finish, hide, hide_compared, repeat, to_hide
from .survey import assigned, named, nodes_of, ways_out, weight
from .turns import turning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .compiler import Compiler

UNROLL_STEPS = 16
UNROLL_NODES = 512
MAX_UNROLL = 4096


def break_(c: Compiler, node: Any) -> None:
    c.frame.loops[-1].breaks.append(c.b.state)
    c.b.state = None  # type: ignore[assignment]


def continue_(c: Compiler, node: Any) -> None:
    c.frame.loops[-1].continues.append(c.b.state)
    c.b.state = None  # type: ignore[assignment]


def while_(c: Compiler, node: Any) -> None:
    """The test stands before the loop and again at its end.  One that gives a name its value (`while (e := ring.reserve()) is not
    None:`) is written once, and each round begins with it: what it gives need not be a number then."""
    at_top = any(part.__class__.__name__ == "NamedExpr" for part in nodes_of(node.test))
    endless = node.test.__class__.__name__ == "Constant" and bool(node.test.value)
    down = sinking(node)
    for name in sorted(deciding(node)):
        front = c.state.env.get(name)
        if isinstance(front, Int):
            front = in_sight(c, front, PLAIN_STEPS)
            lo, hi = span(c, front)
            if name in down and 0 < lo < hi:
                # The verifier may take it for 0: it would go around below that, if the first test were left out.
                c.state.facts[front.value] = (0, hi)
            c.state.env[name] = front
    leaving = [] if at_top else tested(c, node)
    if c.b.state is None:
        return finish(c, node, leaving, [])

    def top() -> list[State]:
        return tested(c, node) if at_top else []

    def bottom() -> Any:
        if at_top:
            return c.b.state, None
        again, out = cond(c, node.test)
        if again is None and endless:
            c.fail("this loop never comes back", node)
        return again, out

    rounds = rounds_of_while(c, node, c.unit.kernel >= SINCE_LOOP)
    fixed = frozenset(name for name in deciding(node) if isinstance(c.state.env.get(name), Const))
    guard = too_long(c, rounds, node.body)
    gate = gate_of(c, c.state) if guard else None
    if c.unit.kernel < SINCE_LOOP:
        walkable(c, node, rounds, fixed, named(node.test) <= c.known | fixed)
    if guard and endless:
        c.frame.endless = node
    if guard and not gate and c.unit.kernel >= SINCE_LOOP:
        from .loopcalls import repeat_by_call

        unknown(c, node)
        outs, breaks = repeat_by_call(c, node, {}, MAX_ROUNDS, lambda inner, _: tested(inner, node))
        return finish(c, node, leaving + outs, breaks)
    names = assigned([*node.body, node.test])
    first: dict[str, Any] = {}
    decided = deciding(node) <= c.known | fixed and rounds_of_while(c, node, True) < MAX_ROUNDS
    if not gate and not decided and rounds < MAX_ROUNDS and c.unit.kernel < COMPARES:
        # A test at the top is made once more after the last round, and may do something.
        bottom = turning(c, node, names, first, rounds + at_top, bottom)
    if not gate:
        hide_compared(c, node, rounds, names, first)
    with c.within(rounds, fixed):
        outs, breaks = repeat(c, node, names, first, top, bottom, gate)
    return finish(c, node, leaving + outs, breaks)


def tested(c: Compiler, node: Any) -> list[State]:
    """Go on where a loop's test holds; gives the state in which it does not, if there is one."""
    again, out = cond(c, node.test)
    c.b.state = again  # type: ignore[assignment]
    return [out] if out is not None else []


def for_(c: Compiler, node: Any) -> None:
    iterable = node.iter
    if iterable.__class__.__name__ == "Call":
        front = c.expr(iterable.func)
        obj = front.obj if isinstance(front, Const) else None
        from ..lang import unroll

        if obj is range:
            return count(c, node, iterable.args, False)
        if obj is unroll:
            inner = iterable.args[0]
            if inner.__class__.__name__ == "Call" and getattr(inner.func, "id", "") == "range":
                return count(c, node, inner.args, True)
            return each(c, node, c.expr(inner))
    each(c, node, c.expr(iterable))
    return None


def each(c: Compiler, node: Any, front: Front) -> None:
    """Over a constant sequence, or the elements of an array."""
    from ..objects.integers import binary
    from ..objects.layout import as_array, is_array
    from ..objects.values import Tuple
    from .calls import Enumerated, is_enum

    if isinstance(front, Const) and isinstance(front.obj, range):
        return unrolled(c, node, [Const(i) for i in front.obj])
    if isinstance(front, Const) and (
        isinstance(front.obj, (tuple, list, dict, bytes, frozenset, set)) or is_enum(front)
    ):
        from .expressions import known

        items = sorted(front.obj) if isinstance(front.obj, (set, frozenset)) else front.obj
        return unrolled(c, node, [known(c, x, "") for x in items])
    if isinstance(front, Const) and isinstance(
        front.obj, (type({}.items()), enumerate, zip, reversed, type(reversed(range(1))))
    ):
        return unrolled(c, node, [Const(x) for x in front.obj])
    if isinstance(front, Tuple):
        return unrolled(c, node, front.items)
    numbered = front if isinstance(front, Enumerated) else None
    array = numbered.array if numbered is not None else front
    if isinstance(array, Ref) and is_array(array.type):
        n = as_array(array.type).count

        def load(index: Front) -> Front:
            element = array.item(c, index, node)
            return (
                element if numbered is None else Tuple([binary(c, "Add", index, Const(numbered.start), node), element])
            )

        if short(n, node.body):
            return unrolled(c, node, [Const(i) for i in range(n)], load)
        return counted(c, node, Const(0), Const(n), 1, load)
    if hasattr(front, "spec"):
        c.fail("a program visits a map's entries by m.for_each(callback, context)", node)
    c.fail("a for loop runs over range(...), bounded(n, max=...), a constant sequence or an array", node)
    return None


def count(c: Compiler, node: Any, args: list[Any], unrolling: bool) -> None:
    from ..lang import Bounded

    fronts = [c.expr(a) for a in args]
    if not 1 <= len(fronts) <= 3:
        c.fail(f"range takes 1 to 3 numbers; {len(fronts)} given", node)
    start: Front = Const(0) if len(fronts) == 1 else fronts[0]
    stop = fronts[0] if len(fronts) == 1 else fronts[1]
    step = fronts[2] if len(fronts) == 3 else Const(1)
    for front, argument in ((start, args[0]), (stop, args[-1] if len(args) == 1 else args[1])):
        if isinstance(front, Const) and not isinstance(front.obj, Bounded):
            front.number(c, argument)
    if not isinstance(step, Const) or not isinstance(step.obj, int) or step.obj == 0:
        c.fail("the step of range must be a constant other than 0", node)
    if isinstance(start, Const) and isinstance(stop, Const) and not isinstance(stop.obj, Bounded):
        try:
            steps = range(start.obj, stop.obj, step.obj)
        except TypeError as error:
            c.fail(f"range takes whole numbers: {error}", node)
        try:
            rounds = len(steps)
        except OverflowError:
            c.fail(f"{steps!r} has more rounds than can be counted", node)
        if unrolling or c.unit.kernel < BOUNDED_LOOPS or short(rounds, node.body):
            if rounds > MAX_UNROLL:
                c.fail(f"unrolling {rounds} rounds would make too long a program", node)
            return unrolled(c, node, [Const(i) for i in steps])
    elif unrolling:
        c.fail("unroll takes a range with constant bounds", node)
    return counted(c, node, start, stop, step.obj, None)


def short(steps: int, body: Any) -> bool:
    """Whether a loop is better written out: indexes are then constants, and nothing is tested unless it may be left."""
    left = any(True for _ in ways_out(body))
    return steps * (2 if left else 1) <= UNROLL_STEPS and steps * weight(body) * (3 if left else 1) <= UNROLL_NODES


def unrolled(c: Compiler, node: Any, items: list[Any], element: Any = None) -> None:
    from .statements import store

    breaks: list[State] = []
    path = c.frame.path
    # Where loops are always written out, the verifier walks each way through all rounds: see `to_hide`.
    many = c.unit.kernel < BOUNDED_LOOPS and len(items) > UNROLL_STEPS
    hidden = to_hide(node, assigned(node.body), True) if many else []
    for i, item in enumerate(items):
        if c.b.state is None:
            break
        c.frame.path = (*path, node.lineno, i)
        loop = Loop()
        c.frame.loops.append(loop)
        item = item if isinstance(item, Front) else Const(item)
        store(c, node.target, element(item) if element else item)
        hide(c, hidden)
        c.body(node.body)
        c.frame.loops.pop()
        ways = loop.continues + ([c.b.state] if c.b.state is not None else [])
        c.b.state = merge(c, ways, node)  # type: ignore[assignment]
        breaks += loop.breaks
    c.frame.path = path
    finish(c, node, [c.b.state] if c.b.state is not None else [], breaks)
