"""Maps of an object: those that BTF defines (".maps"), those of legacy "maps" sections, and sections of data."""

from __future__ import annotations

import struct
import sys

from ..btf.kinds import Kind
from ..btf.types import Array, Datasec, Enum, FuncProto, Int, Struct, Type, Var
from ..errors import BtfError
from ..spec import MapSpec
from ..types import Scalar, be16, be32, be64, s8, s16, s32, s64, u8, u16, u32, u64
from .file import STT_OBJECT, ElfFile, Section, Symbol
from .names import ARENA_DATA, DATA, is_data

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..btf.btf import Btf

ARRAY, PROG_ARRAY, ARRAY_OF_MAPS, HASH_OF_MAPS, STRUCT_OPS, RINGBUF, USER_RINGBUF, ARENA = 2, 3, 12, 13, 26, 27, 31, 33
_OF_MAPS = frozenset({ARRAY_OF_MAPS, HASH_OF_MAPS})
_INDEXED = frozenset({2, 3, 4, 6, 8, 12, 14, 15, 16, 17, 20})
_OF_DESCRIPTORS = frozenset({3, 4, 8, 12, 13, 14, 15, 16, 17, 18, 20})
F_NUMA_NODE, F_RDONLY_PROG, F_MMAPABLE, F_LINK = 1 << 2, 1 << 7, 1 << 10, 1 << 13
PAGE = 4096
TC = "/sys/fs/bpf/tc"

_NUMBERS = {
    "type": "map_type",
    "max_entries": "max_entries",
    "map_flags": "flags",
    "key_size": "key_size",
    "value_size": "value_size",
    "numa_node": "numa_node",
    "map_extra": "map_extra",
}
_SCALARS: dict[tuple[int, bool], Any] = {
    (1, False): u8,
    (2, False): u16,
    (4, False): u32,
    (8, False): u64,
    (1, True): s8,
    (2, True): s16,
    (4, True): s32,
    (8, True): s64,
}
_BIG: dict[tuple[int, bool], Any] = {(2, False): be16, (4, False): be32, (8, False): be64}


class Definition:
    """A map being read: its spec, where it stands (`section`, `offset`), where its `values` begin in it (or -1)."""

    __slots__ = ("offset", "section", "size", "spec", "values_at")

    def __init__(self, spec: MapSpec, section: int, offset: int, size: int, values_at: int = -1) -> None:
        self.spec, self.section, self.offset, self.size, self.values_at = spec, section, offset, size, values_at


def python_type(t: Type) -> Any:
    """The type to read a key or value with: u32 and its like for integers, a ctypes class for the rest."""
    from ..btf.ctype import ctype

    inner = t.stripped
    if isinstance(inner, Int) and not inner.is_bool:
        if inner.size == 1 or t.btf.byteorder == sys.byteorder:
            return _SCALARS.get((inner.size, inner.signed))
        return _BIG.get((inner.size, inner.signed)) if t.btf.byteorder == "big" else None
    if isinstance(inner, Struct) and inner.size:
        return ctype(t)
    return None  # raw bytes


# -- ".maps"


def btf_maps(elf: ElfFile, btf: Btf, raw_btf: bytes) -> list[Definition]:
    """The maps that section ".maps" defines, in order of their places."""
    section = elf.section(".maps")
    if section is None:
        return []
    datasec = next((t for t in btf.find_all(".maps", Kind.DATASEC)), None)
    if not isinstance(datasec, Datasec):
        raise elf.error("section .maps has no description in BTF")
    found = []
    for var, _, size in datasec.vars:
        symbol = _object(elf, section, var.name)
        if not isinstance(var, Var) or symbol is None or symbol.value + size > section.size:
            raise elf.error(f"map {var.name!r} in .maps has no symbol that lies in the section")
        try:
            spec, values_at = _defined(var.type.stripped, var.name, raw_btf, 0)
        except BtfError as error:
            raise elf.error(f"map {var.name!r}: {error}") from None
        found.append(Definition(spec, section.index, symbol.value, symbol.size or size, values_at))
    return sorted(found, key=lambda d: d.offset)


