"""Arithmetic, moves and comparisons as Python text: masks only where the ranges say that they are needed."""

from __future__ import annotations

from ..asm.opcodes import Alu, Class, Jmp, Pseudo
from .emit import M32, M64, S32, S64, X
from .memory import MASK32, MASK64
from .ranges import FULL, SIGNED_JUMPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..asm.insn import Insn
    from .emit import Emitter, Value

_A = Alu
_COMPARE = {
    Jmp.JEQ: "==", Jmp.JNE: "!=", Jmp.JGT: ">", Jmp.JGE: ">=", Jmp.JLT: "<", Jmp.JLE: "<=",
    Jmp.JSGT: ">", Jmp.JSGE: ">=", Jmp.JSLT: "<", Jmp.JSLE: "<=",
}  # fmt: skip


def alu64(e: Emitter, insn: Insn) -> None:
    opcode, d, s, off, imm, _ = insn
    op = opcode & 0xF0
    if op == _A.MOV:
        move(e, insn)
        return
    if op == _A.END:
        swap(e, d, imm, True)
        return
    known = e.use(d)
    register = opcode & X
    b: Value = (imm, imm)
    if register:
        b = e.use(s)
        e.real(s)
    elif type(known[0]) is str and known[0] != "m" and op in (_A.ADD, _A.SUB):
        step = imm if op == _A.ADD else -imm
        if d in e.virtual:
            e.know(d, (known[0], known[1] + step), virtual=True)
            return
        e.set(d, f"r{d} + {step}" if step >= 0 else f"r{d} - {-step}", (known[0], known[1] + step))
        return
    a = e.number(d)
    text = f"r{s}" if register else str(imm)
    if register:
        b = FULL if type(b[0]) is str else b
    if op == _A.ADD:
        # A pointer plus a small number stays below 2^64: the windows leave room.
        if type(known[0]) is str and b[0] >= 0 and b[1] <= MASK32:
            e.set(d, f"r{d} + {text}", FULL)
        else:
            e.set(d, f"r{d} + {text}" if imm >= 0 or register else f"r{d} - {-imm}", (a[0] + b[0], a[1] + b[1]))
    elif op == _A.SUB:
        e.set(d, f"r{d} - {text}" if imm >= 0 or register else f"r{d} + {-imm}", (a[0] - b[1], a[1] - b[0]))
    elif op == _A.MUL:
        a = e.clean(d)
        if register:
            b = e.clean(s)
        top = max(a[1] * b[1], a[1] * -b[0])
        e.set(d, f"r{d} * {text}", (min(0, a[1] * b[0]), top))
    elif op == _A.NEG:
        e.set(d, f"-r{d}", (-a[1], -a[0]))
    elif op in (_A.AND, _A.OR, _A.XOR):
        bitwise(e, op, d, s if register else None, imm)
    elif op in (_A.LSH, _A.RSH, _A.ARSH):
        shift64(e, op, d, s if register else None, imm)
    else:
        divide64(e, op, d, s if register else None, imm, bool(off))


def bitwise(e: Emitter, op: int, d: int, s: int | None, imm: int) -> None:
    if s is None:
        constant = imm & MASK64
        if op == _A.AND:
            a = e.number(d)
            e.set(d, f"r{d} & {constant}", (0, min(a[1], constant) if a[0] >= 0 else constant))
            return
        a = e.clean(d)
        e.set(d, f"r{d} {'|' if op == _A.OR else '^'} {constant}", (0, _ones(max(a[1], constant))))
        return
    if op == _A.AND:
        a, b = e.number(d), e.number(s)
        if not _is_clean(a) and not _is_clean(b):
            a = e.clean(d)
        high = min(v[1] for v in (a, b) if _is_clean(v))
        e.set(d, f"r{d} & r{s}", (0, high))
        return
    a, b = e.clean(d), e.clean(s)
    e.set(d, f"r{d} {'|' if op == _A.OR else '^'} r{s}", (0, _ones(max(a[1], b[1]))))


