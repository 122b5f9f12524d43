"""`Report` and `Finding`: what came of a check, for people (`str`), programs (attributes) and tools (JSON, SARIF, HTML)."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..state import SPILL
from ..values import NOT_INIT, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ...source import Source
    from ...spec import ProgramSpec
    from ..check import Outcome
    from ..program import Program
    from ..state import State


MAX_PATH = 1000
"""So many of the last jumps are shown at most."""


@dataclass(frozen=True)
class Finding:
    """One thing to say about a program.

    `category` is one of `CATEGORIES` ("unknown" when the verdict is).  `insn` is the index of the instruction, in
    8-byte slots as the kernel counts, None when the whole program is meant; `text` is the instruction; `source` its
    place in the user's text, where known.  `message` says what does not hold, `hint` what to do.  `state` maps registers
    ("R1") and stack slots ("fp-8") to what was known of them there; `registers` are the numbers of those that matter.
    `path` lists the conditional jumps that lead there, as `(insn, taken)`.
    """

    category: str
    message: str
    insn: int | None = None
    source: Source | None = None
    hint: str = ""
    text: str = ""
    state: dict[str, str] = field(default_factory=dict)
    path: tuple[tuple[int, bool], ...] = ()
    registers: tuple[int, ...] = ()

    def __str__(self) -> str:
        lines = []
        if self.source is not None:
            lines.append(f"{self.source}: {self.category}: {self.message}{self.source.excerpt()}")
        else:
            lines.append(f"{self.category}: {self.message}")
        if self.insn is not None:
            lines.append(f"  at insn {self.insn}: {self.text}".rstrip(": "))
        shown = self._relevant_state()
        if shown:
            lines.append("  known there: " + "  ".join(f"{name}={value}" for name, value in shown))
        if self.path:
            steps = ", ".join(f"{insn} {'taken' if taken else 'not taken'}" for insn, taken in self.path[-6:])
            lines.append(f"  path: {'... ' if len(self.path) > 6 else ''}jumps at insn {steps}")
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)

    def _relevant_state(self) -> list[tuple[str, str]]:
        wanted = {f"R{reg}" for reg in self.registers}
        if wanted:
            return [(name, self.state.get(name, "not initialised")) for name in sorted(wanted)]
        used = set(self.text.replace("w", "r").replace("(", " ").replace(")", " ").replace(";", " ").split())
        return [(name, value) for name, value in self.state.items() if name.lower() in used]

    def to_json(self) -> dict[str, Any]:
        """The finding as plain data."""
        place = None
        if self.source is not None:
            place = {"file": self.source.file, "line": self.source.line, "column": self.source.column}
        return {
            "category": self.category,
            "message": self.message,
            "hint": self.hint,
            "insn": self.insn,
            "text": self.text,
            "source": place,
            "state": self.state,
            "path": [list(step) for step in self.path],
        }


@dataclass(frozen=True)
class Report:
    """What came of `verify`.

    `verdict` is "accept", "reject" or "unknown"; `ok` is True for "accept" only.  `findings` say why not; `warnings` are what the
    kernel lets pass but is nearly surely a mistake.  `kernel` is the version whose rules were applied, `processed` the number
    of instructions simulated on all paths.
    """

    spec: ProgramSpec
    verdict: str
    findings: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    kernel: str = ""
    processed: int = 0
    outcome: Outcome | None = field(default=None, repr=False, compare=False)

    @property
    def ok(self) -> bool:
        """Whether the kernel would take the program; False also where that is not known."""
        return self.verdict == "accept"

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        name = self.spec.name or "program"
        head = {
            "accept": f"{name}: Linux {self.kernel} would take it ({self.processed} instructions simulated)",
            "reject": f"{name}: Linux {self.kernel} would reject it",
            "unknown": f"{name}: not known whether Linux {self.kernel} would take it",
        }[self.verdict]
        lines = [head, *(str(finding) for finding in self.findings)]
        lines += [f"warning: {warning}" for warning in self.warnings]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """The report as plain data: strings, numbers, lists and dicts."""
        return {
            "program": self.spec.name,
            "kernel": self.kernel,
            "verdict": self.verdict,
            "processed": self.processed,
            "findings": [finding.to_json() for finding in self.findings],
            "warnings": [warning.to_json() for warning in self.warnings],
        }

    def json(self) -> str:
        """The report as JSON text."""
        from json import dumps

        return dumps(self.to_json(), indent=2)

    def sarif(self) -> str:
        """The report in SARIF 2.1.0, as continuous integration services read it."""
        from json import dumps

        from .sarif import document

        return dumps(document([self]), indent=2)

    def html(self) -> str:
        """The report as one self-contained HTML page."""
        from .html import page

        return page(self)


def describe_state(state: State | None) -> dict[str, str]:
    """Registers and stack slots of the current frame, in the words of the kernel's log."""
    if state is None:
        return {}
    frame = state.frames[-1]
    shown = {f"R{i}": text(reg) for i, reg in enumerate(frame.regs[:10]) if reg.type != NOT_INIT}
    for i, slot in enumerate(frame.stack):
        if slot.bytes[0] == SPILL and slot.reg is not None:
            shown[f"fp-{8 * i + 8}"] = text(slot.reg)
        elif slot.bytes.strip(b"\0"):
            shown[f"fp-{8 * i + 8}"] = repr(slot)
    return shown


def way_to(state: State | None) -> Iterator[tuple[int, int]]:
    """The instructions that led to a state, latest first, each with the one that came after it."""
    if state is None:
        return
    while True:
        at = state.insn
        for slot, after, _, _ in reversed(state.hist):
            yield from ((i, i + 1) for i in range(at - 1, after - 1, -1))
            yield slot, after
            at = slot
        yield from ((i, i + 1) for i in range(at - 1, state.began - 1, -1))
        if state.parent is None:
            return
        state = state.parent.state


def path_of(state: State | None, program: Program | None) -> tuple[tuple[int, bool], ...]:
    """The conditional jumps on the way to a state, and whether they were taken."""
    found: list[tuple[int, bool]] = []
    if program is None:
        return ()
    for slot, after in way_to(state):
        opcode = program.ops[slot][0]
        if opcode & 7 in (5, 6) and opcode & 0xF0 not in (0x00, 0x80, 0x90):
            found.append((slot, after != slot + 1))
            if len(found) == MAX_PATH:
                break
    return tuple(reversed(found))
