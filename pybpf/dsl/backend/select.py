"""Instruction selection: from values to machine instructions with virtual registers.

Constants go into immediates, constant parts of addresses into offsets, stack addresses are R10 plus an offset, and
`and` with a test against zero becomes one jump.  Two-operand arithmetic is a copy and an operation; the copy disappears
when the allocator gives both the same register.  Phis become copies at the ends of the blocks before them.
"""

from __future__ import annotations

import sys

from ...source import Counting
from ..ssa.build import DECIDES_EQUAL
from ..ssa.ir import REMATERIALISED, Block, Graph, Slot, Value
from .heads import is_head
from .machine import (
    ALU,
    ALU32,
    ALU64,
    ATOMIC,
    CALL,
    COPY,
    END,
    EXIT,
    FIRST_VIRTUAL,
    JA,
    JCOND,
    JMP,
    JMP32,
    LD_IMM64,
    LDX,
    MOV,
    NEG,
    SIZES,
    ST,
    STX,
    TESTS,
    MBlock,
    Mi,
    X,
)
from .stack import idle, layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

S32_MIN, S32_MAX = -(1 << 31), (1 << 31) - 1
_POINTER = (1, (1 << 64) - 1)
_COMMUTES = frozenset(("add", "mul", "and", "or", "xor"))
_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<", "s<": "s>=", "s<=": "s>", "s>": "s<=",
             "s>=": "s<"}  # fmt: skip
_SWAPPED = {
    "==": "==",
    "!=": "!=",
    "<": ">",
    "<=": ">=",
    ">": "<",
    ">=": "<=",
    "s<": "s>",
    "s<=": "s>=",
    "s>": "s<",
    "s>=": "s<=",
}


