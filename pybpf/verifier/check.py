"""The whole check, in the kernel's order: the first thing that does not hold is what is reported."""

from __future__ import annotations

from typing import NamedTuple

from ..asm.opcodes import LD_IMM64, Pseudo
from ..kernel.capabilities import BPF, for_type
from . import depth
from .attach import check_member
from .calls.functions import entry_registers
from .cfg import Cfg
from .explore import Run
from .maps import check_definition
from .program import MAX_INSNS, Program
from .reject import Reject, Unsure
from .setting import Setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..kernel import Rules
    from ..spec import ProgramSpec
    from .setting import Env


class Outcome(NamedTuple):
    """What came of a check: `problem` is None for a program that the kernel would take."""

    problem: Reject | Unsure | None
    program: Program | None
    run: Run | None


def check(spec: ProgramSpec, rules: Rules, capabilities: frozenset[str], env: Env, *, record: bool = False) -> Outcome:
    """Check a program.  With `record`, the run keeps the states at every instruction."""
    program: Program | None = None
    run: Run | None = None
    try:
        _check_size(spec, BPF in capabilities)
        setting = Setting(spec, rules, capabilities, env)
        _check_setting(setting)
        check_member(setting)
        for name, definition in spec.maps.items():
            check_definition(rules, definition, name)
        program = Program(spec, setting)
        program.find_subprograms()
        program.check_jumps()
        program.check_func_info()
        _check_abnormal_returns(program)
        program.check_opcodes()
        cfg = Cfg(program)
        run = Run(program, cfg, setting)
        _check_early_ends(run)
        if run.exception_callback is not None:
            run.called_globals.append(run.exception_callback)
        if record:
            run.visits = {}
        run.explore(0)
        _check_globals(run)
        depth.check(run)
        _check_empty_kfunc(run)
        _check_callbacks(run)
    except (Reject, Unsure) as problem:
        if problem.insn is None and run is not None and run.state is not None:
            problem.insn = run.state.insn
        if run is not None and run.state is not None and problem.state is None:
            problem.state = run.state
        return Outcome(problem, program, run)
    return Outcome(None, program, run)


def _check_size(spec: ProgramSpec, capable: bool) -> None:
    count = sum(insn.slots if hasattr(insn, "slots") else 1 for insn in spec.insns)
    if count == 0:
        raise Reject("cfg", "the program has no instructions")
    limit = MAX_INSNS if capable else 4096
    if count > limit:
        raise Reject("complexity", f"the program has {count} instructions: the limit is {limit}")


def _check_setting(setting: Setting) -> None:
    if not setting.known_flags:
        raise Reject("kernel-version", f"program flags {setting.flags:#x} are not known")
    if setting.program_rules.gpl_only and not setting.gpl:
        raise Reject("license", "programs of this type need a GPL-compatible licence")
    missing = for_type(setting.prog_type) - setting.capabilities
    if missing:
        raise Reject(
            "privilege",
            f"loading a program of this type needs {' and '.join(sorted(missing))}",
            hint="load it as root, or with `setcap`; without capabilities there are socket filters and cgroup_skb programs",
        )


def _check_abnormal_returns(program: Program) -> None:
    """Loads from the packet, and tail calls, may end a function early: only with BTF may they stand in inner functions."""
    if program.spec.func_info or program.spec.line_info:
        return
    for subprog in range(1, len(program.starts)):
        if program.has_ld_abs[subprog]:
            raise Reject("btf", "LD_ABS is not allowed in subprogs without BTF", insn=program.starts[subprog])
        if program.has_tail_call[subprog]:
            raise Reject("btf", "tail_call is not allowed in subprogs without BTF", insn=program.starts[subprog])


def _check_early_ends(run: Run) -> None:
    """A function that may end at a packet load or at a tail call returns a number there, so it says that it does."""
    program = run.program
    if not program.spec.func_info:
        return
    for subprog in range(1, len(program.starts)):
        for what, has in (("LD_ABS", program.has_ld_abs), ("tail_call", program.has_tail_call)):
            if has[subprog] and not run.function(subprog).returns_number:
                text = f"{what} is only allowed in functions that return 'int'."
                raise Reject("btf", text, insn=program.starts[subprog])


def _check_empty_kfunc(run: Run) -> None:
    if run.empty_kfunc >= 0:
        raise Reject(
            "helper",
            "invalid kernel function call not eliminated in verifier pass",
            hint="the call names no kernel function, and a path leads to it",
            insn=run.empty_kfunc,
        )


def _check_callbacks(run: Run) -> None:
    """A function that no path enters is removed as dead code; a callback is still referred to, and then not found.

    It is not missed where another function has moved to its place, nor where only the main one is left (jit_subprogs).
    """
    program = run.program
    left = [start for start in program.starts[1:] if run.reached(start)]
    for slot, (opcode, _, src, _, imm) in enumerate(program.ops):
        if opcode == LD_IMM64 and src == Pseudo.FUNC and run.reached(slot) and left and left[-1] < slot + imm + 1:
            raise Reject(
                "cfg",
                f"verifier bug: No program to jit at insn {slot}: the callback at insn {slot + imm + 1} is never called",
                hint="bpf_loop gets a count that is always 0 here: leave the call out",
                insn=slot,
            )


def _check_globals(run: Run) -> None:
    """Each global function that is called is checked by itself, for any arguments that fit its prototype."""
    done: set[int] = set()
    while True:
        waiting = [subprog for subprog in sorted(run.called_globals) if subprog not in done]
        if not waiting:
            return
        for subprog in waiting:
            done.add(subprog)
            run.explore(subprog, entry_registers(run, run.function(subprog)))
