"""Where paths meet: one state from several, with a phi for each name that differs."""

from __future__ import annotations

from ..objects.integers import join_types, value_of
from ..objects.refs import Ref
from ..objects.values import INT, Conflict, Const, Front, Int, Tuple, span
from ..ssa.build import State, limits
from ..ssa.dominance import meet
from ..ssa.ir import Block, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...types import Scalar
    from .compiler import Compiler

FRESH = -1
"""The epoch of a view that each way brought of the place where its packet is: `merge` gives it that of their meeting."""


def merge(c: Compiler, states: list[State], node: Any) -> State | None:
    """The state in which all of `states` go on; each one's block is closed with a jump.  None when there are none."""
    if not states:
        return None
    if len(states) == 1:
        return states[0]
    before = c.b.state
    block = c.b.graph.new_block()
    if any(state.owned.keys() != states[0].owned.keys() for state in states[1:]):
        adopt(c, block, states)
    owned = states[0].owned
    for state in states[1:]:
        if state.owned.keys() != owned.keys():
            odd = next(iter(state.owned.keys() ^ owned.keys()))
            ref = state.owned.get(odd) or owned.get(odd)
            c.fail(f"{ref} is released on one way to this point and not on another", node)
    memory = dict(states[0].memory)
    for state in states[1:]:
        for region in sorted(memory.keys() | state.memory.keys()):  # one that a way never changed is not in its memory
            if memory.get(region, 0) != state.memory.get(region, 0):
                c.b.version += 1
                memory[region] = c.b.version
    # Numbers from references are loaded at the end of their own block, before it is closed.
    env = states[0].env.copy()
    odd_names = {name: None for state in states[1:] for name, f in state.env.items() if env.get(name) is not f}
    odd_names |= {name: None for state in states[1:] for name in env if name not in state.env}
    for name in odd_names:
        env[name] = front = join(c, block, states, [state.env.get(name) for state in states], name)
        if isinstance(front, Ref) and front.epoch == FRESH:
            front.epoch = memory.get("place", 0)
    for state in states:
        c.b.state = state
        c.b.end("jump", block)
    c.b.state = before
    joined = State(block, env, states[0].facts.known, memory)
    joined.contents = {
        place: value
        for place, value in states[0].contents.items()
        if all(state.contents.get(place) is value for state in states)
    }
    joined.owned = owned.copy()
    meet(states, joined.facts)
    for known in block.phis:
        if known.aux == "nonnull":
            joined.facts["null", known] = True
    return joined


def adopt(c: Compiler, block: Block, states: list[State]) -> None:
    """Names that own something on each way, though not the same: one reference takes over from all of them.

    `sk = tcp look-up` on one way and `sk = udp look-up` (or None) on the other make one socket to release.
    """
    for name in [name for name, front in states[0].env.items() if hasattr(front, "owner") or is_nothing(front)]:
        fronts: list[Any] = [state.env.get(name) for state in states]
        own = [f for s, f in zip(states, fronts, strict=True) if getattr(f, "owner", None) in s.owned]
        nothing = [is_nothing(f) for f in fronts]
        if not own or len(own) + sum(nothing) < len(fronts) or not hasattr(own[0], "around"):
            continue
        if any(f.likeness() != own[0].likeness() for f in own) or all(f is own[0] for f in fronts):
            continue
        known = not any(nothing) and all(
            f.check is None or f.check in s.facts for s, f in zip(states, fronts, strict=True)
        )
        values = [c.b.const(0) if none else f.address() for f, none in zip(fronts, nothing, strict=True)]
        value = phi(block, values, *limits(64, False), aux="nonnull" if known else None)
        texts = [s.owned.pop(f.owner, None) if f in own else None for s, f in zip(states, fronts, strict=True)]
        one = own[0].around(value, null=True, owner=value)
        for state, text in zip(states, texts, strict=True):
            state.owned[value] = text or next(filter(None, texts))
            state.env[name] = one


def is_nothing(front: Any) -> bool:
    return isinstance(front, Const) and front.obj is None


def join(c: Compiler, block: Block, states: list[State], fronts: list[Front | None], name: str) -> Any:
    """One front-end value for a name that stands for different things on the ways into `block`."""
    if any(f is None for f in fronts):
        return Conflict(f"{name} may not have been assigned on every way to this line")
    for f in fronts:
        if isinstance(f, Conflict):
            return f
    first = fronts[0]
    if all(isinstance(f, Const) for f in fronts) and all(_same(first.obj, f.obj) for f in fronts):  # type: ignore[union-attr]
        return first
    if all(isinstance(f, Ref) or (isinstance(f, Const) and f.obj is None) for f in fronts):
        found = join_refs(c, block, states, fronts)
        if found is not None:
            return found
    if all(is_number(f) for f in fronts):
        return join_numbers(c, block, states, fronts, name)
    if all(isinstance(f, Tuple) or (isinstance(f, Const) and isinstance(f.obj, tuple)) for f in fronts):
        fronts = [f if isinstance(f, Tuple) else Tuple([Const(x) for x in f.obj]) for f in fronts]  # type: ignore[union-attr]
        first = fronts[0]
    if isinstance(first, Tuple) and all(isinstance(f, Tuple) and len(f.items) == len(first.items) for f in fronts):
        columns = zip(*(f.items for f in fronts), strict=True)  # type: ignore[union-attr]
        return Tuple([
            col[0] if all(x is col[0] for x in col) else join(c, block, states, list(col), name) for col in columns
        ])  # fmt: skip
    custom = getattr(first, "join", None)
    if custom is not None and all(type(f) is type(first) for f in fronts):
        found = custom(c, block, states, fronts)
        if found is not None:
            return found
    kinds = " or ".join(dict.fromkeys(f.what() for f in fronts))  # type: ignore[union-attr]
    return Conflict(f"{name} stands for {kinds}, depending on the way to this line; use two names")


