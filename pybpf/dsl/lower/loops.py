"""Loops: unrolled when short, else with the test at the bottom, so that an iteration costs one jump.

The variables that a loop assigns become phis before its body is lowered, so their types and intervals must be assumed;
when the way back brings something wider, the loop is lowered again with that.  Assumptions are remembered by loop, so
nested loops start from what was found before.
"""

from __future__ import annotations

from ..objects.integers import compare, join_types, value_of
from ..objects.refs import Ref
from ..objects.values import INT, Conflict, Const, Front, Int, span
from ..ssa.build import S64_MAX, S64_MIN, State, limits
from ..ssa.ir import Value
from .bounds import bounded
from .conditions import cond, jump
from .joins import is_number, merge, phi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .compiler import Compiler

UNROLL_STEPS = 16
UNROLL_NODES = 512
MAX_UNROLL = 4096
PLAIN_STEPS = 1 << 16  # more steps than this, and the loop is bounded by may_goto where the kernel has it
PLAIN_PATHS = 512  # likewise for rounds times paths through one round, all of which the verifier walks
VERIFIED = 1_000_000  # instructions that the verifier walks before it gives up (BPF_COMPLEXITY_LIMIT_INSNS)
PENDING = 8192  # ways not taken yet that it keeps (BPF_COMPLEXITY_LIMIT_JMP_SEQ)
HEAVY = 1 << 19  # likewise for rounds times the AST nodes of the body
MAX_ROUNDS = 1 << 23  # of may_goto in one call of a function (BPF_MAX_LOOPS)
MAY_GOTO = (6, 9)
SINCE_LOOP = (5, 17)  # bpf_loop
BOUNDED_LOOPS = (5, 3)


class Loop:
    """The ways out of and around the loop being lowered."""

    __slots__ = ("breaks", "continues")

    def __init__(self) -> None:
        self.breaks: list[State] = []
        self.continues: list[State] = []


class Widened(Exception):
    """A loop turned out to hold another in which the verifier forgets numbers."""


class Unstable(Exception):
    """An assumption about a loop variable was too narrow."""


def break_(c: Compiler, node: Any) -> None:
    c.frame.loops[-1].breaks.append(c.b.state)
    c.b.state = None  # type: ignore[assignment]


def continue_(c: Compiler, node: Any) -> None:
    c.frame.loops[-1].continues.append(c.b.state)
    c.b.state = None  # type: ignore[assignment]


def while_(c: Compiler, node: Any) -> None:
    endless = node.test.__class__.__name__ == "Constant" and bool(node.test.value)
    yes, no = cond(c, node.test)
    leaving = [no] if no is not None else []
    after: list[State] = []
    if yes is not None:
        c.b.state = yes

        def bottom() -> Any:
            again, out = cond(c, node.test)
            if again is None and endless:
                c.fail("this loop never comes back", node)
            return again, out

        rounds = rounds_of_while(c, node) if counts(node) else MAX_ROUNDS
        guard = too_long(rounds, node.body)
        if c.unit.kernel < SINCE_LOOP:
            walkable(c, node, rounds if counts(node) else rounds_up_to(c, node))
        if guard and by_call(c):
            outs, breaks = while_by_call(c, node)
            return finish(c, node, leaving + outs, breaks)
        if guard and c.unit.kernel >= MAY_GOTO:
            unknown(c, node)
        outs, breaks = repeat(c, node, assigned([*node.body, node.test]), {}, lambda: None, bottom, guard)
        leaving += outs
        after = breaks
    return finish(c, node, leaving, after)


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


def too_long(rounds: int, body: list[Any]) -> bool:
    """Whether the verifier should not walk all rounds of a loop."""
    return (
        rounds > PLAIN_STEPS
        or (rounds > 2 and rounds << min(tests(body), 20) > PLAIN_PATHS)
        or rounds * weight(body) > HEAVY
    )


def walkable(c: Compiler, node: Any, rounds: int) -> None:
    """Complain of a loop that the verifier must walk and cannot, on kernels that have plain loops only."""
    if rounds * (2 + len(node.body)) > VERIFIED or rounds * tests(node.body) > PENDING:
        if c.lenient():
            return
        what = (
            f"each of these {rounds} rounds"
            if rounds < MAX_ROUNDS
            else "each round of this loop, whose bound it must see"
        )
        c.fail(
            f"the verifier walks {what}, and {VERIFIED} instructions and {PENDING} tests in all: "
            "compile for Linux 5.17 or later (kernel='5.17'), where long loops are calls of bpf_loop, or count fewer rounds",
            node,
        )


