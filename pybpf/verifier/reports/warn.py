"""Warnings: what the kernel lets pass, but is nearly surely a mistake.  Only for programs that it would take."""

from __future__ import annotations

from ...asm.opcodes import LD_IMM64, Call
from ...kernel import helper
from ..program import CALL
from .report import Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..check import Outcome
    from ..explore import Run
    from ..program import Program

# Helpers whose failure leaves the program with data that it must not trust.
_MUST_CHECK = frozenset(
    (
        "skb_load_bytes",
        "skb_load_bytes_relative",
        "xdp_load_bytes",
        "probe_read",
        "probe_read_kernel",
        "probe_read_user",
        "skb_pull_data",
        "xdp_adjust_head",
        "xdp_adjust_tail",
        "dynptr_read",
    )
)
_LOOKUPS = frozenset(("map_lookup_elem", "map_lookup_percpu_elem"))
_PRINTS = frozenset(("trace_printk", "trace_vprintk"))


def warnings_of(outcome: Outcome) -> tuple[Finding, ...]:
    """What to warn of, in the order of the program."""
    run, program = outcome.run, outcome.program
    if outcome.problem is not None or run is None or program is None:
        return ()
    found = [*_dead_code(run, program), *_calls(run, program), *_uninitialised_keys(run, program)]
    return tuple(sorted(found, key=lambda finding: finding.insn or 0))


def _warning(program: Program, slot: int, category: str, message: str, hint: str) -> Finding:
    return Finding(
        category=category,
        message=message,
        hint=hint,
        insn=slot,
        source=program.source(slot),
        text=str(program.insns[slot]) if slot in program.insns else "",
    )


def _dead_code(run: Run, program: Program) -> list[Finding]:
    """Code that no path reaches: conditions before it always go the other way."""
    found = []
    last = -2
    for slot in range(len(program.ops)):
        second = (
            slot and program.ops[slot - 1][0] == LD_IMM64 and slot - 1 in program.insns and slot not in program.insns
        )
        if run.reached(slot) or second:
            continue
        subprog = program.subprog_of(slot)
        if run.function(subprog).is_global and subprog not in run.called_globals:
            continue
        if slot != last + 1:
            found.append(
                _warning(
                    program,
                    slot,
                    "dead-code",
                    f"insn {slot} is never executed",
                    "a condition before it is always true, or always false: is it the one that was meant?",
                )
            )
        last = slot + (program.ops[slot][0] == LD_IMM64)
    return found


def _calls(run: Run, program: Program) -> list[Finding]:
    found = []
    for slot, (opcode, _, src, _, imm) in enumerate(program.ops):
        if opcode != CALL or src != Call.HELPER or not run.reached(slot):
            continue
        name = helper(imm, run.setting.prog_type).name
        if name in _PRINTS:
            text = f"bpf_{name} is left in: it is for debugging, slow, and shared with everybody on the machine"
            found.append(_warning(program, slot, "debug-print", text, "remove it, or write to a ring buffer"))
        elif not run.registers.before[slot + 1] & 1:
            if name in _LOOKUPS:
                text = f"the result of bpf_{name} is not used"
                found.append(_warning(program, slot, "unused-result", text, "remove the look-up, or use what it finds"))
            elif name in _MUST_CHECK:
                text = f"the result of bpf_{name} is not checked: when it fails, the data is not there"
                found.append(_warning(program, slot, "unchecked-result", text, "compare R0 with 0 after the call"))
    return found


def _uninitialised_keys(run: Run, program: Program) -> list[Finding]:
    return [
        _warning(
            program,
            slot,
            "uninitialised-key",
            f"bytes of the {what} at {place} were never written: what was there before becomes part of it",
            "set the whole structure to 0 first, padding too",
        )
        for slot, (what, place) in sorted(run.uninitialised.items())
    ]
