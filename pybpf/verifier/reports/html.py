# ruff: noqa: E501 (markup)
"""Reports as one self-contained HTML page: the control flow, the instructions beside their source, and all states."""

from __future__ import annotations

from html import escape

from ...asm.opcodes import LD_IMM64
from ...errors import SpecError
from ...kernel import helper
from ..program import CALL, EXIT, JA, JA32
from .report import describe_state, path_of, way_to

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..program import Program
    from .report import Finding, Report

_STYLE = """
:root{--ink:#1d2430;--soft:#5c6675;--line:#d8dde5;--ground:#fff;--tint:#f4f6f9;--bad:#c22f2f;--path:#e8792b;--good:#1c7c46;--warn:#946200}
*{box-sizing:border-box}
body{margin:0;font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground)}
main{max-width:1500px;margin:0 auto;padding:24px}
h1{font-size:22px;margin:0 0 4px}h2{font-size:16px;margin:28px 0 8px}
.verdict{display:inline-block;padding:2px 10px;border-radius:4px;color:#fff;font-weight:600;margin-right:8px}
.accept{background:var(--good)}.reject{background:var(--bad)}.unknown{background:var(--warn)}
.finding{border-left:4px solid var(--bad);background:var(--tint);padding:10px 14px;margin:12px 0}
.finding.warning{border-color:var(--warn)}
.finding .hint{color:var(--soft)}
pre,code,td.code,text,.state{font:13px/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
pre{margin:6px 0;white-space:pre-wrap}
.columns{display:grid;grid-template-columns:fit-content(46%) 1fr;gap:24px;align-items:start}
.graph{overflow:auto;max-height:92vh;position:sticky;top:12px;border:1px solid var(--line);border-radius:6px;background:var(--tint)}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:2px 10px;border-bottom:1px solid var(--line)}
th{position:sticky;top:0;background:var(--ground);font-weight:600}
td.number{color:var(--soft);text-align:right;width:1%}
td.source{color:var(--soft)}
tr.path td.number{box-shadow:inset 4px 0 var(--path)}
tr.bad td{background:#fdeaea}tr.bad td.number{box-shadow:inset 4px 0 var(--bad)}
tr.dead td{color:#a3abb7}
tr.start td{border-top:2px solid var(--soft)}
details summary{cursor:pointer;color:var(--soft)}
.state{white-space:pre-wrap;margin:2px 0 6px}
svg rect{fill:#fff;stroke:#9aa4b2}svg .path rect{stroke:var(--path);stroke-width:2}svg .bad rect{stroke:var(--bad);stroke-width:2.5;fill:#fdeaea}
svg .dead rect{stroke-dasharray:4 3;fill:#f7f8fa}
svg path{fill:none;stroke-linejoin:round;stroke:#9aa4b2}svg path.path{stroke:var(--path);stroke-width:2.2}
svg a text{fill:var(--ink)}
@media(max-width:900px){.columns{grid-template-columns:1fr}.graph{position:static;max-height:50vh}}
@media(prefers-color-scheme:dark){:root{--ink:#e4e8ee;--soft:#98a2b1;--line:#343c49;--ground:#14181f;--tint:#1b212b}
svg rect{fill:#232b37;stroke:#5c6675}svg .bad rect{fill:#4a2023}tr.bad td{background:#4a2023}svg .dead rect{fill:#1b212b}}
"""

_ROW = 15
_WIDTH = 270
_CHARACTERS = 32
_LANE = 9
_INDENT = 18
_MAX_LINES = 14
_MAX_STATES = 8


def page(report: Report) -> str:
    """One report as a page."""
    return pages([report])


def pages(reports: Iterable[Report]) -> str:
    """Several reports, one below the other, as a page."""
    reports = list(reports)
    title = ", ".join(report.spec.name or "program" for report in reports) or "nothing"
    body = "\n".join(_report(report, f"p{i}-") for i, report in enumerate(reports))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>pybpf verify: {escape(title)}</title><style>{_STYLE}</style></head>\n<body><main>\n{body}\n</main></body></html>\n"
    )


def _report(report: Report, prefix: str) -> str:
    parts = [
        f"<h1>{escape(report.spec.name or 'program')}</h1>",
        (
            f'<p><span class="verdict {report.verdict}">{report.verdict}</span>by the rules of Linux {escape(report.kernel)}, '
            f"{report.processed} instructions simulated on all paths</p>"
        ),
    ]
    parts += [_finding(finding, prefix, "") for finding in report.findings]
    parts += [_finding(finding, prefix, "warning") for finding in report.warnings]
    outcome = report.outcome
    if outcome is not None and outcome.program is not None and outcome.program.ops:
        view = _View(report, outcome.program, prefix)
        parts.append(f'<div class="columns"><div class="graph">{view.graph()}</div><div>{view.listing()}</div></div>')
    return "\n".join(parts)


