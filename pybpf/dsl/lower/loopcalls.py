"""Long loops where the kernel has bpf_loop and no gate (5.17 to 6.3, and to 6.8 without the GPL): the body becomes its callback.

What the body reads and changes lies in a block of 8-byte cells on the stack, whose address the callback is given: numbers
are loaded where a round begins and stored where it ends; references and the context are only read.  A round that leaves
the loop says in a cell of its own why: by break, or with which result.
"""

from __future__ import annotations

from ..objects.context import Context
from ..objects.integers import join_types, value_of
from ..objects.kernelrefs import Pointer
from ..objects.maps import MapRef
from ..objects.refs import Ref
from ..objects.values import INT, Conflict, Const, Front, Int, span
from ..ssa.build import limits
from ..ssa.ir import Graph, Value
from .callbacks import obscure, walked_once
from .conditions import jump
from .effects import touched
from .joins import is_number
from .rounds import Loop, brought

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ...types import Scalar
    from ..ssa.build import State
    from .compiler import Compiler

BPF_LOOP, SINCE = 181, (5, 17)
BREAK, RESULT, CONSTANTS = 1, 2, 3  # why a loop was left; constants are numbered from CONSTANTS on
CODE, VALUE, CONTEXT = "$left", "$result", "$context"


class Cells:
    """The stack block: which name has which offset, the type of its number, and whether the body changes it.

    Of a number that changes the type and the interval are `assumed`, which is remembered by loop as in `rounds`.
    """

    def __init__(self, assumed: dict[str, Any]) -> None:
        self.offsets: dict[str, int] = {}
        self.types: dict[str, Scalar] = {}
        self.assumed = assumed
        self.changed: set[str] = set()
        self.given: dict[str, Front] = {}
        self.entered: dict[str, Value] = {}  # what was loaded where the round began
        self.ends: dict[str, list[tuple[Scalar, int, int, Any]]] = {}  # the numbers with which ways out of it end

    def add(self, name: str, front: Front, type_: Scalar | None = None) -> None:
        self.offsets[name] = 8 * len(self.offsets)
        self.given[name] = front
        if type_ is not None:
            self.types[name] = type_

    def change(self, c: Compiler, name: str, front: Int | Const) -> None:
        """Add a number that the body changes: from where it begins to as much as its type holds, if nothing else is assumed."""
        type_ = INT if isinstance(front, Const) else front.type
        lo, hi = span(c, front)
        type_, low, high = self.assumed.get(name) or (type_, lo, limits(type_.bits, type_.signed)[1])
        self.assumed[name] = type_, min(lo, low), max(hi, high)
        self.add(name, front, type_)
        self.changed.add(name)


def repeat_by_call(
    c: Compiler, node: Any, extra: dict[str, Front], rounds: int, begin: Callable[[Compiler, Int], list[State]]
) -> tuple[list[State], list[State]]:
    """Run the loop's body by bpf_loop, `rounds` times at most; gives the states that leave by the test, and by break.

    `begin` lowers what stands before the body of a round, given its number, and gives the states in which the loop ends.
    """
    from .survey import assigned, counters

    around = {**c.state.env, **extra}
    changed = assigned([*node.body, node.test if node.__class__.__name__ == "While" else node.target])
    # `ref += 1` changes what the reference is to, not the name.
    kept = counters(node.body) - assigned(node.body, in_place=False)
    changed -= {name for name in kept if isinstance(around.get(name), Ref)}
    key = (id(node), c.frame.path)
    before, assumed = c.unit.loops.get(key) or (None, {})
    cells = capture(c, node, around, changed, assumed)
    base = c.slot(8 * len(cells.offsets), 8, "variables of a loop")
    for attempt in range(12):
        if before is not None:
            c.unit.graphs.remove(before)
        strict = assumed.get("$strict")
        graph, codes, suppressed = lower(c, node, cells, around, changed, begin, not strict)
        before, _ = c.unit.loops[key] = graph, assumed
        if settled(c, cells, suppressed):
            if c.speculating or not suppressed:
                break
            assumed["$strict"] = attempt > 4  # till then loops in this one may find more out
    else:
        c.fail("the types of this loop's variables do not settle: convert them before the loop", node)
    names = {value: name for name, value in cells.entered.items()}
    for name, changes in touched(graph.blocks, names.get).items():
        obscure(c, cells.given[name], changes)
    for name, at in cells.offsets.items():
        c.b.store(base, at, 8, stored(c, cells, name, node), "stack")
    function = c.b.share("function", [], graph, 64, 1, (1 << 64) - 1)
    c.b.call("helper", BPF_LOOP, "loop", [c.b.const(rounds), function, base, c.b.const(0)])
    if graph.moves:
        c.b.clobber("place")
    for name in changed:
        if name in cells.changed:
            c.state.env[name] = number = loaded(c, base, cells, name)
            ends = [(low, high) for _, low, high, _ in cells.ends.get(name, ())]
            c.carried[number.value] = value_of(c, cells.given[name]), ends  # type: ignore[arg-type]
        else:
            c.state.env[name] = Conflict(f"{name} is not a number when this loop begins: give it one before the loop")
    return apart(c, base, cells, codes, node)


