"""Instructions from Python: registers as objects, one function a mnemonic, labels and maps by name.

    from pybpf.asm.build import *

    prog = program(
        mov(r6, r1),
        ld_abs(B, 23),
        jeq(r0, 17, "udp"),
        mov(r0, 0),
        exit_(),
        "udp",                    # a bare string labels what follows
        mov(r0, 65535),
        exit_(),
    )

`r0` to `r10` are the 64-bit registers and `w0` to `w10` their lower halves: the first operand decides the width of an
operation.  `r10 - 8` is an address; `B`, `H`, `W` and `DW` are the widths of memory accesses (8 to 64 bits).  Every
function returns one `Insn`, and raises AsmError at once for an operand that does not fit.  Nothing is emitted anywhere:
the program is the list that you make.
"""

from __future__ import annotations

from ..errors import AsmError
from .insn import Insn
from .opcodes import ADDR_SPACE_CAST, LD_IMM64, Alu, Atomic, Call, Class, Jmp, Mode, Pseudo, Size, Src

# fmt: off
from .operands import (  # isort: skip
    r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10,
    B, H, W, DW, Address, Register, address_of, immediate, number, register, width,
)
# fmt: on

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Target = str | int
    Item = Insn | str | Iterable["Item"]

# fmt: off
__all__ = [
    "program", "Register", "Address", "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "w0", "w1",
    "w2", "w3", "w4", "w5", "w6", "w7", "w8", "w9", "w10", "B", "H", "W", "DW", "add", "sub", "mul", "div", "sdiv",
    "mod", "smod", "or_", "and_", "xor", "lsh", "rsh", "arsh", "mov", "movsx", "neg", "le", "be", "bswap",
    "addr_space_cast", "ld_imm64", "ld_map", "ld_map_value", "ld_map_idx", "ld_map_idx_value", "ld_var", "ld_func",
    "ldx", "ldsx", "st", "ld_abs", "ld_ind", "atomic_add", "atomic_or", "atomic_and", "atomic_xor", "xchg",
    "cmpxchg", "load_acquire", "store_release", "jeq", "jne", "jgt", "jge", "jlt", "jle", "jsgt", "jsge", "jslt",
    "jsle", "jset", "ja", "gotol", "may_goto", "call", "call_local", "call_kfunc", "exit_",
]
# fmt: on


def program(*items: Item) -> list[Insn]:
    """The instructions of `items` in one list; a string among them labels what follows, and lists are joined in.

    A place may have several labels.  AsmError for a label with nothing behind it.
    """
    out: list[Insn] = []
    pending: list[str] = []
    other_names: dict[str, str] = {}
    for item in _flat(items):
        if isinstance(item, str):
            pending.append(item)
            continue
        if pending:
            label = item.label or pending[0]
            other_names.update((name, label) for name in pending if name != label)
            item = item.replace(label=label)
            pending = []
        out.append(item)
    if pending:
        raise AsmError(f"label {pending[0]!r} has no instruction behind it")
    return _rename(out, other_names) if other_names else out


def _rename(insns: list[Insn], names: dict[str, str]) -> list[Insn]:
    """The program with references to code under one name turned to another."""
    from .symbols import refers_to_code

    return [
        insn.replace(symbol=names[insn.symbol]) if insn.symbol in names and refers_to_code(insn) else insn
        for insn in insns
    ]


def _flat(items: Iterable[Item]) -> Iterable[Insn | str]:
    for item in items:
        if isinstance(item, (Insn, str)):
            yield item
        elif isinstance(item, (list, tuple)) or hasattr(item, "__next__"):
            yield from _flat(item)
        else:
            raise AsmError(f"{item!r} is neither an instruction nor a label")


def _aimed(opcode: int, target: Target, dst: int = 0, src: int = 0, imm: int = 0) -> Insn:
    """A jump whose distance is in `off`: to a label, or over a number of slots."""
    if isinstance(target, str):
        return Insn(opcode, dst, src, 0, imm, symbol=target)
    return Insn(opcode, dst, src, number("distance", target, -(1 << 15), (1 << 15) - 1), imm)


# Arithmetic


def _alu(op: int, dst: Register, src: Register | int, off: int = 0) -> Insn:
    bits = register(dst).bits
    cls = Class.ALU64 if bits == 64 else Class.ALU
    if isinstance(src, Register):
        return Insn(cls | Src.X | op, dst.number, register(src, bits).number, off)
    return Insn(cls | Src.K | op, dst.number, 0, off, immediate(src, bits))


