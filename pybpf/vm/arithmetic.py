"""Arithmetic, moves and comparisons as Python text: masks only where the ranges say that they are needed."""

from __future__ import annotations

from ..asm.opcodes import Alu, Class, Jmp, Pseudo
from .emit import M32, M64, NAMES, S32, S64, X
from .memory import MASK32, MASK64
from .ranges import FULL, SIGNED_JUMPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..asm.insn import Insn
    from .emit import Emitter, Value

# As plain ints: an enum member is looked up and compared much more slowly.
_ADD, _SUB, _MUL, _DIV, _OR, _AND, _LSH, _RSH, _NEG, _MOD, _XOR, _MOV, _ARSH, _END = map(
    int,
    (Alu.ADD, Alu.SUB, Alu.MUL, Alu.DIV, Alu.OR, Alu.AND, Alu.LSH, Alu.RSH, Alu.NEG, Alu.MOD, Alu.XOR, Alu.MOV, Alu.ARSH,
     Alu.END),
)  # fmt: skip
_ALU64, _JMP, _JA, _JEQ, _JNE, _JSET, _JCOND = map(
    int, (Class.ALU64, Class.JMP, Jmp.JA, Jmp.JEQ, Jmp.JNE, Jmp.JSET, Jmp.JCOND)
)
_NONE, _BTF_ID, _MAP_FD, _MAP_IDX = map(int, (Pseudo.NONE, Pseudo.BTF_ID, Pseudo.MAP_FD, Pseudo.MAP_IDX))
_LOOSE = frozenset((_ADD, _AND, _OR, _XOR, _LSH, _RSH, _ARSH))  # bind no tighter than `+`
_COMPARE = {
    Jmp.JEQ: "==", Jmp.JNE: "!=", Jmp.JGT: ">", Jmp.JGE: ">=", Jmp.JLT: "<", Jmp.JLE: "<=",
    Jmp.JSGT: ">", Jmp.JSGE: ">=", Jmp.JSLT: "<", Jmp.JSLE: "<=",
}  # fmt: skip


def alu64(e: Emitter, insn: Insn) -> None:
    s: int | None
    opcode, d, s, off, imm, _ = insn
    op = opcode & 0xF0
    if op == _MOV:
        move(e, insn)
        return
    if op == _END:
        swap(e, d, imm, True)
        return
    known = e.use(d)
    pointer = type(known[0]) is str
    if opcode & X:
        b = e.number(s)
    else:
        s, b = None, (imm, imm)
        if pointer and known[0] != "m" and op in (_ADD, _SUB):
            shift(e, d, known, imm if op == _ADD else -imm)
            return
    a = FULL if pointer else known
    if op == _ADD:
        # A pointer plus a small number stays below 2^64: the windows leave room.
        value = FULL if pointer and b[0] >= 0 and b[1] <= MASK32 else (a[0] + b[0], a[1] + b[1])
        if s is None and imm < 0:
            e.change(d, "-", str(-imm), value)
        else:
            e.change(d, "+", str(imm) if s is None else e.text(s), value)
    elif op == _SUB:
        value = (a[0] - b[1], a[1] - b[0])
        if s is None and imm < 0:
            e.change(d, "+", str(-imm), value)
        else:
            e.change(d, "-", str(imm) if s is None else e.atom(s), value)
    elif op == _MUL:
        a = e.clean(d)
        if s is not None:
            b = e.clean(s)
        e.atom(d)
        top = max(a[1] * b[1], a[1] * -b[0])
        e.change(d, "*", str(imm) if s is None else e.atom(s), (min(0, a[1] * b[0]), top))
    elif op == _NEG:
        e.set(d, f"-{e.atom(d)}", (-a[1], -a[0]))
    elif op in (_AND, _OR, _XOR):
        bitwise(e, op, d, s, imm)
    elif op in (_LSH, _RSH, _ARSH):
        shift64(e, op, d, s, imm)
    else:
        divide64(e, op, d, s, imm, bool(off))


def shift(e: Emitter, d: int, known: Value, step: int) -> None:
    """A pointer moves by a constant."""
    kind, offset = known[0], known[1] + step
    sign, size = ("+", step) if step >= 0 else ("-", -step)
    if kind == "f":
        e.stand(d, f"r10 + {offset}" if offset >= 0 else f"r10 - {-offset}", (kind, offset))
    elif d in e.texts:
        e.stand(d, f"{e.texts[d]} {sign} {size}", (kind, offset))
    else:
        e.change(d, sign, str(size), (kind, offset))


