"""What a program asks of a kernel (its instruction set level, the features beyond), and whether it is well-formed."""

from __future__ import annotations

from ..errors import AsmError
from .insn import Insn
from .match import row_of
from .opcodes import LD_IMM64
from .symbols import distance, slots_of
from .table import FEATURES, ROWS
from .text import format_insn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Level = int | str | None

NEWEST = 4


class Feature(tuple[str, "int | None", str]):
    """What not every kernel has: `name`, `level` (1 to 4; None: in no level), `since` (its first kernel, "6.6")."""

    __slots__ = ()

    @property
    def name(self) -> str:
        return self[0]

    @property
    def level(self) -> int | None:
        return self[1]

    @property
    def since(self) -> str:
        return self[2]


def level_of(isa: Level) -> int:
    """The number of a level: 1 to 4, "v1" to "v4", or None for the newest.  AsmError for anything else."""
    number = NEWEST if isa is None else isa
    if isinstance(number, str) and number[:1] == "v" and number[1:] in ("1", "2", "3", "4"):
        number = int(number[1:])
    if isinstance(number, int) and 1 <= number <= NEWEST:
        return number
    raise AsmError(f"ISA level {isa!r}: expected 1 to {NEWEST}, or 'v1' to 'v{NEWEST}'")


def feature(insn: Insn) -> Feature:
    """What a kernel must have to know this instruction.  AsmError when no kernel does."""
    row = row_of(insn)
    if row is None:
        raise AsmError(f"not an instruction: {_defect(insn)}", insn.source)
    found = ROWS[row][3]
    return Feature((found, *FEATURES[found]))


def features(insns: Iterable[Insn]) -> list[Feature]:
    """What a kernel must have to know every instruction of a program, oldest first, each once."""
    used = {feature(insn)[0] for insn in insns}
    return [Feature((found, *about)) for found, about in FEATURES.items() if found in used]


def isa_level(insns: Iterable[Insn]) -> int:
    """The lowest level of the instruction set (1 to 4) that holds the program.

    Features that belong to no level, such as kfunc calls or may_goto, do not count: ask `features` for them.
    """
    return max([found.level or 1 for found in features(insns)], default=1)


def check_isa(
    insns: Iterable[Insn], isa: Level = None, *, kernel: str | None = None, without: Iterable[str] = ()
) -> None:
    """AsmError for the first instruction beyond a level (1 to 4) or a kernel ("5.15"), or of a feature in `without`."""
    level = level_of(isa)
    version = None if kernel is None else _version(kernel)
    refused = set(without)
    unknown = refused - FEATURES.keys()
    if unknown:
        raise AsmError(f"no feature is named {min(unknown)!r}: there are {', '.join(FEATURES)}")
    program = list(insns)
    for slot, insn in zip(slots_of(program), program, strict=True):
        needed = feature(insn)
        if needed.level is not None and needed.level > level:
            reason = f"ISA v{needed.level}, and v{level} was asked for"
        elif version is not None and (not needed.since or _version(needed.since) > version):
            reason = f"Linux {needed.since}, and {kernel} was asked for" if needed.since else "more than any kernel has"
        elif needed.name in refused:
            reason = "a feature that was ruled out"
        else:
            continue
        raise AsmError(f"insn {slot}: `{format_insn(insn)}` ({needed.name}) needs {reason}", insn.source)


def check(insns: Iterable[Insn]) -> list[AsmError]:
    """What is malformed in a program, in order; [] when every instruction is one, and every jump leads to one.

    Reported are unknown opcodes, reserved fields that are not zero, registers that do not exist, halves of wide loads
    standing alone, and jumps out of the program or between the slots of a wide load.  What a program *does* is the
    verifier's business.
    """
    program = list(insns)
    slots = slots_of(program)
    begins = set(slots)
    found = []
    for slot, insn in zip(slots, program, strict=True):
        problem = _defect(insn) if row_of(insn) is None or max(insn.dst, insn.src) > 10 else None
        step = distance(insn)
        if problem is None and insn.symbol is None and step is not None and slot + 1 + step not in begins:
            problem = f"it leads to slot {slot + 1 + step}, where no instruction begins"
        if problem is not None:
            found.append(AsmError(f"insn {slot}: `{format_insn(insn).split('  #')[0]}`: {problem}", insn.source))
    return found


def _defect(insn: Insn) -> str:
    """Why an instruction is none."""
    if insn[0] == LD_IMM64 and not insn.wide:
        return "half of a wide load, without the other half"
    for which, number in (("dst", insn.dst), ("src", insn.src)):
        if number > 10:
            return f"{which} is r{number}: registers are r0 to r10"
    if any(row[0] == insn[0] for row in ROWS):
        return f"a field has a value that opcode 0x{insn[0]:02x} does not have"
    return f"opcode 0x{insn[0]:02x} is unknown"


def _version(text: str) -> tuple[int, ...]:
    parts = text.split(".")
    if not all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts[:2]):
        raise AsmError(f"kernel version {text!r}: expected something like '5.15'")
    return tuple(int(part) for part in parts[:2])