def _object(elf: ElfFile, section: Section, name: str) -> Symbol | None:
    return next((s for s in elf.symbols if s.section == section.index and s.name == name), None)


def _number(t: Type, name: str) -> int:
    """A number as a map definition spells it: `int (*name)[number]`, or an enumerator for 64 bits."""
    inner = t.stripped
    if inner.kind == Kind.PTR:
        array = inner.type.stripped
        if isinstance(array, Array):
            return array.count
    elif isinstance(inner, Enum) and inner.vlen == 1:
        return inner.items[0][1]
    raise BtfError(f"field {name!r} is {t}: expected the form that __uint() gives")


def _defined(t: Type, name: str, raw_btf: bytes, depth: int) -> tuple[MapSpec, int]:
    if not isinstance(t, Struct):
        raise BtfError(f"it is {t}: expected a struct")
    fields: dict[str, Any] = {}
    values_at = -1
    inner: MapSpec | None = None
    for m in t.members:
        if m.name in _NUMBERS:
            fields[_NUMBERS[m.name]] = _number(m.type, m.name)
        elif m.name == "pinning":
            if _number(m.type, m.name) > 1:
                raise BtfError(f"pinning {_number(m.type, m.name)}: only 0 (none) and 1 (by name) are known")
            fields["pinning"] = "by-name" if _number(m.type, m.name) else None
        elif m.name in ("key", "value"):
            pointer = m.type.stripped
            if pointer.kind != Kind.PTR:
                raise BtfError(f"field {m.name!r} is {m.type}: expected the form that __type() gives")
            described = pointer.type
            if fields.setdefault(f"{m.name}_size", described.size) != described.size:
                raise BtfError(
                    f"{m.name}_size is {fields[f'{m.name}_size']}, but {described} has {described.size} bytes"
                )
            fields[f"btf_{m.name}"] = pointer.type_id
            fields[m.name] = python_type(described)
        elif m.name == "values":
            values_at = m.offset
            inner = _inner(m.type.stripped, name, raw_btf, depth)
            fields.setdefault("value_size", 4)
            fields.setdefault("key_size", 4)
        else:
            raise BtfError(f"field {m.name!r} of a map definition is not known")
    if not fields.get("flags", 0) & F_NUMA_NODE:
        fields.pop("numa_node", None)  # the kernel does not look at it then
    map_type = fields.pop("map_type", 0)
    if not map_type:
        raise BtfError("its type is not given")
    if map_type in _OF_MAPS and (inner is None and depth):
        raise BtfError("a map of maps inside a map of maps")
    for which in ("key", "value"):
        if fields.get(which) is not None and _size_of(fields[which]) != fields.get(f"{which}_size"):
            fields[which] = None
    if map_type in _INDEXED and fields.get("key_size") == 4:
        fields.setdefault("key", u32)
    if map_type in _OF_DESCRIPTORS and fields.get("value_size") == 4:
        fields.setdefault("value", u32)
    if map_type in (RINGBUF, USER_RINGBUF) and fields.get("max_entries"):
        fields["max_entries"] = ring_size(fields["max_entries"])
    if all(isinstance(fields.get(which), Scalar) or not fields.get(f"btf_{which}") for which in ("key", "value")):
        fields["btf_key"] = fields["btf_value"] = 0  # the types say all; only structs need the object's own description
    elif fields.get("key_size") and not fields.get("btf_key"):
        fields["btf_value"] = 0  # the kernel takes both descriptions or none
    btf = raw_btf if fields.get("btf_key") or fields.get("btf_value") else None
    return MapSpec(map_type, name=name, inner=inner, btf=btf, **fields), values_at


def _size_of(type_: Any) -> int:
    from ..types import codec

    return codec(type_).size