def rounds_of_while(c: Compiler, node: Any) -> int:
    """The most rounds of a while loop that `counts`, from where its name stands now."""
    name, bound = node.test.left.id, node.test.comparators[0].value
    by = [s.value.value for s in node.body if s.__class__.__name__ == "AugAssign" and getattr(s.target, "id", "") == name
          and s.value.__class__.__name__ == "Constant"]  # fmt: skip
    front = c.state.env.get(name)
    if not (isinstance(front, (Const, Int)) and is_number(front) and isinstance(bound, int) and isinstance(by[0], int)):
        return MAX_ROUNDS
    lo, hi = span(c, front)
    return max(abs(bound - lo), abs(bound - hi)) // max(abs(by[0]), 1) + 1


def rounds_up_to(c: Compiler, node: Any) -> int:
    """The most rounds of `while i < n` that nothing but its test ends; 0 for another loop."""
    test = node.test
    if test.__class__.__name__ != "Compare" or len(test.ops) > 1 or test.ops[0].__class__.__name__ not in ("Lt", "LtE"):
        return 0
    if getattr(test.left, "id", "") not in counters(node.body) or any(ways_out(node.body)):
        return 0
    front = c.expr(test.comparators[0])
    return int(span(c, front)[1]) if isinstance(front, Int) else 0


def by_call(c: Compiler) -> bool:
    """Whether the target kernel has bpf_loop and no better way yet."""
    return SINCE_LOOP <= c.unit.kernel < MAY_GOTO


def while_by_call(c: Compiler, node: Any) -> Any:
    from .loopcalls import repeat_by_call

    def begin(inner: Compiler, index: Int) -> list[State]:
        again, out = cond(inner, node.test)
        inner.b.state = again  # type: ignore[assignment]
        return [out] if out is not None else []

    unknown(c, node)
    return repeat_by_call(c, node, {}, MAX_ROUNDS, begin)


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


def finish(c: Compiler, node: Any, leaving: list[State], breaks: list[State]) -> None:
    """`else` runs when the loop ended by itself; `break` goes around it."""
    c.b.state = merge(c, leaving, node)  # type: ignore[assignment]
    if node.orelse and c.b.state is not None:
        c.body(node.orelse)
    states = [c.b.state] if c.b.state is not None else []
    c.b.state = merge(c, states + breaks, node)  # type: ignore[assignment]


def counts(node: Any) -> bool:
    """Whether a while loop visibly counts: its test compares a name with a constant that the body adds constants to."""
    test = node.test
    if test.__class__.__name__ != "Compare" or test.left.__class__.__name__ != "Name":
        return False
    if test.comparators[0].__class__.__name__ != "Constant":
        return False
    return any(
        s.__class__.__name__ == "AugAssign"
        and getattr(s.target, "id", "") == test.left.id
        and s.value.__class__.__name__ == "Constant"
        for s in node.body
    )


def repeat(
    c: Compiler,
    node: Any,
    names: set[str],
    first: dict[str, Any],
    top: Callable[[], None],
    bottom: Callable[[], Any],
    guard: bool,
    otherwise: bool = False,
) -> Any:
    """Lower the top of a round, the body and the bottom test, again until the assumptions about its variables hold.

    Gives the states that leave by the test, and those that leave by break; Widened when `otherwise` there is another way to
    write this loop where may_goto stands in it.
    """
    key = (node, c.frame.path)
    memo = c.assumed.setdefault(key, dict(first))
    hidden = to_hide(node, names, guard and c.unit.kernel >= MAY_GOTO)
    entry = c.b.state
    for attempt in range(12):
        blocks = len(c.b.graph.blocks)
        start = entry.fork(entry.block)
        widening = c.widening
        if guard and c.unit.kernel >= MAY_GOTO:
            c.widening = blocks
        slots = list(c.free_slots)
        depth, suppressed = c.speculating, c.suppressed
        strict = attempt > 0 and memo.get("$strict")
        c.speculating = depth if strict else depth + 1
        c.suppressed = False
        c.b.state = start
        returns = len(c.frame.returns)
        c.frame.loops.append(Loop())
        try:
            found = _attempt(c, node, names, memo, top, bottom, guard, hidden)
            doubt = c.suppressed and not depth and not strict
        except Unstable:
            found, doubt = None, False
        finally:
            c.speculating, c.widening = depth, widening
            c.frame.loops.pop()
            c.suppressed = suppressed or c.suppressed if depth else suppressed
        if found is not None and not guard and c.unit.kernel >= MAY_GOTO and widens(c.b.graph.blocks[blocks:]):
            if otherwise:
                del c.frame.returns[returns:]
                c.free_slots[:] = slots
                raise Widened
            guard, found = True, None
        if found is not None and not doubt:
            return found
        memo["$strict"] = doubt or memo.get("$strict")
        del c.b.graph.blocks[blocks:]
        del c.frame.returns[returns:]
        c.free_slots[:] = slots
        entry.block.term = None
    c.fail("the types of this loop's variables do not settle: convert them before the loop", node)


