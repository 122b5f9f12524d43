"""Arithmetic on pointers: which kinds take it, how far offsets reach, and what the sum knows."""

from __future__ import annotations

from ...asm.opcodes import Alu
from ..maps import MAX_OFFSET
from ..numbers import tnum
from ..numbers.num import S64_MAX, S64_MIN, UNBOUNDED32, Num, sync
from ..numbers.num import s64 as signed64
from ..numbers.tnum import U64
from ..reject import Reject
from ..values import (
    ANY,
    BTF_ID,
    BUF,
    CTX,
    DYNPTR,
    FLOW_KEYS,
    FUNC,
    KIND,
    MAP_KEY,
    MAP_PTR,
    MAP_VALUE,
    MAYBE_NULL,
    MEM,
    PACKETS,
    PKT,
    PKT_META,
    STACK,
    TP_BUFFER,
    UNTRUSTED,
    Reg,
    type_name,
)
from .bounds import area
from .speculation import check_bounds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..explore import Run
    from .speculation import Masking

OPERATORS = {
    Alu.ADD: "+=",
    Alu.SUB: "-=",
    Alu.MUL: "*=",
    Alu.DIV: "/=",
    Alu.OR: "|=",
    Alu.AND: "&=",
    Alu.LSH: "<<=",
    Alu.RSH: ">>=",
    Alu.NEG: "neg",
    Alu.MOD: "%=",
    Alu.XOR: "^=",
    Alu.MOV: "=",
    Alu.ARSH: "s>>=",
    Alu.END: "endian",
}
_MOVABLE = frozenset((CTX, MAP_VALUE, MAP_KEY, STACK, PKT_META, PKT, TP_BUFFER, BTF_ID, MEM, BUF, FUNC, DYNPTR))


def check_unmodified(reg: Reg, regno: int, *, fixed_ok: bool = False) -> None:
    """The pointer is as it was given, without any offset (or with a fixed one)."""
    name = type_name(reg.type)
    if reg.off < 0:
        text = f"negative offset {name} ptr R{regno} off={reg.off} disallowed"
    elif not fixed_ok and reg.off:
        text = f"dereference of modified {name} ptr R{regno} off={reg.off} disallowed"
    elif reg.num[1] or reg.num[0]:
        text = f"variable {name} access var_off={tnum.text(reg.num.tnum)} disallowed"
    else:
        return
    category = "ctx-access" if reg.type == CTX else "argument"
    raise Reject(
        category, text, hint="use the pointer as it was given; offsets belong into the instruction", regs=(regno,)
    )


def result(
    run: Run,
    op: int,
    wide: bool,
    dst: int,
    pointer: Reg,
    number: Num,
    pointer_first: bool,
    masking: Masking | None = None,
) -> Reg:
    """The value of `pointer op number` (or `number op pointer`), written to register `dst`; Reject when it is not allowed."""
    umin, umax, smin, smax = number[2:6]
    known = not number[1]
    if (known and (smin != smax or umin != umax)) or smin > smax or umin > umax:
        return ANY  # bounds of a dead branch
    if not wide:
        if op == Alu.SUB and run.setting.perfmon:
            return ANY
        raise Reject("type", f"R{dst} 32-bit pointer arithmetic prohibited", regs=(dst,))
    kind = pointer.type & KIND
    name = type_name(pointer.type)
    if pointer.type & MAYBE_NULL:
        raise Reject(
            "null",
            f"R{dst} pointer arithmetic on {name} prohibited, null-check it first",
            hint="compare the pointer with NULL, and do the arithmetic where it is not",
            regs=(dst,),
        )
    if kind == MEM and pointer.type & UNTRUSTED:
        return pointer
    if not (
        kind in _MOVABLE
        or (kind == FLOW_KEYS and known)
        or (kind in (FLOW_KEYS, MAP_PTR) and known and smin == 0 and op == Alu.ADD)
    ):
        raise Reject("type", f"R{dst} pointer arithmetic on {name} prohibited", regs=(dst,))
    _check_offset(number, 0, pointer.type, dst)
    _check_offset(pointer.num, pointer.off, pointer.type, dst)
    if masking is not None:
        masking.before(pointer, number)
    if op != Alu.ADD:
        _check_operator(op, pointer_first, kind, dst)
    new = (_add if op == Alu.ADD else _sub)(run, pointer, number, known, smin)
    _check_offset(new.num, new.off, new.type, dst)
    if not run.setting.perfmon:
        check_bounds(new, dst)
    if masking is not None:
        masking.after(new)
    return new


