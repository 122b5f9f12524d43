"""`verify`: the front door."""

from __future__ import annotations

from ..errors import SpecError
from ..kernel import rules
from ..kernel.capabilities import held
from ..spec import NO_SPEC, ProgramSpec
from .check import check
from .reject import Reject
from .reports.report import Finding, Report, describe_state, path_of
from .reports.warn import warnings_of
from .setting import as_env

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from .check import Outcome
    from .setting import Env


def verify(
    spec: ProgramSpec,
    kernel: str | None = None,
    privileged: bool | str | Iterable[str] = True,
    env: Env | dict[str, Any] | None = None,
    *,
    record: bool = False,
) -> Report:
    """Whether a kernel would take a program.

    `kernel` names the kernel's version ("6.18", "5.10", ..., or the file of `pybpf probe`); None is the newest long-term one.
    `privileged` is the loader: True for root, False for a user without any capability (whom the kernel hears only where
    kernel.unprivileged_bpf_disabled is 0), or those it has of CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN, as a list or as
    "bpf+net_admin".  `env` is the host that the verdict may depend on: its CPUs, and its kernel's BTF.  With `record`, the
    report keeps the state at every instruction, which the HTML report shows.

    Never raises because of what the program does.  NotSupportedError for a kernel older than every table, SpecError for a spec
    that contradicts itself (a map that is named but not given) or an unknown capability, AsmError for instructions that are
    not `Insn`s.
    """
    if not isinstance(spec, ProgramSpec):
        raise SpecError(f"{type(spec).__name__} {NO_SPEC}")
    table = rules(kernel)
    outcome = check(spec, table, held(privileged), as_env(env), record=record)
    findings = () if outcome.problem is None else (_finding(outcome, spec),)
    verdict = "accept" if outcome.problem is None else "reject" if isinstance(outcome.problem, Reject) else "unknown"
    return Report(
        spec=spec,
        verdict=verdict,
        findings=findings,
        warnings=warnings_of(outcome),
        kernel=table.version,
        processed=outcome.run.processed if outcome.run is not None else 0,
        outcome=outcome,
    )


def _finding(outcome: Outcome, spec: ProgramSpec) -> Finding:
    problem = outcome.problem
    assert problem is not None
    program = outcome.program
    slot = problem.insn
    source = program.source(slot) if program is not None and slot is not None else None
    text = ""
    if program is not None and slot is not None and slot in program.insns:
        text = str(program.insns[slot])
    return Finding(
        category=problem.category if isinstance(problem, Reject) else "unknown",
        insn=slot,
        source=source,
        message=problem.message,
        hint=problem.hint,
        text=text,
        state=describe_state(problem.state),
        path=path_of(problem.state, program),
        registers=getattr(problem, "regs", ()),
    )
