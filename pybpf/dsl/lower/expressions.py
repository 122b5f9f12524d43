"""Expressions, by AST node class."""

from __future__ import annotations

import builtins

from ...errors import BpfError
from ...spec import MapSpec
from ..objects.integers import SIGN, binary, unary
from ..objects.values import Conflict, Const, Front, Int, Tuple
from .conditions import as_number, cond
from .joins import is_number, merge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .compiler import Compiler

_MISSING = object()


def name(c: Compiler, node: Any) -> Any:
    found = c.state.env.get(node.id)
    if found is not None:
        if isinstance(found, Conflict):
            c.fail(found.reason, node)
        return found
    frame = c.frame
    if node.id in frame.names:
        outside = frame.scope.get(node.id, frame.fn.__globals__.get(node.id))
        if isinstance(outside, MapSpec):
            c.fail(f"{node.id} is assigned in this function, so it is not the map of that name: write {node.id}.value = ..., "
                   f"or {node.id}[key] = ...", node)  # fmt: skip
        told = "" if not isinstance(outside, int) else (
            f": it is assigned in this function, so it is not the {outside!r} outside, which is a constant (make it "
            f"{node.id} = Global(u64, {outside!r}) and write {node.id}.value)"
        )  # fmt: skip
        c.fail(f"{node.id} has no value on the way to this line{told}", node)
    for scope in (frame.scope, frame.fn.__globals__, builtins.__dict__):
        obj = scope.get(node.id, _MISSING)
        if obj is not _MISSING:
            return known(c, obj, node.id)
    c.fail(f"{node.id} is not defined{meant(c, node.id)}", node)


def meant(c: Compiler, wrong: str) -> str:
    """What an unknown name may have been meant for: a helper of the kernel, or a name that is there."""
    from ...misuse import near
    from ...uapi.helper_names import HELPER_NAMES

    helper = wrong.removeprefix("bpf_")
    if helper in HELPER_NAMES:
        return f"; after `from pybpf import helpers as bpf` this helper is bpf.{helper}"
    return near(wrong, [*c.state.env, *c.frame.names, *c.frame.scope, *c.frame.fn.__globals__, *builtins.__dict__])


def known(c: Compiler, obj: Any, hint: str) -> Front:
    """A Python object met at compile time, in the form in which programs use it."""
    if isinstance(obj, MapSpec):
        from ..objects.maps import map_front

        return map_front(c, obj, hint)
    return Const(obj)


def constant(c: Compiler, node: Any) -> Front:
    if isinstance(node.value, (float, complex)):
        c.fail("programs have no floating point: scale to integers, for example nanoseconds", node)
    return Const(node.value)


def attribute(c: Compiler, node: Any) -> Front:
    owner = c.expr(node.value)
    c.b.at = node
    if isinstance(owner, Const):
        try:
            return known(c, getattr(owner.obj, node.attr), node.attr)
        except AttributeError as error:
            members = getattr(owner.obj, "_member_map_", None)
            if members is not None and isinstance(owner.obj, type):
                from ..refused import names

                c.fail(f"{owner.obj.__name__} has no {node.attr}; {names(node.attr, members)}", node)
            c.fail(str(error), node)
        except BpfError:
            raise
        except Exception as error:  # of a property, which is computed now
            c.fail(f"{type(error).__name__}: {error}", node)
    return owner.attribute(c, node.attr, node)


def subscript(c: Compiler, node: Any) -> Front:
    owner = c.expr(node.value)
    index = part(c, node.slice) if isinstance(owner, Const) else c.expr(node.slice)
    c.b.at = node
    if isinstance(owner, Const):
        if not isinstance(index, Const):
            return choose(c, owner.obj, index, node)
        try:
            return known(c, owner.obj[index.obj], "")
        except (TypeError, LookupError, ValueError) as error:
            c.fail(f"{error.__class__.__name__}: {error}", node)
    return owner.item(c, index, node)


def part(c: Compiler, node: Any) -> Front:
    """What a constant is indexed by; a slice of constants too."""
    if node.__class__.__name__ != "Slice":
        return c.expr(node)
    ends = (node.lower, node.upper, node.step)
    return Const(slice(*(None if end is None else c.constant(end, "the end of a slice") for end in ends)))


def choose(c: Compiler, table: Any, index: Front, node: Any) -> Front:
    """A constant table indexed by a number: placed in the program's read-only data."""
    if isinstance(table, (bytes, tuple, list)) and table and all(isinstance(x, int) for x in table):
        from ..objects.data import constant_table

        return constant_table(c, table).item(c, index, node)
    c.fail("only tuples and lists of numbers, and bytes, can be indexed by a number of the program: write `match`, or keep "
           "the rest in a HashMap or an Array", node)  # fmt: skip


def bin_op(c: Compiler, node: Any) -> Front:
    left, right = c.expr(node.left), c.expr(node.right)
    c.b.at = node
    op = node.op.__class__.__name__
    if isinstance(left, Const) and isinstance(right, Const):
        return Const(_evaluate(c, op, left.obj, right.obj, node))
    custom = getattr(left, "binary", None)
    if custom is not None:
        found = custom(c, op, right, node)
        if found is not None:
            return found  # type: ignore[no-any-return]
    return binary(c, op, left, right, node)


