"""`.BTF.ext`: for instructions, which function begins there, which line made them, which CO-RE relocation they need.

    header | func_info | line_info | core_relo;  each: record size | (section name | count | records) ...

In the file, places are bytes from the start of a section of code; here too.
"""

from __future__ import annotations

import struct

from ..errors import BtfError
from .kinds import MAGIC, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .btf import Btf

Record = tuple[int, ...]
WORDS = {"func_info": 2, "line_info": 4, "core_relo": 4}
"""Words of a record that are known; newer compilers may write longer ones."""


class BtfExt:
    """Records by the name of their section: `func_info` (offset, type id), `line_info` (offset, file, line, line_col),
    `core_relo` (offset, type id, access string, kind); strings are offsets into the BTF's."""

    def __init__(self) -> None:
        self.func_info: dict[str, list[Record]] = {}
        self.line_info: dict[str, list[Record]] = {}
        self.core_relo: dict[str, list[Record]] = {}

    @classmethod
    def parse(cls, raw: bytes, btf: Btf) -> BtfExt:
        """The records in `raw`, which belongs to `btf`.  BtfError when something is damaged."""
        self = cls()
        mark = "<" if raw[:2] == b"\x9f\xeb" else ">"
        if len(raw) < 24 or struct.unpack_from(mark + "H", raw)[0] != MAGIC or raw[2] != VERSION:
            raise BtfError(".BTF.ext: no header of a known version")
        hdr_len = struct.unpack_from(mark + "I", raw, 4)[0]
        if not 24 <= hdr_len <= len(raw):
            raise BtfError(f".BTF.ext: header length {hdr_len}: expected 24..{len(raw)}")
        for i, (what, words) in enumerate(WORDS.items()):
            if hdr_len >= 16 + 8 * i:
                offset, length = struct.unpack_from(mark + "II", raw, 8 + 8 * i)
                if length:
                    if hdr_len + offset + length > len(raw):
                        raise BtfError(
                            f".BTF.ext: {what} ({length} bytes at {offset}) reaches beyond its {len(raw)} bytes"
                        )
                    part = raw[hdr_len + offset : hdr_len + offset + length]
                    setattr(self, what, _read(what, words, part, mark, btf))
        return self

    def to_bytes(self, strings: Mapping[str, int], byteorder: str) -> bytes:
        """The section again; `strings` gives the offset of each section's name among the BTF's strings."""
        mark = "<" if byteorder == "little" else ">"
        body, places = b"", []
        for what, words in WORDS.items():
            part = _write(getattr(self, what), words, strings, mark)
            places += [len(body), len(part)]
            body += part
        return struct.pack(mark + "HBB7I", MAGIC, VERSION, 0, 32, *places) + body


def _read(what: str, words: int, part: bytes, mark: str, btf: Btf) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    try:
        (size,) = struct.unpack_from(mark + "I", part)
        if size < words * 4 or size % 4:
            raise BtfError(f".BTF.ext: {what} records of {size} bytes: expected {words * 4}")
        at = 4
        known = struct.Struct(f"{mark}{words}I{size - words * 4}x")
        while at < len(part):
            name, count = struct.unpack_from(mark + "II", part, at)
            at += 8
            if count * size > len(part) - at:
                raise BtfError(f".BTF.ext: {count} {what} records at {at} reach beyond its {len(part)} bytes")
            found.setdefault(btf.string(name), []).extend(known.iter_unpack(part[at : at + count * size]))
            at += count * size
    except struct.error:
        raise BtfError(f".BTF.ext: {what} is cut off") from None
    for rows in found.values():
        rows.sort(key=lambda row: row[0])
    return found


def _write(table: Mapping[str, Sequence[Record]], words: int, strings: Mapping[str, int], mark: str) -> bytes:
    if not table:
        return b""
    out = [struct.pack(mark + "I", words * 4)]
    for name, rows in table.items():
        out.append(struct.pack(mark + "II", strings[name], len(rows)))
        out += [struct.pack(f"{mark}{words}I", *row) for row in rows]
    return b"".join(out)