def capture(c: Compiler, node: Any, env: dict[str, Front], changed: set[str], assumed: dict[str, Any]) -> Cells:
    """What the body needs of the names around it."""
    from .survey import named

    cells = Cells(assumed)
    cells.change(c, CODE, Const(0))
    cells.change(c, VALUE, Const(0))
    if c.entry_context is not None:
        cells.add(CONTEXT, c.entry_context)
    for name in sorted(((named(node) | {n for n in env if n.startswith("$")}) & env.keys()) - {CODE, VALUE, CONTEXT}):
        front = env[name]
        if name in changed:
            if is_number(front):
                cells.change(c, name, front.number(c, node))
        elif isinstance(front, Int):
            cells.add(name, front, front.type)
        elif isinstance(front, (Ref, Pointer)) or (isinstance(front, MapRef) and front.address is not None):
            tested = front.check is None or front.check in c.state.facts
            if tested:
                cells.add(name, front)
    return cells


def stored(c: Compiler, cells: Cells, name: str, node: Any) -> Value:
    """What goes into a cell before the loop."""
    front: Any = cells.given[name]
    if isinstance(front, Context):
        return front.value
    if isinstance(front, (Const, Int)):
        value = value_of(c, front)
        if name in cells.changed and name not in (CODE, VALUE):
            return c.b.hide(value)  # a number that decides tests is a state of its own in each round
        return value
    if isinstance(front, Ref):
        return front.pointer(c, node)
    return front.pointer_value(c)  # type: ignore[no-any-return]


def loaded(c: Compiler, base: Value, cells: Cells, name: str) -> Int:
    """The number in a cell, as its type reads it.  Of the interval in which it lies the verifier knows nothing (see `lost`)."""
    type_ = cells.types[name]
    value = c.b.load(base, cells.offsets[name], type_.size, type_.signed, "stack")
    if name in cells.changed and value.op == "load":
        _, lo, hi = cells.assumed[name]
        value.lo, value.hi = max(value.lo, lo), min(value.hi, hi)
    return Int(value, type_)


