"""The rounds of a loop, whatever ends it: lowered until what was assumed of its variables holds.

The variables that a loop assigns become phis before its body is lowered, so their types and intervals must be assumed;
when the way back brings something wider, the loop is lowered again with that.  Assumptions are remembered by loop, so
nested loops start from what was found before.
"""

from __future__ import annotations

from ..objects.integers import join_types, value_of
from ..objects.layout import alignof, is_array
from ..objects.refs import Ref
from ..objects.values import INT, Conflict, Const, Front, Int, span
from ..ssa.build import State, limits
from ..ssa.ir import Value
from .effects import blur, objects, touched
from .gates import behind_gate, fresh_block, widens
from .gates import gate as gate_of
from .joins import is_number, merge, phi
from .progress import deciding, falling
from .survey import compared, count_tests

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..ssa.ir import Block
    from .compiler import Compiler

BOUNDED_LOOPS = (5, 3)
SINCE_LOOP = (5, 17)  # bpf_loop: long loops need not be walked round by round
WALKED = 1 << 12  # rounds that may be walked with numbers that tests have shown


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


def repeat(
    c: Compiler,
    node: Any,
    names: set[str],
    first: dict[str, Any],
    top: Callable[[], list[State]],
    bottom: Callable[[], Any],
    gate: Any,
    otherwise: bool = False,
) -> Any:
    """Lower the top of a round, the body and the bottom test, again until the assumptions about its variables hold.

    `top` and `bottom` give states that leave by a test.  Gives all these, and those that leave by break; Widened when
    `otherwise` there is another way to write this loop where a gate stands in it.
    """
    key = (node, c.frame.path)
    memo = c.assumed.setdefault(key, dict(first))
    entry = c.b.state
    hidden: dict[str, set[int]] = {}
    walked = c.unit.kernel < SINCE_LOOP and count_tests(node.body) > 0
    if gate:
        begin(c, node, names, gate)
        conceal(c, entry, [], memo, hidden)
    for attempt in range(12):
        blocks = len(c.b.graph.blocks)
        start = entry.fork(entry.block)
        widening, stays = c.widening, c.stays
        if gate:
            c.widening = blocks
            c.stays = stays or gate.stays
        slots = list(c.free_slots)
        depth, suppressed = c.speculating, c.suppressed
        strict = attempt > 0 and memo.get("$strict")
        c.speculating = depth if strict else depth + 1
        c.suppressed = False
        c.b.state = start
        returns = len(c.frame.returns)
        c.frame.loops.append(Loop())
        try:
            found = _attempt(c, node, names, memo, top, bottom, gate)
            doubt = c.suppressed and not depth and not strict
        except Unstable:
            found, doubt = None, False
        finally:
            c.speculating, c.widening, c.stays = depth, widening, stays
            c.frame.loops.pop()
            c.suppressed = suppressed or c.suppressed if depth else suppressed
        better = None
        if found is not None and not gate and widens(c.b.graph.blocks[blocks:]):
            better = gate_of(c, entry)
        if gate:
            more = conceal(c, entry, c.b.graph.blocks[blocks:], memo, hidden)
        else:
            more = walked and learn(entry, c.b.graph.blocks[blocks:], memo)
        if found is not None and not better and not doubt and not more:
            outs, breaks = found
            if gate:
                behind_gate(c)
            return ended(c, node, gate, outs, breaks, returns) if gate and gate.end else found
        memo["$strict"] = doubt or memo.get("$strict")
        del c.b.graph.blocks[blocks:]
        del c.frame.returns[returns:]
        c.free_slots[:] = slots
        entry.block.term = None
        if better:
            if otherwise:
                raise Widened
            c.b.state, gate = entry, better
            begin(c, node, names, gate)
    c.fail("the types of this loop's variables do not settle: convert them before the loop", node)


def ended(c: Compiler, node: Any, gate: Any, outs: list[State], breaks: list[State], returns: int) -> Any:
    """The ways out of a loop whose gate must be closed on each; those that meet behind the loop meet before that."""
    if not node.orelse:
        outs, breaks = outs + breaks, []
    ways = [[s for s in (merge(c, states, node),) if s is not None] for states in (outs, breaks)]
    for state in (*ways[0], *ways[1], *(way[0] for way in c.frame.returns[returns:])):
        c.b.state = state
        gate.end(c)
    return ways


