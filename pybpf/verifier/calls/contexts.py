"""Which pointers of a global function's prototype are the program's context: by the name of their structure, or by a tag.

The kernel's btf_is_prog_ctx_type and btf_validate_prog_ctx_type decide the same.
"""

from __future__ import annotations

from ...btf.kinds import Kind
from ...uapi.attach import AttachType
from ...uapi.prog import ProgType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..setting import Setting

_OF_KERNEL = {"__sk_buff": "sk_buff", "xdp_md": "xdp_buff"}
"""Contexts that untagged arguments may also call by the name of the kernel's own structure."""
_RAW_TRACEPOINTS = frozenset((ProgType.RAW_TRACEPOINT, ProgType.RAW_TRACEPOINT_WRITABLE))
_ANYTHING = frozenset((ProgType.TRACEPOINT, ProgType.SYSCALL, ProgType.EXT))
"""Programs that may tag a pointer to anything."""
_WORDS = frozenset((*_RAW_TRACEPOINTS, ProgType.TRACING, ProgType.LSM, ProgType.STRUCT_OPS))
"""Programs whose context is an array of 64-bit words."""
_RAW_ARGUMENTS = "bpf_raw_tracepoint_args"
_REGISTERS = "bpf_user_pt_regs_t"
_STRUCTS = {ProgType.KPROBE: "pt_regs", ProgType.PERF_EVENT: "pt_regs"}


def is_context(setting: Setting, target: Any) -> bool:
    """Whether an argument that no tag describes is the context; `target` is what it points to."""
    if setting.prog_type == ProgType.KPROBE and _typedef(target) == _REGISTERS:
        return True
    name = _name(setting)
    target = target.stripped
    return target.kind in (Kind.STRUCT, Kind.UNION) and target.name in {name, _OF_KERNEL.get(name, name)} - {""}


def may_be_tagged(setting: Setting, target: Any) -> bool:
    """Whether an argument may be tagged as the context."""
    kind = setting.prog_type
    plain = target.stripped
    if kind in _STRUCTS and (_typedef(target) == _REGISTERS or _is_struct(plain, _STRUCTS[ProgType(kind)])):
        return True
    if plain.kind == Kind.VOID or (kind in _ANYTHING and plain.name):
        return True
    if kind == ProgType.TRACING and setting.attach_type == AttachType.TRACE_ITER:
        return bool(plain.kind == Kind.STRUCT and plain.name.startswith("bpf_iter__"))
    traced = kind == ProgType.TRACING and setting.attach_type == AttachType.TRACE_RAW_TP
    if traced and _is_struct(plain, _RAW_ARGUMENTS):
        return True
    if kind in _WORDS and plain.kind == Kind.INT and plain.size == 8:
        return True
    return _is_struct(plain, _name(setting))


def _name(setting: Setting) -> str:
    """The structure that stands for the context of programs of this type; "" when it has none."""
    if setting.prog_type in _RAW_TRACEPOINTS:
        return _RAW_ARGUMENTS
    return setting.program_rules.context.name


def _is_struct(target: Any, name: str) -> bool:
    return bool(name) and target.kind == Kind.STRUCT and target.name == name


def _typedef(target: Any) -> str:
    """The name of the first typedef of a type, behind const and the like."""
    while target.kind in (Kind.CONST, Kind.VOLATILE, Kind.RESTRICT, Kind.TYPE_TAG):
        target = target.type
    return str(target.name) if target.kind == Kind.TYPEDEF else ""
