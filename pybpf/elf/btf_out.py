"""The BTF of a file to be written: what the programs brought, joined and pruned, with maps and symbols added."""

from __future__ import annotations

from ..btf.btf import Btf
from ..btf.builder import EXTERN, BtfBuilder
from ..btf.kinds import Kind, pack_info, type_words
from ..btf.merge import concat, dedup
from ..btf.types import Datasec, Func, Struct, Type, Var
from ..errors import ElfError
from .maps import F_NUMA_NODE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..spec import MapSpec

POINTER = 8


class BtfOut(BtfBuilder):
    """A builder that begins with the types that `roots` (BTF bytes -> type ids) reach, under new ids."""

    def __init__(self, roots: dict[bytes, set[int]]) -> None:
        super().__init__()
        self.moved: dict[tuple[bytes, int], int] = {}
        parts = {raw: Btf.parse(raw) for raw in roots}
        if not parts:
            return
        whole, shifts = concat(parts.values())
        small, where = dedup(whole)
        shift = dict(zip(parts, shifts, strict=True))
        wanted = _reach(small, (where[i + shift[raw]] for raw, ids in roots.items() for i in ids if i))
        new = {0: 0}
        for t in small:
            if t.id in wanted:
                new[t.id] = len(new)
        for t in small:
            if t.id in new:
                self._copy(t, new)
        for raw, part in parts.items():
            for old in range(len(part) + 1):
                there = where[old + shift[raw]] if old else 0
                if there in new:
                    self.moved[raw, old] = new[there]

    def _copy(self, t: Type, new: dict[int, int]) -> None:
        from ..btf.kinds import string_words, words_of

        info = t._word(1)
        record = list(t.btf._words[t._at : t._at + words_of(info)])
        for i in string_words(info):
            record[i] = self.string(t.btf.string(record[i]))
        for i in type_words(info):
            record[i] = new[record[i]]
        made = self.append(tuple(record))
        self._ids.setdefault(tuple(record), made)

    # -- maps

    def define_map(self, spec: MapSpec, name: str, values: int | None = None) -> tuple[int, int]:
        """The VAR of a map in ".maps", and its size; `values` makes room for that many initial entries."""
        struct, size = self._definition(spec, name, inner=False, values=values is not None)
        size += (values or 0) * POINTER
        return self.add_var(name, struct), size

    def _definition(self, spec: MapSpec, name: str, inner: bool, values: bool) -> tuple[int, int]:
        members: list[tuple[str, int, int]] = []

        def member(field: str, type_id: int) -> None:
            members.append((field, self.add_ptr(type_id), 64 * len(members)))

        def number(field: str, value: int) -> None:
            if value >> 32:
                members.append((field, self.add_enum("", [(f"__{field}", value)]), 64 * len(members)))
            elif value:
                member(field, self.add_array(self.add_int("int", 4, True), value))

        number("type", spec.map_type)
        for which in ("key", "value"):
            size = getattr(spec, f"{which}_size")
            known = self.moved.get((spec.btf, getattr(spec, f"btf_{which}"))) if spec.btf else None
            type_ = getattr(spec, which)
            if known:
                member(which, known)
            elif type_ is not None and (which == "key" or not (values or spec.inner)):
                member(which, self.add_type(type_))
            elif size:
                number(f"{which}_size", size)
        number("max_entries", spec.max_entries)
        number("map_flags", spec.flags | (0 if spec.numa_node is None else F_NUMA_NODE))
        number("numa_node", spec.numa_node or 0)
        number("map_extra", spec.map_extra)
        if spec.pinning:
            if spec.pinning not in ("by-name", f"/sys/fs/bpf/{name}"):
                raise ElfError(f"map {name!r}: a file can say to pin it by name, not at {spec.pinning!r}")
            number("pinning", 1)
        size = POINTER * len(members)
        if spec.inner is not None:
            members.append(("values", self._open_array(self._definition(spec.inner, "", True, False)[0]), size * 8))
        elif values:
            members.append(("values", self._open_array(self.add_func_proto(0)), size * 8))
        return self.add_struct("", size, members), size

    def _open_array(self, target: int) -> int:
        return self.add_array(self.add_ptr(target), 0)

    # -- externs

    def extern(self, raw: bytes | None, name: str, kind: str) -> int:
        """The VAR or FUNC of an external symbol, as the programs' BTF or the kernel's has it, with linkage extern."""
        wanted = Kind.FUNC if kind == "kfunc" else Kind.VAR
        if kind == "address":
            return self._extern(name, wanted, self.add_const(0))
        if raw is not None:
            for t in Btf.parse(raw).find_all(name, wanted):
                target = self.moved.get((raw, t.type_id))
                if target is not None:
                    return self._extern(name, wanted, target)
        from .externs import find_extern

        there = find_extern(Btf.kernel(), name, wanted) or Btf.kernel().find(name, wanted)  # the latter says what fails
        return self._extern(name, wanted, self.outline(there.type))

    def _extern(self, name: str, kind: Kind, target: int) -> int:
        if kind == Kind.VAR:
            return self.add_var(name, target, EXTERN)
        return self.add(name, pack_info(Kind.FUNC, EXTERN), target)

    def outline(self, t: Type) -> int:
        """A type of the kernel in outline: structs by name only, which is all that CO-RE compares of a prototype."""
        if isinstance(t, Struct):
            return self.add_struct(t.name, 0, (), union=t.is_union)
        if t.kind == Kind.VOID:
            return 0
        if t.kind == Kind.FUNC_PROTO:
            params = [(n or f"arg{i}", self.outline(p)) for i, (n, p) in enumerate(t.params)]  # type: ignore[attr-defined]
            return self.add_func_proto(self.outline(t.type), params)
        if t.kind == Kind.PTR:
            return self.add_ptr(self.outline(t.type))
        if t.kind == Kind.ARRAY:
            return self.add_array(self.outline(t.type), t.count)  # type: ignore[attr-defined]
        if t.kind == Kind.INT:
            return self.add(t.name, t._word(1), t._word(2), t._word(3))
        if t.kind in (Kind.ENUM, Kind.ENUM64):
            return self.add_enum(t.name, t.items)  # type: ignore[attr-defined]
        if t.kind == Kind.FWD:
            return self.add_fwd(t.name, t.kind_flag)
        if t.kind == Kind.FLOAT:
            return self.add_float(t.name, t.size)
        return self.outline(t.type)


def _reach(btf: Btf, roots: Iterable[int]) -> set[int]:
    """Ids that are reached from `roots`."""
    found: set[int] = set()
    todo = list(roots)
    while todo:
        here = todo.pop()
        if here in found or not here:
            continue
        found.add(here)
        t = btf.type(here)
        todo += [t._word(i) for i in type_words(t._word(1))]
    return found


def variables(raw: bytes, section: str) -> tuple[int, list[tuple[str, int, int]]]:
    """The DATASEC of a section of data in that BTF: its id (0 for none) and variables as (name, offset, size)."""
    for t in Btf.parse(raw).find_all(section, Kind.DATASEC):
        if isinstance(t, Datasec):
            return t.id, [(v.name, offset, size) for v, offset, size in t.vars if isinstance(v, (Var, Func))]
    return 0, []
