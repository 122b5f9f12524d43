"""The intermediate form: a control-flow graph in SSA form, and how it prints.

A `Value` is one operation and its result.  Registers of the target are 64 bits wide, and every integer value is
held exactly: sign- or zero-extended to 64 bits according to its type, so `lo` and `hi` (the interval in which it lies)
are the numbers that Python would compute.  `bits` is the width of the operation: a 32-bit one clears the upper half.

    operation          args            aux                       meaning
    const                              number                    never stands in a block
    param                              index                     argument of the function (0 is the context)
    phi                one per pred                              the value that came in over the edge
    add .. sar, neg    a, b                                      arithmetic, as the instruction set defines it
    zext, sext         a               from-bits                 keep the low bits, extended
    bswap              a               16, 32, 64                swap the bytes of the low bits, zero-extended
    retype             a                                         the same bits read with the other sign
    opaque                             number                    a number that the verifier does not know
    hide                               a, opaque 0               the same number, of which the verifier then knows nothing
    relo                               core.Field                a number that depends on the kernel
    load               pointer         (offset, size, signed)
    store              pointer, value  (offset, size)
    atomic             pointer, value  (offset, size, Atomic)    read-modify-write in memory; a result with FETCH
    cmpxchg            ptr, old, new   (offset, size)
    stack                              Slot                      address of a stack slot
    map, mapvalue                      symbol / (symbol, offset) address of a map, or of a byte of its only value
    function                           graph                     address of a callback
    ksym                               name                      address of a kernel variable
    call               arguments       Callee
    ldabs, ldind       ctx[, index]    (offset, size)            legacy packet load; leaves the program when out of range

A block ends in one of: ("jump", block), ("branch", test, bits, a, b, then, else), ("return", value), ("maygoto", body, exit).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PURE = frozenset(
    [
        "const",
        "param",
        "add",
        "sub",
        "mul",
        "div",
        "mod",
        "sdiv",
        "smod",
        "and",
        "or",
        "xor",
        "shl",
        "shr",
        "sar",
        "neg",
        "zext",
        "sext",
        "bswap",
        "retype",
        "opaque",
        "hide",
        "relo",
        "stack",
        "map",
        "mapvalue",
        "function",
        "ksym",
        "phi",
        "load",
    ]
)
"""Operations that may be removed when nobody uses their result."""

COMMUTATIVE = frozenset(("add", "mul", "and", "or", "xor"))
REMATERIALISED = frozenset(("const", "relo", "stack", "map", "function", "ksym"))
"""Cheaper to make again at each use than to keep in a register."""


class Value:
    """One operation and its result; see the table at the top of this module."""

    __slots__ = ("alias", "args", "at", "aux", "bits", "block", "hi", "lo", "number", "op", "uses")

    def __init__(
        self, op: str, args: list[Value], aux: Any = None, bits: int = 64, lo: int = 0, hi: int = 0, at: Any = None
    ) -> None:
        self.op = op
        self.args = args
        self.aux = aux
        self.bits = bits
        self.lo = lo
        self.hi = hi
        self.at = at
        self.block: Block | None = None
        self.alias: Value | None = None
        self.uses = 0
        self.number = 0

    def __repr__(self) -> str:
        return str(self.aux) if self.op == "const" else f"%{self.number}"


def const(number: int) -> Value:
    return Value("const", [], number, 64, number, number)


class Slot:
    """Bytes on the stack: `size`, `align`, what they hold (`name`), and, once laid out, `offset` from r10."""

    __slots__ = ("align", "name", "offset", "size")

    def __init__(self, size: int, align: int, name: str) -> None:
        self.size = size
        self.align = align
        self.name = name
        self.offset = 0

    def __repr__(self) -> str:
        return f"{self.name}[{self.size}]"


class Callee:
    """What a call goes to: `kind` is "helper", "kfunc" or "local"; `target` an id, a name or a Graph."""

    __slots__ = ("kind", "name", "target")

    def __init__(self, kind: str, target: Any, name: str) -> None:
        self.kind = kind
        self.target = target
        self.name = name

    def __repr__(self) -> str:
        return self.name


class Block:
    """A straight run of values with one `term` at its end; `phis` come before `values`."""

    __slots__ = ("above", "depth", "leap", "learnt", "number", "phis", "preds", "term", "term_at", "values")

    def __init__(self, number: int) -> None:
        self.number = number
        self.phis: list[Value] = []
        self.values: list[Value] = []
        self.preds: list[Block] = []
        self.term: tuple[Any, ...] | None = None
        self.term_at: Any = None
        # For `dominance`, while the graph grows: the immediate dominator, how many there are, and one further up.
        self.above: Block | None = None
        self.depth = 0
        self.leap: Block | None = None
        self.learnt: dict[Any, Any] = {}  # facts that hold from here on

    def successors(self) -> tuple[Block, ...]:
        kind = self.term[0] if self.term else ""
        if kind == "jump":
            return (self.term[1],)  # type: ignore[index]
        if kind == "branch":
            return self.term[5:7]  # type: ignore[index]
        if kind == "maygoto":
            return self.term[1:3]  # type: ignore[index]
        return ()

    def __repr__(self) -> str:
        return f"b{self.number}"


class Graph:
    """One function: its blocks (the first is the entry), parameters, and the place where it was written."""

    def __init__(self, name: str, file: str, line: int) -> None:
        self.name = name
        self.file = file
        self.line = line
        self.blocks: list[Block] = []
        self.params: list[Value] = []
        self.depth = 0  # bytes of stack, when it is compiled
        self.moves = False  # whether a call of it may move the packet
        self.result = 64  # the bits of what it returns that whoever called it looks at
        self.sources: Any = None  # the parsed text that places are looked up in

    def new_block(self) -> Block:
        block = Block(len(self.blocks))
        self.blocks.append(block)
        return block

    def __str__(self) -> str:
        return text(self)


def text(graph: Graph) -> str:
    """The graph as text, one operation a line, each block with the edges that lead to it."""
    number = 0
    for block in graph.blocks:
        for value in (*block.phis, *block.values):
            value.number = number
            number += 1
    for i, value in enumerate(graph.params):
        value.number = number + i
    params = ", ".join(f"%{v.number}" for v in graph.params)
    lines = [f"function {graph.name}({params})"]
    for block in graph.blocks:
        came = f"        ; from {', '.join(map(repr, block.preds))}" if block.preds else ""
        lines.append(f"{block!r}:{came}")
        lines += [f"    {_line(v)}" for v in (*block.phis, *block.values)]
        if block.term:
            lines.append(f"    {_term(block.term)}")
    return "\n".join(lines) + "\n"


def _line(v: Value) -> str:
    name = v.op if v.bits == 64 else f"{v.op}{v.bits}"
    operands = [repr(a) for a in v.args]
    match v.op:
        case "load":
            off, size, signed = v.aux
            body = f"load {'s' if signed else 'u'}{size * 8} [{operands[0]}{off:+}]"
        case "store":
            return f"store u{v.aux[1] * 8} [{operands[0]}{v.aux[0]:+}] = {operands[1]}"
        case "atomic":
            body = f"atomic {v.aux[2]!s} u{v.aux[1] * 8} [{operands[0]}{v.aux[0]:+}], {operands[1]}"
        case "call":
            body = f"call {v.aux!r}({', '.join(operands)})"
        case _:
            if v.aux is not None:
                operands.append(repr(getattr(v.aux, "name", v.aux)))
            body = f"{name} {', '.join(operands)}".rstrip()
    span = f"    ; {v.lo}..{v.hi}" if v.lo < v.hi and (v.lo, v.hi) not in _FULL else ""
    return f"%{v.number} = {body}{span}"


_FULL = {(0, (1 << 64) - 1), (-(1 << 63), (1 << 63) - 1)}


def _term(term: tuple[Any, ...]) -> str:
    match term:
        case ("jump", target):
            return f"jump {target!r}"
        case ("branch", test, bits, a, b, then, other):
            return f"if {a!r} {test}{'' if bits == 64 else bits} {b!r} then {then!r} else {other!r}"
        case ("maygoto", body, leave):
            return f"may goto {leave!r} else {body!r}"
    return f"return {term[1]!r}"
