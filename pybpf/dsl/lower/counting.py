"""Loops that count: plain ones, those with a gate, and calls of bpf_loop; which of them the verifier can walk."""

from __future__ import annotations

from ..objects import scalars as types
from ..objects.integers import compare, value_of
from ..objects.values import INT, Const, Front, Int, span
from ..ssa.build import S64_MAX, S64_MIN, U64, State, limits
from ..ssa.ir import Value
from .bounds import COMPARES, in_sight
from .conditions import jump
from .gates import MAX_ROUNDS
from .gates import gate as gate_of
from .joins import merge
from .rounds import Widened, finish, repeat
from .survey import assigned, count_tests, counters, named, weight
from .turns import also, needed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .compiler import Compiler

PLAIN_STEPS = 1 << 16  # more steps than this, and the loop gets a gate or becomes a call
PLAIN_PATHS = 512  # likewise for rounds times paths through one round, all of which the verifier walks
VERIFIED = 1_000_000  # instructions that the verifier walks before it gives up (BPF_COMPLEXITY_LIMIT_INSNS)
PENDING = 8192  # ways not taken yet that it keeps (BPF_COMPLEXITY_LIMIT_JMP_SEQ)
HEAVY = 1 << 19  # likewise for rounds times the AST nodes of the body
SINCE_LOOP = (5, 17)  # bpf_loop


