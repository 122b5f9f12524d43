"""Where C would put the members of a struct, as far as BTF shows it: alignment, packing, padding."""

from __future__ import annotations

from ..errors import BtfError
from .kinds import Kind
from .types import MAX_DEPTH, Array, Enum, Int, Member, Struct, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Layout:
    """Alignment of types on a 64-bit machine; each struct is worked out once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, bool]] = {}

    def alignment(self, t: Type, depth: int = 0) -> int:
        """Bytes that C aligns `t` to."""
        t = element(t)
        if isinstance(t, Struct):
            return self._struct(t, depth)[0]
        if isinstance(t, (Int, Enum)) or t.kind in (Kind.PTR, Kind.FLOAT):
            return min(t.size & -t.size, 16) or 1
        return 1

    def packed(self, t: Struct) -> bool:
        """Whether a member lies where alignment would not put it, or the size is no multiple of the alignment."""
        return self._struct(t, 0)[1]

    def _struct(self, t: Struct, depth: int) -> tuple[int, bool]:
        if depth > MAX_DEPTH:
            raise BtfError(f"type {t.id} {t.name!r}: structs nested more than {MAX_DEPTH} deep, or a loop")
        if t.id not in self._known:
            widest, packed = 1, False
            for m in t.members:
                align = self.alignment(m.type, depth + 1)
                widest = max(widest, align)
                last = m.bit_offset + m.bit_size - 1
                crosses = m.bit_offset // (align * 8) != last // (align * 8)
                packed |= crosses if m.bit_size else m.bit_offset % (align * 8) != 0
            packed |= t.size % widest != 0
            self._known[t.id] = (1 if packed else widest, packed)
        return self._known[t.id]

    def padding(self, at: int, member: Member, packed: bool) -> Iterator[str]:
        """Fields without a meaning that move a compiler from bit `at` to where `member` begins."""
        target = member.bit_offset
        align = 8 if packed else self.alignment(member.type) * 8
        natural = -(-at // align) * align
        if member.bit_size:
            crosses = at // align != (at + member.bit_size - 1) // align
            natural = natural if crosses and not packed else at
        if target == natural:
            return
        if at % 8 and target > at:
            step = min(-at % 8, target - at)
            yield f"char : {step};"
            at += step
        if at // 8 < target // 8:
            yield f"char __pad{at // 8}[{target // 8 - at // 8}];"
            at = target // 8 * 8
        if at < target:
            yield f"char : {target - at};"

    def tail(self, at: int, t: Struct) -> Iterator[str]:
        """Fields that fill `t` from bit `at` to its size, where C would not."""
        end = t.size * 8
        align = self.alignment(t) * 8
        if t.is_union:
            if -(-at // align) * align != end:
                yield f"char __size[{t.size}];"
            return
        if -(-at // align) * align == end:
            return
        if at % 8:
            yield f"char : {-at % 8};"
            at += -at % 8
        if at < end:
            yield f"char __pad{at // 8}[{(end - at) // 8}];"


def element(t: Type) -> Type:
    """What an array is made of, however many dimensions it has; anything else stripped of its modifiers."""
    t = t.stripped
    for _ in range(MAX_DEPTH + 1):
        if not isinstance(t, Array):
            return t
        t = t.element.stripped
    raise BtfError(f"type {t.id}: arrays nested more than {MAX_DEPTH} deep, or in a loop")
