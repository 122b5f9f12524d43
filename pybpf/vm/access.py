"""Loads, stores and atomics as Python text, by what their address is known to be."""

from __future__ import annotations

from ..asm.opcodes import Atomic, Mode
from .calls import clobber
from .context.base import storable
from .emit import M32, NO_PACKET, S32, SIZE, SURPRISE, TOP
from .memory import CTX, FRAME_SIZE
from .ranges import FULL, SLOTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..asm.insn import Insn
    from .emit import Emitter, Value

_IN_PLACE = {int(Atomic.ADD): "ADD", int(Atomic.OR): "OR", int(Atomic.AND): "AND", int(Atomic.XOR): "XOR"}
_MEMSX, _ATOMIC, _IND, _ABS = map(int, (Mode.MEMSX, Mode.ATOMIC, Mode.IND, Mode.ABS))


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
            e.assign(d, f"CP[{at}]", ("p", 0) if at == e.shape.data else FULL)
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
        e.uses.add("PK")
        text = f"PK[{at}]" if size == 1 else f"U{size}(PK, {at})[0]"
    elif e.in_loop:
        window, offset = place(e, s, off, "W")
        text = f"{window}[{offset}]" if size == 1 else f"U{size}({window}, {offset})[0]"
    else:
        text = f"LD{size}({address(e, s, off)})"
    if opcode & 0xE0 == _MEMSX:
        half = 1 << (size * 8 - 1)
        text, value = f"({text} ^ {half}) - {half}", (-half, half - 1)
    e.assign(d, text, value)


def address(e: Emitter, base: int, off: int) -> str:
    """The address of an access as text."""
    e.clean(base)
    text = e.text(base)
    return text if not off else f"{text} + {off}" if off > 0 else f"{text} - {-off}"


def place(e: Emitter, base: int, off: int, table: str) -> tuple[str, str]:
    """(region, offset) as text for an access through any pointer: what `LD` and `ST` do, without a call."""
    at = address(e, base, off)
    return f"{table}[{at} >> 32]", f"{at} & {M32}"


def stack_load(e: Emitter, at: int, size: int) -> tuple[str, Value]:
    known = e.state[SLOTS].get(at)
    value = known[1] if known is not None and known[0] == size else TOP[size]
    if e.promoted is not None:
        return f"s{-at}", value
    index = FRAME_SIZE + at
    if not 0 <= index <= FRAME_SIZE - size:
        e.put(SURPRISE)
        return "0", FULL
    return stack_text(index, size), value


def stack_text(index: int, size: int) -> str:
    """A load from the stack, `index` bytes above its lower end."""
    if size == 1:
        return f"S1[{index}]"
    return f"U{size}(S1, {index})[0]" if index % size else f"S{size}[{index // size}]"


def store_register(e: Emitter, insn: Insn) -> None:
    if insn[0] & 0xE0 == _ATOMIC:
        atomic(e, insn)
        return
    s = insn[2]
    size = SIZE[insn[0] & 0x18]
    value = e.use(s)
    if size == 8:
        e.clean(s)
        text = e.text(s)
        value = e.state[s]
    else:
        low, high = e.number(s)
        if low >= 0 and high <= TOP[size][1]:
            text, value = e.text(s), (low, high)
        else:
            text, value = f"{e.text(s)} & {TOP[size][1]}", TOP[size]
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
        inside = 0 <= at <= e.shape.size - size and at not in e.shape.pointers
        if inside and storable(e.shape.kind, at, size):
            e.uses.add("CB")
            e.put(f"CB[{at}] = {text}" if size == 1 else f"P{size}(CB, {at}, {text})")
        else:
            e.put(SURPRISE)
    elif kind == "p" and base[1] + off >= 0:
        at = base[1] + off
        e.uses.add("PK")
        e.put(f"PK[{at}] = {text}" if size == 1 else f"P{size}(PK, {at}, {text})")
    else:
        if e.in_loop:
            window, offset = place(e, d, off, "WW")
            e.put(f"{window}[{offset}] = {text}" if size == 1 else f"P{size}({window}, {offset}, {text})")
        else:
            e.put(f"ST{size}({address(e, d, off)}, {text})")
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
        e.put(f"S1[{index}] = {text}" if size == 1 else f"P{size}(S1, {index}, {text})")
    else:
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
    e.clean(s)
    if imm == Atomic.STORE_REL:
        store(e, insn, size, e.text(s) if size == 8 else f"{e.text(s)} & {TOP[size][1]}", TOP[size])
        return
    if imm in _IN_PLACE and insn[0] & 0x18 in (0x00, 0x18):
        e.put(f"{_IN_PLACE[imm]}{size}({address(e, d, off)}, {e.text(s)})")
    else:
        expected = "0"
        if imm == Atomic.CMPXCHG:
            e.clean(0)
            expected = e.text(0)
        text = f"AT(S, {address(e, d, off)}, {size}, {imm}, {e.text(s)}, {expected})"
        if imm == Atomic.CMPXCHG:
            e.assign(0, text, TOP[size])
        elif imm & Atomic.FETCH:
            e.assign(s, text, TOP[size])
        else:
            e.put(text)
    e.forget_stack()


def packet_load(e: Emitter, insn: Insn) -> None:
    size = SIZE[insn[0] & 0x18]
    imm = insn[4]
    if e.use(6) != ("c", 0):
        e.put(f"if {e.text(6)} != {CTX << 32}: {SURPRISE}")
    if insn[0] & 0xE0 == _ABS and imm >= 0 and e.shape.data != NO_PACKET:
        e.uses.add("PK")
        e.put_counted(f"if len(PK) < {imm + size}: return 0, {{}}")
        text = f"PK[{imm}]" if size == 1 else f"B{size}(PK, {imm})[0]"
    else:
        offset = str(imm)
        if insn[0] & 0xE0 == _IND:
            low, _ = e.low32(insn[2])
            offset = f"({low} + {imm} & {M32} ^ {S32}) - {S32}"
        e.put(f"a = S.packet_load({offset}, {size})")
        e.put_counted("if a is None: return 0, {}")
        text = "a"
    e.assign(0, text, TOP[size])
    clobber(e)
