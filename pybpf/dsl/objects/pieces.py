"""How the bytes of an object are read, written and copied: in pieces that its alignment allows."""

from __future__ import annotations

from ...fields import kernel_fields
from .layout import is_struct, sizeof, type_name
from .values import Front, clipped, short

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..lower.compiler import Compiler
    from ..ssa.ir import Value
    from .refs import Ref

COPY_LIMIT = 256


def scrub(c: Compiler, ref: Ref) -> None:
    """Before a store to somewhere in an array on the stack, make the word in which the array begins one that holds no register.

    If its first byte, which the array has no part in, lies where a number was stored, old verifiers take the word for a spilled
    register of no type from there on (check_stack_write_var_off), and parts of it cannot be read.
    """
    root = ref.base
    while root.op == "add":
        root = root.args[0]
    if root.op == "stack":
        root.aux.align = 8
    elif ref.align < 8:
        return
    if ref.off % 8:
        first = ref.off & ~7
        c.b.store(root, first, 1, c.b.hide(c.b.load(root, first, 1, False, ref.region)), ref.region)


def multiple(address: Value, given: int) -> int:
    """What an address is a multiple of, when one that was given is of `given`."""
    if address.op == "stack":
        return int(address.aux.align)
    if address.op == "add":
        return multiple(address.args[0], given) | factor(address.args[1])
    return given


def factor(number: Value) -> int:
    """What a number is surely a multiple of."""
    if number.op == "const":
        return int(number.aux)
    if number.op not in ("mul", "shl") or number.args[1].op != "const":
        return 1
    by = int(number.args[1].aux)
    return 1 << by if number.op == "shl" else by


def chunk(ref: Ref) -> int:
    """The widest step at which memory is copied."""
    step = ref.alignment() | ref.off
    return step & -step


def pieces(size: int, step: int) -> list[tuple[int, int]]:
    """(offset, width) that cover `size` bytes with widths up to `step`."""
    out = []
    at = 0
    while at < size:
        while at + step > size:
            step //= 2
        out.append((at, step))
        at += step
    return out


def plain_pieces(ref: Ref, size: int, step: int) -> list[tuple[int, int]]:
    """As `pieces`, around the fields that belong to the kernel."""
    out: list[tuple[int, int]] = []
    at = 0
    fields = [(field.offset, field.size) for field in kernel_fields(ref.type)]
    for start, width in (*fields, (size, 0)):
        while at < start:
            wide = step
            while at % wide or at + wide > start:
                wide //= 2
            out.append((at, wide))
            at += wide
        at = start + width
    return out


def copy(c: Compiler, to: Ref, source: Ref, size: int, node: Any) -> None:
    to.writes(c, node)
    source.usable(c, node)
    if size > COPY_LIMIT:
        c.fail(f"copying {size} bytes here would take {size // 8} loads: pass a reference on instead", node)
    step = min(chunk(to), chunk(source))
    for i, whole in plain_pieces(to, size, step):
        for at, width in c.b.halves(source.base, source.off + i, whole, source.region):
            value = c.b.load(source.base, at, width, False, source.region)
            c.b.store(to.base, to.off + at - source.off, width, value, to.region)


class Contents(Front):
    """What lay in a structure or array when it was read: `a.x, b.x = b.x, a.x` reads both before it writes."""

    __slots__ = ("parts", "type")

    def __init__(self, c: Compiler, ref: Ref, node: Any) -> None:
        ref.usable(c, node)
        self.type = ref.type
        size = sizeof(ref.type)
        if size > COPY_LIMIT // 4:
            c.fail(
                f"{size} bytes are too many to be assigned beside others: copy them by a statement of their own", node
            )
        self.parts = [
            (at, width, c.b.load(ref.base, ref.off + at, width, False, ref.region))
            for at, width in plain_pieces(ref, size, chunk(ref))
        ]

    def what(self) -> str:
        return f"the contents of {type_name(self.type)}"

    def store(self, c: Compiler, to: Ref, node: Any) -> None:
        if is_struct(to.type) and to.type is not self.type:
            c.fail(f"{type_name(to.type)} is set from a value of the same type, not from {self.what()}", node)
        to.writes(c, node)
        for at, width, value in self.parts:
            step = min(width, chunk(to.at(to.base, to.off + at, to.type)))
            for i in range(0, width, step):
                piece = c.b.arith("shr", value, c.b.const(8 * i), 64, 0, (1 << 64) - 1)
                c.b.store(to.base, to.off + at + i, step, piece, to.region)


def constant_bytes(c: Compiler, obj: Any, type_: Any, node: Any) -> bytes:
    """A Python constant as the bytes of `type_`."""
    from ...types import codec

    try:
        return codec(type_).pack(obj)
    except (TypeError, ValueError, OverflowError) as error:
        if hasattr(obj, "packed"):
            c.fail(f"{short(obj)} is no {type_name(type_)}: write its .packed", node)
        told = clipped(str(error))
        c.fail(told if type_name(type_) in told else f"{short(obj)} is not a {type_name(type_)}: {told}", node)
