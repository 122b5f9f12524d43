"""Kernel functions on arenas."""

from __future__ import annotations

from errno import EINVAL

from ..maps import Arena
from .table import kfunc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run

_U32 = 0xFFFFFFFF
_NODES = (0, _U32)  # the only one there is, and NUMA_NO_NODE


def _arena(run: Run, map: int) -> Arena | None:
    found = run.map(map)
    return found if isinstance(found, Arena) else None


@kfunc(5)
def bpf_arena_alloc_pages(run: Run, map: int, addr: int, page_cnt: int, node_id: int, flags: int) -> int:
    found, count = _arena(run, map), page_cnt & _U32
    if found is None or flags or not count or node_id & _U32 not in _NODES:
        return 0
    return found.allocate(addr, count)


@kfunc(3)
def bpf_arena_free_pages(run: Run, map: int, ptr: int, page_cnt: int) -> int:
    found, count = _arena(run, map), page_cnt & _U32
    if found is not None and count and ptr:
        found.release(ptr, count)
    return 0


@kfunc(3)
def bpf_arena_reserve_pages(run: Run, map: int, ptr: int, page_cnt: int) -> int:
    found, count = _arena(run, map), page_cnt & _U32
    if found is None:
        return -EINVAL
    return found.reserve(ptr, count) if count else 0
