"""When a type of a program and a type of a kernel stand for each other: the three relations of CO-RE."""

from __future__ import annotations

from ..errors import BtfError
from .kinds import Kind
from .types import MAX_DEPTH, Array, Enum, FuncProto, Int, Struct, Type

_COMPOSITE = frozenset({Kind.STRUCT, Kind.UNION})
_ENUMS = frozenset({Kind.ENUM, Kind.ENUM64})
_BUDGET = 1 << 18


def essential(name: str) -> str:
    """`name` without its flavour: "task_struct___old" is "task_struct"."""
    for i in range(len(name) - 5, -1, -1):
        if name[i] != "_" and name[i + 1 : i + 4] == "___" and name[i + 4] != "_":
            return name[: i + 1]
    return name


def core_kinds(a: Type, b: Type) -> bool:
    """Whether the kinds agree; the two widths of enumerations count as one."""
    return a.kind == b.kind or (a.kind in _ENUMS and b.kind in _ENUMS)


def fields_compatible(local: Type, target: Type) -> bool:
    """Whether a field of type `target` may be read where `local` was meant."""
    for _ in range(MAX_DEPTH + 1):
        local, target = local.stripped, target.stripped
        if local.kind in _COMPOSITE and target.kind in _COMPOSITE:
            return True
        if not core_kinds(local, target):
            return False
        if isinstance(local, Array) and isinstance(target, Array):
            local, target = local.element, target.element
            continue
        if local.kind in (Kind.PTR, Kind.FLOAT):
            return True
        if local.kind == Kind.FWD or local.kind in _ENUMS:
            a, b = essential(local.name), essential(target.name)
            return not a or not b or a == b
        if isinstance(local, Int) and isinstance(target, Int):
            return not local.bit_offset and not target.bit_offset
        return False
    raise BtfError(f"{local}: arrays nested more than {MAX_DEPTH} deep")


def types_compatible(local: Type, target: Type, depth: int = MAX_DEPTH) -> bool:
    """Whether `target` exists as `local` describes it in outline: kinds agree all along pointers and prototypes."""
    if not core_kinds(local, target):
        return False
    while depth >= 0:
        depth -= 1
        local, target = local.stripped, target.stripped
        if not core_kinds(local, target):
            return False
        if local.kind == Kind.PTR:
            local, target = local.type, target.type
        elif isinstance(local, Array) and isinstance(target, Array):
            local, target = local.element, target.element
        elif isinstance(local, FuncProto) and isinstance(target, FuncProto):
            if local.vlen != target.vlen:
                return False
            for (_, a), (_, b) in zip(local.params, target.params, strict=True):
                if not types_compatible(a.stripped, b.stripped, depth):
                    return False
            local, target = local.ret, target.ret
        elif isinstance(local, Int) and isinstance(target, Int):
            return not local.bit_offset and not target.bit_offset
        else:
            return local.kind in _COMPOSITE or local.kind in _ENUMS or local.kind in (Kind.VOID, Kind.FWD)
    raise BtfError(f"{local}: nested more than {MAX_DEPTH} deep")


def types_match(local: Type, target: Type) -> bool:
    """Whether `target` has all that `local` has: every member, by name and type, and every enumerator."""
    return _Matcher().match(local, target, False, MAX_DEPTH)


class _Matcher:
    def __init__(self) -> None:
        self.budget = _BUDGET

    def match(self, local: Type, target: Type, pointed: bool, depth: int) -> bool:
        while depth >= 0 and self.budget > 0:
            depth -= 1
            self.budget -= 1
            local, target = local.stripped, target.stripped
            if essential(local.name) != essential(target.name):
                return False
            kind, other = local.kind, target.kind
            if isinstance(local, Enum):
                return isinstance(target, Enum) and _enumerators(local) <= _enumerators(target)
            if kind == Kind.FWD:
                if other == Kind.FWD or not pointed:
                    return other == Kind.FWD and local.kind_flag == target.kind_flag
                return other == (Kind.UNION if local.kind_flag else Kind.STRUCT)
            if isinstance(local, Struct):
                if pointed and other == Kind.FWD:
                    return target.kind_flag == local.is_union
                if kind != other:
                    return False
                return pointed or (isinstance(target, Struct) and self._members(local, target, depth))
            if kind != other:
                return False
            if isinstance(local, Int) and isinstance(target, Int):
                return (local.bits, local.signed) == (target.bits, target.signed)
            if kind == Kind.PTR:
                pointed = True
                local, target = local.type, target.type
            elif isinstance(local, Array) and isinstance(target, Array):
                if local.count != target.count:
                    return False
                local, target = local.element, target.element
            elif isinstance(local, FuncProto) and isinstance(target, FuncProto):
                pairs = zip(local.params, target.params, strict=False)
                if local.vlen != target.vlen or not all(self.match(a, b, pointed, depth) for (_, a), (_, b) in pairs):
                    return False
                local, target = local.ret, target.ret
            else:
                return kind == Kind.VOID
        raise BtfError(f"{local}: nested too deep, or too much, to be matched")

    def _members(self, local: Struct, target: Struct, depth: int) -> bool:
        return local.vlen <= target.vlen and all(
            any(
                essential(mine.name) == essential(theirs.name) and self.match(mine.type, theirs.type, False, depth)
                for theirs in target.members
            )
            for mine in local.members
        )


def _enumerators(t: Enum) -> set[str]:
    return {essential(name) for name, _ in t.items}