def unpack(inner: Compiler, base: Value, cells: Cells, outer: dict[str, Front], changed: set[str], node: Any) -> None:
    """The names of a round."""
    env = inner.state.env
    cells.ends.clear()
    for name, front in outer.items():
        if name in changed:
            env[name] = Conflict(f"{name} is not a number when this loop begins: give it one before the loop")
        elif isinstance(front, (Const, Conflict)) or (isinstance(front, MapRef) and front.address is None):
            env[name] = front
        else:
            env[name] = Conflict(f"{name} cannot be used in a loop of so many rounds: test or read it before the loop")
    for name, at in cells.offsets.items():
        given: Any = cells.given[name]
        if name in cells.types:
            number = loaded(inner, base, cells, name)
            if name not in cells.changed and name not in (CODE, VALUE):
                lo, hi = given.value.lo, given.value.hi
                low, high = limits(number.type.bits, number.type.signed)
                number.value.lo, number.value.hi = max(lo, low), min(hi, high)
            env[name], cells.entered[name] = number, number.value
            continue
        value = inner.b.load(base, at, 8, False, "stack")
        value.lo = 1
        if isinstance(given, Context):
            inner.entry_context = Context(value)
            if name != CONTEXT:
                env[name] = inner.entry_context
        elif isinstance(given, Ref):
            check = None
            if given.region == "packet":
                check = ("end", value, inner.entry_context.ends(inner, node)[1])
                inner.state.facts[check] = True
            env[name] = Ref(
                value, 0, given.type, given.region, check=check, shared=given.shared, writable=given.writable,
                label=given.label, origin=given.origin, align=given.alignment(),
            )  # fmt: skip
            cells.entered[name] = value
        elif isinstance(given, MapRef):
            env[name] = given.parameter(value)
        else:
            env[name] = given.around(value, null=False, owner=None)
    for name, front in outer.items():
        if isinstance(front, Context):
            env[name] = inner.entry_context


def lower(
    c: Compiler, node: Any, cells: Cells, around: dict[str, Front], changed: set[str], begin: Any, speculating: bool
) -> tuple[Graph, dict[int, Any], bool]:
    """One round as a graph; which codes it leaves with; and whether complaints of it wait until its numbers are settled."""
    from .compiler import Compiler as Fresh
    from .compiler import Frame

    names = {g.name for g in c.unit.graphs} | {c.graph.name}
    name, n = f"{c.graph.name}_loop", 2
    while name in names:
        name, n = f"{c.graph.name}_loop{n}", n + 1
    parsed = c.frame.parsed
    graph = Graph(name, parsed.file, node.lineno + parsed.shift)
    graph.sources = parsed
    c.unit.graphs.append(graph)
    inner = Fresh(c.unit, graph)
    inner.speculating = c.speculating + speculating
    inner.stays = "the body of this loop is a callback before Linux 6.9"
    inner.b.walked_once = walked_once(c) or c.b.walked_once
    inner.frame = Frame(c.frame.fn, parsed, (*c.frame.path, id(node)), c.frame.inlined)
    inner.b.at = node
    inner.widening = 1  # what it was given stands in its first block
    index, base = Value("param", [], 0), Value("param", [], 1)
    graph.params = [index, base]
    index.hi = base.hi = (1 << 64) - 1
    unpack(inner, base, cells, around, changed, node)
    loop = Loop()
    inner.frame.loops.append(loop)
    from ..objects import scalars as types

    ended = begin(inner, Int(inner.b.extend(index, 32, False), types.u32))
    if inner.b.state is not None:
        inner.body(node.body)
    stays = loop.continues + ([inner.b.state] if inner.b.state is not None else [])
    codes: dict[int, Any] = {}
    for states, code, result in ((stays, 0, 0), (ended, 0, 1), (loop.breaks, BREAK, 1)):
        for state in states:
            end(inner, state, base, cells, code, None, result, node)
            if code:
                codes[code] = None
    for state, front, at in inner.frame.returns:
        inner.b.state, inner.b.at = state, at
        if isinstance(front, Const) and (front.obj is None or isinstance(front.obj, int)):
            known = [
                k for k, v in codes.items() if k >= CONSTANTS and v.obj == front.obj and type(v.obj) is type(front.obj)
            ]
            code = known[0] if known else max((CONSTANTS - 1, *codes)) + 1
            codes[code] = front
            end(inner, state, base, cells, code, None, 1, at)
        else:
            codes[RESULT] = None
            end(inner, state, base, cells, RESULT, front.number(inner, at), 1, at)
    c.suppressed |= inner.suppressed and c.speculating > 0
    return graph, codes, inner.suppressed