def widens(blocks: list[Any]) -> bool:
    """Whether a may_goto stands in these blocks or in a function that they call.

    The verifier forgets the numbers of the loops around it there, on the stack too.  So these must be bounded by may_goto as
    well; else their tests decide nothing any more, and their rounds never end.
    """
    for block in blocks:
        if block.term is not None and block.term[0] == "maygoto":
            return True
        for value in block.values:
            graph: Any = getattr(value.aux, "target", None) if value.op == "call" else value.aux
            if value.op in ("call", "function") and hasattr(graph, "blocks") and widens(graph.blocks):
                return True
    return False


def _attempt(
    c: Compiler, node: Any, names: set[str], memo: dict[str, Any], top: Any, bottom: Any, guard: bool, hidden: list[str]
) -> Any:
    if c.unit.kernel < BOUNDED_LOOPS:
        c.fail("Linux before 5.3 has no loops: use range() with a small constant bound, which is unrolled", node)
    before = c.b.state
    header = c.b.graph.new_block()
    c.b.end("jump", header)
    state = before.fork(header)
    c.b.state = state
    c.b.forget_memory()
    state.contents.clear()
    if memo.get("$place"):
        c.b.clobber("place")
    phis: dict[str, tuple[Value, Front]] = {}
    for name in sorted(names):
        front = before.env.get(name)
        if front is None or isinstance(front, Conflict):
            continue
        state.env[name] = _assume(c, header, before, name, front, memo, phis)
    hide(c, hidden)
    place = state.memory.get("place")
    if guard and c.unit.kernel >= MAY_GOTO:
        body, leave = c.b.graph.new_block(), c.b.graph.new_block()
        c.b.end("maygoto", body, leave)
        c.frame.loops[-1].breaks.append(state.fork(leave))
        c.b.state = state.fork(body)
    top()
    c.body(node.body)
    loop = c.frame.loops[-1]
    ways = loop.continues + ([c.b.state] if c.b.state is not None else [])
    c.b.state = merge(c, ways, node)  # type: ignore[assignment]
    outs: list[State] = []
    if c.b.state is not None:
        c.b.at = node
        again, out = bottom()
        if out is not None:
            outs.append(out)
        if again is not None:
            c.b.state = again
            if again.memory.get("place") != place:
                memo["$place"] = True
                raise Unstable
            if again.owned.keys() != before.owned.keys():
                odd = next(iter(again.owned.keys() ^ before.owned.keys()))
                c.fail(
                    f"{again.owned.get(odd) or before.owned.get(odd)} is not released in every round of this loop", node
                )
            _close(c, header, phis, memo)
            c.b.end("jump", header)
    return outs, loop.breaks


def to_hide(node: Any, names: set[str], guard: bool) -> list[str]:
    """The variables of a loop that the verifier shall know nothing of where a round begins.

    It walks a round again for each state that it has not seen.  A number that it knows in part decides tests, and where it has
    decided one it compares numbers exactly, so that rounds with tests have states without end.  Of numbers that it does not
    know, all are the same.  What bounds the loop must stay known, unless may_goto does.
    """
    if not tests(node.body):
        return []
    kept = named(node.test) if node.__class__.__name__ == "While" and not guard else set()
    return sorted(name for name in names - kept if name[0] != "$")


def hide(c: Compiler, names: list[str]) -> None:
    """Let the verifier forget what it knows of these numbers."""
    numbers = [(name, c.state.env.get(name)) for name in names]
    zero = None
    for name, front in numbers:
        if isinstance(front, Int):
            zero = zero or c.b.emit("opaque", [], 0)
            c.state.env[name] = Int(c.b.emit("hide", [front.value, zero], None, 64, *span(c, front)), front.type)