def _inner(array: Type, name: str, raw_btf: bytes, depth: int) -> MapSpec | None:
    """The spec of inner maps, from the type of `values`; None for an array of programs."""
    if depth:
        raise BtfError("maps of maps do not nest")
    if not isinstance(array, Array) or array.count or array.element.stripped.kind != Kind.PTR:
        raise BtfError("field 'values' is not an open array of pointers")
    element = array.element.stripped.type.stripped
    if isinstance(element, FuncProto):
        return None
    return _defined(element, f"{name}.inner", raw_btf, depth + 1)[0]


def ring_size(size: int) -> int:
    """The next size that a ring buffer may have: a power of two, and whole pages."""
    return max(PAGE, 1 << (size - 1).bit_length())


def fill_values(elf: ElfFile, definitions: list[Definition], programs: set[str]) -> None:
    """Initialised maps of maps and program arrays: relocations inside ".maps" become `contents`.

    A program stands there by its name, until `object.tie` puts the program itself in its place.
    """
    section = elf.section(".maps")
    for target, rows in elf.relocations():
        if section is None or target.index != section.index:
            continue
        for offset, _, symbol in rows:
            definition = next((d for d in definitions if d.offset <= offset < d.offset + d.size), None)
            if definition is None or definition.values_at < 0:
                raise elf.error(f"relocation at {offset} of .maps is in no array of values")
            key, rest = divmod(offset - definition.offset - definition.values_at, 8)
            spec = definition.spec
            if key < 0 or rest:
                raise elf.error(f"map {spec.name!r}: relocation at {offset} is not on a value")
            value: Any
            if spec.map_type == PROG_ARRAY:
                if symbol.name not in programs:
                    raise elf.error(f"map {spec.name!r}[{key}]: {symbol.name!r} is no program")
                value = symbol.name
            else:
                inner = next((d for d in definitions if d.offset == symbol.value), None)
                if symbol.section != section.index or inner is None or spec.map_type not in _OF_MAPS:
                    raise elf.error(f"map {spec.name!r}[{key}]: {symbol.name!r} is no map")
                value = inner.spec
            entry = (key if spec.key is not None else key.to_bytes(spec.key_size, elf.byteorder), value)  # type: ignore[arg-type]
            definition.spec = spec.replace(contents=(*spec.contents, entry))


# -- legacy "maps"


