"""The instruction set: instructions as values, their bytes, their text.

    prog = asm.assemble("r0 = 0\nexit")     # text to instructions
    raw = asm.encode(prog)                  # instructions to bytes
    asm.decode(raw) == asm.resolve(prog)    # bytes to instructions
    print(asm.disassemble(raw))             # bytes (or instructions) to text

`asm.build` makes instructions from Python.  Names are imported when first used: encoding does not load the assembler.
"""

from __future__ import annotations

from ..lazy import exports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import build as build
    from .assembler import assemble as assemble
    from .codec import decode as decode
    from .codec import encode as encode
    from .insn import Insn as Insn
    from .isa import Feature as Feature
    from .isa import check as check
    from .isa import check_isa as check_isa
    from .isa import features as features
    from .isa import isa_level as isa_level
    from .opcodes import Alu as Alu
    from .opcodes import Atomic as Atomic
    from .opcodes import Call as Call
    from .opcodes import Class as Class
    from .opcodes import Jmp as Jmp
    from .opcodes import Mode as Mode
    from .opcodes import Pseudo as Pseudo
    from .opcodes import Size as Size
    from .opcodes import Src as Src
    from .symbols import resolve as resolve
    from .text import disassemble as disassemble
    from .text import format_insn as format_insn
    from .text import format_program as format_program
    from .text import with_labels as with_labels

# Where each public name lives; "" stands for a module of that name.
_HOME = {
    "Insn": "insn",
    "assemble": "assembler",
    "disassemble": "text",
    "encode": "codec",
    "decode": "codec",
    "resolve": "symbols",
    "build": "",
    **dict.fromkeys(("format_insn", "format_program", "with_labels"), "text"),
    **dict.fromkeys(("Feature", "check", "check_isa", "features", "isa_level"), "isa"),
    **dict.fromkeys(("Alu", "Atomic", "Call", "Class", "Jmp", "Mode", "Pseudo", "Size", "Src"), "opcodes"),
}

__all__ = tuple(_HOME)

__getattr__ = exports(__name__, _HOME)


def __dir__() -> list[str]:
    return sorted(__all__)
