"""A function being translated: its blocks written one by one, loops as often as what is known at their beginning grows."""

from __future__ import annotations

from typing import NamedTuple

from .emit import TOP, Emitter
from .flow import blocks_of, liveness, order
from .loops import guess, heads
from .memory import FRAME_SIZE
from .ranges import join, outcomes, widen
from .structure import Text, TooDeepError, Writer
from .text import write_block

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .emit import Shape, State, Value
    from .flow import Block
    from .image import Image

_SWEEPS = 8


class Entered(NamedTuple):
    """Where the interpreter is in the midst of a function: `slot`, what is known of r0 to r9, and of the stack."""

    slot: int
    registers: tuple[Value, ...]
    stack: tuple[tuple[int, Value], ...]  # 8-byte slots that hold pointers, by their offset from r10

    def slots(self, promoted: dict[int, int]) -> dict[int, tuple[int, Value]]:
        """The stack as a state keeps it."""
        known = {at: (8, value) for at, value in self.stack}
        return {
            at: known[at] if size == 8 and at in known else (size, TOP[size]) for at, size in promoted.items()
        } or known


class Function:
    """A function that is being translated.

    `entry` is the slot where it is entered, `parameters` are the registers that it takes, `promoted` the stack slots
    that are locals, `uses` the names that its text takes for granted, `calls` what it passes to other functions.
    """

    def __init__(
        self, image: Image, start: int, shape: Shape, arguments: list[Value], at: Entered | None = None
    ) -> None:
        self.resumed = at is not None
        self.entry = start if at is None else at.slot
        self.blocks = blocks_of(image, start, image.end_of(start), self.entry)
        self.sequence = order(self.blocks, self.entry)
        needs = liveness(self.blocks, self.sequence)
        promoted = _promotable(self.blocks)
        self.promoted = promoted or {}
        entry: State
        self.parameters: tuple[int, ...]
        if at is None:
            self.parameters = (1, 2, 3, 4, 5) if needs & 0b111100 else (1,)
            slots = {at: (size, (0, 0)) for at, size in self.promoted.items()}
            entry = [None, *arguments, None, None, None, None, ("f", 0), slots]
        else:
            self.parameters = tuple(reg for reg in range(10) if needs >> reg & 1)
            entry = [*at.registers, ("f", 0), at.slots(self.promoted)]
        emitter = Emitter(shape, image.starts, promoted)
        self.texts = _flow(emitter, self.blocks, self.sequence, entry)
        self.uses = emitter.uses
        self.calls = emitter.calls

    def write(self, out: Text) -> None:
        """Append the function to a module."""
        begin, origins = len(out.lines), len(out.origins)
        uses = self.uses.copy()
        try:
            Writer(out, self).structured()
        except TooDeepError:
            del out.lines[begin:], out.origins[origins:]
            self.uses = uses
            Writer(out, self).flat()


def _promotable(blocks: dict[int, Block]) -> dict[int, int] | None:
    """Stack slots by offset with their sizes, when every use of r10 is a direct access and none overlaps another;
    else None.
    """
    slots: dict[int, int] = {}
    for block in blocks.values():
        for insn in block.code:
            if insn is None:
                continue
            opcode, dst, src, off, _, _ = insn
            if dst != 10 and src != 10:
                continue
            cls = opcode & 7
            plain = opcode & 0xE0 == 0x60
            if (
                (plain and cls == 1 and src == 10 and dst != 10)
                or (plain and cls == 3 and dst == 10 and src != 10)
                or (plain and cls == 2 and dst == 10)
            ):
                pass
            else:
                return None
            size = (4, 2, 1, 8)[opcode >> 3 & 3]
            if opcode & 0xE0 == 0x80 or slots.setdefault(off, size) != size or not -FRAME_SIZE <= off <= -size:
                return None
    end = -FRAME_SIZE
    for at in sorted(slots):
        if at < end:
            return None
        end = at + slots[at]
    return slots


class Written:
    """A written block: its lines and their places, the condition of its jump, and how many instructions it counts.

    `counted` tells whether a line has a gap, `{}`, for the number of instructions executed.
    """

    __slots__ = ("condition", "count", "counted", "lines", "places", "state")

    def __init__(self, emitter: Emitter, block: Block) -> None:
        self.condition = write_block(emitter, block)
        self.count = emitter.count
        self.lines = emitter.lines
        self.places = emitter.places
        self.counted = emitter.counted
        self.state = emitter.state
        if self.condition:
            self.places.append((emitter.slot, emitter.count - 1, emitter.texts))


def _flow(emitter: Emitter, blocks: dict[int, Block], sequence: list[int], entry: State) -> dict[int, Written]:
    """Write every block, going round loops until what is known where they begin no longer changes."""
    number = {first: i for i, first in enumerate(sequence)}
    start = sequence[0]
    loops = heads(blocks, sequence, number)
    inside: set[int] = set().union(*(changes.body for changes in loops.values()))
    emitter.loops = bool(loops)
    around: dict[int, State] = {}  # what may come back to the beginning of a loop
    texts: dict[int, Written] = {}
    states: dict[int, State] = {}
    for sweep in range(_SWEEPS):
        if sweep == _SWEEPS - 2:  # what is still moving is given up, so that the next sweep is the last
            around = {head: [*[None] * 10, ("f", 0), {}] for head in loops}
        changed = False
        incoming: dict[int, State] = {start: entry}
        for first in sequence:
            state = incoming[first]
            if first in loops:
                if first in around:
                    state = join(state, around[first])
                else:
                    state = around[first] = guess(state, loops[first])
            block = blocks[first]
            if first not in texts or states[first] != state:
                states[first] = state
                emitter.begin(state.copy(), first in inside)
                texts[first] = Written(emitter, block)
            text = texts[first]
            fallen = taken = text.state
            if text.condition:
                fallen, taken = outcomes(block.code[-1], text.state)  # type: ignore[arg-type]
            for target, behind in ((block.fall, fallen), (block.jump, taken)):
                if target is None:
                    continue
                if not blocks[target].needs and target in incoming:  # whatever is known there, it is not asked for
                    continue
                if number[target] > number[first]:
                    known = incoming.get(target)
                    incoming[target] = behind if known is None else join(known, behind)
                else:
                    before = around[target]
                    new = widen(before, behind, sweep)
                    if new is not before:
                        around[target] = new
                        changed = True
        if not changed:
            return texts
    raise AssertionError("ranges of a loop did not settle")
