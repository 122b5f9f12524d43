"""What a Python expression stands for while it is compiled.

`Const` is a Python object known at compile time (a number, a map declaration, a module, a class ...), `Int` a number
that the program computes, `Ref` a place in memory, `Tuple` several of them.  Other modules add kinds with their own
methods (contexts, kernel objects); the rest of the front end asks them only through these methods:

    attribute(c, name, node)     x.name
    assign(c, name, v, node)     x.name = v
    method(c, name, args, kw, node)   x.name(...)
    item(c, index, node)         x[index]
    set_item(c, index, v, node)  x[index] = v
    number(c, node)              x where an integer is wanted
"""

from __future__ import annotations

from ...types import Scalar
from ..ssa.build import limits
from .layout import type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..lower.compiler import Compiler
    from ..ssa.ir import Value

INT = Scalar("int", 8, True)
"""The type of numbers that no declaration has fixed yet: 64 bits, signed, adapting to what they meet."""


WIDEST = 256
"""Bits of the widest constant that is looked at: what programs have no use for is refused before somebody prints it."""


class Front:
    """Base of everything that an expression may stand for; the defaults refuse."""

    def what(self) -> str:
        """For error messages: what this is."""
        return "this"

    def attribute(self, c: Compiler, name: str, node: Any) -> Front:
        c.fail(f"{self.what()} has no attribute {name!r} here", node)

    def assign(self, c: Compiler, name: str, value: Front, node: Any) -> None:
        c.fail(f"{self.what()} has no attribute {name!r} that can be set", node)

    def method(self, c: Compiler, name: str, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        c.fail(f"{self.what()} has no method {name!r} in a program", node)

    def item(self, c: Compiler, index: Front, node: Any) -> Front:
        c.fail(f"{self.what()} cannot be indexed", node)

    def set_item(self, c: Compiler, index: Front, value: Front, node: Any) -> None:
        c.fail(f"{self.what()} cannot be indexed", node)

    def number(self, c: Compiler, node: Any) -> Int | Const:
        c.fail(f"{self.what()} is not a number", node)


SHOWN = 100


def clipped(text: str) -> str:
    return text if len(text) <= 2 * SHOWN else f"{text[: 2 * SHOWN - 3]}..."


def short(obj: Any) -> str:
    """A Python object in a message, which need not hold all of it."""
    try:
        text = repr(obj)
    except ValueError:  # Python prints no numbers beyond some thousand digits
        return f"a number of {obj.bit_length()} bits"
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


class Const(Front):
    """A Python object known at compile time."""

    __slots__ = ("obj",)

    def __init__(self, obj: Any) -> None:
        self.obj = obj

    def what(self) -> str:
        named = hasattr(self.obj, "__code__") or hasattr(self.obj, "__file__")  # functions and modules
        return str(self.obj.__name__) if named else short(self.obj)

    def set_item(self, c: Compiler, index: Front, value: Front, node: Any) -> None:
        if isinstance(self.obj, (tuple, list, dict, bytes, str)):
            c.fail(f"{self.what()} is a constant: make an array to write to, for example u32[4]()", node)
        super().set_item(c, index, value, node)

    def number(self, c: Compiler, node: Any) -> Int | Const:
        if isinstance(self.obj, int):
            if self.obj.bit_length() > WIDEST:
                c.fail(f"a number of {self.obj.bit_length()} bits, and programs have 64", node)
            return self
        if isinstance(self.obj, float):
            c.fail("programs have no floating point: scale to integers, for example nanoseconds", node)
        if isinstance(self.obj, bytes) and len(self.obj) == 1:
            return Const(self.obj[0])
        if hasattr(self.obj.__class__, "_member_map_"):
            c.fail(f"{short(self.obj)} is not a number: make its class an enum.IntEnum, or use its .value", node)
        if hasattr(self.obj, "packed"):
            c.fail(
                f"{short(self.obj)} is not a number in Python either: write int(...) of it, or its .packed for an array",
                node,
            )
        hint = f": write ord({self.obj!r})" if isinstance(self.obj, str) and len(self.obj) == 1 else ""
        c.fail(f"{short(self.obj)} is not a number that a program can use{hint}", node)


class Sized(Const):
    """A constant that was cast to a type: a number like any other, but where it is put into memory as it stands."""

    __slots__ = ("type",)

    def __init__(self, obj: int, type_: Scalar) -> None:
        self.obj, self.type = obj, type_


class Int(Front):
    """A number computed by the program: its value and declared type (`INT` when none was declared)."""

    __slots__ = ("place", "snapshot", "type", "value")

    def __init__(self, value: Value, type_: Scalar, snapshot: bool = False, place: Any = None) -> None:
        self.value = value
        self.type = type_
        # What helpers that take memory are given: the field or element that it was read from, or a type of another byte order
        # that it was cast to.
        self.place = place
        self.snapshot = snapshot  # merged from a reference on some paths: in-place operators would be ambiguous

    def what(self) -> str:
        return f"a number ({self.type})"

    def number(self, c: Compiler, node: Any) -> Int | Const:
        return self


class Test(Front):
    """A condition not yet turned into a number: `states` are those where it holds and where it does not."""

    __slots__ = ("node",)

    def __init__(self, node: Any) -> None:
        self.node = node


class Tuple(Front):
    __slots__ = ("items",)

    def __init__(self, items: list[Front]) -> None:
        self.items = items

    def what(self) -> str:
        return "a tuple"

    def item(self, c: Compiler, index: Front, node: Any) -> Front:
        if not (isinstance(index, Const) and isinstance(index.obj, int)):
            c.fail("a tuple is indexed by a constant: use an array (u32[n]()) for computed indexes", node)
        try:
            return self.items[index.obj]
        except IndexError:
            c.fail(f"index {index.obj} of a tuple with {len(self.items)} items", node)


class Conflict(Front):
    """A name that stands for things that cannot be one value, or for nothing on some path."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def what(self) -> str:
        return self.reason


def fits(lo: int, hi: int, type_: Scalar) -> bool:
    low, high = limits(type_.bits, type_.signed)
    return low <= lo and hi <= high


def span(c: Compiler, number: Int | Const) -> tuple[int, int]:
    """The interval in which a number lies."""
    if isinstance(number, Const):
        return int(number.obj), int(number.obj)
    return c.b.range(number.value)


def stored_as(number: Front) -> Scalar | None:
    """The type in which a number goes to memory where none is declared; None for those of no width of their own."""
    if isinstance(number, Sized):
        return number.type
    if not isinstance(number, Int) or number.type is INT:
        return None
    return number.place if isinstance(number.place, Scalar) else number.type


def native(type_: Scalar) -> Scalar:
    """The host-order type with the same width and sign (`be16` -> `u16`)."""
    from .layout import _NAMED, _native

    return _NAMED.get((type_.size, type_.signed, _native), type_)


__all__ = [
    "INT",
    "Const",
    "Conflict",
    "Front",
    "Int",
    "Sized",
    "Test",
    "Tuple",
    "fits",
    "native",
    "span",
    "stored_as",
    "type_name",
]
