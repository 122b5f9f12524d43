"""LLVM's disassembler as an oracle: bytes in, one text per instruction out."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from pathlib import Path

LLVM = next(
    (
        path
        for path in ("/usr/lib/llvm-19/bin/llvm-objdump", shutil.which("llvm-objdump-19"))
        if path and Path(path).exists()
    ),
    None,
)
_LINE = re.compile(r"^\s*\d+:\s+(?:[0-9a-f]{2} )*[0-9a-f]{2}\t(.*)$")


def object_file(code: bytes, byteorder: str = "little") -> bytes:
    """A minimal ELF64 object for EM_BPF with `code` as its .text."""
    order = "<" if byteorder == "little" else ">"
    names = b"\0.text\0.shstrtab\0"
    names_at = 64 + len(code)
    headers_at = (names_at + len(names) + 7) & ~7

    def section(name: int, kind: int, flags: int, offset: int, size: int) -> bytes:
        return struct.pack(order + "IIQQQQIIQQ", name, kind, flags, 0, offset, size, 0, 0, 8, 0)

    ident = b"\x7fELF" + bytes((2, 1 if byteorder == "little" else 2, 1)) + bytes(9)
    header = struct.pack(order + "HHIQQQIHHHHHH", 1, 247, 1, 0, 0, headers_at, 0, 64, 0, 0, 64, 3, 2)
    body = (code + names).ljust(headers_at - 64, b"\0")
    return (
        ident
        + header
        + body
        + section(0, 0, 0, 0, 0)
        + section(1, 1, 6, 64, len(code))
        + section(7, 3, 0, names_at, len(names))
    )


def llvm_texts(code: bytes, tmp_path: Path, *options: str, byteorder: str = "little") -> list[str]:
    """What `llvm-objdump -d --no-print-imm-hex` prints for `code`, without addresses, bytes and `<symbol>` comments."""
    assert LLVM is not None
    path = tmp_path / "code.o"
    path.write_bytes(object_file(code, byteorder))
    command = [LLVM, "-d", "--no-print-imm-hex", *options, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [found[1] for found in map(_LINE.match, done.stdout.splitlines()) if found]
    return [re.sub(r" <\.text.*>$", "", line) for line in lines]
