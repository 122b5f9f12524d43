"""Critical sections that kernel functions begin and end: of RCU, without preemption, without interrupts."""

from __future__ import annotations

from ..memory.stackobjects import holds, overwrite, place
from ..reject import Reject
from ..state import EMPTY, IRQ, IRQ_REF, State
from ..state import Slot as StackSlot
from ..values import (
    MAYBE_NULL,
    RCU,
    STACK,
    UNTRUSTED,
    Reg,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..explore import Run
    from .kfuncargs import Call


def _rcu_lock(run: Run, state: State, name: str) -> None:
    if state.rcu and not run.setting.at_least("6.19"):
        raise Reject("lock", f"nested rcu read lock (kernel function {name})")
    state.rcu += 1


def _rcu_unlock(run: Run, state: State, name: str) -> None:
    if not state.rcu:
        raise Reject("lock", f"unmatched rcu read unlock (kernel function {name})")
    state.rcu -= 1
    if not state.rcu:
        state.rewrite(
            lambda reg: reg.replace(type=reg.type & ~(RCU | MAYBE_NULL) | UNTRUSTED) if reg.type & RCU else reg
        )


def _preempt_disable(run: Run, state: State, name: str) -> None:
    state.preempt += 1


def _preempt_enable(run: Run, state: State, name: str) -> None:
    if not state.preempt:
        raise Reject("lock", f"unmatched attempt to enable preemption (kernel function {name})")
    state.preempt -= 1


EFFECTS = {
    "rcu+": _rcu_lock,
    "rcu-": _rcu_unlock,
    "preempt+": _preempt_disable,
    "preempt-": _preempt_enable,
}


def save_irq(run: Run, state: State, call: Call, index: int, of: str) -> None:
    frame, number, first = place(run, state, index, "irq flag", 1)
    if IRQ in frame.slot(first).bytes:
        raise Reject("argument", f"expected uninitialized irq flag as arg#{index}", regs=(index + 1,))
    overwrite(run, state, index, 1)
    id = run.new_id()  # noqa: A001 (the word of struct bpf_reg_state)
    state.held = (*state.held, (IRQ_REF, id, state.insn, None))
    state.irq = id
    frame.set_slot(first, StackSlot(bytes([IRQ] * 8), Reg(STACK, ref=id, data=("irq",))))
    run.stack_writes(state, number, 1 << first)


def restore_irq(run: Run, state: State, call: Call, index: int, of: str) -> None:
    frame, number, first = place(run, state, index, "irq flag", 1)
    if not holds(frame, first, 1, IRQ, "irq"):
        raise Reject("argument", f"expected an initialized irq flag as arg#{index}", regs=(index + 1,))
    run.stack_reads(state, number, 1 << first)
    held = frame.stack[first].reg
    assert held is not None
    if held.ref != state.irq:
        raise Reject("lock", f"cannot restore irq state out of order, expected id={state.irq}", regs=(index + 1,))
    state.held = tuple(one for one in state.held if not (one[0] == IRQ_REF and one[1] == held.ref))
    state.irq = max((one[1] for one in state.held if one[0] == IRQ_REF), default=0)
    frame.stack[first] = EMPTY
    run.stack_writes(state, number, 1 << first)
