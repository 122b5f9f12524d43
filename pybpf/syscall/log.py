"""What the verifier's log says: the reason, the instruction, and since Linux 7.3 a suggestion.

Until 7.2 the reason is the last line before the statistics.  From 7.3 on a report with headings follows that line
("Verification failed:", "Reason:", "At:", "Suggestion:").
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Finding(NamedTuple):
    """What a log says; empty strings and None for what it does not tell."""

    reason: str
    insn: int | None
    text: str
    hint: str


_INSN = re.compile(r"^(\d+): \([0-9a-f]{2}\) (.*?)(?:\s+;.*)?$")
# Lines that never are a reason: statistics, states, source lines, and the trace of precision tracking.
_NOISE = re.compile(
    r"^(processed \d+ insns|verification time|stack depth|max_states_per_insn|peak_states|\d+: |from \d+ to \d+|;|"
    r"mark_precise|propagating |frame \d+: propagating|Func#|func#|Validating |caller:|callee:|returning from callee|"
    r"\s*(R\d+_?\w*|fp-\d+|refs)=|last_idx|regs=|parent )"
)
_NAMED_INSN = re.compile(r"\binsn (\d+)")
_REPORT = "Verification failed:"


def parse(log: str) -> Finding:
    """The finding in the log of a rejected program."""
    lines = log.splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith(_REPORT)), len(lines))
    reason = next((line.strip() for line in reversed(lines[:start]) if line.strip() and not _NOISE.match(line)), "")
    insn, text = None, ""
    for line in reversed(lines[:start]):
        if found := _INSN.match(line):
            insn, text = int(found[1]), found[2]
            break
    hint = ""
    if start < len(lines):
        sections = _sections(lines[start + 1 :])
        title = lines[start][len(_REPORT) :].strip()
        detail = sections.get("Reason", "")
        reason = f"{reason}: {detail}" if reason and detail else reason or detail or title
        hint = sections.get("Suggestion", "")
        named = _NAMED_INSN.search(sections.get("At", ""))
    else:
        named = _NAMED_INSN.search(reason)
    if named and int(named[1]) != insn:
        insn, text = int(named[1]), _text_at(lines, named[1])
    if found := _INSN.match(reason):
        reason = ""
    return Finding(reason, insn, text, hint)


def _text_at(lines: list[str], insn: str) -> str:
    for line in reversed(lines):
        found = _INSN.match(line)
        if found and found[1] == insn:
            return found[2]
    return ""


def _sections(lines: list[str]) -> dict[str, str]:
    """Text below each heading of a report, in one line each."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines:
        if line.endswith(":") and line[:1].isalpha():
            current = found.setdefault(line[:-1], [])
        elif line[:1].isspace() or not line:
            current.append(line.strip())
        else:
            break
    return {heading: " ".join(part for part in body if part) for heading, body in found.items()}
