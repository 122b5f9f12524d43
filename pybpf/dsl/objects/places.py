"""Keys, values and records in memory: where what a program gives a map stands, or is put."""

from __future__ import annotations

from .data import place as data
from .integers import convert
from .layout import alignof, is_array, is_struct, normal, scalar_of, sizeof, type_name
from .pieces import chunk, constant_bytes, pieces, plain_pieces
from .refs import Ref
from .values import Const, Tuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..lower.compiler import Compiler
    from ..ssa.ir import Value
    from .values import Front


INLINE = 64
"""Constant structures of more bytes are read-only data of the program, and not made on its stack."""
DIRECT_VALUE = (5, 2)
"""Since when an instruction may hold the address of an array's only value."""

ANY_MEMORY = (6, 2)
"""Since when keys and values may lie in records and in what dynptrs give (d1673304097c)."""


def value_pointer(c: Compiler, front: Front, type_: Any, what: str, temporary: list[Value], node: Any) -> Value:
    """The address of a key or value in memory; numbers, tuples and constants are put on the stack."""
    type_ = normal(type_)
    if (
        isinstance(front, Ref)
        and (
            front.type is type_
            or (not front.is_number() and sizeof(front.type) == sizeof(type_) and not is_struct(type_))
        )
        and front.region != "ctx"
        and (c.unit.kernel >= ANY_MEMORY or not _made_by_a_call(front))
        and (front.region in ("ring", "mem") or front.is_number() is (scalar_of(type_) is not None))
    ):
        return front.pointer(c, node)
    size = sizeof(type_)
    scalar = scalar_of(type_)
    if scalar is not None and not (
        (isinstance(front, Const) and isinstance(front.obj, (bytes, str))) or _is_address(front)
    ):
        value = convert(c, front, scalar, node, f"the {what}")
        place = c.borrow(size, size, what)
        temporary.append(place)
        # The same number may lie there still, from the last time this key was used.
        if c.state.contents.get(place) is not value:
            Ref(place, 0, type_, "stack").raw_store(c, scalar, value)
            c.state.contents[place] = value
        return place
    if isinstance(front, Ref) and is_struct(type_) and front.type is not type_:
        c.fail(f"the {what} is {type_name(type_)}, not {front.what()}", node)
    if isinstance(front, Const) and is_struct(type_) and size > INLINE and c.unit.kernel >= DIRECT_VALUE:
        return data(c, constant_bytes(c, front.obj, type_, node), type_).pointer(c, node)
    place = c.borrow(size, 8 if size >= 8 else alignof(type_), what)
    temporary.append(place)
    c.state.contents.pop(place, None)
    ref = Ref(place, 0, type_, "stack", label=f"the {what}")
    if isinstance(front, Tuple) and (is_struct(type_) or is_array(type_)):
        from ..lower.calls import set_fields

        for at, width in pieces(size, place.aux.align):
            c.b.store(place, at, width, c.b.const(0), "stack")
        set_fields(c, ref, front.items, {}, node)
    elif isinstance(front, Const) and _is_address(front):
        packed = front.obj.packed
        ref.fill(c, Const(packed), node) if scalar is None else c.b.store(
            place, 0, 4, c.b.const(int.from_bytes(packed, "little")), "stack"
        )
    elif isinstance(front, Const) and scalar is not None:
        raw = constant_bytes(c, front.obj, type_, node)
        c.b.store(place, 0, size, c.b.const(int.from_bytes(raw, "little")), "stack")
    else:
        ref.fill(c, front, node)
    return place


def again(c: Compiler, ref: Ref) -> None:
    """Store what lies in an object once more, without changing it."""
    size = sizeof(ref.type)
    for at, width in plain_pieces(ref, size, min(chunk(ref), 4)):
        now = c.b.load(ref.base, ref.off + at, width, False, ref.region)
        c.b.store(ref.base, ref.off + at, width, now, ref.region)


def _is_address(front: Front) -> bool:
    return isinstance(front, Const) and type(front.obj).__module__ == "ipaddress" and hasattr(front.obj, "packed")


def _made_by_a_call(front: Ref) -> bool:
    """Whether a reference leads to a record, or to the data of a dynptr."""
    base = front.base
    while base.op == "add":
        base = base.args[0]
    return front.region == "ring" or (front.region == "mem" and base.op not in ("param", "stack"))
