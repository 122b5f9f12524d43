"""Functions that stay functions: `@subprogram` (a BPF-to-BPF call), and callbacks of helpers.

Parameters and results of a subprogram are numbers, its context, and references; their types are those of the first call, or
the annotations.  Each combination of types makes a function of its own.
"""

from __future__ import annotations

from ..objects import scalars as types
from ..objects.integers import convert, value_of
from ..objects.refs import Ref
from ..objects.values import INT, Conflict, Const, Front, Int
from ..ssa.build import CALLERS, limits
from ..ssa.ir import Graph, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FunctionType
    from typing import Any

    from .compiler import Compiler

CALLS = (4, 16)  # BPF-to-BPF calls
CALLBACKS = (5, 13)
KFUNCS = (5, 13)


class Subprogram:
    """A function compiled once and called, instead of being inlined at each call."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function: Any = function
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(self, *args: Any, **kw: Any) -> Any:
        return self.function(*args, **kw)

    def __bpf_call__(self, c: Compiler, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        return call(c, self.function, args, kw, node)


def subprogram(function: Callable[..., Any]) -> Subprogram:
    """Compile a function out of line: it takes up to 5 numbers, references or the context, and returns a number."""
    return Subprogram(function)


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
        if ref.owner is not None or ref.region == "packet":
            c.fail(
                f"{ref.label or ref.what()} cannot be handed to a @subprogram: leave out @subprogram there, and the "
                "function is inlined; or pass the numbers that it needs",
                node,
            )
        pointer = ref.pointer(c, node)
        return Shape(
            ("ref", ref.type, ref.region, ref.shared, ref.writable), pointer,
            lambda v: Ref(v, 0, ref.type, ref.region, shared=ref.shared, writable=ref.writable, label=name),
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
    key = (function, c.b.walked_once, kinds)
    made = c.unit.functions.get(key)
    if made is None:
        made = c.unit.functions[key] = graph_for(c, function, shapes, notes.get("return"), node)
    graph, result = made
    if result is None:
        c.fail(f"{function.__name__} calls itself: programs have no recursion", node)
    values = [s.value for s in passed.values()]
    value = c.b.call("local", graph, graph.name, [*values, *apart(c, graph, len(values))])
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


# -- functions of the kernel


class Kfunc:
    """A function of the kernel that programs may call, by its name; its prototype comes from the kernel's BTF."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __bpf_call__(self, c: Compiler, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        return call_kernel(c, self.__name__, args, kw, node)

    if TYPE_CHECKING:

        def __call__(self, *args: Any) -> Any: ...


def kfunc(name: str) -> Kfunc:
    """`iter_new = kfunc("bpf_iter_num_new")`: a kernel function to call inside programs (Linux 5.13)."""
    return Kfunc(name)


kfunc.__bpf_pure__ = True  # type: ignore[attr-defined]


OBJECTS = ("bpf_obj_", "bpf_percpu_obj_", "bpf_list_", "bpf_rbtree_", "bpf_refcount_")
"""Kernel functions on objects of types that a program's own BTF describes."""