def _check_operator(op: int, pointer_first: bool, kind: int, dst: int) -> None:
    """Besides adding a number to a pointer, it may be taken from one that is not the stack's."""
    hint = ""
    if op == Alu.SUB and not pointer_first:
        text = "tried to subtract pointer from scalar"
    elif op == Alu.SUB and kind == STACK:
        text, hint = "subtraction from stack pointer prohibited", "add a negative number instead"
    elif op == Alu.SUB:
        return
    elif op in (Alu.AND, Alu.OR, Alu.XOR):
        text = f"bitwise operator {OPERATORS[Alu(op)]} on pointer prohibited"
    else:
        text = f"pointer arithmetic with {OPERATORS[Alu(op)]} operator prohibited"
    raise Reject("type", f"R{dst} {text}", hint=hint, regs=(dst,))


def _add(run: Run, pointer: Reg, number: Num, known: bool, amount: int) -> Reg:
    if known and -(1 << 31) <= pointer.off + amount < 1 << 31:
        return _moved(pointer, pointer.num, pointer.off + amount, pointer.id, pointer.data)
    a = pointer.num
    smin, smax = a[4] + number[4], a[5] + number[5]
    if smin < S64_MIN or smax > S64_MAX:
        smin, smax = S64_MIN, S64_MAX
    umin, umax = a[2] + number[2], a[3] + number[3]
    if umax > U64:
        umin, umax = 0, U64
    new = sync(tuple.__new__(Num, (*tnum.add(a[:2], number[:2]), umin, umax, smin, smax, *UNBOUNDED32)))
    if pointer.type & KIND in PACKETS:
        return _moved(pointer, new, pointer.off, run.new_id(), 0)
    return _moved(pointer, new, pointer.off, pointer.id, pointer.data)


def _sub(run: Run, pointer: Reg, number: Num, known: bool, amount: int) -> Reg:
    if known and -(1 << 31) <= pointer.off - amount < 1 << 31:
        return _moved(pointer, pointer.num, pointer.off - amount, pointer.id, pointer.data)
    a = pointer.num
    smin, smax = a[4] - number[5], a[5] - number[4]
    if smin < S64_MIN or smax > S64_MAX:
        smin, smax = S64_MIN, S64_MAX
    umin, umax = (0, U64) if a[2] < number[3] else (a[2] - number[3], a[3] - number[2])
    new = sync(tuple.__new__(Num, (*tnum.sub(a[:2], number[:2]), umin, umax, smin, smax, *UNBOUNDED32)))
    if pointer.type & KIND in PACKETS:
        return _moved(pointer, new, pointer.off, run.new_id(), 0 if amount < 0 else pointer.data)
    return _moved(pointer, new, pointer.off, pointer.id, pointer.data)


def _moved(pointer: Reg, num: Num, off: int, id: int, data: object) -> Reg:
    return Reg(pointer.type, num, off, id, pointer.ref, data, pointer.extra)


def _check_offset(n: Num, off: int, type: int, reg: int) -> None:
    """Offsets, fixed and variable, stay within 2^29."""
    name = type_name(type)
    if not n[1]:
        value = signed64(n[0])
        if not -MAX_OFFSET < value < MAX_OFFSET:
            raise Reject(area(type), f"math between {name} pointer and {value} is not allowed", regs=(reg,))
    if not -MAX_OFFSET < off < MAX_OFFSET:
        raise Reject(area(type), f"{name} pointer offset {off} is not allowed", regs=(reg,))
    smin = n[4]
    if smin == S64_MIN:
        raise Reject(
            area(type),
            f"math between {name} pointer and register with unbounded min value is not allowed",
            hint="bound the number first, with `&=` or a comparison",
            regs=(reg,),
        )
    if not -MAX_OFFSET < smin < MAX_OFFSET:
        raise Reject(area(type), f"value {smin} makes {name} pointer be out of bounds", regs=(reg,))
