"""`open_elf`: from the bytes of an object to specs."""

from __future__ import annotations

import os

from ..asm.codec import SLOT
from ..asm.insn import Insn
from ..errors import AsmError, ElfError, SpecError
from ..kernel.sections import Section, find_section
from ..source import Source
from ..spec import MapSpec
from .code import Function, Linker, functions, relocate_code
from .file import SHN_UNDEF, STT_OBJECT, ElfFile
from .names import ARENA_DATA, KCONFIG, LEGACY_MAPS, MAPS, STRUCT_OPS, is_data
from .object import ElfProgram, Global, ObjectSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..btf.btf import Btf
    from ..btf.ext import BtfExt
    from .externs import Extern
    from .maps import Definition

MAX_FILE = 1 << 28


def open_elf(
    source: str | os.PathLike[str] | bytes,
    *,
    btf: Btf | None = None,
    config: Mapping[str, str] | None = None,
    ksyms: Mapping[str, int] | None = None,
    name: str | None = None,
) -> ObjectSpec:
    """The programs and maps of a BPF object file (a path, or its bytes).

    CO-RE relocations and kernel symbols are resolved against `btf`, by default that of the running kernel, which is
    read only when the object needs it; `config` stands for the kernel's configuration (CONFIG_* -> text), `ksyms`
    for its symbols' addresses.
    `name` is what maps of data are named after; by default the file's name.

    ElfError or BtfError for what is damaged, or cannot be resolved; OSError when the file cannot be read.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        raw, stem = bytes(source), name or ""
    else:
        path = os.fspath(source)
        with open(path, "rb") as file:
            raw = file.read(MAX_FILE + 1)
        stem = name if name is not None else os.path.basename(path).split(".", 1)[0]
    if len(raw) > MAX_FILE:
        raise ElfError(f"{stem}: more than {MAX_FILE} bytes")
    try:
        return _Reader(ElfFile(raw, stem), btf, config, ksyms).read()
    except (AsmError, SpecError) as error:
        raise ElfError(f"{stem}: {error}" if stem else str(error)) from error


class _Reader:
    def __init__(
        self, elf: ElfFile, target: Btf | None, config: Mapping[str, str] | None, ksyms: Mapping[str, int] | None
    ) -> None:
        self.elf = elf
        self.target = target
        self.config = config
        self.ksyms = ksyms

    def kernel(self) -> Btf:
        """The BTF that the program is to meet."""
        if self.target is None:
            from ..btf.btf import Btf

            self.target = Btf.kernel()
        return self.target

    def read(self) -> ObjectSpec:
        elf = self.elf
        licence = self._text("license")
        section = elf.section("version")
        version = int.from_bytes(section.data[:4], elf.byteorder) if section else 0  # type: ignore[arg-type]
        self.linker = Linker(elf, functions(elf))
        self._read_btf()
        maps, by_place, by_section = self._read_maps()
        kinds = {e.name: e.kind for e in self.externs.values()}
        relocate_code(elf, self.linker, kinds, by_section, by_place)
        relos = self._relocate_types()
        entries = self._entries()
        programs = {f.name: self._program(f, s, maps, licence, version, relos) for f, s in entries}
        if any(s.name in STRUCT_OPS for s in elf.sections):
            from .struct_ops import struct_ops_maps

            for spec in struct_ops_maps(elf, self.btf, programs, self.raw_btf):
                maps[spec.name] = spec
        return ObjectSpec(
            elf.name,
            programs.values(),
            maps,
            globals=self._globals(by_section),
            license=licence,
            version=version,
            byteorder=elf.byteorder,
            btf=self.btf,
        )

    def _text(self, name: str) -> str:
        section = self.elf.section(name)
        return section.data.split(b"\0", 1)[0].decode("utf-8", "replace") if section else ""

    # -- BTF

    def _read_btf(self) -> None:
        elf = self.elf
        section = elf.section(".BTF")
        self.btf: Btf | None = None
        self.raw_btf: bytes | None = None
        self.ext: BtfExt | None = None
        self.externs: dict[str, Extern] = {}
        if section is None or not section.size:
            return
        from ..btf.btf import Btf
        from .fixup import complete

        btf = Btf.parse(section.data)
        if btf.byteorder != elf.byteorder:
            raise elf.error(f"its BTF is {btf.byteorder}-endian, the file {elf.byteorder}-endian")
        btf.check()
        self.local = btf
        if any(s.section == SHN_UNDEF and s.name for s in elf.symbols):
            from .externs import externs

            self.externs = {e.name: e for e in externs(elf, btf)}
        hidden = [f.name for f in self.linker.functions if f.hidden and not f.local]
        self.raw_btf = complete(elf, btf, self.externs, hidden)
        self.btf = Btf.parse(self.raw_btf)
        ext = elf.section(".BTF.ext")
        if ext is not None and ext.size:
            from ..btf.ext import BtfExt

            self.ext = BtfExt.parse(ext.data, btf)

    def _relocate_types(self) -> dict[int, list[tuple[int, int, str, int, Insn]]]:
        """Apply CO-RE relocations; what was applied, by function."""
        done: dict[int, list[tuple[int, int, str, int, Insn]]] = {}
        if self.ext is None or not self.ext.core_relo:
            return done
        from ..btf.core import Resolver
        from .relocate import apply

        resolver = Resolver(self.local, self.kernel())
        for name, rows in self.ext.core_relo.items():
            section = self.elf.section(name)
            if section is None:
                raise self.elf.error(f".BTF.ext has CO-RE relocations for section {name!r}, which is not there")
            for offset, type_id, access, kind in rows:
                function = self.linker.holding(section.index, offset // SLOT)
                if function is None or offset % SLOT:
                    continue  # a linker may have dropped the function (another definition of a weak one)
                slot = offset // SLOT - function.start
                path = self.local.string(access)
                _, insn = function.at(slot, "a CO-RE relocation")
                apply(function, slot, kind, type_id, path, resolver)
                done.setdefault(id(function), []).append((slot, type_id, path, kind, insn))
        return done

    # -- maps and variables

    def _read_maps(self) -> tuple[dict[str, MapSpec], dict[tuple[int, int], str], dict[int, str]]:
        elf = self.elf
        if not self.externs and not any(
            s.name in (MAPS, LEGACY_MAPS, ARENA_DATA) or is_data(s.name) for s in elf.sections
        ):
            return {}, {}, {}
        from .maps import btf_maps, data_maps, fill_arena, fill_values, legacy_maps

        defined: list[Definition] = legacy_maps(elf)
        if self.btf is not None and self.raw_btf is not None:
            defined += btf_maps(elf, self.btf, self.raw_btf)
        elif elf.section(MAPS) is not None:
            raise elf.error("section .maps needs BTF, and there is none: compile with -g")
        fill_values(elf, defined, {f.name for f, _ in self._entries()})
        in_arena = fill_arena(elf, defined)
        maps = {d.spec.name: d.spec for d in defined}
        if len(maps) < len(defined):
            raise elf.error("two maps have one name")
        places = {(d.section, d.offset): d.spec.name for d in defined}
        by_section = {in_arena[0].index: in_arena[1].spec.name} if in_arena else {}
        for section, spec in data_maps(elf, self.btf, self.raw_btf):
            symbol = section.name if section.name not in maps else f"{section.name}#{section.index}"
            maps[symbol] = spec
            by_section[section.index] = symbol
        settings = [e for e in self.externs.values() if e.kind == "kconfig"]
        if settings and self.raw_btf is not None:
            from .externs import config_map

            maps[KCONFIG] = config_map(elf, settings, self.config, self.raw_btf)
        return maps, places, by_section

    def _globals(self, by_section: Mapping[int, str]) -> dict[str, Global]:
        types = {}
        for t in self.btf.own_types() if self.btf else ():
            if t.kind.name == "VAR":
                types[t.name] = t.type
        return {
            s.name: Global(by_section[s.section], s.value, s.size, types.get(s.name))
            for s in self.elf.symbols
            if s.type == STT_OBJECT
            and s.section in by_section
            and s.name
            and s.value + s.size <= self.elf.sections[s.section].size
        }

    # -- programs

    def _entries(self) -> list[tuple[Function, str]]:
        """Functions that are programs, with the names of their sections: all outside .text, or one alone there."""
        text = [f for f in self.linker.functions if f.section.name == ".text"]
        rest = [f for f in self.linker.functions if f.section.name != ".text"]
        for function in rest:
            if function.local:
                raise self.elf.error(
                    f"function {function.name!r} of section {function.section.name!r} is static: programs are global"
                )
        entries = rest or (text if len(text) == 1 else [])
        if len({f.name for f in entries}) < len(entries):
            raise self.elf.error("two programs have one name")
        return [(f, f.section.name) for f in entries]

    def _program(
        self,
        entry: Function,
        section: str,
        maps: Mapping[str, MapSpec],
        license: str,
        version: int,
        relos: Mapping[int, list[tuple[int, int, str, int, Insn]]],
    ) -> ElfProgram:
        insns, order = self.linker.link(entry)
        used_externs = self._bind(entry.name, insns) if self.externs else []
        func_info, line_info = self._debug_info(insns, order)
        core = [(base + slot, *rest) for f, base in order for slot, *rest in relos.get(id(f), ())]
        meaning = _meaning(section)
        used = {i.symbol for i in insns if i.wide and i.symbol}
        return ElfProgram(
            insns,
            meaning.prog_type if meaning else 0,
            name=entry.name,
            license=license,
            expected_attach_type=meaning.attach_type if meaning else None,
            flags=meaning.flags if meaning else 0,
            maps={name: spec for name, spec in maps.items() if name in used},
            attach_to=(meaning.target or None) if meaning else None,
            section=section,
            btf=self.raw_btf if func_info else None,
            func_info=func_info,
            line_info=line_info if func_info else (),
            kern_version=version,
            core_relos=core,
            externs=used_externs,
            autoload=meaning.autoload if meaning else True,
        )

    def _bind(self, program: str, insns: list[Insn]) -> list[tuple[int, str, str, bool]]:
        """Look up external symbols; gives their uses."""
        from .externs import bind, uses

        found = uses(insns, self.externs)
        try:
            bind(insns, self.externs, self.kernel, self.ksyms)
        except ElfError as error:
            raise self.elf.error(f"program {program!r}: {error}") from None
        return found

    def _debug_info(
        self, insns: list[Insn], order: list[tuple[Function, int]]
    ) -> tuple[list[tuple[int, int]], list[tuple[int, int, int, int]]]:
        """func_info and line_info of a linked program, in slots; instructions learn their source lines."""
        from ..btf.types import Func

        if self.ext is None:
            return [], []
        funcs: list[tuple[int, int]] = []
        lines: list[tuple[int, int, int, int]] = []
        for function, base in order:
            name, start, end = function.section.name, function.start * SLOT, (function.start + function.size) * SLOT
            own = [(at, t) for at, t in self.ext.func_info.get(name, ()) if start <= at < end]
            if not own:
                return [], []  # the kernel wants the information of all functions, or none
            for at, t in own:
                if self.btf is None or not isinstance(self.btf.type(t), Func):
                    raise self.elf.error(f".BTF.ext: type {t} for the function at {at} of {name!r} is no function")
            funcs += [((at - start) // SLOT + base, t) for at, t in own]
            for at, file, text, where in self.ext.line_info.get(name, ()):
                if start <= at < end:
                    lines.append(((at - start) // SLOT + base, file, text, where))
        self._add_sources(insns, lines)
        return funcs, lines

    def _add_sources(self, insns: list[Insn], lines: list[tuple[int, int, int, int]]) -> None:
        if self.btf is None:
            return
        sources = {
            slot: Source(self.btf.string(file), where >> 10, where & 1023, self.btf.string(text))
            for slot, file, text, where in lines
        }
        slot = 0
        current: Source | None = None
        for i, insn in enumerate(insns):
            current = sources.get(slot, current)
            if current is not None:
                insns[i] = insn.replace(source=current)
            slot += insn.slots


def _meaning(section: str) -> Section | None:
    """What the section's name says of the program; None for a name that says nothing."""
    try:
        return find_section(section)
    except SpecError:
        return None
