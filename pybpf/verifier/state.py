"""The state of one path: frames with registers and stack, what is held (references, locks), and how it was reached.

Registers and slots are values and shared between states; a state owns only the lists that hold them, so a copy is cheap.
"""

from __future__ import annotations

from .values import UNINIT, Reg

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What is known of a byte of the stack.
INVALID, SPILL, MISC, ZERO, DYNPTR, ITER, IRQ = range(7)
BYTE_NAMES = "?rm0dif"

# Kinds of things that a path can hold.
REF, LOCK, RES_LOCK, IRQ_REF = 1, 2, 4, 8


class Slot:
    """8 bytes of stack: what each byte is, lowest address first, and what was spilled there. A value.

    `reg` is the spilled register of SPILL bytes, and the description of a dynptr or iterator in such a slot.
    """

    __slots__ = ("bytes", "reg")

    def __init__(self, bytes: bytes, reg: Reg | None = None) -> None:
        self.bytes = bytes
        self.reg = reg

    def __repr__(self) -> str:
        shown = "".join(BYTE_NAMES[b] for b in reversed(self.bytes))
        return f"{shown}={self.reg!r}" if self.reg is not None else shown


EMPTY = Slot(bytes([INVALID] * 8))
ALL_MISC = Slot(bytes([MISC] * 8))
ALL_ZERO = Slot(bytes([ZERO] * 8))
ALL_SPILL = bytes([SPILL] * 8)


Chain = tuple[tuple[int, int], ...]
"""The calls that led to a frame, outermost first, as (slot of the call, subprogram called)."""


class Frame:
    """A call: registers R0 to R10, stack slots (slot n holds fp-8n-8 .. fp-8n-1), and how it was called."""

    __slots__ = ("callback", "calls", "callsite", "chain", "regs", "return_range", "stack", "subprog")

    def __init__(self, subprog: int, callsite: int, regs: list[Reg], chain: Chain) -> None:
        self.subprog = subprog
        self.callsite = callsite  # slot of the call, -1 in the outermost frame
        self.regs = regs
        self.stack: list[Slot] = []
        self.callback: str | None = None  # "" or what runs it: "sync", "async", "exception"
        self.return_range: tuple[int, int] | None = None
        self.calls = 0  # of a callback, by the helper call that is under way
        self.chain = chain

    def copy(self) -> Frame:
        new = Frame.__new__(Frame)
        new.subprog = self.subprog
        new.callsite = self.callsite
        new.regs = self.regs.copy()
        new.stack = self.stack.copy()
        new.callback = self.callback
        new.return_range = self.return_range
        new.calls = self.calls
        new.chain = self.chain
        return new

    def slot(self, index: int) -> Slot:
        return self.stack[index] if index < len(self.stack) else EMPTY

    def set_slot(self, index: int, slot: Slot) -> None:
        stack = self.stack
        while len(stack) <= index:
            stack.append(EMPTY)
        stack[index] = slot


Access = tuple[int, int]
"""A stack slot that an instruction loaded or stored a register in: (frame, index)."""
Linked = tuple[tuple[int, int, bool], ...]
"""Places that hold equal numbers: (frame, register or slot, whether it is a slot)."""
Note = tuple[int, int, "Access | None", "Linked | None"]
"""An instruction that did more than go on to the next one: (slot, where it led, access, linked)."""


Held = tuple[int, int, int, "Any"]  # what (REF, LOCK, ...), id, slot where acquired, what it belongs to


class State:
    """One path at one instruction.

    `parent` is the checkpoint that it came from, `branches` how many unfinished paths came from it.  `began` is the slot
    where the path since that checkpoint begins, and `hist` what happened on it: where no note says otherwise, it just went on.
    """

    __slots__ = (
        "began",
        "branches",
        "callback_depth",
        "depth",
        "frames",
        "held",
        "hist",
        "insn",
        "irq",
        "lost",
        "may_goto",
        "noted",
        "parent",
        "preempt",
        "rcu",
        "sleepable",
        "speculative",
    )

    def __init__(self, frames: list[Frame]) -> None:
        self.frames = frames
        self.held: tuple[Held, ...] = ()
        self.rcu = 0
        self.preempt = 0
        self.irq = 0
        self.insn = 0
        self.lost = UNINIT  # what remains of a pointer to something that is gone
        self.parent: Any = None
        self.branches = 1
        self.depth = 0
        self.may_goto = 0
        self.noted = 0  # entries of `hist` since the checkpoint that tell more than "went on"
        self.callback_depth = 0
        self.hist: list[Note] = []
        self.began = 0
        self.sleepable = False
        self.speculative = False  # what the processor may do after a wrong guess

    def copy(self) -> State:
        new = State.__new__(State)
        new.frames = [frame.copy() for frame in self.frames]
        new.held = self.held
        new.rcu = self.rcu
        new.preempt = self.preempt
        new.irq = self.irq
        new.insn = self.insn
        new.lost = self.lost
        new.parent = self.parent
        new.branches = self.branches
        new.depth = self.depth
        new.may_goto = self.may_goto
        new.noted = self.noted
        new.callback_depth = self.callback_depth
        new.hist = self.hist.copy()
        new.began = self.began
        new.sleepable = self.sleepable
        new.speculative = self.speculative
        return new

    @property
    def frame(self) -> Frame:
        return self.frames[-1]

    @property
    def regs(self) -> list[Reg]:
        return self.frames[-1].regs

    def lock(self) -> Held | None:
        """The spin lock taken last, if one is held."""
        for held in reversed(self.held):
            if held[0] & (LOCK | RES_LOCK):
                return held
        return None

    def holds(self, ref: int) -> bool:
        return any(held[0] == REF and held[1] == ref for held in self.held)

    def release(self, ref: int) -> bool:
        """Give up a reference; False when it is not held."""
        rest = tuple(held for held in self.held if not (held[0] == REF and held[1] == ref))
        found = len(rest) != len(self.held)
        self.held = rest
        return found

    def invalidate(self, gone: Any) -> None:
        """What registers and spilled registers point at is gone where `gone(reg)` holds: they are pointers no more."""
        lost = self.lost
        self.rewrite(lambda reg: lost if gone(reg) else reg)

    def rewrite(self, change: Any) -> None:
        """Replace every register and spilled pointer or number by `change` of it."""
        for frame in self.frames:
            regs = frame.regs
            for i in range(10):
                reg = regs[i]
                if reg.type:
                    regs[i] = change(reg)
            stack = frame.stack
            for i, slot in enumerate(stack):
                if slot.bytes[0] == SPILL and slot.reg is not None:
                    new = change(slot.reg)
                    if new is not slot.reg:
                        stack[i] = Slot(slot.bytes, new) if new.type else Slot(_without_spill(slot.bytes))


def _without_spill(kinds: bytes) -> bytes:
    return bytes(MISC if kind == SPILL else kind for kind in kinds)
