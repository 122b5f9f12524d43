"""Loops that count: plain ones, those with a gate, and calls of bpf_loop; which of them the verifier can walk."""

from __future__ import annotations

from ..objects import scalars as types
from ..objects.integers import value_of
from ..objects.values import INT, Const, Front, Int, span
from ..ssa.build import S64_MAX, S64_MIN, U64, State, limits
from ..ssa.ir import Value
from .bounds import COMPARES, in_sight
from .conditions import test_of
from .gates import MAX_ROUNDS
from .gates import gate as gate_of
from .joins import merge
from .rounds import BOUNDED_LOOPS, SINCE_LOOP, Widened, finish, hide_compared, repeat
from .survey import assigned, called_names, count_tests, counters, named, weight
from .turns import advance, needed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .compiler import Compiler

PLAIN_STEPS = 1 << 16  # more steps than this, and the loop gets a gate or becomes a call
PLAIN_PATHS = 512  # likewise for rounds times paths through one round, all of which the verifier walks
VERIFIED = 1_000_000  # instructions that the verifier walks before it gives up (BPF_COMPLEXITY_LIMIT_INSNS)
PENDING = 8192  # ways not taken yet that it keeps (BPF_COMPLEXITY_LIMIT_JMP_SEQ)
HEAVY = 1 << 19  # likewise for rounds times the AST nodes of the body


