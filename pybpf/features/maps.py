"""Probes of map types: the smallest map of each."""

from __future__ import annotations

from errno import EINVAL, EOPNOTSUPP
from mmap import PAGESIZE
from os import close
from struct import pack
from typing import Any

from ..syscall.door import call
from ..syscall.maps import CREATE, MAP_CREATE
from ..uapi import MapFlags
from ..uapi import MapType as M
from .probe import answered

# What a kernel that has struct_ops answers to a structure that is none; ENOTSUPP is 524, which errno.h does not have.
STRUCT_OPS_KNOWN = (-524, -EOPNOTSUPP)

# type -> key size, value size, entries, flags; every other type takes 4, 4, 1 and no flags.
_SHAPES: dict[int, tuple[int, int, int, int]] = {
    M.STACK_TRACE: (4, 8, 1, 0),
    M.LPM_TRIE: (8, 4, 1, MapFlags.NO_PREALLOC),
    M.CGROUP_STORAGE: (16, 8, 0, 0),
    M.PERCPU_CGROUP_STORAGE: (16, 8, 0, 0),
    M.QUEUE: (0, 4, 1, 0),
    M.STACK: (0, 4, 1, 0),
    M.BLOOM_FILTER: (0, 4, 1, 0),
    M.RINGBUF: (0, 0, PAGESIZE, 0),
    M.USER_RINGBUF: (0, 0, PAGESIZE, 0),
    M.ARENA: (0, 0, 1, MapFlags.MMAPABLE),
    M.INSN_ARRAY: (4, 16, 1, 0),
    M.RHASH: (4, 4, 1, MapFlags.NO_PREALLOC),
    **dict.fromkeys((M.SK_STORAGE, M.INODE_STORAGE, M.TASK_STORAGE, M.CGRP_STORAGE), (4, 4, 0, MapFlags.NO_PREALLOC)),
}
_LOCAL_STORAGE = (M.SK_STORAGE, M.INODE_STORAGE, M.TASK_STORAGE, M.CGRP_STORAGE)


def map_create(
    map_type: int, shape: tuple[int, int, int, int], inner: int = 0, btf: int = 0, kernel_type: int = 0
) -> int:
    """BPF_MAP_CREATE of a map of this shape: a descriptor, or minus the errno."""
    types = (btf, 1, 1) if btf else (0, 0, 0)
    attr = CREATE.pack(map_type, *shape, inner, 0, b"pybpf_probe", 0, *types, kernel_type, 0, 0, 0, 0, 0)
    return call(MAP_CREATE, bytearray(attr))


def map_type(map_type: int) -> bool:
    """Can such a map be made?"""
    shape = _SHAPES.get(map_type, (4, 4, 1, 0))
    if map_type == M.STRUCT_OPS:
        # A kernel that has the type looks for struct type 1, which is no struct_ops.
        return map_create(map_type, (4, 0, 1, 0), kernel_type=1) in STRUCT_OPS_KNOWN
    if map_type in (M.ARRAY_OF_MAPS, M.HASH_OF_MAPS):
        inner = map_create(M.ARRAY, (4, 4, 1, 0))
        answered(min(inner, 0))
        try:
            return answered(map_create(map_type, shape, inner)) >= 0
        finally:
            close(inner)
    if map_type in _LOCAL_STORAGE:
        from ..syscall.btf import btf_load

        btf = btf_load(int_btf())
        try:
            return answered(map_create(map_type, shape, btf=btf)) >= 0
        finally:
            close(btf)
    result = answered(map_create(map_type, shape))
    if result == -EINVAL and map_type == M.INSN_ARRAY:
        return answered(map_create(map_type, (4, 8, 1, 0))) >= 0
    return result >= 0


def int_btf() -> bytes:
    """BTF with one type, the integer `int`, as id 1."""
    types = pack("=IIII", 1, 1 << 24, 4, 1 << 24 | 32)
    strings = b"\0int\0"
    return pack("=HBBIIIII", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings)) + types + strings


def struct_ops_member(struct: str, member: str) -> tuple[int, int]:
    """BTF id of a struct_ops structure of the kernel, and the index of a member; (0, 0) where there is none."""
    from ..btf import Btf
    from ..errors import BtfError

    try:
        type_: Any = Btf.kernel().find(struct)
        names = [m.name for m in type_.members]
    except (BtfError, OSError):
        return 0, 0
    return type_.id, names.index(member)
