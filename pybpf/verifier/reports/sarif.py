"""Reports as SARIF 2.1.0, the exchange format of static-analysis results."""

from __future__ import annotations

from ..reject import CATEGORIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from .report import Finding, Report

_LEVELS = {"reject": "error", "unknown": "note", "accept": "none"}


def document(reports: Iterable[Report]) -> dict[str, Any]:
    """One SARIF document for several reports."""
    reports = list(reports)
    results = [_result(report, one, _LEVELS[report.verdict]) for report in reports for one in report.findings]
    results += [_result(report, one, "warning") for report in reports for one in report.warnings]
    used = sorted({result["ruleId"] for result in results})
    from ... import __version__

    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "pybpf verify",
                        "version": __version__,
                        "rules": [
                            {"id": rule, "shortDescription": {"text": CATEGORIES.get(rule, rule)}} for rule in used
                        ],
                    }
                },
                "results": results,
            }
        ],
    }


def _result(report: Report, finding: Finding, level: str) -> dict[str, Any]:
    text = finding.message + (f"\n{finding.hint}" if finding.hint else "")
    result: dict[str, Any] = {"ruleId": finding.category, "level": level, "message": {"text": text}}
    where: dict[str, Any] = {"logicalLocations": [{"name": report.spec.name or "program", "kind": "function"}]}
    if finding.insn is not None:
        where["logicalLocations"][0]["fullyQualifiedName"] = f"{report.spec.name or 'program'}+{finding.insn}"
    if finding.source is not None:
        region: dict[str, Any] = {"startLine": finding.source.line}
        if finding.source.column:
            region["startColumn"] = finding.source.column
        where["physicalLocation"] = {"artifactLocation": {"uri": finding.source.file}, "region": region}
    result["locations"] = [where]
    return result
