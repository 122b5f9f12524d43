"""A program that fails, made smaller: statements and parts of expressions go as long as it fails in the same way."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator


def shrink(text: str, fails: Callable[[str], bool]) -> str:
    """The smallest text found."""
    progress = True
    while progress:
        progress = False
        at = 0
        while (made := variant(text, at)) is not None:
            if made != text and len(made) < len(text) and fails(made):
                text, progress = made, True
            else:
                at += 1
    return text


def variant(text: str, number: int) -> str | None:
    """The text with one of its simplifications; None when there are no more."""
    tree = ast.parse(text)
    for i, change in enumerate(changes(tree)):
        if i == number:
            change()
            return ast.unparse(ast.fix_missing_locations(tree))
    return None


def changes(tree: ast.Module) -> Iterator[Callable[[], None]]:
    for node in ast.walk(tree):
        for field in ("body", "orelse", "cases"):
            block = getattr(node, field, None)
            if not isinstance(block, list):
                continue
            for i, statement in enumerate(block):
                yield lambda block=block, i=i, field=field: _cut(
                    block, i, [ast.Pass()] if field == "body" and len(block) == 1 else []
                )  # type: ignore[misc]
                inner = getattr(statement, "body", None)
                if isinstance(statement, (ast.If, ast.For, ast.While, ast.With)) and isinstance(inner, list):
                    yield lambda block=block, i=i, inner=inner: _cut(block, i, inner)  # type: ignore[misc]
                    rest = getattr(statement, "orelse", [])
                    yield lambda block=block, i=i, rest=rest: _cut(block, i, rest)  # type: ignore[misc]
    for node in ast.walk(tree):
        for field, child in ast.iter_fields(node):
            for i, part in enumerate(child if isinstance(child, list) else [child]):
                if isinstance(part, (ast.BinOp, ast.Call, ast.IfExp, ast.BoolOp, ast.UnaryOp, ast.Compare)):
                    for smaller in [*parts(part), ast.Constant(1)]:
                        yield lambda n=node, f=field, c=child, i=i, s=smaller: _put(n, f, c, i, s)  # type: ignore[misc]


def parts(node: ast.expr) -> list[ast.expr]:
    """What may stand in place of an expression: casts stay."""
    if isinstance(node, ast.Call):
        return [arg for arg in node.args if ast.unparse(node.func) == ast.unparse(getattr(arg, "func", node))]
    return [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]


def _cut(block: list[ast.stmt], i: int, instead: list[ast.stmt]) -> None:
    block[i : i + 1] = instead


def _put(node: ast.AST, field: str, child: object, i: int, instead: ast.expr) -> None:
    if isinstance(child, list):
        child[i] = instead
    else:
        setattr(node, field, instead)