class Selector:
    """Turns one graph into machine blocks; `legacy` tells that R6 must hold the context throughout."""

    def __init__(self, graph: Graph, isa: int, kernel: tuple[int, int]) -> None:
        self.graph = graph
        self.isa = isa
        self.apart = kernel < DECIDES_EQUAL
        self.registers: dict[Value, int] = {}
        self.next = FIRST_VIRTUAL
        self.code: list[Mi] = []
        self.legacy = any(v.op in ("ldabs", "ldind") for b in graph.blocks for v in b.values)
        self.out: list[MBlock] = []
        self.at: Any = None

    # -- registers

    def fresh(self) -> int:
        self.next += 1
        return self.next - 1

    def reg(self, value: Value) -> int:
        """The register that holds a value; cheap ones are made again for each use."""
        if value.op in REMATERIALISED:
            into = self.fresh()
            self.make(value, into)
            return into
        found = self.registers.get(value)
        if found is None:
            found = self.registers[value] = self.fresh()
        return found

    def make(self, value: Value, into: int) -> None:
        """Put a constant or address into a register."""
        op = value.op
        if op == "const":
            n = value.aux
            if S32_MIN <= n <= S32_MAX:
                self.emit(ALU64 | MOV, into, imm=n, defs=into)
            elif 0 <= n < 1 << 32:
                self.emit(ALU32 | MOV, into, imm=_s32(n), defs=into)
            else:
                self.emit(LD_IMM64, into, imm=_s32(n), next_imm=_s32(n >> 32), defs=into)
        elif op == "relo":
            self.emit(ALU64 | MOV, into, imm=int(value.aux), defs=into, core=value.aux)
        elif op == "stack":
            self.emit(ALU64 | MOV | X, into, 10, defs=into)
            self.emit(ALU64 | ALU["add"], into, imm=value.aux.offset, uses=(into,), defs=into)
        elif op == "map":
            self.emit(LD_IMM64, into, 1, next_imm=0, symbol=value.aux, defs=into)
        elif op == "function":
            self.emit(LD_IMM64, into, 4, next_imm=0, symbol=value.aux, defs=into)
        else:
            self.emit(LD_IMM64, into, 3, next_imm=0, symbol=value.aux, defs=into)

    def into(self, value: Value, register: int) -> None:
        """Make a value stand in a given register."""
        if value.op in REMATERIALISED:
            self.make(value, register)
        else:
            source = self.reg(value)
            self.emit(COPY, register, source, uses=(source,), defs=register)

    def emit(self, opcode: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0, **meta: Any) -> None:
        self.code.append(Mi(opcode, dst, src, off, imm, at=self.at, **meta))

    # -- the whole function

    def run(self) -> list[MBlock]:
        graph = self.graph
        for i, block in enumerate(graph.blocks):
            block.number = i
        self.out = [MBlock(i) for i in range(len(graph.blocks))]
        for block, made in zip(graph.blocks, self.out, strict=True):
            self.code = made.code
            if block is graph.blocks[0]:
                self.parameters()
            for value in block.values:
                self.at = value.at
                self.value(value)
            self.at = block.term_at
            self.terminator(block, made)
        for block in graph.blocks:
            if block.phis:
                self.phis(block)
        return self.out

    def parameters(self) -> None:
        self.at = None
        for i, param in enumerate(self.graph.params):
            if param.uses or (i == 0 and self.legacy):
                if i == 0 and self.legacy:
                    self.registers[param] = 6
                into = self.reg(param)
                self.emit(COPY, into, i + 1, uses=(i + 1,), defs=into)

    def value(self, v: Value) -> None:
        if v.op in REMATERIALISED or (v.op == "add" and self.foldable(v)):
            return
        if v.op == "and" and v.uses == 1 and v.number == -1:
            return  # part of a test
        getattr(self, f"op_{v.op}", self.op_alu)(v)

    def foldable(self, v: Value) -> bool:
        """An address plus a constant that every user puts into its offset needs no instruction of its own."""
        return v.number == -2

    def prepare(self) -> None:
        """Find the additions that are only offsets of loads and stores, and the masks that are only tested."""
        inside: dict[Value, int] = {}
        for block in self.graph.blocks:
            for v in (*block.phis, *block.values):
                v.number = 0
            for v in block.values:
                if v.op in ("load", "store", "atomic"):
                    base = v.args[0]
                    if v.aux[0].__class__ is not int:
                        inside[base] = -(1 << 30)  # a Field: it is not added to
                    elif base.op == "add" and base.args[1].op == "const" and -0x4000 <= base.args[1].aux <= 0x3FFF:
                        inside[base] = inside.get(base, 0) + 1
                        if v.op == "store" and v.args[1] is base:
                            inside[base] = -(1 << 30)
        for v, n in inside.items():
            if n == v.uses:
                v.number = -2
        tested: list[Value] = []
        for block in self.graph.blocks:
            term = block.term
            if term and term[0] == "branch" and term[1] in ("==", "!=") and term[4].op == "const" and term[4].aux == 0:
                mask = term[3]
                if mask.op == "and" and mask.uses == 1 and mask.block is block and mask in block.values:
                    tested.append(mask)
        if tested:
            # After JSET the verifier knows no more of a number than its bits (6279846b9b25, Linux 6.17), and likewise of all
            # that differ from it by a constant (98d7ca374ba4, Linux 6.11): where it must know an interval, that must not be.
            needed = _needed(self.graph)
            for mask in tested:
                if mask.args[0].lo >= 0 and not any(v in needed for v in _relatives(mask.args[0])):
                    mask.number = -1

    # -- operations

    def op_alu(self, v: Value) -> None:
        a, b = v.args
        op = v.op
        width = ALU64 if v.bits == 64 else ALU32
        off = 1 if op in ("sdiv", "smod") else 0
        into = self.reg(v)
        if op == "sub" and a.op == "const" and a.aux == 0:
            self.into(b, into)
            self.emit(width | NEG, into, uses=(into,), defs=into)
            return
        swaps = a.op in REMATERIALISED or (b.op not in REMATERIALISED and a.uses > 1 and b.uses == 1)
        if op in _COMMUTES and swaps and not (op == "add" and _in_a_frame(a)):
            a, b = b, a
        if b.op == "const":
            n = b.aux
            if n == 0 and op in ("div", "sdiv", "mod", "smod"):  # the verifier refuses it, even where it never runs
                if op.endswith("div"):
                    self.emit(ALU64 | MOV, into, imm=0, defs=into)
                else:
                    self.into(a, into)
                return
            if op == "and" and v.bits == 64 and n == 0xFFFFFFFF:
                source = self.reg(a)
                self.emit(ALU32 | MOV | X, into, source, uses=(source,), defs=into)
                return
            if op == "sub" and S32_MIN < n <= S32_MAX:
                op, n = "add", -n
            if op in ("or", "xor") and S32_MAX < n < 1 << 32 and a.lo >= 0 and a.hi < 1 << 32:
                width, n = ALU32, _s32(n)
            if S32_MIN <= n <= S32_MAX or (v.bits == 32 and -(1 << 31) <= n < 1 << 32):
                self.into(a, into)
                self.emit(width | ALU[op], into, off=off, imm=_s32(n), uses=(into,), defs=into)
                return
        if b.op == "relo":
            self.into(a, into)
            self.emit(width | ALU[op], into, imm=int(b.aux), uses=(into,), defs=into, core=b.aux)
            return
        source = self.reg(b)
        self.into(a, into)
        self.emit(width | ALU[op] | X, into, source, off=off, uses=(into, source), defs=into)

    def op_opaque(self, v: Value) -> None:
        """The difference of two pointers is 0 to the machine, and any number to the verifier."""
        into = self.reg(v)
        self.emit(ALU64 | MOV | X, into, 10, defs=into)
        self.emit(ALU64 | ALU["sub"] | X, into, 10, uses=(into,), defs=into)
        if v.aux:
            self.emit(ALU64 | ALU["add"], into, imm=v.aux, uses=(into,), defs=into)

    def op_hide(self, v: Value) -> None:
        """A known number plus an unknown one is unknown."""
        a, zero = v.args
        into, source = self.reg(v), self.reg(zero)
        self.into(a, into)
        self.emit(ALU64 | ALU["add"] | X, into, source, uses=(into, source), defs=into)

    def op_zext(self, v: Value) -> None:
        into = self.reg(v)
        if v.aux == 32:
            source = self.reg(v.args[0])
            self.emit(ALU32 | MOV | X, into, source, uses=(source,), defs=into)
            return
        self.into(v.args[0], into)
        self.emit(ALU64 | ALU["and"], into, imm=(1 << v.aux) - 1, uses=(into,), defs=into)

    def op_sext(self, v: Value) -> None:
        into = self.reg(v)
        if self.isa >= 4:
            source = self.reg(v.args[0])
            self.emit(ALU64 | MOV | X, into, source, off=v.aux, uses=(source,), defs=into)
            return
        self.into(v.args[0], into)
        for op in ("shl", "sar"):
            self.emit(ALU64 | ALU[op], into, imm=64 - v.aux, uses=(into,), defs=into)

    def op_bswap(self, v: Value) -> None:
        into = self.reg(v)
        self.into(v.args[0], into)
        to_other = X if sys.byteorder == "little" else 0
        self.emit(ALU32 | END | to_other, into, imm=v.aux, uses=(into,), defs=into)

    def address(self, base: Value, off: int) -> tuple[int, int]:
        """Register and offset of an access."""
        if base.op == "add" and base.number == -2:
            return self.address(base.args[0], off + base.args[1].aux)
        if base.op == "stack":
            return 10, base.aux.offset + off
        return self.reg(base), off

    def op_load(self, v: Value) -> None:
        off, size, signed = v.aux
        core = None if off.__class__ is int else off
        base, off = self.address(v.args[0], int(off))
        into = self.reg(v)
        if signed and size < 8 and self.isa >= 4 and v.args[0].op not in ("param",):
            self.emit(0x81 | SIZES[size], into, base, off, uses=(base,), defs=into, core=core)
            return
        self.emit(LDX | SIZES[size], into, base, off, uses=(base,), defs=into, core=core)
        if signed and size < 8:
            for op in ("shl", "sar"):
                self.emit(ALU64 | ALU[op], into, imm=64 - 8 * size, uses=(into,), defs=into)

    def op_store(self, v: Value) -> None:
        off, size = v.aux
        where, value = v.args
        base, off = self.address(where, off)
        if value.op == "const" and where.op != "param" and (size < 8 or S32_MIN <= value.aux <= S32_MAX):
            n = value.aux & (1 << min(8 * size, 32)) - 1
            self.emit(ST | SIZES[size], base, off=off, imm=_s32(n), uses=(base,))
            return
        source = self.reg(value)
        self.emit(STX | SIZES[size], base, source, off, uses=(base, source))

    def op_atomic(self, v: Value) -> None:
        off, size, operation = v.aux
        base, off = self.address(v.args[0], off)
        opcode = 0xC3 | SIZES[size]
        if operation & 1:
            into = self.reg(v)
            self.into(v.args[1], into)
            self.emit(opcode, base, into, off, operation, uses=(base, into), defs=into)
            return
        source = self.reg(v.args[1])
        self.emit(opcode, base, source, off, operation, uses=(base, source))

    def op_cmpxchg(self, v: Value) -> None:
        off, size = v.aux
        base, off = self.address(v.args[0], off)
        source = self.reg(v.args[2])
        self.into(v.args[1], 0)
        self.emit(ATOMIC | SIZES[size], base, source, off, 0xF1, uses=(base, source, 0), defs=0)
        self.result(v)

    def op_mapvalue(self, v: Value) -> None:
        into = self.reg(v)
        symbol, offset = v.aux
        self.emit(LD_IMM64, into, 2, next_imm=offset, symbol=symbol, defs=into)

    def op_call(self, v: Value) -> None:
        for i, arg in enumerate(v.args):
            self.into(arg, i + 1)
        used = tuple(range(1, len(v.args) + 1))
        callee = v.aux
        if callee.kind == "helper":
            self.emit(CALL, imm=callee.target, uses=used, defs=0, clobbers=True)
        else:
            self.emit(
                CALL,
                src=1 if callee.kind == "local" else 2,
                imm=-1,
                symbol=callee.target,
                uses=used,
                defs=0,
                clobbers=True,
            )
        self.result(v)

    def result(self, v: Value) -> None:
        if v.uses:
            into = self.reg(v)
            self.emit(COPY, into, 0, uses=(0,), defs=into)

    def op_ldabs(self, v: Value) -> None:
        off, size = v.aux
        self.emit(0x20 | SIZES[size], imm=off, uses=(6,), defs=0, clobbers=True)
        self.result(v)

    def op_ldind(self, v: Value) -> None:
        off, size = v.aux
        index = self.reg(v.args[1])
        self.emit(0x40 | SIZES[size], src=index, imm=off, uses=(6, index), defs=0, clobbers=True)
        self.result(v)

    # -- ends of blocks

    def terminator(self, block: Block, made: MBlock) -> None:
        term = block.term
        assert term is not None
        if term[0] == "jump":
            made.targets = (term[1].number,)
        elif term[0] == "return":
            if term[1] is not None:
                self.into(term[1], 0)
            self.emit(EXIT, uses=(0,))
        elif term[0] == "maygoto":
            made.test = Mi(JCOND, at=self.at)
            made.targets = (term[2].number, term[1].number)
        else:
            made.targets = (term[5].number, term[6].number)
            made.test = self.test(term[1], term[2], term[3], term[4], made)

    def test(self, test: str, bits: int, a: Value, b: Value, made: MBlock) -> Mi:
        width = JMP if bits == 64 else JMP32
        if a.op == "and" and a.number == -1:
            made.targets = made.targets if test == "!=" else made.targets[::-1]
            x, mask = a.args
            if mask.op == "const" and S32_MIN <= mask.aux <= S32_MAX:
                rx = self.reg(x)
                return Mi(width | TESTS["&"], rx, imm=mask.aux, uses=(rx,), at=self.at)
            rx, rm = self.reg(x), self.reg(mask)
            return Mi(width | TESTS["&"] | X, rx, rm, uses=(rx, rm), at=self.at)
        if a.op in REMATERIALISED and b.op not in REMATERIALISED:
            a, b, test = b, a, _SWAPPED[test]
        old = self.isa < 2 and test.removeprefix("s") in ("<", "<=")
        if b.op == "const":
            n = b.aux if bits == 64 else _s32(b.aux)
            if (
                not S32_MIN <= n <= S32_MAX
                and self.isa >= 3
                and a.lo >= 0
                and a.hi < 1 << 32
                and 0 <= n < 1 << 32
                and test[0] != "s"
            ):
                width, n = JMP32, _s32(n)
            if S32_MIN <= n <= S32_MAX:
                if old:
                    made.targets = made.targets[::-1]
                    test = _OPPOSITE[test]
                ra = self.reg(a)
                return Mi(width | TESTS[test], ra, imm=n, uses=(ra,), at=self.at)
        ra, rb = self.reg(a), self.reg(b)
        if old:
            ra, rb, test = rb, ra, _SWAPPED[test]
        return Mi(width | TESTS[test] | X, ra, rb, uses=(ra, rb), at=self.at)

    def phis(self, block: Block) -> None:
        """Copies for the phis of a block, at the end of each block before it (all at once, so order matters)."""
        into = [self.reg(phi) for phi in block.phis]
        for i, pred in enumerate(block.preds):
            moves = [(d, phi.args[i]) for d, phi in zip(into, block.phis, strict=True) if phi.args[i] is not phi]
            if not moves:
                continue
            made = self.out[pred.number]
            if len(made.targets) > 1 and not may_go_first(pred, block, i):
                made = self.split(made, block.number)
            self.code = made.code
            self.at = pred.term_at
            self.parallel(moves)

    def split(self, made: MBlock, target: int) -> MBlock:
        edge = MBlock(len(self.out), edge=True)
        edge.targets = (target,)
        self.out.append(edge)
        made.targets = tuple(edge.number if t == target else t for t in made.targets)
        return edge

    def parallel(self, moves: list[tuple[int, Value]]) -> None:
        # What a test tells of a copy of 64 bits, the verifier takes for told of the number itself; and before Linux 6.4 it
        # walks on where `==` cannot hold, with the number that the copy cannot be.
        short = {
            self.reg(v) for _, v in moves if self.apart and v.op not in REMATERIALISED and v.lo >= 0 and v.hi < 1 << 32
        }
        late = [(d, v) for d, v in moves if v.op in REMATERIALISED]
        todo = {d: self.reg(v) for d, v in moves if v.op not in REMATERIALISED}
        while todo:
            ready = [d for d in todo if d not in todo.values()]
            if not ready:  # a cycle: keep one in a register of its own
                d, source = next(iter(todo.items()))
                spare = self.fresh()
                self.emit(COPY, spare, d, uses=(d,), defs=spare)
                todo = {k: spare if s == d else s for k, s in todo.items()}
                continue
            for d in ready:
                source = todo.pop(d)
                if source != d:
                    self.emit(COPY, d, source, imm=source in short, uses=(source,), defs=d)
        for d, v in late:
            self.make(v, d)