def begin(c: Compiler, node: Any, names: set[str], gate: Any) -> None:
    """Before a loop with a gate: numbers that it changes start unknown to the verifier.

    Whatever the first round brings is then within what it began with, also where a number must be equal because it decides
    something: a known one would be so in each round, for it is widened only while nothing depends on it.
    """
    hide(c, [name for name in sorted(names.difference(to_hide(node, names, True))) if name[0] != "$"])
    gate.begin(c)


def conceal(c: Compiler, entry: State, blocks: list[Block], memo: dict[str, Any], hidden: dict[str, set[int]]) -> bool:
    """Before a loop with a gate: the same for the numbers in objects on the stack that it changes, as far as these blocks, and
    what was found before, show.  Gives whether these were more than what is `hidden` already.
    """
    learn(entry, blocks, memo)
    more = False
    for name in objects(entry.env):
        new = memo.get("$bytes " + name, set()) - hidden.get(name, set())
        if new:
            c.b.state, more = entry, True
            hidden[name] = hidden.get(name, set()) | new
            blur(c, entry.env[name], new)
    return more


def learn(entry: State, blocks: list[Block], memo: dict[str, Any]) -> bool:
    """Note which bytes of objects on the stack these blocks change; whether these are more than were known."""
    names = {ref.base: name for name, ref in objects(entry.env).items()}
    more = False
    for name, changes in touched(blocks, names.get).items():
        known = memo.get("$bytes " + name, set())
        more |= not changes <= known
        memo["$bytes " + name] = known | changes
    return more


def _attempt(c: Compiler, node: Any, names: set[str], memo: dict[str, Any], top: Any, bottom: Any, gate: Any) -> Any:
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
    if memo.get("$context"):
        c.b.clobber("ctx")  # what was read of it is read again, and so is unknown
    phis: dict[str, tuple[Value, Front]] = {}
    down = falling(node.body)
    for name in sorted(names):
        front = before.env.get(name)
        if front is None or isinstance(front, Conflict):
            continue
        state.env[name] = _assume(c, header, before, name, front, memo, phis, down)
    hide(c, to_hide(node, names, gate is not None))
    if gate is None:
        for name, ref in objects(before.env).items():
            if "$bytes " + name in memo and not is_array(ref.type):  # an element at an unknown place is unknown anyway
                blur(c, ref, memo["$bytes " + name])
    place = state.memory.get("place")
    outs: list[State] = []
    if gate:
        (outs if gate.ends else c.frame.loops[-1].breaks).append(gate.enter(c))
    outs += top()
    c.body(node.body)
    loop = c.frame.loops[-1]
    ways = loop.continues + ([c.b.state] if c.b.state is not None else [])
    c.b.state = merge(c, ways, node)  # type: ignore[assignment]
    if c.b.state is not None:
        c.b.at = node
        again, out = bottom()
        if out is not None:
            outs.append(out)
        if again is not None:
            c.b.state = again
            if again.memory.get("place") != place and not memo.get("$place"):
                memo["$place"] = True  # a round begins with no view of the packet then, whatever the last one left
                raise Unstable
            if again.owned.keys() != before.owned.keys():
                odd = next(iter(again.owned.keys() ^ before.owned.keys()))
                c.fail(
                    f"{again.owned.get(odd) or before.owned.get(odd)} is not released in every round of this loop", node
                )
            _close(c, header, phis, memo)
            c.b.end("jump", header)
    return outs, loop.breaks


def to_hide(node: Any, names: set[str], gated: bool) -> list[str]:
    """The variables of a loop that the verifier shall know nothing of where a round begins.

    It walks a round again for each state that it has not seen.  A number that it knows in part decides tests, and where it has
    decided one it compares numbers exactly, so that rounds with tests have states without end.  Of numbers that it does not
    know, all are the same.  What bounds the loop must stay known, unless a gate does; then the counter is hidden, too: a round in
    which `i == 2` held would begin the next with a known one, which decides every test from there on.
    """
    if not count_tests(node.body):
        return []
    if gated:
        return sorted(names)
    kept = deciding(node) if node.__class__.__name__ == "While" else set()
    return sorted(name for name in names - kept if name[0] != "$")


def hide_compared(c: Compiler, node: Any, rounds: int, names: set[str], first: dict[str, Any]) -> None:
    """Let a plain loop carry numbers from outside that its tests compare, so that they are hidden in each round, too.

    `if n == i:` shows another number in each round, or that it is none of these: so many states go through all further rounds,
    for each number that is compared.
    """
    from ..objects.context import Context

    fronts = {name: c.state.env.get(name) for name in compared(node.body) - names - c.known}
    numbers = {name: front for name, front in fronts.items() if isinstance(front, Int)}
    context = any(isinstance(front, Context) for front in fronts.values())
    met = len(numbers) + context
    if not met or (rounds * c.around) ** (1 + met) <= WALKED:
        return
    for name, front in numbers.items():
        names.add(name)
        first[name] = (front.type, *span(c, front))
    first["$context"] = context