def _assume(
    c: Compiler,
    header: Any,
    before: State,
    name: str,
    front: Front,
    memo: dict[str, Any],
    phis: dict[str, tuple[Value, Front]],
) -> Front:
    """What a variable stands for at the head of the loop."""
    if (isinstance(front, Const) and isinstance(front.obj, int)) or isinstance(front, Int):
        n = front.number(c, None)
        if name in memo:
            type_, lo, hi = memo[name]
        else:
            type_ = INT if isinstance(n, Const) else n.type
            lo, _ = span(c, n)
            hi = limits(type_.bits, type_.signed)[1]
        nlo, nhi = span(c, n)
        value = phi(header, [value_of(c, n)], min(lo, nlo), max(hi, nhi), None if name[0] == "$" else "open")
        known = Int(value, type_)
    elif isinstance(front, Ref) and front.owner is None and front.region != "stack":
        if front.check is not None and front.check not in before.facts:
            return Conflict(f"{name} may be None when this loop begins: test it before")
        base = front.base
        if front.off:
            return Conflict(f"{name} changes in this loop: use a new name for the reference in the loop")
        value = phi(header, [base], *limits(64, False))
        known = front.at(value, 0, front.type)  # type: ignore[assignment]
        known.check = ("null", value)  # type: ignore[attr-defined]
        c.state.facts["null", value] = True
    else:
        return Conflict(f"{name} stands for something else in each round of this loop: use a new name in the loop")
    phis[name] = (value, known)
    return known


def _close(c: Compiler, header: Any, phis: dict[str, tuple[Value, Front]], memo: dict[str, Any]) -> None:
    """Give each phi its value from the way back; Unstable when it does not fit what was assumed."""
    stable = True
    for name, (value, known) in phis.items():
        front = c.state.env.get(name)
        if isinstance(known, Ref):
            if not (isinstance(front, Ref) and front.type is known.type and front.region == known.region):
                # The name means something else now; nobody may use it at the head.
                value.args.append(value)
                value.aux = "dead"
                continue
            if front.check is not None and front.check not in c.state.facts:
                c.fail(f"{name} may be None in the next round: test it with `is None`", c.b.at)
            value.args.append(c.b.arith("add", front.base, c.b.const(front.off)) if front.off else front.base)
            continue
        assert isinstance(known, Int)
        value.aux = None
        if front is None or not is_number(front):
            value.args.append(value)
            continue
        if isinstance(front, Ref) and front.check is not None and front.check not in c.state.facts:
            c.fail(f"{name} may be None in the next round: test it with `is None`", c.b.at)
        n = front.number(c, c.b.at)
        lo, hi = span(c, n)
        own = INT if isinstance(n, Const) else n.type
        type_ = join_types(known.type, value.lo, value.hi, own, lo, hi)
        if type_ is None:
            # An untyped counter adapts to the unsigned 64-bit number it meets.
            bits64 = own if own.bits == 64 and not own.signed else known.type
            type_ = bits64 if value.args[0].lo >= 0 else None
        if type_ is None:
            c.fail(f"{name} is u64 in one round and may be negative in another: write u64(...) or s64(...)", c.b.at)
        if type_ is not known.type or lo < value.lo or hi > value.hi:
            low, high = limits(type_.bits, type_.signed)
            first = value.args[0]
            new_lo = value.lo if lo >= value.lo and value.lo >= low else low
            memo[name] = (type_, max(new_lo, low) if first.lo >= 0 else low, high)
            stable = False
        value.args.append(value_of(c, n))
    if not stable:
        raise Unstable


# -- for


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
    from ..objects.layout import as_array, is_array
    from ..objects.values import Tuple

    if isinstance(front, Const) and isinstance(front.obj, range):
        return unrolled(c, node, [Const(i) for i in front.obj])
    if isinstance(front, Const) and isinstance(front.obj, (tuple, list, dict, bytes, frozenset, set)):
        from .expressions import known

        items = sorted(front.obj) if isinstance(front.obj, (set, frozenset)) else front.obj
        return unrolled(c, node, [known(c, x, "") for x in items])
    if isinstance(front, Const) and isinstance(front.obj, (type({}.items()), enumerate, zip)):
        return unrolled(c, node, [Const(x) for x in front.obj])
    if isinstance(front, Tuple):
        return unrolled(c, node, front.items)
    if isinstance(front, Ref) and is_array(front.type):
        n = as_array(front.type).count

        def load(state_index: Front) -> Front:
            return front.item(c, state_index, node)

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
        steps = range(start.obj, stop.obj, step.obj)
        if unrolling or c.unit.kernel < BOUNDED_LOOPS or short(len(steps), node.body):
            if len(steps) > MAX_UNROLL:
                c.fail(f"unrolling {len(steps)} rounds would make too long a program", node)
            return unrolled(c, node, [Const(i) for i in steps])
    elif unrolling:
        c.fail("unroll takes a range with constant bounds", node)
    return counted(c, node, start, stop, step.obj, None)


