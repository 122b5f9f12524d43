"""Statements, by AST node class; loops are in `loops`."""

from __future__ import annotations

from ..objects.integers import binary
from ..objects.refs import Ref, contents
from ..objects.values import Const, Front, Int, Tuple
from ..refused import REFUSED
from .conditions import cond, one_test
from .joins import is_number, merge
from .survey import nodes_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..ssa.build import State
    from .compiler import Compiler


def expr(c: Compiler, node: Any) -> None:
    value = node.value
    kind = value.__class__.__name__
    if kind == "Constant" and (isinstance(value.value, str) or value.value is Ellipsis):
        return  # a docstring
    if kind in REFUSED:
        c.refuse(value)
    if kind not in ("Call", "NamedExpr"):
        c.fail("this expression does nothing: assign it to a name, or remove it", node)
    c.expr(value)


def assign(c: Compiler, node: Any) -> None:
    value = c.expr(node.value)
    for target in node.targets:
        store(c, target, value)


def ann_assign(c: Compiler, node: Any) -> None:
    """`x: u32 = e` fixes the type of a name."""
    if node.value is None:
        c.fail("a name gets its type with its first value: write x: u32 = 0", node)
    value = c.expr(node.value)
    if not node.simple:
        return store(c, node.target, value)
    wanted = c.expr(node.annotation)
    if is_number(value) and isinstance(wanted, Const):
        value = of_type(c, value, wanted.obj, node)
    return store(c, node.target, value)


def of_type(c: Compiler, value: Front, annotation: Any, node: Any) -> Front:
    """A number as what a name's annotation says; `int` and what says nothing of a number (Any, object) leave it as it is."""
    from ..objects.annotations import meaning, scope_of
    from ..objects.integers import convert
    from ..objects.layout import scalar_of

    scope = scope_of(c.frame.fn, c.frame.scope)
    wanted = meaning(annotation, scope)
    if wanted is None and isinstance(annotation, str):
        from ...misuse import near

        c.fail(f"{annotation!r} names no type{near(annotation, scope)}", node.annotation)
    if wanted in (float, complex, str, bytes):
        c.fail(
            f"a number is no {wanted.__name__}: write a type such as u32, or leave the annotation out", node.annotation
        )
    scalar = scalar_of(wanted)
    if scalar is None or wanted is int:
        return value
    return Int(convert(c, value, scalar, node, f"{node.target.id}"), scalar)


def store(c: Compiler, target: Any, value: Front) -> None:
    """Assignment to a name, a field, an element, or several of them."""
    kind = target.__class__.__name__
    if kind == "Name":
        c.state.env[target.id] = value
    elif kind in ("Tuple", "List"):
        parts = value.items if isinstance(value, Tuple) else None
        if isinstance(value, Const) and isinstance(value.obj, (tuple, list)):
            parts = [Const(x) for x in value.obj]
        for element in target.elts:
            if element.__class__.__name__ == "Starred":
                c.refuse(element)
        if parts is None or len(parts) != len(target.elts):
            c.fail(f"{len(target.elts)} names take {len(target.elts)} values; {value.what()} given", target)
        if len(parts) > 1:  # everything is read before anything is written; names go on to stand for references
            parts = [
                part if element.__class__.__name__ == "Name" else contents(c, part, target)
                for element, part in zip(target.elts, parts, strict=True)
            ]
        for element, part in zip(target.elts, parts, strict=True):
            store(c, element, part)
    elif kind == "Attribute":
        owner = c.expr(target.value)
        c.b.at = target
        if isinstance(owner, Const):
            c.fail("only fields of contexts, packets, records and structures can be set inside a program", target)
        owner.assign(c, target.attr, value, target)
    elif kind == "Subscript":
        owner = c.expr(target.value)
        index = c.expr(target.slice)
        c.b.at = target
        owner.set_item(c, index, value, target)
    else:
        c.refuse(target)


def aug_assign(c: Compiler, node: Any) -> None:
    op = node.op.__class__.__name__
    target = node.target
    kind = target.__class__.__name__
    if kind == "Name":
        current = c.expr(target)
        value = c.expr(node.value)
        c.b.at = node
        if hasattr(current, "update"):
            current.update(c, op, None, value, node)
            return
        if isinstance(current, Int) and current.snapshot:
            c.fail(
                f"{target.id} is a reference on one way to this line and a number on another: "
                f"write {target.id} = {target.id} {'...'} for the number, or change the map on its own way", node
            )  # fmt: skip
        if isinstance(current, Const) and isinstance(value, Const):
            from .expressions import _evaluate

            c.state.env[target.id] = Const(_evaluate(c, op, current.obj, value.obj, node))
        else:
            c.state.env[target.id] = binary(c, op, current, value, node)
        return
    owner = c.expr(target.value)
    if kind == "Attribute":
        value = c.expr(node.value)
        c.b.at = node
        if hasattr(owner, "update"):
            owner.update(c, op, target.attr, value, node)
        else:
            old = owner.attribute(c, target.attr, target)
            owner.assign(c, target.attr, binary(c, op, old, value, node), node)
        return
    index = c.expr(target.slice)
    value = c.expr(node.value)
    c.b.at = node
    if hasattr(owner, "update_item"):
        owner.update_item(c, op, index, value, node)
    elif isinstance(owner, Ref):
        owner.element(c, index, node).update(c, op, None, value, node)
    else:
        old = owner.item(c, index, node)
        owner.set_item(c, index, binary(c, op, old, value, node), node)


