"""The one table of the instruction set: it drives parsing, printing, checking and the ISA levels.

A row says how an instruction is written and which numbers make it what it is:

    (opcode, template, fixed, feature, printed)

`template` is the text, with capital letters for operands (`OPERANDS` below says what each one is); `fixed` are the
values of the fields that are no operands; `feature` names what a kernel must have (`FEATURES`).  The first printed row
that fits an instruction is its text; the others are spellings that are only read: what the kernel's log, bpftool and
clang write for the same instruction.

The printed spelling is that of `llvm-objdump -d --no-print-imm-hex` (LLVM 19).  Where LLVM knows no text, or drops
something, it is that of a newer LLVM (acquire and release), of RFC 9669 section 5.4 (the kinds of wide loads) or of the
kernel's log (calls).
"""

from __future__ import annotations

from .opcodes import LD_IMM64, Alu, Atomic, Call, Class, Jmp, Mode, Pseudo, Size, Src

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Fixed = tuple[int, int, int, int, int | None]
    Row = tuple[int, str, Fixed, str, bool]

DST, SRC, OFF, IMM, NEXT = 1, 2, 3, 4, 5  # positions in an Insn

LAST_REGISTER = 11
"""The highest register that has a name, as in LLVM; r11 is the kernel's own scratch, which no program may use."""

# Operand letter -> position of the field that it fills, smallest and largest value, what it is.
OPERANDS = {
    "D": (DST, 0, 11, "the dst register"),
    "S": (SRC, 0, 11, "the src register"),
    "Z": (0, 0, 0, "register 0, which the instruction implies"),
    "I": (IMM, -(1 << 31), (1 << 31) - 1, "an immediate, sign-extended to 64 bits"),
    "U": (IMM, -(1 << 31), (1 << 32) - 1, "an immediate of a 32-bit operation"),
    "K": (IMM, -(1 << 31), (1 << 32) - 1, "an immediate that the kernel's log prints unsigned"),
    "Q": (IMM, -(1 << 63), (1 << 64) - 1, "an immediate of 64 bits, in both slots"),
    "O": (OFF, -(1 << 15), (1 << 15) - 1, "an offset in bytes, with its sign"),
    "E": (IMM, -(1 << 31), (1 << 31) - 1, "an offset in bytes that stands in imm"),
    "P": (NEXT, -(1 << 31), (1 << 32) - 1, "an offset in bytes that stands in the second slot"),
    "B": (NEXT, -(1 << 31), (1 << 31) - 1, "the immediate of the second slot"),
    "J": (OFF, -(1 << 15), (1 << 15) - 1, "a distance in slots, or a label"),
    "R": (OFF, -(1 << 15), (1 << 15) - 1, "a distance in slots"),
    "L": (IMM, -(1 << 31), (1 << 31) - 1, "a distance in slots that stands in imm, or a label"),
    "T": (IMM, -(1 << 31), (1 << 31) - 1, "a distance in slots that stands in imm"),
    "M": (IMM, -(1 << 31), (1 << 31) - 1, "a number that identifies something, or its name"),
    "H": (IMM, 0, 0xFFFF, "the upper half of imm"),
    "G": (IMM, 0, 0xFFFF, "the lower half of imm"),
    "V": (0, 0, 0, "a name of something that imm will identify"),
    "Y": (0, 0, 0, "a name that says nothing new"),
    "W": (0, 0, 0, "the number 0"),
}
NAMED = "JLMV"
"""Operands that may be a name."""

# 32-bit arithmetic is as old as the rest: -mcpu=v3 is where LLVM begins to use it, not where kernels begin to know it.
# feature -> (level of the instruction set that brought it, or None; first kernel)
FEATURES: dict[str, tuple[int | None, str]] = {
    "base instructions": (1, "3.18"),
    "less-than jumps": (2, "4.14"),
    "calls of local functions": (None, "4.16"),
    "32-bit jumps": (3, "5.1"),
    "map values by address": (None, "5.2"),
    "kernel variables": (None, "5.10"),
    "atomic operations": (3, "5.12"),
    "addresses of functions": (None, "5.13"),
    "kfunc calls": (None, "5.13"),
    "maps by index": (None, "5.14"),
    "signed division": (4, "6.6"),
    "sign-extending moves": (4, "6.6"),
    "sign-extending loads": (4, "6.6"),
    "unconditional byte swaps": (4, "6.6"),
    "gotol": (4, "6.6"),
    "may_goto": (None, "6.9"),
    "addr_space_cast": (None, "6.9"),
    "load_acquire and store_release": (None, "6.15"),
    "callx": (None, ""),
}

