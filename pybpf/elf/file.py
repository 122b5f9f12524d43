"""The ELF container: sections, symbols and relocations of a relocatable BPF object, each checked to lie in the file.

Only what BPF objects use is read: 64-bit files for machine EM_BPF, of either byte order (System V ABI; the
relocation types are of Documentation/bpf/llvm_reloc.rst).
"""

from __future__ import annotations

import struct

from ..errors import ElfError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

EM_BPF = 247
ET_REL = 1
SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_RELA, SHT_NOBITS, SHT_REL = 1, 2, 3, 4, 8, 9
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR = 1, 2, 4
SHN_UNDEF, SHN_LORESERVE, SHN_COMMON = 0, 0xFF00, 0xFFF2
STB_LOCAL, STB_GLOBAL, STB_WEAK = 0, 1, 2
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_SECTION = 0, 1, 2, 3
STV_INTERNAL, STV_HIDDEN = 1, 2
R_BPF_64_64, R_BPF_64_ABS64, R_BPF_64_ABS32, R_BPF_64_NODYLD32, R_BPF_64_32 = 1, 2, 3, 4, 10

HEADER = "HHIQQQIHHHHHH"
SECTION = "IIQQQQIIQQ"
SYMBOL = "IBBHQQ"
MAX_BSS = 1 << 30


class Section:
    """One section: `name`, `type`, `flags`, `data` (empty for NOBITS), `size`, `link`, `info`, its `index`."""

    __slots__ = ("data", "flags", "index", "info", "link", "name", "size", "type")

    def __init__(self, index: int, row: tuple[int, ...], raw: bytes) -> None:
        _, self.type, self.flags, _, offset, self.size, self.link, self.info, _, _ = row
        self.index = index
        self.name = ""
        self.data = b"" if self.type in (0, SHT_NOBITS) else raw[offset : offset + self.size]

    @property
    def executable(self) -> bool:
        return bool(self.flags & SHF_EXECINSTR)

    def __repr__(self) -> str:
        return f"<Section {self.index} {self.name!r}: type {self.type}, {self.size} bytes>"


class Symbol:
    """One symbol: `name`, `value`, `size`, the index of its `section`, `bind`, `type`, `visibility`."""

    __slots__ = ("bind", "name", "section", "size", "type", "value", "visibility")

    def __init__(self, name: str, row: tuple[int, ...]) -> None:
        _, info, other, self.section, self.value, self.size = row
        self.name = name
        self.bind, self.type, self.visibility = info >> 4, info & 15, other & 3

    @property
    def hidden(self) -> bool:
        """Whether other objects do not see it (`__hidden`): to the kernel it is static."""
        return self.visibility in (STV_INTERNAL, STV_HIDDEN)

    def __repr__(self) -> str:
        return f"<Symbol {self.name!r}: section {self.section}, value {self.value}, size {self.size}>"


