"""What a run gives back: `Result`, and the lines of its trace."""

from __future__ import annotations

from ..asm.opcodes import Call, Class, Jmp
from ..uapi import HELPER_NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..asm.insn import Insn


class TraceLine:
    """One executed instruction: `program` and `slot`, `insn`, the registers before and after, and what changed.

    Registers are r0 to r10; None is one that holds nothing.
    """

    __slots__ = ("after", "before", "insn", "program", "slot")

    def __init__(self, program: str, slot: int, insn: Insn, before: tuple[int | None, ...]) -> None:
        self.program = program
        self.slot = slot
        self.insn = insn
        self.before = before
        self.after: tuple[int | None, ...] = before

    @property
    def changed(self) -> dict[str, int | None]:
        """Registers that the instruction changed, by name, with their new values."""
        pairs = enumerate(zip(self.before, self.after, strict=True))
        return {f"r{i}": new for i, (old, new) in pairs if old != new}

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={_number(value)}" for name, value in self.changed.items() if value is not None)
        source = self.insn.source
        where = f"  ; {source.text.strip() or source}" if source is not None else ""
        return f"{self.slot:4}: {_text(self.insn):40} {shown:30}{where}".rstrip()

    __repr__ = __str__


class Result:
    """What a run left.

    `retval` is the program's 32-bit answer as TEST_RUN gives it, `r0` the whole register.  `data` is the packet and
    `ctx` the context after the program (in the form that the context was given in).  `insns` counts executed
    instructions; `trace` has a `TraceLine` for each when asked for; `printk` the lines that the program printed.
    `actions` are redirects and the like that it asked for, as tuples whose first item says what; `seq` is what an
    iterator wrote.
    """

    __slots__ = ("actions", "ctx", "data", "insns", "printk", "r0", "retval", "seq", "trace")

    def __init__(
        self,
        r0: int,
        data: bytes,
        ctx: Any,
        insns: int,
        trace: list[TraceLine],
        printk: list[str],
        actions: list[tuple[Any, ...]],
        seq: bytes,
    ) -> None:
        self.r0 = r0
        self.retval = r0 & 0xFFFFFFFF
        self.data = data
        self.ctx = ctx
        self.insns = insns
        self.trace = trace
        self.printk = printk
        self.actions = actions
        self.seq = seq

    def __repr__(self) -> str:
        return f"Result(retval={self.retval}, {len(self.data)} bytes of data, insns={self.insns})"


def merged(results: list[Result]) -> Result:
    """What live frames leave: what all of them did, and of TEST_RUN's answer nothing (`bpf_test_run_xdp_live`)."""
    return Result(
        0,
        b"",
        None,
        sum(one.insns for one in results),
        [line for one in results for line in one.trace],
        [line for one in results for line in one.printk],
        [action for one in results for action in one.actions],
        b"",
    )


def _text(insn: Insn) -> str:
    """The instruction, and the name of the helper that it calls."""
    if insn.opcode == Class.JMP | Jmp.CALL and insn.src == Call.HELPER and 0 < insn.imm < len(HELPER_NAMES):
        return f"call bpf_{HELPER_NAMES[insn.imm]}"
    return str(insn)


def _number(value: int | None) -> str:
    return "?" if value is None else str(value) if value < 10000 else hex(value)
