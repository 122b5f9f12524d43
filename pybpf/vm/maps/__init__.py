"""Offline maps: one class for each way of behaving, and the table that says which map type behaves how."""

from __future__ import annotations

from ...errors import NotSupportedError
from ...uapi import MapType, named
from .arena import Arena
from .array import Array, ArrayOfMaps, CpuMap, HashedTable, HashOfMaps, PerCpuArray, References, Table
from .base import OfflineMap
from .hash import Hash, LpmTrie, LruHash, LruPerCpuHash, PerCpuHash, ResizableHash
from .objects import (
    CgroupStorage,
    PerCpuCgroupStorage,
    ReuseportSockets,
    SocketTable,
    SockHash,
    SockMap,
    StackTraces,
    Storage,
)
from .streams import Bloom, PerfEvents, Queue, RingBuffer, Stack, UserRingBuffer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...spec import MapSpec
    from ..environment import Environment
    from ..memory import Memory

KINDS: dict[int, type[OfflineMap]] = {
    MapType.HASH: Hash,
    MapType.ARRAY: Array,
    MapType.PROG_ARRAY: References,
    MapType.PERF_EVENT_ARRAY: PerfEvents,
    MapType.PERCPU_HASH: PerCpuHash,
    MapType.PERCPU_ARRAY: PerCpuArray,
    MapType.STACK_TRACE: StackTraces,
    MapType.CGROUP_ARRAY: References,
    MapType.LRU_HASH: LruHash,
    MapType.LRU_PERCPU_HASH: LruPerCpuHash,
    MapType.LPM_TRIE: LpmTrie,
    MapType.ARRAY_OF_MAPS: ArrayOfMaps,
    MapType.HASH_OF_MAPS: HashOfMaps,
    MapType.DEVMAP: Table,
    MapType.SOCKMAP: SockMap,
    MapType.CPUMAP: CpuMap,
    MapType.XSKMAP: Table,
    MapType.SOCKHASH: SockHash,
    MapType.CGROUP_STORAGE: CgroupStorage,
    MapType.REUSEPORT_SOCKARRAY: ReuseportSockets,
    MapType.PERCPU_CGROUP_STORAGE: PerCpuCgroupStorage,
    MapType.QUEUE: Queue,
    MapType.STACK: Stack,
    MapType.SK_STORAGE: Storage,
    MapType.DEVMAP_HASH: HashedTable,
    MapType.RINGBUF: RingBuffer,
    MapType.INODE_STORAGE: Storage,
    MapType.TASK_STORAGE: Storage,
    MapType.BLOOM_FILTER: Bloom,
    MapType.USER_RINGBUF: UserRingBuffer,
    MapType.CGRP_STORAGE: Storage,
    MapType.ARENA: Arena,
    MapType.RHASH: ResizableHash,
}


def make(spec: MapSpec, mem: Memory, env: Environment, id: int) -> OfflineMap:
    """The offline map for a spec, empty.  NotSupportedError for a type that the machine does not model."""
    kind = KINDS.get(spec.map_type)
    if kind is None:
        name = getattr(named(MapType, spec.map_type), "name", spec.map_type)
        raise NotSupportedError(
            f"map type {name} in the offline machine", hint="run the program in the kernel with load()"
        )
    return kind(spec, mem, env, id)


__all__ = (
    "KINDS",
    "Arena",
    "Array",
    "Bloom",
    "CgroupStorage",
    "LruHash",
    "OfflineMap",
    "PerfEvents",
    "Queue",
    "References",
    "SocketTable",
    "RingBuffer",
    "StackTraces",
    "Storage",
    "Table",
    "UserRingBuffer",
    "make",
)
