"""Laying out an ELF file: sections and symbols with names, in; bytes, out."""

from __future__ import annotations

import struct

from .file import (
    EM_BPF,
    ET_REL,
    HEADER,
    SECTION,
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_WRITE,
    SHT_NOBITS,
    SHT_PROGBITS,
    SHT_REL,
    SHT_STRTAB,
    SHT_SYMTAB,
    STB_LOCAL,
    STT_NOTYPE,
    STT_SECTION,
    SYMBOL,
)

CODE, DATA, READ_ONLY, PLAIN = SHF_ALLOC | SHF_EXECINSTR, SHF_ALLOC | SHF_WRITE, SHF_ALLOC, 0


class Container:
    """Sections and symbols of a file being written; relocations name symbols, numbers are given at the end."""

    def __init__(self, byteorder: str) -> None:
        self.mark = "<" if byteorder == "little" else ">"
        self.little = byteorder == "little"
        self._sections: list[tuple[str, int, bytes, int, int]] = []  # name, flags, data, size, alignment
        self._symbols: list[tuple[str, int, int, str, int, int]] = []  # name, bind, type, section, value, size
        self._relocations: dict[str, list[tuple[int, int, str]]] = {}

    def add(self, name: str, data: bytes, flags: int = PLAIN, *, align: int = 8, size: int | None = None) -> None:
        """A section; with `size` instead of data it takes no room in the file, as .bss."""
        self._sections.append((name, flags, data, len(data) if size is None else size, align))

    def symbol(
        self, name: str, section: str, value: int = 0, size: int = 0, *, bind: int, type: int = STT_NOTYPE
    ) -> None:
        """A symbol in `section` ("" for one that is defined elsewhere)."""
        self._symbols.append((name, bind, type, section, value, size))

    def relocate(self, section: str, offset: int, type: int, symbol: str) -> None:
        """A relocation against the symbol of that name; a section's own symbol has the section's name."""
        self._relocations.setdefault(section, []).append((offset, type, symbol))

    def to_bytes(self) -> bytes:
        mark = self.mark
        numbers = {name: i for i, (name, *_) in enumerate(self._sections, 1)}
        names = _Strings()
        used = {symbol for rows in self._relocations.values() for _, _, symbol in rows}
        symbols = [(0, 0, 0, 0, 0, 0)]
        places: dict[str, int] = {}
        rows = [(name, STB_LOCAL, STT_SECTION, name, 0, 0) for name in numbers if name in used]
        rows += sorted(self._symbols, key=lambda row: row[1] != STB_LOCAL)  # the format wants local ones first
        for name, bind, type_, section, value, size in rows:
            places[name] = len(symbols)
            text = 0 if type_ == STT_SECTION else names.add(name)
            symbols.append((text, bind << 4 | type_, 0, numbers[section] if section else 0, value, size))
        first_global = 1 + sum(row[1] == STB_LOCAL for row in rows)
        table = b"".join(struct.pack(mark + SYMBOL, *row) for row in symbols)
        tables = list(self._sections)
        links: dict[str, tuple[int, int, int, int]] = {}  # type, link, info, entry size
        count = len(self._sections) + len(self._relocations)
        for section, relocations in self._relocations.items():
            data = b"".join(
                struct.pack(mark + "QQ", offset, places[symbol] << 32 | type_)
                for offset, type_, symbol in sorted(relocations)
            )
            tables.append((f".rel{section}", 0, data, len(data), 8))
            links[f".rel{section}"] = SHT_REL, count + 1, numbers[section], 16
        tables.append((".symtab", 0, table, len(table), 8))
        links[".symtab"] = SHT_SYMTAB, count + 2, first_global, struct.calcsize(mark + SYMBOL)
        offsets = [names.add(name) for name, *_ in tables]
        own = names.add(".strtab")
        tables.append((".strtab", 0, bytes(names.data), len(names.data), 1))
        links[".strtab"] = SHT_STRTAB, 0, 0, 0
        offsets.append(own)
        body = bytearray(64)
        headers = [bytes(struct.calcsize(mark + SECTION))]
        for (name, flags, data, size, align), text in zip(tables, offsets, strict=True):
            body += bytes(-len(body) % align)
            kind = SHT_NOBITS if size and not data else SHT_PROGBITS
            type_, link, info, entry = links.get(name, (kind, 0, 0, 0))
            headers.append(
                struct.pack(mark + SECTION, text, type_, flags, 0, len(body), size, link, info, align, entry)
            )
            body += data
        body += bytes(-len(body) % 8)
        ident = b"\x7fELF\x02" + (b"\x01" if self.little else b"\x02") + b"\x01" + bytes(9)
        fields = (ET_REL, EM_BPF, 1, 0, 0, len(body), 0, 64, 0, 0, 64, len(headers), len(headers) - 1)
        body[:64] = ident + struct.pack(mark + HEADER, *fields)
        return bytes(body) + b"".join(headers)


class _Strings:
    """A string table; equal strings stand once."""

    def __init__(self) -> None:
        self.data = bytearray(b"\0")
        self._known = {"": 0}

    def add(self, text: str) -> int:
        if text not in self._known:
            self._known[text] = len(self.data)
            self.data += text.encode("utf-8", "surrogateescape") + b"\0"
        return self._known[text]