def hide(c: Compiler, names: list[str]) -> None:
    """Let the verifier forget what it knows of these numbers."""
    zero = None
    for name in names:
        front = c.state.env.get(name)
        if isinstance(front, Const) and isinstance(front.obj, int):
            value = value_of(c, front)
            c.state.env[name] = Int(c.b.hide(value), INT)
        elif isinstance(front, Int):
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
    falling: set[str],
) -> Front:
    """What a variable stands for at the head of the loop; of those that only fall, nothing above where they began."""
    if (isinstance(front, Const) and isinstance(front.obj, int)) or isinstance(front, Int):
        n = front.number(c, None)
        if name in memo:
            type_, lo, hi = memo[name]
        else:
            type_ = INT if isinstance(n, Const) else n.type
            lo, hi = span(c, n)
            if name not in falling:
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
        known.align = min(front.alignment(), alignof(front.type))  # type: ignore[attr-defined]
        c.state.facts["null", value] = True
    else:
        return Conflict(f"{name} stands for something else in each round of this loop: use a new name in the loop")
    phis[name] = (value, known)
    return known


def _close(c: Compiler, header: Any, phis: dict[str, tuple[Value, Front]], memo: dict[str, Any]) -> None:
    """Give each phi its value from the way back; Unstable when it does not fit what was assumed."""
    stable = True
    fitting = []
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
            stable = False
            if "$near " + name not in memo:  # perhaps rounds bring no more than this one did, whatever it began with
                near_lo, near_hi = brought(n, value, (first.lo, first.hi), lo, hi, c.carried)
                memo["$near " + name] = True
                memo[name] = (type_, max(min(first.lo, near_lo), low), min(max(first.hi, near_hi), high))
                value.args.append(value_of(c, n))
                continue
            new_lo = value.lo if lo >= value.lo and value.lo >= low else low
            # What only goes down stays below where it began.
            new_hi = value.hi if type_ is known.type and hi <= value.hi else high
            memo[name] = (type_, max(new_lo, low) if first.lo >= 0 else low, new_hi)
            memo["$wide " + name] = True
        else:
            fitting.append((name, value, type_, n, lo, hi))
        value.args.append(value_of(c, n))
    for name, value, type_, n, lo, hi in fitting:
        first = value.args[0]
        lo, hi = brought(n, value, (first.lo, first.hi), lo, hi, c.carried)
        lo, hi = min(first.lo, lo), max(first.hi, hi)
        unlimited = value.hi == limits(type_.bits, type_.signed)[1] > hi and "$wide " + name not in memo
        if c.suppressed or unlimited:
            # Something was complained of, or only the type limited it: what comes back may be less than was assumed,
            # because tests have told.
            stable = c.suppressed and stable
            memo[name] = (type_, lo, hi)
    if not stable:
        raise Unstable


def brought(
    n: Int | Const, head: Value, first: tuple[int, int], lo: int, hi: int, carried: dict[Value, Any]
) -> tuple[int, int]:
    """The interval of what comes back to the head of a loop, lo..hi, without what the round itself began with; `first` where
    that is all."""
    if isinstance(n, Const):
        return lo, hi
    met, todo, ends = {head}, [n.value], list[tuple[int, int]]()
    while todo:
        value = todo.pop()
        if value in met:
            continue
        met.add(value)
        if value.op == "hide":
            todo.append(value.args[0])
        elif value.op == "phi" and value.aux != "open":
            todo += value.args
        elif value in carried:  # through an inner loop that is a call: what it was given, or what its rounds end with
            given, intervals = carried[value]
            todo.append(given)
            ends += intervals
        else:
            ends.append((value.lo, value.hi))
    lows, highs = zip(*(ends or [first]), strict=True)
    return max(lo, min(lows)), min(hi, max(highs))


def finish(c: Compiler, node: Any, leaving: list[State], breaks: list[State]) -> None:
    """`else` runs when the loop ended by itself; `break` goes around it."""
    c.b.state = merge(c, leaving, node)  # type: ignore[assignment]
    fresh_block(c)
    if node.orelse and c.b.state is not None:
        c.body(node.orelse)
    states = [c.b.state] if c.b.state is not None else []
    c.b.state = merge(c, states + breaks, node)  # type: ignore[assignment]
    fresh_block(c)
