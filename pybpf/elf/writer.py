"""`write_elf`: specs as a relocatable BPF object that libbpf, bpftool, ip, tc and pybpf load.

The same specs give the same bytes: nothing of the time, the machine or the order of a hash gets into the file.
"""

from __future__ import annotations

import os
import struct
import sys

from ..asm.codec import SLOT, encode
from ..asm.insn import Insn
from ..asm.opcodes import Call, Pseudo
from ..btf.btf import Btf
from ..btf.ext import BtfExt
from ..btf.kinds import Kind
from ..btf.types import Struct
from ..errors import ElfError, SpecError
from ..kernel.sections import section_name, sections
from ..spec import NO_SPEC, MapSpec, ProgramSpec
from .btf_out import BtfOut, variables
from .code_out import TEXT, Piece, share, split
from .container import CODE, DATA, READ_ONLY, Container
from .file import R_BPF_64_32, R_BPF_64_64, R_BPF_64_ABS64, STB_GLOBAL, STB_LOCAL, STB_WEAK, STT_FUNC, STT_OBJECT
from .maps import ARENA, F_LINK, PROG_ARRAY, STRUCT_OPS
from .names import ARENA_DATA, KCONFIG, KSYMS, MAPS, is_data
from .object import ObjectSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


def write_elf(
    path: str | os.PathLike[str] | None, *specs: ProgramSpec | MapSpec | ObjectSpec, byteorder: str | None = None
) -> bytes:
    """Write programs, their maps and globals, and BTF to an object file; gives its bytes (without a path, only those).

    All programs must have the same license.  `byteorder` is that of the machine which is to load it, by default that
    of the objects given, else of this one.  ElfError for what a file cannot express, saying what and why.
    """
    raw = _Writer(specs, byteorder).write()
    if path is not None:
        with open(path, "wb") as file:
            file.write(raw)
    return raw