def short(steps: int, body: Any) -> bool:
    """Whether a loop is better written out: indexes are then constants, and nothing is tested unless it may be left."""
    left = any(True for _ in ways_out(body))
    return steps * (2 if left else 1) <= UNROLL_STEPS and steps * weight(body) * (3 if left else 1) <= UNROLL_NODES


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
        for field in node._fields:
            child = getattr(node, field, None)
            if isinstance(child, list):
                todo += [n for n in child if hasattr(n, "_fields")]
            elif hasattr(child, "_fields"):
                todo.append(child)
    return total


def tests(body: list[Any]) -> int:
    """How many tests one round makes; each may double the paths that the verifier walks.  A loop doubles them for each bit of
    its number of rounds, and `m[key] += n` tests whether the key is there."""
    total = 0
    todo = list(body)
    while todo:
        node = todo.pop()
        kind = node.__class__.__name__
        total += {"Compare": len(getattr(node, "ops", ())), "While": 3, "match_case": 1}.get(kind, 0)
        if kind in ("If", "IfExp") and not named_test(node.test):
            total += 1
        if kind == "For":
            total += max(rounds_of(node).bit_length(), 3)
        if kind == "AugAssign" and node.target.__class__.__name__ == "Subscript":
            total += 1
        if kind == "Call" and getattr(node.func, "id", "") in ("min", "max", "abs"):
            total += 1
        for field in node._fields:
            child = getattr(node, field, None)
            if isinstance(child, list):
                todo += [n for n in child if hasattr(n, "_fields")]
            elif hasattr(child, "_fields"):
                todo.append(child)
    return total


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


