"""The plain interpreter: one instruction after the other, as the specification reads.

It runs cold code, traced code, and whatever the translator hands back: an access that surprised it, or a fault, which
is always raised from here.
"""

from __future__ import annotations

from ..asm.opcodes import LD_IMM64, SIZE_BYTES, Alu, Atomic, Call, Class, Jmp, Mode, Pseudo, Src
from ..errors import VmFault
from . import arena
from .helpers.table import VARIADIC
from .image import CALL, EXIT, FOREVER
from .isa import ALU, ATOMICS, JUMPS, SIGNED_ALU, SIGNED_JUMPS, Registers, defect, signed, swap
from .isa import read_register as _read
from .memory import CTX, MASK32, MASK64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..asm.insn import Insn
    from .image import Image
    from .run import Run

_SIZES = {int(code): size for code, size in SIZE_BYTES.items()}

# As plain ints: an enum member is looked up and compared much more slowly.
_LD, _LDX, _ST, _ALU, _JMP, _JMP32, _ALU64 = map(
    int, (Class.LD, Class.LDX, Class.ST, Class.ALU, Class.JMP, Class.JMP32, Class.ALU64)
)
_JUMPS = (_JMP, _JMP32)
_MOV, _END, _JA, _JCOND, _X, _ATOMIC = map(int, (Alu.MOV, Alu.END, Jmp.JA, Jmp.JCOND, Src.X, Mode.ATOMIC))


def execute(run: Run, image: Image, pc: int, regs: Registers, stay: bool = False) -> int:
    """Run from slot `pc` until the function's frame ends, and return its r0; `regs` are r0 to r10.

    A register is None while it holds nothing.  VmFault for whatever the kernel would not have let happen.  A loop that
    turns out to be long goes on translated, unless told to `stay`.
    """
    patience = FOREVER if stay else run.patience(image)
    try:
        while True:
            insn = image.code[pc] if 0 <= pc < len(image.code) else None
            if insn is None:
                raise VmFault("control runs out of the program" if pc >= len(image.code) else "jump into nowhere")
            if pc not in image.sound:
                wrong = defect(insn)
                if wrong:
                    raise VmFault(wrong)
                image.sound.add(pc)
            run.insns += 1
            if run.insns > run.budget:
                raise run.out_of_budget()
            if run.visit is not None:
                run.visit(image, pc, insn, regs)
            opcode = insn[0]
            cls = opcode & 7
            if opcode == EXIT:
                return _read(regs, 0)
            if pc in image.arena_slots:
                arena.step(image.arena, insn, regs)
            elif cls == _ALU64:
                _alu(insn, regs, 64)
            elif cls == _ALU:
                _alu(insn, regs, 32)
            elif opcode == CALL:
                if _call(run, image, pc, insn, regs):
                    return _read(regs, 0)
            elif cls in _JUMPS:
                step = _jump(run, insn, regs, 64 if cls == _JMP else 32)
                pc += step
                if step < 0 and run.insns >= patience and pc >= -1 and image.code[pc + 1] is not None:
                    from .translate import resume

                    return resume(run, image, pc + 1, regs)
            elif opcode == LD_IMM64:
                regs[insn.dst] = _wide(run, image, pc, insn)
            elif cls == _LD:
                if not _packet_load(run, insn, regs):
                    return 0  # out of the packet: the program ends, as classic BPF does
            elif cls == _LDX:
                _load(run, image, pc, insn, regs)
            elif opcode & 0xE0 == _ATOMIC:
                _atomic(run, insn, regs)
            else:
                value = insn.imm if cls == _ST else _read(regs, insn.src)
                run.store((_read(regs, insn.dst) + insn.off) & MASK64, _SIZES[opcode & 0x18], value)
            pc += 1 if insn[5] is None else 2
    except VmFault as fault:
        if fault.insn is None:
            fault.insn, fault.source = pc, image.source(pc)
        raise


def _alu(insn: Insn, regs: Registers, bits: int) -> None:
    opcode, dst, src, off, imm, _ = insn
    mask = MASK64 if bits == 64 else MASK32
    op = opcode & 0xF0
    if op == _MOV:
        b = _read(regs, src) if opcode & _X else imm
        regs[dst] = (signed(b, off) if off else b) & mask
        return
    a = _read(regs, dst)
    if op == _END:
        if bits == 64 or opcode & _X:  # bswap, and to big endian; the machine is little-endian
            regs[dst] = swap(a, imm)
        else:
            regs[dst] = a & ((1 << imm) - 1)
        return
    b = _read(regs, src) if opcode & _X else imm
    regs[dst] = (SIGNED_ALU if off else ALU)[op](a & mask, b & mask, bits) & mask


