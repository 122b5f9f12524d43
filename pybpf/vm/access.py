"""Loads, stores and atomics as Python text, by what their address is known to be."""

from __future__ import annotations

from ..asm.opcodes import Atomic, Mode
from .calls import clobber
from .emit import M32, NO_PACKET, S32, SIZE, SURPRISE, TOP
from .memory import CTX, FRAME_SIZE
from .ranges import FULL, SLOTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..asm.insn import Insn
    from .emit import Emitter, Value

_INPLACE = {Atomic.ADD: "+", Atomic.OR: "|", Atomic.AND: "&", Atomic.XOR: "^"}


def load(e: Emitter, insn: Insn) -> None:
    opcode, d, s, off, _, _ = insn
    size = SIZE[opcode & 0x18]
    base = e.use(s)
    value: Value = TOP[size]
    kind = base[0]
    if kind == "c":
        at = base[1] + off
        if at in e.shape.pointers:
            e.uses.add("CP")
            if at == e.shape.data:
                e.uses.add("PK")
                e.put("PK = S.ctx.packet.view")
                value = ("p", 0)
            else:
                value = FULL
            e.set(d, f"CP[{at}]", value)
            return
        if not 0 <= at <= e.shape.size - size:
            e.put(SURPRISE)
            e.know(d, FULL)
            return
        e.uses.add("CB")
        text = f"CB[{at}]" if size == 1 else f"U{size}(CB, {at})[0]"
    elif kind == "f":
        text, value = stack_load(e, base[1] + off, size)
    elif kind == "p" and base[1] + off >= 0:
        at = base[1] + off
        text = f"PK[{at}]" if size == 1 else f"U{size}(PK, {at})[0]"
    else:
        window, offset = place(e, s, off, "W")
        text = f"{window}[{offset}]" if size == 1 else f"U{size}({window}, {offset})[0]"
    if opcode & 0xE0 == Mode.MEMSX:
        half = 1 << (size * 8 - 1)
        text, value = f"({text} ^ {half}) - {half}", (-half, half - 1)
    e.set(d, text, value)


def place(e: Emitter, base: int, off: int, table: str) -> tuple[str, str]:
    """(region, offset) as text for an access through any pointer."""
    e.clean(base)
    if off >= 0:
        # Offset and window cannot wrap here: an end beyond the window is beyond the region too.
        plus = f" + {off}" if off else ""
        low = f"(r{base} & {M32})" if off else f"r{base} & {M32}"
        return f"{table}[r{base} >> 32]", f"{low}{plus}"
    e.put(f"a = r{base} - {-off}")
    return f"{table}[a >> 32]", f"a & {M32}"


def stack_load(e: Emitter, at: int, size: int) -> tuple[str, Value]:
    known = e.state[SLOTS].get(at)
    value = known[1] if known is not None and known[0] == size else TOP[size]
    if e.promoted is not None:
        return f"s{-at}", value
    index = FRAME_SIZE + at
    if not 0 <= index <= FRAME_SIZE - size:
        e.put(SURPRISE)
        return "0", FULL
    if index % size or size == 1:
        e.uses.add("S1")
        return (f"S1[{index}]" if size == 1 else f"U{size}(S1, {index})[0]"), value
    e.uses.add(f"S{size}")
    return f"S{size}[{index // size}]", value


def store_register(e: Emitter, insn: Insn) -> None:
    if insn[0] & 0xE0 == Mode.ATOMIC:
        atomic(e, insn)
        return
    s = insn[2]
    size = SIZE[insn[0] & 0x18]
    value = e.use(s)
    if size == 8:
        e.clean(s)
        text = f"r{s}"
        value = e.state[s]
    else:
        low, high = e.number(s)
        if low >= 0 and high <= TOP[size][1]:
            text, value = f"r{s}", (low, high)
        else:
            text, value = f"r{s} & {TOP[size][1]}", TOP[size]
    store(e, insn, size, text, value)


def store_number(e: Emitter, insn: Insn) -> None:
    size = SIZE[insn[0] & 0x18]
    number = insn[4] & TOP[size][1]
    store(e, insn, size, str(number), (number, number))


