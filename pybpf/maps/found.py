"""Maps that the kernel has already: by id, by pin, or all of them."""

from __future__ import annotations

from errno import EACCES, ENOENT, EPERM

from ..errors import SpecError, SyscallError
from ..spec import MapSpec
from ..syscall.bpffs import DEFAULT, open_pin
from ..syscall.objects import each, fd_by_id, obj_info
from .create import create_flags, live
from .live import Map

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_ACCESS_FLAGS = 1 << 3 | 1 << 4  # RDONLY and WRONLY belong to the descriptor, not to the map
_RDONLY_PROG = 1 << 7
_ADDED_FLAGS = dict.fromkeys(
    (14, 25), _RDONLY_PROG
)  # by the kernel, by MapType: DEVMAP, DEVMAP_HASH (dev_map_init_map)
# What a pinned map must have in common with the declaration that wants it.
_COMPARED = ("map_type", "key_size", "value_size", "max_entries", "flags")


def spec_of(fd: int) -> MapSpec:
    """The spec of a map that is there, with the types of its BTF where it has any."""
    from ctypes import sizeof

    from ..uapi import MapInfo

    info: Any = MapInfo.from_buffer_copy(obj_info(fd, sizeof(MapInfo)).ljust(sizeof(MapInfo), b"\0"))
    key = value = None
    if info.btf_id:
        key, value = _types(info.btf_id, info.btf_key_type_id, info.btf_value_type_id)
    spec = MapSpec(
        info.type,
        info.key_size,
        info.value_size,
        info.max_entries,
        info.map_flags,
        name=info.name.decode(errors="replace"),
        ifindex=info.ifindex,
        map_extra=info.map_extra,
    )
    for which, type_, size in (("key", key, info.key_size), ("value", value, info.value_size)):
        if type_ is not None and _size(type_) == size:
            spec = spec.replace(**{which: type_})
    return spec


def _types(btf_id: int, key: int, value: int) -> tuple[Any, Any]:
    from .btf import kernel_btf, python_type

    try:
        btf = kernel_btf(btf_id)
    except SyscallError as error:
        if error.errno not in (EPERM, EACCES, ENOENT):
            raise
        return None, None  # its BTF is not for us to see; its bytes are
    return tuple(python_type(btf.type(id_)) if id_ else None for id_ in (key, value))  # type: ignore[return-value]


def _size(type_: Any) -> int:
    from ..types import codec

    return codec(type_).size


def opened(fd: int) -> Map:
    """The live map of a descriptor, which it owns from now on."""
    from ..syscall.fd import Fd

    with Fd(fd) as owner:
        spec = spec_of(fd)
        owner.detach()
    return live(spec, fd)


def from_id(id_: int) -> Map:
    """Open a map by its id.  SyscallError (ENOENT) when there is none."""
    return opened(fd_by_id("map", id_))


def from_pin(path: str, *, read_only: bool = False) -> Map:
    """Open a pinned map.  SyscallError when nothing is pinned there, KindError when it is no map."""
    found = opened(open_pin(path, "map", 8 if read_only else 0))
    found._pinned = path
    return found


def maps() -> Iterator[Map]:
    """All maps in the kernel, open; each is closed when it is dropped."""
    for _, fd in each("map"):
        yield opened(fd).keep_quiet()


def pin_path(spec: MapSpec) -> str:
    """Where a map with `pinning` stands."""
    if spec.pinning != "by-name":
        return spec.pinning or ""
    if not spec.name:
        raise SpecError("a map pinned by name needs a name")
    return f"{DEFAULT}/{spec.name}"


def reuse(spec: MapSpec) -> Map | None:
    """The map pinned where `spec` wants to be pinned, or None; SpecError when it is another kind of map."""
    path = pin_path(spec)
    try:
        fd = open_pin(path, "map")
    except SyscallError as error:
        if error.errno != ENOENT:
            raise
        return None
    from ..syscall.fd import Fd

    with Fd(fd) as owner:
        there = spec_of(fd)
        for field in _COMPARED:
            wanted, found = getattr(spec, field), getattr(there, field)
            if field == "flags":
                wanted = (create_flags(spec) | _ADDED_FLAGS.get(spec.map_type, 0)) & ~_ACCESS_FLAGS
                found = (found | _ADDED_FLAGS.get(spec.map_type, 0)) & ~_ACCESS_FLAGS
            if wanted != found:
                raise SpecError(
                    f"map {spec.name!r}: the map pinned at {path} has {field}={found}, but {wanted} is declared; "
                    "remove that pin, or declare the same"
                )
        owner.detach()
    found_map = live(spec, fd)
    found_map._pinned = path
    return found_map
