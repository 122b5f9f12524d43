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
    from ..asm.insn import Insn
    from .emit import Emitter, State
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


def block(e: Emitter, block: Block, state: State) -> tuple[str, State]:
    """Write a block that is entered with `state`; gives the condition of its jump ("" for none) and the state
    behind it.

    The text is in `lines` afterwards.
    """
    e.lines = []
    e.virtual = {}
    e.dirty = 0
    e.copied = (-1, -1)
    e.state = state
    condition = ""
    count = 0
    for slot, insn in block.code:
        e.slot, e.count = slot, count
        count += 1
        cls = insn[0] & 7
        if insn not in _SOUND and not _sound(insn):
            e.put(SURPRISE)
        elif cls == 7:
            arithmetic.alu64(e, insn)
        elif cls == 4:
            arithmetic.alu32(e, insn)
        elif cls == 1:
            access.load(e, insn)
        elif cls == 3:
            access.store_register(e, insn)
        elif cls == 2:
            access.store_number(e, insn)
        elif cls == 0:
            arithmetic.wide(e, insn) if insn[0] == LD_IMM64 else access.packet_load(e, insn)
        elif insn[0] == CALL:
            call(e, insn, block)
        elif insn[0] == EXIT:
            e.use(0)
            e.clean(0)
            e.put("S.insns = n + {}")
            e.put("return r0")
        else:
            condition = arithmetic.jump(e, insn)
    if block.broken is not None:
        e.slot, e.count = block.broken, count
        e.put(SURPRISE)
    e.count = count
    e.settle(block.live)
    return condition, e.state