class _Writer:
    def __init__(self, specs: Iterable[ProgramSpec | MapSpec | ObjectSpec], byteorder: str | None) -> None:
        self.programs: list[ProgramSpec] = []
        self.maps: dict[str, MapSpec] = {}
        for spec in specs:
            if isinstance(spec, ObjectSpec):
                byteorder = byteorder or spec.byteorder
                for program in spec.programs:
                    self._take(program)
                for symbol, found in spec.maps.items():
                    self._take_map(symbol, found)
            elif isinstance(spec, MapSpec):
                self._take_map(spec.name, spec)
            elif isinstance(spec, ProgramSpec):
                self._take(spec)
            else:
                raise SpecError(f"{type(spec).__name__} {NO_SPEC}")
        if not self.programs and not self.maps:
            raise ElfError("nothing to write: give programs, maps or an opened object")
        self.byteorder = byteorder or sys.byteorder
        self.out = Container(self.byteorder)
        self.externs: dict[str, tuple[str, bool, bytes | None]] = {}  # name -> kind, weak, BTF

    def _take(self, program: ProgramSpec) -> None:
        self.programs.append(program)
        for symbol, spec in program.maps.items():
            self._take_map(symbol, spec)

    def _take_map(self, symbol: str, spec: MapSpec) -> None:
        if not symbol:
            raise ElfError("a map without a name cannot be written: give it one")
        known = self.maps.setdefault(symbol, spec)
        if known is not spec and known != spec:
            raise ElfError(f"two different maps are named {symbol!r}")

    def write(self) -> bytes:
        pieces = self._pieces()
        self.data = [n for n in self.maps if is_data(n)]
        self.defined = [n for n, m in self.maps.items() if not is_data(n) and n != KCONFIG and m.map_type != STRUCT_OPS]
        self.defined.sort(key=lambda n: self.maps[n].inner is not None)  # loaders want inner maps first
        self._collect_externs()
        self.btf = BtfOut(self._roots())
        self._write_code(pieces)
        self._write_license()
        self._write_maps()
        self._write_data()
        self._write_struct_ops()
        self._write_externs()
        ext = self._ext(pieces)
        self.out.add(".BTF", self.btf.to_bytes(self.byteorder), align=4)
        if ext:
            self.out.add(".BTF.ext", ext, align=4)
        return self.out.to_bytes()

    # -- code

    def _pieces(self) -> list[Piece]:
        return share([split(p, _section(p), _function_name) for p in self.programs])

    def _write_code(self, pieces: list[Piece]) -> None:
        ends = {TEXT: 0} if any(p.section == TEXT for p in pieces) else {}
        for piece in pieces:
            piece.offset = ends.get(piece.section, 0)
            ends[piece.section] = piece.offset + piece.size * SLOT
        sections = {name: bytearray() for name in ends}
        for piece in pieces:
            sections[piece.section] += self._relocated(piece)
        for name, code in sections.items():
            self.out.add(name, bytes(code), CODE)
        for piece in pieces:
            bind = STB_GLOBAL if piece.global_ else STB_LOCAL
            self.out.symbol(piece.name, piece.section, piece.offset, piece.size * SLOT, bind=bind, type=STT_FUNC)

    def _relocated(self, piece: Piece) -> bytes:
        """The bytes of a function as a compiler leaves them, and relocations for all that is not known yet."""
        program = piece.program
        compiled = {slot: insn for slot, _, _, _, insn in program.core_relos}
        externs = {slot: name for slot, name, _, _ in getattr(program, "externs", ())}
        insns: list[Insn] = []
        slot, skip = 0, 0
        for insn in piece.insns:
            whole = piece.start + slot
            if skip:  # the second half of a wide load that was poisoned
                skip -= 1
            elif whole in compiled:
                original: Insn = compiled[whole]
                insns.append(original)
                skip = original.slots - insn.slots
            elif whole in externs:
                insns.append(self._extern(piece, slot, insn, externs[whole]))
            else:
                insns.append(self._plain(piece, slot, insn))
            slot += insn.slots
        return encode(insns, self.byteorder)

    def _extern(self, piece: Piece, slot: int, insn: Insn, name: str) -> Insn:
        at = piece.offset + slot * SLOT
        self.out.relocate(piece.section, at, R_BPF_64_64 if insn.wide else R_BPF_64_32, name)
        if not insn.wide:
            return insn.replace(src=Call.KFUNC, imm=-1, off=0, symbol=None)
        return insn.replace(src=0, imm=0, next_imm=0, symbol=None)

    def _plain(self, piece: Piece, slot: int, insn: Insn) -> Insn:
        at = piece.offset + slot * SLOT
        target = piece.calls.get(slot)
        if target is not None:
            if insn.wide:  # libbpf takes the address of a static function only as a place in its section
                self.out.relocate(piece.section, at, R_BPF_64_64, target.section)
                return insn.replace(src=0, imm=target.offset)
            self.out.relocate(piece.section, at, R_BPF_64_32, target.name)
            return insn.replace(src=Call.LOCAL)
        symbol = insn.symbol
        if symbol is None:
            return insn
        where = f"program {piece.program.name!r}: instruction at slot {piece.start + slot}"
        if not insn.wide:
            self.out.relocate(piece.section, at, R_BPF_64_32, symbol)
            return insn.replace(src=Call.KFUNC, imm=-1, off=0, symbol=None)
        if insn.src == Pseudo.BTF_ID:
            self.out.relocate(piece.section, at, R_BPF_64_64, symbol)
            return insn.replace(src=0, imm=0, next_imm=0, symbol=None)
        if symbol not in self.maps:
            raise ElfError(f"{where} names the map {symbol!r}, which is unknown")
        if insn.src == Pseudo.MAP_FD and symbol in self.defined:
            self.out.relocate(piece.section, at, R_BPF_64_64, symbol)
            return insn.replace(src=0, imm=0, next_imm=0, symbol=None)
        if insn.src == Pseudo.MAP_VALUE and (symbol in self.data or self.maps[symbol].map_type == ARENA):
            self.out.relocate(piece.section, at, R_BPF_64_64, symbol if symbol in self.data else ARENA_DATA)
            return insn.replace(src=0, imm=insn.next_imm or 0, next_imm=0, symbol=None)
        raise ElfError(
            f"{where} takes the address of a value in map {symbol!r}: "
            "a file has such addresses only for variables (maps named .data, .rodata, .bss, and arenas)"
        )

    # -- everything else

    def _write_license(self) -> None:
        licenses = sorted({p.license for p in self.programs})
        if len(licenses) > 1:
            raise ElfError(f"programs of different licenses ({', '.join(map(repr, licenses))}): a file has one")
        if licenses and licenses[0]:
            text = licenses[0].encode() + b"\0"
            self.out.add("license", text, DATA, align=1)
            self.out.symbol("_license", "license", 0, len(text), bind=STB_GLOBAL, type=STT_OBJECT)
        versions = sorted({p.kern_version for p in self.programs} - {0})
        if len(versions) > 1:
            raise ElfError(f"programs for different kernel versions ({versions}): a file has one")
        if versions:
            self.out.add("version", struct.pack(self.out.mark + "I", versions[0]), DATA, align=4)

    def _roots(self) -> dict[bytes, set[int]]:
        """What of each BTF is needed."""
        roots: dict[bytes, set[int]] = {}
        for program in self.programs:
            if program.btf:
                ids = roots.setdefault(bytes(program.btf), set())
                ids.update(type_id for _, type_id in program.func_info)
                ids.update(type_id for _, type_id, *_ in program.core_relos)
                if any(m.map_type == ARENA and m.contents for m in program.maps.values()):
                    ids.add(variables(bytes(program.btf), ARENA_DATA)[0])
        for name, spec in self.maps.items():
            for part in (spec, spec.inner):
                if part is not None and part.btf and name != KCONFIG:
                    roots.setdefault(bytes(part.btf), set()).update((part.btf_key, part.btf_value))
        for name, (kind, _, raw) in self.externs.items():
            if raw is not None:
                wanted = Kind.FUNC if kind == "kfunc" else Kind.VAR
                roots.setdefault(raw, set()).update(t.type_id for t in Btf.parse(raw).find_all(name, wanted))
        return roots

    def _write_maps(self) -> None:
        if not self.defined:
            return
        at, rows, image = 0, [], bytearray()
        starts: dict[int, str] = {id(self.maps[name]): name for name in self.defined}
        for name in self.defined:
            spec = self.maps[name]
            if spec.frozen or spec.ifindex:
                what = "frozen" if spec.frozen else "bound to a device"
                raise ElfError(f"map {name!r} is {what}: a file cannot say so")
            values = _initial_values(name, spec, self.byteorder)
            top = max(values, default=-1) + 1
            var, size = self.btf.define_map(spec, name, top if spec.inner or spec.map_type == PROG_ARRAY else None)
            for key, value in values.items():
                target = value if isinstance(value, str) else getattr(value, "name", "")
                if isinstance(value, MapSpec):
                    target = starts.get(id(value)) or next((n for n in self.defined if self.maps[n] == value), "")
                if not target:
                    raise ElfError(f"map {name!r}[{key}] holds a map or program that is not in this file")
                self.out.relocate(MAPS, at + size - (top - key) * 8, R_BPF_64_ABS64, target)
            self.out.symbol(name, MAPS, at, size, bind=STB_GLOBAL, type=STT_OBJECT)
            rows.append((var, at, size))
            at += size
            image += bytes(size)
        self.out.add(MAPS, bytes(image), DATA)
        self.btf.add_datasec(MAPS, at, rows)

    def _write_data(self) -> None:
        for name in self.data:
            spec = self.maps[name]
            if spec.max_entries != 1:
                raise ElfError(f"map {name!r} has {spec.max_entries} entries: a section of variables is one value")
            flags = READ_ONLY if name.startswith(".rodata") else DATA
            if name.startswith(".bss"):
                if spec.contents:
                    raise ElfError(f"map {name!r} has contents: variables of .bss are zero; name it .data")
                self.out.add(name, b"", flags, size=spec.value_size)
            else:
                content = spec.value_codec.pack(spec.contents[0][1]) if spec.contents else bytes(spec.value_size)
                self.out.add(name, content, flags)
            if spec.btf:
                self._symbols(bytes(spec.btf), name)
        for name in self.defined:
            if self.maps[name].map_type == ARENA and self.maps[name].contents:
                self.out.add(ARENA_DATA, self.maps[name].contents[0][1], DATA)
                for raw in {bytes(p.btf): 0 for p in self.programs if p.btf and name in p.maps}:
                    self._symbols(raw, ARENA_DATA)

    def _symbols(self, raw: bytes, section: str) -> None:
        """Symbols of the variables that BTF tells of a section."""
        for variable, offset, size in variables(raw, section)[1]:
            self.out.symbol(variable, section, offset, size, bind=STB_GLOBAL, type=STT_OBJECT)

    def _write_struct_ops(self) -> None:
        images: dict[str, bytearray] = {}
        rows: dict[str, list[tuple[int, int, int]]] = {}
        for name, spec in self.maps.items():
            if spec.map_type != STRUCT_OPS:
                continue
            struct_id = self.btf.moved.get((bytes(spec.btf or b""), spec.btf_value))
            struct_ = Btf.parse(bytes(spec.btf)).type(spec.btf_value) if spec.btf else None
            if struct_id is None or not isinstance(struct_, Struct):
                raise ElfError(f"map {name!r} needs BTF of its struct to be written")
            section = ".struct_ops.link" if spec.flags & F_LINK else ".struct_ops"
            image = images.setdefault(section, bytearray())
            image += bytes(-len(image) % 8)
            at = len(image)
            image += bytes(struct_.size)
            for field, value in spec.contents[0][1].items() if spec.contents else ():
                self._write_member(section, image, at, struct_, field, value)
            self.out.symbol(name, section, at, struct_.size, bind=STB_GLOBAL, type=STT_OBJECT)
            rows.setdefault(section, []).append((self.btf.add_var(name, struct_id), at, struct_.size))
        for section, image in images.items():
            self.out.add(section, bytes(image), DATA)
            self.btf.add_datasec(section, len(image), rows[section])

    def _write_member(self, section: str, image: bytearray, at: int, struct_: Struct, field: str, value: Any) -> None:
        member = struct_[field]
        order: Any = self.byteorder
        if isinstance(value, (ProgramSpec, str)) and not isinstance(value, bytes):
            target = value if isinstance(value, str) else value.name
            self.out.relocate(section, at + member.offset, R_BPF_64_ABS64, target)
        elif member.bit_size:
            raise ElfError(f"{struct_}.{field} is a bit-field: it cannot be written")
        elif isinstance(value, int):
            raw = (value & (1 << member.size * 8) - 1).to_bytes(member.size, order)
            image[at + member.offset : at + member.offset + member.size] = raw
        else:
            raw = bytes(value)
            image[at + member.offset : at + member.offset + len(raw)] = raw

    def _collect_externs(self) -> None:
        for program in self.programs:
            raw = bytes(program.btf) if program.btf else None
            known: set[int] = set()
            for slot, name, kind, weak in getattr(program, "externs", ()):
                known.add(slot)
                self.externs.setdefault(name, (kind, weak, raw))
            slot = 0
            for insn in program.insns:
                if insn.symbol and slot not in known:
                    if insn.opcode == 0x85 and insn.src == Call.KFUNC:
                        self.externs.setdefault(insn.symbol, ("kfunc", False, raw))
                    elif insn.wide and insn.src == Pseudo.BTF_ID:
                        self.externs.setdefault(insn.symbol, ("ksym", False, raw))
                slot += insn.slots

    def _write_externs(self) -> None:
        groups: dict[str, list[tuple[int, int, int]]] = {}
        if self.externs:
            self.btf.add_int("int", 4, True)  # libbpf puts it in the place of what it cannot describe to the kernel
        for name, (kind, weak, raw) in self.externs.items():
            section = KCONFIG if kind == "kconfig" else KSYMS
            size = 0
            if kind == "kconfig" and raw is not None:
                size = Btf.parse(raw).find(name, Kind.VAR).size
            groups.setdefault(section, []).append((self.btf.extern(raw, name, kind), 0, size))
            self.out.symbol(name, "", bind=STB_WEAK if weak else STB_GLOBAL)
        for section, rows in groups.items():
            self.btf.add_datasec(section, 0, rows)

    # -- .BTF.ext

    def _ext(self, pieces: list[Piece]) -> bytes:
        ext = BtfExt()
        for piece in pieces:
            program = piece.program
            if not program.btf:
                continue
            raw = bytes(program.btf)
            texts = Btf.parse(raw)
            span = range(piece.start, piece.start + piece.size)

            def at(slot: int, piece: Piece = piece) -> int:
                return piece.offset + (slot - piece.start) * SLOT

            for slot, type_id in program.func_info:
                if slot in span:
                    row = (at(slot), self.btf.moved[raw, type_id])
                    ext.func_info.setdefault(piece.section, []).append(row)
            for slot, file, line, where in program.line_info:
                if slot in span:
                    strings = [self.btf.string(texts.string(s)) for s in (file, line)]
                    ext.line_info.setdefault(piece.section, []).append((at(slot), *strings, where))
            for slot, type_id, access, kind, _ in program.core_relos:
                if slot in span:
                    core = (at(slot), self.btf.moved[raw, type_id], self.btf.string(access), kind)
                    ext.core_relo.setdefault(piece.section, []).append(core)
        names = {*ext.func_info, *ext.line_info, *ext.core_relo}
        if not names:
            return b""
        return ext.to_bytes({name: self.btf.string(name) for name in sorted(names)}, self.byteorder)


