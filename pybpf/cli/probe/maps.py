"""Asks which maps the kernel creates: sizes, flags; and keeps one of each type for questions about helpers."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable

from ...btf.builder import BtfBuilder
from ...uapi import Cmd, MapFlags, MapType
from .door import Kernel

_M = MapType
# Map type -> (key size, value size, entries, flags) that create one; those with None need more than that.
SAMPLES: dict[int, tuple[int, int, int, int]] = {
    _M.HASH: (4, 8, 4, 0),
    _M.ARRAY: (4, 8, 4, 0),
    _M.PROG_ARRAY: (4, 4, 4, 0),
    _M.PERF_EVENT_ARRAY: (4, 4, 4, 0),
    _M.PERCPU_HASH: (4, 8, 4, 0),
    _M.PERCPU_ARRAY: (4, 8, 4, 0),
    _M.STACK_TRACE: (4, 64, 4, 0),
    _M.CGROUP_ARRAY: (4, 4, 4, 0),
    _M.LRU_HASH: (4, 8, 4, 0),
    _M.LRU_PERCPU_HASH: (4, 8, 4, 0),
    _M.LPM_TRIE: (8, 8, 4, MapFlags.NO_PREALLOC),
    _M.ARRAY_OF_MAPS: (4, 4, 4, 0),
    _M.HASH_OF_MAPS: (4, 4, 4, 0),
    _M.DEVMAP: (4, 4, 4, 0),
    _M.SOCKMAP: (4, 4, 4, 0),
    _M.CPUMAP: (4, 4, 4, 0),
    _M.XSKMAP: (4, 4, 4, 0),
    _M.SOCKHASH: (4, 4, 4, 0),
    _M.CGROUP_STORAGE: (8, 8, 0, 0),
    _M.REUSEPORT_SOCKARRAY: (4, 4, 4, 0),
    _M.PERCPU_CGROUP_STORAGE: (8, 8, 0, 0),
    _M.QUEUE: (0, 8, 4, 0),
    _M.STACK: (0, 8, 4, 0),
    _M.SK_STORAGE: (4, 8, 0, MapFlags.NO_PREALLOC),
    _M.DEVMAP_HASH: (4, 4, 4, 0),
    _M.RINGBUF: (0, 0, 4096, 0),
    _M.INODE_STORAGE: (4, 8, 0, MapFlags.NO_PREALLOC),
    _M.TASK_STORAGE: (4, 8, 0, MapFlags.NO_PREALLOC),
    _M.BLOOM_FILTER: (0, 8, 4, 0),
    _M.USER_RINGBUF: (0, 0, 4096, 0),
    _M.CGRP_STORAGE: (4, 8, 0, MapFlags.NO_PREALLOC),
    _M.ARENA: (0, 0, 4, MapFlags.MMAPABLE),
    _M.INSN_ARRAY: (4, 16, 4, 0),
    _M.RHASH: (4, 8, 4, MapFlags.NO_PREALLOC),
}
_NEED_BTF = frozenset((_M.SK_STORAGE, _M.INODE_STORAGE, _M.TASK_STORAGE, _M.CGRP_STORAGE))
# Flags that stand for a descriptor given elsewhere; asked without one they are refused for its sake.
_NEED_MORE = MapFlags.LINK | MapFlags.PATH_FD | MapFlags.VTYPE_BTF_OBJ_FD | MapFlags.TOKEN_FD
# Types that remember what kind of program used them first, and take no other (bpf_prog_map_compatible).
_OWNED = frozenset((_M.PROG_ARRAY, _M.DEVMAP, _M.DEVMAP_HASH, _M.CPUMAP))
_ARENA_ADDRESS = 1 << 44  # where user space would map it; programs are refused before that is known
_NEED_INNER = frozenset((_M.ARRAY_OF_MAPS, _M.HASH_OF_MAPS))

MAP_FOR_HELPER: dict[str, int] = {
    "tail_call": _M.PROG_ARRAY,
    **dict.fromkeys(
        ("perf_event_read", "perf_event_output", "perf_event_read_value", "skb_output", "xdp_output"),
        _M.PERF_EVENT_ARRAY,
    ),
    "get_stackid": _M.STACK_TRACE,
    **dict.fromkeys(("skb_under_cgroup", "current_task_under_cgroup"), _M.CGROUP_ARRAY),
    "redirect_map": _M.DEVMAP,
    **dict.fromkeys(("sk_redirect_map", "sock_map_update", "msg_redirect_map"), _M.SOCKMAP),
    **dict.fromkeys(("sk_redirect_hash", "sock_hash_update", "msg_redirect_hash"), _M.SOCKHASH),
    "get_local_storage": _M.CGROUP_STORAGE,
    "sk_select_reuseport": _M.REUSEPORT_SOCKARRAY,
    **dict.fromkeys(("map_push_elem", "map_pop_elem", "map_peek_elem"), _M.QUEUE),
    **dict.fromkeys(("sk_storage_get", "sk_storage_delete"), _M.SK_STORAGE),
    **dict.fromkeys(("ringbuf_output", "ringbuf_reserve", "ringbuf_query", "ringbuf_reserve_dynptr"), _M.RINGBUF),
    **dict.fromkeys(("inode_storage_get", "inode_storage_delete"), _M.INODE_STORAGE),
    **dict.fromkeys(("task_storage_get", "task_storage_delete"), _M.TASK_STORAGE),
    **dict.fromkeys(("cgrp_storage_get", "cgrp_storage_delete"), _M.CGRP_STORAGE),
    "map_lookup_percpu_elem": _M.PERCPU_ARRAY,
    "user_ringbuf_drain": _M.USER_RINGBUF,
}
"""A map type for the helpers that do not take a hash."""


class Maps:
    """One open map of each type that this kernel has."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._fds: dict[tuple[str, int], int] = {}

    def close(self) -> None:
        for fd in self._fds.values():
            if fd >= 0:
                os.close(fd)
        self._fds = {}

    def create(self, map_type: int, key: int, value: int, entries: int, flags: int) -> int:
        """A new map's descriptor, or -errno."""
        inner = self.fd(_M.ARRAY) if map_type in _NEED_INNER else 0
        if map_type == _M.ARENA:
            extra = struct.pack("=I16sIIIIIQ", 0, b"", *(0, 0, 0, 0, 0), _ARENA_ADDRESS)
            return self.kernel.map(map_type, key, value, entries, flags, 0, extra)
        if map_type not in _NEED_BTF:
            return self.kernel.map(map_type, key, value, entries, flags, inner)
        builder = BtfBuilder()
        types = builder.add_int("u32", 4), builder.add_array(builder.add_int("u8", 1), value)
        return self._typed(map_type, key, value, entries, flags, builder, types)

    def _typed(
        self, map_type: int, key: int, value: int, entries: int, flags: int, types: BtfBuilder, ids: tuple[int, int]
    ) -> int:
        """A map whose key and value have BTF types."""
        btf = self.kernel.btf(types.to_bytes())
        extra = struct.pack("=I16sIIII", 0, b"", 0, max(btf, 0), *ids)
        fd = self.kernel.map(map_type, key, value, entries, flags, 0, extra)
        if btf >= 0:
            os.close(btf)
        return fd

    def _keep(self, name: str, map_type: int, make: Callable[[], int]) -> int:
        if (name, map_type) not in self._fds:
            self._fds[name, map_type] = make()
        return self._fds[name, map_type]

    def fd(self, map_type: int) -> int:
        """The open map of that type; -errno when the kernel has none."""
        if map_type not in SAMPLES:
            return -errno.EINVAL
        return self._keep("plain", map_type, lambda: self.create(map_type, *SAMPLES[map_type]))

    def fresh(self, map_type: int) -> None:
        """Forget the open map when it is of a type that the first program to use it makes its own."""
        if map_type in _OWNED and ("plain", map_type) in self._fds:
            fd = self._fds.pop(("plain", map_type))
            if fd >= 0:
                os.close(fd)

    def text(self) -> int:
        """A read-only array of one value whose first byte is NUL: an empty string for helpers that want one."""

        def make() -> int:
            fd = self.kernel.map(_M.ARRAY, 4, 8, 1, MapFlags.RDONLY_PROG)
            self.kernel.bpf(Cmd.MAP_FREEZE, struct.pack("=I", fd))
            return fd

        return self._keep("text", _M.ARRAY, make)

    def special(self, field: str, map_type: int) -> int:
        """A map whose value is a struct bpf_timer or bpf_spin_lock, as `field` says; -errno where it may not be."""

        def make() -> int:
            builder = BtfBuilder()
            key = builder.add_int("u32", 4)
            if field == "bpf_timer":
                word = builder.add_array(builder.add_int("u64", 8), 2)
                inner = builder.add_struct(field, 16, [("__opaque", word, 0)])
            else:
                inner = builder.add_struct(field, 4, [("val", key, 0)])
            value = builder.add_struct("value", 16, [("field", inner, 0)])
            return self._typed(map_type, 4, 16, 4, 0, builder, (key, value))

        return self._keep(field, map_type, make)

    def types(self) -> list[int]:
        """The map types that this kernel creates."""
        return [map_type for map_type in SAMPLES if self.fd(map_type) >= 0]

    def rules(self, map_type: int) -> tuple[tuple[int, int, int], tuple[int, int, int], str, int, int]:
        """(key sizes, value sizes, entries, flags, required flags) as `MapRules` takes them."""
        key, value, entries, flags = SAMPLES[map_type]

        def takes(**changed: int) -> bool:
            fd = self.create(map_type, **{"key": key, "value": value, "entries": entries, "flags": flags, **changed})
            if fd >= 0:
                os.close(fd)
            return fd >= 0

        few = {"entries": 1} if 0 < entries < 4096 else {}  # one entry keeps large values from asking for gigabytes
        known = sum(1 << bit for bit in range(32) if not 1 << bit & _NEED_MORE and takes(flags=flags | 1 << bit))
        required = sum(1 << bit for bit in range(32) if flags >> bit & 1 and not takes(flags=flags & ~(1 << bit)))
        return (
            _sizes(lambda size: takes(key=size, **few)),
            _sizes(lambda size: takes(value=size, **few)),
            "any" if takes(entries=3) else "pages" if entries >= 4096 else "zero" if takes(entries=0) else "some",
            known,
            required,
        )


def _sizes(takes: Callable[[int], bool]) -> tuple[int, int, int]:
    """(lowest, highest, step) of the sizes that are taken."""
    small = [size for size in range(257) if takes(size)]
    if len(small) < 2:
        return small[0], small[0], 1
    step = small[1] - small[0]
    if small[-1] + step <= 256:
        return small[0], small[-1], step
    low, high = small[-1] // step, (1 << 26) // step
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if takes(middle * step) else (low, middle - 1)
    return small[0], low * step, step
