"""Programs taken apart for a file: the entry goes to its section, each other function once to .text."""

from __future__ import annotations

from ..asm.insn import Insn
from ..asm.opcodes import LD_IMM64, Call, Pseudo
from ..errors import ElfError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..spec import ProgramSpec

CALL = 0x85
TEXT = ".text"


class Piece:
    """One function to write: `name`, `insns`, the slot in its program where it `start`s, `calls` by slot -> piece."""

    __slots__ = ("calls", "global_", "insns", "name", "offset", "program", "section", "size", "start")

    def __init__(self, name: str, program: ProgramSpec, start: int, section: str) -> None:
        self.name, self.program, self.start, self.section = name, program, start, section
        self.insns: list[Insn] = []
        self.calls: dict[int, Piece] = {}
        self.size = 0
        self.offset = 0
        self.global_ = True

    def key(self) -> tuple[object, ...]:
        """What makes two functions of different programs the same."""
        shape = tuple((i, i.symbol) for i in self.insns)
        return (shape, tuple((slot, piece.name) for slot, piece in self.calls.items()))


def split(program: ProgramSpec, section: str, name_of: Callable[[ProgramSpec, int], tuple[str, bool]]) -> list[Piece]:
    """The functions of `program`, the entry first.  Calls between them lose their distances.

    `name_of` gives the name of the function at a slot, and whether it is global.
    """
    from ..asm.symbols import resolve

    insns = resolve(program.insns)
    starts = {0, *(slot for slot, _ in program.func_info)}
    slots: list[int] = []
    slot = 0
    for insn in insns:
        slots.append(slot)
        slot += insn.slots
    total = slot
    targets: dict[int, int] = {}
    for slot, insn in zip(slots, insns, strict=True):
        is_call = insn.opcode == CALL and insn.src == Call.LOCAL
        if is_call or (insn.opcode == LD_IMM64 and insn.src == Pseudo.FUNC):
            targets[slot] = slot + insn.imm + 1
            starts.add(slot + insn.imm + 1)
    known = set(slots)
    for start in starts:
        if start not in known:
            raise ElfError(f"program {program.name!r}: a call leads to slot {start} of {total}, where nothing begins")
    pieces: dict[int, Piece] = {}
    for start in sorted(starts):
        name, is_global = (program.name, True) if not start else name_of(program, start)
        pieces[start] = Piece(name, program, start, TEXT if start else section)
        pieces[start].global_ = is_global
    here = pieces[0]
    for slot, insn in zip(slots, insns, strict=True):
        here = pieces.get(slot, here)
        if slot in targets:
            target = pieces[targets[slot]]
            here.calls[slot - here.start] = target
            insn = insn.replace(imm=-1 if insn.opcode == CALL else 0)
        here.insns.append(insn)
        here.size += insn.slots
    return list(pieces.values())


def share(programs: list[list[Piece]]) -> list[Piece]:
    """All pieces, with functions that several programs have alike kept once, and others renamed apart."""
    out: list[Piece] = []
    known: dict[str, Piece] = {}
    for pieces in programs:
        merged: dict[int, Piece] = {}
        for piece in pieces:
            old = known.get(piece.name)
            if old is not None and piece.section == TEXT and old.section == TEXT and old.key() == piece.key():
                merged[id(piece)] = old
                continue
            if old is not None:
                if piece.section != TEXT:
                    raise ElfError(f"two programs are named {piece.name!r}")
                piece.name = f"{piece.name}__{piece.program.name}"
            known[piece.name] = piece
            out.append(piece)
        for piece in pieces:
            piece.calls = {slot: merged.get(id(target), target) for slot, target in piece.calls.items()}
    return out