def call_kernel(c: Compiler, name: str, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
    """A call of a kernel function: prototype from the kernel's BTF, what it takes over and gives away from our table."""
    from ...btf import Btf
    from ...errors import BtfError
    from ...kernel.kfuncs import kfunc as rules_of
    from ..objects.kernelrefs import scalar_of_btf, typed
    from ..objects.mapmethods import pointer_of

    if name.startswith(OBJECTS):
        c.fail(
            f"{name} works on objects of a program's own types, which the language has not: keep them as values of a "
            "HashMap, and their order in a Queue, Stack or Array",
            node,
        )
    check_kfunc(c, name, node)
    try:
        function: Any = Btf.kernel().find(name, 12)
    except (BtfError, OSError) as error:
        from difflib import get_close_matches

        from ...kernel import rules as table

        near = get_close_matches(name, table(c.unit.table).kfuncs(), 1)
        c.fail(
            f"the kernel function {name} is not known here: {error}{f'; did you mean {near[0]}?' if near else ''}", node
        )
    rules = rules_of(name)
    params = [p for p in function.params if not p[0].endswith("__ign")]
    if kw or len(args) not in (len(params), len(function.params)):
        c.fail(f"{name} takes ({', '.join(n for n, _ in params)}), {len(args) + len(kw)} given", node)
    if len(args) == len(function.params):
        params = list(function.params)
    values = []
    for front, (parameter, type_) in zip(args, params, strict=True):
        scalar = scalar_of_btf(type_.stripped)
        if scalar is not None:
            values.append(convert(c, front, scalar, node, f"{parameter} of {name}"))
        elif isinstance(front, Const) and front.obj in (None, 0):
            values.append(c.b.const(0))
        else:
            check_struct(c, type_, front, f"{parameter} of {name}", node)
            values.append(pointer_of(c, front, node))
    values += [c.b.const(0)] * (len(function.params) - len(params))
    for front, (kind, _) in zip(args, rules.args if rules else (), strict=False):
        if kind == "own":
            owner = getattr(front, "owner", None)
            if owner is None:
                c.fail(f"{name} releases what an acquiring function gave, and {front.what()} is not that", node)
            del c.state.owned[owner]
    value = c.b.call("kfunc", name, name, values)
    if str(function.ret) == "void":
        return Const(None)
    if rules is not None and "packet" in rules.effects:
        c.b.clobber("place")
    found: Any = typed(c, value, function.ret, direct=True)
    if rules is not None and rules.returns == "mem4":
        value.lo, value.hi = limits(64, False)
        return Ref(value, 0, types.s32, "mem", check=("null", value), writable=False, label=f"what {name} gave")
    if hasattr(found, "struct"):
        value.lo, value.hi = limits(64, False)
        if rules is not None and rules.returns_null:
            found.check = ("null", value)
        if rules is not None and "acquire" in rules.effects:
            found.owner = value
            c.state.owned[value] = f"what {name} gave at line {c.source(node).line}"
    return found  # type: ignore[no-any-return]


def check_struct(c: Compiler, type_: Any, front: Front, where: str, node: Any) -> None:
    """A structure of the kernel is handed on as what it is, or as what its first member is."""
    pointed = getattr(type_.stripped, "type", None)
    wanted = pointed.stripped.name.removesuffix("___init") if pointed is not None else ""
    given = getattr(front, "struct", None)
    if not wanted or given is None or isinstance(given, str):
        return
    one = given
    while one is not None and one.name != wanted:
        first = next(iter(getattr(one, "members", ())), None)
        one = first.type.stripped if first is not None and first.offset == 0 else None
    if one is None:
        c.fail(f"{where} is struct {wanted}, and this is struct {given.name}", node)


def check_kfunc(c: Compiler, name: str, node: Any) -> None:
    """A kernel function that the target kernel keeps for other kinds of programs is refused, with these."""
    from ...kernel import rules

    if c.unit.kernel < KFUNCS:
        c.fail("programs call functions of the kernel from Linux 5.13 on", node)
    table = rules(c.unit.table)
    if name not in table.kfuncs() or name in c.unit.rules().kfuncs or not c.unit.rules().helpers:
        return  # of a module, say: the kernel knows
    from ...uapi import ProgType, named

    keys = [key for key in table.programs() if name in table.program(*key[:2], sleepable=key[2]).kfuncs]
    kinds = sorted({str(getattr(named(ProgType, key[0]), "name", key[0])) for key in keys})
    c.fail(
        f"{c.unit.kind.name} programs may not call {name}; these may on Linux {table.version}: {', '.join(kinds)}", node
    )


# -- callbacks


def callback(c: Compiler, rules: Any, front: Front, given: list[Front], node: Any) -> Value:
    """The address of a Python function as a callback; what it is called with depends on the helper."""
    target = front.obj if isinstance(front, Const) else None
    function: Any = getattr(target, "__wrapped__", target)
    if not hasattr(function, "__code__"):
        c.fail(f"{rules.name} takes a function: define it with def and give its name", node)
    if c.unit.kernel < CALLBACKS:
        c.fail("callbacks need Linux 5.13", node)
    count = function.__code__.co_argcount
    fronts = _callback_arguments(c, rules, given, node)
    if count > len(fronts):
        takes = {"loop": "(index, context)", "for_each_map_elem": "(map, key, value, context)"}.get(
            rules.name, f"{len(fronts)} arguments"
        )
        c.fail(f"the callback of {rules.name} takes {takes}", node)
    for argument in given:
        if isinstance(argument, Ref):
            obscure(c, argument)
    key = (function, rules.name, tuple(front.key for front in fronts))
    made = c.unit.functions.get(key)
    if made is None:
        shapes: dict[str, Any] = dict(zip(function.__code__.co_varnames[:count], fronts, strict=False))
        allowed = (0, 0) if rules.name == "timer_set_callback" else (0, 1)
        made = c.unit.functions[key] = graph_for(c, function, shapes, None, node, allowed, walked_once(c))
    graph, _ = made
    return c.b.share("function", [], graph, 64, 1, (1 << 64) - 1)


def walked_once(c: Compiler) -> bool:
    """Whether the verifier of the target takes a callback to run exactly once, before ab5cfac139ab (Linux 6.7).

    What the first round finds in its caller's memory, and what a round leaves there, must then be unknown to it: it would remove
    tests of the numbers that it believes to know.
    """
    return c.unit.kernel < (6, 7)


def obscure(c: Compiler, ref: Ref) -> None:
    """Let the verifier forget the numbers in an object on the stack, for a callback that it walks once."""
    if walked_once(c) and ref.region in CALLERS:
        blur(c, ref)


def blur(c: Compiler, ref: Ref) -> None:
    """Let the verifier forget the numbers in an object.

    By halves of words at most: whole ones that were stored from one register are equal for it, and if later rounds break that
    (check_scalar_ids) it sees states without end.
    """
    from ..objects.layout import sizeof

    at, end = ref.off, ref.off + sizeof(ref.type)
    known: dict[int, Value] = {}
    while at < end:
        width = next(w for w in (4, 2, 1) if at % w == 0 and at + w <= end)
        now = c.b.load(ref.base, at, width, False, ref.region)
        if now.op == "const":
            hidden = known[now.aux] = known.get(now.aux) or c.b.hide(now)
        else:
            hidden = c.b.hide(now)
        c.b.store(ref.base, at, width, hidden, ref.region)
        at += width


def _callback_arguments(c: Compiler, rules: Any, given: list[Front], node: Any) -> list[Any]:
    """What the kernel gives to the callback of a helper, as parameters."""
    if rules.name == "loop":
        return [_number_parameter(c, types.u32), _context_parameter(c, given[2])]
    if rules.name in ("for_each_map_elem", "timer_set_callback"):
        from ..objects.maps import PERCPU, MapRef

        of: Any = given[0]
        found = of if rules.name == "for_each_map_elem" else getattr(of, "ref", of).origin
        if not isinstance(found, MapRef):
            c.fail(f"{rules.name} on this needs the map it is in", node)
        spec = found.spec
        map_itself = Shape(("map", id(spec)), c.b.const(0), found.parameter)
        shared = spec.map_type not in PERCPU
        arguments = [
            map_itself,
            _memory_parameter(c, spec.key, False, False, None),
            _memory_parameter(c, spec.value, shared, True, found),
        ]
        return [*arguments, _context_parameter(c, given[2])] if rules.name == "for_each_map_elem" else arguments
    if rules.name == "find_vma":
        return [
            _kernel_parameter(c, "task_struct"), _kernel_parameter(c, "vm_area_struct"), _context_parameter(c, given[3])
        ]  # fmt: skip
    if rules.name == "user_ringbuf_drain":
        return [Shape("dynptr", c.b.const(0), DynptrArgument), _context_parameter(c, given[2])]
    c.fail(f"callbacks of {rules.name} are not part of the language", node)


def _kernel_parameter(c: Compiler, name: str) -> Shape:
    from ..objects.kernelrefs import Kernel, kernel_struct

    struct = kernel_struct(name)
    if struct is None:
        c.fail(f"struct {name} is not known here: this needs the BTF of the running kernel")
    return Shape(("kernel", name), c.b.const(0), lambda v: Kernel(v, struct, direct=True))


def _number_parameter(c: Compiler, kind: Any) -> Shape:
    return Shape(("int", kind.name), c.b.const(0), lambda v: _number(v, kind))


def _memory_parameter(c: Compiler, type_: Any, shared: bool, writable: bool, origin: Front | None) -> Shape:
    from ..objects.layout import normal

    def make(v: Value) -> Front:
        if origin is not None:
            return Ref(v, 0, normal(type_), "map", shared=shared, writable=writable, origin=origin)
        return Ref(v, 0, normal(type_), "map", shared=shared, writable=writable)

    return Shape(("ref", id(type_)), c.b.const(0), make)


def _context_parameter(c: Compiler, front: Front) -> Shape:
    """What the program hands to its callback: a reference, or nothing."""
    if isinstance(front, Ref):
        ref = front
        return Shape(
            ("ref", ref.type, ref.shared, ref.writable), c.b.const(0),
            lambda v: Ref(v, 0, ref.type, "mem", shared=ref.shared, writable=ref.writable),
        )  # fmt: skip
    return Shape("nothing", c.b.const(0), lambda v: Const(None))


def _number(v: Value, kind: Any) -> Int:
    v.lo, v.hi = limits(kind.bits, kind.signed)
    return Int(v, kind)


class DynptrArgument(Front):
    """The record that a callback of `drain` was given (a dynptr): `record.data(T)` is a view of it, or None if it is shorter."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value

    def what(self) -> str:
        return "a record (a dynptr)"

    def pointer_value(self, c: Compiler) -> Value:
        return self.value

    def method(self, c: Compiler, name: str, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        from ..objects.layout import sizeof, type_given

        at = kw.pop("at", Const(0))
        if name != "data" or len(args) != 1 or kw or not isinstance(args[0], Const):
            c.fail(f"{self.what()} has the method data(T, at=0) and is an argument of helpers, not {name}", node)
        offset = convert(c, at, types.u32, node, "at")
        found = c.b.call("helper", 203, "dynptr_data", [self.value, offset, c.b.const(sizeof(args[0].obj))])
        found.lo, found.hi = limits(64, False)
        return Ref(
            found, 0, type_given(c, args[0], node), "mem", check=("null", found), writable=False, label="the record"
        )


__all__ = ["Kfunc", "Subprogram", "callback", "kfunc", "subprogram", "value_of"]
