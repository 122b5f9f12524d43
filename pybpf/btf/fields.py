"""The special fields of a map's values: locks, timers, lists, pointers that the kernel keeps for programs.

The kernel finds them by the names of their types in the BTF of the value, and so does everybody here.
"""

from __future__ import annotations

from .kinds import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ..spec import MapSpec
    from .btf import Btf
    from .types import Type

SPECIAL = {
    "bpf_spin_lock": ("spin_lock", 4),
    "bpf_res_spin_lock": ("res_spin_lock", 4),
    "bpf_timer": ("timer", 16),
    "bpf_wq": ("wq", 16),
    "bpf_list_head": ("list_head", 16),
    "bpf_list_node": ("list_node", 24),
    "bpf_rb_root": ("rb_root", 16),
    "bpf_rb_node": ("rb_node", 32),
    "bpf_refcount": ("refcount", 4),
    "bpf_task_work": ("task_work", 8),
}
"""Name of the type -> (kind, size in bytes)."""
_POINTERS = {"kptr_untrusted": "kptr_unref", "kptr": "kptr", "percpu_kptr": "kptr_percpu", "uptr": "uptr"}
KPTRS = frozenset(_POINTERS.values())
LOCKS = ("spin_lock", "res_spin_lock")
NODES = ("list_node", "rb_node")
RCU_PROTECTED = frozenset(("prog_test_ref_kfunc", "cgroup", "bpf_cpumask", "task_struct", "bpf_crypto_ctx", "css_set"))
"""Kernel structures whose kptrs may be used in an RCU section without being taken out of their map."""
_MAX_DEPTH = 4
_MAX_ARRAY = 64  # elements of an array that are looked at; the kernel takes no more special fields than some dozens


class Special:
    """A special field: `kind`, `offset` and `size` in bytes.

    A kptr also has the `struct` that it points to, by name, and whether it is the program's own (`local`), not the kernel's.
    A list's head and a tree's root have the `struct` of their nodes and, as `node`, the member that links these.
    """

    __slots__ = ("kind", "local", "node", "offset", "size", "struct")

    def __init__(
        self, kind: str, offset: int, size: int, struct: str = "", local: bool = False, node: str = ""
    ) -> None:
        self.kind = kind
        self.offset = offset
        self.size = size
        self.struct = struct
        self.local = local
        self.node = node


def special_fields(spec: MapSpec, kernel: Btf | None = None) -> tuple[Special, ...]:
    """The special fields of a map's value by offset: from its BTF, or else from its Python type.  BtfError for BTF that
    cannot be read.  `kernel` is the kernel's BTF, where it is known: see `fields_of_type`.
    """
    if spec.btf and spec.btf_value:
        from . import Btf

        btf = spec.btf if isinstance(spec.btf, Btf) else Btf.parse(spec.btf)
        return fields_of_type(btf.type(spec.btf_value), kernel)
    return fields_of(spec.value)


def fields_of_type(declared: Type, kernel: Btf | None = None) -> tuple[Special, ...]:
    """The special fields of a structure or of a section of variables, by offset.

    Whether a kptr's structure is the program's own, the kernel decides by looking among its own types first.
    """
    declared = declared.stripped
    found: list[Special] = []
    if declared.kind == Kind.DATASEC:
        for var, offset, _ in declared.vars:  # type: ignore[attr-defined]
            if var.kind == Kind.VAR:
                found += _of(var.type, offset, kernel, 0, _Tags(var.btf, var.id))
    elif declared.kind == Kind.STRUCT:
        found += _members(declared, 0, kernel, 0)
    return tuple(sorted(found, key=lambda field: field.offset))


def fields_of(type_: Any) -> tuple[Special, ...]:
    """The special fields of values of a Python type, by offset."""
    found: list[Special] = []
    if isinstance(type_, type) and hasattr(type_, "_fields_"):
        _of_ctype(type_, 0, found)
    return tuple(sorted(found, key=lambda field: field.offset))


class _Tags:
    """The tags of a variable, or of a structure's members."""

    def __init__(self, btf: Btf, owner: int) -> None:
        self.btf = btf
        self.owner = owner

    def contains(self, component: int = -1) -> tuple[str, str]:
        """What a list or tree is declared to hold: the structure of its nodes, and their linking member."""
        for tag in self.btf.own_types():
            if tag.kind == Kind.DECL_TAG and tag.type_id == self.owner and tag.component == component:  # type: ignore[attr-defined]
                word, _, rest = tag.name.partition(":")
                struct, _, node = rest.partition(":")
                if word == "contains":
                    return struct, node
        return "", ""


def _members(struct: Any, base: int, kernel: Btf | None, depth: int) -> Iterator[Special]:
    tags = _Tags(struct.btf, struct.id)
    for i, member in enumerate(struct.members):
        yield from _of(member.type, base + member.bit_offset // 8, kernel, depth, tags, i)


def _of(declared: Type, at: int, kernel: Btf | None, depth: int, tags: _Tags, component: int = -1) -> Iterator[Special]:
    inner: Any = declared.stripped
    count = 1
    while inner.kind == Kind.ARRAY:
        count *= inner.count
        inner = inner.element.stripped
    if count > _MAX_ARRAY:
        return
    for i in range(count):
        if inner.kind == Kind.STRUCT:
            offset = at + i * inner.size
            if inner.name in SPECIAL:
                kind, size = SPECIAL[inner.name]
                struct, node = tags.contains(component) if kind in ("list_head", "rb_root") else ("", "")
                yield Special(kind, offset, size, struct, node=node)
            elif depth < _MAX_DEPTH:
                yield from _members(inner, offset, kernel, depth + 1)
        elif inner.kind == Kind.PTR:
            tag = inner.type
            if tag.kind == Kind.TYPE_TAG and tag.name in _POINTERS:
                target = tag.type.stripped
                yield Special(_POINTERS[tag.name], at + i * 8, 8, target.name, local=_is_local(target, kernel))


def _is_local(target: Any, kernel: Btf | None) -> bool:
    """Whether a kptr's structure is the program's own: the kernel looks for the name among its own types first."""
    if kernel is not None:
        return not kernel.find_all(target.name, Kind.STRUCT)
    return target.kind != Kind.FWD and target.size > 0 and target.name not in RCU_PROTECTED


def _of_ctype(struct: Any, base: int, found: list[Special]) -> None:
    from ctypes import sizeof

    declared = getattr(struct, "_types_", {})
    for name, inner, *_ in struct._fields_:
        offset = base + getattr(struct, name).offset
        pointee = getattr(declared.get(name), "pointee", None)
        if pointee is not None:
            found.append(Special("kptr", offset, 8, pointee))
        count = 1
        while hasattr(inner, "_length_") and hasattr(inner, "_type_"):
            count, inner = count * inner._length_, inner._type_
        if count > _MAX_ARRAY or not hasattr(inner, "_fields_"):
            continue
        step = sizeof(inner)
        for i in range(count):
            if inner.__name__ in SPECIAL:
                kind, size = SPECIAL[inner.__name__]
                found.append(Special(kind, offset + i * step, size))
            else:
                _of_ctype(inner, offset + i * step, found)


__all__ = (
    "KPTRS",
    "SPECIAL",
    "Special",
    "LOCKS",
    "NODES",
    "RCU_PROTECTED",
    "fields_of",
    "fields_of_type",
    "special_fields",
)
