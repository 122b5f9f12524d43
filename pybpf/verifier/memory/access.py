# ruff: noqa: A001 (type and id are the words of this field, here and in struct bpf_reg_state)
"""Loads and stores: what each kind of pointer lets a program access, and what a load gives."""

from __future__ import annotations

from ...btf.fields import KPTRS, NODES, RCU_PROTECTED, Special
from ...uapi.map import MapFlags, MapType
from ..maps import Map
from ..numbers.num import s64
from ..reject import Reject
from ..values import (
    ALLOC,
    ARENA,
    BTF_ID,
    BUF,
    CTX,
    FLOW_KEYS,
    KIND,
    LOADED,
    MAP_KEY,
    MAP_PTR,
    MAP_VALUE,
    MAYBE_NULL,
    MEM,
    NON_OWN,
    PACKETS,
    PERCPU,
    RCU,
    RDONLY,
    SCALAR,
    SOCKETS,
    STACK,
    TP_BUFFER,
    UNTRUSTED,
    Reg,
    scalar,
    type_name,
)
from . import btfwalk, sockets, stack
from .bounds import (
    check_alignment,
    check_map_access,
    check_map_region,
    check_packet,
    check_region,
    fixed_buffer,
    negative,
)
from .context import context
from .pointers import check_unmodified

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..explore import Run
    from ..state import State

_LEAKS = {MAP_VALUE: "map", CTX: "ctx", FLOW_KEYS: "flow keys"}


def access(
    run: Run,
    state: State,
    regno: int,
    off: int,
    size: int,
    write: bool,
    value: Reg | None = None,
    source: int = -1,
    into: bool = True,
    strict: bool = False,
) -> Reg | None:
    """Check an access through register `regno` and do it: the loaded value (before narrowing), or None after a store.

    A store writes `value`, held by register `source` (-1: a constant, or nobody knows what).  `into` is False for a load
    whose result goes nowhere.
    """
    reg = state.frames[-1].regs[regno]
    type = reg.type
    kind = type & KIND
    check_alignment(run, reg, off, size, strict)
    off += reg.off
    if type == STACK:
        stack.check_within(run, reg, regno, off, size, write)
        if write:
            stack.write(run, state, reg, regno, off, size, value, source)
            return None
        return stack.read(run, state, reg, regno, off, size, into)
    leaks = write and source >= 0 and value is not None and value.type != SCALAR
    if leaks and type in _LEAKS:
        run.privileged_only(f"R{source} leaks addr into {_LEAKS[type]}")
    if type == MAP_VALUE:
        return _map_value(run, state, reg, regno, off, size, write, value, source, into)
    if type in PACKETS:
        return _packet(run, reg, regno, off, size, write, source if leaks else -1)
    if type == CTX:
        check_unmodified(reg, regno)
        return context(run, off, size, write)
    if type == MAP_KEY:
        if write:
            raise Reject("type", f"write to change key R{regno} not allowed", regs=(regno,))
        check_region(reg, regno, off, size, reg.data.key_size)
        return LOADED[size]
    if kind == MEM and not (type & MAYBE_NULL):
        return _memory(run, reg, regno, off, size, write, source if leaks else -1)
    if type == FLOW_KEYS:
        if off < 0 or off + size > sockets.FLOW_KEYS_SIZE:
            raise Reject("bounds-memory", f"invalid access to flow keys off={off} size={size}", regs=(regno,))
        return LOADED[size]
    if type in SOCKETS:
        return _socket(reg, regno, off, size, write)
    if type == TP_BUFFER:
        fixed_buffer("tracepoint", reg, regno, off)
        return LOADED[size]
    if kind == BTF_ID and not type & MAYBE_NULL:
        return btfwalk.access(run, state, reg, regno, off, size, write)
    if type == MAP_PTR:
        return _map_struct(run, reg, regno, off, size, write)
    if kind == BUF and not type & MAYBE_NULL:
        if write and type & RDONLY:
            raise Reject("type", f"R{regno} cannot write into {type_name(type)}", regs=(regno,))
        fixed_buffer("rdonly" if type & RDONLY else "rdwr", reg, regno, off)
        return LOADED[size]
    if type == ARENA:
        return LOADED[size]
    raise bad_pointer(reg, regno)


def _packet(run: Run, reg: Reg, regno: int, off: int, size: int, write: bool, leaks: int) -> Reg:
    """`leaks` is the register whose address would be written; -1 for none."""
    if write and "w" not in run.packet_access:
        raise Reject("type", "cannot write into packet", hint="this program type may only read the packet")
    if leaks >= 0:
        run.privileged_only(f"R{leaks} leaks addr into packet")
    check_packet(reg, regno, off, size)
    return LOADED[size]


