"""Making values: constants are folded, trivial arithmetic disappears and equal values are shared as they are made.

`State` is what is known at the point where code is being added: the block, what each Python name stands for,
facts learnt from branches, and versions of memory (a load may be shared while the version of its region is the same).
States are copied at branches and merged at joins by whoever lowers statements.  A value may be used again wherever its block
stands on every way (`dominance`).
"""

from __future__ import annotations

from .dominance import Facts, dominates, enter
from .ir import COMMUTATIVE, Block, Callee, Graph, Value, const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

U64 = (1 << 64) - 1
CALLERS = ("stack", "mem")
"""Regions of which a function may be given a part that lies on the stack of its caller."""
OWNED = ("packet", "ring")
"""Regions that nobody else writes to while a program runs: what was stored there need not be loaded."""
DECIDES_EQUAL = (6, 4)
"""From here on the verifier decides `==` and `!=` by intervals too, not by known bits alone (13fbcee55706)."""
S64_MIN, S64_MAX = -(1 << 63), (1 << 63) - 1


class State:
    """What is known where code is being added."""

    __slots__ = ("block", "contents", "env", "facts", "memory", "owned")

    def __init__(self, block: Block, env: dict[str, Any], known: dict[Any, Any], memory: dict[str, int]) -> None:
        self.block = block
        self.env = env  # Python name -> front-end value
        self.facts = Facts(known, self)
        self.memory = memory  # region -> version
        self.contents: dict[Value, Value] = {}  # stack address -> the number that still lies there
        self.owned: dict[Any, Any] = {}  # references that must be released, by their value; "lock": what is held

    def fork(self, block: Block) -> State:
        other = State(block, self.env.copy(), self.facts.known, self.memory.copy())
        other.contents = self.contents.copy()
        other.owned = self.owned.copy()
        return other


