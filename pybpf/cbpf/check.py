"""The kernel's static check of a classic filter (bpf_check_classic in net/core/filter.c), as rules over a table."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import FilterError
from .insn import AD_OFF, EXTENSION_NAMES, MAX_INSNS, MEM_WORDS, OPCODES, Insn


def check(insns: Sequence[Insn]) -> None:
    """Raise FilterError where the kernel would refuse the filter.

    That is: an unknown instruction, a division by a constant zero, a shift by 32 or more, a jump or a scratch word
    out of range, scratch memory that is read before it is written, no return at the end, a length outside 1..4096.
    """
    if not 1 <= len(insns) <= MAX_INSNS:
        raise FilterError(f"a filter has 1..{MAX_INSNS} instructions, this one has {len(insns)}")
    for i, insn in enumerate(insns):
        reason = _fault(insn, len(insns) - i - 1)
        if reason:
            raise FilterError(f"insn {i}: {reason}")
    if OPCODES[insns[-1].code][0] != "ret":
        raise FilterError(f"insn {len(insns) - 1}: the last instruction must be a ret")
    _check_scratch(insns)


def _fault(insn: Insn, following: int) -> str:
    """Why the kernel would refuse this one instruction, with `following` instructions after it; "" if it would not."""
    code, jt, jf, k = insn
    if code not in OPCODES:
        return f"unknown instruction code {code:#x}"
    op, operand = OPCODES[code]
    if operand == "mem" and k >= MEM_WORDS:
        return f"scratch word M[{k}]: there are {MEM_WORDS}"
    if op in ("div", "mod") and operand == "num" and k == 0:
        return f"{op} by zero"
    if op in ("lsh", "rsh") and operand == "num" and k >= 32:
        return f"{op} by {k}: a register has 32 bits"
    if op == "ja" and k >= following:
        return f"jump of {k} leaves the filter"
    if op in ("jeq", "jgt", "jge", "jset") and max(jt, jf) >= following:
        return f"jump of {max(jt, jf)} leaves the filter"
    if operand == "abs" and k >= AD_OFF and k not in EXTENSION_NAMES:
        return f"load from offset {k - (1 << 32)}: no extension has that number"
    return ""


def _check_scratch(insns: Sequence[Insn]) -> None:
    """No path may read a scratch word that it did not write.  Jumps go forward, so one pass over masks suffices."""
    everything = (1 << MEM_WORDS) - 1
    at = [everything] * len(insns)  # words written on every path that reaches this instruction by a jump
    valid = 0
    for i, (code, jt, jf, k) in enumerate(insns):
        valid &= at[i]
        op, operand = OPCODES[code]
        if op in ("st", "stx"):
            valid |= 1 << k
        elif operand == "mem" and not valid >> k & 1:
            raise FilterError(f"insn {i}: M[{k}] is read before it is written on every path")
        elif op == "ja":
            at[i + 1 + k] &= valid
            valid = everything
        elif operand in ("imm", "x") and op.startswith("j"):
            at[i + 1 + jt] &= valid
            at[i + 1 + jf] &= valid
            valid = everything
