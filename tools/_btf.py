"""A reader of raw BTF just large enough for the generators: enums, structures and what they are made of."""

from __future__ import annotations

import struct

# fmt: off
KINDS = ("void", "int", "ptr", "array", "struct", "union", "enum", "fwd", "typedef", "volatile", "const", "restrict",
         "func", "func_proto", "var", "datasec", "float", "decl_tag", "type_tag", "enum64")
# fmt: on


class Btf:
    """`types[id]` is (kind, name, size or type id, kind_flag, details)."""

    def __init__(self, raw: bytes) -> None:
        magic, _, _, header, type_off, type_len, str_off, str_len = struct.unpack_from("<HBBIIIII", raw)
        if magic != 0xEB9F:
            raise ValueError("not BTF")
        strings = raw[header + str_off : header + str_off + str_len]
        data = memoryview(raw)[header + type_off : header + type_off + type_len]

        def text(off: int) -> str:
            return strings[off : strings.index(b"\0", off)].decode()

        self.types: list[tuple] = [("void", "", 0, False, ())]
        at = 0
        while at < len(data):
            name, info, size = struct.unpack_from("<III", data, at)
            kind, vlen, flag = KINDS[info >> 24 & 0x1F], info & 0xFFFF, bool(info >> 31)
            at += 12
            details: object = ()
            if kind in ("int", "var", "decl_tag"):
                details = struct.unpack_from("<I", data, at)[0]
                at += 4
            elif kind == "array":
                details = struct.unpack_from("<III", data, at)
                at += 12
            elif kind in ("struct", "union"):
                rows = [struct.unpack_from("<III", data, at + 12 * i) for i in range(vlen)]
                details = [(text(n), t, o & 0xFFFFFF if flag else o, o >> 24 if flag else 0) for n, t, o in rows]
                at += 12 * vlen
            elif kind == "enum":
                rows = [struct.unpack_from("<Ii" if flag else "<II", data, at + 8 * i) for i in range(vlen)]
                details = [(text(n), v) for n, v in rows]
                at += 8 * vlen
            elif kind == "enum64":
                rows = [struct.unpack_from("<III", data, at + 12 * i) for i in range(vlen)]
                details = [(text(n), _signed(h << 32 | lo, flag)) for n, lo, h in rows]
                at += 12 * vlen
            elif kind == "func_proto":
                details = [struct.unpack_from("<II", data, at + 8 * i) for i in range(vlen)]
                details = [(text(n), t) for n, t in details]
                at += 8 * vlen
            elif kind == "datasec":
                at += 12 * vlen
            self.types.append((kind, text(name), size, flag, details))

    def named(self, kind: str, name: str) -> tuple | None:
        return next((t for t in self.types if t[0] == kind and t[1] == name), None)

    def resolve(self, type_id: int) -> tuple[tuple, list[str]]:
        """The type behind typedefs and qualifiers, and the names of the typedefs passed."""
        passed = []
        while self.types[type_id][0] in ("typedef", "const", "volatile", "restrict", "type_tag"):
            if self.types[type_id][0] == "typedef":
                passed.append(self.types[type_id][1])
            type_id = self.types[type_id][2]
        return self.types[type_id], passed


def _signed(value: int, signed: bool) -> int:
    return value - (1 << 64) if signed and value >> 63 else value
