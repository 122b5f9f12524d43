"""`Program`: a spec as the kernel sees it: slots of 8 bytes, subprograms, and which map each wide load names.

The checks here are those that need no simulation, in the kernel's order, which decides which of two mistakes is reported.
"""

from __future__ import annotations

from ..asm.opcodes import LD_IMM64, Call, Class, Jmp, Mode, Pseudo, Size
from ..errors import AsmError, SpecError
from .maps import Map, check_load_of_map
from .reject import Reject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..asm.insn import Insn
    from ..source import Source
    from ..spec import ProgramSpec
    from .setting import Setting

MAX_INSNS = 1_000_000
MAX_SUBPROGS = 256
MAX_KFUNCS = 256

CALL = Class.JMP | Jmp.CALL
EXIT = Class.JMP | Jmp.EXIT
JA = Class.JMP | Jmp.JA
JA32 = Class.JMP32 | Jmp.JA
MAY_GOTO = Class.JMP | Jmp.JCOND
TAIL_CALL = 12

Op = tuple[int, int, int, int, int]
"""opcode, dst, src, off, imm of one slot; the second slot of a wide load is (0, 0, 0, 0, imm)."""


class Program:
    """The slots of a program (`ops`), its subprograms' first slots (`starts`), and what its slots refer to."""

    def __init__(self, spec: ProgramSpec, setting: Setting) -> None:
        self.spec = spec
        self.setting = setting
        self.ops: list[Op] = []
        self.insns: dict[int, Insn] = {}
        self.maps: dict[int, Map] = {}
        self.kfuncs: dict[int, str] = {}
        self.starts: list[int] = [0]
        self._known: dict[int, Map] = {}
        for insn in _resolved(spec):
            slot = len(self.ops)
            self.insns[slot] = insn
            opcode, dst, src, off, imm, high = insn
            self.ops.append((opcode, dst, src, off, imm))
            if high is not None:
                self.ops.append((0, 0, 0, 0, high))
                symbol = insn.symbol
                if symbol is not None and src in (Pseudo.MAP_FD, Pseudo.MAP_VALUE):
                    if symbol not in spec.maps:
                        raise SpecError(f"insn {slot} refers to a map {symbol!r} that the spec does not have")
                    self.maps[slot] = self._map(symbol)
            elif opcode == CALL and src == Call.KFUNC and insn.symbol is not None:
                self.kfuncs[slot] = insn.symbol

    def _map(self, symbol: str) -> Map:
        spec = self.spec.maps[symbol]
        found = self._known.get(id(spec))
        if found is None:
            found = self._known[id(spec)] = Map(spec, symbol, self.setting.env.btf)
        return found

    @property
    def used_maps(self) -> list[Map]:
        return list(self._known.values())

    def source(self, slot: int) -> Source | None:
        """The place in the user's text that a slot came from; a call into nowhere has none."""
        insn = self.insns.get(slot)
        return None if insn is None else insn.source

    def end(self, subprog: int) -> int:
        """The slot behind the last one of a subprogram."""
        return self.starts[subprog + 1] if subprog + 1 < len(self.starts) else len(self.ops)

    def subprog_at(self, slot: int) -> int | None:
        """The subprogram that begins at a slot."""
        return self._by_start.get(slot)

    def subprog_of(self, slot: int) -> int:
        """The subprogram that a slot lies in."""
        from bisect import bisect_right

        return bisect_right(self.starts, slot) - 1

    def find_subprograms(self) -> None:
        """Collect what is called: local functions, callbacks, kernel functions."""
        count = len(self.ops)
        starts = {0}
        known: dict[tuple[int, int], int] = {}
        for slot, (opcode, _, src, off, imm) in enumerate(self.ops):
            local = (opcode == CALL and src == Call.LOCAL) or (opcode == LD_IMM64 and src == Pseudo.FUNC)
            kfunc = opcode == CALL and src == Call.KFUNC
            if not local and not kfunc:
                continue
            if not self.setting.bpf:
                raise Reject("privilege", "calling other functions needs CAP_BPF", insn=slot)
            if local:
                target = slot + imm + 1
                if not 0 <= target < count:
                    raise Reject("cfg", f"call to invalid destination {target}", insn=slot)
                starts.add(target)
                if len(starts) > MAX_SUBPROGS:
                    raise Reject("complexity", f"too many subprograms: the limit is {MAX_SUBPROGS}", insn=slot)
            elif (imm, off) not in known:
                self.setting.check_kfunc_known(self, slot, imm, off)
                known[imm, off] = slot
                if len(known) > MAX_KFUNCS:
                    raise Reject("complexity", "too many different kernel functions are called", insn=slot)
            elif imm and known[imm, off] in self.kfuncs:
                self.kfuncs.setdefault(slot, self.kfuncs[known[imm, off]])
        self.starts = sorted(starts)
        self._by_start = {start: i for i, start in enumerate(self.starts)}

    def check_jumps(self) -> None:
        """Jumps stay in their subprogram, which ends in an exit or a jump."""
        self.has_ld_abs = [False] * len(self.starts)
        self.has_tail_call = [False] * len(self.starts)
        for subprog, start in enumerate(self.starts):
            end = self.end(subprog)
            for slot in range(start, end):
                opcode, _, src, off, imm = self.ops[slot]
                cls = opcode & 7
                if opcode == CALL and src == Call.HELPER and imm == TAIL_CALL:
                    self.has_tail_call[subprog] = True
                if cls == Class.LD and opcode & 0xE0 in (Mode.ABS, Mode.IND):
                    self.has_ld_abs[subprog] = True
                if cls in (Class.JMP, Class.JMP32) and opcode & 0xF0 not in (Jmp.EXIT, Jmp.CALL):
                    target = slot + 1 + (imm if opcode == JA32 else off)
                    if not start <= target < end:
                        raise Reject("cfg", f"jump out of range from insn {slot} to {target}", insn=slot)
            if self.ops[end - 1][0] not in (EXIT, JA, JA32):
                raise Reject(
                    "cfg",
                    "last insn is not an exit or jmp",
                    hint="end the function with `exit`; without one, execution runs off its end",
                    insn=end - 1,
                )

    def check_func_info(self) -> None:
        """Where functions are described, there is one description for each subprogram, in order."""
        described = [int(offset) for offset, _ in self.spec.func_info]
        if described and len(described) != len(self.starts):
            raise Reject("btf", "number of funcs in func_info doesn't match number of subprogs")
        if described and described != self.starts:
            raise Reject("btf", "func_info does not match the subprograms of the program")

    def check_opcodes(self) -> None:
        """One pass over all slots, reachable or not: opcodes that do not exist, wide loads, maps that do not fit."""
        slot, count = 0, len(self.ops)
        checked: set[int] = set()
        while slot < count:
            opcode, _, src, _, imm = self.ops[slot]
            if opcode & 7 == Class.LDX and (opcode & 0xE0 not in (Mode.MEM, Mode.MEMSX) or imm):
                raise Reject("encoding", "BPF_LDX uses reserved fields", insn=slot)
            if opcode == LD_IMM64:
                if slot + 1 == count or self.ops[slot + 1][:4] != (0, 0, 0, 0):
                    raise Reject("encoding", "invalid bpf_ld_imm64 insn: its second half is missing", insn=slot)
                if src:
                    self._check_wide(slot, src, checked)
                slot += 1
            elif opcode not in KNOWN_OPCODES:
                raise Reject("encoding", f"unknown opcode {opcode:02x}", insn=slot)
            elif opcode in _NEW_OPCODES and not self.setting.at_least(_NEW_OPCODES[opcode]):
                text = f"unknown opcode {opcode:02x}"
                raise Reject("encoding", text, hint=f"it is there since Linux {_NEW_OPCODES[opcode]}", insn=slot)
            slot += 1

    def _check_wide(self, slot: int, src: int, checked: set[int]) -> None:
        imm, high = self.ops[slot][4], self.ops[slot + 1][4]
        if src == Pseudo.BTF_ID:
            self.setting.check_variable(self, slot)
        elif src == Pseudo.FUNC:
            pass
        elif src in (Pseudo.MAP_VALUE, Pseudo.MAP_IDX_VALUE) or (src in (Pseudo.MAP_FD, Pseudo.MAP_IDX) and not high):
            if slot not in self.maps:
                if src in (Pseudo.MAP_IDX, Pseudo.MAP_IDX_VALUE):
                    raise Reject("encoding", "fd_idx without fd_array is invalid", insn=slot)
                raise Reject("argument", f"fd {imm} is not pointing to valid bpf_map", insn=slot)
            check_load_of_map(
                self, self.maps[slot], slot, high & 0xFFFFFFFF if src == Pseudo.MAP_VALUE else None, checked
            )
        else:
            raise Reject("encoding", "unrecognized bpf_ld_imm64 insn", insn=slot)


