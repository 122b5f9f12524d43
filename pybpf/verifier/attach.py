# ruff: noqa: A001 (type and id are the words of this field, here and in struct bpf_reg_state)
"""What the arguments of an attachment point are, from the kernel's BTF."""

from __future__ import annotations

from ..btf.kinds import Kind
from ..errors import BtfError
from ..uapi.attach import AttachType
from ..uapi.prog import ProgType
from .reject import Reject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..btf import Btf, Type


def parameters(btf: Btf, prog_type: int, attach_type: int, target: str) -> tuple[Type, ...]:
    """The types of the arguments that a program at `target` finds in its context."""
    try:
        if prog_type == ProgType.TRACING and attach_type == AttachType.TRACE_RAW_TP:
            typedef = btf.find(f"btf_trace_{target}", Kind.TYPEDEF)
            proto = typedef.stripped.type.stripped
            skip = 1  # the tracepoint's own data
        else:
            name = f"bpf_lsm_{target}" if prog_type == ProgType.LSM and not target.startswith("bpf_lsm_") else target
            proto = btf.find(name, Kind.FUNC).type
            skip = 0
    except BtfError:
        raise Reject("btf", f"the kernel has nothing called {target!r} to attach to") from None
    return tuple(type for _, type in proto.params[skip:])  # type: ignore[attr-defined]
