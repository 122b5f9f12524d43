"""Instructions to Python text, one basic block at a time, and what is known about each register on the way.

Registers are Python locals `r0`..`r10` that hold unsigned 64-bit numbers.  What is known decides what has to be
written:

    None            may hold nothing: the first use checks
    (low, high)     a number in this range; beyond 0..2^64-1 it is *dirty*, congruent modulo 2^64, and is cut when it
    matters ("c", offset)   the context plus offset           ("f", offset)  the frame pointer plus offset
    ("p", offset)   the packet's data plus offset     ("m", slot)    the map that the wide load at `slot` names

Whatever cannot be written plainly raises, and the interpreter takes over at that instruction (see `translate.py`).
"""

from __future__ import annotations

from ..asm.opcodes import LD_IMM64, Alu, Atomic, Call, Class, Jmp, Mode, Pseudo, Src
from .flow import Block, helper_arity
from .helpers.table import KFUNCS, MODELS, QUIET, VARIADIC, name_of
from .image import CALL, EXIT
from .isa import defect
from .memory import CTX, FRAME_SIZE, MASK32, MASK64
from .ranges import FULL, SIGNED_JUMPS, SLOTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..asm.insn import Insn

    Value = Any  # one of the forms above
    State = list[Any]  # r0..r10, and at index 11 what is known of stack slots: offset from r10 -> (size, value)
    # Text, its slot, the instructions executed before it in this block, and the registers that are virtual there.
    Line = tuple[str, int, int, "dict[int, Value] | None"]

NO_PACKET = -2
NOWHERE = -(1 << 40)  # the slot of text that belongs to no instruction
_LARGEST = 1 << 190  # dirty numbers are cut before they grow beyond this
_M64, _M32 = str(MASK64), str(MASK32)
_S64, _S32 = 1 << 63, 1 << 31
_SIGNED_RESULT = (-_S64, MASK64)
_SIZE = {0x00: 4, 0x08: 2, 0x10: 1, 0x18: 8}
_TOP = {1: (0, 0xFF), 2: (0, 0xFFFF), 4: (0, MASK32), 8: FULL}
_CLEAN_RESULT = frozenset(
    [
        "map_lookup_elem",
        "map_lookup_percpu_elem",
        "ringbuf_reserve",
        "ktime_get_ns",
        "ktime_get_boot_ns",
        "get_prandom_u32",
        "get_smp_processor_id",
        "get_current_pid_tgid",
        "get_current_uid_gid",
    ]
)
_CALLS_BACK = frozenset(("loop", "for_each_map_elem", "user_ringbuf_drain"))
_SURPRISE = "raise LookupError"
_COMPARE = {
    Jmp.JEQ: "==", Jmp.JNE: "!=", Jmp.JGT: ">", Jmp.JGE: ">=", Jmp.JLT: "<", Jmp.JLE: "<=",
    Jmp.JSGT: ">", Jmp.JSGE: ">=", Jmp.JSLT: "<", Jmp.JSLE: "<=",
}  # fmt: skip
_INPLACE = {Atomic.ADD: "+", Atomic.OR: "|", Atomic.AND: "&", Atomic.XOR: "^"}
_A, _L, _X = Alu, Class, Src.X


class Shape:
    """What a translation depends on beside the instructions: the context's form, the maps, and which helpers are
    replaced.
    """

    def __init__(
        self,
        size: int,
        pointers: frozenset[int],
        data: int,
        maps: dict[int, tuple[int, bool] | None],
        replaced: frozenset[str],
    ) -> None:
        self.size = size
        self.pointers = pointers
        # The offset of the field that holds the packet's address; -1 for none, NO_PACKET where there is no packet.
        self.data = data
        self.maps = maps
        self.replaced = replaced
        self.key = (size, pointers, data, tuple(sorted(maps.items())), replaced)