_ARITHMETIC = (
    (Alu.ADD, "+="),
    (Alu.SUB, "-="),
    (Alu.MUL, "*="),
    (Alu.DIV, "/="),
    (Alu.OR, "|="),
    (Alu.AND, "&="),
    (Alu.LSH, "<<="),
    (Alu.RSH, ">>="),
    (Alu.MOD, "%="),
    (Alu.XOR, "^="),
    (Alu.MOV, "="),
    (Alu.ARSH, "s>>="),
)
_SIGNED = ((Alu.DIV, "s/="), (Alu.MOD, "s%="))
_COMPARE = (
    (Jmp.JEQ, "==", 1),
    (Jmp.JGT, ">", 1),
    (Jmp.JGE, ">=", 1),
    (Jmp.JSET, "&", 1),
    (Jmp.JNE, "!=", 1),
    (Jmp.JSGT, "s>", 1),
    (Jmp.JSGE, "s>=", 1),
    (Jmp.JLT, "<", 2),
    (Jmp.JLE, "<=", 2),
    (Jmp.JSLT, "s<", 2),
    (Jmp.JSLE, "s<=", 2),
)
_SIZES = ((Size.B, 8), (Size.H, 16), (Size.W, 32), (Size.DW, 64))
_FETCH = ((Atomic.ADD, "add", "+="), (Atomic.OR, "or", "|="), (Atomic.AND, "and", "&="), (Atomic.XOR, "xor", "^="))
_ZERO: Fixed = (0, 0, 0, 0, None)
_BASE = "base instructions"


def _rows() -> Iterator[Row]:
    for part in (_arithmetic, _jumps, _calls, _wide_loads, _memory, _atomics, _legacy):
        yield from part()


def _row(opcode: int, template: str, feature: str = _BASE, *, off: int = 0, imm: int = 0, printed: bool = True) -> Row:
    return opcode, template, (0, 0, off, imm, None) if off or imm else _ZERO, feature, printed


def _also(opcode: int, template: str, feature: str = _BASE, *, imm: int = 0) -> Row:
    """A spelling that is read but not printed."""
    return _row(opcode, template, feature, imm=imm, printed=False)


def _arithmetic() -> Iterator[Row]:
    for cls, r, imm in ((Class.ALU64, "r", "I"), (Class.ALU, "w", "U")):
        with_imm, with_reg = cls | Src.K, cls | Src.X
        for op, sign in _ARITHMETIC:
            yield _row(with_imm | op, f"{r}D {sign} {imm}")
            yield _row(with_reg | op, f"{r}D {sign} {r}S")
        for op, sign in _SIGNED:
            yield _row(with_imm | op, f"{r}D {sign} {imm}", "signed division", off=1)
            yield _row(with_reg | op, f"{r}D {sign} {r}S", "signed division", off=1)
        yield _row(with_imm | Alu.NEG, f"{r}D = -{r}D")
        for bits in (8, 16, 32) if r == "r" else (8, 16):
            yield _row(with_reg | Alu.MOV, f"{r}D = (s{bits}){r}S", "sign-extending moves", off=bits)
    yield _row(Class.ALU64 | Src.X | Alu.MOV, "rD = addr_space_cast(rS, H, G)", "addr_space_cast", off=1)
    for bits in (16, 32, 64):
        yield _row(Class.ALU | Src.K | Alu.END, f"rD = le{bits} rD", imm=bits)
        yield _row(Class.ALU | Src.X | Alu.END, f"rD = be{bits} rD", imm=bits)
        yield _row(Class.ALU64 | Src.K | Alu.END, f"rD = bswap{bits} rD", "unconditional byte swaps", imm=bits)