def shift64(e: Emitter, op: int, d: int, s: int | None, imm: int) -> None:
    if s is None:
        k = imm & 63
        if op == _A.LSH:
            a = e.number(d)
            e.set(d, f"r{d} << {k}", (a[0] << k, a[1] << k))
            return
        a = e.clean(d)
        if op == _A.RSH or a[1] < S64:
            e.set(d, f"r{d} >> {k}", (a[0] >> k, a[1] >> k))
        else:
            e.set(d, f"(r{d} ^ {S64}) - {S64} >> {k}", (-S64 >> k, S64 >> k))
        return
    a, b = e.clean(d), e.clean(s)
    by = f"r{s}" if b[1] <= 63 else f"(r{s} & 63)"
    if op == _A.LSH:
        e.set(d, f"r{d} << {by} & {M64}", FULL)
    elif op == _A.RSH or a[1] < S64:
        e.set(d, f"r{d} >> {by}", (0, a[1]))
    else:
        e.set(d, f"(r{d} ^ {S64}) - {S64} >> {by}", (-S64, S64))


def divide64(e: Emitter, op: int, d: int, s: int | None, imm: int, is_signed: bool) -> None:
    a = e.clean(d)
    if s is not None:
        e.clean(s)
    text = str(imm & MASK64) if s is None else f"r{s}"
    if is_signed:
        e.set(d, f"{'SD' if op == _A.DIV else 'SM'}(r{d}, {text}, 64)", (-S64, S64))
    elif op == _A.DIV:
        if s is None:
            e.set(d, f"r{d} // {text}" if imm else "0", (0, a[1]))
        else:
            e.set(d, f"r{d} // {text} if {text} else 0", (0, a[1]))
    elif s is None:
        if imm:
            e.set(d, f"r{d} % {text}", (0, min(a[1], (imm & MASK64) - 1)))
    else:
        e.set(d, f"r{d} % {text} if {text} else r{d}", (0, a[1]))


def move(e: Emitter, insn: Insn) -> None:
    opcode, d, s, off, imm, _ = insn
    wide = opcode & 7 == Class.ALU64
    if not opcode & X:
        value = imm & (MASK64 if wide else MASK32)
        e.set(d, str(value), (value, value))
    elif off:
        low, high = e.number(s)
        half = 1 << (off - 1)
        if low >= 0 and high < half:
            e.set(d, f"r{s}", (low, high))
        elif wide:
            e.set(d, f"(r{s} & {2 * half - 1} ^ {half}) - {half}", (-half, half - 1))
        else:
            e.set(d, f"(r{s} & {2 * half - 1} ^ {half}) - {half} & {M32}", (0, MASK32))
    elif wide:
        value = e.use(s)
        if s == 10 or s in e.virtual:
            e.know(d, value, virtual=True)
            return
        e.put(f"r{d} = r{s}")
        e.know(d, value)
        e.copied = (len(e.lines), d)
    else:
        text, high = e.low32(s)
        low = e.number(s)[0] if text[0] == "r" else 0
        e.set(d, text, (low, high))


def swap(e: Emitter, d: int, bits: int, swaps: bool) -> None:
    low, high = e.number(d)
    mask = (1 << bits) - 1
    if not swaps:
        if low < 0 or high > mask:
            e.set(d, f"r{d} & {mask}", (0, mask))
    elif bits == 16:
        e.set(d, f"(r{d} & 255) << 8 | r{d} >> 8{' & 255' if high > mask or low < 0 else ''}", (0, 0xFFFF))
    else:
        text = f"r{d}" if low >= 0 and high <= mask else f"(r{d} & {mask})"
        e.set(d, f'FB({text}.to_bytes({bits // 8}, "little"), "big")', (0, mask))