def _memory(run: Run, reg: Reg, regno: int, off: int, size: int, write: bool, leaks: int) -> Reg:
    type = reg.type
    if write and type & RDONLY:
        raise Reject("type", f"R{regno} cannot write into {type_name(type)}", regs=(regno,))
    if leaks >= 0:
        run.privileged_only(f"R{leaks} leaks addr into mem")
    if not (type & RDONLY and type & UNTRUSTED):
        check_region(reg, regno, off, size, reg.data)
    return LOADED[size]


def _socket(reg: Reg, regno: int, off: int, size: int, write: bool) -> Reg:
    if write:
        raise Reject("type", f"R{regno} cannot write into {type_name(reg.type)}", regs=(regno,))
    if reg.num.smin < 0:
        raise negative(regno)
    if not sockets.readable(reg.type, off, size):
        text = f"R{regno} invalid {type_name(reg.type)} access off={off} size={size}"
        raise Reject("bounds-memory", text, regs=(regno,))
    return LOADED[size]


def bad_pointer(reg: Reg, regno: int) -> Reject:
    """The register is nothing that memory can be accessed through."""
    name = type_name(reg.type)
    text = f"R{regno} invalid mem access '{name}'"
    if reg.type & MAYBE_NULL:
        return Reject(
            "null", text, hint="compare the pointer with NULL first, and use it where it is not", regs=(regno,)
        )
    hint = (
        f"R{regno} is 0 on this path, which is NULL: go on only where the pointer is not 0"
        if reg.null
        else "this is a number, not a pointer: pointers are lost when they are truncated, or computed from numbers"
        if reg.type == SCALAR
        else f"nothing can be read or written through a {name}"
    )
    return Reject("type", text, hint=hint, regs=(regno,))


def _map_value(
    run: Run,
    state: State,
    reg: Reg,
    regno: int,
    off: int,
    size: int,
    write: bool,
    value: Reg | None,
    source: int,
    into: bool,
) -> Reg | None:
    target: Map = reg.data
    check_map_access(target, off, size, write)
    check_map_region(reg, regno, off, size, False, True)
    at = off + s64(reg.num.value)
    if target.specials and reg.fixed:
        for field in target.specials:
            if field.kind in KPTRS and field.offset == at:
                return _kptr(run, state, field, write, value, source)
    if not write and into and reg.fixed and target.flags & MapFlags.RDONLY_PROG and target.frozen_contents is not None:
        raw = target.frozen_contents[at : at + size]
        if len(raw) == size and target.type == MapType.ARRAY:
            return scalar(int.from_bytes(raw, "little"))
    return LOADED[size]


def _kptr(run: Run, state: State, field: Special, write: bool, value: Reg | None, source: int) -> Reg | None:
    """A pointer to a kernel object, stored in a map."""
    if run.atomic:
        raise Reject("type", "kptr in map can only be accessed using BPF_MEM instruction mode")
    if write and field.kind in ("kptr", "kptr_percpu"):
        raise Reject("type", "store to referenced kptr disallowed", hint="use bpf_kptr_xchg")
    if write and field.kind == "uptr":
        raise Reject("type", "store to uptr disallowed")
    if not write:
        flags = MAYBE_NULL
        safe = field.kind == "kptr_percpu" or (field.kind == "kptr" and (field.local or field.struct in RCU_PROTECTED))
        if safe and run.in_rcu(state):
            flags |= RCU | (PERCPU if field.kind == "kptr_percpu" else ALLOC if field.local else 0)
            if field.local and any(one.kind in NODES for one in run.object_fields(field.struct)):
                flags |= NON_OWN
        else:
            flags |= UNTRUSTED
        return Reg(BTF_ID | flags, id=run.new_id(), data=("program" if field.local else "kernel", field.struct))
    if source >= 0:
        assert value is not None
        if not value.null:
            btfwalk.check_kptr_store(run, field, value, source)
    elif value is None or not value.null:
        raise Reject("type", f"BPF_ST imm must be 0 when storing to kptr at off={field.offset}")
    return None


def _map_struct(run: Run, reg: Reg, regno: int, off: int, size: int, write: bool) -> Reg | None:
    """A load from the kernel's own description of a map (struct bpf_map, or what embeds it)."""
    name = btfwalk.MAP_STRUCTS.get(reg.data.type)
    if name is None:
        raise Reject("type", f"map_ptr access not supported for map type {reg.data.type}", regs=(regno,))
    run.privileged_only(f"R{regno} invalid mem access 'map_ptr'")
    if off < 0:
        raise Reject("bounds-memory", f"R{regno} is {name} invalid negative access: off={off}", regs=(regno,))
    if write:
        raise Reject("type", f"only read from {name} is supported", regs=(regno,))
    return btfwalk.load(run, ("kernel", name), off, size)
