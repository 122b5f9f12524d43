"""One map of every type, and some with flags, for tests."""

from __future__ import annotations

from pybpf import MapSpec
from pybpf.btf.builder import BtfBuilder
from pybpf.uapi.map import MapFlags, MapType

INNER = MapSpec(MapType.ARRAY, 4, 16, 1, name="inner")


def _storage(kind: int) -> MapSpec:
    """A local storage, which wants BTF."""
    builder = BtfBuilder()
    number, value = builder.add_int("int", 4, True), builder.add_int("long", 8, True)
    return MapSpec(kind, 4, 8, 0, MapFlags.NO_PREALLOC, btf=builder.to_bytes(), btf_key=number, btf_value=value)


def _maps() -> dict[str, MapSpec]:
    text = b"hello\0".ljust(16, b"x")
    return {
        "array": MapSpec(MapType.ARRAY, 4, 16, 1),
        "many": MapSpec(MapType.ARRAY, 4, 16, 8),
        "hash": MapSpec(MapType.HASH, 4, 16, 8),
        "words": MapSpec(MapType.HASH, 8, 8, 8),
        "readonly": MapSpec(MapType.ARRAY, 4, 16, 1, MapFlags.RDONLY_PROG),
        "writeonly": MapSpec(MapType.ARRAY, 4, 16, 1, MapFlags.WRONLY_PROG),
        "frozen": MapSpec(MapType.ARRAY, 4, 16, 1, MapFlags.RDONLY_PROG, contents=((bytes(4), text),), frozen=True),
        "endless": MapSpec(
            MapType.ARRAY, 4, 16, 1, MapFlags.RDONLY_PROG, contents=((bytes(4), b"x" * 16),), frozen=True
        ),
        "frozenhash": MapSpec(MapType.HASH, 4, 16, 1, MapFlags.RDONLY_PROG, frozen=True),
        "percpu": MapSpec(MapType.PERCPU_ARRAY, 4, 16, 1),
        "lru": MapSpec(MapType.LRU_HASH, 4, 16, 8),
        "lpm": MapSpec(MapType.LPM_TRIE, 8, 16, 8, MapFlags.NO_PREALLOC),
        "outer": MapSpec(MapType.ARRAY_OF_MAPS, 4, 4, 1, inner=INNER),
        "ring": MapSpec(MapType.RINGBUF, 0, 0, 4096),
        "userring": MapSpec(MapType.USER_RINGBUF, 0, 0, 4096),
        "queue": MapSpec(MapType.QUEUE, 0, 16, 8),
        "stack": MapSpec(MapType.STACK, 0, 16, 8),
        "bloom": MapSpec(MapType.BLOOM_FILTER, 0, 16, 8),
        "progs": MapSpec(MapType.PROG_ARRAY, 4, 4, 4),
        "events": MapSpec(MapType.PERF_EVENT_ARRAY, 4, 4, 4),
        "traces": MapSpec(MapType.STACK_TRACE, 4, 80, 4),
        "cgroups": MapSpec(MapType.CGROUP_ARRAY, 4, 4, 4),
        "devices": MapSpec(MapType.DEVMAP, 4, 4, 4),
        "devhash": MapSpec(MapType.DEVMAP_HASH, 4, 4, 4),
        "cpus": MapSpec(MapType.CPUMAP, 4, 4, 4),
        "xsks": MapSpec(MapType.XSKMAP, 4, 4, 4),
        "socks": MapSpec(MapType.SOCKMAP, 4, 4, 4),
        "sockhash": MapSpec(MapType.SOCKHASH, 4, 4, 4),
        "ports": MapSpec(MapType.REUSEPORT_SOCKARRAY, 4, 4, 4),
        "store": MapSpec(MapType.CGROUP_STORAGE, 16, 16, 0),
        "store2": MapSpec(MapType.CGROUP_STORAGE, 16, 16, 0),
        "percpustore": MapSpec(MapType.PERCPU_CGROUP_STORAGE, 16, 16, 0),
        "sks": _storage(MapType.SK_STORAGE),
        "tasks": _storage(MapType.TASK_STORAGE),
        "inodes": _storage(MapType.INODE_STORAGE),
        "cgrps": _storage(MapType.CGRP_STORAGE),
        "arena": MapSpec(MapType.ARENA, 0, 0, 4, MapFlags.MMAPABLE, map_extra=1 << 44),
    }


MAPS = {name: spec.replace(name=name) for name, spec in _maps().items()}
