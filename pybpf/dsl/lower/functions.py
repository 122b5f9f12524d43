"""Functions that stay functions: `@subprogram`, a BPF-to-BPF call.

Parameters and results of a subprogram are numbers, its context, and references; their types are those of the first call, or
the annotations.  Each combination of types makes a function of its own.
"""

from __future__ import annotations

from ...errors import KindError
from ..objects import scalars as types
from ..objects.integers import convert, value_of
from ..objects.refs import Ref
from ..objects.values import INT, Conflict, Const, Front, Int
from ..ssa.build import limits
from ..ssa.ir import Graph, Value
from .gates import behind_gate, fresh_block, widens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FunctionType
    from typing import Any, TypeVar

    from .compiler import Compiler

    F = TypeVar("F", bound=Callable[..., Any])

CALLS = (4, 16)  # BPF-to-BPF calls


class Subprogram:
    """A function compiled once and called, instead of being inlined at each call."""

    def __init__(self, function: Callable[..., Any]) -> None:
        if not hasattr(function, "__code__"):
            raise KindError(f"@subprogram takes a function made with def, and not {function!r}")
        self.function: Any = function
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(self, *args: Any, **kw: Any) -> Any:
        return self.function(*args, **kw)

    def __bpf_call__(self, c: Compiler, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        return call(c, self.function, args, kw, node)


def subprogram(function: F) -> F:
    """Compile a function out of line: it takes up to 5 numbers, references or the context, and returns a number."""
    return Subprogram(function)  # type: ignore[return-value]  # to a checker it stays what it was


class Shape:
    """How an argument is passed: what to make of the register on the other side."""

    __slots__ = ("key", "make", "value")

    def __init__(self, key: Any, value: Value, make: Any) -> None:
        self.key = key
        self.value = value
        self.make = make


def shape(c: Compiler, front: Front, annotation: Any, name: str, node: Any) -> Shape | Front:
    """An argument as a register and a recipe, or, for what is known at compile time, as it is."""
    from ..objects.context import Context
    from ..objects.layout import scalar_of

    if isinstance(front, Context):
        return Shape("ctx", front.value, lambda v: Context(v))
    if isinstance(front, Const) and not isinstance(front.obj, int):
        return front
    if (isinstance(front, Ref) and not front.is_number()) or (
        isinstance(front, Ref) and scalar_of(annotation) is None and annotation is not None
    ):
        ref = front
        # Views of the packet are known to be there, and records stay with the caller, which ends them.
        pointer, align = ref.pointer(c, node), ref.alignment()
        return Shape(
            ("ref", ref.type, ref.region, ref.shared, ref.writable, align), pointer,
            lambda v: Ref(v, 0, ref.type, ref.region, shared=ref.shared, writable=ref.writable, label=name, align=align),
        )  # fmt: skip
    pointer_value = getattr(front, "pointer_value", None)
    if pointer_value is not None and not isinstance(front, Int):
        return front
    n = front.number(c, node)
    kind = scalar_of(annotation) if annotation is not None else None
    if kind is None or annotation is int:
        kind = types.s64 if isinstance(n, Const) or n.type is INT or n.type.bits < 32 else n.type
    value = convert(c, n, kind, node, name)
    fixed = kind
    lo, hi = limits(fixed.bits, fixed.signed)

    def make(v: Value) -> Front:
        v.lo, v.hi = lo, hi
        return Int(v, fixed)

    return Shape(("int", fixed.name), value, make)


def call(c: Compiler, function: FunctionType, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
    from .calls import bind
    from .compiler import notes_of

    if c.unit.kernel < CALLS:
        c.fail("functions out of line need Linux 4.16: leave out @subprogram, and it is inlined", node)
    bound = bind(c, function, args, kw, node)
    notes = notes_of(function)
    shapes = {
        name: shape(c, front, notes.get(name), f"{name} of {function.__name__}", node) for name, front in bound.items()
    }
    passed = {name: s for name, s in shapes.items() if isinstance(s, Shape)}
    if len(passed) > 5:
        c.fail(f"a function takes 5 arguments at most in registers; {function.__name__} is given {len(passed)}", node)
    kinds = tuple((n, s.key if isinstance(s, Shape) else ("const", _identity(s))) for n, s in shapes.items())
    key = (function, c.b.walked_once, c.unit.rcu, kinds)
    made = c.unit.functions.get(key)
    if made is None:
        made = c.unit.functions[key] = graph_for(c, function, shapes, notes.get("return"), node)
    graph, result = made
    if result is None:
        c.fail(f"{function.__name__} calls itself: programs have no recursion", node)
    values = [s.value for s in passed.values()]
    value = c.b.call("local", graph, graph.name, [*values, *apart(c, graph, len(values))])
    if widens(graph.blocks):
        behind_gate(c)
        fresh_block(c)
    c.b.clobber("packet_ends")
    if graph.moves:
        c.b.clobber("place")
    if result == "none":
        return Const(None)
    value.lo, value.hi = S64
    if result.bits == 64 and not result.signed:
        return Int(c.b.retype(value, 0, (1 << 64) - 1), result)
    # The caller's verifier does not know what the callee returned: what is narrower is cut here.
    return Int(value if result.bits == 64 else c.b.extend(value, result.bits, result.signed), result)


def apart(c: Compiler, graph: Graph, given: int) -> list[Value]:
    """The round of the loop around a call of a function with a loop, in the last register for arguments, which nobody reads.

    Before Linux 6.7 the verifier looked for endless loops by the registers of the function alone, and took the same
    round of another call for one.
    """
    counters = [x for name, x in c.state.env.items() if name.startswith("$counter") and not isinstance(x, Conflict)]
    if c.unit.kernel >= (6, 7) or given == 5 or not counters or not any(map(comes_back, graph.blocks)):
        return []
    return [c.b.const(0)] * (4 - given) + [value_of(c, counters[-1])]


def comes_back(block: Any) -> bool:
    return any(succ.number <= block.number for succ in block.successors())


S64 = (-(1 << 63), (1 << 63) - 1)


def _identity(front: Front) -> Any:
    if isinstance(front, Const):
        return front.obj if isinstance(front.obj, (int, str, bytes)) else id(front.obj)
    return id(getattr(front, "spec", front))


def graph_for(
    c: Compiler,
    function: FunctionType,
    shapes: dict[str, Any],
    returns: Any,
    node: Any,
    allowed: Any = None,
    once: bool = False,
) -> Any:
    """Lower the function as a graph of its own; gives it with the type of its result, which lies in `allowed`."""
    from ..objects.layout import scalar_of
    from .calls import parsed_function
    from .compiler import Compiler as Fresh
    from .compiler import Frame

    parsed = parsed_function(c, function)
    names = {g.name for g in c.unit.graphs} | {c.graph.name}
    name, n = function.__name__, 2
    while name in names:
        name, n = f"{function.__name__}_{n}", n + 1
    graph = Graph(name, parsed.file, parsed.node.lineno + parsed.shift)
    graph.sources = parsed
    c.unit.graphs.append(graph)
    inner = Fresh(c.unit, graph)
    inner.b.walked_once = once or c.b.walked_once
    inner.frame = Frame(function, parsed, (*c.frame.path, id(node)))
    if len(inner.frame.path) > 8:
        c.fail("functions out of line call each other more than 8 deep, or a function calls itself", node)
    inner.b.at = parsed.node
    for parameter, s in shapes.items():
        if isinstance(s, Shape):
            value = Value("param", [], len(graph.params))
            value.lo, value.hi = 0, (1 << 64) - 1
            graph.params.append(value)
            front = s.make(value)
            if s.key == "ctx":
                inner.entry_context = front
            inner.state.env[parameter] = front
        else:
            inner.state.env[parameter] = s
    inner.body(parsed.node.body)
    if inner.b.state is not None:
        inner.frame.returns.append((inner.b.state, Const(None), None))
    wanted = scalar_of(returns) if returns is not None and returns is not int else None
    result = close(inner, wanted, parsed, allowed)
    return graph, result


def close(inner: Compiler, wanted: Any, parsed: Any, allowed: Any = None) -> Any:
    """End every way out of a subprogram; its result's type is declared, or the 64-bit one that holds all results."""
    from ..objects.integers import join_types
    from ..objects.values import span
    from ..pipeline import check_released

    kind: Any = None
    lo = hi = 0
    void = True
    for state, front, node in inner.frame.returns:
        inner.b.state = state
        inner.b.at = node or parsed.node
        check_released(inner, state, node or parsed.node)
        if isinstance(front, Const) and front.obj is None:
            continue
        void = False
        n = front.number(inner, node)
        nlo, nhi = span(inner, n)
        if allowed is not None and not (allowed[0] <= nlo and nhi <= allowed[1]):
            shown = f"{nlo}" if nlo == nhi else f"{nlo}..{nhi}"
            meaning = "0" if allowed == (0, 0) else "0 to go on and 1 to stop"
            inner.fail(f"this callback returns {meaning}, and this may be {shown}", node)
        own = INT if isinstance(n, Const) else n.type
        kind = own if kind is None else join_types(kind, lo, hi, own, nlo, nhi)
        lo, hi = min(lo, nlo), max(hi, nhi)
        if kind is None:
            inner.fail("one result may be negative and another is u64: write u64(...) or s64(...)", node)
    if wanted is not None:
        kind = wanted
    if kind is INT or (kind is not None and kind.bits < 32 and wanted is None):
        kind = types.s64
    for state, front, node in inner.frame.returns:
        inner.b.state = state
        inner.b.at = node or parsed.node
        if isinstance(front, Const) and front.obj is None:
            if not void:
                inner.fail(f"{inner.graph.name} returns a number on another way, and nothing here", node or parsed.node)
            front = Const(0)
        value = convert(inner, front, kind, node, f"the result of {inner.graph.name}") if not void else inner.b.const(0)
        inner.graph.moves |= state.memory.get("place", 0) != 0
        inner.b.end("return", value)
    return "none" if void else kind


__all__ = ["Shape", "Subprogram", "graph_for", "subprogram"]
