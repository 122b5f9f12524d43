# ruff: noqa: A001 (type and id are the words of this field, here and in struct bpf_reg_state)
"""Arithmetic instructions: what their fields must be, and what they do to registers.

Each instruction is compiled, when it is first reached, to a step: a function of the run and the state that gives the next slot.
What does not depend on the state is decided once, here.
"""

from __future__ import annotations

from ...asm.opcodes import ADDR_SPACE_CAST, Alu, Class
from ...uapi.map import MapType
from ..memory.pointers import OPERATORS
from ..memory.pointers import result as pointer_result
from ..memory.speculation import Masking, note_numbers
from ..numbers import num as numbers
from ..numbers.arith import apply
from ..numbers.num import Num, byte_swap, s32, sign_extend, sign_extend32, sync, truncate, zero_extend
from ..numbers.tnum import U32
from ..reject import Reject, unread, unwritable
from ..values import ANY, ARENA, LOADED, SCALAR, Reg, scalar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..explore import Run
    from ..program import Op
    from ..state import State

    Step = Callable[[Run, State], int]

_new = tuple.__new__
ADD, SUB = int(Alu.ADD), int(Alu.SUB)


def failing(reads: Sequence[int], late: Reject | None, write: int | None = None) -> Step:
    """The step of an instruction that cannot succeed: the first of its mistakes that the kernel would meet is raised."""

    def step(run: Run, state: State) -> int:
        regs = state.frames[-1].regs
        for reg in reads:
            if reg > 10 or not regs[reg].type:
                raise unread(reg)
        if late is not None:
            raise Reject(late.category, late.message, hint=late.hint, regs=late.regs)
        assert write is not None
        raise unwritable(write)

    return step


def reserved(name: str) -> Reject:
    return Reject("encoding", f"{name} uses reserved fields", hint="fields that an instruction does not use must be 0")


