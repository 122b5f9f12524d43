"""The arguments that tracing programs get: names and BTF types, from the kernel's BTF."""

from __future__ import annotations

from ..errors import BtfError
from ..uapi import AttachType, ProgType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..btf import Btf, Type

_RAW = (ProgType.RAW_TRACEPOINT, ProgType.RAW_TRACEPOINT_WRITABLE)
_STRUCT, _TYPEDEF, _FUNC = 4, 8, 12  # BTF_KIND_STRUCT, BTF_KIND_TYPEDEF, BTF_KIND_FUNC


def arguments(prog_type: int, attach_type: int | None, target: str) -> list[tuple[str, Type]]:
    """(name, type) of each argument of the function, event, hook, iterator or "structure/member" `target`, in order.

    BtfError when the kernel has no such target, OSError when it has no BTF.
    """
    from ..btf import Btf

    btf = Btf.kernel()
    if prog_type in _RAW or attach_type == AttachType.TRACE_RAW_TP:
        event = target.split("/")[-1]
        params = list(_find(btf, "btf_trace_", event, _TYPEDEF).type.type.params)[1:]
        names = _event_names(btf, event)
        return [(n or (names[i] if i < len(names) else f"arg{i}"), t) for i, (n, t) in enumerate(params)]
    if prog_type == ProgType.STRUCT_OPS:
        return _of_member(btf, *target.partition("/")[::2])
    prefix = "bpf_lsm_" if prog_type == ProgType.LSM else "bpf_iter_" if attach_type == AttachType.TRACE_ITER else ""
    function = _find(btf, prefix, target.removeprefix(prefix), _FUNC)
    return [(name or f"arg{i}", type_) for i, (name, type_) in enumerate(function.params)]


def _find(btf: Btf, prefix: str, name: str, kind: int) -> Any:
    try:
        return btf.find(prefix + name, kind)
    except BtfError:
        raise BtfError(f"this kernel's BTF has no {KINDS[prefix]} {name!r}{similar(btf, prefix, name, kind)}") from None


KINDS = {"btf_trace_": "tracepoint", "bpf_lsm_": "LSM hook", "bpf_iter_": "iterator", "": "function"}
"""What may be traced, by how its name begins in BTF."""


def similar(btf: Btf, prefix: str, name: str, kind: int) -> str:
    """A hint at names like one that BTF does not have; "" when there are none."""
    import re
    from difflib import get_close_matches

    begin = f"{prefix}{name[: 0 if prefix else 2]}".encode()
    found = re.findall(rb"(?<=\0)" + re.escape(begin) + rb"\w*(?=\0)", btf.raw)
    names = [text.decode().removeprefix(prefix) for text in found]
    near = [one for one in get_close_matches(name, names, 6) if btf.find_all(prefix + one, kind)][:3]
    return f"; did you mean {' or '.join(near)}?" if near else ""


def void(prog_type: int, target: str) -> bool:
    """Whether the hook or "structure/member" `target` returns nothing; False where that is not known."""
    from ..btf import Btf

    try:
        if prog_type == ProgType.STRUCT_OPS:
            prototype = _member(Btf.kernel(), *target.partition("/")[::2]).type
        else:
            prototype = _find(Btf.kernel(), "bpf_lsm_", target, _FUNC).type
    except (BtfError, OSError):
        return False
    return bool(prototype.type_id == 0)


def _of_member(btf: Btf, structure: str, member: str) -> list[tuple[str, Type]]:
    """The arguments of a function that a structure has a pointer to; in BTF they mostly have no names."""
    pointer = _member(btf, structure, member)
    return [(name or f"arg{i}", type_) for i, (name, type_) in enumerate(pointer.type.params)]


def _member(btf: Btf, structure: str, member: str) -> Any:
    if not member:
        raise BtfError(
            f"name the structure and its member, as in tcp_congestion_ops/ssthresh, and not {structure} alone"
        )
    members = btf.find(structure, _STRUCT).members  # type: ignore[attr-defined]
    pointer = next((m.type.stripped for m in members if m.name == member), None)
    if pointer is None:
        raise BtfError(f"the structure {structure} has no member {member!r}")
    return pointer


def _event_names(btf: Btf, event: str) -> list[str]:
    """The names of a tracepoint's arguments: those of the function that BTF has for it, if any (Linux 5.5)."""
    for prefix in ("__bpf_trace_", "__traceiter_"):
        try:
            return [name for name, _ in btf.find(f"{prefix}{event}", _FUNC).params][1:]  # type: ignore[attr-defined]
        except BtfError:
            continue
    return []


__all__ = ("KINDS", "arguments", "similar")