def _section(program: ProgramSpec) -> str:
    if program.section:
        return program.section
    if not program.name:
        raise ElfError("a program without a name cannot be written: give it one")
    target = program.attach_to if isinstance(program.attach_to, str) else ""
    hook = program.expected_attach_type
    if hook is None:
        # No hook asked for means the plain one, which has the shortest name: "xdp", not "xdp/devmap".
        plain = min(
            (s for s in sections() if s.prog_type == program.prog_type), key=lambda s: len(s.name), default=None
        )
        hook = plain.attach_type if plain is not None and plain.attach_type is not None else None
    try:
        return section_name(program.prog_type, hook, target, flags=program.flags)
    except SpecError as error:
        raise ElfError(f"program {program.name!r}: {error}") from None


def _function_name(program: ProgramSpec, slot: int) -> tuple[str, bool]:
    """The name of the function at a slot, and whether it is global: from BTF, from its label, or made up."""
    if program.btf:
        btf = Btf.parse(bytes(program.btf))
        for at, type_id in program.func_info:
            if at == slot:
                func = btf.type(type_id)
                return func.name, func.vlen == 1
    at = 0
    for insn in program.insns:
        if at == slot and insn.label:
            return insn.label, False
        at += insn.slots
    return f"{program.name}_{slot}", False


def _initial_values(name: str, spec: MapSpec, byteorder: Any) -> dict[int, Any]:
    """Initial entries by index: only tables of maps and of programs can have them in a file."""
    if not spec.contents or spec.map_type == ARENA:  # an arena's are a section of data
        return {}
    if spec.inner is None and spec.map_type != PROG_ARRAY:
        raise ElfError(f"map {name!r} has contents: a file has initial entries only for maps of maps and of programs")
    rows = {int.from_bytes(k, byteorder) if isinstance(k, bytes) else int(k): value for k, value in spec.contents}
    if not all(0 <= index < spec.max_entries for index in rows):
        raise ElfError(f"map {name!r} has {spec.max_entries} entries and a value at {max(rows)}")
    return rows
