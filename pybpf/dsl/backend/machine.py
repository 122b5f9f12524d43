"""Machine instructions before registers are assigned.

An operand is a number: 0 to 10 are registers of the machine, everything above is a virtual one.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FIRST_VIRTUAL = 11
COPY = -1  # opcode of a copy between registers; becomes mov (of 32 bits when `imm` is 1), or nothing

# Opcodes, spelt out because looking enums up costs time in the inner loops.
LDX, ST, STX, LD_IMM64 = 0x61, 0x62, 0x63, 0x18
ALU64, ALU32, JMP, JMP32, X = 0x07, 0x04, 0x05, 0x06, 0x08
CALL, EXIT, JA, JCOND = 0x85, 0x95, 0x05, 0xE5
ATOMIC = 0xC3
SIZES = {1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18}
ALU = {"add": 0x00, "sub": 0x10, "mul": 0x20, "div": 0x30, "or": 0x40, "and": 0x50, "shl": 0x60, "shr": 0x70,
       "mod": 0x90, "xor": 0xA0, "sar": 0xC0, "sdiv": 0x30, "smod": 0x90}  # fmt: skip
MOV, NEG, END = 0xB0, 0x80, 0xD0
TESTS = {"==": 0x10, ">": 0x20, ">=": 0x30, "&": 0x40, "!=": 0x50, "s>": 0x60, "s>=": 0x70, "<": 0xA0, "<=": 0xB0,
         "s<": 0xC0, "s<=": 0xD0}  # fmt: skip


class Mi:
    """One machine instruction: fields of `struct bpf_insn`, the registers it reads (`uses`), writes (`defs`) and spoils."""

    __slots__ = ("at", "clobbers", "core", "defs", "dst", "imm", "next_imm", "off", "opcode", "src", "symbol", "uses")

    def __init__(
        self,
        opcode: int,
        dst: int = 0,
        src: int = 0,
        off: int = 0,
        imm: int = 0,
        *,
        uses: tuple[int, ...] = (),
        defs: int = -1,
        clobbers: bool = False,
        next_imm: int | None = None,
        symbol: Any = None,
        at: Any = None,
        core: Any = None,
    ) -> None:
        self.opcode = opcode
        self.dst = dst
        self.src = src
        self.off = off
        self.imm = imm
        self.uses = uses
        self.defs = defs
        self.clobbers = clobbers  # a call: R0 to R5 are lost
        self.next_imm = next_imm
        self.symbol = symbol
        self.at = at
        self.core = core  # the Field that `off` or `imm` is

    def __repr__(self) -> str:
        return f"Mi(0x{self.opcode & 0xFF:02x}, {self.dst}, {self.src}, {self.off}, {self.imm}, {self.uses} -> {self.defs})"


class MBlock:
    """A block of machine instructions; `test` is its conditional jump, `targets` (then, else), (next,) or ().

    Of the head of a loop with a gate, `dead` has the 8-byte words of the stack, from R10 down, that are not in use there.
    """

    __slots__ = ("code", "dead", "depth", "edge", "live_in", "live_out", "number", "targets", "test")

    def __init__(self, number: int, edge: bool = False) -> None:
        self.number = number
        self.edge = edge  # made to hold the copies of one edge
        self.code: list[Mi] = []
        self.test: Mi | None = None
        self.targets: tuple[int, ...] = ()
        self.live_in = 0
        self.live_out = 0
        self.depth = 0
        self.dead: list[int] | None = None
