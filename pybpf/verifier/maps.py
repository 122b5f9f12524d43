"""`Map`: a map as programs meet it: its sizes, what it lets them do, and the special fields in its values."""

from __future__ import annotations

from ..btf.fields import LOCKS, Special, special_fields
from ..errors import BtfError
from ..uapi.map import MapFlags, MapType
from ..uapi.prog import ProgType
from .reject import Reject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..btf import Btf
    from ..kernel import Rules
    from ..spec import MapSpec
    from .program import Program
    from .setting import Setting

MAX_OFFSET = 1 << 29
"""Offsets reach less far than this in either direction (BPF_MAX_VAR_OFF)."""
MAX_MAPS = 64

TRACING = frozenset(
    (
        ProgType.KPROBE,
        ProgType.TRACEPOINT,
        ProgType.PERF_EVENT,
        ProgType.RAW_TRACEPOINT,
        ProgType.RAW_TRACEPOINT_WRITABLE,
    )
)
_IN_SLEEPABLE = frozenset(
    (
        MapType.HASH,
        MapType.LRU_HASH,
        MapType.ARRAY,
        MapType.PERCPU_HASH,
        MapType.PERCPU_ARRAY,
        MapType.LRU_PERCPU_HASH,
        MapType.ARRAY_OF_MAPS,
        MapType.HASH_OF_MAPS,
        MapType.RINGBUF,
        MapType.USER_RINGBUF,
        MapType.INODE_STORAGE,
        MapType.SK_STORAGE,
        MapType.TASK_STORAGE,
        MapType.CGRP_STORAGE,
        MapType.QUEUE,
        MapType.STACK,
        MapType.ARENA,
    )
)
_READ_ONLY = frozenset((MapType.DEVMAP, MapType.DEVMAP_HASH))
"""Types whose values programs may only read, whatever their flags say."""
_OF_MAPS = frozenset((MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS))
_BUILD_IDS = (32, 127 * 32, 32)
"""Sizes of a stack of build ids: up to 127 of struct bpf_stack_build_id, where plain stacks have addresses."""
CGROUP_STORAGES = frozenset((MapType.CGROUP_STORAGE, MapType.PERCPU_CGROUP_STORAGE))
ARRAYS = frozenset((MapType.ARRAY, MapType.PERCPU_ARRAY))


class Map:
    """A map: one object for each `MapSpec` of a program."""

    def __init__(self, spec: MapSpec, name: str = "", kernel: Btf | None = None) -> None:
        self.spec = spec
        self.name = spec.name or name
        self.type = int(spec.map_type)
        self.key_size = spec.key_size
        self.value_size = spec.value_size
        self.max_entries = spec.max_entries
        self.flags = int(spec.flags) | (MapFlags.RDONLY_PROG if self.type in _READ_ONLY else 0)
        self.inner = Map(spec.inner, f"{self.name}.inner", kernel) if spec.inner is not None else None
        self.specials: tuple[Special, ...] = _specials(spec, kernel)
        # Loaders freeze read-only data of C programs, and say so in the map's name only.
        self.frozen = spec.frozen or ".rodata" in self.name
        self.frozen_contents = _contents(spec) if self.frozen else None

    @property
    def program_reads(self) -> bool:
        return not self.flags & MapFlags.WRONLY_PROG

    @property
    def program_writes(self) -> bool:
        return not self.flags & MapFlags.RDONLY_PROG

    @property
    def typed(self) -> bool:
        """Whether BTF describes its values."""
        return bool(self.specials) or bool(self.spec.btf and self.spec.btf_value)

    def special(self, kind: str) -> Special | None:
        return next((field for field in self.specials if field.kind == kind), None)

    def has(self, *kinds: str) -> bool:
        return any(field.kind in kinds for field in self.specials)

    def __repr__(self) -> str:
        return f"<Map {self.name}>"


def _contents(spec: MapSpec) -> bytes | None:
    """The bytes of a frozen array's only value, when they are known."""
    if spec.max_entries != 1 or len(spec.contents) != 1:
        return None
    value = spec.contents[0][1]
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    from ..errors import BpfError

    try:
        return bytes(spec.value_codec.pack(value))
    except (BpfError, AttributeError, TypeError, ValueError):
        return None


def _specials(spec: MapSpec, kernel: Btf | None) -> tuple[Special, ...]:
    try:
        return special_fields(spec, kernel)
    except BtfError as error:
        raise Reject("btf", f"map {spec.name or '(unnamed)'}: {error}") from None


