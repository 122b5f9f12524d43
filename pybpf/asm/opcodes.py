"""The numbers of the instruction set, as enums (RFC 9669 sections 3 to 5, and what Linux adds).

    opcode byte of an arithmetic or jump instruction      opcode byte of a load or store
    +----------------+--------+-------------------+       +--------+--------+-------------+
    |  operation (4) | src(1) |      class (3)    |       | mode(3)| size(2)|  class (3)  |
    +----------------+--------+-------------------+       +--------+--------+-------------+
    msb                                         lsb       msb                           lsb

Members are already shifted into place: `Class.ALU64 | Alu.ADD | Src.X` is an opcode.
"""

from __future__ import annotations

from .codes import Codes


class Class(Codes):
    """Instruction class: the low three bits of the opcode."""

    LD = 0x00
    LDX = 0x01
    ST = 0x02
    STX = 0x03
    ALU = 0x04
    JMP = 0x05
    JMP32 = 0x06
    ALU64 = 0x07


class Src(Codes):
    """Second operand of arithmetic and jumps: the immediate (K) or the src register (X)."""

    K = 0x00
    X = 0x08


class Alu(Codes):
    """Arithmetic operations.  `off` selects the signed forms: 1 for sdiv/smod, 8/16/32 for movsx.

    For END the source bit selects the byte order in class ALU (K: to little, X: to big endian)
    and class ALU64 swaps unconditionally.
    """

    ADD = 0x00
    SUB = 0x10
    MUL = 0x20
    DIV = 0x30
    OR = 0x40
    AND = 0x50
    LSH = 0x60
    RSH = 0x70
    NEG = 0x80
    MOD = 0x90
    XOR = 0xA0
    MOV = 0xB0
    ARSH = 0xC0
    END = 0xD0


class Jmp(Codes):
    """Jump operations.  JA in class JMP32 takes its distance from `imm` (gotol, ISA v4)."""

    JA = 0x00
    JEQ = 0x10
    JGT = 0x20
    JGE = 0x30
    JSET = 0x40
    JNE = 0x50
    JSGT = 0x60
    JSGE = 0x70
    CALL = 0x80
    EXIT = 0x90
    JLT = 0xA0
    JLE = 0xB0
    JSLT = 0xC0
    JSLE = 0xD0
    JCOND = 0xE0  # may_goto; Linux 6.9, not in RFC 9669


class Size(Codes):
    """Width of a memory access."""

    W = 0x00
    H = 0x08
    B = 0x10
    DW = 0x18


SIZE_BYTES = {Size.B: 1, Size.H: 2, Size.W: 4, Size.DW: 8}
"""Bytes of a `Size`; keys compare as ints, so `SIZE_BYTES[opcode & 0x18]` works."""


class Mode(Codes):
    """Addressing mode of loads and stores."""

    IMM = 0x00
    ABS = 0x20
    IND = 0x40
    MEM = 0x60
    MEMSX = 0x80
    ATOMIC = 0xC0


class Atomic(Codes):
    """`imm` of an atomic store.  FETCH is a flag on the four arithmetic ones, and part of XCHG and CMPXCHG."""

    ADD = 0x00
    OR = 0x40
    AND = 0x50
    XOR = 0xA0
    FETCH = 0x01
    XCHG = 0xE1
    CMPXCHG = 0xF1
    LOAD_ACQ = 0x100  # Linux 6.15
    STORE_REL = 0x110  # Linux 6.15


class Pseudo(Codes):
    """`src` of a wide load (ld_imm64): what its 64-bit immediate stands for."""

    NONE = 0
    MAP_FD = 1
    MAP_VALUE = 2
    BTF_ID = 3
    FUNC = 4
    MAP_IDX = 5
    MAP_IDX_VALUE = 6


class Call(Codes):
    """`src` of a call: what `imm` names."""

    HELPER = 0
    LOCAL = 1
    KFUNC = 2


LD_IMM64 = 0x18
"""Opcode of the one wide instruction: class LD, mode IMM, size DW; it fills two 8-byte slots."""

ADDR_SPACE_CAST = 1
"""`off` of the 64-bit mov that casts between arena and kernel addresses (Linux 6.9)."""