def compile_alu(run: Run, slot: int, op: Op) -> Step:
    """The step of an instruction of class ALU or ALU64."""
    opcode, dst, src, off, imm = op
    kind = opcode & 0xF0
    wide = opcode & 7 == Class.ALU64
    register = opcode & 8
    if kind == Alu.NEG:
        if register or src or off or imm:
            raise reserved("BPF_NEG")
        return _negate(slot, dst, wide) if dst < 10 else failing((dst,), None, dst)
    if kind == Alu.END:
        if src or off or imm not in (16, 32, 64) or (wide and register):
            raise reserved("BPF_END")
        return _swap(slot, dst, imm // 8, wide or bool(register)) if dst < 10 else failing((dst,), None, dst)
    if kind == Alu.MOV:
        return _compile_mov(run, slot, op, wide)
    if off and not run.setting.at_least("6.6"):
        raise reserved("BPF_ALU")  # signed division came with 6.6
    if off not in (0, 1) or (off == 1 and kind not in (Alu.DIV, Alu.MOD)) or (imm if register else src):
        raise reserved("BPF_ALU")
    reads = (src, dst) if register else (dst,)
    late = None
    if not register:
        if kind in (Alu.DIV, Alu.MOD) and imm == 0:
            late = Reject("encoding", "div by zero", hint="a division by a constant 0 is refused")
        if kind in (Alu.LSH, Alu.RSH, Alu.ARSH) and not 0 <= imm < (64 if wide else 32):
            late = Reject("encoding", f"invalid shift {imm}", hint=f"shift by 0 to {63 if wide else 31}")
    if late is not None or dst >= 10 or (register and src > 10):
        return failing(reads, late, dst)
    if register:
        return _binary(slot, kind, wide, dst, src, kind in (ADD, SUB) and not run.setting.perfmon)
    return _binary_constant(slot, kind, wide, dst, numbers.const(imm))


def _negate(slot: int, dst: int, wide: bool) -> Step:
    after = slot + 1

    def step(run: Run, state: State) -> int:
        regs = state.frames[-1].regs
        a = regs[dst]
        if not a.type:
            raise unread(dst)
        if a.type == SCALAR:
            regs[dst] = Reg(SCALAR, apply(Alu.NEG, wide, a.num, numbers.ZERO))
        else:
            run.check_leak(a, f"R{dst} pointer arithmetic prohibited")
            regs[dst] = ANY
        return after

    return step


def _swap(slot: int, dst: int, size: int, swaps: bool) -> Step:
    """bswap, and to big or little endian, on a little-endian machine: a swap, or just the low bytes."""
    after = slot + 1

    def step(run: Run, state: State) -> int:
        regs = state.frames[-1].regs
        a = regs[dst]
        if not a.type:
            raise unread(dst)
        if a.type != SCALAR or not run.tracks_swaps:
            run.check_leak(a, f"R{dst} pointer arithmetic prohibited")
            regs[dst] = ANY
        elif swaps:
            regs[dst] = Reg(SCALAR, byte_swap(a.num, size))
        elif size < 8:
            regs[dst] = Reg(SCALAR, truncate(a.num, size))
        return after

    return step


def _compile_mov(run: Run, slot: int, op: Op, wide: bool) -> Step:
    opcode, dst, src, off, imm = op
    if not opcode & 8:
        if src or off:
            raise reserved("BPF_MOV")
        if dst >= 10:
            return failing((), None, dst)
        return _mov_constant(slot, dst, scalar(imm if wide else imm & U32))
    if wide and off == ADDR_SPACE_CAST:
        if imm not in (1, 1 << 16):
            raise Reject("encoding", "addr_space_cast insn can only convert between address space 1 and 0")
        if not any(m.type == MapType.ARENA for m in run.program.used_maps):
            raise Reject("encoding", "addr_space_cast insn can only be used in a program that has an associated arena")
        if dst >= 10 or src > 10:
            return failing((src,), None, dst)
        return _cast(slot, dst, src, imm)
    if off and not run.setting.at_least("6.6"):
        raise reserved("BPF_MOV")  # sign extension came with 6.6
    if off not in ((0, 8, 16, 32) if wide else (0, 8, 16)) or imm:
        raise reserved("BPF_MOV")
    if dst >= 10 or src > 10:
        return failing((src,), None, dst)
    if off:
        return _mov_sign(slot, dst, src, off // 8, wide)
    return _mov(slot, dst, src) if wide else _mov32(slot, dst, src)


def _mov_constant(slot: int, dst: int, value: Reg) -> Step:
    after = slot + 1

    def step(run: Run, state: State) -> int:
        state.frames[-1].regs[dst] = value
        return after

    return step


def _mov(slot: int, dst: int, src: int) -> Step:
    after = slot + 1

    def step(run: Run, state: State) -> int:
        regs = state.frames[-1].regs
        a = regs[src]
        if a.type == SCALAR:
            a = run.identified(regs, src)
        elif not a.type:
            raise unread(src)
        regs[dst] = a
        return after

    return step


def _mov_part(slot: int, dst: int, src: int, largest: int, change: Callable[[Num], Num], what: str, lost: Reg) -> Step:
    """A move that changes numbers above `largest`; of pointers `lost` remains."""
    after = slot + 1

    def step(run: Run, state: State) -> int:
        regs = state.frames[-1].regs
        a = regs[src]
        if a.type == SCALAR:
            if a.num[3] <= largest:
                regs[dst] = run.identified(regs, src)
            else:
                regs[dst] = Reg(SCALAR, change(a.num))
        elif not a.type:
            raise unread(src)
        else:
            run.check_leak(a, f"R{src} {what} of pointer")
            regs[dst] = lost
        return after

    return step


def _mov32(slot: int, dst: int, src: int) -> Step:
    return _mov_part(slot, dst, src, U32, lambda num: sync(zero_extend(num)), "partial copy", LOADED[4])


def _mov_sign(slot: int, dst: int, src: int, size: int, wide: bool) -> Step:
    extend = sign_extend if wide else sign_extend32
    largest = (1 << size * 8 - 1) - 1
    lost = ANY if wide else LOADED[4]
    return _mov_part(slot, dst, src, largest, lambda num: extend(num, size), "sign-extension part", lost)


def _cast(slot: int, dst: int, src: int, imm: int) -> Step:
    value = Reg(ARENA) if imm == 1 else ANY

    def step(run: Run, state: State) -> int:
        regs = state.frames[-1].regs
        if not regs[src].type:
            raise unread(src)
        regs[dst] = value
        return slot + 1

    return step


def _distance(kind: int, wide: bool, constant: Num) -> tuple[int, bool] | None:
    """By how much adding or subtracting a constant moves a number, and in which width; None where that is not followed."""
    if kind not in (ADD, SUB):
        return None
    value = constant[4] if wide else s32(constant[0])
    if kind == SUB:
        value = -value
    return (value, wide) if -(1 << 31) <= value < 1 << 31 and not (kind == SUB and value == 1 << 31) else None


def _stays_linked(run: Run, before: Num, kind: int, wide: bool, distance: int) -> bool:
    """Whether a number that moved by a constant stays linked with those that it equalled.

    Linux 6.10 follows additions on x registers; 6.18.y also subtractions, and w registers that hold all of the number.
    """
    if wide and kind == ADD and distance >= 0:
        return run.setting.at_least("6.10")
    return run.setting.at_least("6.18") and (wide or before.umax <= U32)


def _binary_constant(slot: int, kind: int, wide: bool, dst: int, constant: Num) -> Step:
    after = slot + 1
    distance = _distance(kind, wide, constant)

    def step(run: Run, state: State) -> int:
        regs = state.frames[-1].regs
        a = regs[dst]
        if a.type == SCALAR:
            if distance is not None and a.id and a.data is None and _stays_linked(run, a.num, kind, wide, distance[0]):
                regs[dst] = Reg(SCALAR, apply(kind, wide, a.num, constant), 0, a.id, 0, distance)
            else:
                regs[dst] = Reg(SCALAR, apply(kind, wide, a.num, constant))
        elif not a.type:
            raise unread(dst)
        elif a.type != ARENA:
            regs[dst] = pointer_result(run, kind, wide, dst, a, constant, True)
        return after

    return step


def _binary(slot: int, kind: int, wide: bool, dst: int, src: int, masked: bool) -> Step:
    after = slot + 1

    def step(run: Run, state: State) -> int:
        regs = state.frames[-1].regs
        b = regs[src]
        if not b.type:
            raise unread(src)
        a = regs[dst]
        if a.type == SCALAR:
            if b.type == SCALAR:
                if masked:
                    note_numbers(run, slot, dst, kind)
                id = 0
                data: tuple[int, bool] | None = None
                if a.id and a.data is None and not (b.num[1] if wide else b.num[1] & U32):
                    data = _distance(kind, wide, b.num)
                    if data is not None and _stays_linked(run, a.num, kind, wide, data[0]):
                        id = a.id
                    else:
                        data = None
                regs[dst] = Reg(SCALAR, apply(kind, wide, a.num, b.num), 0, id, 0, data)
            else:
                run.mark_precise(state, dst)
                masking = None
                if masked and slot not in run.barriers:
                    masking = Masking(run, state, slot, kind, dst, src, False)
                regs[dst] = pointer_result(run, kind, wide, dst, b, a.num, False, masking)
        elif not a.type:
            raise unread(dst)
        elif a.type == ARENA:
            pass
        elif b.type == SCALAR:
            run.mark_precise(state, src)
            masking = Masking(run, state, slot, kind, dst, src, True) if masked and slot not in run.barriers else None
            regs[dst] = pointer_result(run, kind, wide, dst, a, b.num, True, masking)
        elif kind == Alu.SUB and run.setting.perfmon:
            regs[dst] = ANY
        else:
            text = f"R{dst} pointer {OPERATORS[Alu(kind)]} pointer prohibited"
            raise Reject("type", text, hint="only the difference of two pointers is a number", regs=(dst, src))
        return after

    return step
