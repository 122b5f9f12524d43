# ruff: noqa: A001 (type and id are the words of this field, here and in struct bpf_reg_state)
"""Loads and stores: what each kind of pointer lets a program access, and what a load gives."""

from __future__ import annotations

from ...btf.fields import KPTRS, NODES, RCU_PROTECTED, Special
from ...kernel.capabilities import for_field
from ...uapi.map import MapFlags, MapType
from ...uapi.prog import ProgType
from ..maps import MAX_OFFSET, Map
from ..numbers import tnum
from ..numbers.num import S64_MIN, s64
from ..reject import Reject
from ..values import (
    ALLOC,
    ANY,
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
    NAMES,
    NON_OWN,
    PACKETS,
    PERCPU,
    PKT,
    PKT_END,
    PKT_META,
    RCU,
    RDONLY,
    SCALAR,
    SOCK_COMMON,
    SOCKET,
    SOCKETS,
    STACK,
    TP_BUFFER,
    TRUSTED,
    UNTRUSTED,
    Reg,
    scalar,
    type_name,
)
from . import btfwalk, sockets, stack
from .pointers import area, check_unmodified

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..explore import Run
    from ..state import State

READ, WRITE = False, True
_CONTEXT_KINDS = {
    "scalar": SCALAR,
    "pkt": PKT,
    "pkt_meta": PKT_META,
    "pkt_end": PKT_END,
    "flow_keys": FLOW_KEYS,
    "sock": SOCKET,
    "sock_or_null": SOCKET | MAYBE_NULL,
    "sock_common_or_null": SOCK_COMMON | MAYBE_NULL,
    "sock_common": SOCK_COMMON,
    "tp_buffer": TP_BUFFER,
}
_ALIGNED_AS = {
    FLOW_KEYS: "flow keys ",
    MAP_KEY: "key ",
    MAP_VALUE: "value ",
    CTX: "context ",
    STACK: "stack ",
    SOCKET: "sock ",
    SOCK_COMMON: "sock_common ",
}


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


def negative(regno: int) -> Reject:
    return Reject(
        "bounds-memory",
        f"R{regno} min value is negative, either use unsigned index or do a if (index >=0) check.",
        hint="make the index unsigned, or check that it is not negative",
        regs=(regno,),
    )


def check_alignment(run: Run, reg: Reg, off: int, size: int, strict: bool) -> None:
    """Stack accesses are aligned; others too when the program was loaded so."""
    type = reg.type
    strict = strict or run.setting.strict_alignment
    kind = type & KIND
    if size == 1 or not (strict or kind == STACK) or kind == ARENA:
        return
    total = reg.off + off
    what = _ALIGNED_AS.get(kind, "")
    if kind in PACKETS:
        total += 2  # the network header, behind an Ethernet header, is what is aligned
        what = "packet "
    if not tnum.aligned(tnum.add(reg.num.tnum, (total & tnum.U64, 0)), size):
        shown = tnum.text(reg.num.tnum)
        raise Reject(
            "alignment",
            f"misaligned {what}access off {shown}+{reg.off}+{off} size {size}",
            hint=f"an access of {size} bytes needs an address that is a multiple of {size}",
        )


def check_packet(reg: Reg, regno: int, off: int, size: int, zero_ok: bool = False) -> None:
    """The access lies within what a comparison with the packet's end has shown to be there."""
    if reg.num.smin < 0:
        error = negative(regno)
        error.category = "bounds-packet"
        raise error
    reach = reg.data
    if reach < 0 or off < 0 or off + size > reach or not (size or zero_ok):
        raise Reject(
            "bounds-packet",
            f"R{regno} offset is outside of the packet: off={off} size={size}, checked up to {max(reach, 0)}",
            hint=f"compare the pointer plus {max(off + size, 1)} with data_end first, "
            "and access on the side where it is not greater",
            regs=(regno,),
        )


def check_region(reg: Reg, regno: int, off: int, size: int, length: int, zero_ok: bool = False) -> None:
    """The access lies within `length` bytes, wherever in its bounds the offset is."""
    smin = reg.num[4]
    category = area(reg.type)
    if smin < 0 and (smin == S64_MIN or not -(1 << 31) <= off + smin < 1 << 31 or smin + off < 0):
        error = negative(regno)
        error.category = category
        raise error
    fits = size > 0 or (size == 0 and zero_ok)
    name = NAMES[reg.type & KIND]
    low = smin + off
    if not fits or low < 0 or low + size > length:
        raise Reject(
            category,
            f"R{regno} min value is outside of the allowed memory range: {name} has {length} bytes, off={low} size={size}",
            hint=f"accesses must stay within the {length} bytes",
            regs=(regno,),
        )
    umax = reg.num[3]
    if umax >= MAX_OFFSET:
        raise Reject(
            category,
            f"R{regno} unbounded memory access, make sure to bounds check any such access",
            hint="bound the index before it is added: `index &= mask`, or `if index < size`",
            regs=(regno,),
        )
    high = umax + off
    if high < 0 or high + size > length:
        raise Reject(
            category,
            f"R{regno} max value is outside of the allowed memory range: {name} has {length} bytes, off={high} size={size}",
            hint=f"the index may be as large as {umax}: bound it so that the access stays within the {length} bytes",
            regs=(regno,),
        )


