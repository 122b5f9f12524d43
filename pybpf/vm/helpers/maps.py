"""Helpers on maps, and tail calls."""

from __future__ import annotations

from errno import EINVAL, EOPNOTSUPP

from ..maps import CgroupStorage, SocketTable, Storage
from ..sockets import PseudoSocket
from .table import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..maps import OfflineMap
    from ..run import Run

_MAX_TAIL_CALLS = 33
_GET_CREATE = 1


@model
def map_lookup_elem(run: Run, map: int, key: int) -> int:
    found = run.maps[map] if map in run.maps else run.map(map)
    return found.lookup(run.mem.read(key, found.key_size))


@model
def map_update_elem(run: Run, map: int, key: int, value: int, flags: int) -> int:
    found = run.map(map)
    if isinstance(found, SocketTable):
        return _enter_socket(run, found, key, run.mem.owner(value), flags)
    return found.update(run.mem.read(key, found.key_size), run.mem.read(value, found.value_size), flags)


@model
def map_delete_elem(run: Run, map: int, key: int) -> int:
    found = run.map(map)
    return found.delete(run.mem.read(key, found.key_size))


@model
def map_lookup_percpu_elem(run: Run, map: int, key: int, cpu: int) -> int:
    found = run.map(map)
    return found.lookup_cpu(run.mem.read(key, found.key_size), cpu & 0xFFFFFFFF)


@model
def map_push_elem(run: Run, map: int, value: int, flags: int) -> int:
    found = run.map(map)
    return found.push(run.mem.read(value, found.value_size), flags)


@model
def map_pop_elem(run: Run, map: int, value: int) -> int:
    return _give(run, value, run.map(map).pop(), run.map(map).value_size)


@model
def map_peek_elem(run: Run, map: int, value: int) -> int:
    found = run.map(map)
    answer = found.peek(run.mem.read(value, found.value_size))
    if found.spec.map_type == 30:  # a bloom filter only answers
        return answer if isinstance(answer, int) else 0
    return _give(run, value, answer, found.value_size)


def _give(run: Run, address: int, answer: bytes | int, size: int) -> int:
    """Store what a queue gave; an empty queue leaves zeros, as the kernel does."""
    if isinstance(answer, int):
        run.mem.write(address, bytes(size))
        return answer
    run.mem.write(address, answer)
    return 0


@model
def for_each_map_elem(run: Run, map: int, callback_fn: int, callback_ctx: int, flags: int) -> int:
    if flags:
        return -EINVAL
    found = run.map(map)
    count = 0
    for key, address in list(found.elements()):
        count += 1
        key_address = run.mem.add(key, f"key in {found.name}")
        stop = run.callback(callback_fn, map, key_address, address, callback_ctx)
        run.mem.remove(key_address)
        if stop:
            break
    return count


@model
def tail_call(run: Run, ctx: int, prog_array_map: int, index: int) -> int | None:
    """None hands the frame over; an index out of range, an empty entry or too many calls go on behind the call."""
    found = run.references(run.map(prog_array_map))
    index &= 0xFFFFFFFF
    target = found.target(index.to_bytes(4, "little")) if index < found.max_entries else None
    if target is None or run.tail_calls >= _MAX_TAIL_CALLS:
        return 0
    run.tail_calls += 1
    run.next_image = run.vm.image_of(target)
    return None


@model
def get_local_storage(run: Run, map: int, flags: int) -> int:
    found = run.map(map)
    assert isinstance(found, CgroupStorage)
    return found.current()


def _storage_get(run: Run, map: int, owner: int, value: int, flags: int) -> int:
    found = run.map(map)
    assert isinstance(found, Storage)
    if flags & ~_GET_CREATE:
        return 0
    initial = run.mem.read(value, found.value_size) if value and flags else None
    return found.get(owner, initial, bool(flags & _GET_CREATE))


@model
def sk_storage_get(run: Run, map: int, sk: int, value: int, flags: int) -> int:
    return _storage_get(run, map, sk, value, flags)


@model
def inode_storage_get(run: Run, map: int, inode: int, value: int, flags: int) -> int:
    return _storage_get(run, map, inode, value, flags)


@model
def task_storage_get(run: Run, map: int, task: int, value: int, flags: int) -> int:
    return _storage_get(run, map, task, value, flags)


@model
def cgrp_storage_get(run: Run, map: int, cgroup: int, value: int, flags: int) -> int:
    return _storage_get(run, map, cgroup, value, flags)


def _storage_delete(run: Run, map: int, owner: int) -> int:
    found = run.map(map)
    assert isinstance(found, Storage)
    return found.drop(owner)


@model
def sk_storage_delete(run: Run, map: int, sk: int) -> int:
    return _storage_delete(run, map, sk)


@model
def inode_storage_delete(run: Run, map: int, inode: int) -> int:
    return _storage_delete(run, map, inode)


@model
def task_storage_delete(run: Run, map: int, task: int) -> int:
    return _storage_delete(run, map, task)


@model
def cgrp_storage_delete(run: Run, map: int, cgroup: int) -> int:
    return _storage_delete(run, map, cgroup)


def _enter_socket(run: Run, found: OfflineMap, key: int, socket: object, flags: int) -> int:
    """Enter a socket into a socket map; EOPNOTSUPP for one that is neither of UDP, nor listens nor is connected."""
    if socket is None:
        return -EINVAL
    if not isinstance(socket, PseudoSocket) or not socket.redirectable:
        return -EOPNOTSUPP
    return run.references(found).put(run.mem.read(key, found.key_size), socket, flags)


@model
def sock_map_update(run: Run, skops: int, map: int, key: int, flags: int) -> int:
    return _enter_socket(run, run.map(map), key, run.context_socket(), flags)


@model
def sock_hash_update(run: Run, skops: int, map: int, key: int, flags: int) -> int:
    return _enter_socket(run, run.map(map), key, run.context_socket(), flags)