def alu32(e: Emitter, insn: Insn) -> None:
    opcode, d, s, off, imm, _ = insn
    op = opcode & 0xF0
    if op == _A.MOV:
        move(e, insn)
        return
    if op == _A.END:
        swap(e, d, imm, bool(opcode & X))
        return
    register = opcode & X
    if register:
        e.use(s)
    a, a_high = e.low32(d)
    a_low = e.number(d)[0] if a[0] == "r" else 0
    if register:
        b, b_high = e.low32(s)
        b_low = e.number(s)[0] if b[0] == "r" else 0
    else:
        b_low = b_high = imm & MASK32
        b = str(b_high)
    if op == _A.ADD:
        cut(e, d, f"{a} + {b}", a_low + b_low, a_high + b_high)
    elif op == _A.SUB:
        cut(e, d, f"{a} - {b}", a_low - b_high, a_high - b_low)
    elif op == _A.MUL:
        cut(e, d, f"{a} * {b}", a_low * b_low, a_high * b_high)
    elif op == _A.NEG:
        cut(e, d, f"-{a}", -a_high, -a_low)
    elif op == _A.AND:
        e.set(d, f"{a} & {b}", (0, min(a_high, b_high)))
    elif op in (_A.OR, _A.XOR):
        e.set(d, f"{a} {'|' if op == _A.OR else '^'} {b}", (0, _ones(max(a_high, b_high))))
    elif op in (_A.LSH, _A.RSH, _A.ARSH):
        by = str(imm & 31) if not register else b if b_high <= 31 else f"({b} & 31)"
        most = imm & 31 if not register else 31
        if op == _A.LSH:
            cut(e, d, f"{a} << {by}", 0, a_high << most)
        elif op == _A.RSH or a_high < S32:
            e.set(d, f"{a} >> {by}", (0, a_high >> (0 if register else most)))
        else:
            e.set(d, f"({a} ^ {S32}) - {S32} >> {by} & {M32}", (0, MASK32))
    elif off:
        e.set(d, f"{'SD' if op == _A.DIV else 'SM'}({a}, {b}, 32) & {M32}", (0, MASK32))
    elif op == _A.DIV:
        text = f"{a} // {b}" if b_low else f"{a} // {b} if {b} else 0"
        e.set(d, "0" if not b_high else text, (0, a_high))
    else:
        text = f"{a} % {b}" if b_low else f"{a} % {b} if {b} else {a}"
        e.set(d, a if not b_high else text, (0, a_high))


def cut(e: Emitter, d: int, text: str, low: int, high: int) -> None:
    """Set a register to a 32-bit result, masked unless its range says that it fits."""
    if low >= 0 and high <= MASK32:
        e.set(d, text, (low, high))
    else:
        e.set(d, f"{text} & {M32}", (0, MASK32))


def wide(e: Emitter, insn: Insn) -> None:
    d, src = insn[1], insn[2]
    if src == Pseudo.NONE:
        value = insn.imm64
        e.set(d, str(value), (value, value))
    elif src == Pseudo.BTF_ID:
        e.set(d, f"S.variable(V{e.slot})", FULL)
    else:
        if src in (Pseudo.MAP_FD, Pseudo.MAP_IDX):
            e.know(d, ("m", e.slot), virtual=True)
        else:
            e.set(d, f"K{e.slot}", FULL)


def jump(e: Emitter, insn: Insn) -> str:
    """Prepare a jump and give its condition; "" for one that always jumps."""
    opcode, d, s, _, imm, _ = insn
    op = opcode & 0xF0
    if op == Jmp.JA:
        return ""
    if op == Jmp.JCOND:
        return "S.may_goto_ends()"
    is_64 = opcode & 7 == Class.JMP
    register = opcode & X
    if register:
        e.use(s)
    if is_64:
        a, (_, a_high) = f"r{d}", e.clean(d)
        top, sign = MASK64, S64
        if register:
            b, (_, b_high) = f"r{s}", e.clean(s)
    else:
        a, a_high = e.low32(d)
        top, sign = MASK32, S32
        if register:
            b, b_high = e.low32(s)
    if not register:
        b_high = imm & top
        b = str(b_high)
    if op == Jmp.JSET:
        return f"{a} & {b}"
    if op in SIGNED_JUMPS and not (a_high < sign and b_high < sign):
        right = f"({b} ^ {sign})" if register else str(b_high ^ sign)
        return f"{a} ^ {sign} {_COMPARE[op]} {right}"  # type: ignore[index]
    return f"{a} {_COMPARE[op]} {b}"  # type: ignore[index]


def _ones(value: int) -> int:
    return (1 << value.bit_length()) - 1


def _is_clean(value: tuple[int, int]) -> bool:
    return value[0] >= 0 and value[1] <= MASK64