def _finding(finding: Finding, prefix: str, kind: str) -> str:
    where = ""
    if finding.insn is not None:
        where = f' at <a href="#{prefix}{finding.insn}">insn {finding.insn}</a>'
    place = f"<pre>{escape(str(finding.source))}{escape(finding.source.excerpt())}</pre>" if finding.source else ""
    hint = f'<div class="hint">{escape(finding.hint)}</div>' if finding.hint else ""
    label = f"{kind}: " if kind else ""
    return f'<div class="finding {kind}"><b>{label}{escape(finding.category)}</b>{where}: {escape(finding.message)}{place}{hint}</div>'


class _View:
    """One program on the page."""

    def __init__(self, report: Report, program: Program, prefix: str) -> None:
        self.report = report
        self.program = program
        self.prefix = prefix
        outcome = report.outcome
        assert outcome is not None
        self.run = outcome.run
        problem = outcome.problem
        self.bad = problem.insn if problem is not None else None
        self.path = {slot for slot, _ in way_to(problem.state if problem is not None else None)}
        if self.bad is not None:
            self.path.add(self.bad)
        self.steps = set(path_of(problem.state, program)) if problem is not None else set()
        self.blocks = self._blocks()

    # -- the graph

    def _blocks(self) -> dict[int, list[int]]:
        """First slot -> the slots of a basic block."""
        program = self.program
        count = len(program.ops)
        leaders = {start for start in getattr(program, "starts", [0]) if start < count}
        slots = [slot for slot in range(count) if slot in program.insns]
        for slot in slots:
            follow = self._follow(slot)
            opcode = program.ops[slot][0]
            if opcode & 7 in (5, 6) and opcode != CALL:
                leaders.update(target for target in follow if target < count)
                leaders.add(slot + 1)
        blocks: dict[int, list[int]] = {}
        current: list[int] = []
        for slot in slots:
            if slot in leaders or not blocks:
                current = blocks[slot] = []
            current.append(slot)
        return blocks

    def _follow(self, slot: int) -> list[int]:
        opcode, _, _, off, imm = self.program.ops[slot]
        step = 2 if opcode == LD_IMM64 else 1
        if opcode == EXIT:
            return []
        if opcode == JA:
            return [slot + 1 + off]
        if opcode == JA32:
            return [slot + 1 + imm]
        if opcode & 7 in (5, 6) and opcode != CALL:
            return [slot + 1, slot + 1 + off]
        return [slot + step]

    def _columns(self) -> dict[int, int]:
        """Where each block stands from left to right: the way not taken goes straight down, the other one column to the right."""
        column: dict[int, int] = {}
        for first, slots in self.blocks.items():
            here = column.setdefault(first, 0)
            for i, target in enumerate(self._follow(slots[-1])):
                if target in self.blocks and target not in column and target > first:
                    column[target] = min(here + (1 if i else 0), 3)
        return column

    def graph(self) -> str:
        """The control-flow graph as SVG: blocks from top to bottom in the order of the program, arrows for jumps."""
        column = self._columns()
        order = {first: i for i, first in enumerate(self.blocks)}
        edges = [
            (first, slots[-1], i, target)
            for first, slots in self.blocks.items()
            for i, target in enumerate(self._follow(slots[-1]))
            if target in order
        ]
        long = [(order[one], order[to], to) for one, _, _, to in edges if order[to] - order[one] != 1]
        down = _lanes([(start, end, target) for start, end, target in long if end > start])
        up = _lanes([(end, start, target) for start, end, target in long if end <= start])
        margin = 24 + _LANE * (max(up.values(), default=-1) + 1)
        side = margin + _WIDTH + _INDENT * max(column.values(), default=0) + 12  # right of all blocks
        top = 14
        places: dict[int, tuple[int, int, int]] = {}
        shapes = []
        for first, slots in self.blocks.items():
            lines = [f"{slot}: {self._text(slot)}" for slot in slots]
            if len(lines) > _MAX_LINES:
                lines = [*lines[: _MAX_LINES - 2], f"... {len(lines) - _MAX_LINES + 1} more", lines[-1]]
            height = _ROW * len(lines) + 12
            left = margin + column[first] * _INDENT
            places[first] = (left, top, height)
            text = "".join(
                f'<text x="{left + 8}" y="{top + 17 + i * _ROW}">{escape(line if len(line) <= _CHARACTERS else line[: _CHARACTERS - 1] + "…")}</text>'
                for i, line in enumerate(lines)
            )
            kind = self._kind(slots)
            shapes.append(
                f'<a href="#{self.prefix}{first}"><g class="{kind}"><rect x="{left}" y="{top}" width="{_WIDTH}" height="{height}" rx="4"/>'
                f"{text}</g></a>"
            )
            top += height + 26
        arrows = []
        for first, last, i, target in edges:
            on_path = (last, bool(i)) in self.steps or (
                len(self._follow(last)) == 1 and last in self.path and target in self.path
            )
            if order[target] - order[first] == 1:
                arrows.append(_arrow(places[first], places[target], i, on_path))
            elif target in down and order[target] > order[first]:
                arrows.append(_detour(places[first], places[target], side + _LANE * down[target], _WIDTH, on_path))
            else:
                arrows.append(_detour(places[first], places[target], margin - 12 - _LANE * up[target], 0, on_path))
        width = side + _LANE * (max(down.values(), default=-1) + 1) + 12
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top}" viewBox="0 0 {width} {top}" role="img" '
            'aria-label="control-flow graph"><defs><marker id="tip" markerUnits="userSpaceOnUse" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
            f'<path d="M0 0L8 4L0 8z" style="fill:#9aa4b2;stroke:none"/></marker></defs>{"".join(arrows)}{"".join(shapes)}</svg>'
        )

    def _kind(self, slots: list[int]) -> str:
        if self.bad in slots:
            return "bad"
        if any(slot in self.path for slot in slots):
            return "path"
        return "dead" if self.run is not None and not any(self.run.reached(slot) for slot in slots) else ""

    # -- the listing

    def listing(self) -> str:
        """Every instruction: its text, the source line where it changes, and the states it was reached in."""
        rows = []
        before = None
        for slot in sorted(self.program.insns):
            source = self.program.source(slot)
            shown = ""
            if source is not None and (source.file, source.line) != before:
                before = (source.file, source.line)
                shown = f"{source.line}: {source.text.strip()}"
            kinds = [
                "bad" if slot == self.bad else "path" if slot in self.path else "",
                "dead" if self.run is not None and slot != self.bad and not self.run.reached(slot) else "",
                "start" if slot in self.blocks and slot else "",
            ]
            rows.append(
                f'<tr id="{self.prefix}{slot}" class="{" ".join(filter(None, kinds))}"><td class="number">{slot}</td>'
                f'<td class="code">{escape(self._text(slot))}{self._states(slot)}</td><td class="source code">{escape(shown)}</td></tr>'
            )
        return (
            "<table><thead><tr><th>insn</th><th>instruction, and what is known before it</th><th>source</th></tr></thead><tbody>"
            + "\n".join(rows)
            + "</tbody></table>"
        )

    def _text(self, slot: int) -> str:
        opcode, _, src, _, number = self.program.ops[slot]
        if opcode == CALL and not src:
            try:
                return f"call bpf_{helper(number, self.program.setting.prog_type).name}"
            except SpecError:
                pass  # no helper has this number
        return str(self.program.insns[slot])

    def _states(self, slot: int) -> str:
        states = self.run.visits.get(slot, []) if self.run is not None and self.run.visits is not None else []
        if not states:
            return ""
        seen = []
        for state in states:
            text = "  ".join(f"{name}={value}" for name, value in describe_state(state).items())
            if text not in seen:
                seen.append(text)
        shown = "".join(f'<div class="state">{escape(text)}</div>' for text in seen[:_MAX_STATES])
        more = f"<div>and {len(seen) - _MAX_STATES} more</div>" if len(seen) > _MAX_STATES else ""
        word = "state" if len(seen) == 1 else "states"
        opened = " open" if slot == self.bad else ""
        return f"<details{opened}><summary>{len(seen)} {word}</summary>{shown}{more}</details>"


