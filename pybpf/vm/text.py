"""A basic block as Python text, instruction by instruction."""

from __future__ import annotations

from ..asm.opcodes import LD_IMM64
from . import access, arithmetic
from .calls import call
from .emit import SURPRISE
from .image import CALL, EXIT
from .isa import defect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..asm.insn import Insn
    from .emit import Emitter
    from .flow import Block

_SOUND: set[tuple[int, ...]] = set()


def _sound(insn: Insn) -> bool:
    """Whether an instruction is well formed; remembered, for most programs say the same few things."""
    if defect(insn):
        return False
    if len(_SOUND) > 1 << 16:
        _SOUND.clear()
    _SOUND.add(tuple(insn))  # type: ignore[arg-type]
    return True


def leave(e: Emitter, insn: Insn) -> None:
    e.use(0)
    e.clean(0)
    e.put_counted(f"return {e.text(0)}, {{}}")


_BY_CLASS: tuple[Callable[[Emitter, Insn], object] | None, ...] = (
    access.packet_load, access.load, access.store_number, access.store_register,
    arithmetic.alu32, None, None, arithmetic.alu64,
)  # fmt: skip
# opcode -> what writes it; None for a jump.
_WRITERS = [_BY_CLASS[opcode & 7] for opcode in range(256)]
_WRITERS[LD_IMM64], _WRITERS[CALL], _WRITERS[EXIT] = arithmetic.wide, call, leave


def write_block(e: Emitter, block: Block) -> str:
    """Write a block that the emitter has begun; gives the condition of its jump, "" for none.

    The text is in `lines` afterwards, and what is known behind it in `state`.
    """
    condition = ""
    count = 0
    for slot, (insn, live) in enumerate(zip(block.code, block.behind, strict=True), block.first):
        if insn is None:
            continue
        e.slot, e.count, e.live = slot, count, live
        count += 1
        if insn not in _SOUND and not _sound(insn):
            e.put(SURPRISE)
        elif (writer := _WRITERS[insn[0]]) is not None:
            writer(e, insn)
        else:
            condition = arithmetic.jump(e, insn)
    if block.broken is not None:
        e.slot, e.count = block.broken, count
        e.put(SURPRISE)
    e.count = count
    e.live = block.live
    e.settle(block.live)
    return condition