def unrolled(c: Compiler, node: Any, items: list[Any], element: Any = None) -> None:
    from .statements import store

    breaks: list[State] = []
    path = c.frame.path
    for i, item in enumerate(items):
        if c.b.state is None:
            break
        c.frame.path = (*path, node.lineno, i)
        loop = Loop()
        c.frame.loops.append(loop)
        item = item if isinstance(item, Front) else Const(item)
        store(c, node.target, element(item) if element else item)
        c.body(node.body)
        c.frame.loops.pop()
        ways = loop.continues + ([c.b.state] if c.b.state is not None else [])
        c.b.state = merge(c, ways, node)  # type: ignore[assignment]
        breaks += loop.breaks
    c.frame.path = path
    finish(c, node, [c.b.state] if c.b.state is not None else [], breaks)


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
    guard = too_long(steps, node.body)
    entry, started = c.state, len(c.b.graph.blocks)
    key = ("$widened", node, c.frame.path)
    if (guard or key in c.assumed) and c.unit.kernel >= MAY_GOTO and max(ahi, bhi) <= S64_MAX:
        if steps > MAX_ROUNDS and isinstance(first, Const) and isinstance(last, Const):
            c.fail(f"may_goto leaves a loop after {MAX_ROUNDS} rounds, and this one takes {steps}", node)
        return converging(c, node, first, last, most, step, element, hidden)
    if guard and c.unit.kernel >= SINCE_LOOP and element is None:
        if steps > MAX_ROUNDS and isinstance(last, Const):
            c.fail(f"bpf_loop runs {MAX_ROUNDS} rounds at most, and this loop takes {steps}", node)
        return count_by_call(c, node, first, last, step, min(steps, MAX_ROUNDS), element)
    known = isinstance(first, Const) and isinstance(last, Const)
    if c.unit.kernel < SINCE_LOOP or (known and steps * (2 + len(node.body)) > VERIFIED):
        walkable(c, node, steps)
    if most is None:
        first, last = in_sight(c, first), in_sight(c, last)
        n = value_of(c, first)
    yes, no = test_of(c, test, first, last, node)
    leaving = [no] if no is not None else []
    breaks: list[State] = []
    if yes is not None:
        c.b.state = yes
        counter = Const(n.aux) if n.op == "const" else Int(n, INT)
        yes.env[hidden] = counter
        if step > 0:
            low, high = alo, max(min(bhi - 1, S64_MAX), ahi)
        else:
            low, high = min(max(blo + 1, S64_MIN), alo), ahi
        rounds = "$rounds" + hidden
        if most is not None:
            yes.env[rounds] = Const(0)

        def bottom() -> Any:
            now = c.b.state.env[hidden].number(c, node)
            lo, hi = low + step, high + step
            value = c.b.arith("add", value_of(c, now), c.b.const(step), 64, max(lo, S64_MIN), min(hi, S64_MAX))
            following = Int(value, INT)
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
            return again, merge(c, [s for s in (out, done) if s is not None], node)

        first_types = {hidden: (INT, low, high)}
        if most is not None:
            first_types[rounds] = (INT, 0, most - 1)
        names = assigned(node.body) | assigned([node.target]) | {hidden} | ({rounds} if most is not None else set())

        def top() -> None:
            now = c.b.state.env[hidden]
            store(c, node.target, element(now) if element else now)

        try:
            outs, breaks = repeat(
                c, node, names, first_types, top, bottom, guard, not guard and max(ahi, bhi) <= S64_MAX
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


def test_of(c: Compiler, test: str, a: Any, b: Any, node: Any) -> tuple[State | None, State | None]:
    """The states where the comparison holds, and where it does not."""
    outcome = compare(c, test, a, b, node)
    if isinstance(outcome, bool):
        return (c.b.state, None) if outcome else (None, c.b.state)
    return jump(c, *outcome)


def converging(
    c: Compiler, node: Any, first: Any, last: Any, most: int | None, step: int, element: Any, hidden: str
) -> None:
    """A long loop that the verifier walks a few times only.

    At may_goto the verifier widens numbers that no decision of its own depended on (widen_imprecise_scalars), and takes
    the state for one seen before.  A counter that starts from a known constant decides every test, and so is never
    widened.  This one starts from a number that the verifier does not know, and is tested behind may_goto, where it may
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
    left: list[State] = []

    def top() -> None:
        left.clear()
        for name, test, bound in tests:
            yes, no = test_of(c, test, c.b.state.env[name], bound, node)
            if no is not None:
                left.append(no)
            if yes is None:
                c.fail("this loop has no rounds", node)
            c.b.state = yes
        now = c.b.state.env[hidden]
        store(c, node.target, element(now) if element else now)

    def bottom() -> Any:
        for name, by in ((hidden, step), (rounds, 1))[: 1 + counted_rounds]:
            now = c.b.state.env[name].number(c, node)
            lo, hi = span(c, now)
            value = c.b.arith("add", value_of(c, now), c.b.const(by), 64, max(lo + by, S64_MIN), min(hi + by, S64_MAX))
            c.b.state.env[name] = Int(value, INT)
        return c.b.state, None

    outs, breaks = repeat(c, node, names, first_types, top, bottom, True)
    finish(c, node, outs + left, breaks)
    if c.b.state is not None:
        c.b.state.env.pop(hidden, None)
        c.b.state.env.pop(rounds, None)


def in_sight(c: Compiler, number: Any) -> Any:
    """Where a plain loop begins or ends, with bounds that the verifier sees: it walks each round."""
    lo, hi = span(c, number)
    if isinstance(number, Const) or lo < 0 or hi > PLAIN_STEPS:
        return number
    return Int(bounded(c, number.value, hi), number.type)


def unseen(c: Compiler, value: Value, lo: int) -> Value:
    """The same number, unknown to the verifier, in lo..S64_MAX."""
    hidden = c.b.hide(value)
    hidden.lo, hidden.hi = lo, S64_MAX
    return hidden


def named(node: Any) -> set[str]:
    """The names that an expression mentions."""
    names: set[str] = set()
    todo = [node]
    while todo:
        at = todo.pop()
        if at.__class__.__name__ == "Name":
            names.add(at.id)
        for field in getattr(at, "_fields", ()):
            child = getattr(at, field, None)
            todo += child if isinstance(child, list) else [child] if hasattr(child, "_fields") else []
    return names


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
        for field in getattr(node, "_fields", ()):
            child = getattr(node, field, None)
            if isinstance(child, list):
                todo += [n for n in child if hasattr(n, "_fields")]
            elif hasattr(child, "_fields"):
                todo.append(child)
    return names