def _arithmetic(op: Alu, sign: str, off: int = 0) -> Callable[[Register, Register | int], Insn]:
    def mnemonic(dst: Register, src: Register | int) -> Insn:
        return _alu(op, dst, src, off)

    mnemonic.__doc__ = f"`dst {sign} src`, where src is a register of the same width or an immediate."
    return mnemonic


add = _arithmetic(Alu.ADD, "+=")
sub = _arithmetic(Alu.SUB, "-=")
mul = _arithmetic(Alu.MUL, "*=")
div = _arithmetic(Alu.DIV, "/=")
sdiv = _arithmetic(Alu.DIV, "s/=", 1)
mod = _arithmetic(Alu.MOD, "%=")
smod = _arithmetic(Alu.MOD, "s%=", 1)
or_ = _arithmetic(Alu.OR, "|=")
and_ = _arithmetic(Alu.AND, "&=")
xor = _arithmetic(Alu.XOR, "^=")
lsh = _arithmetic(Alu.LSH, "<<=")
rsh = _arithmetic(Alu.RSH, ">>=")
arsh = _arithmetic(Alu.ARSH, "s>>=")
mov = _arithmetic(Alu.MOV, "=")


def movsx(dst: Register, src: Register, bits: int) -> Insn:
    """`dst = (s<bits>)src`: the lower 8, 16 or 32 bits of src, sign-extended to dst (ISA v4, Linux 6.6)."""
    if bits not in (8, 16, 32) or bits >= register(dst).bits:
        raise AsmError(f"movsx of {bits!r} bits to {dst!r}: expected 8, 16, or 32 into a 64-bit register")
    return _alu(Alu.MOV, dst, register(src), bits)


def neg(dst: Register) -> Insn:
    """`dst = -dst`."""
    return Insn((Class.ALU64 if register(dst).bits == 64 else Class.ALU) | Alu.NEG, dst.number)


def _swap(opcode: int, dst: Register, bits: int) -> Insn:
    if bits not in (16, 32, 64):
        raise AsmError(f"byte swap of {bits!r} bits: expected 16, 32 or 64")
    return Insn(opcode, register(dst, 64).number, imm=bits)


def le(dst: Register, bits: int) -> Insn:
    """`dst = le<bits> dst`: to little-endian and back, upper bits cleared."""
    return _swap(Class.ALU | Src.K | Alu.END, dst, bits)


def be(dst: Register, bits: int) -> Insn:
    """`dst = be<bits> dst`: to big-endian and back, upper bits cleared."""
    return _swap(Class.ALU | Src.X | Alu.END, dst, bits)


def bswap(dst: Register, bits: int) -> Insn:
    """`dst = bswap<bits> dst`: the lower bytes reversed on every machine, upper bits cleared (ISA v4, Linux 6.6)."""
    return _swap(Class.ALU64 | Src.K | Alu.END, dst, bits)


def addr_space_cast(dst: Register, src: Register, to: int, from_: int) -> Insn:
    """`dst = addr_space_cast(src, to, from)`: between address spaces, 1 an arena, 0 the kernel (Linux 6.9)."""
    high = number("address space", to, 0, 0xFFFF)
    imm = high << 16 | number("address space", from_, 0, 0xFFFF)
    opcode = Class.ALU64 | Src.X | Alu.MOV
    signed = imm - (1 << 32) if imm >> 31 else imm
    return Insn(opcode, register(dst, 64).number, register(src, 64).number, ADDR_SPACE_CAST, signed)


# Wide loads


def ld_imm64(dst: Register, value: int) -> Insn:
    """`dst = value ll`: any number of 64 bits, signed or unsigned; fills two slots."""
    return Insn.ld_imm64(register(dst, 64).number, number("immediate", value, -(1 << 63), (1 << 64) - 1))


def _wide(dst: Register, kind: Pseudo, ref: str | int, next_imm: int = 0) -> Insn:
    dst_number = register(dst, 64).number
    if isinstance(ref, str):
        return Insn(LD_IMM64, dst_number, kind, 0, 0, next_imm, symbol=ref)
    return Insn(LD_IMM64, dst_number, kind, 0, immediate(ref), next_imm)


def ld_map(dst: Register, ref: str | int) -> Insn:
    """`dst = map_by_fd(ref)`: the address of a map, given by name or by descriptor."""
    return _wide(dst, Pseudo.MAP_FD, ref)


def ld_map_value(dst: Register, ref: str | int, offset: int = 0) -> Insn:
    """`dst = map_val(map_by_fd(ref)) + offset`: the address of a byte in the only value of an array (Linux 5.2)."""
    return _wide(dst, Pseudo.MAP_VALUE, ref, immediate(offset, 32))


