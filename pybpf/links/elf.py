"""Just enough ELF to attach by name: where in its file the functions and USDT sites of a program or library are."""

from __future__ import annotations

from struct import Struct, calcsize, unpack_from

from ..errors import ElfError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_SHT_NOTE, _SHT_SYMTAB, _SHT_DYNSYM = 7, 2, 11
_PT_LOAD = 1
_STT_FUNC, _STT_GNU_IFUNC = 2, 10


class Site(tuple[str, str, int, int, str]):
    """A USDT site: `provider`, `name`, `offset` of its instruction in the file, the `semaphore` or 0, `args`."""

    __slots__ = ()
    provider = property(lambda self: self[0])
    name = property(lambda self: self[1])
    offset = property(lambda self: self[2])
    semaphore = property(lambda self: self[3])
    args = property(lambda self: self[4])


class Image:
    """An ELF file, by its bytes.  ElfError for anything else, or a file cut short."""

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            self.raw = file.read()
        self.path = path
        raw = self.raw
        if raw[:4] != b"\x7fELF" or len(raw) < 52:
            raise ElfError(f"{path} is not an ELF file")
        self.wide = raw[4] == 2
        order = "<" if raw[5] == 1 else ">"
        self.word = order + ("Q" if self.wide else "I")
        header = Struct(order + ("16xHHIQQQIHHHHHH" if self.wide else "16xHHIIIIIHHHHHH"))
        try:
            row = header.unpack_from(raw)
            self._segments = self._table(row[4], row[8], row[9], order + ("IIQQQQQQ" if self.wide else "8I"))
            self._sections = self._table(row[5], row[10], row[11], order + ("IIQQQQIIQQ" if self.wide else "10I"))
        except Exception as error:
            from struct import error as StructError

            if isinstance(error, StructError):
                raise ElfError(f"{path} is cut short") from None
            raise
        self._symbol = Struct(order + ("IBBHQQ" if self.wide else "IIIBBH"))
        self._names_at = self._sections[row[12]][4] if row[12] < len(self._sections) else 0

    def _table(self, at: int, size: int, count: int, form: str) -> list[tuple[int, ...]]:
        if size < calcsize(form):
            return []
        return [unpack_from(form, self.raw, at + i * size) for i in range(count)]

    def _text(self, at: int) -> str:
        return self.raw[at : self.raw.index(b"\0", at)].decode(errors="replace")

    def file_offset(self, address: int) -> int:
        """Where the byte of a virtual address is in the file, which is how the kernel names probes."""
        for row in self._segments:
            if self.wide:
                kind, _, offset, start, _, size = row[:6]
            else:
                kind, offset, start, _, size = row[:5]
            if kind == _PT_LOAD and start <= address < start + size:
                return address - start + offset
        raise ElfError(f"{self.path}: no segment holds address {address:#x}")

    def functions(self) -> Iterator[tuple[str, int, int]]:
        """(name, virtual address, size) of the functions that the file defines, from both symbol tables."""
        for section in self._sections:
            if section[1] not in (_SHT_SYMTAB, _SHT_DYNSYM):
                continue
            start, size, names = section[4], section[5], self._sections[section[6]][4]
            for row in self._symbol.iter_unpack(self.raw[start : start + size - size % self._symbol.size]):
                if self.wide:
                    name, info, _, index, value, length = row
                else:
                    name, value, length, info, _, index = row
                if info & 15 in (_STT_FUNC, _STT_GNU_IFUNC) and index and value:
                    yield self._text(names + name), value, length

    def function_offset(self, name: str) -> int:
        """Offset in the file of a function.  ElfError when it has no such function, with names that are near."""
        known = []
        for found, address, _ in self.functions():
            # A versioned symbol ("malloc@@GLIBC_2.2.5") is found by its plain name.
            if found.partition("@")[0] == name:
                return self.file_offset(address)
            known.append(found)
        from difflib import get_close_matches

        near = get_close_matches(name, {one for one in known if one[:2] == name[:2]}, 3)
        hint = f"; did you mean {' or '.join(near)}?" if near else " (its symbols may be stripped: use an offset)"
        raise ElfError(f"{self.path} has no function {name!r}{hint}")

    def sites(self) -> Iterator[Site]:
        """The USDT sites that the notes of section .note.stapsdt describe."""
        base = next((s[3] for s in self._sections if self._text(self._names_at + s[0]) == ".stapsdt.base"), None)
        width = calcsize(self.word)
        for section in self._sections:
            if section[1] != _SHT_NOTE or self._text(self._names_at + section[0]) != ".note.stapsdt":
                continue
            at, end = section[4], section[4] + section[5]
            while at < end:
                owner, size, kind = unpack_from(self.word[0] + "3I", self.raw, at)
                body = at + 12 + (owner + 3 & ~3)
                at = body + (size + 3 & ~3)
                if kind != 3:
                    continue
                pc, linked_base, semaphore = unpack_from(f"{self.word[0]}3{self.word[1]}", self.raw, body)
                strings = self.raw[body + 3 * width : body + size].split(b"\0")
                # A linker that moved the code (prelink) moved this section too.
                shift = base - linked_base if base is not None and linked_base else 0
                yield Site(
                    (
                        strings[0].decode(),
                        strings[1].decode(),
                        self.file_offset(pc + shift),
                        self.file_offset(semaphore + shift) if semaphore else 0,
                        strings[2].decode(),
                    )
                )


def find_file(name: str, pid: int = -1) -> str:
    """The file that a path, a library's name ("libc.so.6") or a command's ("bash") stands for, as process `pid` sees.

    ElfError when there is none.
    """
    from os.path import exists, realpath

    if "/" in name:
        path = f"/proc/{pid}/root{name}" if pid > 0 and not exists(name) else name
        if not exists(path):
            raise ElfError(f"{name}: no such file")
        return path
    found = _mapped(name, pid if pid > 0 else 0) or _library(name)
    if found is None:
        from shutil import which

        found = which(name)
    if found is None:
        raise ElfError(f"{name}: no such library or command here; give its whole path")
    return realpath(found)


def _mapped(name: str, pid: int) -> str | None:
    """A file of that name among those that a process (0: this one) has mapped."""
    try:
        with open(f"/proc/{pid or 'self'}/maps", encoding="utf-8", errors="surrogateescape") as file:
            paths = {line.split(None, 5)[5].strip() for line in file if line.count("/")}
    except OSError:
        return None
    return next((p for p in sorted(paths) if p.rpartition("/")[2] == name), None)


def _library(name: str) -> str | None:
    from os import uname
    from os.path import exists

    triple = f"{uname().machine}-linux-gnu"
    for directory in (
        f"/lib/{triple}",
        f"/usr/lib/{triple}",
        "/lib64",
        "/usr/lib64",
        "/lib",
        "/usr/lib",
        "/usr/local/lib",
    ):
        for file in (name, f"{name}.so"):
            if ".so" in file and exists(f"{directory}/{file}"):
                return f"{directory}/{file}"
    return None
