"""The special fields of a map's values: locks, timers, lists, pointers that the kernel keeps for programs.

The kernel finds them by the names of their types in the BTF of the value, and so does everybody here.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..spec import MapSpec
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
_MOST = 64  # elements of an array that are looked at; the kernel takes no more special fields than some dozens


class Special:
    """A field that programs may not touch by loads and stores: `kind`, `offset` and `size` in bytes.

    A kptr also has the `struct` that it points to, by name, and whether the program's own BTF defines it (`local`).
    """

    __slots__ = ("kind", "local", "offset", "size", "struct")

    def __init__(self, kind: str, offset: int, size: int, struct: str = "", local: bool = False) -> None:
        self.kind = kind
        self.offset = offset
        self.size = size
        self.struct = struct
        self.local = local


def special_fields(spec: MapSpec) -> tuple[Special, ...]:
    """The special fields of a map's value by offset: from its BTF, or else from its Python type.  BtfError for BTF that
    cannot be read.
    """
    found: list[Special] = []
    if spec.btf and spec.btf_value:
        from . import Btf, Struct

        btf = spec.btf if isinstance(spec.btf, Btf) else Btf.parse(spec.btf)
        top = btf.type(spec.btf_value).stripped
        if isinstance(top, Struct):
            _of_btf(top, 0, found, 0)
    else:
        return fields_of(spec.value)
    return tuple(sorted(found, key=lambda field: field.offset))


def fields_of(type_: Any) -> tuple[Special, ...]:
    """The special fields of values of a Python type, by offset."""
    found: list[Special] = []
    if isinstance(type_, type) and hasattr(type_, "_fields_"):
        _of_ctype(type_, 0, found)
    return tuple(sorted(found, key=lambda field: field.offset))


def _of_btf(struct: Any, base: int, found: list[Special], depth: int) -> None:
    from . import Array, Struct

    for member in struct.members:
        offset = base + member.bit_offset // 8
        inner = member.type.stripped
        count = 1
        while isinstance(inner, Array):
            count *= inner.count
            inner = inner.element.stripped
        if count > _MOST:
            continue
        for i in range(count):
            if isinstance(inner, Struct):
                at = offset + i * inner.size
                if inner.name in SPECIAL:
                    kind, size = SPECIAL[inner.name]
                    found.append(Special(kind, at, size))
                elif depth < 4:
                    _of_btf(inner, at, found, depth + 1)
            elif inner.kind == 2:
                field = _kptr(inner, offset + i * 8)
                if field is not None:
                    found.append(field)


def _kptr(pointer: Type, offset: int) -> Special | None:
    tag = pointer.type
    if tag.kind != 18 or tag.name not in _POINTERS:
        return None
    target = tag.type.stripped
    return Special(_POINTERS[tag.name], offset, 8, target.name, local=target.kind != 7 and target.size > 0)


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
        if count > _MOST or not hasattr(inner, "_fields_"):
            continue
        step = sizeof(inner)
        for i in range(count):
            if inner.__name__ in SPECIAL:
                kind, size = SPECIAL[inner.__name__]
                found.append(Special(kind, offset + i * step, size))
            else:
                _of_ctype(inner, offset + i * step, found)


__all__ = ("KPTRS", "SPECIAL", "Special", "fields_of", "special_fields")
