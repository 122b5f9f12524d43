"""Objects that kernel functions keep in the slots of the stack: where they lie, and what is there."""

from __future__ import annotations

from ..numbers.num import s64
from ..reject import Reject
from ..state import State
from ..values import STACK
from .access import access

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..explore import Run
    from ..state import Frame


def place(run: Run, state: State, index: int, what: str, count: int) -> tuple[Frame, int, int]:
    """Where on the stack an object of `count` slots lies: the frame, its number, and the first of its slots."""
    regno = index + 1
    reg = state.frames[-1].regs[regno]
    if reg.type != STACK:
        raise Reject("argument", f"arg#{index} expected pointer to an {what} on stack", regs=(regno,))
    if not reg.fixed:
        raise Reject("argument", f"{what} has to be at a constant offset", regs=(regno,))
    at = reg.off + s64(reg.num.value)
    if at % 8 or at > -8 * count or at < -512:
        raise Reject("argument", f"cannot pass in {what} at an offset={at}", regs=(regno,))
    return run.frame_of(reg), reg.extra, (-at - 1) >> 3


def overwrite(run: Run, state: State, index: int, count: int) -> None:
    """The function writes to the stack, as a store would."""
    for i in range(count):
        access(run, state, index + 1, 8 * i, 8, True, None, -1)


def holds(frame: Frame, first: int, count: int, kind: int, name: object) -> bool:
    slots = [frame.slot(first - i) for i in range(count)]
    return (
        all(s.bytes == bytes([kind] * 8) for s in slots)
        and slots[0].reg is not None
        and slots[0].reg.data is not None
        and slots[0].reg.data[0] == name
    )