def store(e: Emitter, insn: Insn, size: int, text: str, value: Value) -> None:
    d, off = insn[1], insn[3]
    base = e.use(d)
    kind = base[0]
    if kind == "f":
        stack_store(e, base[1] + off, size, text, value)
    elif kind == "c":
        at = base[1] + off
        if 0 <= at <= e.shape.size - size and at not in e.shape.pointers:
            e.uses.add("CB")
            e.put(f"CB[{at}] = {text}" if size == 1 else f"P{size}(CB, {at}, {text})")
        else:
            e.put(SURPRISE)
    elif kind == "p" and base[1] + off >= 0:
        at = base[1] + off
        e.put(f"PK[{at}] = {text}" if size == 1 else f"P{size}(PK, {at}, {text})")
    else:
        window, offset = place(e, d, off, "WW")
        e.put(f"{window}[{offset}] = {text}" if size == 1 else f"P{size}({window}, {offset}, {text})")
        e.forget_stack()


def stack_store(e: Emitter, at: int, size: int, text: str, value: Value) -> None:
    slots = e.state[SLOTS]
    if e.promoted is not None:
        e.put(f"s{-at} = {text}")
        e.state[SLOTS] = {**slots, at: (size, value)}
        return
    index = FRAME_SIZE + at
    if not 0 <= index <= FRAME_SIZE - size:
        e.put(SURPRISE)
        return
    if index % size or size == 1:
        e.uses.add("S1")
        e.put(f"S1[{index}] = {text}" if size == 1 else f"P{size}(S1, {index}, {text})")
    else:
        e.uses.add(f"S{size}")
        e.put(f"S{size}[{index // size}] = {text}")
    kept = {o: v for o, v in slots.items() if o + v[0] <= at or o >= at + size}
    kept[at] = (size, value)
    e.state[SLOTS] = kept


def atomic(e: Emitter, insn: Insn) -> None:
    opcode, d, s, off, imm, _ = insn
    size = SIZE[opcode & 0x18]
    if imm == Atomic.LOAD_ACQ:
        load(e, insn)
        return
    e.use(s)
    e.use(d)
    if imm == Atomic.STORE_REL:
        e.clean(s)
        text = f"r{s}" if size == 8 else f"r{s} & {TOP[size][1]}"
        store(e, insn, size, text, TOP[size])
        return
    e.clean(s)
    operation = _INPLACE.get(imm)  # type: ignore[call-overload]
    if operation and off >= 0:
        window, offset = place(e, d, off, "WW")
        e.put(f"a = {window}; b = {offset}")
        e.put(f"P{size}(a, b, (U{size}(a, b)[0] {operation} r{s}) & {TOP[size][1]})")
    else:
        e.clean(d)
        if imm == Atomic.CMPXCHG:
            e.clean(0)
        result = "r0" if imm == Atomic.CMPXCHG else f"r{s}" if imm & Atomic.FETCH else "a"
        expected = "r0" if imm == Atomic.CMPXCHG else "0"
        e.put(f"{result} = AT(S, r{d} + {off}, {size}, {imm}, r{s}, {expected})")
        if result != "a":
            e.know(int(result[1:]), TOP[size])
    e.forget_stack()


def packet_load(e: Emitter, insn: Insn) -> None:
    size = SIZE[insn[0] & 0x18]
    imm = insn[4]
    base = e.use(6)
    if base != ("c", 0):
        e.real(6)
        e.put(f"if r6 != {CTX << 32}: {SURPRISE}")
    leave = "S.insns = n + {}; return 0"
    if insn[0] & 0xE0 == Mode.ABS and imm >= 0 and e.shape.data != NO_PACKET:
        e.uses.add("PL")
        e.put(f"if PL < {imm + size}: {leave}")
        text = f"PK[{imm}]" if size == 1 else f"B{size}(PK, {imm})[0]"
    else:
        offset = str(imm)
        if insn[0] & 0xE0 == Mode.IND:
            low, _ = e.low32(insn[2])
            offset = f"({low} + {imm} & {M32} ^ {S32}) - {S32}"
        e.put(f"a = S.packet_load({offset}, {size})")
        e.put(f"if a is None: {leave}")
        text = "a"
    e.set(0, text, TOP[size])
    clobber(e, 0)
