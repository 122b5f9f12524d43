# ruff: noqa: A001 (type and id are the words of this field, here and in struct bpf_reg_state)
"""Pointers to the kernel's own objects, typed by BTF: what a load gives, and what may be stored.

A structure is named by `(space, name)`: space "kernel" is the kernel's BTF, "program" that of the program itself.
"""

from __future__ import annotations

from ..btf import Array, Struct
from ..btf.kinds import Kind
from ..errors import BtfError
from ..uapi.map import MapType
from ..uapi.prog import ProgType
from .reject import Reject, Unsure
from .values import (
    ALLOC,
    BTF_ID,
    LOADED,
    MAYBE_NULL,
    PERCPU,
    RCU,
    TRUSTED,
    UNTRUSTED,
    USER,
    Reg,
    type_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..btf import Btf
    from ..btf.fields import Special
    from .explore import Run
    from .state import State

RCU_PROTECTED = frozenset(("prog_test_ref_kfunc", "cgroup", "bpf_cpumask", "task_struct", "bpf_crypto_ctx", "css_set"))
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


def _struct(run: Run, name: Name) -> Struct:
    try:
        found = _btf(run, name[0]).find(name[1], Kind.STRUCT)
    except BtfError:
        raise Unsure(f"struct {name[1]} is not in the BTF that is known here") from None
    assert isinstance(found, Struct)
    return found


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
    if write and not reg.type & ALLOC:
        raise Reject("type", "only read is supported", hint="kernel objects cannot be written directly", regs=(regno,))
    if write:
        if off + size > _struct(run, name).size:
            raise Reject("bounds-memory", f"access beyond struct {name[1]} at off {off} size {size}", regs=(regno,))
        return None
    trusted = reg.type & (TRUSTED | RCU | UNTRUSTED) or reg.ref
    return load(run, name, off, size, UNTRUSTED if trusted else 0)


def load(run: Run, name: Name, off: int, size: int, flags: int) -> Reg:
    """What a load from a structure gives; `flags` are those of a pointer found in it."""
    here = _struct(run, name)
    base = off
    while True:
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
                return LOADED[size]
            length = inner.size if inner.kind != Kind.PTR else 8
            if off + size <= start:
                break
            if off >= start + length:
                continue
            return_or_struct = _member(run, name, here, member, inner, off, size, start, length, flags)
            if isinstance(return_or_struct, Reg):
                return return_or_struct
            here, off = return_or_struct
            break
        else:
            raise Reject("bounds-memory", f"struct {here.name} doesn't have field at offset {base}")
        if off + size <= (here.members[0].bit_offset // 8 if here.members else 0):
            raise Reject("bounds-memory", f"struct {here.name} doesn't have field at offset {base}")


def _member(  # type: ignore[no-untyped-def]
    run: Run, name: Name, here: Struct, member, inner, off: int, size: int, start: int, length: int, flags: int
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
            return _pointer(name, element, flags)
        return LOADED[size]
    if isinstance(inner, Struct):
        if off - start + size > inner.size:
            raise Reject("bounds-memory", f"access beyond the end of member {member.name} ({start}+{length})")
        if inner.is_union and size == 8 and flags is not None:
            return inner, off - start
        return inner, off - start
    if inner.kind == Kind.PTR:
        if size != 8 or off != start:
            text = f"cannot access ptr member {member.name} with moff {start} in struct {here.name} with off {off} size {size}"
            raise Reject("bounds-memory", text, hint="load a pointer with all its 8 bytes")
        return _pointer(name, inner, flags)
    if off - start + size > length:
        raise Reject("bounds-memory", f"access beyond the end of member {member.name} ({start}+{length}) size {size}")
    return LOADED[size]


def _pointer(name: Name, pointer, flags: int) -> Reg:  # type: ignore[no-untyped-def]
    target = pointer.type
    while target.kind == Kind.TYPE_TAG:
        flags |= _TAGS.get(target.name, 0)
        target = target.type
    target = target.stripped
    if isinstance(target, Struct) and not target.is_union:
        return Reg(BTF_ID | flags, data=(name[0], target.name))
    return LOADED[8]


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
    btf = run.setting.kernel_btf()
    from .attach import parameters

    if off % 8 or size != 8 or write:
        return None
    found = parameters(btf, kind, run.setting.attach_type, target)
    index = off // 8
    if index >= len(found):
        return None
    type = found[index].stripped
    if type.kind != Kind.PTR:
        return LOADED[8]
    flags = TRUSTED if kind in (ProgType.LSM, ProgType.TRACING, ProgType.STRUCT_OPS) else 0
    return _pointer(("kernel", ""), type, flags)


def check_kptr_store(run: Run, field: Special, value: Reg, source: int) -> None:
    """What is stored to a kptr field must be of its type."""
    name = type_name(value.type)
    expected = f"ptr_{field.struct}"
    allowed = field.kind == "kptr_unref" and not value.type & ~(0xFF | MAYBE_NULL | TRUSTED | RCU | UNTRUSTED)
    if value.type & 0xFF != BTF_ID or not allowed or value.data[1] != field.struct or value.off:
        found = f"{name}{value.data[1]}" if value.type & 0xFF == BTF_ID else name
        text = f"invalid kptr access, R{source} type={found} expected={expected}"
        raise Reject("type", text, regs=(source,))