class Builder:
    """Adds values to `self.state.block` of one graph; `self.at` is the place (an AST node) that they come from."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.at: Any = None
        self.text: Any = None  # the parsed text that `at` is from, where that is not the graph's own
        self.version = 0
        self.consts: dict[int, Value] = {}
        self.locked: Any = None  # complains of a call while a lock is held
        self.permitted: Any = None  # complains of a helper that the program may not call
        self.walked_once = False  # this is a callback, of which the verifier believes that it runs exactly once
        self.shared: dict[Any, Value] = {}  # (op, args, aux, ...) -> the value made last
        self.read: dict[Any, list[Any]] = {}  # (base, version of memory) -> the bytes whose contents are known
        self.state: State = State(graph.new_block(), {}, {}, {})

    # -- values

    def const(self, number: int) -> Value:
        """A constant: any 64-bit pattern, kept as the number it stands for."""
        value = self.consts.get(number)
        if value is None:
            value = self.consts[number] = const(number)
        return value

    def emit(
        self, op: str, args: list[Value], aux: Any = None, bits: int = 64, lo: int = S64_MIN, hi: int = S64_MAX
    ) -> Value:
        """Add a value that is never shared (calls, stores)."""
        value = Value(op, args, aux, bits, lo, hi, self.at if self.text is None else (self.text, self.at))
        state = self.state
        value.block = state.block
        state.block.values.append(value)
        return value

    def share(
        self,
        op: str,
        args: list[Value],
        aux: Any = None,
        bits: int = 64,
        lo: int = S64_MIN,
        hi: int = S64_MAX,
        tag: Any = None,
    ) -> Value:
        """The value of this pure operation: one made before when there is one.  `tag` sets a load's memory version."""
        key = (op, tuple(args), aux, bits, tag)
        value = self.shared.get(key)
        here = self.state.block
        if value is None or (value.block and value.block is not here and not dominates(value.block, here)):
            value = self.shared[key] = self.emit(op, args, aux, bits, lo, hi)
        if (value.lo < 0 and hi > S64_MAX) or (lo < 0 and value.hi > S64_MAX):
            return self.retype(value, lo, hi)  # the same bits, which one place reads with a sign and another without
        return value

    def range(self, value: Value) -> tuple[int, int]:
        """The interval of a value here, branches considered."""
        return self.state.facts.get(value) or (value.lo, value.hi)

    # -- arithmetic on exact numbers

    def arith(self, op: str, a: Value, b: Value, bits: int = 64, lo: int = S64_MIN, hi: int = S64_MAX) -> Value:
        """`a op b`; `lo..hi` bounds the result as its type reads it."""
        if a.op == "const":
            if b.op == "const":
                return self.const(fold(op, a.aux, b.aux, bits, lo < 0))
            if op in COMMUTATIVE:
                a, b = b, a
        if b.op == "const":
            n = b.aux
            if n == 0 and op in ("add", "sub", "or", "xor", "shl", "shr", "sar"):
                return a
            if n == 0 and op in ("mul", "and"):
                return b
            if n == 1 and op in ("mul", "div"):
                return a
            if op == "sub":
                op, b = "add", self.const(-n)
            elif op == "mul" and n > 0 and n & (n - 1) == 0:
                op, b = "shl", self.const(n.bit_length() - 1)
            elif op == "div" and n > 0 and n & (n - 1) == 0:
                op, b = "shr", self.const(n.bit_length() - 1)
            elif op == "mod" and n > 0 and n & (n - 1) == 0:
                op, b = "and", self.const(n - 1)
            if op == "and" and b.aux >= 0:
                lo, hi = max(lo, 0), min(hi, b.aux)  # masks that fall together may have been made for more
            if op == "and" and b.aux >= 0:
                lo, hi = max(lo, 0), min(hi, b.aux)  # for whoever shares this value, too
            if op == "and" and a.lo >= 0 and b.aux >= 0:
                if b.aux & (b.aux + 1) == 0 and a.hi <= b.aux:
                    return a
                if b.aux & possible(a) == 0:
                    return self.const(0)
                if a.op == "or":
                    kept = [part for part in a.args if possible(part) & b.aux]
                    if len(kept) == 1:
                        return self.arith("and", kept[0], b, bits, lo, hi)
            if op == a.op and a.args[1].op == "const" and a.bits == bits:
                inner, m, n = a.args[0], a.args[1].aux, b.aux
                if op == "add":
                    # x + m + n: one addition, unless the sum leaves the range of immediates
                    return self.arith("add", inner, self.const(wrap(m + n, 64, True)), bits, lo, hi)
                if op == "and":
                    return self.arith("and", inner, self.const(m & n), bits, lo, hi)
                if op in ("shl", "shr") and 0 <= m + n < bits:
                    return self.arith(op, inner, self.const(m + n), bits, lo, hi)
        elif a is b and op in ("sub", "xor"):
            return self.const(0)
        return self.share(op, [a, b], None, bits, lo, hi)

    def extend(self, value: Value, from_bits: int, signed: bool) -> Value:
        """The low bits of a value as a number."""
        if value.op == "const":
            return self.const(wrap(value.aux, from_bits, signed))
        lo, hi = limits(from_bits, signed)
        # Only what the value's making guarantees counts: the kernel may not follow us through a branch's fact.
        if lo <= value.lo and value.hi <= hi:
            return value
        return self.share("sext" if signed else "zext", [value], from_bits, 64, lo, hi)

    def retype(self, value: Value, lo: int, hi: int) -> Value:
        """The same 64 bits read as another type."""
        if value.op == "const":
            return self.const(wrap(value.aux, 64, lo < 0))
        return self.share("retype", [value], None, 64, lo, hi)

    def hide(self, value: Value) -> Value:
        """The same number, of which the verifier knows nothing."""
        if value.op == "const" and -(1 << 31) <= value.aux < 1 << 31:
            return self.emit("opaque", [], value.aux, 64, value.lo, value.hi)
        return self.emit("hide", [value, self.emit("opaque", [], 0)], None, 64, value.lo, value.hi)

    # -- memory

    def load(self, base: Value, off: int, size: int, signed: bool, region: str) -> Value:
        lo, hi = limits(size * 8, signed)
        version = self.state.memory.get(region, 0)
        known = self.read.setdefault((base, version), [])
        for at in known:
            if (
                at[0] <= off
                and off + size <= at[0] + at[1]
                and zero(found := self.shared["load", (base,), at, 64, version])
            ):
                return found
        known.append((off, size, signed))
        return self.share("load", [base], (off, size, signed), 64, lo, hi, version)

    def store(self, base: Value, off: int, size: int, value: Value, region: str) -> None:
        before = self.state.memory.get(region, 0)
        if self.walked_once and region in CALLERS and base.op != "stack":
            value = self.hide(value)
        self.emit("store", [base, value], (off, size))
        self.clobber(region)
        after = self.state.memory[region]
        # Other bytes of the same object are what they were, and these are what was stored: neither needs a load.
        kept = set()
        for at in self.read.get((base, before), ()):
            known = self.shared["load", (base,), at, 64, before]
            pieces = [at] if at[0] + at[1] <= off or off + size <= at[0] else []
            if not pieces and zero(known):
                pieces = [
                    p
                    for p in ((at[0], off - at[0], False), (off + size, at[0] + at[1] - off - size, False))
                    if p[1] > 0
                ]
            for piece in pieces:
                kept.add(piece)
                self.shared["load", (base,), piece, 64, after] = known
        if base.op == "stack" or region in OWNED:
            for signed in (False, True):
                lo, hi = limits(size * 8, signed)
                if lo <= value.lo and value.hi <= hi:
                    kept.add((off, size, signed))
                    self.shared["load", (base,), (off, size, signed), 64, after] = value
        if kept:
            self.read[base, after] = list(kept)

    def halves(self, base: Value, off: int, size: int, region: str) -> list[tuple[int, int]]:
        """(offset, size) of what is read to copy these bytes: two halves where both are known, so that nothing is read at all."""
        known = self.read.get((base, self.state.memory.get(region, 0)), ())
        half = size // 2
        if base.op == "stack" and (off, half, False) in known and (off + half, half, False) in known:
            return [(off, half), (off + half, half)]
        return [(off, size)]

    def clobber(self, *regions: str) -> None:
        """Memory of these regions may have changed."""
        for region in regions:
            self.version += 1
            self.state.memory[region] = self.version

    def forget_memory(self) -> None:
        """Any memory may have changed, but where the packet lies."""
        self.clobber("stack", "map", "packet", "ring", "mem", "kernel")

    def call(self, kind: str, target: Any, name: str, args: list[Value], lo: int = S64_MIN, hi: int = S64_MAX) -> Value:
        if "lock" in self.state.owned and kind != "kfunc" and name != "spin_lock":
            self.locked(name)
        if self.permitted is not None and kind == "helper":
            self.permitted(target, name)
        value = self.emit("call", args, Callee(kind, target, name), 64, lo, hi)
        self.forget_memory()
        return value

    # -- blocks

    def end(self, *term: Any) -> None:
        """Close the current block."""
        block = self.state.block
        block.term = term
        block.term_at = self.at if self.text is None else (self.text, self.at)
        for succ in block.successors():
            succ.preds.append(block)
            enter(succ, block)

    def branch(self, test: str, bits: int, a: Value, b: Value) -> tuple[State, State]:
        """Close the block with a conditional jump; the states where the test holds and where it does not."""
        yes, no = self.graph.new_block(), self.graph.new_block()
        self.end("branch", test, bits, a, b, yes, no)
        before = self.state
        return before.fork(yes), before.fork(no)


