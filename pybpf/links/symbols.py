"""Where functions and static probes are in user programs and libraries (ELF files, read by pyelftools)."""

from __future__ import annotations

import os
from errno import ENOENT
from fnmatch import fnmatchcase
from struct import calcsize, unpack_from
from typing import NamedTuple

from ..errors import NotSupportedError, SyscallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_LIBRARY_DIRECTORIES = ("/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib")


class UsdtProbe(NamedTuple):
    """One place of a static probe: its `offset` in the file, that of its `semaphore` (0: none), and its `arguments`
    in the notation of stapsdt ("-4@%edi 8@-16(%rbp)").
    """

    provider: str
    name: str
    offset: int
    semaphore: int
    arguments: str


def find_binary(name: str, pid: int = -1) -> str:
    """The path of a library or program: `name` when it has a slash, else looked up as the loader and the shell do.

    A process id prefers what that process has mapped.  SyscallError (ENOENT) when nothing is found.
    """
    if "/" in name:
        if os.path.exists(name):
            return os.path.realpath(name)
    else:
        for candidate in _candidates(name, pid):
            if os.path.exists(candidate):
                return os.path.realpath(candidate)
    raise SyscallError(ENOENT, "attach", f"binary {name!r}", "give its path, or a name that the loader or PATH finds")


def _candidates(name: str, pid: int) -> Iterator[str]:
    if pid > 0:
        with open(f"/proc/{pid}/maps") as maps:
            for line in maps:
                path = line.rstrip("\n").partition("/")[2]
                if path.rpartition("/")[2] == name:
                    yield "/" + path
    directories = os.environ.get("LD_LIBRARY_PATH", "").split(":") + list(_LIBRARY_DIRECTORIES)
    machine = os.uname().machine
    directories += [f"{d}/{machine}-linux-gnu" for d in ("/lib", "/usr/lib")]
    directories += os.environ.get("PATH", "").split(":")
    yield from (f"{directory}/{name}" for directory in directories if directory)


def function_offset(path: str, function: str) -> int:
    """The file offset of a function, of "function+offset", or of an address ("0x1234") of a binary."""
    with open(path, "rb") as file:
        elf = _open(file)
        if function[:1].isdigit():
            return _file_offset(elf, int(function, 0))
        name, _, more = function.partition("+")
        for symbol in _functions(elf):
            if symbol.name == name:
                return _file_offset(elf, symbol["st_value"]) + (int(more, 0) if more else 0)
    raise SyscallError(ENOENT, "attach", f"function {function!r} in {path}", "it has no such symbol, or was stripped")


def functions(path: str, pattern: str) -> dict[str, int]:
    """File offsets of the functions of a binary whose names match a pattern with * and ?."""
    with open(path, "rb") as file:
        elf = _open(file)
        return {s.name: _file_offset(elf, s["st_value"]) for s in _functions(elf) if fnmatchcase(s.name, pattern)}


def usdt_probes(path: str) -> list[UsdtProbe]:
    """The static probes of a binary, from its .note.stapsdt section."""
    with open(path, "rb") as file:
        elf = _open(file)
        notes = elf.get_section_by_name(".note.stapsdt")
        if notes is None:
            return []
        base = elf.get_section_by_name(".stapsdt.base")
        word = "Q" if elf.elfclass == 64 else "I"
        order = "<" if elf.little_endian else ">"
        return list(_read_notes(elf, notes.data(), base["sh_addr"] if base else 0, order, word))


def _read_notes(elf: Any, data: bytes, base_now: int, order: str, word: str) -> Iterator[UsdtProbe]:
    at = 0
    addresses = f"{order}3{word}"
    while at + 12 <= len(data):
        name_size, size, kind = unpack_from(order + "3I", data, at)
        begin = at + 12 + (name_size + 3 & ~3)
        at = begin + (size + 3 & ~3)
        if kind != 3:  # NT_STAPSDT
            continue
        where, base, semaphore = unpack_from(addresses, data, begin)
        texts = data[begin + calcsize(addresses) : begin + size].split(b"\0")
        provider, name, arguments = (text.decode(errors="replace") for text in texts[:3])
        if base and base_now:
            where += base_now - base  # the file was moved after the note was written (prelink)
        yield UsdtProbe(
            provider, name, _file_offset(elf, where), _file_offset(elf, semaphore) if semaphore else 0, arguments
        )


def _open(file: Any) -> Any:
    try:
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile
    except ImportError:
        raise NotSupportedError("symbols of user programs", hint="pip install 'pybpf[elf]' brings pyelftools") from None
    try:
        return ELFFile(file)
    except ELFError as error:
        raise SyscallError(ENOENT, "attach", f"binary {file.name!r}", f"it is not an ELF file: {error}") from None


def _functions(elf: Any) -> Iterator[Any]:
    for name in (".symtab", ".dynsym"):
        table = elf.get_section_by_name(name)
        if table is not None:
            for symbol in table.iter_symbols():
                if symbol["st_info"]["type"] in ("STT_FUNC", "STT_GNU_IFUNC", "STT_LOOS") and symbol["st_value"]:
                    yield symbol


def _file_offset(elf: Any, virtual: int) -> int:
    for segment in elf.iter_segments("PT_LOAD"):
        if segment["p_vaddr"] <= virtual < segment["p_vaddr"] + segment["p_memsz"]:
            return int(virtual - segment["p_vaddr"] + segment["p_offset"])
    return virtual
