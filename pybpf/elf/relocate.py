"""CO-RE relocations applied to instructions."""

from __future__ import annotations

from ..asm.insn import Insn, s32
from ..btf.core import Answer, Resolver, describe
from ..errors import BtfError, ElfError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .code import Function

POISON = 0xBAD2310
"""The number of a helper that does not exist: code that uses a field the kernel lacks may be loaded, not reached."""

_SIZES = {8: 0x18, 4: 0x00, 2: 0x08, 1: 0x10}
_BYTES = {code: size for size, code in _SIZES.items()}
LD, LDX, ST, STX, ALU, JMP, JMP32, ALU64 = range(8)


def apply(function: Function, slot: int, kind: int, type_id: int, access: str, resolver: Resolver) -> None:
    """Resolve one relocation and write its answer into the instruction at `slot`.

    BtfError when it has no answer, ElfError when the instruction is not one that the compiler makes for it.
    """
    _, insn = function.at(slot, "a CO-RE relocation")
    if insn.opcode == 0x85 and insn.imm == POISON:
        return
    answer = resolver.resolve(kind, type_id, access)
    try:
        function.replace(slot, *patch(insn, answer))
    except BtfError as error:
        what = describe(kind, resolver.local, type_id, access)
        raise ElfError(f"CO-RE relocation, {what}, at slot {slot} of {function.name!r}: {error}") from None


def poison(insn: Insn) -> list[Insn]:
    """As many calls of the helper that does not exist as `insn` has slots."""
    return [Insn(0x85, imm=POISON, source=insn.source)] * insn.slots


def patch(insn: Insn, answer: Answer) -> list[Insn]:
    """The instructions for `insn` after its relocation.  BtfError when it is not one that can hold the answer."""
    if answer.poison:
        return poison(insn)
    cls = insn.opcode & 7
    if cls in (ALU, ALU64):
        if insn.opcode & 8:
            raise BtfError(f"{insn!r} has no immediate")
        _expect(answer, insn.imm, insn)
        return [insn.replace(imm=s32(answer.new))]
    if cls in (LDX, ST, STX):
        _expect(answer, insn.off, insn)
        if answer.new > 0x7FFF:
            raise BtfError(f"offset {answer.new} does not fit the instruction's 16 bits")
        if answer.old_size != answer.new_size and not answer.resizable:
            return poison(insn)
        opcode = insn.opcode
        if answer.old_size != answer.new_size:
            if _BYTES[opcode & 0x18] != answer.old_size:
                raise BtfError(f"{insn!r} accesses {_BYTES[opcode & 0x18]} bytes, the field has {answer.old_size}")
            if answer.new_size not in _SIZES:
                raise BtfError(f"no instruction accesses {answer.new_size} bytes")
            opcode = opcode & ~0x18 | _SIZES[answer.new_size]
        return [insn.replace(opcode=opcode, off=answer.new)]
    if cls == LD and insn.wide and not insn.src and not insn.off:
        _expect(answer, insn.imm64, insn, 64)
        return [insn.replace(imm=s32(answer.new), next_imm=s32(answer.new >> 32))]
    raise BtfError(f"{insn!r} cannot hold a relocated value")


def _expect(answer: Answer, found: int, insn: Insn, bits: int = 32) -> None:
    mask = (1 << bits) - 1
    if answer.validate and found & mask != answer.old & mask:
        raise BtfError(f"{insn!r} holds {found}, expected {answer.old} as the program's own types have it")