def ld_map_idx(dst: Register, index: int) -> Insn:
    """`dst = map_by_idx(index)`: the map at an index of the descriptors given at load time (Linux 5.14)."""
    return _wide(dst, Pseudo.MAP_IDX, index)


def ld_map_idx_value(dst: Register, index: int, offset: int = 0) -> Insn:
    """`dst = map_val(map_by_idx(index)) + offset` (Linux 5.14)."""
    return _wide(dst, Pseudo.MAP_IDX_VALUE, index, immediate(offset, 32))


def ld_var(dst: Register, ref: str | int, btf_fd: int = 0) -> Insn:
    """`dst = var_addr(ref)`: the address of a kernel variable, by name or BTF id (Linux 5.10).

    `btf_fd` is the BTF of the module that has it.
    """
    return _wide(dst, Pseudo.BTF_ID, ref, immediate(btf_fd))


def ld_func(dst: Register, target: Target) -> Insn:
    """`dst = code_addr(target)`: the address of a local function, as callbacks need it (Linux 5.13)."""
    return _wide(dst, Pseudo.FUNC, target)


# Memory


def _load(mode: int, size: Size, dst: Register, address: Address | Register) -> Insn:
    place = address_of(address)
    return Insn(Class.LDX | mode | size, register(dst).number, place.base.number, place.offset)


def ldx(size: Size, dst: Register, address: Address | Register) -> Insn:
    """`dst = *(u<size> *)(address)`, zero-extended."""
    return _load(Mode.MEM, width(size), dst, address)


def ldsx(size: Size, dst: Register, address: Address | Register) -> Insn:
    """`dst = *(s<size> *)(address)` of 8, 16 or 32 bits, sign-extended to 64 (ISA v4, Linux 6.6)."""
    return _load(Mode.MEMSX, width(size, W), dst, address)


def st(size: Size, address: Address | Register, src: Register | int) -> Insn:
    """`*(u<size> *)(address) = src`, where src is a register or an immediate."""
    place = address_of(address)
    if isinstance(src, Register):
        return Insn(Class.STX | Mode.MEM | width(size), place.base.number, src.number, place.offset)
    imm = immediate(src, 64 if size == DW else 32)
    return Insn(Class.ST | Mode.MEM | width(size), place.base.number, 0, place.offset, imm)


def ld_abs(size: Size, offset: int) -> Insn:
    """`r0 = *(u<size> *)skb[offset]`: packet bytes in network order; the context must be in r6, r1 to r5 are lost."""
    return Insn(Class.LD | Mode.ABS | width(size, W), imm=immediate(offset))


def ld_ind(size: Size, src: Register, offset: int = 0) -> Insn:
    """`r0 = *(u<size> *)skb[src + offset]`: as `ld_abs`, from a place known at run time."""
    return Insn(Class.LD | Mode.IND | width(size, W), 0, register(src, 64).number, 0, immediate(offset))


def _atomic(op: int, size: Size, address: Address | Register, src: Register, sizes: tuple[Size, ...] = (W, DW)) -> Insn:
    if size not in sizes:
        raise AsmError(f"{size!r} is not a width of this operation: expected {' or '.join(s.name for s in sizes)}")
    place = address_of(address)
    return Insn(Class.STX | Mode.ATOMIC | size, place.base.number, register(src).number, place.offset, op)


def atomic_add(size: Size, address: Address | Register, src: Register, *, fetch: bool = False) -> Insn:
    """`lock *(address) += src`; with `fetch`, src gets what was there (Linux 5.12).  Size is W or DW."""
    return _atomic(Atomic.ADD | fetch, size, address, src)


def atomic_or(size: Size, address: Address | Register, src: Register, *, fetch: bool = False) -> Insn:
    """`lock *(address) |= src`; with `fetch`, src gets what was there (Linux 5.12)."""
    return _atomic(Atomic.OR | fetch, size, address, src)


def atomic_and(size: Size, address: Address | Register, src: Register, *, fetch: bool = False) -> Insn:
    """`lock *(address) &= src`; with `fetch`, src gets what was there (Linux 5.12)."""
    return _atomic(Atomic.AND | fetch, size, address, src)


def atomic_xor(size: Size, address: Address | Register, src: Register, *, fetch: bool = False) -> Insn:
    """`lock *(address) ^= src`; with `fetch`, src gets what was there (Linux 5.12)."""
    return _atomic(Atomic.XOR | fetch, size, address, src)


