# ruff: noqa: A001 (type and id are the words of this field, here and in struct bpf_reg_state)
"""Which registers a helper's argument takes: by type, by structure, and with which offset."""

from __future__ import annotations

from ...kernel.helper_facts import (
    PLAIN_SOCKETS_ONLY,
    SOCKETS,
)
from ..memory.btfwalk import begins_with, check_kptr_store
from ..memory.pointers import check_unmodified
from ..reject import Reject
from ..values import (
    ALLOC,
    BTF_ID,
    BUF,
    CTX,
    DYNPTR,
    FUNC,
    KIND,
    MAP_KEY,
    MAP_PTR,
    MAP_VALUE,
    MAYBE_NULL,
    MEM,
    PERCPU,
    PKT,
    PKT_META,
    RCU,
    RDONLY,
    RINGBUF,
    SCALAR,
    SOCK_COMMON,
    SOCKET,
    STACK,
    TCP_SOCK,
    TRUSTED,
    XDP_SOCK,
    Reg,
    type_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...kernel import Arg
    from ..explore import Run
    from .arguments import Meta

_MEMORY = (STACK, PKT, PKT_META, MAP_KEY, MAP_VALUE, MEM, MEM | RINGBUF, BUF, BTF_ID | TRUSTED)
_SOCKS = (SOCK_COMMON, SOCKET, TCP_SOCK, XDP_SOCK)
_BTF = (BTF_ID, BTF_ID | TRUSTED, BTF_ID | RCU)

ACCEPTED: dict[str, tuple[int, ...]] = {
    "ctx": (CTX,),
    "map": (MAP_PTR,),
    "key": _MEMORY,
    "value": _MEMORY,
    "mem": _MEMORY,
    "fixed": _MEMORY,
    "size": (SCALAR,),
    "size0": (SCALAR,),
    "alloc_size": (SCALAR,),
    "sock": (*_SOCKS, BTF_ID, BTF_ID | TRUSTED),
    "socket": (SOCKET,),
    "btf": _BTF,
    "percpu_btf": (BTF_ID | PERCPU, BTF_ID | PERCPU | RCU, BTF_ID | PERCPU | TRUSTED),
    "lock": (MAP_VALUE, BTF_ID | ALLOC),
    "timer": (MAP_VALUE,),
    "kptr": (MAP_VALUE, BTF_ID | ALLOC),
    "func": (FUNC,),
    "stack": (STACK,),
    "str": (MAP_VALUE,),
    "record": (MEM | RINGBUF,),
    "dynptr": (STACK, DYNPTR),
    "dynptr_new": (STACK, DYNPTR),
    "dynptr_ringbuf": (STACK, DYNPTR),
}
"""Kind of argument -> the types of registers that it takes."""
_MAY_BE_ANY_KIND = frozenset((STACK, PKT, PKT_META, MAP_KEY, MAP_VALUE, MEM, BUF, SCALAR))


def check_type(run: Run, meta: Meta, reg: Reg, regno: int, arg: Arg, kind: str, accepted: tuple[int, ...]) -> None:
    type = reg.type
    if kind in ("mem", "fixed", "str") and not arg.writes:
        type &= ~RDONLY
    if arg.nullable:
        type &= ~MAYBE_NULL
    name = meta.helper.name
    if kind == "mem" and arg.writes and type & KIND == BTF_ID and type in accepted:
        text = f"bpf_{name}() may write into memory pointed by R{regno} type={type_name(reg.type)}"
        raise Reject("argument", text, hint="kernel objects are only read", regs=(regno,))
    if name == "kptr_xchg" and regno == 2 and type & ALLOC:
        type &= ~(ALLOC | PERCPU)
    if name in PLAIN_SOCKETS_ONLY:
        accepted = _SOCKS
    if name == "map_update_elem" and kind == "sock":
        accepted = (*_SOCKS, BTF_ID, BTF_ID | TRUSTED)
    if type not in accepted:
        wanted = ", ".join(type_name(t) for t in accepted)
        null = reg.type & MAYBE_NULL and reg.type & ~MAYBE_NULL in accepted
        hint = (
            "compare the pointer with NULL before the call"
            if null
            else f"argument {regno} ({arg.name}) of bpf_{name} is {_words(kind)}"
        )
        raise Reject("argument", f"R{regno} type={type_name(reg.type)} expected={wanted}", hint=hint, regs=(regno,))
    if name == "kptr_xchg" and regno == 2 and meta.field is not None:
        check_kptr_store(run, meta.field, reg, regno)
    # btf_id_sock_common_types: what stands for a socket begins with what all sockets have
    struct = arg.struct or ("sock_common" if kind == "sock" else "")
    if type & KIND == BTF_ID and kind in ("btf", "sock") and struct and reg.data is not None:
        _check_struct(run, reg, regno, struct)


def _check_struct(run: Run, reg: Reg, regno: int, struct: str) -> None:
    if run.setting.env.btf is None and reg.off == 0:
        name = reg.data[1]
        if name == struct or (struct == "sock_common" and name in SOCKETS):
            return
    if not begins_with(run, reg.data, struct, reg.off):
        text = f"R{regno} is of type {reg.data[1]} but {struct} is expected"
        raise Reject("argument", text, regs=(regno,))


def _words(kind: str) -> str:
    return {
        "ctx": "the program's context, as R1 was at the start",
        "map": "a map",
        "key": "memory that holds a key of the map",
        "value": "memory that holds a value of the map",
        "mem": "memory",
        "fixed": "memory",
        "size": "a number: the size of the memory",
        "size0": "a number: the size of the memory",
        "alloc_size": "a constant number",
        "record": "what bpf_ringbuf_reserve gave",
        "func": "a function of the program",
        "sock": "a socket",
    }.get(kind, f"a {kind}")


def check_offset(reg: Reg, regno: int, arg: Arg) -> None:
    """Which offsets a pointer may have when it is passed."""
    kind = reg.type & KIND
    if arg.releases:
        if arg.kind.startswith("dynptr") and kind == STACK:
            return
        if reg.off:
            raise Reject("argument", f"R{regno} must have zero offset when passed to release func", regs=(regno,))
        check_unmodified(reg, regno)
    elif kind in _MAY_BE_ANY_KIND:
        return
    else:
        check_unmodified(reg, regno, fixed_ok=kind == BTF_ID)
