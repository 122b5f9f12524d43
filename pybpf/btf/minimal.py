"""Structs cut down to the members that somebody reads: what CO-RE needs of a program's own view of the kernel."""

from __future__ import annotations

from .kinds import Kind
from .types import Array, Enum, Int, Member, Struct, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .builder import BtfBuilder

    Steps = Iterable[Member | int]


class _Outline:
    """A struct with the members asked for so far, by name; those that are structs themselves have outlines too."""

    __slots__ = ("id", "inner", "members", "order", "struct")

    def __init__(self, struct: Struct) -> None:
        self.struct = struct
        self.members: dict[str, Member] = {}
        self.inner: dict[str, _Outline] = {}
        self.order: list[str] = []
        self.id = 0


class Minimal:
    """Describes structs in `builder`.  First `add` every path that is used, then ask for each one's `access`.

    A path is members (as `struct[name]` gives them, those of anonymous parts too) and indices of array elements.
    Members keep their places, so that instructions hold the offsets which the description gives; pointers point to
    nothing in particular, since each dereference begins a path of its own.
    """

    def __init__(self, builder: BtfBuilder) -> None:
        self.builder = builder
        self.named: dict[tuple[bool, str], _Outline] = {}

    def add(self, root: Struct, steps: Steps) -> None:
        here = self._outline(root)
        for step in steps:
            if isinstance(step, int):
                continue
            here.members.setdefault(step.name, step)
            inner = step.type.stripped
            if isinstance(inner, Struct):
                if step.name not in here.inner:
                    here.inner[step.name] = self._outline(inner)
                here = here.inner[step.name]

    def access(self, root: Struct, steps: Steps) -> tuple[int, str]:
        """The id of the struct in the builder, and the path as CO-RE writes it ("0:2:1")."""
        here = self._outline(root)
        made = self._make(here)
        numbers = [0]
        for step in steps:
            if isinstance(step, int):
                numbers.append(step)
                continue
            self._make(here)
            numbers.append(here.order.index(step.name))
            here = here.inner.get(step.name, here)
        return made, ":".join(map(str, numbers))

    def _outline(self, struct: Struct) -> _Outline:
        """One outline for all structs of a name; each anonymous one has its own."""
        if not struct.name:
            return _Outline(struct)
        return self.named.setdefault((struct.is_union, struct.name), _Outline(struct))

    def _make(self, outline: _Outline) -> int:
        if not outline.id:
            members = sorted(outline.members.values(), key=lambda m: m.bit_offset)  # the kernel wants them in order
            outline.order = [m.name for m in members]
            rows = [(m.name, self._type(outline, m), m.bit_offset, m.bit_size) for m in members]
            struct = outline.struct
            outline.id = self.builder.add_struct(struct.name, struct.size, rows, struct.is_union)
        return outline.id

    def _type(self, outline: _Outline, m: Member) -> int:
        inner = outline.inner.get(m.name)
        return self._make(inner) if inner is not None else self._plain(m.type.stripped)

    def _plain(self, t: Type) -> int:
        if isinstance(t, Int):
            return self.builder.add(t.name, t._word(1), t._word(2), t._word(3))
        if isinstance(t, Enum):
            return self.builder.add_enum("", [("any", 0)], t.size)
        if isinstance(t, Array):
            return self.builder.add_array(self._plain(t.element.stripped), t.count)
        if isinstance(t, Struct):
            return self._make(self._outline(t))
        return self.builder.add_float(t.name, t.size) if t.kind == Kind.FLOAT else self.builder.add_ptr(0)