def _lanes(spans: list[tuple[int, int, int]]) -> dict[int, int]:
    """For jumps that pass other blocks, as (first row, last row, target): a lane for each target, where no two overlap."""
    whole: dict[int, tuple[int, int]] = {}
    for start, end, target in spans:
        low, high = whole.get(target, (start, end))
        whole[target] = min(low, start), max(high, end)
    lanes: dict[int, int] = {}
    taken: list[list[tuple[int, int]]] = []
    for target, (low, high) in sorted(whole.items(), key=lambda item: item[1][1] - item[1][0]):
        free = (i for i, rows in enumerate(taken) if all(high < other[0] or other[1] < low for other in rows))
        lane = lanes[target] = next(free, len(taken))
        if lane == len(taken):
            taken.append([])
        taken[lane].append((low, high))
    return lanes


def _arrow(source: tuple[int, int, int], target: tuple[int, int, int], taken: int, on_path: bool) -> str:
    """From a block to the one below it."""
    left, top, height = source
    start_x, start_y = left + (_WIDTH - 24 if taken else 24), top + height
    end_x, end_y = target[0] + (_WIDTH // 2 if taken else 24), target[1]
    bend = max(12, (end_y - start_y) // 2)
    return _curve(f"M{start_x} {start_y}C{start_x} {start_y + bend} {end_x} {end_y - bend} {end_x} {end_y}", on_path)


def _detour(source: tuple[int, int, int], target: tuple[int, int, int], lane: int, edge: int, on_path: bool) -> str:
    """From a block to another one, along a lane beside them: at their right `edge` down, at their left up."""
    start_x, start_y = source[0] + edge, source[1] + source[2] - 8
    end_x, end_y = target[0] + edge, target[1] + 8
    return _curve(f"M{start_x} {start_y}H{lane}V{end_y}H{end_x}", on_path)


def _curve(path: str, on_path: bool) -> str:
    kind = ' class="path"' if on_path else ""
    return f'<path{kind} d="{path}" marker-end="url(#tip)"/>'
