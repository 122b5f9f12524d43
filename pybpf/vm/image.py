"""`Image`: a program made ready to run: instructions by slot, its functions, and what its wide loads stand for."""

from __future__ import annotations

from ..asm.opcodes import LD_IMM64, Alu, Call, Class, Jmp, Pseudo, Src
from ..errors import SpecError, VmFault
from ..uapi import ProgType
from .arena import arena_slots
from .maps import Arena
from .memory import FRAME_SIZE, FUNC, MAX_FRAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ..asm.insn import Insn
    from ..source import Source
    from ..spec import ProgramSpec
    from .coverage import Program as Covered
    from .maps import OfflineMap
    from .translate import Entry

CALL = Class.JMP | Jmp.CALL
EXIT = Class.JMP | Jmp.EXIT
FOREVER = float("inf")
_JUMPS = (int(Class.JMP), int(Class.JMP32))

_PROBES = frozenset((ProgType.TRACING, ProgType.LSM, ProgType.STRUCT_OPS))
"""Types whose contexts hold pointers to kernel objects, which are read without a check: a bad address reads as 0."""


class Image:
    """A program inside one machine.

    `code[slot]` is the instruction that begins at a slot, None in the second half of a wide one; `constants[slot]`
    what a wide load loads; `starts` the first slots of its functions, in order; `calls` and `jumps` are its instructions
    of these kinds, exits among the jumps; `address` is where callbacks find its code.
    """

    def __init__(
        self, spec: ProgramSpec, insns: Iterable[Insn], number: int, map_of: Callable[[str], OfflineMap]
    ) -> None:
        from ..asm.symbols import resolve

        self.spec = spec
        self.name = spec.name or f"program{number}"
        self.covered: Covered | None = None
        self.address = FUNC << 32 | number << 24
        self.insns = tuple(resolve(insns))
        self.code: list[Insn | None] = []
        for whole in self.insns:
            self.code.append(whole)
            if whole.wide:
                self.code.append(None)
        self.constants: dict[int, int] = {}
        self.maps: dict[int, OfflineMap] = {}
        self.variables: dict[int, str] = {}
        self.calls: list[tuple[int, Insn]] = []
        self.jumps: list[tuple[int, Insn]] = []
        starts = {0}
        for slot, insn in enumerate(self.code):
            if insn is None:
                continue
            if insn.opcode == LD_IMM64 and insn.next_imm is not None:
                self._link(slot, insn, map_of)
                if insn.src == Pseudo.FUNC:
                    starts.add(slot + insn.imm + 1)
            elif insn.opcode == CALL:
                self.calls.append((slot, insn))
                if insn.src == Call.LOCAL:
                    starts.add(slot + insn.imm + 1)
            elif insn.opcode & 7 in _JUMPS:
                self.jumps.append((slot, insn))
        self.starts = sorted(s for s in starts if 0 <= s < len(self.code) and self.code[s] is not None)
        self.depths = {start: self._stack_depth(start) for start in self.starts}
        self.probes = spec.prog_type in _PROBES
        self.arena = next((found for found in self.maps.values() if isinstance(found, Arena)), None)
        self.arena_slots = arena_slots(self.code)
        self.executed = 0
        self.refused = bool(self.arena_slots)  # they are interpreted
        self.surprises = 0
        self.sound: set[int] = set()  # slots of instructions that were found well formed
        self.functions: dict[Any, dict[int, Entry]] = {}

    def function_of(self, slot: int) -> int:
        """The first slot of the function that `slot` belongs to."""
        return max((s for s in self.starts if s <= slot), default=0)

    def end_of(self, start: int) -> int:
        """The slot behind the last one of the function that begins at `start`."""
        return next((s for s in self.starts if s > start), len(self.code))

    def loaded(self, slot: int, reg: int) -> bool:
        """Whether the pointer that a register holds before `slot` came out of memory or is an argument.

        What a helper gave, or a number, is no pointer that may be bad.  The last writer in the text is taken for the
        last one on the way here.
        """
        for at in range(slot - 1, self.function_of(slot) - 1, -1):
            insn = self.code[at]
            if insn is None:
                continue
            cls = insn.opcode & 7
            if insn.opcode == CALL and reg == 0:
                return False
            if insn.dst != reg or cls in (Class.ST, Class.STX, Class.JMP, Class.JMP32):
                continue
            if cls == Class.LDX:
                return True
            if insn.opcode == Class.ALU64 | Alu.MOV | Src.X:
                reg = insn.src
            elif cls not in (Class.ALU64, Class.ALU) or insn.opcode & 0xF0 == Alu.MOV:
                return False
        return True

    def source(self, slot: int | None) -> Source | None:
        if slot is None or not 0 <= slot < len(self.code):
            return None
        insn = self.code[slot]
        return insn.source if insn is not None else None

    def _link(self, slot: int, insn: Insn, map_of: Callable[[str], OfflineMap]) -> None:
        kind = insn.src
        if kind in (Pseudo.MAP_FD, Pseudo.MAP_IDX, Pseudo.MAP_VALUE, Pseudo.MAP_IDX_VALUE):
            if insn.symbol is None:
                raise SpecError(
                    f"{self.name}: insn {slot} loads a map by number ({insn.imm}); offline, maps are named: "
                    f"give `maps={{{slot}: MapSpec(...)}}` to ProgramSpec.from_bytes"
                )
            found = map_of(insn.symbol)
            self.maps[slot] = found
            if kind in (Pseudo.MAP_VALUE, Pseudo.MAP_IDX_VALUE):
                self.constants[slot] = found.direct_value(insn.next_imm or 0)
            else:
                self.constants[slot] = found.address
        elif kind == Pseudo.FUNC:
            self.constants[slot] = self.address + slot + insn.imm + 1
        elif kind == Pseudo.BTF_ID:
            self.variables[slot] = insn.symbol or f"BTF id {insn.imm}"
        else:
            self.constants[slot] = insn.imm64

    def _stack_depth(self, start: int) -> int:
        """Bytes of stack that a function uses, by the offsets from r10 that its instructions name."""
        deepest = 0
        copies: set[int] = set()
        for insn in self.code[start : self.end_of(start)]:
            if insn is None:
                continue
            opcode, dst, src, off, imm, _ = insn
            cls = opcode & 7
            if (cls == Class.LDX and src == 10) or (cls in (Class.ST, Class.STX) and dst == 10):
                deepest = min(deepest, off)
            elif opcode == 0xBF and src == 10:
                copies.add(dst)
            elif opcode == 0x07 and dst in copies:
                deepest = min(deepest, imm)
                copies.discard(dst)
            elif cls in (Class.ALU, Class.ALU64, Class.LD, Class.LDX):
                copies.discard(dst)  # it holds something else now, as after `r1 = r10; r1 -= r10`
        return min(-deepest, FRAME_SIZE)


def check_stack(depths: list[int]) -> None:
    """VmFault when a chain of calls with these stack depths is deeper than the kernel allows.

    It counts each frame rounded up to 16 bytes, as for a JIT (`round_up_stack_depth`, Linux 6.10).
    """
    if len(depths) > MAX_FRAMES:
        raise VmFault(f"call depth {len(depths)}: the kernel allows {MAX_FRAMES} frames")
    total = sum((d + 15) & ~15 for d in depths)
    if total > FRAME_SIZE:
        raise VmFault(f"combined stack of {len(depths)} frames is {total} bytes: the kernel allows {FRAME_SIZE}")
