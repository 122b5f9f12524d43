"""What is known about each register and stack slot while a block is written, and what follows for the text.

Registers are Python locals `r0`..`r9` that hold unsigned 64-bit numbers.  What is known decides what has to be
written:

    None            may hold nothing: the first use checks
    (low, high)     a number in this range; beyond 0..2^64-1 it is *dirty*, congruent modulo 2^64, and is cut when it
    matters ("c", offset)   the context plus offset           ("f", offset)  the frame pointer plus offset
    ("p", offset)   the packet's data plus offset     ("m", slot)    the map that the wide load at `slot` names

Python compiles a line in two microseconds and more, so what need not be written is not: a constant, or a copy of
another register, has no local until one is needed (`texts` stands for it), and what nobody reads is left out.

Whatever cannot be written plainly raises, and the interpreter takes over at that instruction (see `translate.py`).
"""

from __future__ import annotations

from ..asm.opcodes import Src
from .memory import MASK32, MASK64
from .ranges import FULL, SLOTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Value = Any  # one of the forms above
    State = list[Any]  # r0..r10, and at index 11 what is known of stack slots: offset from r10 -> (size, value)
    # Where a line comes from: its slot, the instructions executed before it in its block, and `Emitter.texts` there.
    Place = tuple[int, int, "dict[int, str]"]

NO_PACKET = -2
NOWHERE = -(1 << 40)  # the slot of text that belongs to no instruction
SURPRISE = "raise LookupError"
M64, M32 = str(MASK64), str(MASK32)
S64, S32 = 1 << 63, 1 << 31
SIGNED_RESULT = (-S64, MASK64)
SIZE = {0x00: 4, 0x08: 2, 0x10: 1, 0x18: 8}
TOP = {1: (0, 0xFF), 2: (0, 0xFFFF), 4: (0, MASK32), 8: FULL}
X = int(Src.X)
NAMES = tuple(f"r{reg}" for reg in range(11))
_LARGEST = 1 << 190  # dirty numbers are cut before they grow beyond this


class Shape:
    """What a translation depends on beside the instructions: the context's form, the maps, and which helpers are
    replaced.
    """

    def __init__(
        self,
        size: int,
        pointers: frozenset[int],
        data: int,
        kind: tuple[int, int | None, bool] | None,
        maps: dict[int, tuple[int, bool] | None],
        replaced: frozenset[str],
    ) -> None:
        self.size = size
        self.pointers = pointers
        # The offset of the field that holds the packet's address; -1 for none, NO_PACKET where there is no packet.
        self.data = data
        self.kind = kind
        self.maps = maps
        self.replaced = replaced
        self.key = (size, pointers, data, kind, tuple(sorted(maps.items())), replaced)


