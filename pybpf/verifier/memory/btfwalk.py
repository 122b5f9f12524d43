# ruff: noqa: A001 (type and id are the words of this field, here and in struct bpf_reg_state)
"""Pointers to the kernel's own objects, typed by BTF: what a load gives, and what may be stored.

A structure is named by `(space, name)`: space "kernel" is the kernel's BTF, "program" that of the program itself.
"""

from __future__ import annotations

from ...btf import Array, Struct
from ...btf.kinds import Kind
from ...kernel import targets
from ...uapi.attach import AttachType
from ...uapi.map import MapType
from ...uapi.prog import ProgType
from ..numbers.num import UNKNOWN, sync
from ..reject import Reject, Unsure
from ..values import (
    ALLOC,
    ANY,
    BTF_ID,
    BUF,
    LOADED,
    MAYBE_NULL,
    MEM,
    PERCPU,
    RCU,
    RDONLY,
    SCALAR,
    TRUSTED,
    UNTRUSTED,
    USER,
    Reg,
    type_name,
)
from .pointers import check_unmodified

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...btf import Btf
    from ...btf.fields import Special
    from ..explore import Run
    from ..state import State

MAP_STRUCTS = {
    MapType.HASH: "bpf_htab",
    MapType.PERCPU_HASH: "bpf_htab",
    MapType.LRU_HASH: "bpf_htab",
    MapType.LRU_PERCPU_HASH: "bpf_htab",
    MapType.HASH_OF_MAPS: "bpf_htab",
    MapType.ARRAY: "bpf_array",
    MapType.PERCPU_ARRAY: "bpf_array",
    MapType.PROG_ARRAY: "bpf_array",
    MapType.PERF_EVENT_ARRAY: "bpf_array",
    MapType.CGROUP_ARRAY: "bpf_array",
    MapType.ARRAY_OF_MAPS: "bpf_array",
    MapType.STACK_TRACE: "bpf_stack_map",
    MapType.LPM_TRIE: "lpm_trie",
    MapType.DEVMAP: "bpf_dtab",
    MapType.DEVMAP_HASH: "bpf_dtab",
    MapType.CPUMAP: "bpf_cpu_map",
    MapType.XSKMAP: "xsk_map",
    MapType.SOCKMAP: "bpf_stab",
    MapType.SOCKHASH: "bpf_shtab",
    MapType.CGROUP_STORAGE: "bpf_cgroup_storage_map",
    MapType.PERCPU_CGROUP_STORAGE: "bpf_cgroup_storage_map",
    MapType.REUSEPORT_SOCKARRAY: "reuseport_array",
    MapType.QUEUE: "bpf_queue_stack",
    MapType.STACK: "bpf_queue_stack",
    MapType.RINGBUF: "bpf_ringbuf_map",
    MapType.USER_RINGBUF: "bpf_ringbuf_map",
    MapType.BLOOM_FILTER: "bpf_bloom_filter",
    MapType.SK_STORAGE: "bpf_local_storage_map",
    MapType.INODE_STORAGE: "bpf_local_storage_map",
    MapType.TASK_STORAGE: "bpf_local_storage_map",
    MapType.CGRP_STORAGE: "bpf_local_storage_map",
    MapType.ARENA: "bpf_arena",
}
_TAGS = {"user": USER, "percpu": PERCPU, "rcu": RCU}
Name = tuple[str, str]


def _btf(run: Run, space: str) -> Btf:
    if space == "program":
        btf = run.program_btf()
        if btf is None:
            raise Unsure("the program has no BTF")
        return btf
    return run.setting.kernel_btf()


def _number(size: int) -> Reg:
    """What a load gives that is no pointer; helpers also read more than 8 bytes at once."""
    return LOADED.get(size, ANY)


def _struct(run: Run, name: Name) -> Struct:
    btf = _btf(run, name[0])
    for kind in (Kind.STRUCT, Kind.UNION):
        for found in btf.find_all(name[1], kind):
            assert isinstance(found, Struct)
            return found
    raise Unsure(f"struct {name[1]} is not in the BTF that is known here")


