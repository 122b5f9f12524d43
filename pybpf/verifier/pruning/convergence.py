"""Loops through callbacks, iterators and may_goto: what lets their simulation come to an end."""

from __future__ import annotations

from ..state import SPILL, Slot
from ..values import ANY, SCALAR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..state import State
    from .checkpoint import Checkpoint


def widen(old: Checkpoint, state: State) -> None:
    """Before another iteration: numbers that nothing depended on may be anything, so that the iterations converge."""
    for i, frame in enumerate(state.frames):
        if i >= len(old.state.frames):
            return
        other = old.state.frames[i]
        for r in range(10):
            a, b = other.regs[r], frame.regs[r]
            if a.type == b.type == SCALAR and a.num != b.num and not old.precise_regs[i] >> r & 1:
                frame.regs[r] = ANY
        for s in range(min(len(other.stack), len(frame.stack))):
            a_slot, b_slot = other.stack[s], frame.stack[s]
            if (
                a_slot.reg is not None
                and b_slot.reg is not None
                and a_slot.bytes[0] == b_slot.bytes[0] == SPILL
                and a_slot.reg.type == b_slot.reg.type == SCALAR
                and a_slot.reg.num != b_slot.reg.num
                and not old.precise_slots[i] >> s & 1
            ):
                frame.stack[s] = Slot(b_slot.bytes, ANY)


def previous_entry(state: State, slot: int) -> Checkpoint | None:
    """The checkpoint at which a path last stood at this instruction."""
    checkpoint: Checkpoint | None = state.parent
    while checkpoint is not None:
        if checkpoint.state.insn == slot and len(checkpoint.state.frames) == len(state.frames):
            return checkpoint
        checkpoint = checkpoint.state.parent
    return None