def _jumps() -> Iterator[Row]:
    yield _row(Class.JMP | Jmp.JA, "goto J")
    yield _also(Class.JMP | Jmp.JA, "goto pcR")
    yield _row(Class.JMP32 | Jmp.JA, "gotol L", "gotol")
    yield _also(Class.JMP32 | Jmp.JA, "gotol pcT", "gotol")
    yield _row(Class.JMP | Jmp.JCOND, "may_goto J", "may_goto")
    yield _also(Class.JMP | Jmp.JCOND, "may_goto pcR", "may_goto")
    for cls, r, imm in ((Class.JMP, "r", "I"), (Class.JMP32, "w", "U")):
        for op, sign, level in _COMPARE:
            less_than = "less-than jumps" if level == 2 else _BASE
            feature = "32-bit jumps" if r == "w" else less_than
            yield _row(cls | Src.K | op, f"if {r}D {sign} {imm} goto J", feature)
            yield _row(cls | Src.X | op, f"if {r}D {sign} {r}S goto J", feature)
            yield _also(cls | Src.K | op, f"if {r}D {sign} K goto pcR", feature)
            yield _also(cls | Src.X | op, f"if {r}D {sign} {r}S goto pcR", feature)
    yield _row(Class.JMP | Jmp.EXIT, "exit")


def _calls() -> Iterator[Row]:
    call = Class.JMP | Jmp.CALL
    local: Fixed = (0, Call.LOCAL, 0, 0, None)
    kfunc: Fixed = (0, Call.KFUNC, 0, 0, None)
    yield _row(call, "call I")
    yield call, "call V", local, "calls of local functions", False
    yield call, "call pcT", local, "calls of local functions", True
    yield call, "call pcT#Y", local, "calls of local functions", False
    yield call, "call kfunc M", kfunc, "kfunc calls", True
    yield call, "call V#I", local, "kfunc calls", False
    yield _row(call | Src.X, "callx rD", "callx")


def _wide_loads() -> Iterator[Row]:
    def kind(src: Pseudo, template: str, feature: str = _BASE, printed: bool = True) -> Row:
        return LD_IMM64, template, (0, src, 0, 0, 0), feature, printed

    value = "map values by address"
    yield kind(Pseudo.NONE, "rD = Q ll")
    yield kind(Pseudo.NONE, "rD = Q", printed=False)  # only where the log gives the opcode: (18) r1 = 0x...
    yield kind(Pseudo.MAP_FD, "rD = map_by_fd(M)")
    yield kind(Pseudo.MAP_FD, "rD = V ll", printed=False)
    yield kind(Pseudo.MAP_FD, "rD = map[id:M]", printed=False)
    yield kind(Pseudo.MAP_VALUE, "rD = map_val(map_by_fd(M)) P", value)
    yield kind(Pseudo.MAP_VALUE, "rD = map_val(map_by_fd(M))", value, False)
    yield kind(Pseudo.MAP_VALUE, "rD = map_val(V) P", value, False)
    yield kind(Pseudo.MAP_VALUE, "rD = map_val(V)", value, False)
    yield kind(Pseudo.MAP_VALUE, "rD = map[id:M][W] P", value, False)
    yield kind(Pseudo.BTF_ID, "rD = var_addr(M)", "kernel variables")
    yield kind(Pseudo.BTF_ID, "rD = var_addr(M, B)", "kernel variables")
    yield kind(Pseudo.FUNC, "rD = code_addr(L)", "addresses of functions")
    yield kind(Pseudo.FUNC, "rD = subprog[L]", "addresses of functions", False)
    yield kind(Pseudo.MAP_IDX, "rD = map_by_idx(M)", "maps by index")
    yield kind(Pseudo.MAP_IDX_VALUE, "rD = map_val(map_by_idx(M)) P", "maps by index")
    yield kind(Pseudo.MAP_IDX_VALUE, "rD = map_val(map_by_idx(M))", "maps by index", False)


def _memory() -> Iterator[Row]:
    for size, bits in _SIZES:
        load, store = Class.LDX | Mode.MEM | size, Class.STX | Mode.MEM | size
        yield _row(load, f"rD = *(u{bits} *)(rS O)")
        yield _row(store, f"*(u{bits} *)(rD O) = rS")
        yield _row(Class.ST | Mode.MEM | size, f"*(u{bits} *)(rD O) = {'I' if bits == 64 else 'U'}")
        if bits < 64:  # LLVM writes w registers when told that the program may use them (-mcpu=v3)
            yield _also(load, f"wD = *(u{bits} *)(rS O)")
            yield _also(store, f"*(u{bits} *)(rD O) = wS")
            yield _row(Class.LDX | Mode.MEMSX | size, f"rD = *(s{bits} *)(rS O)", "sign-extending loads")