def if_(c: Compiler, node: Any) -> None:
    after = []
    state: State | None = None
    todo: Any = node
    while todo is not None:  # an elif is an If alone in the else branch of another: chains of them may be long
        c.b.at = todo
        yes, state = cond(c, todo.test)
        if yes is not None:
            c.b.state = yes
            c.body(todo.body)
            if c.b.state is not None:
                after.append(c.b.state)
        if state is None:
            break
        c.b.state = state
        rest = todo.orelse
        if len(rest) == 1 and rest[0].__class__.__name__ == "If":
            todo = rest[0]
        else:
            c.body(rest)
            if c.b.state is not None:
                after.append(c.b.state)
            break
    c.b.state = merge(c, after, node)  # type: ignore[assignment]


def return_(c: Compiler, node: Any) -> None:
    value = Const(None) if node.value is None else c.expr(node.value)
    c.b.at = node
    c.frame.returns.append((c.b.state, value, node))
    c.b.state = None  # type: ignore[assignment]


def pass_(c: Compiler, node: Any) -> None:
    """Nothing, as in Python."""


def delete(c: Compiler, node: Any) -> None:
    for target in node.targets:
        kind = target.__class__.__name__
        if kind == "Name":
            c.expr(target)
            del c.state.env[target.id]
            continue
        if kind != "Subscript":
            c.refuse(node)
        owner = c.expr(target.value)
        index = c.expr(target.slice)
        c.b.at = node
        if not hasattr(owner, "delete_item"):
            c.refuse(node)
        owner.delete_item(c, index, node)


def with_(c: Compiler, node: Any) -> None:
    """`with value.lock:`, `with rcu():`, what has a block of its own."""
    item = node.items[0]
    owner = c.expr(item.context_expr)
    c.b.at = node
    if len(node.items) > 1 or item.optional_vars is not None or not hasattr(owner, "block"):
        c.fail(WITH, node)
    owner.block(c, node.body, node)


WITH = (
    "there is no with inside a program, but for spin locks (`with value.lock:`) and the kernel's sections (`with rcu():`), "
    "one, without `as`: call submit(), discard() or release() by name"
)


def for_(c: Compiler, node: Any) -> None:
    from .sections import kernel_for

    if not kernel_for(c, node):
        loop("for_")(c, node)


def match(c: Compiler, node: Any) -> None:
    """`match` on numbers: constants, alternatives, a name or _ for the rest, guards."""
    subject = c.expr(node.subject)
    after = []
    for case in node.cases:
        if c.b.state is None:
            break
        if not truth_value(node.subject):
            numbers_only(c, case.pattern)
        yes, no = pattern(c, case.pattern, subject)
        if yes is not None and case.guard is not None:
            c.b.state = yes
            yes, failed = cond(c, case.guard)
            no = merge(c, [s for s in (no, failed) if s is not None], case)
        if yes is not None:
            c.b.state = yes
            c.body(case.body)
            if c.b.state is not None:
                after.append(c.b.state)
        c.b.state = no
    if c.b.state is not None:
        after.append(c.b.state)
    c.b.state = merge(c, after, node)  # type: ignore[assignment]


def truth_value(node: Any) -> bool:
    """Whether an expression is True or False, and no other number."""
    kind = node.__class__.__name__
    return (
        kind == "Compare"
        or (kind == "UnaryOp" and node.op.__class__.__name__ == "Not")
        or (kind == "BoolOp" and all(map(truth_value, node.values)))
        or (kind == "Call" and getattr(node.func, "id", "") == "bool")
    )


def numbers_only(c: Compiler, pattern: Any) -> None:
    """`case True` compares by identity: in Python no number but a truth value matches it."""
    for node in nodes_of(pattern):
        if node.__class__.__name__ == "MatchSingleton" and node.value is not None:
            c.fail(f"case {node.value} matches truth values, and no number: write case {int(node.value)}", node)


def pattern(c: Compiler, node: Any, subject: Front) -> Any:
    kind = node.__class__.__name__
    if kind == "MatchValue":
        value = c.expr(node.value)
        c.b.at = node
        return one_test(c, "Eq", subject, value, node)
    if kind == "MatchSingleton":
        if node.value is None:
            return one_test(c, "Is", subject, Const(None), node)
        return one_test(c, "Eq", subject, Const(int(node.value)), node)
    if kind == "MatchOr":
        hits = []
        state: Any = c.b.state
        for option in node.patterns:
            if state is None:
                break
            c.b.state = state
            yes, state = pattern(c, option, subject)
            if yes is not None:
                hits.append(yes)
        return merge(c, hits, node), state
    if kind == "MatchAs":
        if node.pattern is not None:
            yes, no = pattern(c, node.pattern, subject)
        else:
            yes, no = c.b.state, None
        if yes is not None and node.name is not None:
            yes.env[node.name] = subject
        return yes, no
    if kind == "MatchSequence" and isinstance(subject, Tuple) and len(node.patterns) == len(subject.items):
        state = c.b.state
        failed = []
        for part, item in zip(node.patterns, subject.items, strict=True):
            c.b.state = state
            state, no = pattern(c, part, item)
            if no is not None:
                failed.append(no)
            if state is None:
                break
        return state, merge(c, failed, node)
    c.fail(f"{kind} patterns have no meaning on numbers: match constants, alternatives with |, names and _", node)


def loop(name: str) -> Any:
    def lower(c: Compiler, node: Any) -> None:
        from . import loops

        getattr(loops, name)(c, node)

    return lower


STMT = {
    "AnnAssign": ann_assign,
    "Assign": assign,
    "AugAssign": aug_assign,
    "Break": loop("break_"),
    "Continue": loop("continue_"),
    "Delete": delete,
    "Expr": expr,
    "For": for_,
    "If": if_,
    "Match": match,
    "Pass": pass_,
    "Return": return_,
    "While": loop("while_"),
    "With": with_,
}
