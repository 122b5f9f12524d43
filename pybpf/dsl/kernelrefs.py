"""References to kernel objects: sockets, tasks and whatever else BTF names.

A typed pointer may be read through directly (the kernel turns a bad access into 0); an untyped one is read with probe_read.
"""

from __future__ import annotations

from .. import types
from .build import limits
from .refs import Ref
from .values import Front, Int

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .compiler import Compiler
    from .ir import Value


class Object(Front):
    """A pointer to a kernel object that helpers take: `kind` as `pybpf.kernel` names it."""

    __slots__ = ("check", "kind", "owner", "struct", "value")

    def __init__(self, value: Value, kind: str, *, null: bool, owner: bool = False, struct: str = "") -> None:
        self.value = value
        self.kind = kind
        self.struct = struct
        self.check = ("null", value) if null else None
        self.owner = value if owner else None

    def what(self) -> str:
        return f"a {self.struct or self.kind} of the kernel"

    def is_none(self, c: Compiler, node: Any) -> Any:
        from .conditions import always

        if self.check is None or self.check in c.state.facts:
            return always(c, False)
        none, some = c.b.branch("==", 64, self.value, c.b.const(0))
        some.facts[self.check] = True
        none.owned.pop(self.value, None)
        return none, some

    def pointer_value(self, c: Compiler) -> Value:
        if self.check is not None and self.check not in c.state.facts:
            c.fail(f"{self.what()} may be None here: test it with `is None` first", c.b.at)
        if self.owner is not None and self.owner not in c.state.owned:
            c.fail(f"{self.what()} was already released", c.b.at)
        return self.value


def result_pointer(c: Compiler, rules: Any, value: Value, node: Any) -> Front:
    """What a helper gives that is not a number."""
    value.lo, value.hi = 0 if rules.returns_null else 1, (1 << 64) - 1
    found = Object(value, rules.returns, null=rules.returns_null, owner=rules.acquires, struct=rules.return_struct)
    if rules.acquires:
        c.state.owned[value] = f"what {rules.name} gave at line {c.source(node).line}"
    return found


def context_pointer(c: Compiler, field: Any, value: Value, node: Any) -> Front:
    kind = field.kind
    value.lo = 0
    return Object(value, kind.removesuffix("_or_null"), null=kind.endswith("_or_null"))


def lookup_socket(c: Compiler, m: Any, key: Front, node: Any) -> Front:
    temporary: list[Value] = []
    value = m.call(c, "map_lookup_elem", 1, [m.pointer_value(c), m.key(c, key, temporary, node)])
    for slot in temporary:
        c.release(slot)
    value.lo, value.hi = limits(64, False)
    c.state.owned[value] = f"the socket found at line {c.source(node).line}"
    return Object(value, "sock", null=True, owner=True)


__all__ = ["Int", "Object", "Ref", "context_pointer", "lookup_socket", "result_pointer", "types"]
