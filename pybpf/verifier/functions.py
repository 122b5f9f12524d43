# ruff: noqa: A001 (type and id are the words of this field, here and in struct bpf_reg_state)
"""The functions of a program as its BTF describes them: which are global, what they take, what they give."""

from __future__ import annotations

from ..btf.kinds import Kind
from ..errors import BtfError
from .reject import Reject
from .values import (
    ANY,
    ARENA,
    CTX,
    DYNPTR,
    MAYBE_NULL,
    MEM,
    SCALAR,
    STACK,
    UNTRUSTED,
    Reg,
    type_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..btf import Btf
    from .explore import Run
    from .state import State

GLOBAL = 1


class Argument:
    """One argument of a global function: `kind` ("number", "ctx", "mem", "dynptr", "arena"), `size` of memory, `nullable`."""

    __slots__ = ("kind", "nullable", "size")

    def __init__(self, kind: str, size: int = 0, nullable: bool = False) -> None:
        self.kind = kind
        self.size = size
        self.nullable = nullable


class Function:
    """A subprogram: `name`, `linkage` (0 static, 1 global), and for global ones `arguments`."""

    def __init__(self, subprog: int, name: str = "", linkage: int = 0) -> None:
        self.subprog = subprog
        self.name = name
        self.linkage = linkage
        self.arguments: tuple[Argument, ...] = ()
        self.returns_void = False

    @property
    def is_global(self) -> bool:
        return self.linkage == GLOBAL and self.subprog > 0


_CONTEXT_STRUCTS = frozenset(
    (
        "__sk_buff",
        "xdp_md",
        "bpf_sock",
        "bpf_sock_addr",
        "bpf_sock_ops",
        "sk_msg_md",
        "bpf_raw_tracepoint_args",
        "pt_regs",
        "bpf_user_pt_regs_t",
        "user_pt_regs",
        "bpf_perf_event_data",
        "bpf_cgroup_dev_ctx",
        "bpf_sysctl",
        "bpf_sockopt",
        "sk_reuseport_md",
        "bpf_sk_lookup",
        "bpf_nf_ctx",
    )
)


def describe(run: Run, subprog: int) -> Function:
    """What BTF says of a subprogram; without BTF, it is static."""
    info = run.setting.spec.func_info
    btf = run.program_btf()
    if not info or btf is None or subprog >= len(info):
        return Function(subprog)
    try:
        found = btf.type(int(info[subprog][1]))
        if found.kind != Kind.FUNC:
            raise Reject("btf", f"type {found.id} of func_info is not a function")
        function = Function(subprog, found.name, found.vlen)
        if function.linkage == GLOBAL:
            proto = found.type
            function.returns_void = proto.type_id == 0
            if subprog:
                function.arguments = tuple(_arguments(btf, found, proto))
    except BtfError as error:
        raise Reject("btf", f"func_info: {error}") from None
    return function


def _arguments(btf: Btf, func, proto) -> list[Argument]:  # type: ignore[no-untyped-def]
    tags: dict[int, set[str]] = {}
    for type in btf.own_types():
        if type.kind == Kind.DECL_TAG and type.type_id == func.id:
            tags.setdefault(type.component, set()).add(type.name)  # type: ignore[attr-defined]
    found = []
    if len(proto.params) > 5:
        raise Reject("btf", f"Global function {func.name}() with {len(proto.params)} > 5 args. Buggy compiler.")
    for i, (_, type) in enumerate(proto.params):
        words = tags.get(i, set())
        type = type.stripped
        if type.kind in (Kind.INT, Kind.ENUM, Kind.ENUM64):
            found.append(Argument("number"))
        elif type.kind == Kind.PTR:
            target = type.type
            name = target.name or target.stripped.name
            target = target.stripped
            if "arg:ctx" in words or target.name in _CONTEXT_STRUCTS or name in _CONTEXT_STRUCTS:
                found.append(Argument("ctx"))
            elif target.name == "bpf_dynptr":
                found.append(Argument("dynptr"))
            elif "arg:arena" in words:
                found.append(Argument("arena"))
            elif "arg:untrusted" in words:
                found.append(Argument("untrusted"))
            elif target.kind in (Kind.VOID, Kind.FWD, Kind.FUNC_PROTO):
                raise Reject("btf", f"Arg#{i} type PTR in {func.name}() is not supported yet")
            else:
                found.append(Argument("mem", target.size, "arg:nonnull" not in words))
        else:
            raise Reject("btf", f"Arg#{i} type {type.kind.name} in {func.name}() is not supported yet.")
    return found


def entry_registers(run: Run, function: Function) -> list[Reg]:
    """What a global function starts with, when it is checked by itself."""
    found = []
    for argument in function.arguments:
        if argument.kind == "number":
            found.append(ANY)
        elif argument.kind == "ctx":
            found.append(Reg(CTX))
        elif argument.kind == "dynptr":
            found.append(Reg(DYNPTR, id=run.new_id(), data="local"))
        elif argument.kind == "arena":
            found.append(Reg(ARENA))
        elif argument.kind == "untrusted":
            found.append(Reg(MEM | UNTRUSTED | 1 << 9, data=0))
        else:
            flags = MAYBE_NULL if argument.nullable else 0
            found.append(Reg(MEM | flags, id=run.new_id() if flags else 0, data=argument.size))
    return found


def check_arguments(run: Run, state: State, function: Function) -> None:
    """What a caller hands to a global function fits its prototype."""
    from .helpers import check_memory

    regs = state.frames[-1].regs
    for i, argument in enumerate(function.arguments):
        regno = i + 1
        reg = regs[regno]
        refused = f"Caller passes invalid args into func#{function.subprog} ('{function.name}')"
        if argument.kind == "number":
            if reg.type != SCALAR:
                raise Reject("argument", f"{refused}: R{regno} is not a scalar", regs=(regno,))
        elif argument.kind == "ctx":
            if reg.type != CTX or reg.off or reg.num[1] or reg.num[0]:
                raise Reject("argument", f"{refused}: R{regno} is not the context", regs=(regno,))
        elif argument.kind == "mem":
            if reg.null and argument.nullable:
                continue
            if reg.type & MAYBE_NULL and not argument.nullable:
                raise Reject("argument", f"{refused}: R{regno} may be NULL", regs=(regno,))
            try:
                if reg.type & MAYBE_NULL:
                    reg = regs[regno] = reg.replace(type=reg.type & ~MAYBE_NULL)
                check_memory(run, state, regno, argument.size, write=False, zero_ok=False)
                check_memory(run, state, regno, argument.size, write=True, zero_ok=False)
            except Reject as error:
                raise Reject("argument", f"{refused}: {error.message}", regs=(regno,)) from None
        elif argument.kind == "dynptr":
            if reg.type not in (STACK, DYNPTR):
                raise Reject("argument", f"{refused}: R{regno} is no dynptr ({type_name(reg.type)})", regs=(regno,))
        elif argument.kind == "arena" and reg.type not in (ARENA, SCALAR):
            raise Reject("argument", f"{refused}: R{regno} is not a pointer to arena or scalar", regs=(regno,))
