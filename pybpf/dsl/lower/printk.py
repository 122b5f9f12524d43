"""`printk(f"...")`: an f-string becomes the kernel's format and its arguments."""

from __future__ import annotations

from ...errors import CompileError
from ..objects import scalars
from ..objects.integers import value_of
from ..objects.layout import as_array, is_array, sizeof
from ..objects.refs import Ref
from ..objects.values import Const, Front, span
from .formats import ADDRESSES, KNOWN, POINTERS, of_number, of_text
from .helpercalls import is_ctx
from .joins import is_number

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
        if part.__class__.__name__ == "FormattedValue":
            shown, *values = formatted(c, part)
        else:
            front = constant_text(c, part, name)
            if not isinstance(front, Const) or not isinstance(front.obj, str):
                c.fail(f'{name} takes a text known at compile time: {name}(f"pid {{pid}}")', node)
            shown, values = front.obj, []
        if not values:
            before = out[-1] if out and out[-1][:1] == "%" else "%u"
            shown, *values = _literal(c, shown, before[1] == "p" or before[-1] == "s", part)
        out.append(shown)
        args += values
    c.b.at = node
    return "".join(out), args


def constant_text(c: Compiler, node: Any, name: str) -> Front:
    """A text of constants; `"..." % values` and `"...".format(values)` with values that only the program knows are told apart."""
    try:
        return c.expr(node)
    except CompileError:
        of = node.left if node.__class__.__name__ == "BinOp" else getattr(getattr(node, "func", None), "value", None)
        if not isinstance(getattr(of, "value", None), str):
            raise
    c.fail(f'write the values into the text, as f-strings have them: {name}(f"pid {{pid}}")', node)


def _literal(c: Compiler, text: str, behind: bool, node: Any) -> tuple[Any, ...]:
    """A piece of the format; behind %s and %p the kernel takes no letter or digit: they are a text of their own."""
    if not text.isascii():
        c.fail("the trace pipe takes ASCII text only", node)
    if not (behind and text[:1].isalnum()):
        return (text.replace("%", "%%"),)
    from ..objects.data import text as constant

    return "%s", constant(c, text.encode() + b"\0").pointer(c, node)


def formatted(c: Compiler, part: Any) -> tuple[Any, ...]:
    """A conversion and its values; of a constant, the text that Python makes of it, and no more."""
    exact = part.conversion in (ord("r"), ord("a"))  # `{n!r}`, and `{n=}`, which says the same
    spec = ""
    if part.format_spec is not None:
        for piece in part.format_spec.values:
            if piece.__class__.__name__ != "Constant":
                c.fail("the format must be known at compile time", part)
            spec += piece.value
    front = c.expr(part.value)
    c.b.at = part.value
    if isinstance(front, Const):
        return (_constant(c, front.obj, spec, part),)
    if is_ctx(front):
        c.fail("the context is not a value to be shown: name a field of it", part)
    if isinstance(front, Ref) and is_array(front.type) and sizeof(front.type) == 6:
        if spec == "pM":
            return ":".join(["%02llx"] * 6), *(
                value_of(c, front.item(c, Const(i), part).number(c, part)) for i in range(6)
            )
        if not spec and getattr(as_array(front.type).element, "name", "") == "u8":
            c.fail("six bytes are no text: write {...:pM} for a hardware address", part)
    if spec in ADDRESSES:
        return f"%{spec}", _address(c, front, ADDRESSES[spec], part)
    text = _text(c, front, part)
    if exact and (text is not None or not is_number(front)):
        c.fail("!r and !a (and {x=}) have a meaning for numbers only in the kernel's printk", part)
    if text is not None:
        conversion, value = of_text(spec), text
    elif hasattr(front, "pointer_value") and not hasattr(front, "number_only"):
        conversion, value = f"%{spec}" if spec in POINTERS else "%llx", front.pointer_value(c)
    else:
        n = front.number(c, part)
        conversion, value = of_number(spec, *span(c, n)), value_of(c, n)
    if conversion is None:
        c.fail(f"printk has no format {spec!r} for {front.what()}: {KNOWN}", part)
    return conversion, value


def _constant(c: Compiler, obj: Any, spec: str, node: Any) -> str:
    try:
        return format(obj.decode() if isinstance(obj, bytes) else obj, spec)
    except (TypeError, ValueError) as error:
        c.fail(f"{error.__class__.__name__}: {error}", node)


def _text(c: Compiler, front: Front, node: Any) -> Value | None:
    """The address of an array of bytes, which is written as a text."""
    if isinstance(front, Ref) and is_array(front.type):
        if getattr(as_array(front.type).element, "name", "") in ("char", "u8"):
            return front.pointer(c, node)
    elif hasattr(front, "pointer_value") and getattr(getattr(front, "type", None), "element", None) is not None:
        return front.pointer_value(c)  # type: ignore[no-any-return]
    return None


def _address(c: Compiler, front: Front, size: int, node: Any) -> Value:
    """A pointer to an address in network order; a number is put on the stack in that order."""
    if isinstance(front, Ref) and is_array(front.type) and sizeof(front.type) == size:
        return front.pointer(c, node)
    if size != 4:
        c.fail(f"pI6 is for 16 bytes, such as u8[16], and not for {front.what()}", node)
    from .calls import make

    place: Any = make(c, scalars.be32[1], [], {}, node)
    place.set_item(c, Const(0), front, node)
    return place.pointer(c, node)  # type: ignore[no-any-return]


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