def access(run: Run, state: State, reg: Reg, regno: int, off: int, size: int, write: bool) -> Reg | None:
    """A load or store through a pointer to a kernel object."""
    name: Name = reg.data
    run.privileged_only(f"'struct {name[1]}' access is allowed only to CAP_PERFMON and CAP_SYS_ADMIN")
    if not run.setting.gpl and name[0] == "kernel":
        raise Reject("license", "Cannot access kernel 'struct' from non-GPL compatible program", regs=(regno,))
    if off < 0:
        text = f"R{regno} is ptr_{name[1]} invalid negative access: off={off}"
        raise Reject("bounds-memory", text, regs=(regno,))
    if reg.num[1] or reg.num[0]:
        text = f"R{regno} is ptr_{name[1]} invalid variable offset: off={off}"
        raise Reject("bounds-memory", text, regs=(regno,))
    if reg.type & USER:
        raise Reject("type", f"R{regno} is ptr_{name[1]} access user memory: off={off}", regs=(regno,))
    if reg.type & PERCPU:
        raise Reject("type", f"R{regno} is ptr_{name[1]} access percpu memory: off={off}", regs=(regno,))
    if write and not reg.type & ALLOC and run.setting.prog_type == ProgType.STRUCT_OPS and reg.trusted:
        raise Unsure(f"which fields of struct {name[1]} this program may write is not known here")
    if write and not reg.type & ALLOC and _writable(run, reg, off, size):
        return None
    if write and not reg.type & ALLOC:
        raise Reject("type", "only read is supported", hint="kernel objects cannot be written directly", regs=(regno,))
    if reg.type & ALLOC:
        _check_special(run, name[1], off, size)
        value = load(run, name, off, size)
        return None if write else value if value.kind == MEM else _number(size)
    via: list[str] = []
    value = load(run, name, off, size, via)
    if value.kind == BTF_ID:
        value.type = BTF_ID | _trust(run, state, reg, value, via[0])
        value.id = run.new_id() if value.type & MAYBE_NULL else 0
    return value


def _check_special(run: Run, name: str, off: int, size: int) -> None:
    """Special fields of objects are not loaded or stored."""
    for field in run.object_fields(name):
        if off < field.offset + field.size and field.offset < off + size:
            raise Reject("type", f"direct access to bpf_{field.kind} is disallowed")


def _writable(run: Run, reg: Reg, off: int, size: int) -> bool:
    """Whether this program may write the field of a kernel object."""
    fields = targets.WRITABLE.get((run.setting.prog_type, reg.data[1]))
    if fields is None or reg.type & UNTRUSTED:
        return False
    via: list[str] = []
    load(run, reg.data, off, size, via)
    return bool(via) and via[0] in fields


def _trust(run: Run, state: State, reg: Reg, value: Reg, field: str) -> int:
    """The flags of a pointer that was loaded through `reg`: how far it can be trusted to be valid.

    Which fields hand on the trust in their structure, the kernel's BTF tells: structures named "file__safe_trusted", ...
    """
    flags = value.type & ~0xFF
    if reg.type & UNTRUSTED:
        return UNTRUSTED
    if not (reg.trusted and not reg.type & MAYBE_NULL):
        return flags & ~(TRUSTED | RCU)

    def safe(suffix: str) -> bool:
        return reg.data[0] == "kernel" and field in _safe_fields(run, f"{reg.data[1]}__safe_{suffix}")

    if safe("trusted"):
        return flags | TRUSTED
    if safe("trusted_or_null"):
        return flags | TRUSTED | MAYBE_NULL
    if not run.in_rcu(state):
        return UNTRUSTED
    if safe("rcu"):
        return flags | RCU
    if safe("rcu_or_null"):
        return flags & ~UNTRUSTED | RCU | MAYBE_NULL
    if flags & RCU:
        return flags | RCU | MAYBE_NULL
    return flags if flags & (PERCPU | USER) else flags & ~(TRUSTED | RCU)


def _safe_fields(run: Run, name: str) -> frozenset[str]:
    known = run.safe_fields.get(name)
    if known is None:
        found: list[Any] = run.setting.kernel_btf().find_all(name, Kind.STRUCT)
        known = run.safe_fields[name] = frozenset(member.name for one in found for member in one.members)
    return known


