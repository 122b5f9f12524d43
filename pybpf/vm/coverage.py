"""Which instructions, and which lines of their sources, runs have executed."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..asm.insn import Insn
    from ..spec import ProgramSpec
    from .image import Image

active: Coverage | None = None
"""What machines made from now on report to; the pytest plugin sets it.  Covered runs are interpreted."""


class Program:
    """The coverage of one program: `executed` slots of `code`, which has None behind wide instructions."""

    def __init__(self, spec: ProgramSpec, code: list[Insn | None]) -> None:
        self.spec = spec
        self.code = code
        self.executed: set[int] = set()

    @property
    def total(self) -> int:
        """How many instructions the program has."""
        return sum(insn is not None for insn in self.code)

    @property
    def missed(self) -> list[int]:
        """Slots of the instructions that were never executed."""
        return [slot for slot, insn in enumerate(self.code) if insn is not None and slot not in self.executed]

    def lines(self) -> dict[str, tuple[set[int], set[int]]]:
        """By source file: (lines with an instruction that was executed, lines that have only others)."""
        out: dict[str, tuple[set[int], set[int]]] = {}
        for slot, insn in enumerate(self.code):
            if insn is None or insn.source is None:
                continue
            hit, missed = out.setdefault(insn.source.file, (set(), set()))
            (hit if slot in self.executed else missed).add(insn.source.line)
        return {file: (hit, missed - hit) for file, (hit, missed) in out.items()}


class Coverage:
    """Coverage of every program that ran; the same program in several machines counts as one."""

    def __init__(self) -> None:
        self.programs: dict[tuple[str, tuple[Insn, ...]], Program] = {}

    def visit(self, image: Image, slot: int, insn: Insn, regs: list[int | None]) -> None:
        """Note one executed instruction."""
        self.of(image).executed.add(slot)

    def of(self, image: Image) -> Program:
        """The entry of a program, made when it is new: a program that never ran counts too."""
        key = (image.name, image.insns)
        found = self.programs.get(key)
        if found is None:
            found = self.programs[key] = Program(image.spec, image.code)
        return found

    def report(self) -> list[str]:
        """Lines of text: instructions by program, then source lines by file with the missed ones."""
        out = []
        files: dict[str, tuple[set[int], set[int]]] = {}
        for (name, _), program in sorted(self.programs.items(), key=lambda item: item[0][0]):
            done = len(program.executed)
            missed = _ranges(program.missed)
            out.append(f"{name:32} {done:5} of {program.total:5} instructions  {done * 100 // max(program.total, 1):3}%"
                       + (f"   missed: {missed}" if missed else ""))  # fmt: skip
            for file, (hit, left) in program.lines().items():
                known = files.setdefault(file, (set(), set()))
                known[0].update(hit)
                known[1].update(left)
        for file, (hit, left) in sorted(files.items()):
            missed = _ranges(sorted(left - hit))
            total = len(hit | left)
            out.append(f"{file}: {len(hit)} of {total} lines  {len(hit) * 100 // max(total, 1)}%"
                       + (f"   missed: {missed}" if missed else ""))  # fmt: skip
        return out


def _ranges(numbers: list[int]) -> str:
    """`1, 3-5, 9`."""
    out: list[list[int]] = []
    for number in numbers:
        if out and number == out[-1][1] + 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in out)
