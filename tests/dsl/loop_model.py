"""The loops of `loop_shapes` as Python runs them: over dictionaries, and with numbers that wrap as their types do."""

from __future__ import annotations
import __future__

import ast
import ctypes
from pathlib import Path
from typing import Any

from pybpf import types
from pybpf.net import Ethernet

MASK = (1 << 64) - 1
SHAPES = Path(__file__).with_name("loop_shapes.py")


class Scalar:
    """`u32` and its like: called, a conversion; indexed, the type of an array."""

    def __init__(self, name: str) -> None:
        self.convert = getattr(types, name)
        self.ctype = getattr(ctypes, f"c_{'u' * (name[0] == 'u')}int{name[1:]}")

    def __call__(self, value: Any = 0) -> int:
        return int(self.convert(int(value)))

    def __getitem__(self, count: int) -> Any:
        return self.ctype * count


SCALARS = {name: Scalar(name) for name in ("u8", "u16", "u32", "u64", "s32", "s64")}


class Cells(dict[int, int]):
    """A map from numbers to u64: what is missing counts as 0."""

    def __missing__(self, key: int) -> int:
        return 0

    def __setitem__(self, key: int, value: int) -> None:
        super().__setitem__(key, value & MASK)

    def __delitem__(self, key: int) -> None:
        self.pop(key, None)


class Seen:
    """A global number."""

    def __init__(self) -> None:
        self.number = 0

    value = property(lambda self: self.number, lambda self, n: setattr(self, "number", n & MASK))


class Packet:
    """A context whose packet is these bytes."""

    ingress_ifindex = 1  # of the loopback device

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)

    def __len__(self) -> int:
        return len(self.data)

    def packet(self, type_: Any, at: int = 0) -> Any:
        if type_ is Ethernet:
            return Ethernet.from_buffer(self.data)
        return self.data[at] if at < len(self.data) else None


class Wrapping(ast.NodeTransformer):
    """Let each assignment to a name that was made by `u64(...)` and its like convert what is assigned."""

    def __init__(self, function: ast.FunctionDef) -> None:
        self.types = {
            argument.arg: ast.unparse(argument.annotation) for argument in function.args.args if argument.annotation
        }
        for node in ast.walk(function):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    for name, value in pairs(target, node.value):
                        if isinstance(value, ast.Call) and getattr(value.func, "id", "") in SCALARS:
                            self.types.setdefault(name, value.func.id)
                        elif getattr(value, "id", "") in self.types:
                            self.types.setdefault(name, self.types[value.id])

    def wrapped(self, target: ast.expr, value: ast.expr) -> ast.expr:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            return ast.Tuple(list(map(self.wrapped, target.elts, value.elts)), ast.Load())
        type_ = self.types.get(getattr(target, "id", ""))
        return ast.Call(ast.Name(type_, ast.Load()), [value], []) if type_ else value

    def visit_Assign(self, node: ast.Assign) -> Any:
        node.value = self.wrapped(node.targets[-1], node.value)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        if not isinstance(node.target, ast.Name):
            return node
        now = ast.BinOp(ast.Name(node.target.id, ast.Load()), node.op, node.value)
        return ast.Assign([node.target], self.wrapped(node.target, now))


def pairs(target: ast.expr, value: ast.expr) -> list[tuple[str, ast.expr]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        return [pair for t, v in zip(target.elts, value.elts, strict=True) for pair in pairs(t, v)]
    return [(target.id, value)] if isinstance(target, ast.Name) else []


def at_most(n: int, **most: int) -> int:
    return min(n, most["max"])


def results(packets: list[bytes], only: list[str] | None = None) -> dict[str, list[int]]:
    """What each function (of these) gives for packets, one after the other; maps begin empty for each function."""
    tree = ast.parse(SHAPES.read_text())
    tree.body = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            Wrapping(node).visit(node)
    code = compile(ast.fix_missing_locations(tree), str(SHAPES), "exec", flags=__future__.annotations.compiler_flag)
    scope: dict[str, Any] = {
        **SCALARS, "Struct": types.Struct, "Ethernet": Ethernet, "subprogram": lambda function: function,
        "bounded": at_most, "unroll": lambda steps: steps, "__name__": "tests.dsl.loop_shapes",
    }  # fmt: skip
    exec(code, scope)
    found = {}
    for name, function in list(scope.items()):
        if only and name not in only:
            continue
        if getattr(function, "__code__", None) and function.__code__.co_varnames[:1] == ("ctx",):
            scope.update(counts=Cells(), cells=Cells(), seen=Seen())
            found[name] = [function(Packet(data)) & 0xFFFFFFFF for data in packets]
    return found