def load(run: Run, name: Name, off: int, size: int, via: list[str] | None = None) -> Reg:
    """What a load from a structure gives; the field that holds a pointer is appended to `via`."""
    here = _struct(run, name)
    base = off
    mixed = 0
    while True:
        if here.is_union and len(here.members) > 1:
            mixed = UNTRUSTED  # what lies in a union may be something else
        if off + size > here.size:
            last = here.members[-1].type.stripped if here.members else None
            if isinstance(last, Array) and last.count == 0 and last.element.size:
                at = here.members[-1].bit_offset // 8
                inner = last.element.stripped
                if off >= at and isinstance(inner, Struct):
                    off = (off - at) % inner.size
                    here = inner
                    continue
            raise Reject("bounds-memory", f"access beyond struct {here.name} at off {off} size {size}")
        for member in here.members:
            start = member.bit_offset // 8
            inner = member.type.stripped
            if member.bit_size:
                end = start + -(-(member.bit_offset % 8 + member.bit_size) // 8)
                if off >= end or off + size <= start:
                    continue
                return _number(size)
            length = inner.size if inner.kind != Kind.PTR else 8
            if off + size <= start:
                break
            if off >= start + length:
                continue
            return_or_struct = _member(run, name, here, member, inner, off, size, start, length)
            if isinstance(return_or_struct, Reg):
                if via is not None:
                    via.append(member.name)
                if return_or_struct.kind == BTF_ID:
                    return_or_struct.type |= mixed
                return return_or_struct
            here, off = return_or_struct
            break
        else:
            raise Reject("bounds-memory", f"struct {here.name} doesn't have field at offset {base}")
        if off + size <= (here.members[0].bit_offset // 8 if here.members else 0):
            raise Reject("bounds-memory", f"struct {here.name} doesn't have field at offset {base}")


def _member(  # type: ignore[no-untyped-def]
    run: Run, name: Name, here: Struct, member, inner, off: int, size: int, start: int, length: int
):
    """The value of a member at `off`, or the structure inside to look in, with the offset there."""
    if off < start:
        raise Reject("bounds-memory", f"cannot access {member.name} with off {off} size {size}: it begins at {start}")
    if isinstance(inner, Array):
        element = inner.element.stripped
        while isinstance(element, Array):
            element = element.element.stripped
        each = 8 if element.kind == Kind.PTR else element.size
        within = (off - start) % each if each else 0
        if off + size > start + length:
            raise Reject("bounds-memory", f"access beyond the end of member {member.name} (mend:{start + length})")
        if isinstance(element, Struct) and within + size <= element.size:
            return element, within
        if element.kind == Kind.PTR and within == 0 and size == 8:
            return _member_pointer(run, name, element)
        return _number(size)
    if isinstance(inner, Struct):
        if off - start + size > inner.size:
            raise Reject("bounds-memory", f"access beyond the end of member {member.name} ({start}+{length})")
        return inner, off - start
    if inner.kind == Kind.PTR:
        if size != 8 or off != start:
            text = f"cannot access ptr member {member.name} with moff {start} in struct {here.name} with off {off} size {size}"
            raise Reject("bounds-memory", text, hint="load a pointer with all its 8 bytes")
        return _member_pointer(run, name, inner)
    if off - start + size > length:
        raise Reject("bounds-memory", f"access beyond the end of member {member.name} ({start}+{length}) size {size}")
    return _number(size)


def _member_pointer(run: Run, name: Name, pointer: Any) -> Reg:
    value = _pointer(name, pointer, 0)
    if value.type == SCALAR and run.setting.at_least("6.17"):
        return Reg(MEM | RDONLY | UNTRUSTED, data=0)  # no structure, but what it points to is read with care
    return value


def _pointer(name: Name, pointer, flags: int) -> Reg:  # type: ignore[no-untyped-def]
    target = pointer.type
    while target.kind == Kind.TYPE_TAG:
        flags |= _TAGS.get(target.name, 0)
        target = target.type
    target = target.stripped
    if isinstance(target, Struct):
        return Reg(BTF_ID | flags, data=(name[0], target.name))
    return LOADED[8]


def begins_with(run: Run, name: Name, want: str, off: int = 0) -> bool:
    """Whether a kernel structure of that name lies where a pointer to `name` and an offset lead: itself, or inside."""
    if name == ("kernel", want) and off == 0:
        return True
    if name[0] != "kernel":
        return False
    here: Any = _struct(run, name)
    while True:
        inner = None
        for member in here.members:
            start = member.bit_offset // 8
            target = member.type.stripped
            while isinstance(target, Array):
                target = target.element.stripped
            if isinstance(target, Struct) and target.size and start <= off < start + member.type.stripped.size:
                inner, off = target, (off - start) % target.size
                break
        if inner is None:
            return False
        if off == 0 and inner.name == want:
            return True
        here = inner


def argument(run: Run, off: int, size: int, write: bool) -> Reg | None:
    """An argument of the kernel function that a TRACING, LSM or STRUCT_OPS program is attached to."""
    spec = run.setting.spec
    target = spec.attach_to
    kind = run.setting.prog_type
    if kind == ProgType.EXT or not isinstance(target, str):
        raise Unsure(
            "what this program may access depends on what it is attached to, which is not known",
            hint='give the function\'s name: spec.replace(attach_to="...")',
        )
    from ..attach import parameters

    attach = run.setting.attach_type
    found = parameters(run.setting.kernel_btf(), kind, attach, target)
    if off % 8 or write or off // 8 >= len(found):
        return None
    index = off // 8
    name, type = found[index][0], found[index][1].stripped
    if attach == AttachType.LSM_MAC and index == len(found) - 1 and not name and run.setting.at_least("6.12"):
        return _result_of_hook(run.setting.program_rules.returns)
    if type.kind != Kind.PTR:
        return _number(size)
    if size != 8:
        return None
    flags = 0
    if kind in (ProgType.LSM, ProgType.STRUCT_OPS) or attach in (AttachType.TRACE_RAW_TP, AttachType.TRACE_ITER):
        flags = TRUSTED
    word = targets.unsure(kind, attach, target, index, name)
    if word in ("key", "value"):
        return Reg(BUF | MAYBE_NULL | (RDONLY if word == "key" else 0), id=run.new_id())
    if attach == AttachType.TRACE_ITER and word:
        flags = MAYBE_NULL | (TRUSTED if word == "trusted" else 0)
    elif name.endswith("__nullable") or (word and run.setting.at_least(targets.NULLABLE_SINCE)):
        flags |= MAYBE_NULL
    value = _pointer(("kernel", ""), type, flags)
    if kind == ProgType.STRUCT_OPS and target.startswith("tcp_congestion_ops/") and value.data == ("kernel", "sock"):
        return value.replace(data=("kernel", "tcp_sock"))
    return value.replace(id=run.new_id()) if value.type & MAYBE_NULL else value


def _result_of_hook(allowed: tuple[int, int] | None) -> Reg:
    """What a security hook gave so far: within what programs may return (__mark_reg_s32_range, 5d99e198be27)."""
    if allowed is None:
        return ANY
    low, high = allowed
    return Reg(SCALAR, sync(UNKNOWN._replace(smin=low, smax=high, smin32=low, smax32=high)))


def check_kptr_store(run: Run, field: Special, value: Reg, source: int) -> None:
    """What is stored to a kptr field must be of its type."""
    name = type_name(value.type)
    allowed = value.type & 0xFF == BTF_ID
    if field.kind == "kptr_unref":
        allowed = allowed and not value.type & ~(0xFF | MAYBE_NULL | TRUSTED | RCU | UNTRUSTED)
    else:
        percpu = PERCPU if field.kind == "kptr_percpu" else 0
        allowed = allowed and not value.type & ~(0xFF | MAYBE_NULL | TRUSTED | RCU | ALLOC | percpu)
        if run.setting.at_least("7.2"):
            allowed = allowed and value.type & PERCPU == percpu
    if allowed:
        check_unmodified(value, source, fixed_ok=True)
        if field.local:
            allowed = value.data == ("program", field.struct) and not value.off
        else:
            strict = field.kind != "kptr_unref"
            same = value.data == ("kernel", field.struct) and not value.off
            allowed = same or (not strict and begins_with(run, value.data, field.struct, value.off))
    if not allowed:
        found = f"{name}{value.data[1]}" if value.type & 0xFF == BTF_ID else name
        text = f"invalid kptr access, R{source} type={found} expected=ptr_{field.struct}"
        raise Reject("type", text, regs=(source,))