def xchg(size: Size, address: Address | Register, src: Register) -> Insn:
    """src and memory change places at once (Linux 5.12)."""
    return _atomic(Atomic.XCHG, size, address, src)


def cmpxchg(size: Size, address: Address | Register, src: Register) -> Insn:
    """src is stored if memory equals r0; r0 gets what was there (Linux 5.12)."""
    return _atomic(Atomic.CMPXCHG, size, address, src)


def load_acquire(size: Size, dst: Register, address: Address | Register) -> Insn:
    """`dst = load_acquire((u<size> *)(address))` (Linux 6.15)."""
    place = address_of(address)
    opcode = Class.STX | Mode.ATOMIC | width(size)
    return Insn(opcode, register(dst).number, place.base.number, place.offset, Atomic.LOAD_ACQ)


def store_release(size: Size, address: Address | Register, src: Register) -> Insn:
    """`store_release((u<size> *)(address), src)` (Linux 6.15)."""
    return _atomic(Atomic.STORE_REL, size, address, src, (B, H, W, DW))


# Jumps: a target is a label, or a number of slots counted from the next instruction


def _compare(op: Jmp, sign: str) -> Callable[[Register, Register | int, Target], Insn]:
    def mnemonic(dst: Register, src: Register | int, target: Target) -> Insn:
        bits = register(dst).bits
        cls = Class.JMP if bits == 64 else Class.JMP32
        if isinstance(src, Register):
            return _aimed(cls | Src.X | op, target, dst.number, register(src, bits).number)
        return _aimed(cls | Src.K | op, target, dst.number, 0, immediate(src, bits))

    mnemonic.__doc__ = f"`if dst {sign} src goto target`, where src is a register of the same width or an immediate."
    return mnemonic


jeq = _compare(Jmp.JEQ, "==")
jne = _compare(Jmp.JNE, "!=")
jgt = _compare(Jmp.JGT, ">")
jge = _compare(Jmp.JGE, ">=")
jlt = _compare(Jmp.JLT, "<")
jle = _compare(Jmp.JLE, "<=")
jsgt = _compare(Jmp.JSGT, "s>")
jsge = _compare(Jmp.JSGE, "s>=")
jslt = _compare(Jmp.JSLT, "s<")
jsle = _compare(Jmp.JSLE, "s<=")
jset = _compare(Jmp.JSET, "&")


def ja(target: Target) -> Insn:
    """`goto target`."""
    return _aimed(Class.JMP | Jmp.JA, target)


def gotol(target: Target) -> Insn:
    """`gotol target`: a jump with 32 bits of distance (ISA v4, Linux 6.6).

    There is no need to ask for it: `resolve` makes one of `ja` where it must.
    """
    if isinstance(target, str):
        return Insn(Class.JMP32 | Jmp.JA, symbol=target)
    return Insn(Class.JMP32 | Jmp.JA, imm=immediate(target))


def may_goto(target: Target) -> Insn:
    """`may_goto target`: jump once the program has used up its turns of loops (Linux 6.9)."""
    return _aimed(Class.JMP | Jmp.JCOND, target)


def call(helper: str | int) -> Insn:
    """`call helper`: a helper by name (with or without `bpf_`) or number.  AsmError for a name that is none."""
    if isinstance(helper, int):
        return Insn(Class.JMP | Jmp.CALL, imm=immediate(helper))
    from .helpers import helper_id

    found = helper_id(helper)
    if found is None:
        raise AsmError(f"no helper is named {helper!r}: call_kfunc calls a kfunc, call_local a function of the program")
    return Insn(Class.JMP | Jmp.CALL, imm=found)


def call_local(target: Target) -> Insn:
    """`call target`: a function of this program, by label (Linux 4.16)."""
    if isinstance(target, str):
        return Insn(Class.JMP | Jmp.CALL, 0, Call.LOCAL, symbol=target)
    return Insn(Class.JMP | Jmp.CALL, 0, Call.LOCAL, 0, immediate(target))


def call_kfunc(ref: str | int) -> Insn:
    """`call kfunc ref`: a function of the kernel, by name or BTF id (Linux 5.13)."""
    if isinstance(ref, str):
        return Insn(Class.JMP | Jmp.CALL, 0, Call.KFUNC, symbol=ref)
    return Insn(Class.JMP | Jmp.CALL, 0, Call.KFUNC, 0, immediate(ref))


def exit_() -> Insn:
    """`exit`: return r0."""
    return Insn(Class.JMP | Jmp.EXIT)