def _resolved(spec: ProgramSpec) -> list[Insn]:
    """The instructions with jumps and local calls as distances."""
    insns = spec.insns
    for i, insn in enumerate(insns):
        if not isinstance(insn, tuple) or len(insn) != 6:
            raise AsmError(f"insns[{i}] is {insn!r}, not an Insn")
    if any(insn.symbol is not None and _is_place(insn) and insn.symbol not in spec.maps for insn in insns):
        from ..asm import resolve

        return list(resolve(insns))
    return list(insns)


def _is_place(insn: Insn) -> bool:
    """Whether the symbol of an instruction names a place in the program."""
    opcode, _, src, _, _, high = insn
    if high is not None:
        return src == Pseudo.FUNC
    if opcode == CALL:
        return src == Call.LOCAL
    return opcode & 7 in (Class.JMP, Class.JMP32) and opcode & 0xF0 not in (Jmp.CALL, Jmp.EXIT)


def _known_opcodes() -> frozenset[int]:
    known = set()
    for cls in (Class.ALU, Class.ALU64):
        for op in range(0x00, 0xE0, 0x10):
            for src in (0, 8):
                if op == 0x80 and src:
                    continue  # neg has one operand
                if op == 0xD0 and src and cls == Class.ALU64:
                    continue  # bswap has one form
                known.add(op | src | cls)
    for cls in (Class.JMP, Class.JMP32):
        for op in range(0x10, 0xE0, 0x10):
            if op not in (Jmp.CALL, Jmp.EXIT):
                known |= {op | cls, op | 8 | cls}
    known |= {CALL, EXIT, JA, JA32, MAY_GOTO}
    for size in (Size.B, Size.H, Size.W, Size.DW):
        known |= {mode | size | Class.LDX for mode in (Mode.MEM, Mode.MEMSX)}
        known |= {Mode.MEM | size | cls for cls in (Class.ST, Class.STX)}
    known -= {Mode.MEMSX | Size.DW | Class.LDX}
    known |= {Mode.ATOMIC | size | Class.STX for size in (Size.B, Size.H, Size.W, Size.DW)}
    known |= {mode | size | Class.LD for mode in (Mode.ABS, Mode.IND) for size in (Size.B, Size.H, Size.W)}
    known.add(LD_IMM64)
    return frozenset(known)


KNOWN_OPCODES = _known_opcodes()
_NEW_OPCODES: dict[int, str] = {
    **{Mode.MEMSX | size | Class.LDX: "6.6" for size in (Size.B, Size.H, Size.W)},
    JA32: "6.6",
    Class.ALU64 | 0xD0: "6.6",
    MAY_GOTO: "6.9",
}
"""Opcodes that kernels with a table may lack, and the first kernel that has them."""
