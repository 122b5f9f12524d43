"""Functions of an object: cut out of their sections by symbols, and linked into whole programs.

A program is its entry function followed by every function that it calls or takes the address of, each once, in
the order in which a walk meets them; that is the order of libbpf, so that the instructions come out the same.
"""

from __future__ import annotations

from ..asm.codec import decode
from ..asm.insn import Insn
from ..asm.opcodes import LD_IMM64, Call, Pseudo
from ..errors import ElfError
from .file import SHN_UNDEF, STB_LOCAL, STT_FUNC, STT_NOTYPE, ElfFile, Section, Symbol

MapPlaces = dict[tuple[int, int], str]
"""(section index, offset) -> name of the map defined there."""

CALL = 0x85
MAX_SLOTS = 1_000_000
"""Slots that the kernel takes (BPF_COMPLEXITY_LIMIT_INSNS), functions included."""


class Function:
    """One function: `name`, its `section`, the slot there where it begins, its instructions.

    `slots` maps a slot of the function to the position of the instruction that begins there; `calls` a slot to the
    (section index, slot) of the function that the instruction there refers to.
    """

    __slots__ = ("calls", "hidden", "insns", "local", "name", "section", "size", "slots", "start")

    def __init__(self, symbol: Symbol, section: Section, raw: bytes, byteorder: str) -> None:
        self.name = symbol.name
        self.section = section
        self.start = symbol.value // 8
        self.local = symbol.bind == STB_LOCAL
        self.hidden = symbol.hidden
        self.insns: list[Insn] = decode(raw, byteorder)
        self.size = len(raw) // 8
        self.slots: dict[int, int] = {}
        slot = 0
        for i, insn in enumerate(self.insns):
            self.slots[slot] = i
            slot += insn.slots
        self.calls: dict[int, tuple[int, int]] = {}

    def at(self, slot: int, what: str) -> tuple[int, Insn]:
        """Position and instruction at `slot`.  ElfError inside of a wide load."""
        position = self.slots.get(slot)
        if position is None:
            raise ElfError(f"{what} at slot {slot} of function {self.name!r}: no instruction begins there")
        return position, self.insns[position]

    def replace(self, slot: int, *insns: Insn) -> None:
        """Put `insns` in the place of the one at `slot`; together they fill as many slots."""
        position = self.slots[slot]
        old = self.insns[position]
        assert sum(i.slots for i in insns) == old.slots
        if len(insns) == 1:
            self.insns[position] = insns[0]
            return
        self.insns[position : position + 1] = insns
        self.slots = {}
        at = 0
        for i, insn in enumerate(self.insns):
            self.slots[at] = i
            at += insn.slots


def functions(elf: ElfFile) -> list[Function]:
    """The functions of all sections of code, in the order of their sections and places."""
    found: list[Function] = []
    code = [s for s in elf.sections if s.executable and s.size]
    for section in code:
        if section.size % 8:
            raise elf.error(f"section {section.name!r} has {section.size} bytes of code: not a multiple of 8")
        here = [s for s in elf.symbols if s.section == section.index and s.name]
        symbols = [s for s in here if s.type == STT_FUNC]
        if not symbols:  # clang before 6 gave functions no type
            symbols = [s for s in here if s.type == STT_NOTYPE and s.bind != STB_LOCAL]
        symbols.sort(key=lambda s: s.value)
        end = 0
        for i, symbol in enumerate(symbols):
            after = symbols[i + 1].value if i + 1 < len(symbols) else section.size
            size = symbol.size or after - symbol.value  # hand-written assembly may leave the size out
            if symbol.value % 8 or size % 8 or not size or symbol.value + size > section.size:
                raise elf.error(
                    f"function {symbol.name!r} ({size} bytes at {symbol.value}) does not fit section {section.name!r}"
                    f" of {section.size} bytes"
                )
            if symbol.value < end:
                if found and found[-1].section is section and found[-1].start * 8 == symbol.value:
                    continue  # an alias
                raise elf.error(f"function {symbol.name!r} overlaps the one before it in section {section.name!r}")
            end = symbol.value + size
            found.append(Function(symbol, section, section.data[symbol.value : end], elf.byteorder))
    return found


