"""Which low bits of a value anybody looks at; masks and extensions that change only the others are dropped.

`u16(total)` stored in two bytes needs no mask, and where only 16 bits of `(x & 0xFFFF) + (x >> 16)` count, neither does its first
operand.
"""

from __future__ import annotations

from .ir import Graph, Value

SAME = frozenset(("add", "sub", "mul", "and", "or", "xor"))
"""Operations whose low bits depend on the same low bits of their operands."""


def narrow(graph: Graph) -> bool:
    """Let values that only clear or copy bits nobody looks at stand for their operands; whether there were any."""
    needed: dict[Value, int] = {}
    for block in graph.blocks:
        for phi in block.phis:
            needed.update(dict.fromkeys(phi.args, 64))
        for operand in (block.term or ())[1:]:
            if isinstance(operand, Value):
                needed[operand] = 64
    found = False
    for block in reversed(graph.blocks):
        for value in reversed(block.values):
            width = needed.get(value, 0)
            for arg, bits in zip(value.args, demands(value, width), strict=True):
                if needed.get(arg, 0) < bits:
                    needed[arg] = bits
            if value.op in ("zext", "sext", "and") and 0 < width <= kept(value):
                value.alias = value.args[0]
                found = True
    return found


def kept(value: Value) -> int:
    """How many low bits of its operand a mask or extension leaves as they are."""
    if value.op != "and":
        return int(value.aux)
    mask = value.args[1]
    if mask.op != "const" or mask.aux < 0:
        return 0
    low: int = ~mask.aux & (mask.aux + 1)
    return low.bit_length() - 1


def demands(value: Value, width: int) -> list[int]:
    """The low bits that a value looks at in each of its operands, when `width` of its own count."""
    op, args = value.op, value.args
    width = min(width, value.bits)
    if op in SAME:
        if op == "and" and args[1].op == "const" and args[1].aux >= 0:
            width = min(width, args[1].aux.bit_length())
        return [width] * len(args)
    if op in ("zext", "sext"):
        return [min(width, value.aux) if op == "zext" else value.aux]
    if op == "bswap":
        return [value.aux]
    if op == "store":
        return [64, 8 * value.aux[1]]
    if op in ("shl", "shr") and args[1].op == "const":
        distance = args[1].aux
        return [max(width - distance, 1) if op == "shl" else min(width + distance, value.bits), 64]
    return [64] * len(args)