def _same(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and isinstance(a, (int, str, bytes)) and a == b)


def is_number(front: Front | None) -> bool:
    if isinstance(front, Const):
        return isinstance(front.obj, int)
    return isinstance(front, Int) or (isinstance(front, Ref) and front.is_number())


def join_numbers(c: Compiler, block: Block, states: list[State], fronts: list[Any], name: str) -> Front:
    numbers: list[Int | Const] = []
    before = c.b.state
    snapshot = False
    for state, front in zip(states, fronts, strict=True):
        c.b.state = state
        if isinstance(front, Ref):
            if front.check is not None and front.check not in state.facts:
                c.b.state = before
                return Conflict(f"{name} may be None here: test it with `is None` before the ways meet")
            snapshot = True
        numbers.append(front.number(c, c.b.at))
    type_: Scalar | None = None
    lo = hi = 0
    for state, n in zip(states, numbers, strict=True):
        c.b.state = state
        nlo, nhi = span(c, n)
        own = INT if isinstance(n, Const) else n.type
        if type_ is None:
            type_, lo, hi = own, nlo, nhi
            continue
        type_ = join_types(type_, lo, hi, own, nlo, nhi)
        if type_ is None:
            c.b.state = before
            return Conflict(
                f"{name} is u64 on one way to this line and may be negative on another: write u64(...) or s64(...)"
            )
        lo, hi = min(lo, nlo), max(hi, nhi)
    c.b.state = before
    assert type_ is not None
    values = [value_of(c, n) for n in numbers]
    if all(v is values[0] for v in values):
        return Int(values[0], type_, snapshot)
    return Int(phi(block, values, lo, hi), type_, snapshot)


def phi(block: Block, values: list[Value], lo: int, hi: int, aux: Any = None) -> Value:
    value = Value("phi", values, aux, 64, lo, hi)
    value.block = block
    block.phis.append(value)
    return value


def settle(c: Compiler, state: State, ref: Ref) -> Ref:
    """Make a reference whose None is told by a test into one that is a null pointer then; `state` goes on behind the test."""
    from .conditions import is_none

    before, c.b.state = c.b.state, state
    pointer = c.b.arith("add", ref.base, c.b.const(ref.off)) if ref.off else ref.base
    none, some = is_none(c, ref, c.b.at)
    assert none is not None
    assert some is not None
    block = c.b.graph.new_block()
    for way in (some, none):
        c.b.state = way
        c.b.end("jump", block)
    value = phi(block, [pointer, c.b.const(0)], *limits(64, False))
    state.block = block
    c.b.state = before
    return Ref(
        value, 0, ref.type, ref.region, check=("null", value), shared=ref.shared, writable=ref.writable,
        epoch=ref.epoch, label=ref.label, origin=ref.origin, align=ref.alignment(),
    )  # fmt: skip


def join_refs(c: Compiler, block: Block, states: list[State], fronts: list[Any]) -> Any:
    refs = [f for f in fronts if isinstance(f, Ref)]
    if not refs:
        return fronts[0]
    first = refs[0]
    for r in refs:
        if (r.type, r.region, r.shared, r.owner, r.writable) != (
            first.type, first.region, first.shared, first.owner, first.writable,
        ):  # fmt: skip
            return None
    epoch = first.epoch
    if first.region == "packet":
        places = [state.memory.get("place", 0) for state in states]
        if all(not isinstance(f, Ref) or f.epoch == place for f, place in zip(fronts, places, strict=True)):
            epoch = epoch if len(set(places)) == 1 else FRESH
        elif any(r.epoch != epoch for r in refs):
            return Conflict("the packet may have moved since this view was made: call ctx.packet(...) again")
    if first.owner is not None or first.region == "stack":
        return (
            None
            if any(r.base is not first.base or r.off != first.off for r in refs) or len(refs) < len(fronts)
            else first
        )
    known = [
        isinstance(f, Ref) and (f.check is None or f.check in state.facts)
        for state, f in zip(states, fronts, strict=True)
    ]
    for i, (f, k) in enumerate(zip(fronts, known, strict=True)):
        if isinstance(f, Ref) and not k and f.check is not None and (f.check[0] != "null" or f.off):
            fronts[i] = settle(c, states[i], f)
    values = []
    before = c.b.state
    for state, f in zip(states, fronts, strict=True):
        c.b.state = state
        if isinstance(f, Ref):
            values.append(c.b.arith("add", f.base, c.b.const(f.off)) if f.off else f.base)
        else:
            values.append(c.b.const(0))
    c.b.state = before
    base = (
        values[0]
        if all(v is values[0] for v in values)
        else phi(block, values, *limits(64, False), aux="nonnull" if all(known) else None)
    )
    return Ref(
        base, 0, first.type, first.region, check=("null", base), shared=first.shared, writable=first.writable,
        owner=first.owner, epoch=epoch, label=first.label, align=min(r.alignment() for r in refs),
        origin=first.origin if all(r.origin is first.origin or _same_map(r, first) for r in refs) else None,
    )  # fmt: skip


def _same_map(a: Ref, b: Ref) -> bool:
    """Two references into one map (each mention of its name makes a `MapRef` of its own)."""
    return a.origin is not None and getattr(a.origin, "spec", 0) is getattr(b.origin, "spec", 1)