def may_go_first(pred: Block, block: Block, at: int) -> bool:
    """Whether the constants for a block's phis are made before the test in `pred` that may lead elsewhere.

    On the other way they are made in vain, which costs less than the jump over the place where they would be made.  No loop's
    phi is, for its last number is still in use; nor is one that otherwise would get the register of a number that it may be, nor
    one to be returned, while what a call gave is tested.
    """
    term = pred.term
    assert term is not None
    if (
        Counting.lines
        or term[0] != "branch"
        or len(block.phis) > 2
        or term[3].op == "call"
        or min(term[5].number, term[6].number) <= pred.number
    ):
        return False
    for phi in block.phis:
        value = phi.args[at]
        if value.op != "const" or not S32_MIN <= value.aux <= S32_MAX:
            return False
        if any(a.op not in REMATERIALISED and (a.block is None or a.block.number <= pred.number) for a in phi.args):
            return False
    return term[5] is not term[6]


def _in_a_frame(value: Value, depth: int = 4) -> bool:
    """Whether a number may be a pointer to a stack.  `scalar += pointer` gives one to the stack of the outermost function to
    the verifier (adjust_ptr_min_max_vals leaves the number of the frame), `pointer += scalar` one to the pointer's own."""
    if value.op == "stack":
        return True
    if value.op == "param":
        return value.hi == _POINTER[1]
    if value.op == "load":
        return (value.lo, value.hi) == _POINTER and value.aux[1] == 8
    if value.op == "phi" and depth:
        return any(_in_a_frame(arg, depth - 1) for arg in value.args)
    return value.op == "add" and depth > 0 and _in_a_frame(value.args[0], depth - 1)