class Linker:
    """Finds functions by place, and puts programs together."""

    def __init__(self, elf: ElfFile, all_functions: list[Function]) -> None:
        self.elf = elf
        self.functions = all_functions
        self._by_start = {(f.section.index, f.start): f for f in all_functions}
        self._of_slot: dict[int, list[Function]] = {}
        for function in all_functions:
            self._of_slot.setdefault(function.section.index, []).append(function)

    def holding(self, section: int, slot: int) -> Function | None:
        """The function that a slot of a section belongs to."""
        from bisect import bisect_right

        rows = self._of_slot.get(section, [])
        i = bisect_right(rows, slot, key=lambda f: f.start) - 1
        return rows[i] if i >= 0 and slot < rows[i].start + rows[i].size else None

    def starting(self, section: int, slot: int, what: str) -> Function:
        found = self._by_start.get((section, slot))
        if found is None:
            raise self.elf.error(f"{what}: no function begins at slot {slot} of section {section}")
        return found

    def called(self, function: Function, slot: int, insn: Insn) -> Function | None:
        """The function that the instruction at `slot` refers to, if it refers to one."""
        place = function.calls.get(slot)
        if place is None:
            if insn.opcode == CALL and insn.src == Call.LOCAL and insn.symbol is None:
                place = function.section.index, function.start + slot + insn.imm + 1
            else:
                return None
        return self.starting(*place, f"the call at slot {slot} of {function.name!r}")

    def link(self, entry: Function) -> tuple[list[Insn], list[tuple[Function, int]]]:
        """The program that begins with `entry`: its instructions, and its functions with the slots where they begin."""
        places: dict[int, int] = {id(entry): 0}
        order = [entry]
        total = entry.size
        # Depth first, each function's calls in order: an explicit stack of (function, what is left to look at).
        stack = [(entry, iter(list(entry.slots.items())))]
        while stack:
            function, rest = stack[-1]
            for slot, position in rest:
                insn = function.insns[position]
                if insn.opcode != CALL and insn.opcode != LD_IMM64:
                    continue
                target = self.called(function, slot, insn)
                if target is not None and id(target) not in places:
                    places[id(target)] = total
                    order.append(target)
                    total += target.size
                    if total > MAX_SLOTS:
                        raise self.elf.error(f"program {entry.name!r} has more than {MAX_SLOTS} instructions")
                    stack.append((target, iter(list(target.slots.items()))))
                    break
            else:
                stack.pop()
        out: list[Insn] = []
        for function in order:
            base = places[id(function)]
            linked = list(function.insns)
            for slot, position in function.slots.items():
                insn = linked[position]
                if insn.opcode not in (CALL, LD_IMM64):
                    continue
                target = self.called(function, slot, insn)
                if target is not None:
                    linked[position] = insn.replace(imm=places[id(target)] - (base + slot) - 1)
            out += linked
        return out, [(f, places[id(f)]) for f in order]


def relocate_code(elf: ElfFile, linker: Linker, externs: dict[str, str], data: dict[int, str], maps: MapPlaces) -> None:
    """Apply the relocations of code: names of maps, kernel variables and kernel functions become symbols.

    `externs` gives the kind of each external symbol, `data` the map of each section of data, `maps` those defined in
    sections of maps, by section and offset.
    """
    for section, rows in elf.relocations():
        if not section.executable:
            continue
        last = -1
        for offset, _, symbol in rows:
            if offset == last:
                raise elf.error(f"two relocations at {offset} of {section.name!r}")
            last = offset
            function = linker.holding(section.index, offset // 8)
            if function is None or offset % 8:
                raise elf.error(f"relocation at {offset} of {section.name!r} is in no function")
            slot = offset // 8 - function.start
            what = f"relocation against {symbol.name or f'section {symbol.section}'!r}"
            _, insn = function.at(slot, what)
            try:
                _relocate(elf, function, slot, insn, symbol, externs, data, maps)
            except ElfError as error:
                raise elf.error(f"{what} at slot {slot} of {function.name!r}: {error}") from None


def _relocate(
    elf: ElfFile,
    function: Function,
    slot: int,
    insn: Insn,
    symbol: Symbol,
    externs: dict[str, str],
    data: dict[int, str],
    maps: MapPlaces,
) -> None:
    external = symbol.section == SHN_UNDEF
    if insn.opcode == CALL:
        if external:
            if externs.get(symbol.name) != "kfunc":
                raise ElfError("a call to a function that is neither here nor declared as a kernel function (__ksym)")
            function.replace(slot, insn.replace(src=Call.KFUNC, off=0, symbol=symbol.name))
            return
        if insn.src != Call.LOCAL:
            raise ElfError(f"the call has src {insn.src}: expected a local call")
        if symbol.value % 8:
            raise ElfError(f"the function lies at byte {symbol.value}")
        function.calls[slot] = symbol.section, symbol.value // 8 + insn.imm + 1
        return
    if not insn.wide:
        raise ElfError(f"instruction {insn!r} holds no address (only wide loads and calls do)")
    if external:
        kind = externs.get(symbol.name)
        if kind is None:
            raise ElfError("the symbol is not defined here; declare it with __ksym or __kconfig")
        function.replace(slot, insn.replace(symbol=symbol.name, comment=kind))
        return
    if symbol.section < len(elf.sections) and elf.sections[symbol.section].executable:
        byte = symbol.value + insn.imm
        if byte % 8:
            raise ElfError(f"the function lies at byte {byte}")
        function.calls[slot] = symbol.section, byte // 8
        function.replace(slot, insn.replace(src=Pseudo.FUNC, imm=0))
        return
    name = maps.get((symbol.section, symbol.value))
    if name is not None:
        function.replace(slot, insn.replace(src=Pseudo.MAP_FD, imm=0, symbol=name))
        return
    name = data.get(symbol.section)
    if name is None:
        where = elf.sections[symbol.section].name if symbol.section < len(elf.sections) else "no section"
        raise ElfError(f"it lies in {where!r} at {symbol.value}, where there is no map and no data")
    at = (insn.imm + symbol.value) & 0xFFFFFFFF
    at -= (at >> 31) << 32
    function.replace(slot, insn.replace(src=Pseudo.MAP_VALUE, imm=0, next_imm=at, symbol=name))