class Emitter:
    """The state of whoever writes the blocks of one function.

    `promoted` maps stack offsets to sizes when slots can be locals, else None.
    """

    def __init__(self, shape: Shape, starts: list[int], promoted: dict[int, int] | None) -> None:
        self.shape = shape
        self.starts = starts
        self.promoted = promoted
        self.uses: set[str] = set()
        self.calls: dict[int, list[list[Value]]] = {}
        self.loops = False
        self.begin([], False)

    def begin(self, state: State, in_loop: bool) -> None:
        """A new block, entered with `state`."""
        self.lines: list[str] = []
        self.places: list[Place] = []
        self.state = state
        self.in_loop = in_loop
        self.counted = False
        # Expressions that stand for registers which have no local so far: a constant, or another register's local with
        # a number added.  Never changed in place: lines remember it.
        self.texts: dict[int, str] = {}
        self.dirty = 0  # registers beyond 64 bits, as a bit mask (bits may be stale)
        self.slot = 0
        self.count = 0
        self.live = 0  # registers that are read behind this instruction

    def put(self, text: str) -> None:
        self.lines.append(text)
        self.places.append((self.slot, self.count, self.texts))

    def put_counted(self, text: str) -> None:
        """A line with a gap, `{}`, for the number of instructions executed up to this one."""
        self.counted = True
        self.put(text)

    # --- reading registers ------------------------------------------------------------------------------

    def text(self, reg: int) -> str:
        """A register as an operand; binds no looser than `+`."""
        return self.texts.get(reg) or NAMES[reg]

    def atom(self, reg: int) -> str:
        """A register as an operand that binds tightly."""
        text = self.texts.get(reg)
        return NAMES[reg] if text is None else self.local(reg) if " " in text else text

    def local(self, reg: int) -> str:
        """Give a register its local; the name of it."""
        if reg in self.texts:
            self.put(f"r{reg} = {self.texts[reg]}")
            self.forget(reg)
        return NAMES[reg]

    def forget(self, reg: int) -> None:
        self.texts = {r: t for r, t in self.texts.items() if r != reg}

    def use(self, reg: int) -> Value:
        """The value of a register that is about to be read; one that may hold nothing is checked first."""
        value = self.state[reg]
        if value is None:
            self.put(f"if r{reg} is None: {SURPRISE}")
            value = self.state[reg] = FULL
        return value

    def number(self, reg: int) -> tuple[int, int]:
        """The range of a register that is about to be read as a number."""
        value = self.use(reg)
        return FULL if type(value[0]) is str else value

    def clean(self, reg: int) -> tuple[int, int]:
        """Cut a dirty register to 64 bits; its range."""
        low, high = self.number(reg)
        if low < 0 or high > MASK64:
            self.put(f"r{reg} &= {M64}")
            self.state[reg] = FULL
            return FULL
        return low, high

    def low32(self, reg: int) -> tuple[str, int]:
        """Text for the low 32 bits of a register, and their largest value."""
        low, high = self.number(reg)
        if low >= 0 and high <= MASK32:
            return self.text(reg), high
        return f"({self.text(reg)} & {M32})", MASK32

    # --- writing registers ------------------------------------------------------------------------------

    def release(self, reg: int) -> None:
        """The local of `reg` is about to change: what stands for others must not read it any more."""
        name = NAMES[reg]
        for other, text in self.texts.items():
            if text == name or text.startswith(name + " "):
                if self.live >> other & 1:
                    self.local(other)
                else:
                    self.forget(other)

    def stand(self, reg: int, text: str, value: Value) -> None:
        """From here on `text` stands for the register, which holds `value`."""
        if self.texts:
            self.release(reg)
        self.texts = {**self.texts, reg: text}
        self.state[reg] = value

    def know(self, reg: int, value: Value) -> None:
        """The local of the register was written, or it holds nothing."""
        self.state[reg] = value
        if value is SIGNED_RESULT:
            self.dirty |= 1 << reg

    def assign(self, reg: int, text: str, value: Value) -> None:
        """A register becomes `text`, which may raise."""
        texts = self.texts  # as the instruction finds them: where the line raises, it begins again
        if texts:
            self.release(reg)
            self.forget(reg)
        self.lines.append(f"r{reg}, = {text[:-3]}" if text[-4:] == ")[0]" else f"r{reg} = {text}")
        self.places.append((self.slot, self.count, texts))
        self.state[reg] = value
        if value is not None and (low := value[0]).__class__ is int and (low < 0 or value[1] > MASK64):
            self.dirty |= 1 << reg

    def set(self, reg: int, text: str, value: Value) -> None:
        """A register becomes `text`, a mere calculation."""
        if self.settled(reg, value):
            self.assign(reg, text, value)
            self.limit(reg, value)

    def change(self, reg: int, operator: str, operand: str, value: Value) -> None:
        """A register changes by a binary operation; `operand` binds no looser than `+`."""
        text = self.texts.get(reg)
        if text is not None:
            self.set(reg, f"{text} {operator} {operand}", value)
        elif self.settled(reg, value):
            if self.texts:
                self.release(reg)
            self.put(f"r{reg} {operator}= {operand}")
            self.state[reg] = value
            self.limit(reg, value)

    def swapped(self, reg: int, size: int) -> bool:
        """Turn the load that was written last into one in network order, when it is what the register holds.

        It may raise, and the interpreter then begins again with the load.
        """
        load = f"r{reg}, = U{size}("
        if reg in self.texts or not self.lines or not self.lines[-1].startswith(load):
            return False
        if any(NAMES[reg] in text for text in self.texts.values()):
            return False
        self.lines[-1] = f"r{reg}, = B{size}({self.lines[-1][len(load) :]}"
        return True

    def settled(self, reg: int, value: Value) -> bool:
        """Whether a calculated value has to be written; one that is a constant, or is not read, need not."""
        low, high = value
        if low == high:
            constant = low & MASK64
            self.stand(reg, str(constant), (constant, constant))
            return False
        if not self.live >> reg & 1:
            if self.texts:
                self.release(reg)
                self.forget(reg)
            self.state[reg] = None
            return False
        return True

    def limit(self, reg: int, value: Value) -> None:
        low, high = value
        if type(low) is int and (low < 0 or high > MASK64):
            if high > _LARGEST or low < -_LARGEST:
                self.put(f"r{reg} &= {M64}")
                self.state[reg] = FULL
            else:
                self.dirty |= 1 << reg

    def settle(self, live: int) -> None:
        """Bring registers into their plain form at the end of a block, those that are still needed."""
        for reg in self.texts:
            if live >> reg & 1:
                self.local(reg)
            else:
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
                    self.put(f"r{reg} &= {M64}")
                    self.state[reg] = FULL
                else:
                    self.state[reg] = None

    def forget_stack(self) -> None:
        """What the stack holds may have changed."""
        if self.promoted is None and self.state[SLOTS]:
            self.state[SLOTS] = {}
