"""Constants of the kernel: MapType, MapFlags, UpdateFlags, ...

Written by tools/gen_uapi.py; do not edit.
From the BTF of Debian linux-binary-7.2.13+deb14-amd64 7.2.13-1, Debian linux-libc-dev 7.2.13-1.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class MapType(IntEnum):
    """Map types."""

    UNSPEC = 0
    HASH = 1
    ARRAY = 2
    PROG_ARRAY = 3
    PERF_EVENT_ARRAY = 4
    PERCPU_HASH = 5
    PERCPU_ARRAY = 6
    STACK_TRACE = 7
    CGROUP_ARRAY = 8
    LRU_HASH = 9
    LRU_PERCPU_HASH = 10
    LPM_TRIE = 11
    ARRAY_OF_MAPS = 12
    HASH_OF_MAPS = 13
    DEVMAP = 14
    SOCKMAP = 15
    CPUMAP = 16
    XSKMAP = 17
    SOCKHASH = 18
    CGROUP_STORAGE = 19
    CGROUP_STORAGE_DEPRECATED = 19
    REUSEPORT_SOCKARRAY = 20
    PERCPU_CGROUP_STORAGE = 21
    PERCPU_CGROUP_STORAGE_DEPRECATED = 21
    QUEUE = 22
    STACK = 23
    SK_STORAGE = 24
    DEVMAP_HASH = 25
    STRUCT_OPS = 26
    RINGBUF = 27
    INODE_STORAGE = 28
    TASK_STORAGE = 29
    BLOOM_FILTER = 30
    USER_RINGBUF = 31
    CGRP_STORAGE = 32
    ARENA = 33
    INSN_ARRAY = 34
    RHASH = 35


class MapFlags(IntFlag):
    """`map_flags` of BPF_MAP_CREATE, and `file_flags` of BPF_OBJ_PIN and BPF_OBJ_GET."""

    NO_PREALLOC = 1
    NO_COMMON_LRU = 2
    NUMA_NODE = 4
    RDONLY = 8
    WRONLY = 0x10
    STACK_BUILD_ID = 0x20
    ZERO_SEED = 0x40
    RDONLY_PROG = 0x80
    WRONLY_PROG = 0x100
    CLONE = 0x200
    MMAPABLE = 0x400
    PRESERVE_ELEMS = 0x800
    INNER_MAP = 0x1000
    LINK = 0x2000
    PATH_FD = 0x4000
    VTYPE_BTF_OBJ_FD = 0x8000
    TOKEN_FD = 0x10000
    SEGV_ON_FAULT = 0x20000
    NO_USER_CONV = 0x40000
    RB_OVERWRITE = 0x80000


class UpdateFlags(IntFlag):
    """`flags` of the map element commands and helpers."""

    ANY = 0
    NOEXIST = 1
    EXIST = 2
    LOCK = 4
    CPU = 8
    ALL_CPUS = 0x10


class StorageFlags(IntFlag):
    """Flags of the local storage get helpers."""

    CREATE = 1
    SK_STORAGE_GET_F_CREATE = 1


class TimerFlags(IntFlag):
    """Flags of bpf_timer_start."""

    ABS = 1
    CPU_PIN = 2
