"""What each operation computes, as RFC 9669 says it: pure functions over unsigned numbers, in tables.

The interpreter looks operations up here; the translator writes the same arithmetic as Python text, and the tests run
every case through both.
"""

from __future__ import annotations

from ..asm.opcodes import ADDR_SPACE_CAST, LD_IMM64, SIZE_BYTES, Alu, Atomic, Class, Jmp, Mode, Src
from ..errors import VmFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..asm.insn import Insn

Registers = list["int | None"]


def signed(value: int, bits: int) -> int:
    """The two's complement reading of the low `bits` of `value`."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def read_register(regs: Registers, number: int) -> int:
    """What a register holds.  VmFault when it holds nothing."""
    value = regs[number]
    if value is None:
        raise VmFault(f"r{number} is read before it holds a value")
    return value


def _sdiv(a: int, b: int, bits: int) -> int:
    # Truncates towards zero, unlike Python's //; INT_MIN / -1 wraps to INT_MIN by the final mask (RFC 9669 4.1).
    x, y = signed(a, bits), signed(b, bits)
    if y == 0:
        return 0
    return abs(x) // abs(y) if (x < 0) == (y < 0) else -(abs(x) // abs(y))


def _smod(a: int, b: int, bits: int) -> int:
    x, y = signed(a, bits), signed(b, bits)
    if y == 0:
        return x
    return abs(x) % abs(y) if x >= 0 else -(abs(x) % abs(y))


# (a, b, bits) -> result before it is cut to `bits`; a and b are unsigned numbers of `bits`.
ALU: dict[int, Callable[[int, int, int], int]] = {
    Alu.ADD: lambda a, b, bits: a + b,
    Alu.SUB: lambda a, b, bits: a - b,
    Alu.MUL: lambda a, b, bits: a * b,
    Alu.DIV: lambda a, b, bits: a // b if b else 0,
    Alu.OR: lambda a, b, bits: a | b,
    Alu.AND: lambda a, b, bits: a & b,
    Alu.LSH: lambda a, b, bits: a << (b & (bits - 1)),
    Alu.RSH: lambda a, b, bits: a >> (b & (bits - 1)),
    Alu.NEG: lambda a, b, bits: -a,
    Alu.MOD: lambda a, b, bits: a % b if b else a,
    Alu.XOR: lambda a, b, bits: a ^ b,
    Alu.MOV: lambda a, b, bits: b,
    Alu.ARSH: lambda a, b, bits: signed(a, bits) >> (b & (bits - 1)),
}
SIGNED_ALU: dict[int, Callable[[int, int, int], int]] = {Alu.DIV: _sdiv, Alu.MOD: _smod}

# (a, b) -> taken?; the signed ones are given signed numbers.
JUMPS: dict[int, Callable[[int, int], bool]] = {
    Jmp.JEQ: lambda a, b: a == b,
    Jmp.JNE: lambda a, b: a != b,
    Jmp.JGT: lambda a, b: a > b,
    Jmp.JGE: lambda a, b: a >= b,
    Jmp.JLT: lambda a, b: a < b,
    Jmp.JLE: lambda a, b: a <= b,
    Jmp.JSET: lambda a, b: a & b != 0,
    Jmp.JSGT: lambda a, b: a > b,
    Jmp.JSGE: lambda a, b: a >= b,
    Jmp.JSLT: lambda a, b: a < b,
    Jmp.JSLE: lambda a, b: a <= b,
}
SIGNED_JUMPS = frozenset(map(int, (Jmp.JSGT, Jmp.JSGE, Jmp.JSLT, Jmp.JSLE)))

# (old value, operand) -> new value, before it is cut to its width.
ATOMICS: dict[int, Callable[[int, int], int]] = {
    Atomic.ADD: lambda old, v: old + v,
    Atomic.OR: lambda old, v: old | v,
    Atomic.AND: lambda old, v: old & v,
    Atomic.XOR: lambda old, v: old ^ v,
    Atomic.XCHG & ~Atomic.FETCH: lambda old, v: v,
}


def swap(value: int, bits: int) -> int:
    """`value` cut to `bits`, its bytes in the other order."""
    size = bits // 8
    return int.from_bytes((value & ((1 << bits) - 1)).to_bytes(size, "little"), "big")


def _rules() -> dict[int, tuple[bool, bool, frozenset[int] | None, frozenset[int] | None]]:
    """opcode -> (dst unused, src unused, allowed `off`, allowed `imm`); None allows every number."""
    none, one = frozenset((0,)), frozenset((0, 1))
    rules: dict[int, tuple[bool, bool, frozenset[int] | None, frozenset[int] | None]] = {}
    for cls in (Class.ALU, Class.ALU64):
        for op in Alu:
            if op in (Alu.NEG, Alu.END):
                continue
            offs = one if op in (Alu.DIV, Alu.MOD) else none
            rules[cls | op | Src.K] = (False, True, offs, None)
            rules[cls | op | Src.X] = (False, False, offs, none)
        rules[cls | Alu.NEG] = (False, True, none, none)
        rules[cls | Alu.END] = (False, True, none, frozenset((16, 32, 64)))
    rules[Class.ALU | Alu.END | Src.X] = rules[Class.ALU | Alu.END]
    rules[Class.ALU | Alu.MOV | Src.X] = (False, False, frozenset((0, 8, 16)), none)
    rules[Class.ALU64 | Alu.MOV | Src.X] = (False, False, frozenset((0, 8, 16, 32)), none)
    for cls in (Class.JMP, Class.JMP32):
        for jump in JUMPS:
            rules[cls | jump | Src.K] = (False, True, None, None)
            rules[cls | jump | Src.X] = (False, False, None, none)
    rules[Class.JMP | Jmp.JA] = (True, True, None, none)
    rules[Class.JMP32 | Jmp.JA] = (True, True, none, None)
    rules[Class.JMP | Jmp.JCOND] = (True, True, None, none)
    rules[Class.JMP | Jmp.CALL] = (True, False, None, None)
    rules[Class.JMP | Jmp.EXIT] = (True, True, none, none)
    for size in SIZE_BYTES:
        rules[Class.LDX | Mode.MEM | size] = (False, False, None, none)
        rules[Class.ST | Mode.MEM | size] = (False, True, None, None)
        rules[Class.STX | Mode.MEM | size] = (False, False, None, none)
        ordered = frozenset((int(Atomic.LOAD_ACQ), int(Atomic.STORE_REL)))
        changes = frozenset(a | f for a in (0, 0x40, 0x50, 0xA0) for f in (0, 1)) | {0xE1, 0xF1}
        rules[Class.STX | Mode.ATOMIC | size] = (
            False,
            False,
            None,
            ordered | (changes if SIZE_BYTES[size] > 2 else none & ordered),
        )
        if SIZE_BYTES[size] < 8:
            rules[Class.LDX | Mode.MEMSX | size] = (False, False, None, none)
            rules[Class.LD | Mode.ABS | size] = (True, True, none, None)
            rules[Class.LD | Mode.IND | size] = (True, False, none, None)
    rules[LD_IMM64] = (False, False, none, None)
    return rules


RULES = _rules()
_MOV64 = Class.ALU64 | Alu.MOV | Src.X
_CAST = (False, False, frozenset((int(ADDR_SPACE_CAST),)), frozenset((1, 1 << 16)))


def defect(insn: Insn) -> str | None:
    """Why the kernel would not take this instruction at all (unknown opcode, reserved field in use), or None."""
    opcode, dst, src, off, imm, next_imm = insn
    rule = RULES.get(opcode)
    if rule is None:
        return f"unknown opcode 0x{opcode:02x}"
    cast = opcode == _MOV64 and off == ADDR_SPACE_CAST
    no_dst, no_src, offs, imms = _CAST if cast else rule
    if dst > 10 or src > 10:
        return f"register r{max(dst, src)} does not exist"
    if (no_dst and dst) or (no_src and src) or (offs is not None and off not in offs):
        return "a reserved field is not zero"
    if imms is not None and imm not in imms:
        return f"immediate {imm} has no meaning here"
    if opcode == LD_IMM64 and (next_imm is None or src > 6):
        return "half of a wide load" if next_imm is None else f"unknown kind {src} of wide load"
    if dst == 10 and writes_dst(insn):
        return "the frame pointer r10 is read-only"
    return None


def writes_dst(insn: Insn) -> bool:
    """Whether the instruction changes its dst register."""
    return (
        insn[0] & 7 in (Class.ALU, Class.ALU64, Class.LDX)
        or insn[0] == LD_IMM64
        or (insn[0] & 0xE7 == Class.STX | Mode.ATOMIC and insn[4] == Atomic.LOAD_ACQ)
    )