class Emitter:
    """Writes the blocks of one function.  `promoted` maps stack offsets to sizes when slots can be locals, else
    None.
    """

    def __init__(self, shape: Shape, starts: list[int], promoted: dict[int, int] | None) -> None:
        self.shape = shape
        self.starts = starts
        self.promoted = promoted
        self.uses: set[str] = set()
        self.calls: dict[int, list[Value]] = {}
        self.lines: list[Line] = []
        self.state: State = []
        # Registers that hold a constant pointer (stack, map) which no text has needed yet: they have no local so far.
        self.virtual: dict[int, Value] = {}
        self.dirty = 0  # registers beyond 64 bits, as a bit mask (bits may be stale)
        self.copied = (-1, -1)  # (number of lines, register) after a plain copy into that register was written
        self.slot = 0
        self.count = 0

    def block(self, block: Block, state: State) -> tuple[str, State]:
        """Write a block that is entered with `state`; gives the condition of its jump ("" for none) and the state
        behind it.

        The text is in `lines` afterwards.
        """
        self.lines = []
        self.virtual = {}
        self.dirty = 0
        self.copied = (-1, -1)
        self.state = state
        condition = ""
        count = 0
        for slot, insn in block.code:
            self.slot, self.count = slot, count
            count += 1
            cls = insn[0] & 7
            if insn not in _SOUND and not _sound(insn):
                self.put(_SURPRISE)
            elif cls == 7:
                self.alu64(insn)
            elif cls == 4:
                self.alu32(insn)
            elif cls == 1:
                self.load(insn)
            elif cls == 3:
                self.store_register(insn)
            elif cls == 2:
                self.store_number(insn)
            elif cls == 0:
                self.wide(insn) if insn[0] == LD_IMM64 else self.packet_load(insn)
            elif insn[0] == CALL:
                self.call(insn, block)
            elif insn[0] == EXIT:
                self.use(0)
                self.clean(0)
                self.put(f"S.insns = n + {{pending}} + {count}")
                self.put("return r0")
            else:
                condition = self.jump(insn)
        if block.broken is not None:
            self.slot, self.count = block.broken, count
            self.put(_SURPRISE)
        self.count = count
        self.settle(block.live)
        return condition, self.state

    # --- writing -----------------------------------------------------------------------------------

    def put(self, text: str) -> None:
        self.lines.append((text, self.slot, self.count, self.virtual.copy() if self.virtual else None))

    def know(self, reg: int, value: Value, *, virtual: bool = False) -> None:
        """From here on the register holds `value`; when `virtual`, without a local."""
        self.state[reg] = value
        if value is not None and (value is _SIGNED_RESULT or self.dirty):
            self.dirty |= 1 << reg
        if virtual:
            self.virtual[reg] = value
        elif self.virtual:
            self.virtual.pop(reg, None)

    def real(self, reg: int) -> None:
        """Give a virtual register its local."""
        if reg in self.virtual:
            kind, at = self.virtual.pop(reg)
            self.put(
                f"r{reg} = K{at}" if kind == "m" else f"r{reg} = r10 + {at}" if at >= 0 else f"r{reg} = r10 - {-at}"
            )

    def use(self, reg: int) -> Value:
        """The value of a register that is about to be read; one that may hold nothing is checked first."""
        value = self.state[reg]
        if value is None:
            self.put(f"if r{reg} is None: {_SURPRISE}")
            value = self.state[reg] = FULL
        return value

    def number(self, reg: int) -> tuple[int, int]:
        """The range of a register that is about to be read as a number."""
        value = self.use(reg)
        if reg in self.virtual:
            self.real(reg)
        return FULL if type(value[0]) is str else value

    def clean(self, reg: int) -> tuple[int, int]:
        """Cut a dirty register to 64 bits; its range."""
        low, high = self.number(reg)
        if low < 0 or high > MASK64:
            self.put(f"r{reg} &= {_M64}")
            self.state[reg] = FULL
            return FULL
        return low, high

    def low32(self, reg: int) -> tuple[str, int]:
        """Text for the low 32 bits of a register, and their largest value."""
        low, high = self.number(reg)
        if low >= 0 and high <= MASK32:
            return f"r{reg}", high
        return f"(r{reg} & {_M32})", MASK32

    def settle(self, live: int) -> None:
        """Bring registers into their plain form at the end of a block, those that are still needed."""
        for reg in list(self.virtual):
            if live >> reg & 1:
                self.real(reg)
            else:
                del self.virtual[reg]
                self.state[reg] = None
        if not self.dirty:
            return
        for reg in range(10):
            value = self.state[reg]
            if (
                self.dirty >> reg & 1
                and value is not None
                and type(value[0]) is int
                and (value[0] < 0 or value[1] > MASK64)
            ):
                if live >> reg & 1:
                    self.put(f"r{reg} &= {_M64}")
                    self.state[reg] = FULL
                else:
                    self.state[reg] = None

    def set(self, reg: int, text: str, value: Value) -> None:
        if self.virtual:
            self.virtual.pop(reg, None)
        if self.copied == (len(self.lines), reg) and text.startswith(f"r{reg} ") and text.count(f"r{reg}") == 1:
            # `r3 = r1` followed by `r3 = r3 + 42` is one line.
            text = self.lines.pop()[0].partition("= ")[2] + text[len(f"r{reg}") :]
            self.copied = (-1, -1)  # once: a third operation would bind tighter, or looser, than the second
        self.put(f"r{reg} = {text}")
        low = value[0]
        if type(low) is int and (low < 0 or value[1] > MASK64):
            if value[1] > _LARGEST or low < -_LARGEST:
                self.put(f"r{reg} &= {_M64}")
                value = FULL
            else:
                self.dirty |= 1 << reg
        self.state[reg] = value

    # --- arithmetic ----------------------------------------------------------------------------------

    def alu64(self, insn: Insn) -> None:
        opcode, d, s, off, imm, _ = insn
        op = opcode & 0xF0
        if op == _A.MOV:
            self.move(insn)
            return
        if op == _A.END:
            self.swap(d, imm, True)
            return
        known = self.use(d)
        register = opcode & _X
        b: Value = (imm, imm)
        if register:
            b = self.use(s)
            self.real(s)
        elif type(known[0]) is str and known[0] != "m" and op in (_A.ADD, _A.SUB):
            step = imm if op == _A.ADD else -imm
            if d in self.virtual:
                self.know(d, (known[0], known[1] + step), virtual=True)
                return
            self.set(d, f"r{d} + {step}" if step >= 0 else f"r{d} - {-step}", (known[0], known[1] + step))
            return
        a = self.number(d)
        text = f"r{s}" if register else str(imm)
        if register:
            b = FULL if type(b[0]) is str else b
        if op == _A.ADD:
            # A pointer plus a small number stays below 2^64: the windows leave room.
            if type(known[0]) is str and b[0] >= 0 and b[1] <= MASK32:
                self.set(d, f"r{d} + {text}", FULL)
            else:
                self.set(d, f"r{d} + {text}" if imm >= 0 or register else f"r{d} - {-imm}", (a[0] + b[0], a[1] + b[1]))
        elif op == _A.SUB:
            self.set(d, f"r{d} - {text}" if imm >= 0 or register else f"r{d} + {-imm}", (a[0] - b[1], a[1] - b[0]))
        elif op == _A.MUL:
            a = self.clean(d)
            if register:
                b = self.clean(s)
            top = max(a[1] * b[1], a[1] * -b[0])
            self.set(d, f"r{d} * {text}", (min(0, a[1] * b[0]), top))
        elif op == _A.NEG:
            self.set(d, f"-r{d}", (-a[1], -a[0]))
        elif op in (_A.AND, _A.OR, _A.XOR):
            self.bitwise(op, d, s if register else None, imm)
        elif op in (_A.LSH, _A.RSH, _A.ARSH):
            self.shift64(op, d, s if register else None, imm)
        else:
            self.divide64(op, d, s if register else None, imm, bool(off))

    def bitwise(self, op: int, d: int, s: int | None, imm: int) -> None:
        if s is None:
            constant = imm & MASK64
            if op == _A.AND:
                a = self.number(d)
                self.set(d, f"r{d} & {constant}", (0, min(a[1], constant) if a[0] >= 0 else constant))
                return
            a = self.clean(d)
            self.set(d, f"r{d} {'|' if op == _A.OR else '^'} {constant}", (0, _ones(max(a[1], constant))))
            return
        if op == _A.AND:
            a, b = self.number(d), self.number(s)
            if not _is_clean(a) and not _is_clean(b):
                a = self.clean(d)
            high = min(v[1] for v in (a, b) if _is_clean(v))
            self.set(d, f"r{d} & r{s}", (0, high))
            return
        a, b = self.clean(d), self.clean(s)
        self.set(d, f"r{d} {'|' if op == _A.OR else '^'} r{s}", (0, _ones(max(a[1], b[1]))))

    def shift64(self, op: int, d: int, s: int | None, imm: int) -> None:
        if s is None:
            k = imm & 63
            if op == _A.LSH:
                a = self.number(d)
                self.set(d, f"r{d} << {k}", (a[0] << k, a[1] << k))
                return
            a = self.clean(d)
            if op == _A.RSH or a[1] < _S64:
                self.set(d, f"r{d} >> {k}", (a[0] >> k, a[1] >> k))
            else:
                self.set(d, f"(r{d} ^ {_S64}) - {_S64} >> {k}", (-_S64 >> k, _S64 >> k))
            return
        a, b = self.clean(d), self.clean(s)
        by = f"r{s}" if b[1] <= 63 else f"(r{s} & 63)"
        if op == _A.LSH:
            self.set(d, f"r{d} << {by} & {_M64}", FULL)
        elif op == _A.RSH or a[1] < _S64:
            self.set(d, f"r{d} >> {by}", (0, a[1]))
        else:
            self.set(d, f"(r{d} ^ {_S64}) - {_S64} >> {by}", (-_S64, _S64))

    def divide64(self, op: int, d: int, s: int | None, imm: int, is_signed: bool) -> None:
        a = self.clean(d)
        if s is not None:
            self.clean(s)
        text = str(imm & MASK64) if s is None else f"r{s}"
        if is_signed:
            self.set(d, f"{'SD' if op == _A.DIV else 'SM'}(r{d}, {text}, 64)", (-_S64, _S64))
        elif op == _A.DIV:
            if s is None:
                self.set(d, f"r{d} // {text}" if imm else "0", (0, a[1]))
            else:
                self.set(d, f"r{d} // {text} if {text} else 0", (0, a[1]))
        elif s is None:
            if imm:
                self.set(d, f"r{d} % {text}", (0, min(a[1], (imm & MASK64) - 1)))
        else:
            self.set(d, f"r{d} % {text} if {text} else r{d}", (0, a[1]))

    def move(self, insn: Insn) -> None:
        opcode, d, s, off, imm, _ = insn
        wide = opcode & 7 == _L.ALU64
        if not opcode & _X:
            value = imm & (MASK64 if wide else MASK32)
            self.set(d, str(value), (value, value))
        elif off:
            low, high = self.number(s)
            half = 1 << (off - 1)
            if low >= 0 and high < half:
                self.set(d, f"r{s}", (low, high))
            elif wide:
                self.set(d, f"(r{s} & {2 * half - 1} ^ {half}) - {half}", (-half, half - 1))
            else:
                self.set(d, f"(r{s} & {2 * half - 1} ^ {half}) - {half} & {_M32}", (0, MASK32))
        elif wide:
            value = self.use(s)
            if s == 10 or s in self.virtual:
                self.know(d, value, virtual=True)
                return
            self.put(f"r{d} = r{s}")
            self.know(d, value)
            self.copied = (len(self.lines), d)
        else:
            text, high = self.low32(s)
            low = self.number(s)[0] if text[0] == "r" else 0
            self.set(d, text, (low, high))

    def swap(self, d: int, bits: int, swaps: bool) -> None:
        low, high = self.number(d)
        mask = (1 << bits) - 1
        if not swaps:
            if low < 0 or high > mask:
                self.set(d, f"r{d} & {mask}", (0, mask))
        elif bits == 16:
            self.set(d, f"(r{d} & 255) << 8 | r{d} >> 8{' & 255' if high > mask or low < 0 else ''}", (0, 0xFFFF))
        else:
            text = f"r{d}" if low >= 0 and high <= mask else f"(r{d} & {mask})"
            self.set(d, f'FB({text}.to_bytes({bits // 8}, "little"), "big")', (0, mask))

    def alu32(self, insn: Insn) -> None:
        opcode, d, s, off, imm, _ = insn
        op = opcode & 0xF0
        if op == _A.MOV:
            self.move(insn)
            return
        if op == _A.END:
            self.swap(d, imm, bool(opcode & _X))
            return
        register = opcode & _X
        if register:
            self.use(s)
        a, a_high = self.low32(d)
        a_low = self.number(d)[0] if a[0] == "r" else 0
        if register:
            b, b_high = self.low32(s)
            b_low = self.number(s)[0] if b[0] == "r" else 0
        else:
            b_low = b_high = imm & MASK32
            b = str(b_high)
        if op == _A.ADD:
            self.cut(d, f"{a} + {b}", a_low + b_low, a_high + b_high)
        elif op == _A.SUB:
            self.cut(d, f"{a} - {b}", a_low - b_high, a_high - b_low)
        elif op == _A.MUL:
            self.cut(d, f"{a} * {b}", a_low * b_low, a_high * b_high)
        elif op == _A.NEG:
            self.cut(d, f"-{a}", -a_high, -a_low)
        elif op == _A.AND:
            self.set(d, f"{a} & {b}", (0, min(a_high, b_high)))
        elif op in (_A.OR, _A.XOR):
            self.set(d, f"{a} {'|' if op == _A.OR else '^'} {b}", (0, _ones(max(a_high, b_high))))
        elif op in (_A.LSH, _A.RSH, _A.ARSH):
            by = str(imm & 31) if not register else b if b_high <= 31 else f"({b} & 31)"
            most = imm & 31 if not register else 31
            if op == _A.LSH:
                self.cut(d, f"{a} << {by}", 0, a_high << most)
            elif op == _A.RSH or a_high < _S32:
                self.set(d, f"{a} >> {by}", (0, a_high >> (0 if register else most)))
            else:
                self.set(d, f"({a} ^ {_S32}) - {_S32} >> {by} & {_M32}", (0, MASK32))
        elif off:
            self.set(d, f"{'SD' if op == _A.DIV else 'SM'}({a}, {b}, 32) & {_M32}", (0, MASK32))
        elif op == _A.DIV:
            text = f"{a} // {b}" if b_low else f"{a} // {b} if {b} else 0"
            self.set(d, "0" if not b_high else text, (0, a_high))
        else:
            text = f"{a} % {b}" if b_low else f"{a} % {b} if {b} else {a}"
            self.set(d, a if not b_high else text, (0, a_high))

    def cut(self, d: int, text: str, low: int, high: int) -> None:
        """Set a register to a 32-bit result, masked unless its range says that it fits."""
        if low >= 0 and high <= MASK32:
            self.set(d, text, (low, high))
        else:
            self.set(d, f"{text} & {_M32}", (0, MASK32))

    def wide(self, insn: Insn) -> None:
        d, src = insn[1], insn[2]
        if src == Pseudo.NONE:
            value = insn.imm64
            self.set(d, str(value), (value, value))
        elif src == Pseudo.BTF_ID:
            self.set(d, f"S.variable(V{self.slot})", FULL)
        else:
            if src in (Pseudo.MAP_FD, Pseudo.MAP_IDX):
                self.know(d, ("m", self.slot), virtual=True)
            else:
                self.set(d, f"K{self.slot}", FULL)

    # --- memory --------------------------------------------------------------------------------------

    def load(self, insn: Insn) -> None:
        opcode, d, s, off, _, _ = insn
        size = _SIZE[opcode & 0x18]
        base = self.use(s)
        value: Value = _TOP[size]
        kind = base[0]
        if kind == "c":
            at = base[1] + off
            if at in self.shape.pointers:
                self.uses.add("CP")
                if at == self.shape.data:
                    self.uses.add("PK")
                    self.put("PK = S.ctx.packet.view")
                    value = ("p", 0)
                else:
                    value = FULL
                self.set(d, f"CP[{at}]", value)
                return
            if not 0 <= at <= self.shape.size - size:
                self.put(_SURPRISE)
                self.know(d, FULL)
                return
            self.uses.add("CB")
            text = f"CB[{at}]" if size == 1 else f"U{size}(CB, {at})[0]"
        elif kind == "f":
            text, value = self.stack_load(base[1] + off, size)
        elif kind == "p" and base[1] + off >= 0:
            at = base[1] + off
            text = f"PK[{at}]" if size == 1 else f"U{size}(PK, {at})[0]"
        else:
            window, offset = self.place(s, off, "W")
            text = f"{window}[{offset}]" if size == 1 else f"U{size}({window}, {offset})[0]"
        if opcode & 0xE0 == Mode.MEMSX:
            half = 1 << (size * 8 - 1)
            text, value = f"({text} ^ {half}) - {half}", (-half, half - 1)
        self.set(d, text, value)

    def place(self, base: int, off: int, table: str) -> tuple[str, str]:
        """(region, offset) as text for an access through any pointer."""
        self.clean(base)
        if off >= 0:
            # Offset and window cannot wrap here: an end beyond the window is beyond the region too.
            plus = f" + {off}" if off else ""
            low = f"(r{base} & {_M32})" if off else f"r{base} & {_M32}"
            return f"{table}[r{base} >> 32]", f"{low}{plus}"
        self.put(f"a = r{base} - {-off}")
        return f"{table}[a >> 32]", f"a & {_M32}"

    def stack_load(self, at: int, size: int) -> tuple[str, Value]:
        known = self.state[SLOTS].get(at)
        value = known[1] if known is not None and known[0] == size else _TOP[size]
        if self.promoted is not None:
            return f"s{-at}", value
        index = FRAME_SIZE + at
        if not 0 <= index <= FRAME_SIZE - size:
            self.put(_SURPRISE)
            return "0", FULL
        if index % size or size == 1:
            self.uses.add("S1")
            return (f"S1[{index}]" if size == 1 else f"U{size}(S1, {index})[0]"), value
        self.uses.add(f"S{size}")
        return f"S{size}[{index // size}]", value

    def store_register(self, insn: Insn) -> None:
        if insn[0] & 0xE0 == Mode.ATOMIC:
            self.atomic(insn)
            return
        s = insn[2]
        size = _SIZE[insn[0] & 0x18]
        value = self.use(s)
        if size == 8:
            self.clean(s)
            text = f"r{s}"
            value = self.state[s]
        else:
            low, high = self.number(s)
            if low >= 0 and high <= _TOP[size][1]:
                text, value = f"r{s}", (low, high)
            else:
                text, value = f"r{s} & {_TOP[size][1]}", _TOP[size]
        self.store(insn, size, text, value)

    def store_number(self, insn: Insn) -> None:
        size = _SIZE[insn[0] & 0x18]
        number = insn[4] & _TOP[size][1]
        self.store(insn, size, str(number), (number, number))

    def store(self, insn: Insn, size: int, text: str, value: Value) -> None:
        d, off = insn[1], insn[3]
        base = self.use(d)
        kind = base[0]
        if kind == "f":
            self.stack_store(base[1] + off, size, text, value)
        elif kind == "c":
            at = base[1] + off
            if 0 <= at <= self.shape.size - size and at not in self.shape.pointers:
                self.uses.add("CB")
                self.put(f"CB[{at}] = {text}" if size == 1 else f"P{size}(CB, {at}, {text})")
            else:
                self.put(_SURPRISE)
        elif kind == "p" and base[1] + off >= 0:
            at = base[1] + off
            self.put(f"PK[{at}] = {text}" if size == 1 else f"P{size}(PK, {at}, {text})")
        else:
            window, offset = self.place(d, off, "WW")
            self.put(f"{window}[{offset}] = {text}" if size == 1 else f"P{size}({window}, {offset}, {text})")
            self.forget_stack()

    def stack_store(self, at: int, size: int, text: str, value: Value) -> None:
        slots = self.state[SLOTS]
        if self.promoted is not None:
            self.put(f"s{-at} = {text}")
            self.state[SLOTS] = {**slots, at: (size, value)}
            return
        index = FRAME_SIZE + at
        if not 0 <= index <= FRAME_SIZE - size:
            self.put(_SURPRISE)
            return
        if index % size or size == 1:
            self.uses.add("S1")
            self.put(f"S1[{index}] = {text}" if size == 1 else f"P{size}(S1, {index}, {text})")
        else:
            self.uses.add(f"S{size}")
            self.put(f"S{size}[{index // size}] = {text}")
        kept = {o: v for o, v in slots.items() if o + v[0] <= at or o >= at + size}
        kept[at] = (size, value)
        self.state[SLOTS] = kept

    def forget_stack(self) -> None:
        if self.promoted is None and self.state[SLOTS]:
            self.state[SLOTS] = {}

    def atomic(self, insn: Insn) -> None:
        opcode, d, s, off, imm, _ = insn
        size = _SIZE[opcode & 0x18]
        if imm == Atomic.LOAD_ACQ:
            self.load(insn)
            return
        self.use(s)
        self.use(d)
        if imm == Atomic.STORE_REL:
            self.clean(s)
            text = f"r{s}" if size == 8 else f"r{s} & {_TOP[size][1]}"
            self.store(insn, size, text, _TOP[size])
            return
        self.clean(s)
        operation = _INPLACE.get(imm)  # type: ignore[call-overload]
        if operation and off >= 0:
            window, offset = self.place(d, off, "WW")
            self.put(f"a = {window}; b = {offset}")
            self.put(f"P{size}(a, b, (U{size}(a, b)[0] {operation} r{s}) & {_TOP[size][1]})")
        else:
            self.clean(d)
            if imm == Atomic.CMPXCHG:
                self.clean(0)
            result = "r0" if imm == Atomic.CMPXCHG else f"r{s}" if imm & Atomic.FETCH else "a"
            expected = "r0" if imm == Atomic.CMPXCHG else "0"
            self.put(f"{result} = AT(S, r{d} + {off}, {size}, {imm}, r{s}, {expected})")
            if result != "a":
                self.know(int(result[1:]), _TOP[size])
        self.forget_stack()

    def packet_load(self, insn: Insn) -> None:
        size = _SIZE[insn[0] & 0x18]
        imm = insn[4]
        base = self.use(6)
        if base != ("c", 0):
            self.real(6)
            self.put(f"if r6 != {CTX << 32}: {_SURPRISE}")
        leave = f"S.insns = n + {{pending}} + {self.count + 1}; return 0"
        if insn[0] & 0xE0 == Mode.ABS and imm >= 0 and self.shape.data != NO_PACKET:
            self.uses.add("PL")
            self.put(f"if PL < {imm + size}: {leave}")
            text = f"PK[{imm}]" if size == 1 else f"B{size}(PK, {imm})[0]"
        else:
            offset = str(imm)
            if insn[0] & 0xE0 == Mode.IND:
                low, _ = self.low32(insn[2])
                offset = f"({low} + {imm} & {_M32} ^ {_S32}) - {_S32}"
            self.put(f"a = S.packet_load({offset}, {size})")
            self.put(f"if a is None: {leave}")
            text = "a"
        self.set(0, text, _TOP[size])
        self.clobber(0)

    # --- calls and jumps --------------------------------------------------------------------------------

    def clobber(self, live: int) -> None:
        """r1 to r5 hold nothing after a call; those that the program reads all the same are emptied."""
        for reg in range(1, 6):
            self.know(reg, None)
            if live >> reg & 1:
                self.put(f"r{reg} = None")

    def call(self, insn: Insn, block: Block) -> None:
        kind, imm = insn[2], insn[4]
        live = _live_behind(block, self.slot)
        if kind == Call.LOCAL:
            self.local_call(self.slot + imm + 1)
        elif kind == Call.KFUNC:
            self.kfunc(insn)
        else:
            self.helper(imm)
        self.clobber(live)

    def arguments(self, arity: int) -> list[str]:
        if arity == VARIADIC:
            for reg in (1, 2):
                self.use(reg)
            for reg in range(1, 6):
                if self.state[reg] is not None:
                    self.clean(reg)
            return [f"r{reg}" if self.state[reg] is not None else "0" for reg in range(1, 6)]
        for reg in range(1, arity + 1):
            self.use(reg)
            self.clean(reg)
        return [f"r{reg}" for reg in range(1, arity + 1)]

    def helper(self, number: int) -> None:
        name = name_of(number)
        if name is None or (name not in MODELS and name not in self.shape.replaced):
            self.put(_SURPRISE)
            self.know(0, FULL)
            return
        plain = name not in self.shape.replaced
        if number == 1 and plain and self.lookup():
            return
        touches = any(self.state[r] is not None and self.state[r][0] == "f" for r in range(1, 6))
        args = ", ".join(["S", *self.arguments(helper_arity(number))])
        if name == "tail_call":
            self.put(f"a = H{number}({args})")
            self.put(f"if a is None: S.insns = n + {{pending}} + {self.count + 1}; return S.enter_tail(r1)")
            self.put("r0 = a")
            self.know(0, _SIGNED_RESULT)
        elif name in _CALLS_BACK:
            self.synchronised(f"r0 = H{number}({args})")
            self.know(0, _SIGNED_RESULT)
        else:
            self.put(f"r0 = H{number}({args})")
            self.know(0, FULL if plain and name in _CLEAN_RESULT else _SIGNED_RESULT)
        if touches or not plain or name not in QUIET:
            self.forget_stack()
        if not plain or name not in QUIET:
            self.packet_moved()

    def lookup(self) -> bool:
        """A map lookup with everything known: the key is taken from the stack and looked up in place."""
        map_, key = self.state[1], self.state[2]
        if map_ is None or key is None or map_[0] != "m" or key[0] != "f" or self.promoted is not None:
            return False
        fast = self.shape.maps.get(map_[1])
        start = FRAME_SIZE + key[1]
        if fast is None or not 0 <= start <= FRAME_SIZE - fast[0]:
            return False
        size, is_dict = fast
        self.uses.add("S1")
        self.put(f"r0 = L{map_[1]}(B{size}s(S1, {start})[0]{', 0' if is_dict else ''})")
        self.uses.add(f"B{size}s")
        self.know(0, FULL)
        return True

    def local_call(self, target: int) -> None:
        if target not in self.starts:
            self.put(_SURPRISE)
            self.know(0, FULL)
            return
        args = []
        for reg in range(1, 6):
            if self.state[reg] is not None:
                self.clean(reg)
            args.append(f"r{reg}")
        self.calls.setdefault(target, []).append([self.state[reg] for reg in range(1, 6)])
        self.synchronised(f"r0 = S.call(IMAGE, {target}, ({', '.join(args)}))")
        self.know(0, FULL)
        self.forget_stack()
        self.packet_moved()

    def synchronised(self, text: str) -> None:
        """A call that executes program code: the count of instructions goes in and comes out."""
        self.put(f"S.insns = n + {{pending}} + {self.count + 1}")
        self.put(text)
        self.put(f"n = S.insns - {{pending}} - {self.count + 1}")

    def kfunc(self, insn: Insn) -> None:
        name = insn.symbol
        if name is None or (name not in KFUNCS and name not in self.shape.replaced):
            self.put(_SURPRISE)
            self.know(0, FULL)
            return
        arity = VARIADIC if name in self.shape.replaced else KFUNCS[name][0]
        args = ", ".join(["S", *self.arguments(arity)])
        self.put(f"r0 = H{self.slot}k({args})")
        self.know(0, _SIGNED_RESULT)
        self.forget_stack()
        self.packet_moved()

    def packet_moved(self) -> None:
        """The packet may lie elsewhere now."""
        for reg in range(10):
            value = self.state[reg]
            if value is not None and value[0] == "p":
                self.state[reg] = FULL
        slots = self.state[SLOTS].items()
        self.state[SLOTS] = {at: (size, FULL if value[0] == "p" else value) for at, (size, value) in slots}
        if "PL" in self.uses:
            self.put("PK = S.ctx.packet.view; PL = len(PK)")

    def jump(self, insn: Insn) -> str:
        """Prepare a jump and give its condition; "" for one that always jumps."""
        opcode, d, s, _, imm, _ = insn
        op = opcode & 0xF0
        if op == Jmp.JA:
            return ""
        if op == Jmp.JCOND:
            return "S.may_goto_ends()"
        is_64 = opcode & 7 == Class.JMP
        register = opcode & _X
        if register:
            self.use(s)
        if is_64:
            a, (_, a_high) = f"r{d}", self.clean(d)
            top, sign = MASK64, _S64
            if register:
                b, (_, b_high) = f"r{s}", self.clean(s)
        else:
            a, a_high = self.low32(d)
            top, sign = MASK32, _S32
            if register:
                b, b_high = self.low32(s)
        if not register:
            b_high = imm & top
            b = str(b_high)
        if op == Jmp.JSET:
            return f"{a} & {b}"
        if op in SIGNED_JUMPS and not (a_high < sign and b_high < sign):
            right = f"({b} ^ {sign})" if register else str(b_high ^ sign)
            return f"{a} ^ {sign} {_COMPARE[op]} {right}"  # type: ignore[index]
        return f"{a} {_COMPARE[op]} {b}"  # type: ignore[index]


_SOUND: set[tuple[int, ...]] = set()


def _sound(insn: Insn) -> bool:
    """Whether an instruction is well formed; remembered, for most programs say the same few things."""
    if defect(insn):
        return False
    if len(_SOUND) > 1 << 16:
        _SOUND.clear()
    _SOUND.add(tuple(insn))  # type: ignore[arg-type]
    return True


def _ones(value: int) -> int:
    return (1 << value.bit_length()) - 1


def _is_clean(value: tuple[int, int]) -> bool:
    return value[0] >= 0 and value[1] <= MASK64


def _live_behind(block: Block, slot: int) -> int:
    """Which of r1 to r5 are read behind the call at `slot` before they are written."""
    from .flow import effect

    live = block.live
    for at, insn in reversed(block.code):
        if at == slot:
            break
        writes, reads = effect(insn)
        live = live & ~writes | reads
    return live & 0b111110
