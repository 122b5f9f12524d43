"""What a function may come to: the helpers that it calls, itself or through others."""

from __future__ import annotations

from ...asm.opcodes import Call
from ...kernel import helper
from ..program import CALL, TAIL_CALL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...kernel import HelperRules
    from ..program import Program


def changes_packet(program: Program, subprog: int) -> bool:
    """Whether a function may move the packet."""
    return any(called.changes_packet or called.id == TAIL_CALL for called in _helpers_of(program, subprog))


def may_sleep(program: Program, subprog: int) -> bool:
    """Whether a function may sleep."""
    return any(called.may_sleep for called in _helpers_of(program, subprog))


def _helpers_of(program: Program, subprog: int) -> Iterator[HelperRules]:
    setting = program.setting
    seen: set[int] = set()
    waiting = [subprog]
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        for slot in range(program.starts[one], program.end(one)):
            opcode, _, src, _, imm = program.ops[slot]
            if opcode != CALL:
                continue
            if src == Call.HELPER and imm in setting.program_rules.helpers:
                yield helper(imm, setting.prog_type)
            elif src == Call.LOCAL:
                callee = program.subprog_at(slot + 1 + imm)
                if callee is not None:
                    waiting.append(callee)
