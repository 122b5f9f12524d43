"""Symbols to numbers: jumps, calls of local functions and addresses of functions get their distances.

A distance counts 8-byte slots from the end of the instruction's first slot, as the kernel counts them.  Names of maps,
kfuncs and kernel variables are not resolved here: whoever loads or runs the program knows them.
"""

from __future__ import annotations

from ..errors import AsmError
from .insn import Insn
from .opcodes import LD_IMM64, Call, Class, Jmp, Pseudo, Src

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .isa import Level

_JA = Class.JMP | Jmp.JA
_GOTOL = Class.JMP32 | Jmp.JA
_CALL = Class.JMP | Jmp.CALL
# Jumps that hold their distance in `off`: both jump classes but for call, exit and gotol.
_SHORT = frozenset(
    cls | src | op
    for cls in (Class.JMP, Class.JMP32)
    for src in Src
    for op in Jmp
    if op not in (Jmp.CALL, Jmp.EXIT, Jmp.JA, Jmp.JCOND)
) | {_JA, Class.JMP | Jmp.JCOND}
_INVERSE = {
    Jmp.JEQ: Jmp.JNE,
    Jmp.JGT: Jmp.JLE,
    Jmp.JGE: Jmp.JLT,
    Jmp.JSGT: Jmp.JSLE,
    Jmp.JSGE: Jmp.JSLT,
}
_INVERSE |= {b: a for a, b in _INVERSE.items()}
_OFF_MIN, _OFF_MAX = -(1 << 15), (1 << 15) - 1


def refers_to_code(insn: Insn) -> bool:
    """True for what holds a distance to another instruction: jumps, local calls, addresses of functions."""
    opcode, _, src, _, _, _ = insn
    return (
        opcode in _SHORT
        or opcode == _GOTOL
        or (opcode == _CALL and src == Call.LOCAL)
        or (opcode == LD_IMM64 and src == Pseudo.FUNC)
    )


def distance(insn: Insn) -> int | None:
    """The distance in slots that a jump, local call or function address holds; None for everything else."""
    if not refers_to_code(insn):
        return None
    return insn[3] if insn[0] in _SHORT else insn[4]


def slots_of(insns: Iterable[Insn]) -> list[int]:
    """The slot at which each instruction begins."""
    out = []
    slot = 0
    for insn in insns:
        out.append(slot)
        slot += insn.slots
    return out


def resolve(insns: Iterable[Insn], *, isa: Level = None) -> list[Insn]:
    """The program with every label looked up: jumps, local calls and function addresses hold distances, and no symbol.

    A jump too far for its 16-bit `off` becomes a `gotol` (a conditional one is inverted and jumps over a `gotol`), or
    an AsmError where `isa` (see `check_isa`) has none.  AsmError for a label that is missing or there twice, and for an
    instruction beyond `isa`.  Labels stay on their instructions, and so do names of maps, kfuncs and variables.
    """
    program = list(insns)
    for insn in program:
        if not isinstance(insn, Insn):
            raise AsmError(f"{insn!r} is not an Insn")
    targets = _targets(program)
    far = _far(program, targets)
    if far:
        program, targets = _lengthen(program, targets, far, isa)
    slots = slots_of(program)
    for index, target in targets.items():
        program[index] = _aim(program[index], slots[target] - slots[index] - 1)
    if isa is not None:
        from .isa import check_isa

        check_isa(program, isa)
    return program


def _targets(program: list[Insn]) -> dict[int, int]:
    """Index of each instruction with a label for a symbol -> index of what the label names."""
    places: dict[str, int] = {}
    for index, insn in enumerate(program):
        if insn.label is not None and places.setdefault(insn.label, index) != index:
            raise AsmError(f"label {insn.label!r} is there twice", insn.source)
    out = {}
    for index, insn in enumerate(program):
        if insn.symbol is not None and refers_to_code(insn):
            if insn.symbol not in places:
                raise AsmError(f"no label is named {insn.symbol!r}{similar(insn.symbol, places)}", insn.source)
            out[index] = places[insn.symbol]
    return out


def similar(name: str, known: Iterable[str]) -> str:
    """A hint at the known name that comes closest; "" when none does."""
    from difflib import get_close_matches

    close = get_close_matches(name, known, 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _far(program: list[Insn], targets: dict[int, int]) -> set[int]:
    """The jumps whose distance does not fit `off`.

    Lengthening one pushes others apart, so this looks again until none is new.
    """
    far: set[int] = set()
    if sum(insn.slots for insn in program) <= _OFF_MAX:
        return far
    sizes = [insn.slots for insn in program]
    while True:
        slots = [0]
        for size in sizes:
            slots.append(slots[-1] + size)
        new = {
            index
            for index, target in targets.items()
            if index not in far
            and program[index][0] in _SHORT
            and not _OFF_MIN <= slots[target] - slots[index] - 1 <= _OFF_MAX
        }
        if not new:
            return far
        for index in new:
            sizes[index] = len(_long_form(program[index]))
        far |= new


def _long_form(insn: Insn) -> list[Insn]:
    """A jump as instructions of which the last is a gotol, its distance still open."""
    gotol = Insn(_GOTOL, source=insn.source)
    opcode = insn[0]
    if opcode == _JA:
        return [gotol.replace(label=insn.label, comment=insn.comment)]
    inverse = _INVERSE.get(Jmp(opcode & 0xF0))
    if inverse is not None:
        return [insn.replace(opcode=opcode & 0x0F | inverse, off=1, symbol=None), gotol]
    # jset and may_goto have no inverse: jump to the gotol, and else around it.
    return [insn.replace(off=1, symbol=None), Insn(_JA, off=1, source=insn.source), gotol]


def _lengthen(
    program: list[Insn], targets: dict[int, int], far: set[int], isa: Level
) -> tuple[list[Insn], dict[int, int]]:
    """The program with far jumps in their long form, and its targets by new index."""
    from .isa import level_of

    if level_of(isa) < 4:
        insn = program[min(far)]
        raise AsmError(
            f"the jump to {insn.symbol!r} is farther than 32767 slots, "
            f"and ISA v{level_of(isa)} has no gotol: allow v4, or bring it nearer",
            insn.source,
        )
    targets = {**_numeric_targets(program), **targets}
    out: list[Insn] = []
    begins, ends = [], []
    for index, insn in enumerate(program):
        begins.append(len(out))
        out.extend(_long_form(insn) if index in far else [insn])
        ends.append(len(out) - 1)
    return out, {ends[index]: begins[target] for index, target in targets.items()}


def _numeric_targets(program: list[Insn]) -> dict[int, int]:
    """Targets of the jumps that hold numbers already, which must follow when instructions are inserted."""
    slots = slots_of(program)
    at = {slot: index for index, slot in enumerate(slots)}
    out = {}
    for index, insn in enumerate(program):
        step = distance(insn)
        if step is None or insn.symbol is not None:
            continue
        target = at.get(slots[index] + 1 + step)
        if target is None:
            raise AsmError("this jump leads to no instruction, and others must move: give it a label", insn.source)
        out[index] = target
    return out


def _aim(insn: Insn, step: int) -> Insn:
    """The instruction with its distance set and its symbol gone."""
    if insn[0] in _SHORT:
        if not _OFF_MIN <= step <= _OFF_MAX:
            raise AsmError(f"the jump is {step} slots long, farther than `off` can hold", insn.source)
        return insn.replace(off=step, symbol=None)
    return insn.replace(imm=step, symbol=None)
