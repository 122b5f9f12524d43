"""Which low bits of a value anybody looks at; what only makes the others is dropped, or done on fewer bits.

`u16(total)` stored in two bytes needs no mask, and where only 16 bits of `(x & 0xFFFF) + (x >> 16)` count, neither does its first
operand.  A program's result is 32 bits to the kernel.  Numbers of 32 bits are compared as such (`JMP32`) where nothing but
comparisons wanted them extended.
"""

from __future__ import annotations

from .ir import Block, Graph, Value, const

SAME = frozenset(("add", "sub", "mul", "and", "or", "xor"))
"""Operations whose low bits depend on the same low bits of their operands."""
S64_MAX = (1 << 63) - 1
S32, U32 = (-(1 << 31), (1 << 31) - 1), (0, (1 << 32) - 1)


def narrow(graph: Graph, isa: int) -> bool:
    """Let values that only clear or copy bits nobody looks at stand for their operands; whether there were any."""
    tests = comparisons(graph) if isa >= 3 else set()
    needed = demand(graph, tests)
    while lost := [b for b in tests if any(extends(v) and needed[v] > 32 for v in b.term[3:5])]:  # type: ignore[index]
        tests.difference_update(lost)  # who looks at all bits may rely on what the verifier learns from the test
        needed = demand(graph, tests)
    for block in tests:
        term = block.term
        assert term is not None
        block.term = (*term[:2], 32, *term[3:])
    dropped, unsigned, words, joined = [], [], [], []  # nothing is changed before all is decided
    for block in graph.blocks:
        for value in block.values:
            width = needed.get(value, 0)
            if value.op in ("zext", "sext", "and") and 0 < width <= kept(value):
                dropped.append(value)
            elif value.op == "load" and value.lo < 0 and width <= 8 * value.aux[1] < 64:
                unsigned.append(value)
            elif value.op == "sar" and by_word(value, width):
                words.append(value)
            elif value.op == "zext" and value.aux == 32 and width and joins(value.args[0], needed):
                joined.append(value)
    for value in (*dropped, *joined):
        value.alias = value.args[0]
    for value in unsigned:
        value.aux = (*value.aux[:2], False)
        value.lo, value.hi = 0, (1 << 8 * value.aux[1]) - 1
    for value in (*words, *(zext.args[0] for zext in joined)):
        value.bits, (value.lo, value.hi) = 32, U32
    return bool(dropped or joined)


def bits(graph: Graph) -> bool:
    """Tests of bits of a shifted number, as of bit-fields, test the number itself; whether there were any."""
    found = False
    for block in graph.blocks:
        term = block.term
        if term is None or term[0] != "branch" or term[1] not in ("==", "!=") or term[4].op != "const" or term[4].aux:
            continue
        masked = term[3]
        if masked.op != "and" or masked.uses != 1 or masked.args[1].op != "const" or masked.args[0].op != "shr":
            continue
        number, distance = masked.args[0].args
        if distance.op == "const" and 0 < masked.args[1].aux << distance.aux < 1 << 31:
            mask = const(masked.args[1].aux << distance.aux)
            masked.args, masked.hi = [number, mask], mask.aux
            found = True
    return found


def comparisons(graph: Graph) -> set[Block]:
    """The blocks that end in a comparison of numbers that were made from 32 bits, and would come out the same on these."""
    found = set()
    for block in graph.blocks:
        term = block.term
        if term is not None and term[0] == "branch" and term[2] == 64 and (extends(term[3]) or extends(term[4])):
            test, a, b = term[1], term[3], term[4]
            fitting = (S32,) if test[0] == "s" else (S32, U32) if test in ("==", "!=") else (U32,)
            if any(lo <= v.lo and v.hi <= hi for lo, hi in fitting for v in (a,) if lo <= b.lo and b.hi <= hi):
                found.add(block)
    return found


def extends(value: Value) -> bool:
    """Whether a number of 32 bits was made one of 64."""
    if value.op == "load":
        return value.lo < 0 and value.aux[1] == 4
    return value.op in ("sext", "zext") and bool(value.aux == 32)


def by_word(value: Value, width: int) -> bool:
    """Whether an arithmetic shift gives the same 32 bits when it is done on 32."""
    a, distance = value.args
    return (
        width <= 32 and value.bits == 64 and S32[0] <= a.lo and a.hi <= S32[1] and 0 <= distance.lo <= distance.hi < 32
    )


def joins(value: Value, needed: dict[Value, int]) -> bool:
    """Whether an operation can clear the upper half of its result by itself."""
    width = needed[value]
    return (
        value.op in SAME
        and value.bits == 64
        and width <= 32
        and not (value.op == "and" and width <= kept(value))
        and not any(arg.op == "relo" or points(arg) for arg in value.args)
    )


def points(value: Value) -> bool:
    """Whether a value may be an address, on which the verifier allows no arithmetic of 32 bits."""
    return (value.hi > S64_MAX and value.lo > 0) or (value.op == "add" and points(value.args[0]))


def demand(graph: Graph, tests: set[Block]) -> dict[Value, int]:
    """How many low bits of each value are looked at; `tests` compare 32."""
    needed: dict[Value, int] = {}
    for block in graph.blocks:
        for phi in block.phis:
            needed.update(dict.fromkeys(phi.args, 64))
    for block in graph.blocks:
        term = block.term or ()
        width = 32 if block in tests else graph.result if term[:1] == ("return",) else 64
        for operand in term[1:]:
            if isinstance(operand, Value) and needed.get(operand, 0) < width:
                needed[operand] = width
    for block in reversed(graph.blocks):
        for value in reversed(block.values):
            for arg, bits in zip(value.args, demands(value, needed.get(value, 0)), strict=True):
                if needed.get(arg, 0) < bits:
                    needed[arg] = bits
    return needed


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
        return [min(width, value.aux)]
    if op == "bswap":
        return [value.aux]
    if op in ("store", "atomic"):
        return [64, 8 * value.aux[1]]
    if op in ("shl", "shr") and args[1].op == "const":
        distance = args[1].aux
        return [max(width - distance, 1) if op == "shl" else min(width + distance, value.bits), 64]
    if op == "sar" and by_word(value, width):
        return [32, 64]
    return [64] * len(args)
