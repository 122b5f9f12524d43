"""Implementations of kernel structs by programs: variables of sections ".struct_ops" and ".struct_ops.link"."""

from __future__ import annotations

from ..btf.kinds import Kind
from ..btf.types import Datasec, Int, Member, Struct
from ..errors import BtfError
from ..spec import MapSpec
from ..types import u32
from .file import ElfFile, Section
from .maps import F_LINK, STRUCT_OPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ..btf.btf import Btf
    from .object import ElfProgram

_SECTIONS = {".struct_ops": 0, ".struct_ops.link": F_LINK}


def struct_ops_maps(elf: ElfFile, btf: Btf | None, programs: dict[str, ElfProgram], raw: bytes | None) -> list[MapSpec]:
    """The maps for such variables.  Programs that they name learn, in `programs`, which member they are for."""
    found = []
    for name, flags in _SECTIONS.items():
        section = elf.section(name) or elf.section("?" + name)
        if section is None or btf is None:
            continue
        datasec = next(iter(btf.find_all(section.name, Kind.DATASEC)), None)
        if not isinstance(datasec, Datasec):
            raise elf.error(f"section {section.name!r} has no description in BTF")
        pointers = _pointers(elf, section)
        for var, offset, size in datasec.vars:
            struct = var.type.stripped
            if not isinstance(struct, Struct) or offset + size > len(section.data) or struct.size > size:
                raise elf.error(f"{var.name!r} in {section.name!r} is no struct that lies in the section")
            data = section.data[offset : offset + size]
            try:
                values = _values(elf, struct, data, offset, pointers, programs)
            except BtfError as error:
                raise elf.error(f"{var.name!r} in {section.name!r}: {error}") from None
            found.append(
                MapSpec(
                    STRUCT_OPS,
                    value_size=struct.size,
                    max_entries=1,
                    flags=flags,
                    name=var.name,
                    key=u32,
                    contents=((0, values),),
                    btf=raw,
                    btf_value=struct.id,
                    btf_struct_ops=struct.name.split("___", 1)[0],
                )
            )
    return found


def _pointers(elf: ElfFile, section: Section) -> dict[int, str]:
    """Offset in the section -> name of the program whose address stands there."""
    return {
        offset: symbol.name
        for target, rows in elf.relocations()
        if target.index == section.index
        for offset, _, symbol in rows
    }


def _values(
    elf: ElfFile,
    struct: Struct,
    data: bytes,
    base: int,
    pointers: Mapping[int, str],
    programs: dict[str, ElfProgram],
) -> dict[str, Any]:
    """The members that are set: programs, numbers, and bytes for the rest."""
    values: dict[str, Any] = {}
    for m in struct.members:
        if not m.name:
            continue
        program = pointers.get(base + m.offset) if not m.bit_size else None
        if program is not None:
            if program not in programs:
                raise elf.error(f"{struct.name}.{m.name} is set to {program!r}, which is no program")
            target = f"{struct.name.split('___', 1)[0]}/{m.name}"
            if programs[program].attach_to != target:
                programs[program] = programs[program].replace(attach_to=target)
            values[m.name] = programs[program]
            continue
        value = _plain(elf, m, data)
        if value:
            values[m.name] = value
    return values


def _plain(elf: ElfFile, m: Member, data: bytes) -> Any:
    size = m.size
    raw = data[m.offset : m.offset + size]
    inner = m.type.stripped
    order: Any = elf.byteorder
    if m.bit_size:
        shift = m.bit_offset % 8 if order == "little" else len(raw) * 8 - m.bit_offset % 8 - m.bit_size
        return int.from_bytes(raw, order) >> shift & (1 << m.bit_size) - 1
    if isinstance(inner, Int) or inner.kind in (Kind.ENUM, Kind.ENUM64, Kind.PTR):
        return int.from_bytes(raw, order, signed=bool(getattr(inner, "signed", False)))
    return raw if any(raw) else b""
