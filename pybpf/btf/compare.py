"""When two types are the same, and a graph walk that survives the loops that pointers make."""

from __future__ import annotations

from .types import Array, DeclTag, Enum, Func, FuncProto, Int, Struct, Type, Var

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def equal(a: Type, b: Type) -> bool:
    """Whether `a` and `b`, of whatever BTF, describe the same type all the way down.

    Names, sizes, offsets, values and linkage must agree; pairs that are being compared already are taken
    as equal, so types that refer to themselves end.
    """
    seen: set[tuple[int, int]] = set()
    todo = [(a, b)]
    while todo:
        x, y = todo.pop()
        if x is y or (x.id, y.id) in seen:
            continue
        seen.add((x.id, y.id))
        if shape(x) != shape(y):
            return False
        todo += zip(references(x), references(y), strict=True)
    return True


def shape(t: Type) -> tuple[object, ...]:
    """All that a record says, except which types it refers to."""
    head = (t.kind, t.name, t.vlen, t.kind_flag)
    if isinstance(t, Int):
        return (*head, t.size, t._word(3))
    if isinstance(t, Array):
        return (*head, t.count)
    if isinstance(t, Struct):
        return (*head, t.size, *((m.name, m.bit_offset, m.bit_size) for m in t.members))
    if isinstance(t, Enum):
        return (*head, t.size, *t.items)
    if isinstance(t, FuncProto):
        return (*head, *(name for name, _ in t.params))
    if isinstance(t, Var):
        return (*head, t.linkage)
    if isinstance(t, DeclTag):
        return (*head, t.component)
    if t.kind.name == "DATASEC":
        return (*head, t.size, *((offset, size) for _, offset, size in t.vars))  # type: ignore[attr-defined]
    if t.kind.name == "FLOAT":
        return (*head, t.size)
    return head


def references(t: Type) -> Iterator[Type]:
    """The types that a record refers to, in order."""
    if isinstance(t, Struct):
        yield from (m.type for m in t.members)
    elif isinstance(t, FuncProto):
        yield t.ret
        yield from (type_ for _, type_ in t.params)
    elif t.kind.name == "DATASEC":
        yield from (var for var, _, _ in t.vars)  # type: ignore[attr-defined]
    elif isinstance(t, Array):
        yield t.element
    elif isinstance(t, (Func, Var, DeclTag)) or not (
        isinstance(t, (Int, Enum)) or t.kind.name in ("VOID", "FLOAT", "FWD")
    ):
        yield t.type
