"""What may still be read: registers by a static analysis, stack slots by what the simulation sees being read and written.

States are compared on live places only.  A place that is dead at an instruction cannot make two paths differ behind it.
"""

from __future__ import annotations

from ...asm.opcodes import LD_IMM64, Alu, Atomic, Call, Class, Jmp, Mode
from ...kernel.kfuncs import kfunc
from ..program import CALL, MAY_GOTO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..cfg import Cfg
    from ..program import Op, Program
    from ..state import Chain, State

ARGS = 0b111110
CLOBBERED = 0b111111


def reads_and_writes(op: Op, parameters: int = 5) -> tuple[int, int]:
    """The registers that an instruction reads and those that it overwrites, as bit masks."""
    opcode, dst, src, _, imm = op
    d, s = 1 << dst, 1 << src
    cls = opcode & 7
    register = s if opcode & 8 else 0
    if cls in (Class.ALU, Class.ALU64):
        kind = opcode & 0xF0
        if kind == Alu.MOV:
            return register, d
        if kind in (Alu.NEG, Alu.END):
            return d, d
        return d | register, d
    if cls == Class.LDX:
        return s, d
    if cls == Class.ST:
        return d, 0
    if cls == Class.STX:
        if opcode & 0xE0 != Mode.ATOMIC:
            return d | s, 0
        if imm == Atomic.CMPXCHG:
            return d | s | 1, 1
        if imm == Atomic.LOAD_ACQ:
            return s, d
        if imm == Atomic.STORE_REL:
            return d | s, 0
        return d | s, s if imm & Atomic.FETCH else 0
    if cls == Class.LD:
        if opcode == LD_IMM64:
            return 0, d
        if opcode & 0xE0 in (Mode.ABS, Mode.IND):
            return 1 << 6 | (s if opcode & 0xE0 == Mode.IND else 0), CLOBBERED
        return 0, 0
    kind = opcode & 0xF0
    if kind == Jmp.EXIT:
        return 1, 0
    if kind == Jmp.CALL:
        return (1 << parameters + 1) - 2, CLOBBERED
    if kind == Jmp.JA or opcode == MAY_GOTO:
        return 0, 0
    return d | register, 0


class Registers:
    """`before[slot]`: the registers that may be read at or after a slot, before they are overwritten."""

    def __init__(self, program: Program, cfg: Cfg, parameters: dict[int, int]) -> None:
        count = len(program.ops)
        self.before = before = [0] * (count + 2)
        effects = [reads_and_writes(op) for op in program.ops]
        for slot, op in enumerate(program.ops):
            if op[0] == CALL and op[2] == Call.HELPER and op[4] in parameters:
                effects[slot] = reads_and_writes(op, parameters[op[4]])
            elif slot in program.kfuncs:
                known = kfunc(program.kfuncs[slot])
                if known is not None:
                    effects[slot] = reads_and_writes(op, len(known.args))
        order = cfg.order  # each slot after those that follow it, loops aside
        changed = True
        while changed:
            changed = False
            for slot in order:
                after = 0
                for follower in cfg.successors[slot]:
                    after |= before[follower]
                reads, writes = effects[slot]
                live = reads | after & ~writes
                if live != before[slot]:
                    before[slot] = live
                    changed = cfg.looped


class Stack:
    """Which stack slots may still be read, for each chain of calls.

    The simulation records what each instruction read and certainly overwrote; `alive` draws the conclusion.  Until an
    instruction was seen, it is taken to do nothing, so what is live only grows (kernel 6.18 does the same).
    """

    def __init__(self, program: Program, cfg: Cfg) -> None:
        self._program = program
        self._cfg = cfg
        self._sites: dict[tuple[Chain, int], _Site] = {}
        self._dirty: list[tuple[_Site, int]] = []
        self._before: list[tuple[int, ...]] | None = None

    def _site(self, chain: Chain, frame: int) -> _Site:
        site = self._sites.get((chain, frame))
        if site is None:
            callsite, subprog = chain[-1]
            outer = self._site(chain[:-1], frame) if frame < len(chain) - 1 else None
            site = self._sites[chain, frame] = _Site(self._program.starts[subprog], outer, callsite)
        return site

    def read(self, state: State, slot: int, frame: int, mask: int) -> None:
        """The instruction at `slot` may read these stack slots (bits of `mask`) of a frame."""
        site = self._site(state.frames[-1].chain, frame)
        known = site.reads.get(slot, 0)
        if mask & ~known:
            site.reads[slot] = known | mask
            self._dirty.append((site, slot))

    def write(self, state: State, slot: int, frame: int, mask: int) -> None:
        """The instruction at `slot` overwrote all of these stack slots, and always the same ones."""
        site = self._site(state.frames[-1].chain, frame)
        known = site.writes.get(slot)
        now = mask if known is None else known & mask
        if known != now:
            site.writes[slot] = now
            self._dirty.append((site, slot))

    def alive(self, state: State, frame: int) -> int:
        """The slots of a frame of `state` that may be read from here on, by it or by the functions that it calls."""
        if self._dirty:
            self._settle()
        frames = state.frames
        live = 0
        for i in range(frame, len(frames)):
            site = self._sites.get((frames[i].chain, frame))
            if site is not None:
                at = state.insn if i == len(frames) - 1 else frames[i + 1].callsite
                live |= site.live.get(at, 0)
                if i < len(frames) - 1:
                    live |= site.live.get(at + 1, 0)
        return live

    def _settle(self) -> None:
        if self._before is None:
            self._before = self._predecessors()
        before = self._before
        work = self._dirty
        while work:
            site, slot = work.pop()
            after = 0
            for follower in self._cfg.successors[slot]:
                after |= site.live.get(follower, 0)
            live = site.reads.get(slot, 0) | after & ~site.writes.get(slot, 0) | site.live.get(slot, 0)
            if live == site.live.get(slot, 0):
                continue
            site.live[slot] = live
            work.extend((site, previous) for previous in before[slot])
            if slot == site.start and site.outer is not None:
                outer = site.outer
                if live & ~outer.reads.get(site.callsite, 0):
                    outer.reads[site.callsite] = outer.reads.get(site.callsite, 0) | live
                    work.append((outer, site.callsite))

    def _predecessors(self) -> list[tuple[int, ...]]:
        found: list[list[int]] = [[] for _ in range(len(self._program.ops) + 2)]
        for slot in self._cfg.order:
            for follower in self._cfg.successors[slot]:
                found[follower].append(slot)
        return [tuple(slots) for slots in found]


class _Site:
    """One frame's slots as one chain of calls uses them: slot of the program -> mask of stack slots."""

    __slots__ = ("callsite", "live", "outer", "reads", "start", "writes")

    def __init__(self, start: int, outer: _Site | None, callsite: int) -> None:
        self.start = start
        self.outer = outer
        self.callsite = callsite
        self.reads: dict[int, int] = {}
        self.writes: dict[int, int] = {}
        self.live: dict[int, int] = {}