def legacy_maps(elf: ElfFile) -> list[Definition]:
    """Maps of a section "maps" (struct bpf_map_def of libbpf before 1.0, or struct bpf_elf_map of iproute2).

    The latter says where tc would pin a map, and by numbers which map is the model of those inside another, and which
    one lies in it at first.
    """
    section = elf.section("maps")
    if section is None or not section.size:
        return []
    symbols = [s for s in elf.symbols if s.section == section.index and s.name and s.type in (0, STT_OBJECT)]
    symbols.sort(key=lambda s: s.value)
    if not symbols or section.size % len(symbols):
        raise elf.error(f"section maps has {section.size} bytes for {len(symbols)} maps")
    size = section.size // len(symbols)
    if size < 20:
        raise elf.error(f"definitions in section maps have {size} bytes: expected at least 20")
    found = []
    rows: list[tuple[int, ...]] = []
    for symbol in symbols:
        raw = section.data[symbol.value : symbol.value + size]
        if len(raw) < size or symbol.value % size:
            raise elf.error(f"map {symbol.name!r} at {symbol.value} is not one of the {size}-byte definitions")
        numbers = struct.unpack(f"{elf.mark}{size // 4}I", raw[: size // 4 * 4])
        map_type, key, value, entries, flags = numbers[:5]
        pinning = None
        rows.append(numbers[5:])
        if len(numbers) == 9:  # struct bpf_elf_map: id, pinning, inner_id, inner_idx follow
            pinning = {0: None, 1: f"{TC}/{elf.name}/{symbol.name}"}.get(numbers[6], f"{TC}/globals/{symbol.name}")
        elif any(raw[20:]):
            raise elf.error(f"map {symbol.name!r}: its {size}-byte definition holds more than type, sizes and flags")
        spec = MapSpec(
            map_type,
            key,
            value,
            entries,
            flags,
            name=symbol.name,
            pinning=pinning,
            key=u32 if map_type in _INDEXED and key == 4 else None,
            value=u32 if map_type in _OF_DESCRIPTORS and value == 4 else None,
        )
        found.append(Definition(spec, section.index, symbol.value, size))
    if size == 36:
        _nest(elf, found, rows)
    return found


def _nest(elf: ElfFile, found: list[Definition], rows: list[tuple[int, ...]]) -> None:
    """Maps of maps of iproute2: `inner_id` is the id of the model, `inner_idx` (beside the id) a place in the outer map."""
    by_id = {number: d for d, (number, *_) in zip(found, rows, strict=True) if number}
    for outer, (number, _, model, _) in zip(found, rows, strict=True):
        if outer.spec.map_type not in _OF_MAPS:
            continue
        if model not in by_id:
            raise elf.error(f"map {outer.spec.name!r}: no map has the id {model}, which it gives for those inside it")
        contents = []
        for d, (_, _, holder, index) in zip(found, rows, strict=True):
            if holder == number and d is not outer and number and index != 0xFFFFFFFF:
                contents.append((index if outer.spec.key is not None else index.to_bytes(4, elf.byteorder), d.spec))  # type: ignore[arg-type]
        outer.spec = outer.spec.replace(inner=by_id[model].spec, contents=tuple(contents))


# -- data


def data_maps(elf: ElfFile, btf: Btf | None, raw_btf: bytes | None) -> list[tuple[Section, MapSpec]]:
    """Sections of data as arrays of one value: `.rodata` read-only, `.bss` zero."""
    found = []
    for section in elf.sections:
        if section.executable or not section.size or not is_data(section.name):
            continue
        if section.size > 1 << 30:
            raise elf.error(f"section {section.name!r} has {section.size} bytes")
        constant = section.name.startswith(".rodata")
        zero = not section.data or section.name.startswith(".bss")
        datasec = next(iter(btf.find_all(section.name, Kind.DATASEC)), None) if btf else None
        spec = MapSpec(
            ARRAY,
            value_size=section.size,
            max_entries=1,
            flags=(F_RDONLY_PROG if constant else 0) | (F_MMAPABLE if _is_shared(datasec) else 0),
            name=kernel_name(elf.name, section.name),
            key=u32,
            contents=() if zero else ((0, section.data),),
            frozen=constant,
            btf=raw_btf if datasec else None,
            btf_value=datasec.id if datasec else 0,
        )
        found.append((section, spec))
    return found


def fill_arena(elf: ElfFile, definitions: list[Definition]) -> tuple[Section, Definition] | None:
    """Variables in the arena: their section becomes the beginning of the only map of that type."""
    section = elf.section(ARENA_DATA)
    if section is None or not section.size:
        return None
    arenas = [d for d in definitions if d.spec.map_type == ARENA]
    if len(arenas) != 1:
        raise elf.error(f"section {ARENA_DATA!r} has variables of an arena, and {len(arenas)} maps are arenas: one is")
    arena = arenas[0]
    if section.size > arena.spec.max_entries * PAGE:
        raise elf.error(
            f"section {ARENA_DATA!r} has {section.size} bytes, arena {arena.spec.name!r} {arena.spec.max_entries} pages"
        )
    arena.spec = arena.spec.replace(contents=((0, section.data or bytes(section.size)),))
    return section, arena


def _is_shared(datasec: Type | None) -> bool:
    """Whether user space is to see the variables: not when all are static, as libbpf has it."""
    return isinstance(datasec, Datasec) and any(isinstance(v, Var) and v.linkage for v, _, _ in datasec.vars)


def kernel_name(file: str, section: str) -> str:
    """What the kernel is to call the map of a section: 'object.rodata' for the common ones, as libbpf names them."""
    stem = file.split(".", 1)[0]
    plain = section in DATA or section == ".kconfig"
    text = (stem[: 8 if len(section) < 8 else max(0, 15 - len(section))] + section) if plain else section
    return "".join(c if c.isalnum() or c in "._" else "_" for c in text)[:15]