def _atomics() -> Iterator[Row]:
    feature = "atomic operations"
    for size, bits, r, kernel in ((Size.DW, 64, "r", "atomic64"), (Size.W, 32, "w", "atomic")):
        opcode = Class.STX | Mode.ATOMIC | size
        for op, name, sign in _FETCH:
            # LLVM 19 knows the 32-bit add, which is older than w registers, with r; the kernel writes r for all.
            plain, other = ("r", "w") if op == Atomic.ADD else (r, "r")
            since = _BASE if op == Atomic.ADD else feature
            yield _row(opcode, f"lock *(u{bits} *)(rD O) {sign} {plain}S", since, imm=op)
            if r == "w":
                yield _also(opcode, f"lock *(u{bits} *)(rD O) {sign} {other}S", since, imm=op)
            fetch = op | Atomic.FETCH
            yield _row(opcode, f"{r}S = atomic_fetch_{name}((u{bits} *)(rD O), {r}S)", feature, imm=fetch)
            yield _also(opcode, f"rS = {kernel}_fetch_{name}((u{bits} *)(rD O), rS)", feature, imm=fetch)
        suffix = "_64" if bits == 64 else "32_32"
        yield _row(opcode, f"{r}S = xchg{suffix}(rD O, {r}S)", feature, imm=Atomic.XCHG)
        yield _also(opcode, f"rS = {kernel}_xchg((u{bits} *)(rD O), rS)", feature, imm=Atomic.XCHG)
        yield _row(opcode, f"{r}Z = cmpxchg{suffix}(rD O, {r}Z, {r}S)", feature, imm=Atomic.CMPXCHG)
        yield _also(opcode, f"rZ = {kernel}_cmpxchg((u{bits} *)(rD O), rZ, rS)", feature, imm=Atomic.CMPXCHG)
    feature = "load_acquire and store_release"
    for size, bits in _SIZES:
        opcode = Class.STX | Mode.ATOMIC | size
        for r in ("r",) if bits == 64 else ("w", "r"):
            make = _also if r == "r" and bits < 64 else _row
            yield make(opcode, f"{r}D = load_acquire((u{bits} *)(rS O))", feature, imm=Atomic.LOAD_ACQ)
            yield make(opcode, f"store_release((u{bits} *)(rD O), {r}S)", feature, imm=Atomic.STORE_REL)


def _legacy() -> Iterator[Row]:
    for size, bits in _SIZES[:3]:
        absolute, indirect = Class.LD | Mode.ABS | size, Class.LD | Mode.IND | size
        yield _row(absolute, f"rZ = *(u{bits} *)skb[I]")
        yield _row(indirect, f"rZ = *(u{bits} *)skb[rS]")
        yield _row(indirect, f"rZ = *(u{bits} *)skb[rS E]")


ROWS: tuple[Row, ...] = tuple(_rows())

# A shape is a line with every operand reduced to its class: r and w registers, N a number, O an offset with its
# sign, X a name.  Reading an instruction is looking its shape up.
_CLASSES: dict[str, str | None] = {
    **dict.fromkeys("DSZ"),
    **dict.fromkeys("IUKQJRLTMBHGW", "N"),
    **dict.fromkeys("OEP", "O"),
    **dict.fromkeys("VY", "X"),
}
TO_CLASSES = str.maketrans(_CLASSES)
TO_NAMED_CLASSES = str.maketrans({**_CLASSES, **dict.fromkeys(NAMED, "X")})


def _shapes() -> dict[str, list[Row]]:
    shapes: dict[str, list[Row]] = {}
    for row in ROWS:
        template = row[1].replace(" ", "")
        shape = template.translate(TO_CLASSES)
        shapes.setdefault(shape, []).append(row)
        named = template.translate(TO_NAMED_CLASSES)
        if named != shape:
            shapes.setdefault(named, []).append(row)
    return shapes


SHAPES: dict[str, list[Row]] = _shapes()
"""Shape of a line -> the rows that it may mean (more than one only where the log's opcode decides)."""

_NOT_LETTERS = str.maketrans(dict.fromkeys("()[]*+-=<>!&|^/%,#:" + "".join(OPERANDS), " "))
KEYWORDS: frozenset[str] = frozenset(" ".join([r[1] for r in ROWS]).translate(_NOT_LETTERS).split()) - {"r", "w"}
"""The words of the language: they cannot be labels or constants, unless quoted."""
