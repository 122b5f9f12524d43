"""`printk(f"...")`: an f-string becomes the kernel's format and its arguments."""

from __future__ import annotations

from ..objects.integers import value_of
from ..objects.layout import as_array, is_array
from ..objects.refs import Ref
from ..objects.values import Const, Front, Int, span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..ssa.ir import Value
    from .compiler import Compiler

_WIDE = (5, 16)  # bpf_trace_vprintk, and any number of arguments


def lower(c: Compiler, node: Any) -> Front:
    send(c, *parts_of(c, node, "printk"), node)
    return Const(None)


def parts_of(c: Compiler, node: Any, name: str) -> tuple[str, list[Value]]:
    """The format and the arguments of a call with one text."""
    if len(node.args) != 1 or node.keywords:
        c.fail(f'{name} takes one text: {name}(f"pid {{pid}}")', node)
    text = node.args[0]
    kind = text.__class__.__name__
    parts = text.values if kind == "JoinedStr" else [text]
    out: list[str] = []
    args: list[Value] = []
    for part in parts:
        if part.__class__.__name__ == "Constant" and isinstance(part.value, str):
            out.append(_literal(c, part.value, part))
        elif part.__class__.__name__ == "FormattedValue":
            spec, value = formatted(c, part)
            out.append(spec)
            if value is not None:
                args.append(value)
        else:
            front = c.expr(part)
            if not isinstance(front, Const) or not isinstance(front.obj, str):
                c.fail("printk takes a text known at compile time", node)
            out.append(_literal(c, front.obj, part))
    c.b.at = node
    return "".join(out), args


def _literal(c: Compiler, text: str, node: Any) -> str:
    if not text.isascii():
        c.fail("the trace pipe takes ASCII text only", node)
    return text.replace("%", "%%")


def formatted(c: Compiler, part: Any) -> tuple[str, Value | None]:
    if part.conversion not in (-1, 115):
        c.fail("!r and !a have no meaning for the kernel's printk", part)
    spec = ""
    if part.format_spec is not None:
        for piece in part.format_spec.values:
            if piece.__class__.__name__ != "Constant":
                c.fail("the format must be known at compile time", part)
            spec += piece.value
    front = c.expr(part.value)
    c.b.at = part.value
    if isinstance(front, Const):
        return _literal(
            c, format(front.obj, spec) if not isinstance(front.obj, bytes) else front.obj.decode(), part
        ), None
    if (
        isinstance(front, Ref)
        and is_array(front.type)
        and getattr(as_array(front.type).element, "name", "") in ("char", "u8")
    ):
        if spec not in ("", "s"):
            c.fail("text has no format: write {name}", part)
        return "%s", front.pointer(c, part)
    if hasattr(front, "pointer_value") and not hasattr(front, "number_only"):
        if getattr(getattr(front, "type", None), "element", None) is not None:
            return "%s", front.pointer_value(c)
        return "%llx", front.pointer_value(c)
    n = front.number(c, part)
    assert isinstance(n, Int)
    width = spec[:-1] if spec and spec[-1].isalpha() else spec
    if spec and spec[-1].isalpha() and spec[-1] not in "dxXp":
        c.fail(f"printk has no format {spec!r}: it has d, x, X and p, with a width", part)
    if width and not width.isdigit():
        c.fail(f"printk has no format {spec!r}: it has d, x, X and p, with a width", part)
    letter = spec[-1] if spec and spec[-1].isalpha() else "d"
    lo, _ = span(c, n)
    if letter == "p":
        return "0x%llx", n.value
    if letter == "d":
        letter = "d" if lo < 0 else "u"
    return f"%{width}ll{letter}", value_of(c, n)


def send(c: Compiler, text: str, args: list[Value], node: Any) -> None:
    from ..objects.data import text as constant

    raw = text.encode() + b"\0"
    fmt = constant(c, raw).pointer(c, node)
    if len(args) <= 3:
        c.b.call("helper", 6, "trace_printk", [fmt, c.b.const(len(raw)), *args])
        return
    if c.unit.kernel < _WIDE:
        c.fail(f"printk with {len(args)} values needs Linux 5.16; older kernels take 3", node)
    with_array(c, args, node, lambda place, size: c.b.call(
        "helper", 177, "trace_vprintk", [fmt, c.b.const(len(raw)), place, size]
    ))  # fmt: skip


def to_file(c: Compiler, seq: Value, node: Any) -> None:
    """`ctx.printf(f"...")` of an iterator: a text in the file that is read (seq_printf)."""
    from ..objects.data import text as constant

    text, args = parts_of(c, node, "printf")
    raw = text.encode() + b"\0"
    fmt = constant(c, raw).pointer(c, node)
    with_array(c, args, node, lambda place, size: c.b.call(
        "helper", 126, "seq_printf", [seq, fmt, c.b.const(len(raw)), place, size]
    ))  # fmt: skip


def with_array(c: Compiler, args: list[Value], node: Any, call: Any) -> None:
    """Call with the values as an array on the stack and its size."""
    if len(args) > 12:
        c.fail(f"a text takes 12 values at most, {len(args)} given", node)
    if not args:
        call(c.b.const(0), c.b.const(0))
        return
    place = c.borrow(8 * len(args), 8, "printk")
    c.state.contents.pop(place, None)
    for i, value in enumerate(args):
        c.b.store(place, 8 * i, 8, value, "stack")
    call(place, c.b.const(8 * len(args)))
    c.release(place)
