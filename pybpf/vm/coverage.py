"""Which instructions, and which lines of their sources, runs have executed."""

from __future__ import annotations

from ..asm.opcodes import Class, Jmp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..asm.insn import Insn
    from .image import Image

active: Coverage | None = None
"""What machines made from now on report to; the pytest plugin sets it.  Covered runs are interpreted."""


class Program:
    """The coverage of one program: `places` are (slot, file, line) of its instructions, `executed` the slots that ran;
    `arcs` are (file, line, next line) of the runs, the negative line where the function begins standing for outside.
    """

    def __init__(self, places: Sequence[tuple[int, str, int]], begin: int) -> None:
        self.places = places
        self.begin = begin
        self.executed: set[int] = set()
        self.arcs: set[tuple[str, int, int]] = set()
        self.last = ("", 0)

    @property
    def total(self) -> int:
        """How many instructions the program has."""
        return len(self.places)

    @property
    def missed(self) -> list[int]:
        """Slots of the instructions that were never executed."""
        return [slot for slot, _, _ in self.places if slot not in self.executed]

    def lines(self) -> dict[str, tuple[set[int], set[int]]]:
        """By source file: (lines with an instruction that was executed, lines that have only others)."""
        out: dict[str, tuple[set[int], set[int]]] = {}
        for slot, file, line in self.places:
            if file:
                hit, missed = out.setdefault(file, (set(), set()))
                (hit if slot in self.executed else missed).add(line)
        return {file: (hit, missed - hit) for file, (hit, missed) in out.items()}


class Coverage:
    """Coverage of every program that ran; the same program in several machines, and processes, counts as one."""

    def __init__(self) -> None:
        self.programs: dict[tuple[str, str], Program] = {}

    def visit(self, image: Image, slot: int, insn: Insn, regs: list[int | None]) -> None:
        """Note one executed instruction."""
        program = image.covered or self.of(image)
        program.executed.add(slot)
        source = insn.source
        if source is None:
            return
        file, line = source.file, source.line
        if program.begin:
            before, previous = program.last if slot else (file, -program.begin)
            if before == file and previous != line:
                program.arcs.add((file, previous, line))
            program.last = (file, line)
            if insn.opcode == Class.JMP | Jmp.EXIT:
                program.arcs.add((file, line, -program.begin))

    def of(self, image: Image) -> Program:
        """The entry of a program, made when it is new: a program that never ran counts too."""
        from hashlib import sha256

        key = (image.name, sha256(repr([tuple(insn) for insn in image.insns]).encode()).hexdigest())
        found = self.programs.get(key)
        if found is None:
            sources = ((slot, insn.source) for slot, insn in enumerate(image.code) if insn is not None)
            places = [(slot, source.file, source.line) if source else (slot, "", 0) for slot, source in sources]
            code = getattr(getattr(image.spec, "function", None), "__code__", None)
            found = self.programs[key] = Program(places, getattr(code, "co_firstlineno", 0))
        image.covered = found
        return found

    def plain(self) -> list[Any]:
        """All of it in lists, tuples, numbers and strings, for `add` in another process."""
        return [
            (key, program.places, program.begin, sorted(program.executed), sorted(program.arcs))
            for key, program in self.programs.items()
        ]

    def add(self, plain: list[Any]) -> None:
        """Take in what another process executed."""
        for (name, digest), places, begin, executed, arcs in plain:
            found = self.programs.setdefault((name, digest), Program(places, begin))
            found.executed.update(executed)
            found.arcs.update(map(tuple, arcs))

    def lines(self) -> dict[str, set[int]]:
        """By source file: the lines that were executed."""
        out: dict[str, set[int]] = {}
        for program in self.programs.values():
            for file, (hit, _) in program.lines().items():
                out.setdefault(file, set()).update(hit)
        return out

    def arcs(self) -> dict[str, set[tuple[int, int]]]:
        """By source file: (line, next line) of what was executed, as coverage.py counts branches."""
        out: dict[str, set[tuple[int, int]]] = {}
        for program in self.programs.values():
            for file, before, after in program.arcs:
                out.setdefault(file, set()).add((before, after))
        return out

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
