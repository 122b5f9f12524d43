"""Open-coded iterators: begun, asked for the next element, and ended, in slots of the stack."""

from __future__ import annotations

from ...kernel.kfuncs import ITERATOR_SLOTS
from ..memory.special import drop_reference
from ..memory.stackobjects import holds, overwrite, place
from ..pruning.convergence import previous_entry, widen
from ..reject import Reject
from ..state import EMPTY, ITER, State
from ..state import Slot as StackSlot
from ..values import (
    BTF_ID,
    MEM,
    RCU,
    RDONLY,
    STACK,
    TRUSTED,
    Reg,
    scalar,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..explore import Run
    from .kfuncargs import Call


def begin(run: Run, state: State, call: Call, index: int, of: str) -> None:
    count = ITERATOR_SLOTS[of]
    frame, number, first = place(run, state, index, "iterator", count)
    if any(ITER in frame.slot(first - i).bytes for i in range(count)):
        raise Reject("argument", f"expected uninitialized iter_{of} as arg #{index}", regs=(index + 1,))
    overwrite(run, state, index, count)
    ref = run.acquire(state, state.insn)
    for i in range(count):
        reg = Reg(STACK, ref=0 if i else ref, data=(of, "active") if not i else None)
        frame.set_slot(first - i, StackSlot(bytes([ITER] * 8), reg))
        run.stack_writes(state, number, 1 << (first - i))


def initialised(run: Run, state: State, call: Call, index: int, of: str) -> None:
    count = ITERATOR_SLOTS[of]
    frame, number, first = place(run, state, index, "iterator", count)
    if not holds(frame, first, count, ITER, of):
        raise Reject("argument", f"expected an initialized iter_{of} as arg #{index}", regs=(index + 1,))
    run.stack_reads(state, number, ((1 << count) - 1) << (first - count + 1))
    call.iterator = frame, number, first


def end(run: Run, state: State, call: Call, index: int, of: str) -> None:
    initialised(run, state, call, index, of)
    assert call.iterator is not None
    frame, number, first = call.iterator
    held = frame.stack[first].reg
    assert held is not None
    for i in range(ITERATOR_SLOTS[of]):
        frame.stack[first - i] = EMPTY
        run.stack_writes(state, number, 1 << (first - i))
    drop_reference(state, held.ref)
    call.iterator = None


def step(run: Run, state: State, slot: int, call: Call) -> int:
    """The next element, explored later; or none: the iterator is drained, which is how this path goes on."""
    assert call.iterator is not None
    frame, number, first = call.iterator
    kept = frame.stack[first]
    held = kept.reg
    assert held is not None
    name, status = held.data
    if status == "active":
        other = state.copy()
        other.insn = slot + 1
        previous = previous_entry(state.parent.state, slot)  # the parent is the checkpoint made at this very call
        if previous is not None:
            widen(previous, other)
        # one element further: this tells an infinite loop from one that the iterator ends
        other.frames[number].stack[first] = StackSlot(kept.bytes, held.replace(extra=held.extra + 1))
        other.frames[-1].regs[0] = _element(held, call)
        run.push(other, slot)
        frame.stack[first] = StackSlot(kept.bytes, held.replace(data=(name, "drained")))
    state.frames[-1].regs[0] = scalar(0)
    return slot + 1


def _element(held: Reg, call: Call) -> Reg:
    """What an iterator gives: memory, or an object that it keeps alive, or that RCU does."""
    if call.kfunc.returns.startswith("mem"):
        return Reg(MEM | RDONLY, ref=held.ref, data=int(call.kfunc.returns[3:]))
    flags = RCU if "rcu" in call.kfunc.effects else TRUSTED
    return Reg(BTF_ID | flags, ref=held.ref, data=("kernel", call.kfunc.returns))
