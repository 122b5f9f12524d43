"""Which instructions of a program reach an arena, and what they do there.

The verifier types the result of a cast into the kernel's address space as a pointer into the arena, and the kernel
then makes loads and stores through it ones that may fail quietly, and 64-bit arithmetic on it 32-bit
(`PTR_TO_ARENA` in kernel/bpf/verifier.c, Linux 6.9).
"""

from __future__ import annotations

from ..asm.opcodes import ADDR_SPACE_CAST, LD_IMM64, SIZE_BYTES, Alu, Atomic, Call, Class, Jmp, Mode, Size, Src
from ..errors import VmFault
from .isa import ALU, ATOMICS, SIGNED_ALU, Registers, read_register, signed
from .memory import MASK32, MASK64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..asm.insn import Insn
    from .maps import Arena

    Pointers = frozenset[int]

CAST = Class.ALU64 | Src.X | Alu.MOV
TO_KERNEL, TO_USER = 1, 1 << 16
_SIZES = {int(code): size for code, size in SIZE_BYTES.items()}
_CALL, _EXIT, _FAR = Class.JMP | Jmp.CALL, Class.JMP | Jmp.EXIT, Class.JMP32 | Jmp.JA
_CALLER_SAVED = frozenset(range(6))
_ARGUMENTS = frozenset(range(1, 6))


def is_cast(insn: Insn) -> bool:
    """Whether the instruction casts an address from one address space to the other."""
    return insn.opcode == CAST and insn.off == ADDR_SPACE_CAST


def arena_slots(code: list[Insn | None]) -> frozenset[int]:
    """Slots of casts, and of the loads, stores, atomics and 64-bit calculations whose pointer is one into an arena.

    What holds such a pointer is followed as a set: numbers of registers, and offsets from r10 of stack slots.  Where
    paths meet the sets are joined; the verifier refuses programs in which that would matter.
    """
    if not any(insn is not None and is_cast(insn) for insn in code):
        return frozenset()
    found: set[int] = set()
    before: dict[int, Pointers] = {}
    work: list[tuple[int, Pointers]] = [(0, frozenset())]
    while work:
        slot, pointers = work.pop()
        insn = code[slot] if 0 <= slot < len(code) else None
        known = before.get(slot)
        if insn is None or (known is not None and pointers <= known):
            continue
        before[slot] = pointers = pointers | (known or frozenset())
        if _reaches(insn, pointers):
            found.add(slot)
        after = _follow(insn, pointers)
        work += [(slot + step, after) for step in _steps(insn)]
        if insn.opcode == _CALL and insn.src == Call.LOCAL:
            work.append((slot + insn.imm + 1, pointers & _ARGUMENTS))
    return frozenset(found)


def _steps(insn: Insn) -> Iterator[int]:
    """How many slots further the program may go on."""
    cls, op = insn.opcode & 7, insn.opcode & 0xF0
    if insn.opcode == _EXIT:
        return
    if insn.opcode == _FAR:
        yield insn.imm + 1
        return
    jumps = cls in (Class.JMP, Class.JMP32) and insn.opcode != _CALL
    if jumps:
        yield insn.off + 1
    if not jumps or op != Jmp.JA:
        yield insn.slots


def _reaches(insn: Insn, pointers: Pointers) -> bool:
    cls = insn.opcode & 7
    if cls == Class.LDX or _acquires(insn):
        return insn.src in pointers
    if cls == Class.ALU64:
        return is_cast(insn) or (insn.opcode & 0xF0 != Alu.MOV and insn.dst in pointers)
    return cls in (Class.ST, Class.STX) and insn.dst in pointers


def _acquires(insn: Insn) -> bool:
    return insn.opcode & 0xE7 == Class.STX | Mode.ATOMIC and insn.imm == Atomic.LOAD_ACQ


def _follow(insn: Insn, pointers: Pointers) -> Pointers:
    """What holds pointers after the instruction."""
    opcode, dst, src, off, imm, _ = insn
    cls, op = opcode & 7, opcode & 0xF0
    here = frozenset((dst,))
    if is_cast(insn):
        return pointers | here if imm == TO_KERNEL else pointers - here
    if cls in (Class.ALU, Class.ALU64):
        if op == Alu.MOV:
            copied = opcode == CAST and not off and src in pointers
        else:
            copied = dst in pointers or bool(
                cls == Class.ALU64 and opcode & Src.X and op == Alu.ADD and src in pointers
            )
        return pointers | here if copied else pointers - here
    if cls == Class.LDX or _acquires(insn):
        filled = src == 10 and opcode & 0x18 == Size.DW and off in pointers
        return pointers | here if filled else pointers - here
    if opcode == _CALL:
        return pointers - _CALLER_SAVED
    if opcode & 0xE0 == Mode.ATOMIC and cls == Class.STX:
        changed = {0} if imm == Atomic.CMPXCHG else {src} if imm & Atomic.FETCH else set()
        return pointers - changed
    if cls in (Class.ST, Class.STX) and dst == 10:
        spilled = cls == Class.STX and opcode & 0x18 == Size.DW and src in pointers
        return pointers | {off} if spilled else pointers - {off}
    return pointers - here if opcode == LD_IMM64 or cls == Class.LD else pointers


def step(arena: Arena | None, insn: Insn, regs: Registers) -> None:
    """Execute one of the instructions that `arena_slots` found."""
    opcode, dst, src, off, imm, _ = insn
    cls, size = opcode & 7, _SIZES[opcode & 0x18]
    if arena is None:
        raise VmFault("a cast between address spaces in a program without an arena")
    if is_cast(insn):
        value = read_register(regs, src)
        regs[dst] = value & MASK32 if imm == TO_KERNEL else arena.to_user(value)
    elif cls == Class.ALU64:
        a, b = read_register(regs, dst), read_register(regs, src) if opcode & Src.X else imm
        operation = (SIGNED_ALU if off else ALU)[opcode & 0xF0]
        regs[dst] = operation(a & MASK32, b & MASK32, 32) & MASK32
    elif cls == Class.LDX or _acquires(insn):
        value = arena.load(read_register(regs, src), off, size) or 0
        regs[dst] = signed(value, 8 * size) & MASK64 if opcode & 0xE0 == Mode.MEMSX else value
    elif cls == Class.STX and opcode & 0xE0 == Mode.ATOMIC and imm != Atomic.STORE_REL:
        _atomic(arena, insn, regs, size)
    else:
        value = imm & MASK64 if cls == Class.ST else read_register(regs, src)
        arena.store(read_register(regs, dst), off, size, value)


def _atomic(arena: Arena, insn: Insn, regs: Registers, size: int) -> None:
    """One that fails changes no register."""
    _, dst, src, off, imm, _ = insn
    mask = (1 << 8 * size) - 1
    address, value = read_register(regs, dst), read_register(regs, src)
    old = arena.load(address, off, size)
    if old is None:
        return
    if imm == Atomic.CMPXCHG:
        arena.store(address, off, size, value if old == read_register(regs, 0) & mask else old)
        regs[0] = old
        return
    arena.store(address, off, size, ATOMICS[imm & ~Atomic.FETCH](old, value & mask))
    if imm & Atomic.FETCH:
        regs[src] = old