def check_map_region(reg: Reg, regno: int, off: int, size: int, zero_ok: bool, direct: bool) -> None:
    """The access lies within a map's value and does not touch its special fields."""
    target: Map = reg.data
    check_region(reg, regno, off, size, target.value_size, zero_ok)
    low, high = reg.num.smin + off, reg.num.umax + off + size
    for field in target.specials:
        if low < field.offset + field.size and field.offset < high:
            _check_special(field, reg, off, size, direct)


def _check_special(field: Special, reg: Reg, off: int, size: int, direct: bool) -> None:
    if field.kind not in KPTRS:
        name = f"bpf_{field.kind}"
        raise Reject("type", f"{name} cannot be accessed directly by load/store", hint="use the functions made for it")
    if not direct:
        raise Reject("argument", "kptr cannot be accessed indirectly by helper")
    if not reg.fixed:
        raise Reject("type", "kptr access cannot have variable offset")
    at = off + s64(reg.num.value)
    if at != field.offset:
        raise Reject("type", f"kptr access misaligned expected={field.offset} off={at}")
    if size != 8:
        raise Reject("type", "kptr access size must be BPF_DW")


def check_map_access(target: Map, off: int, size: int, write: bool) -> None:
    if write and not target.program_writes:
        text = f"write into map forbidden, value_size={target.value_size} off={off} size={size}"
        raise Reject("type", text, hint="the map was created read-only for programs")
    if not write and not target.program_reads:
        text = f"read from map forbidden, value_size={target.value_size} off={off} size={size}"
        raise Reject("type", text, hint="the map was created write-only for programs")


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


def context(run: Run, off: int, size: int, write: bool) -> Reg | None:
    """An access to the program's context."""
    key = (off, size, write)
    try:
        known = run.context_cache[key]
    except KeyError:
        known = run.context_cache[key] = _context(run, off, size, write)
    if known is None:
        raise context_refused(run, off, size)
    if known.type & MAYBE_NULL:
        return known.replace(id=run.new_id())
    return known


def context_refused(run: Run, off: int, size: int) -> Reject:
    """The context has no such field for this program, or not in this form."""
    return Reject("ctx-access", f"invalid bpf_context access off={off} size={size}", hint=_context_hint(run, off))


def _context(run: Run, off: int, size: int, write: bool) -> Reg | None:
    rules = run.setting.program_rules.context
    if run.setting.prog_type in (ProgType.TRACING, ProgType.LSM, ProgType.STRUCT_OPS, ProgType.EXT):
        return btfwalk.argument(run, off, size, write)
    if off < 0 or off % size:
        return None
    field = rules.at(off)
    needed = for_field(run.setting.prog_type, field[0].name, write) if field is not None else None
    if needed is not None and needed not in run.setting.capabilities:
        return None
    if write:
        return ANY if rules.store(off, size) else None
    kind = rules.load(off, size)
    if kind is None:
        return None
    if kind in _CONTEXT_KINDS:
        type = _CONTEXT_KINDS[kind]
        if type == SCALAR:
            return LOADED[size]
        return Reg(type, data=0 if type in PACKETS else None)
    word, _, struct = kind.partition("ptr_")
    flags = {"trusted_": TRUSTED, "untrusted_": UNTRUSTED, "rcu_": RCU}.get(word, 0)
    if struct.startswith("or_null_"):
        struct, flags = struct.removeprefix("or_null_"), flags | MAYBE_NULL
    return Reg(BTF_ID | flags, data=("kernel", struct))


def _context_hint(run: Run, off: int) -> str:
    rules = run.setting.program_rules.context
    found = rules.at(off)
    if found is None:
        return (
            f"this program type's context{f' (struct {rules.name})' if rules.name else ''} has nothing to access there"
        )
    field = found[0]
    how = "read and written" if field.writable else "read"
    if not field.readable and not field.writable:
        return f"this program type may not access the field {field.name!r}"
    return f"the field {field.name!r} there has {field.size} bytes at offset {field.offset} and can be {how}"


def fixed_buffer(name: str, reg: Reg, regno: int, off: int) -> None:
    if off < 0:
        raise Reject("bounds-memory", f"R{regno} invalid {name} buffer access: off={off}", regs=(regno,))
    if reg.num[1] or reg.num[0]:
        text = f"R{regno} invalid variable buffer offset: off={off}, var_off={tnum.text(reg.num.tnum)}"
        raise Reject("bounds-memory", text, regs=(regno,))


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