MOST_BITS = 1 << 20
GROWING: dict[str, Any] = {
    "Pow": lambda a, b: b * getattr(a, "bit_length", int)(),
    "LShift": lambda a, b: b,
    "Mult": lambda a, b: b * len(a) if isinstance(a, (tuple, list, bytes, str)) else 0,
}
"""How large, in bits or items, what Python calculates of constants may become."""


def _evaluate(c: Compiler, op: str, a: Any, b: Any, node: Any) -> Any:
    import operator

    function = {
        "Add": operator.add, "Sub": operator.sub, "Mult": operator.mul, "Div": operator.truediv, "Mod": operator.mod,
        "FloorDiv": operator.floordiv, "Pow": operator.pow, "LShift": operator.lshift, "RShift": operator.rshift,
        "BitAnd": operator.and_, "BitOr": operator.or_, "BitXor": operator.xor, "MatMult": operator.matmul,
    }[op]  # fmt: skip
    if op in GROWING and isinstance(b, int) and GROWING[op](a, b) > MOST_BITS:
        c.fail(f"this {SIGN[op]} makes more than a program or a person can use", node)
    try:
        return function(a, b)
    except (TypeError, ValueError, ArithmeticError) as error:
        c.fail(f"{error.__class__.__name__}: {error}", node)


def unary_op(c: Compiler, node: Any) -> Front:
    op = node.op.__class__.__name__
    if op == "Not":
        return as_number(c, cond(c, node), node)
    operand = c.expr(node.operand)
    c.b.at = node
    if isinstance(operand, Const):
        try:
            return Const({"USub": lambda x: -x, "UAdd": lambda x: +x, "Invert": lambda x: ~x}[op](operand.obj))
        except TypeError as error:
            c.fail(str(error), node)
    return unary(c, op, operand, node)


def compare(c: Compiler, node: Any) -> Front:
    return as_number(c, cond(c, node), node)


def bool_op(c: Compiler, node: Any) -> Front:
    """`a or b` as a value is one of its operands, as in Python."""
    if all(x.__class__.__name__ in ("Compare", "BoolOp") or _is_not(x) for x in node.values):
        return as_number(c, cond(c, node), node)
    states = []
    conjunction = node.op.__class__.__name__ == "And"
    for i, operand in enumerate(node.values):
        front = c.expr(operand)
        if i == len(node.values) - 1:
            states.append((c.b.state, front))
            break
        from .conditions import truth

        yes, no = truth(c, front, operand)
        go_on, stop = (yes, no) if conjunction else (no, yes)
        if stop is not None:
            states.append((stop, front))
        if go_on is None:
            break
        c.b.state = go_on
    return select(c, states, node, "this expression")


def _is_not(node: Any) -> bool:
    return bool(node.__class__.__name__ == "UnaryOp" and node.op.__class__.__name__ == "Not")


def select(c: Compiler, arms: list[tuple[Any, Front]], node: Any, what: str) -> Front:
    """The value that came in over one of several ways."""
    for state, front in arms:
        state.env["$value"] = front
    state = merge(c, [state for state, _ in arms], node)
    assert state is not None
    c.b.state = state
    found: Front = state.env.pop("$value")
    if isinstance(found, Conflict):
        c.fail(found.reason.replace("$value", what), node)
    return found


def if_exp(c: Compiler, node: Any) -> Front:
    yes, no = cond(c, node.test)
    arms = []
    for state, arm in ((yes, node.body), (no, node.orelse)):
        if state is not None:
            c.b.state = state
            front = c.expr(arm)
            arms.append((c.b.state, front))
    return select(c, arms, node, "this expression")


def tuple_(c: Compiler, node: Any) -> Front:
    items = [c.expr(item) for item in node.elts]
    if items and all(isinstance(i, Const) for i in items):
        return Const(tuple(i.obj for i in items))  # type: ignore[attr-defined]
    return Tuple(items)


def set_(c: Compiler, node: Any) -> Front:
    """A set display stands behind `in` only."""
    return tuple_(c, node)


def named_expr(c: Compiler, node: Any) -> Front:
    value = c.expr(node.value)
    c.state.env[node.target.id] = value
    return value


def call(c: Compiler, node: Any) -> Front:
    from .calls import call as lower

    return lower(c, node)


EXPR = {
    "Attribute": attribute,
    "BinOp": bin_op,
    "BoolOp": bool_op,
    "Call": call,
    "Compare": compare,
    "Constant": constant,
    "IfExp": if_exp,
    "List": tuple_,
    "Name": name,
    "NamedExpr": named_expr,
    "Set": set_,
    "Subscript": subscript,
    "Tuple": tuple_,
    "UnaryOp": unary_op,
}

__all__ = ["EXPR", "Int", "is_number", "known", "select"]
