"""What the arguments of an attachment point are, from the kernel's BTF."""

from __future__ import annotations

from ..btf.kinds import Kind
from ..errors import BtfError
from ..uapi.attach import AttachType
from ..uapi.prog import ProgType
from .reject import Reject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..btf import Btf, Type


def parameters(btf: Btf, prog_type: int, attach_type: int, target: str) -> tuple[tuple[str, Type], ...]:
    """The names and types of the arguments that a program at `target` finds in its context."""
    try:
        if prog_type == ProgType.STRUCT_OPS:
            return tuple(_member(btf, target).params)
        if prog_type == ProgType.TRACING and attach_type == AttachType.TRACE_RAW_TP:
            typedef: Any = btf.find(f"btf_trace_{target}", Kind.TYPEDEF)
            return tuple(typedef.stripped.type.stripped.params[1:])  # behind the tracepoint's own data
        prefix = "bpf_lsm_" if prog_type == ProgType.LSM else ""
        if prog_type == ProgType.TRACING and attach_type == AttachType.TRACE_ITER:
            prefix = "bpf_iter_"
        function: Any = btf.find(prefix + target.removeprefix(prefix), Kind.FUNC)
        return tuple(function.type.params)
    except BtfError:
        raise Reject("btf", f"the kernel has nothing called {target!r} to attach to") from None


def _member(btf: Btf, target: str) -> Any:
    """The prototype of a member of a structure of functions: "structure/member"."""
    struct, _, name = target.partition("/")
    found: Any = btf.find(struct, Kind.STRUCT)
    for member in found.members:
        if member.name == name:
            return member.type.stripped.type.stripped
    raise BtfError(f"{struct} has no member {name}")