def check_definition(rules: Rules, spec: MapSpec, name: str) -> None:
    """A map of this kind, size and flags can be made at all: else there is nothing that a program could be loaded with."""
    if spec.map_type not in rules.map_types():
        return  # what could not be asked of the kernel
    wanted = rules.map(spec.map_type)
    flags = int(spec.flags)
    both = MapFlags.RDONLY_PROG | MapFlags.WRONLY_PROG
    problem = ""
    for what, size, (low, high, step) in (
        ("keys", spec.key_size, wanted.key_sizes),
        ("values", spec.value_size, _BUILD_IDS if flags & MapFlags.STACK_BUILD_ID else wanted.value_sizes),
    ):
        if not low <= size <= high or (size - low) % step:
            some = str(low) if low == high else f"{low} to {high}" + (f", in steps of {step}" if step > 1 else "")
            problem = f"its {what} have {size} bytes, and must have {some}"
    if spec.map_type in _OF_MAPS and spec.inner is None:
        problem = "a map of maps needs an inner map"
    elif flags & ~wanted.flags:
        problem = f"flags {flags & ~wanted.flags:#x} are not for maps of this type"
    elif flags & wanted.required_flags != wanted.required_flags:
        problem = f"it needs the flags {wanted.required_flags:#x}"
    elif flags & both == both:
        problem = "programs could neither read nor write it"
    elif wanted.entries == "zero" and spec.max_entries:
        problem = "max_entries must be 0"
    elif wanted.entries != "zero" and not spec.max_entries and spec.map_type != MapType.PERF_EVENT_ARRAY:
        problem = "max_entries is 0"
    elif wanted.entries == "pages" and (spec.max_entries & (spec.max_entries - 1) or spec.max_entries % 4096):
        problem = f"max_entries is {spec.max_entries}, and must be a power of two of pages"
    if problem:
        raise Reject("map", f"map {name!r} cannot be made: {problem}", hint="the kernel refuses BPF_MAP_CREATE")
    if spec.inner is not None:
        check_definition(rules, spec.inner, f"{name}.inner")


def check_load_of_map(program: Program, map: Map, slot: int, offset: int | None, checked: set[int]) -> None:
    """What must hold for a wide load to name a map, and for a direct address (`offset`) of its value."""
    if id(map) not in checked:
        checked.add(id(map))
        if len(checked) > MAX_MAPS:
            raise Reject("complexity", f"more than {MAX_MAPS} maps in one program", insn=slot)
        _check_program_may_use(program.setting, map, slot)
    if offset is None:
        return
    if offset >= MAX_OFFSET:
        raise Reject("bounds-map", f"direct value offset of {offset} is not allowed", insn=slot)
    if map.type not in (MapType.ARRAY, MapType.ARENA):
        raise Reject("map", "no direct value access support for this map type", insn=slot)
    if map.type == MapType.ARRAY and (map.max_entries != 1 or offset >= map.value_size):
        raise Reject(
            "bounds-map",
            f"invalid access to map value pointer, value_size={map.value_size} off={offset}",
            hint="direct addresses work for arrays with one entry, inside its value",
            insn=slot,
        )


def _check_program_may_use(setting: Setting, map: Map, slot: int) -> None:
    kind = setting.prog_type
    if map.has("list_head", "rb_root") and kind in TRACING:
        raise Reject("map", "tracing programs cannot use bpf_list_head and bpf_rb_root", insn=slot)
    if map.has(*LOCKS):
        if kind == ProgType.SOCKET_FILTER:
            raise Reject("lock", "socket filter programs cannot use maps with a bpf_spin_lock", insn=slot)
        if kind in TRACING:
            raise Reject("lock", "tracing programs cannot use maps with a bpf_spin_lock", insn=slot)
    if map.has("timer", "wq", "task_work") and kind in TRACING and not setting.at_least("7.2"):
        raise Reject("map", "tracing programs cannot use maps with a bpf_timer or bpf_wq", insn=slot)
    if map.type == MapType.STRUCT_OPS:
        raise Reject("map", "a struct_ops map cannot be used in a program", insn=slot)
    if setting.sleepable and map.type not in _IN_SLEEPABLE:
        raise Reject(
            "map", "sleepable programs can only use array, hash, ring-buffer and local-storage maps", insn=slot
        )
    if map.type in CGROUP_STORAGES:
        other = setting.cgroup_storage.setdefault(map.type, map)
        if other is not map:
            raise Reject("map", "only one cgroup storage of each type is allowed", insn=slot)