def too_long(c: Compiler, rounds: int, body: list[Any]) -> bool:
    """Whether the verifier should not walk all rounds of a loop; in another loop it does so again and again."""
    return (
        rounds > PLAIN_STEPS
        or (rounds > 2 and rounds << min(count_tests(body), 20) > PLAIN_PATHS // min(c.around, 64))
        or rounds * weight(body) > HEAVY
    )


def walkable(c: Compiler, node: Any, rounds: int, known: frozenset[str], decided: bool) -> None:
    """Complain of a loop that the verifier must walk and cannot, on kernels that have plain loops only.

    It knows these names in each round, and, where `decided`, whether the loop ends.
    """
    total = rounds * c.around
    met = count_tests(node.body, c.known | known, False) + (not decided and c.around > 1)
    if (total * (2 + len(node.body)) > VERIFIED) or (total * met > PENDING):
        if c.lenient():
            return
        if rounds < MAX_ROUNDS:
            what = f"each of these {total} rounds, {VERIFIED} instructions and {PENDING} tests in all"
        else:
            what = "each round of this loop, and nothing shows it how many there are: let a counter end it"
        c.fail(
            f"the verifier walks {what}: compile for Linux 5.17 or later (kernel='5.17'), where long loops are calls of "
            "bpf_loop, or count fewer rounds",
            node,
        )


def counted(c: Compiler, node: Any, start: Front, stop: Front, step: int, element: Any) -> None:
    """A loop over a hidden counter: assigning the visible variable in the body changes nothing, as in Python."""
    from ..lang import Bounded
    from .statements import store

    most, limit = None, stop
    if isinstance(stop, Const) and isinstance(stop.obj, Bounded):
        most, stop = stop.obj.most, stop.obj.number
    first, last = start.number(c, node), stop.number(c, node)
    (alo, ahi), (blo, bhi) = span(c, first), span(c, last)
    reach = (bhi - alo if step > 0 else ahi - blo) // abs(step) + 1
    steps = reach if most is None else min(most, reach)
    if (
        most is None
        and reach > 1 << 20
        and not (isinstance(first, Const) and isinstance(last, Const))
        and not (c.unit.kernel >= SINCE_LOOP and bhi <= S64_MAX >> 1)
        and not c.lenient()
    ):
        c.fail(
            f"this loop may take {reach} rounds: write range(bounded(n, max=...)) with the most that it may take",
            node,
        )
    hidden = f"$counter{node.lineno}_{node.col_offset}_{len(c.frame.path)}"
    test = "<" if step > 0 else ">"
    n = value_of(c, first)
    guard = too_long(c, steps, node.body)
    entry, started = c.state, len(c.b.graph.blocks)
    key = ("$widened", node, c.frame.path)
    gate = gate_of(c, entry) if guard or key in c.assumed else None
    if gate and max(ahi, bhi) <= S64_MAX:
        if steps > MAX_ROUNDS and isinstance(first, Const) and isinstance(last, Const):
            c.fail(f"{gate.name} leaves a loop after {MAX_ROUNDS} rounds, and this one takes {steps}", node)
        return converging(c, node, first, last, most, step, element, hidden, gate)
    if guard and c.unit.kernel >= SINCE_LOOP and element is None:
        if steps > MAX_ROUNDS and isinstance(first, Const) and isinstance(last, Const):
            c.fail(f"bpf_loop runs {MAX_ROUNDS} rounds at most, and this loop takes {steps}", node)
        return count_by_call(c, node, first, last, step, min(steps, MAX_ROUNDS), element)
    known = isinstance(first, Const) and isinstance(last, Const)
    decided = known or named(node.iter) - {"range"} <= c.known
    name = getattr(node.target, "id", "")
    fixed = frozenset((name,) if decided and not element and name not in assigned(node.body) else ())
    if c.unit.kernel < SINCE_LOOP or (known and steps * (2 + len(node.body)) > VERIFIED):
        walkable(c, node, steps, fixed, decided)
    if most is None:
        first, last = in_sight(c, first, PLAIN_STEPS), in_sight(c, last, PLAIN_STEPS)
        n = value_of(c, first)
        if not isinstance(first, Const) and (
            (c.unit.kernel < COMPARES and not isinstance(last, Const)) or (not decided and needed(c, node))
        ):
            most = reach
    known = isinstance(first, Const) and isinstance(last, Const)
    unsigned = ahi > S64_MAX or (known and bhi > S64_MAX)
    kind, top_most = (types.u64, U64) if unsigned else (INT, S64_MAX)
    yes, no = test_of(c, test, first, last, node)
    leaving = [no] if no is not None else []
    breaks: list[State] = []
    if yes is not None:
        c.b.state = yes
        counter = Const(n.aux) if n.op == "const" else Int(n, kind)
        yes.env[hidden] = counter
        if step > 0:
            low, high = alo, max(min(bhi - 1, top_most), ahi)
        else:
            low, high = min(max(blo + 1, S64_MIN), alo), ahi
        rounds = "$rounds" + hidden
        if most is not None:
            yes.env[rounds] = Const(0)

        def bottom() -> Any:
            now = c.b.state.env[hidden].number(c, node)
            lo, hi = low + step, high + step
            value = c.b.arith("add", value_of(c, now), c.b.const(step), 64, max(lo, S64_MIN), min(hi, top_most))
            following = Int(value, kind)
            c.b.state.env[hidden] = following
            if most is not None:
                turn = c.b.state.env[rounds].number(c, node)
                c.b.state.env[rounds] = Int(c.b.arith("add", value_of(c, turn), c.b.const(1), 64, 1, most), INT)
                outcome = compare(c, "<", c.b.state.env[rounds], Const(most), node)
                in_bound, out = (
                    (c.b.state, None)
                    if outcome is True
                    else (None, c.b.state)
                    if outcome is False
                    else jump(c, *outcome)
                )
                if in_bound is None:
                    return None, out
                c.b.state = in_bound
                following = c.b.state.env[hidden]
            else:
                out = None
            outcome = compare(c, test, following, last, node)
            if isinstance(outcome, bool):
                again, done = (c.b.state, None) if outcome else (None, c.b.state)
            else:
                again, done = jump(c, *outcome)
            if most is None and not decided and needed(c, node):
                again, done = also(c, (again, done), test, following, bhi if step > 0 else blo, node)
            return again, merge(c, [s for s in (out, done) if s is not None], node)

        first_types = {hidden: (kind, low, high)}
        if most is not None:
            first_types[rounds] = (INT, 0, most - 1)
        names = assigned(node.body) | assigned([node.target]) | {hidden} | ({rounds} if most is not None else set())

        def top() -> list[State]:
            now = c.b.state.env[hidden]
            store(c, node.target, element(now) if element else now)
            return []

        try:
            with c.within(steps, fixed):
                outs, breaks = repeat(
                    c, node, names, first_types, top, bottom, gate, not guard and max(ahi, bhi) <= S64_MAX
                )
        except Widened:
            c.assumed[key] = {}
            del c.b.graph.blocks[started:]
            entry.block.term = None
            for name in (hidden, "$rounds" + hidden):
                entry.env.pop(name, None)
            c.b.state = entry
            return counted(c, node, start, limit, step, element)
        leaving += outs
    finish(c, node, leaving, breaks)
    if c.b.state is not None:
        c.b.state.env.pop(hidden, None)
        c.b.state.env.pop("$rounds" + hidden, None)


def converging(
    c: Compiler, node: Any, first: Any, last: Any, most: int | None, step: int, element: Any, hidden: str, gate: Any
) -> None:
    """A long loop that the verifier walks a few times only.

    At a gate the verifier widens numbers that no decision of its own depended on (widen_imprecise_scalars), and takes
    the state for one seen before.  A counter that starts from a known constant decides every test, and so is never
    widened.  This one starts from a number that the verifier does not know, and is tested behind the gate, where it may
    have been widened: against where it ends, against where it began, and where `most` rounds are allowed, for these.
    """
    from .statements import store

    (alo, ahi), (blo, _) = span(c, first), span(c, last)
    up, down = ("<", ">=") if step > 0 else (">", "<=")
    tests = [(hidden, up, last)]
    rounds = "$rounds" + hidden
    counted_rounds = most is not None and not isinstance(first, Const)
    if most is not None and isinstance(first, Const):
        tests.append((hidden, up, Const(first.obj + most * step)))
    elif counted_rounds:
        tests.append((rounds, "<", Const(most)))
    low = 0 if min(alo, blo) >= 0 and step > 0 else S64_MIN
    begin = alo if step > 0 else ahi
    if begin != (low if step > 0 else S64_MAX):
        tests.append((hidden, down, Const(begin)))
    c.b.state.env[hidden] = Int(unseen(c, value_of(c, first), low), INT)
    names = assigned(node.body) | assigned([node.target]) | {hidden}
    first_types = {hidden: (INT, low, S64_MAX)}
    if counted_rounds:
        c.b.state.env[rounds] = Int(unseen(c, c.b.const(0), 0), INT)
        names.add(rounds)
        first_types[rounds] = (INT, 0, S64_MAX)

    def top() -> list[State]:
        left = []
        for name, test, bound in tests:
            yes, no = test_of(c, test, c.b.state.env[name], bound, node)
            if no is not None:
                left.append(no)
            if yes is None:
                c.fail("this loop has no rounds", node)
            c.b.state = yes
        now = c.b.state.env[hidden]
        store(c, node.target, element(now) if element else now)
        return left

    def bottom() -> Any:
        for name, by in ((hidden, step), (rounds, 1))[: 1 + counted_rounds]:
            now = c.b.state.env[name].number(c, node)
            lo, hi = span(c, now)
            value = c.b.arith("add", value_of(c, now), c.b.const(by), 64, max(lo + by, S64_MIN), min(hi + by, S64_MAX))
            c.b.state.env[name] = Int(value, INT)
        return c.b.state, None

    with c.within(MAX_ROUNDS):
        outs, breaks = repeat(c, node, names, first_types, top, bottom, gate)
    finish(c, node, outs, breaks)
    if c.b.state is not None:
        c.b.state.env.pop(hidden, None)
        c.b.state.env.pop(rounds, None)


def count_by_call(c: Compiler, node: Any, first: Any, last: Any, step: int, rounds: int, element: Any) -> None:
    """A counted loop whose body is a callback: the number of the round gives the counter."""
    from ..objects.integers import binary
    from .loopcalls import repeat_by_call
    from .statements import store

    test = "<" if step > 0 else ">"

    def begin(inner: Compiler, index: Int) -> list[State]:
        start, stop = inner.state.env["$first"], inner.state.env["$last"]
        way = binary(inner, "Mult", Int(index.value, INT), Const(step), node)
        now = binary(inner, "Add", start, way, node).number(inner, node)
        yes, no = test_of(inner, test, now, stop, node)
        inner.b.state = yes  # type: ignore[assignment]
        if yes is not None:
            store(inner, node.target, element(now) if element else now)
        return [no] if no is not None else []

    unknown(c, node)
    outs, breaks = repeat_by_call(c, node, {"$first": first, "$last": last}, rounds, begin)
    finish(c, node, outs, breaks)


def test_of(c: Compiler, test: str, a: Any, b: Any, node: Any) -> tuple[State | None, State | None]:
    """The states where the comparison holds, and where it does not."""
    outcome = compare(c, test, a, b, node)
    if isinstance(outcome, bool):
        return (c.b.state, None) if outcome else (None, c.b.state)
    return jump(c, *outcome)


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
