"""Stack depth: the frames of nested calls share 512 bytes."""

from __future__ import annotations

from ..asm.opcodes import LD_IMM64, Call, Pseudo
from ..uapi.prog import ProgType
from .program import CALL
from .reject import Reject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .explore import Run

LIMIT = 512
MAX_FRAMES = 8
TAIL_CALL_LIMIT = 256
_PRIVATE = frozenset((ProgType.KPROBE, ProgType.TRACEPOINT, ProgType.PERF_EVENT, ProgType.RAW_TRACEPOINT))
"""Program types whose functions may each have a stack of their own (Linux 6.13, x86-64)."""


def check(run: Run) -> None:
    """No chain of calls needs more than 512 bytes, and none is deeper than 8."""
    private = run.setting.at_least("6.13") and run.setting.prog_type in _PRIVATE and not any(run.program.has_tail_call)
    for root in sorted({0, *run.async_callbacks}):
        _walk(run, root, [], 0, private, set())


def _walk(run: Run, subprog: int, above: list[int], depth: int, private: bool, under: set[int]) -> None:
    program = run.program
    if above and program.has_tail_call[subprog] and depth >= TAIL_CALL_LIMIT:
        raise Reject(
            "stack-depth",
            f"tail_calls are not allowed when call stack of previous frames is {depth} bytes. Too large",
            insn=program.starts[subprog],
        )
    own = -(-max(run.stack_depth[subprog], 0) // 16) * 16
    if private:
        if own > LIMIT:
            raise Reject("stack-depth", f"stack size of subprog {subprog} is {own}. Too large")
        depth = own
    else:
        depth += own
    if depth > LIMIT:
        raise Reject(
            "stack-depth",
            f"combined stack size of {len(above) + 1} calls is {depth}. Too large",
            hint=f"the frames of functions that call each other share {LIMIT} bytes: use less stack, or fewer nested calls",
            insn=program.starts[subprog],
        )
    if len(above) + 1 > MAX_FRAMES:
        raise Reject(
            "stack-depth", f"the call stack of {len(above) + 1} frames is too deep !", insn=program.starts[subprog]
        )
    in_callback = any(one in run.callback_subprogs for one in (subprog, *above))
    for slot in range(program.starts[subprog], program.end(subprog)):
        opcode, _, src, _, imm = program.ops[slot]
        if in_callback and program.kfuncs.get(slot) == "bpf_throw":
            text = f"bpf_throw kfunc (insn {slot}) cannot be called from callback subprog {subprog}"
            raise Reject("helper", text, insn=slot)
        called = opcode == CALL and src == Call.LOCAL
        callback = opcode == LD_IMM64 and src == Pseudo.FUNC
        if not called and not callback:
            continue
        target = program.subprog_at(slot + 1 + imm)
        if target is None or (callback and (target not in run.callback_subprogs or target in run.async_callbacks)):
            continue
        if called and target == run.exception_callback:
            raise Reject("cfg", f"insn {slot} cannot call exception cb directly", insn=slot)
        if target == subprog or target in above:
            raise Reject("stack-depth", "recursive call: the call stack of 9 frames is too deep !", insn=slot)
        _walk(run, target, [*above, subprog], depth, private, under)