class ElfFile:
    """The container of an object.  ElfError for what is not one, saying what and where."""

    def __init__(self, raw: bytes, name: str = "") -> None:
        self.name = name
        self.raw = raw
        if raw[:4] != b"\x7fELF":
            raise ElfError(f"{self._file}not an ELF file: it begins with {raw[:4].hex(' ') or 'nothing'}")
        if len(raw) < 64 or raw[4] != 2 or raw[5] not in (1, 2):
            raise ElfError(f"{self._file}not a whole 64-bit ELF header")
        self.byteorder = "little" if raw[5] == 1 else "big"
        self.mark = "<" if raw[5] == 1 else ">"
        kind, machine, _, _, _, shoff, _, _, _, _, shentsize, shnum, shstrndx = struct.unpack_from(
            self.mark + HEADER, raw, 16
        )
        # Compilers before LLVM 3.7 left the machine at 0; libbpf takes those files too.
        if kind != ET_REL or machine not in (0, EM_BPF):
            raise ElfError(f"{self._file}ELF type {kind} for machine {machine}: expected a relocatable BPF object")
        self.sections = self._read_sections(shoff, shentsize, shnum, shstrndx)
        self.symbols = self._read_symbols()

    @property
    def _file(self) -> str:
        return f"{self.name}: " if self.name else ""

    def error(self, message: str) -> ElfError:
        """An ElfError that names the file."""
        return ElfError(f"{self._file}{message}")

    def section(self, name: str) -> Section | None:
        """The first section of that name."""
        return next((s for s in self.sections if s.name == name), None)

    def _read_sections(self, offset: int, entry: int, count: int, names: int) -> list[Section]:
        size = struct.calcsize(self.mark + SECTION)
        if not offset or not count:
            raise self.error("no section headers")
        if entry != size:
            raise self.error(f"section headers of {entry} bytes: expected {size}")
        if offset + count * size > len(self.raw):
            raise self.error(f"{count} section headers at {offset} reach beyond the file's {len(self.raw)} bytes")
        rows = list(struct.iter_unpack(self.mark + SECTION, self.raw[offset : offset + count * size]))
        total = 0
        for i, (_, type_, _, _, at, length, *_) in enumerate(rows):
            if type_ not in (0, SHT_NOBITS):
                if at + length > len(self.raw):
                    raise self.error(f"section {i} ({length} bytes at {at}) reaches beyond the file")
                total += length
            elif length > MAX_BSS:
                raise self.error(f"section {i} is said to hold {length} bytes of zeros: more than {MAX_BSS}")
        if total > 4 * len(self.raw):
            raise self.error(f"sections overlap: they hold {total} bytes in a file of {len(self.raw)}")
        sections = [Section(i, row, self.raw) for i, row in enumerate(rows)]
        if names >= count:
            raise self.error(f"section names are said to be in section {names} of {count}")
        for section, row in zip(sections, rows, strict=True):
            section.name = self.text(sections[names], row[0], f"name of section {section.index}")
        return sections

    def text(self, table: Section, offset: int, what: str) -> str:
        """The string at `offset` of a string table."""
        end = table.data.find(b"\0", offset)
        if not 0 <= offset < max(len(table.data), 1) or (end < 0 and offset):
            raise self.error(
                f"{what}: offset {offset} is outside the {len(table.data)} bytes of {table.name or 'names'}"
            )
        return table.data[offset : max(end, offset)].decode("utf-8", "backslashreplace")

    def _read_symbols(self) -> list[Symbol]:
        table = next((s for s in self.sections if s.type == SHT_SYMTAB), None)
        if table is None:
            return []
        size = struct.calcsize(self.mark + SYMBOL)
        if table.size % size or not table.link < len(self.sections):
            raise self.error(f"the symbol table has {table.size} bytes (not a multiple of {size}) or no strings")
        names = self.sections[table.link]
        symbols = []
        for i, row in enumerate(struct.iter_unpack(self.mark + SYMBOL, table.data)):
            symbol = Symbol(self.text(names, row[0], f"name of symbol {i}"), row)
            if len(self.sections) <= symbol.section < SHN_LORESERVE:
                raise self.error(f"symbol {symbol.name!r} lies in section {symbol.section} of {len(self.sections)}")
            symbols.append(symbol)
        return symbols

    def relocations(self) -> Iterator[tuple[Section, list[tuple[int, int, Symbol]]]]:
        """For each section that has some: its relocations as (offset, type, symbol), in order of offset."""
        for table in self.sections:
            if table.type not in (SHT_REL, SHT_RELA) or not table.size:
                continue
            if not 0 < table.info < len(self.sections):
                raise self.error(f"relocations {table.name!r} are for section {table.info} of {len(self.sections)}")
            if table.type == SHT_RELA:
                raise self.error(f"relocations {table.name!r} have addends (RELA): BPF objects use REL")
            if table.size % 16:
                raise self.error(f"relocations {table.name!r} have {table.size} bytes: not a multiple of 16")
            target = self.sections[table.info]
            rows = []
            for offset, info in struct.iter_unpack(self.mark + "QQ", table.data):
                if info >> 32 >= len(self.symbols):
                    raise self.error(
                        f"relocation at {offset} of {target.name!r} names symbol {info >> 32} of {len(self.symbols)}"
                    )
                if offset + 4 > target.size:
                    raise self.error(f"relocation at {offset} of {target.name!r} lies outside its {target.size} bytes")
                rows.append((offset, info & 0xFFFFFFFF, self.symbols[info >> 32]))
            yield target, sorted(rows, key=lambda row: row[0])
