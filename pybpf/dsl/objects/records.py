"""Records for user space: reserved in a ring buffer and filled in place, or written out whole."""

from __future__ import annotations

from .integers import status, word
from .layout import normal, sizeof, type_given
from .places import value_pointer
from .refs import Ref
from .values import Const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..lower.compiler import Compiler
    from ..ssa.ir import Value
    from .maps import MapRef
    from .values import Front

PERF_EVENT_OUTPUT, RINGBUF_OUTPUT, RINGBUF_RESERVE = 25, 130, 131
"""Ids of helpers."""
ENDS = {"submit": 132, "discard": 133}
"""What a record ends with, and the helper's id."""
CURRENT_CPU = 0xFFFFFFFF
ZERO = Const(0)


class Record(Ref):
    """A record reserved in a ring buffer: submitted or discarded exactly once on every way."""

    __slots__ = ()

    def address(self) -> Value:
        return self.base

    def likeness(self) -> Any:
        return Record, self.type, self.off

    def around(self, value: Value, *, null: bool, owner: Value | None) -> Record:
        return Record(value, 0, self.type, "ring", check=("null", value), owner=owner, label=self.label)

    def method(self, c: Compiler, name: str, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        number = ENDS.get(name)
        if number is None:
            c.fail(f"a record has the methods submit and discard, not {name}", node)
        flags = args[0] if args else kw.get("flags", ZERO)
        self.usable(c, node)
        c.b.call("helper", number, f"ringbuf_{name}", [self.base, word(c, flags, node)])
        assert self.owner is not None
        c.state.owned.pop(self.owner, None)
        return Const(None)


def reserve(c: Compiler, m: MapRef, node: Any, type_: Front | None = None) -> Front:
    event = getattr(m.spec, "event", None) if type_ is None else type_given(c, type_, node)
    if event is None:
        c.fail(f"{m.what()} has no record type: declare RingBuf(Type, ...) or write reserve(Type)", node)
    event = normal(event)
    args = [m.pointer_value(c), c.b.const(sizeof(event)), c.b.const(0)]
    found = m.call(c, "ringbuf_reserve", RINGBUF_RESERVE, args)
    found.lo, found.hi = 0, (1 << 64) - 1
    c.state.owned[found] = f"the record reserved at line {c.source(node).line}"
    return Record(found, 0, event, "ring", check=("null", found), owner=found, label=f"{m.hint}.reserve()")


def output(c: Compiler, m: MapRef, node: Any, value: Front, flags: Front = ZERO) -> Front:
    address, size, temporary = _whole(c, m, value, node)
    args = [m.pointer_value(c), address, c.b.const(size), word(c, flags, node)]
    return status(c, m.call(c, "ringbuf_output", RINGBUF_OUTPUT, args, temporary))


def perf_output(c: Compiler, m: MapRef, node: Any, value: Front, flags: Front = ZERO) -> Front:
    address, size, temporary = _whole(c, m, value, node)
    where = c.b.const(CURRENT_CPU) if isinstance(flags, Const) and flags.obj == 0 else word(c, flags, node)
    args = [c.context().value, m.pointer_value(c), where, address, c.b.const(size)]
    return status(c, m.call(c, "perf_event_output", PERF_EVENT_OUTPUT, args, temporary))


def _whole(c: Compiler, m: MapRef, value: Front, node: Any) -> tuple[Value, int, list[Value]]:
    """Address and size of a record, and the places to free behind the call."""
    temporary: list[Value] = []
    event = getattr(m.spec, "event", None)
    if event is not None and not (isinstance(value, Ref) and sizeof(value.type) == sizeof(normal(event))):
        return value_pointer(c, value, event, "record", temporary, node), sizeof(normal(event)), temporary
    if isinstance(value, Ref):
        return value_pointer(c, value, value.type, "record", temporary, node), sizeof(value.type), temporary
    if isinstance(value, Const) and isinstance(value.obj, (bytes, str)):
        from ..lower.helpercalls import _raw
        from .data import text

        raw = _raw(value.obj)
        return text(c, raw).pointer(c, node), len(raw), temporary
    c.fail(f"the record is a structure or an array, not {value.what()}: declare the map with its type", node)


__all__ = ["output", "perf_output", "reserve"]
