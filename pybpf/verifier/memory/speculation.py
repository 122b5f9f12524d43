"""Programs of loaders without CAP_PERFMON must be safe even where the processor guesses wrong (Spectre).

Additions of an unknown number to a pointer are masked with a limit that is known here, so limit and direction must be the same
on all paths; and what would run after a wrong guess is explored too.  What is unsafe only there is no mistake since Linux 6.16:
a barrier ends such a path (before, the program was refused).
"""

from __future__ import annotations

from ...asm.opcodes import Alu
from ..numbers.num import s64
from ..numbers.tnum import U32
from ..reject import Reject
from ..values import ANY, MAP_VALUE, STACK, Reg, type_name
from .bounds import check_map_region

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..explore import Run
    from ..numbers.num import Num
    from ..state import State

STACK_SIZE = 512
NOT_A_POINTER = (-1, 0)
"""What is noted of an addition of two numbers."""


def mispredict(run: Run, state: State, slot: int, target: int, unknown: tuple[int, ...] = ()) -> State:
    """Explore later what follows when the processor goes to `target` although it should not; some registers may hold anything."""
    other = state.copy()
    other.speculative = True
    other.insn = target
    for reg in unknown:
        other.frames[-1].regs[reg] = ANY
    run.push(other, slot)
    return other


def note_numbers(run: Run, slot: int, dst: int, kind: int) -> None:
    """An addition of two numbers where another path may add to a pointer."""
    if slot not in run.barriers:
        _note(run, slot, dst, kind, NOT_A_POINTER)


def _note(run: Run, slot: int, dst: int, kind: int, masking: tuple[int, int]) -> None:
    if run.masking.setdefault(slot, masking) != masking:
        raise _refused(f"R{dst} tried to {_verb(kind)} from different maps, paths or scalars", dst)


def _verb(kind: int) -> str:
    return "add" if kind == Alu.ADD else "sub"


def _refused(text: str, *regs: int) -> Reject:
    return Reject(
        "leak",
        f"{text}, pointer arithmetic with it prohibited for !root",
        hint="a loader without CAP_PERFMON needs an index that is bounded on one side, and one map and limit on all paths",
        regs=regs,
    )


class Masking:
    """One addition or subtraction of a register to or from a pointer: `before` and `after` it are asked."""

    def __init__(self, run: Run, state: State, slot: int, kind: int, dst: int, src: int, pointer_first: bool) -> None:
        self.run = run
        self.state = state
        self.slot = slot
        self.kind = kind
        self.dst = dst
        self.src = src
        self.pointer_first = pointer_first
        self.left = False
        self.limit = 0
        self.how = 0

    def before(self, pointer: Reg, number: Num) -> None:
        """The addition can be masked; what happens if the processor masks it to nothing is explored."""
        negative = number[4] < 0
        known = not number[1]
        if not self.state.speculative:
            if not known and negative != (number[5] < 0):
                reg = self.src if self.pointer_first else self.dst
                raise _refused(f"R{reg} has unknown scalar with mixed signed bounds", reg)
            self.left = negative == (self.kind == Alu.ADD)
            self.limit = self._limit(pointer)
            self.how = negative | known << 1 | self.pointer_first << 2
            if not known:
                self.run.explored.compare_all_numbers()
        if not known:
            regs = self.state.frames[-1].regs
            kept, regs[self.dst] = regs[self.dst], pointer
            mispredict(self.run, self.state, self.slot, self.slot + 1)
            regs[self.dst] = kept

    def after(self, pointer: Reg) -> None:
        """The limit that is left after the addition is the same on all paths."""
        if not self.state.speculative:
            moved = (self.limit - self._limit(pointer)) & U32
            moved = min(moved, -moved & U32)
            _note(self.run, self.slot, self.dst, self.kind, (self.how, moved))

    def _limit(self, pointer: Reg) -> int:
        if pointer.type == STACK:
            top = STACK_SIZE + self.left
            limit = -(s64(pointer.num[0]) + pointer.off)
        elif pointer.type == MAP_VALUE:
            top = pointer.data.value_size
            limit = (pointer.num[4] if self.left else pointer.num[3]) + pointer.off
        else:
            reg = self.dst if self.pointer_first else self.src
            raise _refused(f"R{reg} has pointer with unsupported alu operation", reg)
        if limit & U32 >= top:
            raise _refused(f"R{self.dst} tried to {_verb(self.kind)} beyond pointer bounds", self.dst)
        return limit & U32


def check_bounds(pointer: Reg, dst: int) -> None:
    """A pointer into the stack or a map's value stays inside, so that accesses through it can be masked."""
    if pointer.type == STACK:
        if pointer.num[1]:
            raise Reject("leak", f"R{dst} variable stack access prohibited for !root", regs=(dst,))
        off = pointer.off + s64(pointer.num[0])
        if not -STACK_SIZE <= off < 0:
            text = f"R{dst} stack pointer arithmetic goes out of range, prohibited for !root; off={off}"
            raise Reject("leak", text, regs=(dst,))
    elif pointer.type == MAP_VALUE:
        try:
            check_map_region(pointer, dst, pointer.off, 1, False, False)
        except Reject as problem:
            name = type_name(pointer.type)
            text = f"R{dst} pointer arithmetic of {name} goes out of range, prohibited for !root: {problem.message}"
            raise Reject("leak", text, hint="bound the index before it is added", regs=(dst,)) from None
