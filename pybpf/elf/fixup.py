"""The BTF of an object made whole: what compilers leave open, and what they write that kernels refuse.

Compilers leave the offsets of variables to whoever lays out the sections; external symbols are no variables to the
kernel; a hidden function is static to its verifier.  Ids stay as they are; what is added comes last.
"""

from __future__ import annotations

from ..btf.kinds import Kind, pack_btf, pack_info
from ..btf.types import Datasec, Func, FuncProto, Var
from ..errors import BtfError
from .file import ElfFile, Symbol
from .names import KCONFIG, KSYMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..btf.btf import Btf
    from .externs import Extern


class _Editor:
    """The words of a BTF, to change and append to."""

    def __init__(self, btf: Btf) -> None:
        self.btf = btf
        self.words = list(btf._words)
        self.strings = bytearray(btf._strings)
        self.count = len(btf)

    def string(self, text: str) -> int:
        self.strings += text.encode() + b"\0"
        return len(self.strings) - len(text.encode()) - 1

    def append(self, *words: int) -> int:
        self.words += words
        self.count += 1
        return self.count


def complete(elf: ElfFile, btf: Btf, externs: Mapping[str, Extern], hidden: Iterable[str]) -> bytes:
    """The bytes of `btf` as the kernel takes them; `hidden` names functions that are to be static."""
    edit = _Editor(btf)
    static = set(hidden)
    places = {(s.section, s.name): s for s in elf.symbols if s.section}
    for t in btf.own_types():
        if isinstance(t, Func) and t.linkage == 1 and t.name in static:
            edit.words[t._at + 1] = pack_info(Kind.FUNC)
        elif isinstance(t, Datasec):
            if t.name == KCONFIG:
                _kconfig(edit, t, externs)
            elif t.name == KSYMS:
                _ksyms(edit, t)
            else:
                _section(elf, edit, t, places)
    return pack_btf(edit.words, bytes(edit.strings), btf.byteorder)


def _section(elf: ElfFile, edit: _Editor, t: Datasec, places: Mapping[tuple[int, str], Symbol]) -> None:
    """Size and offsets from the section and its symbols; variables in the order of their places, hidden ones static."""
    section = elf.section(t.name)
    if section is None or not section.size:
        return
    edit.words[t._at + 2] = section.size
    rows = []
    for var, offset, size in t.vars:
        symbol = places.get((section.index, var.name))
        rows.append((symbol.value if symbol else offset, var.id, size))
        if symbol is not None and symbol.hidden and isinstance(var, Var):
            edit.words[var._at + 3] = 0
    for i, (offset, var_id, size) in enumerate(sorted(rows)):
        if offset + size > section.size:
            name = edit.btf.type(var_id).name
            raise elf.error(f"variable {name!r} ({size} bytes at {offset}) leaves section {t.name!r} of {section.size}")
        at = t._at + 3 + 3 * i
        edit.words[at : at + 3] = var_id, offset, size


def _kconfig(edit: _Editor, t: Datasec, externs: Mapping[str, Extern]) -> None:
    rows = []
    for var, _, size in t.vars:
        edit.words[var._at + 3] = 1  # a variable that is allocated
        e = externs.get(var.name)
        rows.append((e.offset if e else 0, var.id, e.size if e else size))
    rows.sort()
    edit.words[t._at + 2] = max((offset + size for offset, _, size in rows), default=0)
    for i, (offset, var_id, size) in enumerate(rows):
        at = t._at + 3 + 3 * i
        edit.words[at : at + 3] = var_id, offset, size


def _ksyms(edit: _Editor, t: Datasec) -> None:
    """Kernel functions become dummy variables, variables without a size ints: the kernel wants every entry sized."""
    number = edit.append(edit.string("int"), pack_info(Kind.INT), 4, 1 << 24 | 32)
    dummy = 0
    place = 0
    for i, (var, _, _) in enumerate(t.vars):
        entry, size = var.id, 4
        if isinstance(var, Func):
            if not dummy:
                dummy = edit.append(edit.string("dummy_ksym"), pack_info(Kind.VAR), number, 1)
            entry = dummy
            edit.words[var._at + 1] = pack_info(Kind.FUNC, 1)
            proto = var.type
            if isinstance(proto, FuncProto):
                for at in range(proto._at + 3, proto._at + 3 + 2 * proto.vlen, 2):
                    if not edit.words[at] and edit.words[at + 1]:
                        edit.words[at] = edit.string("arg")
        else:
            try:
                size = var.size
            except BtfError:
                size = 0
            if not size:
                size = 4
                edit.words[var._at + 2] = number
            edit.words[var._at + 3] = 1
        at = t._at + 3 + 3 * i
        edit.words[at : at + 3] = entry, place, size
        place += size
    edit.words[t._at + 2] = place
