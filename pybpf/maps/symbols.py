"""From addresses to names: the kernel's by /proc/kallsyms, a process's by its mapped files."""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from ..kernel.frames import Frame, frame_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_kernel: tuple[list[int], list[tuple[str, str]]] | None = None


def kernel_symbols() -> tuple[list[int], list[tuple[str, str]]]:
    """`(addresses, (name, module) of each)` of the kernel's functions, sorted; read once.  Empty when hidden."""
    global _kernel
    if _kernel is None:
        found = []
        with open("/proc/kallsyms") as file:
            for line in file:
                address, kind, name, *module = line.split()
                if kind in "tTwW":
                    found.append((int(address, 16), name, module[0].strip("[]") if module else ""))
        found.sort()
        if found and not found[-1][0]:
            found = []  # kptr_restrict shows zeros
        _kernel = [f[0] for f in found], [(f[1], f[2]) for f in found]
    return _kernel


def kernel_frame(address: int) -> Frame:
    """The function of the kernel that contains an address."""
    return frame_in(address, *kernel_symbols())


class _Mapped(NamedTuple):
    start: int
    end: int
    offset: int
    path: str


def user_frames(addresses: Iterable[int], pid: int) -> list[Frame]:
    """Where addresses of a process lie: functions by the symbol tables of its files, which needs pyelftools."""
    mapped = list(_mapped(pid))
    return [_user_frame(address, mapped, pid) for address in addresses]


def _mapped(pid: int) -> Iterable[_Mapped]:
    with open(f"/proc/{pid}/maps") as file:
        for line in file:
            where, access, offset, _, _, *path = line.split(maxsplit=5)
            if "x" in access:
                start, end = where.split("-")
                yield _Mapped(int(start, 16), int(end, 16), int(offset, 16), path[0].strip() if path else "")


def _user_frame(address: int, mapped: list[_Mapped], pid: int) -> Frame:
    for area in mapped:
        if area.start <= address < area.end:
            at = address - area.start + area.offset
            name, distance = _function(f"/proc/{pid}/root{area.path}", at) if area.path.startswith("/") else ("", at)
            return Frame(address, name, distance, area.path)
    return Frame(address, "", 0, "")


_files: dict[str, tuple[list[int], list[str]]] = {}


def _function(path: str, at: int) -> tuple[str, int]:
    """The function at an offset in an ELF file, and the distance from its beginning."""
    if path not in _files:
        _files[path] = _functions(path)
    starts, names = _files[path]
    i = bisect_right(starts, at) - 1
    return (names[i], at - starts[i]) if i >= 0 else ("", at)


def _functions(path: str) -> tuple[list[int], list[str]]:
    """File offsets and names of the functions of an ELF file, sorted; empty without pyelftools or symbols."""
    try:
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile
        from elftools.elf.sections import SymbolTableSection
    except ImportError:
        return [], []
    found = []
    try:
        with open(path, "rb") as file:
            elf = ELFFile(file)
            loaded = [s.header for s in elf.iter_segments() if s.header.p_type == "PT_LOAD"]
            for section in elf.iter_sections():
                if isinstance(section, SymbolTableSection):
                    for symbol in section.iter_symbols():
                        entry = symbol.entry
                        if entry.st_info.type != "STT_FUNC" or not entry.st_value:
                            continue
                        for part in loaded:
                            if part.p_vaddr <= entry.st_value < part.p_vaddr + part.p_filesz:
                                found.append((entry.st_value - part.p_vaddr + part.p_offset, symbol.name))
    except (OSError, ELFError):
        return [], []
    found.sort()
    return [f[0] for f in found], [f[1] for f in found]
