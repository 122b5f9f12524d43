"""Numbers that depend on the kernel: where a field of one of its structures lies, and how a bit-field is shifted.

They are computed from the running kernel's BTF, and remember the path that they were computed from, so that an object
file can carry the question instead (CO-RE).  In the intermediate form a `Field` is the offset of a load, or the number of
a `relo` value, which no pass calculates with.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...btf.builder import BtfBuilder
    from ..lower.compiler import Compiler
    from ..ssa.ir import Value

BYTE_OFFSET, LSHIFT, RSHIFT = 0, 4, 5  # enum bpf_core_relo_kind


class Field(int):
    """The answer to the question `kind` about the member that `steps` lead to from the structure `root`."""

    root: Any
    steps: tuple[Any, ...]
    kind: int

    def _key(self) -> tuple[Any, ...]:
        return (int(self), self.kind, self.root.id, *(s if isinstance(s, int) else s.name for s in self.steps))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Field) and self._key() == other._key()

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self._key())


def field(number: int, place: Place, kind: int = BYTE_OFFSET) -> int:
    """The number, as a `Field` where it can be asked for by name."""
    if not place.steps or not place.root.name:
        return number  # the structure itself; or one that no other kernel could be asked for
    made = Field(number)
    made.root, made.steps, made.kind = place.root, place.steps, kind
    return made


class Place:
    """Where in a structure `root`, which a pointer points to, something is: `off` bytes in, by way of `steps`."""

    __slots__ = ("off", "root", "steps")

    def __init__(self, root: Any, off: int = 0, steps: tuple[Any, ...] = ()) -> None:
        self.root, self.off, self.steps = root, off, steps

    def member(self, m: Any, off: int) -> Place:
        return Place(self.root, off, (*self.steps, m))

    def element(self, index: int, size: int) -> Place:
        return Place(self.root, self.off + index * size, (*self.steps, index))

    def names(self) -> tuple[Any, ...]:
        return tuple(s if isinstance(s, int) else s.name for s in self.steps)

    @property
    def offset(self) -> int:
        return field(self.off, self)


def number(c: Compiler, n: int, lo: int, hi: int) -> Value:
    """A value for a number that may be a `Field`; then passes know only its limits."""
    return c.b.share("relo", [], n, 64, lo, hi) if isinstance(n, Field) else c.b.const(n)


def address(c: Compiler, pointer: Value, place: Place) -> Value:
    """The pointer moved to a place."""
    n = place.offset
    return c.b.arith("add", pointer, number(c, n, 0, (1 << 31) - 1)) if n or isinstance(n, Field) else pointer


def relocations(btf: BtfBuilder, asked: list[tuple[int, Any, Field]]) -> list[tuple[int, int, str, int, Any]]:
    """`(slot, instruction, what it holds)` as `ProgramSpec.core_relos`; the structures are described in `btf`."""
    from ...btf.minimal import Minimal

    minimal = Minimal(btf)
    for _, _, found in asked:
        minimal.add(found.root, found.steps)
    return [
        (slot, *minimal.access(found.root, found.steps), found.kind, insn.replace(label=None))
        for slot, insn, found in asked
    ]
