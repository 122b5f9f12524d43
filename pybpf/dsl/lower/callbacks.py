"""Python functions that helpers of the kernel call back, and what they are called with."""

from __future__ import annotations

from ..objects import scalars as types
from ..objects.integers import convert
from ..objects.refs import Ref
from ..objects.values import Const, Front, Int
from ..ssa.build import CALLERS, limits
from ..ssa.ir import Value
from .effects import behind, blur
from .functions import Shape, graph_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .compiler import Compiler

CALLBACKS = (5, 13)


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
    rcu = c.unit.rcu
    c.unit.rcu = rcu and rules.name in ("loop", "for_each_map_elem")  # others run later
    key = (function, rules.name, c.unit.rcu, tuple(front.key for front in fronts))
    made = c.unit.functions.get(key)
    if made is None:
        shapes: dict[str, Any] = dict(zip(function.__code__.co_varnames[:count], fronts, strict=False))
        allowed = (0, 0) if rules.name == "timer_set_callback" else (0, 1)
        made = c.unit.functions[key] = graph_for(c, function, shapes, None, node, allowed, walked_once(c))
    c.unit.rcu = rcu
    graph, _ = made
    if count == len(fronts):  # its last argument is what the program hands to it
        for argument in given:
            obscure(c, argument, behind(graph, graph.params[-1]))
    return c.b.share("function", [], graph, 64, 1, (1 << 64) - 1)


def walked_once(c: Compiler) -> bool:
    """Whether the verifier of the target takes a callback to run exactly once, before ab5cfac139ab (Linux 6.7).

    What the first round finds in its caller's memory, and what a round leaves there, must then be unknown to it: it would remove
    tests of the numbers that it believes to know.
    """
    return c.unit.kernel < (6, 7)


def obscure(c: Compiler, front: Front, changes: set[int]) -> None:
    """Let the verifier forget these bytes of an object on the stack, which a callback that is given its address changes.

    One that it walks once would find known numbers there.  One that it walks until nothing is new (ab5cfac139ab) does so without
    end: a known number that decides a test, in the callback or behind the call, and of which each round makes another known
    one, is widened nowhere.
    """
    if isinstance(front, Ref) and front.region in CALLERS:
        blur(c, front, {front.off + at for at in changes})


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
        ref, align = front, front.alignment()
        return Shape(
            ("ref", ref.type, ref.shared, ref.writable, align), c.b.const(0),
            lambda v: Ref(v, 0, ref.type, "mem", shared=ref.shared, writable=ref.writable, align=align),
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


__all__ = ["callback", "obscure", "walked_once"]
