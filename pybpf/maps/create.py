"""From a `MapSpec` to a live map: create, fill, freeze, pin; or open what the kernel already has."""

from __future__ import annotations

from errno import EINVAL, EOPNOTSUPP
from sys import byteorder

from ..errors import SpecError, SyscallError
from ..spec import MapSpec, ProgramSpec
from ..syscall.maps import map_create
from ..types import Scalar
from .kernel import ENOTSUPP
from .live import IntArray, IntHash, LiveArray, LiveBloom, LiveHash, LiveQueue, Map, QuickHash, possible_cpus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..types import Codec

PERF_EVENT_ARRAY, ARRAY_OF_MAPS, HASH_OF_MAPS, STRUCT_OPS, ARENA = 4, 12, 13, 26, 33
_NUMA_NODE = 1 << 2

# The class of each MapType's live map, and the one when keys and values are plain integers; for others LiveHash.
# Quick ones are those whose elements are read and written without sleeping.
_LIVE: dict[int, tuple[type[Map], type[Map]]] = {
    **dict.fromkeys((1, 9), (QuickHash, IntHash)),
    **dict.fromkeys((5, 10, 11), (QuickHash, QuickHash)),
    2: (LiveArray, IntArray),
    6: (LiveArray, LiveArray),
    **dict.fromkeys((22, 23), (LiveQueue, LiveQueue)),
    30: (LiveBloom, LiveBloom),
}


# Those that are more than elements, by module; imported when there is one.
_ELSEWHERE = {
    4: "..events.perfbuf:PerfBuffer",
    26: ".structops:StructOpsMap",
    7: ".special:StackTraces",
    8: ".special:CgroupTable",
    27: "..events.ringbuf:RingBuffer",
    31: "..events.userring:UserRingBuffer",
    33: ".special:Arena",
    **dict.fromkeys((3, 12, 13, 15, 17, 18, 20), ".special:ReferenceTable"),
    **dict.fromkeys((24, 28, 29, 32), ".special:Storage"),
}


def live(spec: MapSpec, fd: int) -> Map:
    """The live map for a descriptor, which it owns from now on."""
    place = _ELSEWHERE.get(spec.map_type)
    if place is not None:
        from importlib import import_module

        module, name = place.split(":")
        made: Map = getattr(import_module(module, __package__), name)(spec, fd)
        return made
    general, plain = _LIVE.get(spec.map_type, (LiveHash, LiveHash))
    return (plain if _native(spec.key_codec) and _native(spec.value_codec) else general)(spec, fd)


def _native(codec: Codec) -> bool:
    """True for an integer in the machine's byte order."""
    return codec.format is not None and isinstance(codec.type, Scalar) and codec.type.byteorder == byteorder


def create(spec: MapSpec, name: str = "", token_fd: int = 0) -> Map:
    """Make the map that `spec` describes, with its contents, or open the one that is pinned where it wants to be.

    `name` is what the kernel calls it when the spec has none; `token_fd` is a token that permits it, if any.
    When it fails, nothing is left.
    """
    if not spec.name and name:
        spec = spec.replace(name=name)
    if spec.map_type == PERF_EVENT_ARRAY and not spec.max_entries:
        spec = spec.replace(max_entries=possible_cpus())
    if spec.map_type == STRUCT_OPS:
        from .structops import create_struct_ops

        return create_struct_ops(spec, token_fd)  # `load` fills it: it is made of programs
    if spec.pinning:
        from .found import pin_path, reuse

        pinned = reuse(spec)
        if pinned is not None:
            return pinned
    if spec.map_type in (ARRAY_OF_MAPS, HASH_OF_MAPS):
        if spec.inner is None:
            raise SpecError(f"map {spec.name!r}: a map of maps needs `inner`, the spec of the maps in it")
        with create(spec.inner.replace(contents=(), pinning=None), token_fd=token_fd) as inner:
            fd = _described(spec, token_fd, inner_map_fd=inner.fileno())
    else:
        fd = _described(spec, token_fd)
    made = live(spec, fd)
    try:
        made.start()
        fill(made, token_fd)
        if spec.frozen:
            made.freeze()
        if spec.pinning:
            made.pin(pin_path(spec))
    except BaseException:
        made.close()
        raise
    return made


def _described(spec: MapSpec, token_fd: int, **options: int) -> int:
    """A new map with BTF of its key and value; without, where the kernel takes none for such a map."""
    from ..fields import kernel_fields
    from .btf import describe

    options["token_fd"] = token_fd
    described = describe(spec, token_fd)
    if described is None:
        return _create(spec, **options)
    btf, key, value = described
    with btf:
        try:
            return _create(spec, btf_fd=btf.fileno(), btf_key_type_id=key, btf_value_type_id=value, **options)
        except SyscallError as error:
            if error.errno not in (EINVAL, EOPNOTSUPP, ENOTSUPP) or kernel_fields(spec.value):
                raise
    return _create(spec, **options)


def _create(spec: MapSpec, **options: int) -> int:
    try:
        return map_create(
            spec.map_type,
            spec.key_size,
            spec.value_size,
            spec.max_entries,
            create_flags(spec),
            name=spec.name,
            numa_node=spec.numa_node or 0,
            ifindex=spec.ifindex,
            map_extra=spec.map_extra,
            **options,
        )
    except SyscallError as error:
        from ..features import refusal

        refusal.of_map(spec.map_type, error)
        raise


def create_flags(spec: MapSpec) -> int:
    """The flags that the kernel is given: those of the spec, and what follows from its other fields."""
    return spec.flags | (_NUMA_NODE if spec.numa_node is not None else 0)


def fill(made: Any, token_fd: int = 0) -> None:
    """Store the contents that the spec gives."""
    spec = made.spec
    if not spec.contents:
        return
    if spec.map_type == ARENA:
        for at, data in spec.contents:
            made.memory[at : at + len(data)] = data
        return
    if isinstance(made, (LiveQueue, LiveBloom)):
        for _, value in spec.contents:
            made.push(value)
        return
    for key, value in spec.contents:
        if isinstance(value, MapSpec):
            with create(value, token_fd=token_fd) as inner:  # the outer map keeps it
                made[key] = inner
        elif not isinstance(value, ProgramSpec):  # programs are loaded by `load`
            made[key] = value