def zero(value: Value) -> bool:
    return value.op == "const" and value.aux == 0


def possible(value: Value) -> int:
    """The bits that may be set in a number that is not negative; all of them for any other."""
    if value.op == "const":
        return int(value.aux) & U64
    if value.lo < 0:
        return U64
    bits = (1 << value.hi.bit_length()) - 1
    if value.op == "and" and value.args[1].op == "const":
        return bits & possible(value.args[1])
    if value.op == "or":
        return bits & (possible(value.args[0]) | possible(value.args[1]))
    if value.op == "shl" and value.args[1].op == "const":
        return bits & possible(value.args[0]) << int(value.args[1].aux)
    return bits


def limits(bits: int, signed: bool) -> tuple[int, int]:
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)


def wrap(number: int, bits: int, signed: bool) -> int:
    number &= (1 << bits) - 1
    return number - (1 << bits) if signed and number >> bits - 1 else number


def fold(op: str, a: int, b: int, bits: int, signed: bool) -> int:
    """What the machine computes for two constants; the result is read with the sign that its type has."""
    mask = (1 << bits) - 1
    if op == "add":
        r = a + b
    elif op == "sub":
        r = a - b
    elif op == "mul":
        r = a * b
    elif op == "and":
        r = a & b
    elif op == "or":
        r = a | b
    elif op == "xor":
        r = a ^ b
    elif op == "shl":
        r = a << (b & bits - 1)
    elif op == "shr":
        r = (a & mask) >> (b & bits - 1)
    elif op == "sar":
        r = wrap(a, bits, True) >> (b & bits - 1)
    elif op == "div":
        r = (a & mask) // (b & mask) if b & mask else 0
    elif op == "mod":
        r = (a & mask) % (b & mask) if b & mask else a
    else:
        a, b = wrap(a, bits, True), wrap(b, bits, True)
        q = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1) if b else 0
        r = q if op == "sdiv" else a - q * b if b else a
    return wrap(r, bits, signed)
