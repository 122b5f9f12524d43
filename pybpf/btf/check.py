"""Checking BTF whole, by the rules that the kernel applies when BTF is loaded (btf_check_meta and btf_resolve)."""

from __future__ import annotations

from ..errors import BtfError
from .kinds import Kind, string_words, type_words
from .types import Datasec, Enum, Func, FuncProto, Int, Struct, Type, Var

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .btf import Btf

_NAMELESS = frozenset({Kind.PTR, Kind.ARRAY, Kind.CONST, Kind.VOLATILE, Kind.RESTRICT, Kind.FUNC_PROTO})
_NAMED = frozenset({Kind.INT, Kind.FWD, Kind.TYPEDEF, Kind.FUNC, Kind.VAR, Kind.DATASEC})
_INDIRECT = frozenset(
    {Kind.PTR, Kind.ARRAY, Kind.TYPEDEF, Kind.CONST, Kind.VOLATILE, Kind.RESTRICT, Kind.TYPE_TAG, Kind.VAR}
)
_BY_VALUE = (_INDIRECT - {Kind.PTR}) | {Kind.STRUCT, Kind.UNION, Kind.DATASEC}


def check(btf: Btf) -> None:
    """Check every record of `btf` (not of its base).  BtfError says which type, and what is wrong with it."""
    for t in btf.own_types():
        try:
            _check_record(t)
        except BtfError as error:
            raise BtfError(f"type {t.id} ({t.kind.name}): {error}") from None
    _check_loops(btf, _BY_VALUE, "contains itself")
    _check_loops(btf, _INDIRECT, "is made of itself")
    for t in btf.own_types():
        if isinstance(t, Struct):
            _check_sizes(t)


def _check_record(t: Type) -> None:
    words, info = t.btf._words, t._word(1)
    for at in string_words(info):
        t.btf.string(words[t._at + at])
    for at in type_words(info):
        t.btf.type(words[t._at + at])
    if t.kind in _NAMELESS and t.name:
        raise BtfError(f"has the name {t.name!r}, which this kind does not have")
    if t.kind in _NAMED and not t.name:
        raise BtfError("has no name")
    if isinstance(t, Int):
        if t.bits + t.bit_offset > t.size * 8 or t.size not in (1, 2, 4, 8, 16) or not t.bits:
            raise BtfError(f"{t.bits} bits at bit {t.bit_offset} of {t.size} bytes")
    elif isinstance(t, Struct):
        _check_struct(t)
    elif isinstance(t, Enum):
        if t.size not in (1, 2, 4, 8):
            raise BtfError(f"an enumeration of {t.size} bytes")
    elif isinstance(t, Func):
        if t.linkage > 2:
            raise BtfError(f"linkage {t.linkage}")
        t.proto  # noqa: B018 (raises when it is none)
    elif isinstance(t, FuncProto):
        for i, (name, param) in enumerate(t.params):
            if param.kind == Kind.VOID and (i < t.vlen - 1 or name):
                raise BtfError(f"parameter {i + 1} {name!r} is void")
    elif isinstance(t, Var):
        if t.linkage > 2:
            raise BtfError(f"linkage {t.linkage}")
    elif isinstance(t, Datasec):
        _check_datasec(t)


def _check_struct(t: Struct) -> None:
    last = 0
    for m in t.members:
        if t.is_union and m.bit_offset and not m.bit_size:
            raise BtfError(f"member {m.name!r} of a union lies at bit {m.bit_offset}")
        if not t.is_union and m.bit_offset < last:
            raise BtfError(f"member {m.name!r} lies before the one that precedes it")
        if m.bit_offset // 8 > t.size:
            raise BtfError(f"member {m.name!r} at bit {m.bit_offset} is outside of {t.size} bytes")
        last = m.bit_offset


def _check_sizes(t: Struct) -> None:
    for m in t.members:
        end = m.bit_offset + (m.bit_size or m.size * 8)
        if end > t.size * 8:
            raise BtfError(f"type {t.id} ({t}): member {m.name!r} ends at bit {end}, beyond {t.size} bytes")


def _check_datasec(t: Datasec) -> None:
    last = 0
    for var, offset, size in t.vars:
        if not isinstance(var, (Var, Func)):
            raise BtfError(f"entry of type {var.id} ({var.kind.name}): expected a variable or function")
        # clang leaves offsets and the size of the section at 0 for the loader to fill in from the symbols.
        if t.size and (offset < last or offset + size > t.size):
            raise BtfError(
                f"variable {var.name!r} at {offset} with {size} bytes overlaps, or leaves the {t.size} bytes"
            )
        last = offset + size if t.size else 0


def _check_loops(btf: Btf, follow: frozenset[Kind], what: str) -> None:
    """No type may be reached from itself by records of kinds `follow`; depth-first with an explicit stack."""
    state: dict[int, int] = {}  # id -> 1 while its references are followed, 2 when done
    for root in btf.own_types():
        stack = [root.id]
        while stack:
            here = stack[-1]
            t = btf.type(here)
            if here in state or t.kind not in follow:
                state[here] = 2
                stack.pop()
                continue
            state[here] = 1
            for there in _references(t):
                if state.get(there) == 1:
                    raise BtfError(f"type {there} ({btf.type(there).kind.name} {btf.type(there).name!r}) {what}")
                if there not in state:
                    stack.append(there)


def _references(t: Type) -> list[int]:
    words = t.btf._words
    found = type_words(t._word(1))
    if t.kind == Kind.ARRAY:
        found = found[:1]  # not the index type
    return [words[t._at + at] for at in found]