def too_long(c: Compiler, rounds: int, body: list[Any]) -> bool:
    """Whether the verifier should not walk all rounds of a loop; in another loop it does so again and again."""
    tests = count_tests(body)
    if rounds > 2 and tests < 20:
        tests += sum(count_tests(called) for called in called_in(c, body))
    return (
        rounds > PLAIN_STEPS
        or (rounds > 2 and rounds << min(tests, 20) > PLAIN_PATHS // min(c.around, 64))
        or rounds * weight(body) > HEAVY
    )


def called_in(c: Compiler, body: list[Any]) -> Iterator[list[Any]]:
    """The bodies of functions that statements call by name, once for each call: inlined or not, the verifier walks them."""
    from .calls import parsed_function

    todo: list[tuple[list[Any], Any, dict[str, Any]]] = [(body, c.frame.scope, c.frame.fn.__globals__)]
    for _ in range(20):
        if not todo:
            break
        body, scope, names = todo.pop()
        for name in called_names(body):
            target = scope.get(name, names.get(name))
            target = getattr(target, "function", target)
            if target.__class__.__name__ == "function" and not target.__module__.startswith("pybpf."):
                inner = parsed_function(c, target).node.body
                todo.append((inner, {}, target.__globals__))
                yield inner


def walkable(c: Compiler, node: Any, rounds: int, known: frozenset[str], decided: bool) -> None:
    """Complain of a loop that the verifier must walk and cannot, on kernels that have plain loops only.

    It knows these names in each round, and, where `decided`, whether the loop ends.
    """
    if c.unit.kernel < BOUNDED_LOOPS:
        return  # which is complained of where its rounds are
    total = rounds * c.around
    met = count_tests(node.body, c.known | known, False) + (not decided and c.around > 1)
    if (total * (2 + len(node.body)) > VERIFIED) or (total * met > PENDING):
        if c.lenient():
            return
        more = "compile for Linux 5.17 or later (kernel='5.17'), where long loops are calls of bpf_loop"
        if rounds < MAX_ROUNDS:
            c.fail(
                f"the verifier walks each of these {total} rounds, {VERIFIED} instructions and {PENDING} tests in all: "
                f"count fewer rounds, or {more}",
                node,
            )
        c.fail(
            "the verifier walks each round of this loop, and nothing shows it how many there are: let a counter end it "
            f"(`and i < 100` in its test, and `i += 1` in each round), or {more}",
            node,
        )


class Count:
    """A loop that counts from `first` towards `last` by `step`, in `most` rounds at the most (None for as many as it takes).

    `element` makes the visible variable from the counter, None where that is the counter.  Hidden variables hold the
    counter and, where there is a `most`, the rounds: assigning the visible one in the body changes nothing, as in Python.
    """

    def __init__(self, first: Any, last: Any, step: int, most: int | None, element: Any, counter: str) -> None:
        self.first = first
        self.last = last
        self.step = step
        self.most = most
        self.element = element
        self.counter = counter
        self.rounds = "$rounds" + counter
        self.test = "<" if step > 0 else ">"
        self.constant = isinstance(first, Const) and isinstance(last, Const)

    def cap(self, most: int | None) -> int | None:
        """Where the counter stands after `most` rounds, if it begins at a known number: it counts the rounds by itself then."""
        end = self.first.obj + most * self.step if most is not None and isinstance(self.first, Const) else None
        return end if end is not None and S64_MIN <= end <= S64_MAX else None


def counted(c: Compiler, node: Any, start: Front, stop: Front, step: int, element: Any) -> None:
    """A loop over `range`, or over an array by its indexes, in the form that the target's verifier can walk."""
    from ..lang import Bounded

    most, number = None, stop
    if isinstance(stop, Const) and isinstance(stop.obj, Bounded):
        most, number = stop.obj.most, stop.obj.number
    counter = f"$counter{node.lineno}_{node.col_offset}_{len(c.frame.path)}"
    count = Count(start.number(c, node), number.number(c, node), step, most, element, counter)
    (alo, ahi), (blo, bhi) = span(c, count.first), span(c, count.last)
    reach = (bhi - alo if step > 0 else ahi - blo) // abs(step) + 1
    steps = reach if most is None else min(most, reach)
    calls = c.unit.kernel >= SINCE_LOOP
    if (
        most is None
        and reach > 1 << 20
        and not count.constant
        and not (calls and bhi <= S64_MAX >> 1)
        and not c.lenient()
    ):
        c.fail(
            f"this loop may take {reach} rounds: write range(bounded(n, max=...)) with the most that it may take", node
        )
    guard = too_long(c, steps, node.body)
    key = ("$widened", node, c.frame.path)
    entry, begun = c.state, len(c.b.graph.blocks)
    gate = gate_of(c, entry) if guard or key in c.assumed else None
    if gate and max(ahi, bhi) <= S64_MAX:
        if steps > MAX_ROUNDS and count.constant:
            c.fail(f"{gate.name} leaves a loop after {MAX_ROUNDS} rounds, and this one takes {steps}", node)
        return converging(c, node, count, gate)
    if guard and calls and element is None:
        if steps > MAX_ROUNDS and count.constant:
            c.fail(f"bpf_loop runs {MAX_ROUNDS} rounds at most, and this loop takes {steps}", node)
        return count_by_call(c, node, count, min(steps, MAX_ROUNDS))
    try:
        plain(c, node, count, reach, gate, not guard and max(ahi, bhi) <= S64_MAX)
    except Widened:
        c.assumed[key] = {}
        del c.b.graph.blocks[begun:]
        entry.block.term = None
        c.b.state = entry
        forget(c, count)
        counted(c, node, start, stop, step, element)


def plain(c: Compiler, node: Any, count: Count, reach: int, gate: Any, watched: bool) -> None:
    """A loop that the verifier walks round by round; Widened where it is `watched`, and turns out to need a gate."""
    first, last, step, most, hidden = count.first, count.last, count.step, count.most, count.counter
    (alo, ahi), (blo, bhi) = span(c, first), span(c, last)
    steps = reach if most is None else min(most, reach)
    if most is not None and reach <= min(most, PLAIN_STEPS):
        most = None  # the verifier is to see it by the bounds
    decided = count.constant or named(node.iter) - {"range"} <= c.known
    name = getattr(node.target, "id", "")
    fixed = frozenset((name,) if decided and not count.element and name not in assigned(node.body) else ())
    if c.unit.kernel < SINCE_LOOP or (count.constant and steps * (2 + len(node.body)) > VERIFIED):
        walkable(c, node, steps, fixed, decided)
    if most is None:
        first, last = in_sight(c, first, PLAIN_STEPS), in_sight(c, last, PLAIN_STEPS)
        if not isinstance(first, Const) and (
            (c.unit.kernel < COMPARES and not isinstance(last, Const)) or (not decided and needed(c, node))
        ):
            most = reach
    cap = count.cap(most)
    unsigned = ahi > S64_MAX or (isinstance(first, Const) and isinstance(last, Const) and bhi > S64_MAX)
    kind, top_most = (types.u64, U64) if unsigned else (INT, S64_MAX)
    n = value_of(c, first)
    yes, no = test_of(c, count.test, first, last, node)
    if yes is None:
        return finish(c, node, [] if no is None else [no], [])
    c.b.state = yes
    yes.env[hidden] = Const(n.aux) if n.op == "const" else Int(n, kind)
    low, high = (alo, max(min(bhi - 1, top_most), ahi)) if step > 0 else (min(max(blo + 1, S64_MIN), alo), ahi)
    if cap is not None:
        low, high = (low, min(high, cap - step)) if step > 0 else (max(low, cap - step), high)
    first_types = {hidden: (kind, low, high)}
    if most is not None and cap is None:
        yes.env[count.rounds] = Const(0)
        first_types[count.rounds] = (INT, 0, most - 1)

    def top() -> list[State]:
        show(c, node, count)
        return []

    def bottom() -> Any:
        following = advance(c, node, hidden, step, kind, max(low + step, S64_MIN), min(high + step, top_most))
        out = None
        known: tuple[str, Any, Any] | None = None
        if cap is not None:
            known = count.test, following, Const(cap)
        elif most is not None:
            known = "<", advance(c, node, count.rounds, 1, INT, 1, most), Const(most)
        elif not decided and needed(c, node):
            known = count.test, following, Const(bhi if step > 0 else blo)
        if known:
            again, out = test_of(c, *known, node)
            if again is None:
                return None, out
            c.b.state = again
            following = again.env[hidden]
        again, done = test_of(c, count.test, following, last, node)
        return again, merge(c, [s for s in (out, done) if s is not None], node)

    names = assigned(node.body) | assigned([node.target]) | first_types.keys()
    hide_compared(c, node, steps, names, first_types)
    with c.within(steps, fixed):
        outs, breaks = repeat(c, node, names, first_types, top, bottom, gate, watched)
    finish(c, node, outs if no is None else [no, *outs], breaks)
    forget(c, count)


def converging(c: Compiler, node: Any, count: Count, gate: Any) -> None:
    """A long loop that the verifier walks a few times only.

    At a gate the verifier widens numbers that no decision of its own depended on (widen_imprecise_scalars), and takes
    the state for one seen before.  A counter that starts from a known constant decides every test, and so is never
    widened.  This one starts from a number that the verifier does not know, and is tested behind the gate, where it may
    have been widened: against where it ends, against where it began, and where `most` rounds are allowed, for these.
    """
    first, last, step, most, hidden = count.first, count.last, count.step, count.most, count.counter
    (alo, ahi), (blo, _) = span(c, first), span(c, last)
    up, down = ("<", ">=") if step > 0 else (">", "<=")
    tests = [(hidden, up, last)]
    cap = count.cap(most)
    counts_rounds = most is not None and cap is None
    if cap is not None:
        tests.append((hidden, up, Const(cap)))
    elif counts_rounds:
        tests.append((count.rounds, "<", Const(most)))
    low = 0 if min(alo, blo) >= 0 and step > 0 else S64_MIN
    begin = alo if step > 0 else ahi
    if begin != (low if step > 0 else S64_MAX):
        tests.append((hidden, down, Const(begin)))
    c.b.state.env[hidden] = Int(unseen(c, value_of(c, first), low), INT)
    first_types = {hidden: (INT, low, S64_MAX)}
    if counts_rounds:
        c.b.state.env[count.rounds] = Int(unseen(c, c.b.const(0), 0), INT)
        first_types[count.rounds] = (INT, 0, S64_MAX)

    def top() -> list[State]:
        left = []
        for name, test, bound in tests:
            yes, no = test_of(c, test, c.b.state.env[name], bound, node)
            if no is not None:
                left.append(no)
            if yes is None:
                c.fail("this loop has no rounds", node)
            c.b.state = yes
        show(c, node, count)
        return left

    def bottom() -> Any:
        for name, by in ((hidden, step), (count.rounds, 1))[: 1 + counts_rounds]:
            lo, hi = span(c, c.b.state.env[name].number(c, node))
            advance(c, node, name, by, INT, max(lo + by, S64_MIN), min(hi + by, S64_MAX))
        return c.b.state, None

    names = assigned(node.body) | assigned([node.target]) | first_types.keys()
    with c.within(MAX_ROUNDS):
        outs, breaks = repeat(c, node, names, first_types, top, bottom, gate)
    finish(c, node, outs, breaks)
    forget(c, count)


def show(c: Compiler, node: Any, count: Count) -> None:
    """Give the visible variable its value in this round."""
    from .statements import store

    now = c.b.state.env[count.counter]
    store(c, node.target, count.element(now) if count.element else now)


def forget(c: Compiler, count: Count) -> None:
    """Behind a loop nothing has its hidden variables."""
    if c.b.state is not None:
        c.b.state.env.pop(count.counter, None)
        c.b.state.env.pop(count.rounds, None)


def count_by_call(c: Compiler, node: Any, count: Count, rounds: int) -> None:
    """A counted loop whose body is a callback: the number of the round gives the counter."""
    from ..objects.integers import binary
    from .loopcalls import repeat_by_call
    from .statements import store

    def begin(inner: Compiler, index: Int) -> list[State]:
        start, stop = inner.state.env["$first"], inner.state.env["$last"]
        way = binary(inner, "Mult", Int(index.value, INT), Const(count.step), node)
        now = binary(inner, "Add", start, way, node).number(inner, node)
        yes, no = test_of(inner, count.test, now, stop, node)
        inner.b.state = yes  # type: ignore[assignment]
        if yes is not None:
            store(inner, node.target, now)
        return [no] if no is not None else []

    unknown(c, node)
    outs, breaks = repeat_by_call(c, node, {"$first": count.first, "$last": count.last}, rounds, begin)
    finish(c, node, outs, breaks)


def unseen(c: Compiler, value: Value, lo: int) -> Value:
    """The same number, unknown to the verifier, in lo..S64_MAX."""
    hidden = c.b.hide(value)
    hidden.lo, hidden.hi = lo, S64_MAX
    return hidden


def unknown(c: Compiler, node: Any) -> None:
    """Let counters start from numbers that the verifier does not know, so that it widens them (see `converging`)."""
    for name in counters(node.body):
        front = c.state.env.get(name)
        if not (isinstance(front, Const) and isinstance(front.obj, int)) and not isinstance(front, Int):
            continue
        value = value_of(c, front)
        if value.op == "const" and 0 <= value.aux < 1 << 31:
            type_ = front.type if isinstance(front, Int) and front.type.bits >= 32 else INT
            start = c.b.emit("opaque", [], value.aux, 64, 0, min(limits(type_.bits, type_.signed)[1], S64_MAX))
            c.state.env[name] = Int(start, type_)