def bitwise(e: Emitter, op: int, d: int, s: int | None, imm: int) -> None:
    a = e.number(d)
    if s is None:
        constant = imm & MASK64
        if op == _AND:
            e.change(d, "&", str(constant), (0, min(a[1], constant) if a[0] >= 0 else constant))
            return
        a = e.clean(d)
        e.change(d, "|" if op == _OR else "^", str(constant), (0, _ones(max(a[1], constant))))
        return
    b = e.number(s)
    if op == _AND:
        if not _is_clean(a) and not _is_clean(b):
            a = e.clean(d)
        high = min(v[1] for v in (a, b) if _is_clean(v))
        e.change(d, "&", e.text(s), (0, high))
        return
    a, b = e.clean(d), e.clean(s)
    e.change(d, "|" if op == _OR else "^", e.text(s), (0, _ones(max(a[1], b[1]))))


def shift64(e: Emitter, op: int, d: int, s: int | None, imm: int) -> None:
    if s is None:
        k = imm & 63
        if op == _LSH:
            a = e.number(d)
            e.change(d, "<<", str(k), (a[0] << k, a[1] << k))
            return
        a = e.clean(d)
        if op == _RSH or a[1] < S64:
            e.change(d, ">>", str(k), (a[0] >> k, a[1] >> k))
        else:
            e.set(d, f"({e.text(d)} ^ {S64}) - {S64} >> {k}", (-S64 >> k, S64 >> k))
        return
    a, b = e.clean(d), e.clean(s)
    by = e.text(s) if b[1] <= 63 else f"({e.text(s)} & 63)"
    if op == _LSH:
        e.set(d, f"{e.text(d)} << {by} & {M64}", FULL)
    elif op == _RSH or a[1] < S64:
        e.change(d, ">>", by, (0, a[1]))
    else:
        e.set(d, f"({e.text(d)} ^ {S64}) - {S64} >> {by}", (-S64, S64))


def divide64(e: Emitter, op: int, d: int, s: int | None, imm: int, is_signed: bool) -> None:
    a = e.clean(d)
    b = (imm & MASK64,) * 2 if s is None else e.clean(s)
    text = str(imm & MASK64) if s is None else e.atom(s)
    if is_signed:
        e.set(d, f"{'SD' if op == _DIV else 'SM'}({e.text(d)}, {text}, 64)", (-S64, S64))
    else:
        divide(e, op, d, e.atom(d), a[1], text, b)


def divide(e: Emitter, op: int, d: int, a: str, a_high: int, b: str, b_range: tuple[int, int]) -> None:
    """Unsigned division and remainder; by zero they give 0, and what was to be divided."""
    b_low, b_high = b_range
    if op == _DIV:
        e.set(d, "0" if not b_high else f"{a} // {b}" if b_low else f"{a} // {b} if {b} else 0",
              (0, a_high if b_high else 0))  # fmt: skip
    elif b_high:
        text = f"{a} % {b}" if b_low else f"{a} % {b} if {b} else {a}"
        e.set(d, text, (0, min(a_high, b_high - 1) if b_low else a_high))
    else:
        e.set(d, a, (0, a_high))


def move(e: Emitter, insn: Insn) -> None:
    opcode, d, s, off, imm, _ = insn
    wide = opcode & 7 == _ALU64
    if not opcode & X:
        value = imm & (MASK64 if wide else MASK32)
        e.stand(d, str(value), (value, value))
        return
    if off:
        low, high = e.number(s)
        half = 1 << (off - 1)
        if low < 0 or high >= half:
            cut = f"({e.text(s)} & {2 * half - 1} ^ {half}) - {half}"
            if wide:
                e.set(d, cut, (-half, half - 1))
            else:
                e.set(d, f"{cut} & {M32}", (0, MASK32))
            return
    elif not wide:
        text, high = e.low32(s)
        if text[0] == "(":
            e.set(d, text[1:-1], (0, high))
            return
    copy(e, d, s)


def copy(e: Emitter, d: int, s: int) -> None:
    """A register becomes another one."""
    if d == s:
        e.use(s)
        return
    value = e.use(s)
    if type(value[0]) is int and not _is_clean(value):
        e.clean(s)
    if e.texts:
        e.live |= 1 << s  # what it stands for may be what d holds
        e.release(d)
    e.stand(d, e.text(s), e.state[s])


