"""`Reject` and `Unsure`: how a check says no, or that it does not know."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CATEGORIES = {
    "encoding": "an instruction whose fields mean nothing",
    "cfg": "control flow: jumps, unreachable code, how a function ends",
    "uninitialised": "a register or stack byte read before it was written",
    "type": "an operation, such as arithmetic or a load, on a kind of value that does not take it",
    "bounds-stack": "an access outside of the stack frame",
    "bounds-map": "an access outside of a map's value or key",
    "bounds-packet": "an access behind the checked end of the packet",
    "bounds-memory": "an access outside of other memory: buffers, sockets, ring-buffer records",
    "ctx-access": "a context access that this program type may not make",
    "helper": "a call to a function that this program may not call",
    "argument": "an argument that a function does not take",
    "null": "a pointer used before it was compared with NULL",
    "reference": "a reference not released, or released twice",
    "lock": "what may not be done while holding a lock, or in an RCU or preemption section",
    "alignment": "an access that is not aligned",
    "return-value": "a return value outside of what the program type may return",
    "complexity": "too large, too deep, or a loop without end",
    "stack-depth": "frames that need more than 512 bytes together",
    "license": "a call or program type for GPL-compatible licences only",
    "kernel-version": "a feature that this kernel does not have",
    "privilege": "what the loader lacks a capability for",
    "map": "a map that this program may not use, or contradictory map definitions",
    "btf": "type information that does not fit the program",
    "leak": "a kernel address that would become visible to user space",
}
"""Category of a finding -> what it is about."""


class Reject(Exception):
    """The kernel would refuse the program: why, and what to do about it."""

    def __init__(
        self, category: str, message: str, *, hint: str = "", insn: int | None = None, regs: tuple[int, ...] = ()
    ) -> None:
        super().__init__(message)
        self.category = category
        self.message = message
        self.hint = hint
        self.insn = insn
        self.regs = regs
        self.state: Any = None


class Unsure(Exception):
    """The answer depends on something that is not modelled or not given."""

    def __init__(self, message: str, *, hint: str = "", insn: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.insn = insn
        self.state: Any = None


def unread(reg: int) -> Reject:
    """A register is read that was never written, or that does not exist."""
    if reg > 10:
        return Reject("encoding", f"R{reg} is invalid: there are R0 to R10")
    return Reject(
        "uninitialised",
        f"R{reg} !read_ok: it is read, but nothing was written to it on this path",
        hint="R1 to R5 lose their values in every call; keep what is needed in R6 to R9"
        if 1 <= reg <= 5
        else "write the register on every path that leads here",
        regs=(reg,),
    )


def unwritable(reg: int) -> Reject:
    """A register is written that may not be."""
    if reg > 10:
        return Reject("encoding", f"R{reg} is invalid: there are R0 to R10")
    return Reject("type", "frame pointer is read only", hint="copy R10 to another register and change that")
