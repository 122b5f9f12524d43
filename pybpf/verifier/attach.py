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
    from .setting import Setting


WITH_RESULT = frozenset((AttachType.TRACE_FEXIT, AttachType.MODIFY_RETURN, AttachType.LSM_MAC, AttachType.LSM_CGROUP))
"""Where the context has what the function gave behind its arguments."""


def parameters(btf: Btf, prog_type: int, attach_type: int, target: str) -> tuple[tuple[str, Type], ...]:
    """The names and types of the arguments that a program at `target` finds in its context."""
    prototype = _prototype(btf, prog_type, attach_type, target)
    params = list(prototype.params)
    if prog_type == ProgType.TRACING and attach_type == AttachType.TRACE_RAW_TP:
        params = params[1:]  # behind the tracepoint's own data
    if attach_type in WITH_RESULT and prototype.type_id:
        params.append(("", prototype.ret))  # btf_ctx_access: argument number nr_args
    return tuple(params)


def target_returns_void(setting: Setting) -> bool:
    """Whether what a program stands for returns nothing, so that the program need not either."""
    kind, target = setting.prog_type, setting.spec.attach_to
    if kind == ProgType.LSM and setting.attach_type == AttachType.LSM_CGROUP:
        return False
    if kind not in (ProgType.LSM, ProgType.STRUCT_OPS) or not isinstance(target, str) or setting.env.btf is None:
        return False
    return bool(_prototype(setting.env.btf, kind, setting.attach_type, target).type_id == 0)


_UNSUPPORTED = frozenset(("tcp_congestion_ops/get_info",))
"""Members that the owner of a structure lets no program stand for (bpf_tcp_ca_check_member)."""


def check_member(setting: Setting) -> None:
    """A program of type STRUCT_OPS stands for a function of a structure that the kernel has registered."""
    btf, target = setting.env.btf, setting.spec.attach_to
    if setting.prog_type != ProgType.STRUCT_OPS or not isinstance(target, str) or btf is None:
        return
    struct, _, name = target.partition("/")
    # registering one needs a type for the map's values, of which nothing else is made (bpf_struct_ops_desc_init)
    if not list(btf.find_all(f"bpf_struct_ops_{struct}", Kind.STRUCT)):
        raise Reject("btf", f"attach_btf_id of {struct!r} is not a supported struct")
    if _prototype(btf, setting.prog_type, setting.attach_type, target).kind != Kind.FUNC_PROTO:
        raise Reject("btf", f"attach to invalid member {name} of struct {struct}: it is no function")
    if target in _UNSUPPORTED:
        raise Reject("btf", f"attach to unsupported member {name} of struct {struct}")


def _prototype(btf: Btf, prog_type: int, attach_type: int, target: str) -> Any:
    found: Any
    try:
        if prog_type == ProgType.STRUCT_OPS:
            return _member(btf, target)
        if prog_type == ProgType.TRACING and attach_type == AttachType.TRACE_RAW_TP:
            found = btf.find(f"btf_trace_{target}", Kind.TYPEDEF)
            return found.stripped.type.stripped
        prefix = "bpf_lsm_" if prog_type == ProgType.LSM else ""
        if prog_type == ProgType.TRACING and attach_type == AttachType.TRACE_ITER:
            prefix = "bpf_iter_"
        found = btf.find(prefix + target.removeprefix(prefix), Kind.FUNC)
        return found.type
    except BtfError:
        raise Reject("btf", f"the kernel has nothing called {target!r} to attach to") from None


def _member(btf: Btf, target: str) -> Any:
    """The prototype of a member of a structure of functions: "structure/member"."""
    struct, _, name = target.partition("/")
    found: Any = btf.find(struct, Kind.STRUCT)
    for member in found.members:
        if member.name == name:
            pointer = member.type.stripped
            return pointer.type.stripped if pointer.kind == Kind.PTR else pointer
    raise BtfError(f"{struct} has no member {name}")