def _is_address(value: Value) -> bool:
    while value.op == "add":
        value = value.args[0]
    return (value.lo, value.hi) == _POINTER


def _needed(graph: Graph) -> set[Value]:
    """The values that addresses and arguments of calls are made from; addresses are compared, too, where nobody reads."""
    needed: set[Value] = set()
    todo: list[Value] = []
    for block in graph.blocks:
        for v in block.values:
            if v.op in ("load", "store", "atomic", "cmpxchg"):
                todo.append(v.args[0])
            elif v.op == "call":
                todo += v.args
        if block.term and block.term[0] == "branch":
            todo += [v for v in block.term[3:5] if _is_address(v)]
    while todo:
        v = todo.pop()
        if v not in needed and v.op not in REMATERIALISED:
            needed.add(v)
            if v.op != "load":
                todo += v.args
    return needed


def _relatives(value: Value) -> list[Value]:
    """A value, and those that it differs from by constants."""
    found: list[Value] = []
    todo = [value]
    while todo:
        v = todo.pop()
        if v not in found:
            found.append(v)
            if v.op in ("add", "zext", "sext", "retype"):
                todo.append(v.args[0])
            elif v.op == "phi":
                todo += v.args
    return found


def _s32(n: int) -> int:
    n &= 0xFFFFFFFF
    return n - (1 << 32) if n >> 31 else n


def select(
    graph: Graph, isa: int, kernel: tuple[int, int]
) -> tuple[list[MBlock], int, int, list[Slot], Callable[[], set[int]]]:
    """The machine blocks of a graph, the number of registers, the bytes of stack in use, the slots, and what tells the
    registers that hold what addresses are made from.
    """
    depth, slots = layout(graph)
    selector = Selector(graph, isa, kernel)
    selector.prepare()
    blocks = selector.run()
    if heads := [block.number for block in blocks if is_head(block)]:
        for number, dead in idle(graph, heads, slots).items():
            blocks[number].dead = dead
    held = selector.registers
    return blocks, selector.next, depth, slots, lambda: {held[v] for v in _needed(graph) if v in held}


__all__ = ["JA", "Selector", "select"]