def _jump(run: Run, insn: Insn, regs: Registers, bits: int) -> int:
    """How many slots a jump adds beyond the next instruction."""
    opcode, dst, src, off, imm, _ = insn
    op = opcode & 0xF0
    if op == _JA:
        return off if bits == 64 else imm
    if op == _JCOND:
        return off if run.may_goto_ends() else 0
    mask = MASK64 if bits == 64 else MASK32
    a, b = _read(regs, dst) & mask, (_read(regs, src) if opcode & _X else imm) & mask
    if op in SIGNED_JUMPS:
        a, b = signed(a, bits), signed(b, bits)
    return off if JUMPS[op](a, b) else 0


def _wide(run: Run, image: Image, pc: int, insn: Insn) -> int:
    if insn.src == Pseudo.BTF_ID:
        return run.variable(image.variables[pc])
    return image.constants[pc]


def _load(run: Run, image: Image, pc: int, insn: Insn, regs: Registers) -> None:
    size = _SIZES[insn.opcode & 0x18]
    address = (_read(regs, insn.src) + insn.off) & MASK64
    # Kernel objects are read through pointers that may be bad; the JIT's exception table then makes the result 0.
    bad = image.probes and run.mem.bad(address) and image.loaded(pc, insn.src)
    value = 0 if bad else run.load(address, size)
    if insn.opcode & 0xE0 == Mode.MEMSX:
        value = signed(value, size * 8) & MASK64
    regs[insn.dst] = value


def _atomic(run: Run, insn: Insn, regs: Registers) -> None:
    size = _SIZES[insn.opcode & 0x18]
    mask = (1 << size * 8) - 1
    if insn.imm == Atomic.LOAD_ACQ:
        regs[insn.dst] = run.load((_read(regs, insn.src) + insn.off) & MASK64, size)
        return
    address = (_read(regs, insn.dst) + insn.off) & MASK64
    value = _read(regs, insn.src)
    if insn.imm == Atomic.STORE_REL:
        run.store(address, size, value)
        return
    if address >> 32 == CTX:
        raise VmFault("an atomic operation on the context")
    if insn.imm == Atomic.CMPXCHG:
        expected = _read(regs, 0) & mask
        old = run.mem.load(address, size)
        run.mem.store(address, size, value if old == expected else old)
        regs[0] = old
        return
    old = run.mem.load(address, size)
    run.mem.store(address, size, ATOMICS[insn.imm & ~Atomic.FETCH](old, value & mask))
    if insn.imm & Atomic.FETCH:
        regs[insn.src] = old


def _packet_load(run: Run, insn: Insn, regs: Registers) -> bool:
    """Legacy loads: network order, relative to the packet's start, context in r6."""
    if _read(regs, 6) != CTX << 32:
        raise VmFault("a legacy packet load needs the context in r6")
    offset = insn.imm
    if insn.opcode & 0xE0 == Mode.IND:
        offset = signed(_read(regs, insn.src) + insn.imm, 32)
    value = run.packet_load(offset, _SIZES[insn.opcode & 0x18])
    regs[1:6] = [None] * 5
    if value is None:
        return False
    regs[0] = value & MASK32
    return True


def _call(run: Run, image: Image, pc: int, insn: Insn, regs: Registers) -> bool:
    """A call of any kind; True when a tail call took the frame over and its result is in r0."""
    if insn.src == Call.LOCAL:
        result = run.call(image, pc + insn.imm + 1, regs[1:6])
    else:
        helper = run.helper(insn)
        if helper.arity == VARIADIC:
            args = [regs[n] or 0 for n in range(1, 6)]
        else:
            args = [_read(regs, n) for n in range(1, helper.arity + 1)]
        value = helper.call(run, *args)
        if value is None:  # only bpf_tail_call answers so, when it has a program to run
            regs[0] = run.enter_tail(args[0])
            return True
        result = value & MASK64
    regs[0] = result
    regs[1:6] = [None] * 5
    return False
