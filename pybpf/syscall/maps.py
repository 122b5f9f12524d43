"""Commands on maps: one function each, bytes and ints.

Functions that look for something give None (or False) when it is not there; every other failure is a SyscallError.
"""

from __future__ import annotations

from errno import EINVAL, ENOENT, ENOSPC
from struct import Struct

from .door import address, bpf, buffer_of, call, failure, object_name, with_token

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAP_CREATE = 0
MAP_LOOKUP_ELEM = 1
MAP_UPDATE_ELEM = 2
MAP_DELETE_ELEM = 3
MAP_GET_NEXT_KEY = 4
MAP_LOOKUP_AND_DELETE_ELEM = 21
MAP_FREEZE = 22
MAP_LOOKUP_BATCH = 24
MAP_LOOKUP_AND_DELETE_BATCH = 25
MAP_UPDATE_BATCH = 26
MAP_DELETE_BATCH = 27

# The members of union bpf_attr, field by field; tests compare them with uapi/attr.py.
CREATE = Struct("=7I16s5IQiiQI4x")
ELEM = Struct("=I4xQQQ")
BATCH = Struct("=QQQQIIQQ")
_FD = Struct("=I")
_COUNT = Struct("=32xI")


def map_create(
    map_type: int,
    key_size: int,
    value_size: int,
    max_entries: int,
    flags: int = 0,
    *,
    name: str | bytes = "",
    inner_map_fd: int = 0,
    numa_node: int = 0,
    ifindex: int = 0,
    btf_fd: int = 0,
    btf_key_type_id: int = 0,
    btf_value_type_id: int = 0,
    btf_vmlinux_value_type_id: int = 0,
    map_extra: int = 0,
    value_type_btf_obj_fd: int = 0,
    token_fd: int = 0,
) -> int:
    """BPF_MAP_CREATE: the descriptor of a new map.  `token_fd` permits it where the process alone may not (Linux 6.9)."""
    attr = bytearray(
        CREATE.pack(
            map_type,
            key_size,
            value_size,
            max_entries,
            with_token(flags, token_fd),
            inner_map_fd,
            numa_node,
            object_name(name),
            ifindex,
            btf_fd,
            btf_key_type_id,
            btf_value_type_id,
            btf_vmlinux_value_type_id,
            map_extra,
            value_type_btf_obj_fd,
            token_fd,
            0,
            0,
        )
    )
    result = call(MAP_CREATE, attr)
    if result >= 0:
        return result
    error = failure(-result, MAP_CREATE, f"map {name!r}" if name else "a map")
    if result == -EINVAL:
        from .common import said

        words = said(MAP_CREATE, attr)
        error.hint = f"the kernel says: {words}" if words else error.hint
    raise error


def _elem(command: int, fd: int, key: Any, value: Any, flags: int) -> int:
    return call(command, bytearray(ELEM.pack(fd, address(key), address(value), flags)))


def _key(key: bytes | None) -> Any:
    return None if not key else buffer_of(key)


def _find(command: int, fd: int, key: bytes | None, value: bytearray, flags: int) -> bytes | None:
    result = _elem(command, fd, _key(key), buffer_of(value), flags)
    if result >= 0:
        return bytes(value)
    if result == -ENOENT:
        return None
    raise failure(-result, command)


def map_lookup_elem(fd: int, key: bytes | None, value_size: int, flags: int = 0) -> bytes | None:
    """BPF_MAP_LOOKUP_ELEM: the value, or None.  `value_size` counts all CPUs of a per-CPU map."""
    return _find(MAP_LOOKUP_ELEM, fd, key, bytearray(value_size), flags)


def map_contains(fd: int, value: bytes) -> bool:
    """BPF_MAP_LOOKUP_ELEM on a bloom filter: whether `value` is probably in it."""
    return _find(MAP_LOOKUP_ELEM, fd, None, bytearray(value), 0) is not None


def map_lookup_and_delete_elem(fd: int, key: bytes | None, value_size: int, flags: int = 0) -> bytes | None:
    """BPF_MAP_LOOKUP_AND_DELETE_ELEM: the value, now gone from the map, or None."""
    return _find(MAP_LOOKUP_AND_DELETE_ELEM, fd, key, bytearray(value_size), flags)


def map_update_elem(fd: int, key: bytes | None, value: bytes, flags: int = 0) -> int:
    """BPF_MAP_UPDATE_ELEM: 0, or the errno."""
    return -_elem(MAP_UPDATE_ELEM, fd, _key(key), buffer_of(value), flags)


def map_delete_elem(fd: int, key: bytes) -> int:
    """BPF_MAP_DELETE_ELEM: 0, or the errno."""
    return -_elem(MAP_DELETE_ELEM, fd, _key(key), None, 0)


def map_get_next_key(fd: int, key: bytes | None, key_size: int) -> bytes | None:
    """BPF_MAP_GET_NEXT_KEY: the key after `key` (None: the first), or None after the last.

    For a key that is no longer there the kernel starts again with the first.
    """
    following = bytearray(key_size)
    result = _elem(MAP_GET_NEXT_KEY, fd, _key(key), buffer_of(following), 0)
    if result >= 0:
        return bytes(following)
    if result == -ENOENT:
        return None
    raise failure(-result, MAP_GET_NEXT_KEY)


def map_batch(
    command: int,
    fd: int,
    keys: Any,
    values: Any,
    count: int,
    *,
    in_batch: Any = None,
    out_batch: Any = None,
    elem_flags: int = 0,
) -> tuple[int, int]:
    """One of the four batch commands: `(errno, entries done)`; the last batch of a lookup gives ENOENT.

    Buffers are ctypes objects, or None; `in_batch` and `out_batch` are the kernel's cursor (4 bytes or a key, whichever
    is larger), None to begin.
    """
    attr = bytearray(
        BATCH.pack(address(in_batch), address(out_batch), address(keys), address(values), count, fd, elem_flags, 0)
    )
    result = call(command, attr)
    # The kernel leaves `count` as it was when it refuses the command before doing anything.
    done: int = _COUNT.unpack_from(attr)[0]
    if result in (0, -ENOENT, -ENOSPC):
        return -result, done
    return -result, done if command in (MAP_UPDATE_BATCH, MAP_DELETE_BATCH) and done < count else 0


def map_freeze(fd: int) -> None:
    """BPF_MAP_FREEZE: user space can no longer write to the map (Linux 5.2)."""
    bpf(MAP_FREEZE, _FD.pack(fd))