def end(
    inner: Compiler, state: State, base: Value, cells: Cells, code: int, value: Any, result: int, node: Any
) -> None:
    """Put the numbers back, say why the loop is left, and return 0 to go on or 1 to stop."""
    from ..pipeline import check_released

    inner.b.state, inner.b.at = state, node
    check_released(inner, state, node)
    numbers = {name: state.env.get(name) for name in cells.changed if name not in (CODE, VALUE)}
    if code:
        numbers[CODE] = Const(code)
    if value is not None:
        numbers[VALUE] = value
    for name, front in numbers.items():
        if not is_number(front):
            what = front.what() if front is not None else "nothing"
            inner.fail(f"{name} is a number when this loop begins, and {what} after a round: use another name", node)
        n: Any = front.number(inner, node)  # type: ignore[union-attr]
        value = value_of(inner, n)
        if value is not cells.entered.get(name) and name != CODE:
            interval = brought(n, cells.entered[name], span(inner, cells.given[name]), *span(inner, n), inner.carried)  # type: ignore[arg-type]
            cells.ends.setdefault(name, []).append((INT if isinstance(n, Const) else n.type, *interval, node))
        inner.b.store(base, cells.offsets[name], 8, value, "cells" if name in (CODE, VALUE) else "stack")
    inner.graph.moves |= state.memory.get("place", 0) != 0
    inner.b.end("return", inner.b.const(result))


def settled(c: Compiler, cells: Cells, suppressed: bool) -> bool:
    """Whether what is assumed of the cells holds for what all ways out of a round put there; else it is changed so that it does.

    A number that a round leaves as it was says nothing.  What comes back may be less than was assumed: that is tried
    where something was complained of, or only the type limited it, as in `rounds`.
    """
    stable = True
    for name, ends in cells.ends.items():
        first, (have, least, most) = cells.given[name], cells.assumed[name]
        type_ = INT if isinstance(first, Const) else first.type  # type: ignore[attr-defined]
        lo, hi = span(c, first)  # type: ignore[arg-type]
        for own, low, high, node in ends:
            wanted = join_types(type_, lo, hi, own, low, high)
            if wanted is None and have is INT and least >= 0:
                wanted = own if own.bits == 64 and not own.signed else type_  # it counts in what it meets
            if wanted is None:
                c.fail(f"{name} is u64 in one round and may be negative in another: write u64(...) or s64(...)", node)
            type_, lo, hi = wanted, min(lo, low), max(hi, high)
        low, high = limits(type_.bits, type_.signed)
        fits, near, wide = type_ is have and least <= lo and hi <= most, "$near " + name, "$wide " + name
        if not fits and near not in cells.assumed:
            cells.assumed[name] = type_, max(lo, low), min(hi, high)
            cells.assumed[near] = stable = False
        elif not fits:
            cells.assumed[name] = type_, lo if lo >= least else low, hi if hi <= most and type_ is have else high
            cells.assumed[wide] = stable = False
        elif suppressed or (hi < most == high and wide not in cells.assumed):
            cells.assumed[name] = type_, lo, hi
            stable &= suppressed
        cells.types[name] = type_
    return stable


def apart(c: Compiler, base: Value, cells: Cells, codes: dict[int, Any], node: Any) -> tuple[list[State], list[State]]:
    """Go on where the loop was left to: behind it, or out of the function."""
    breaks: list[State] = []
    for code, front in codes.items():
        left = c.b.load(base, cells.offsets[CODE], 8, False, "stack")
        yes, no = jump(c, "==", 64, left, c.b.const(code))
        assert yes is not None
        assert no is not None
        if code == BREAK:
            breaks.append(yes)
        else:
            c.b.state = yes
            c.frame.returns.append((yes, loaded(c, base, cells, VALUE) if front is None else front, node))
        c.b.state = no
    return [c.b.state], breaks


__all__ = ["SINCE", "repeat_by_call"]