def swap(e: Emitter, d: int, bits: int, swaps: bool) -> None:
    low, high = e.number(d)
    mask = (1 << bits) - 1
    fits = low >= 0 and high <= mask
    if not swaps:
        if not fits:
            e.change(d, "&", str(mask), (0, mask))
        return
    if e.swapped(d, bits // 8):
        return
    e.set(d, f"SWAP{bits // 8}({e.text(d)})" if fits else f"SWAP{bits // 8}({e.text(d)} & {mask})", (0, mask))


def alu32(e: Emitter, insn: Insn) -> None:
    opcode, d, s, off, imm, _ = insn
    op = opcode & 0xF0
    if op == _MOV:
        move(e, insn)
        return
    if op == _END:
        swap(e, d, imm, bool(opcode & X))
        return
    e.use(d)
    if op not in _LOOSE:
        e.atom(d)
    a, (a_low, a_high) = half(e, d)
    if opcode & X:
        e.use(s)
        if op not in _LOOSE:
            e.atom(s)
        b, (b_low, b_high) = half(e, s)
    else:
        b_low = b_high = imm & MASK32
        b = str(b_high)
    if op == _ADD:
        cut(e, d, a, "+", b, a_low + b_low, a_high + b_high)
    elif op == _SUB:
        cut(e, d, a, "-", b, a_low - b_high, a_high - b_low)
    elif op == _MUL:
        cut(e, d, a, "*", b, a_low * b_low, a_high * b_high)
    elif op == _NEG:
        e.set(d, f"-{a} & {M32}", (0, MASK32))
    elif op == _AND:
        cut(e, d, e.text(d), "&", b, 0, min(a_high, b_high))
    elif op in (_OR, _XOR):
        cut(e, d, a, "|" if op == _OR else "^", b, 0, _ones(max(a_high, b_high)))
    elif op in (_LSH, _RSH, _ARSH):
        by = str(imm & 31) if not opcode & X else b if b_high <= 31 else f"({b} & 31)"
        most = imm & 31 if not opcode & X else 31
        if op == _LSH:
            cut(e, d, a, "<<", by, 0, a_high << most)
        elif op == _RSH or a_high < S32:
            cut(e, d, a, ">>", by, 0, a_high >> (0 if opcode & X else most))
        else:
            e.set(d, f"({a} ^ {S32}) - {S32} >> {by} & {M32}", (0, MASK32))
    elif off:
        e.set(d, f"{'SD' if op == _DIV else 'SM'}({a}, {b}, 32) & {M32}", (0, MASK32))
    else:
        divide(e, op, d, a, a_high, b, (b_low, b_high))


def half(e: Emitter, reg: int) -> tuple[str, tuple[int, int]]:
    """Text for the low 32 bits of a register, and their range."""
    text, high = e.low32(reg)
    return text, (0 if text[0] == "(" else e.number(reg)[0], high)


def cut(e: Emitter, d: int, a: str, operator: str, b: str, low: int, high: int) -> None:
    """Set a register to a 32-bit result, masked unless its range says that it fits."""
    if low < 0 or high > MASK32:
        e.set(d, f"{a} {operator} {b} & {M32}", (0, MASK32))
    elif a == NAMES[d]:
        e.change(d, operator, b, (low, high))
    else:
        e.set(d, f"{a} {operator} {b}", (low, high))


def wide(e: Emitter, insn: Insn) -> None:
    d, src = insn[1], insn[2]
    if src == _NONE:
        value = insn.imm64
        e.stand(d, str(value), (value, value))
    elif src == _BTF_ID:
        e.assign(d, f"S.variable(V{e.slot})", FULL)
    else:
        is_map = src in (_MAP_FD, _MAP_IDX)
        e.stand(d, f"K{e.slot}", ("m", e.slot) if is_map else FULL)


def jump(e: Emitter, insn: Insn) -> str:
    """Prepare a jump and give its condition; "" for one that always jumps."""
    opcode, d, s, _, imm, _ = insn
    op = opcode & 0xF0
    if op == _JA:
        return ""
    if op == _JCOND:
        return "S.may_goto_ends()"
    is_64 = opcode & 7 == _JMP
    register = opcode & X
    if is_64:
        (_, a_high), a = e.clean(d), e.text(d)
        top, sign = MASK64, S64
        if register:
            (_, b_high), b = e.clean(s), e.text(s)
    else:
        a, a_high = e.low32(d)
        top, sign = MASK32, S32
        if register:
            b, b_high = e.low32(s)
    if not register:
        b_high = imm & top
        b = str(b_high)
    if op == _JSET:
        return f"{a} & {b}"
    if b == "0" and op in (_JEQ, _JNE):
        return a if op == _JNE else f"not {a}"
    if op in SIGNED_JUMPS and not (a_high < sign and b_high < sign):
        right = f"({b} ^ {sign})" if register else str(b_high ^ sign)
        return f"{a} ^ {sign} {_COMPARE[op]} {right}"  # type: ignore[index]
    return f"{a} {_COMPARE[op]} {b}"  # type: ignore[index]


def _ones(value: int) -> int:
    return (1 << value.bit_length()) - 1


def _is_clean(value: tuple[int, int]) -> bool:
    return value[0] >= 0 and value[1] <= MASK64
