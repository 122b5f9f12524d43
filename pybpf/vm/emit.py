"""What is known about each register and stack slot while a block is written, and what follows for the text.

Registers are Python locals `r0`..`r10` that hold unsigned 64-bit numbers.  What is known decides what has to be
written:

    None            may hold nothing: the first use checks
    (low, high)     a number in this range; beyond 0..2^64-1 it is *dirty*, congruent modulo 2^64, and is cut when it
    matters ("c", offset)   the context plus offset           ("f", offset)  the frame pointer plus offset
    ("p", offset)   the packet's data plus offset     ("m", slot)    the map that the wide load at `slot` names

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
    # Text, its slot, the instructions executed before it in this block, and the registers that are virtual there.
    Line = tuple[str, int, int, "dict[int, Value] | None"]

NO_PACKET = -2
NOWHERE = -(1 << 40)  # the slot of text that belongs to no instruction
SURPRISE = "raise LookupError"
M64, M32 = str(MASK64), str(MASK32)
S64, S32 = 1 << 63, 1 << 31
SIGNED_RESULT = (-S64, MASK64)
SIZE = {0x00: 4, 0x08: 2, 0x10: 1, 0x18: 8}
TOP = {1: (0, 0xFF), 2: (0, 0xFFFF), 4: (0, MASK32), 8: FULL}
X = int(Src.X)
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
    """The state of whoever writes the blocks of one function.

    `promoted` maps stack offsets to sizes when slots can be locals, else None.
    """

    def __init__(self, shape: Shape, starts: list[int], promoted: dict[int, int] | None) -> None:
        self.shape = shape
        self.starts = starts
        self.promoted = promoted
        self.uses: set[str] = set()
        self.calls: dict[int, list[list[Value]]] = {}
        self.lines: list[Line] = []
        self.state: State = []
        # Registers that hold a constant pointer (stack, map) which no text has needed yet: they have no local so far.
        self.virtual: dict[int, Value] = {}
        self.dirty = 0  # registers beyond 64 bits, as a bit mask (bits may be stale)
        self.copied = (-1, -1)  # (number of lines, register) after a plain copy into that register was written
        self.slot = 0
        self.count = 0

    def put(self, text: str) -> None:
        self.lines.append((text, self.slot, self.count, self.virtual.copy() if self.virtual else None))

    def know(self, reg: int, value: Value, *, virtual: bool = False) -> None:
        """From here on the register holds `value`; when `virtual`, without a local."""
        self.state[reg] = value
        if value is not None and (value is SIGNED_RESULT or self.dirty):
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
            self.put(f"if r{reg} is None: {SURPRISE}")
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
            self.put(f"r{reg} &= {M64}")
            self.state[reg] = FULL
            return FULL
        return low, high

    def low32(self, reg: int) -> tuple[str, int]:
        """Text for the low 32 bits of a register, and their largest value."""
        low, high = self.number(reg)
        if low >= 0 and high <= MASK32:
            return f"r{reg}", high
        return f"(r{reg} & {M32})", MASK32

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
                    self.put(f"r{reg} &= {M64}")
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
                self.put(f"r{reg} &= {M64}")
                value = FULL
            else:
                self.dirty |= 1 << reg
        self.state[reg] = value

    def forget_stack(self) -> None:
        """What the stack holds may have changed."""
        if self.promoted is None and self.state[SLOTS]:
            self.state[SLOTS] = {}
