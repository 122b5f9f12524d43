"""Arithmetic with the meaning that Python has, as far as 64 bits go.

What type does `a op b` have?
- `u32`, `s32`, `u64`, `s64` are fixed: with themselves and with literals that fit they keep their type and wrap, as
  numpy's scalars do.
- 8- and 16-bit numbers, bit-fields, booleans and literals have no width of their own: they compute exactly, in 64 signed bits
  (or unsigned ones that nothing signed fits); what may need more than 64 is refused, and a cast says where to wrap.
- Mixed widths and signs give the 64-bit type that holds both.  `u64` beside a number that may be negative has none
  where the sign matters (comparison, `*`, `//`, `|`), and is refused there.
"""

from __future__ import annotations

from ...types import Scalar
from ..lower.bounds import COMPARES, lost, told
from ..ssa.build import DECIDES_EQUAL, S64_MAX, S64_MIN, limits, wrap
from . import scalars as types
from .values import INT, Const, Front, Int, Sized, fits, native, span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..lower.compiler import Compiler
    from ..ssa.dominance import Facts
    from ..ssa.ir import Value

U64_MAX = (1 << 64) - 1
u32: Scalar
u32, u64, s32, s64 = types.u32, types.u64, types.s32, types.s64

OPS = {
    "Add": "add", "Sub": "sub", "Mult": "mul", "FloorDiv": "div", "Mod": "mod", "BitAnd": "and", "BitOr": "or",
    "BitXor": "xor", "LShift": "shl", "RShift": "shr",
}  # fmt: skip
SIGN = {
    "Add": "+", "Sub": "-", "Mult": "*", "FloorDiv": "//", "Mod": "%", "BitAnd": "&", "BitOr": "|", "BitXor": "^",
    "LShift": "<<", "RShift": ">>", "Div": "/", "Pow": "**", "MatMult": "@",
}  # fmt: skip
TESTS = {"Eq": "==", "NotEq": "!=", "Lt": "<", "LtE": "<=", "Gt": ">", "GtE": ">="}
MIRROR = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
NEGATED = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def value_of(c: Compiler, number: Int | Const) -> Value:
    if not isinstance(number, Const):
        return number.value
    n = int(number.obj)
    if not S64_MIN <= n <= U64_MAX:
        c.fail(f"{n} has more than 64 bits")
    return c.b.const(n)


def word(c: Compiler, front: Front, node: Any) -> Value:
    """The 64-bit value of what has to be a number: flags, an index, an offset."""
    return value_of(c, front.number(c, node))


def status(c: Compiler, value: Value) -> Int:
    """What a helper says of its success: 0 (or an id), or a negative errno."""
    if c.unit.kernel < LONG_RESULTS and value.aux.target in OF_MAPS:
        return Int(c.b.extend(value, 32, True), types.s64)
    value.lo, value.hi = -(1 << 31), (1 << 31) - 1
    return Int(value, types.s64)


LONG_RESULTS = (6, 4)
OF_MAPS = frozenset((2, 3, 51, 87, 88, 89, 164))
"""Helpers that the kernel replaces by calls of a map's own functions, which gave an int until Linux 6.4 (d7ba4cc900bf): the upper
half of their result is not its sign."""


def rank(type_: Scalar) -> Scalar:
    """The type that takes part in arithmetic: narrow ones compute as INT."""
    return type_ if type_.bits >= 32 and type_ is not INT else INT


def common(c: Compiler, a: Int | Const, b: Int | Const) -> Scalar:
    """The type in which two numbers meet."""
    ta = INT if isinstance(a, Const) else rank(a.type)
    tb = INT if isinstance(b, Const) else rank(b.type)
    if ta is tb:
        return ta
    if ta is INT or tb is INT:
        fixed, other = (tb, a) if ta is INT else (ta, b)
        if fixed.bits == 64:
            return u64 if span(c, other)[1] > S64_MAX else fixed
        return fixed if fits(*span(c, other), fixed) else INT
    if u64 in (ta, tb):
        return u64
    return s64


def binary(c: Compiler, name: str, a: Front, b: Front, node: Any) -> Front:
    """`a op b` for the AST operator class `name`."""
    a, b = a.number(c, node), b.number(c, node)
    if name not in OPS:
        advice = {"Div": "write // for whole numbers", "Pow": "only constants can be raised to a power"}
        c.fail(
            f"{SIGN[name]} is not available on numbers of a program: {advice.get(name, 'it has no meaning here')}", node
        )
    op = OPS[name]
    if op in ("shl", "shr"):
        return shift(c, op, a, b, node)
    type_ = common(c, a, b)
    (alo, ahi), (blo, bhi) = span(c, a), span(c, b)
    if op in ("div", "mod"):
        return divide(c, op, type_, a, b, node)
    va, vb = value_of(c, a), value_of(c, b)
    if type_ is u64 and op in ("or", "xor", "mul") and min(alo, blo) < 0 and not c.lenient():
        c.fail(f"{SIGN[name]} of u64 and a number that may be negative: write u64(...) around it", node)
    exact = interval(op, alo, ahi, blo, bhi)
    if type_ is INT and not fits(*exact, INT):
        type_, exact = widened(c, name, exact, (alo, ahi, blo, bhi), node)
    return result(c, op, va, vb, type_, exact)


def widened(
    c: Compiler, name: str, exact: tuple[int, int], ends: tuple[int, ...], node: Any
) -> tuple[Scalar, tuple[int, int]]:
    """The type of a result of plain numbers that may leave 64 signed bits; `ends` are those of the operands.

    One of which nothing is known has grown in a loop.  It is taken to stay within 64 bits: to count out of them takes years.
    """
    lo, hi = exact
    if S64_MAX in ends or S64_MIN in ends:
        lo, hi = max(lo, S64_MIN), min(hi, S64_MAX)
        return INT, (lo, hi) if lo <= hi and name in ("Add", "Sub") else limits(64, True)
    if lo >= 0 and hi <= U64_MAX:
        return u64, exact
    if not c.lenient():
        c.fail(
            f"this {SIGN[name]} may need more than 64 bits: write u64(...) or s64(...) around an operand to wrap there",
            node,
        )
    return INT, limits(64, True)


def result(c: Compiler, op: str, va: Value, vb: Value, type_: Scalar, exact: tuple[int, int]) -> Int | Const:
    low, high = limits(type_.bits, type_.signed)
    lo, hi = exact
    if not (low <= lo and hi <= high):
        lo, hi = low, high
    if type_ is s32:
        value = (
            c.b.arith(op, va, vb, 64, *exact) if exact[0] >= S64_MIN and exact[1] <= S64_MAX else c.b.arith(op, va, vb)
        )
        if not fits(*exact, s32):
            value = c.b.extend(value, 32, True)
    else:
        value = c.b.arith(op, va, vb, 32 if type_.bits == 32 else 64, lo, hi)
    return number(value, type_)


def number(value: Value, type_: Scalar) -> Int | Const:
    return Int(value, type_)


def interval(op: str, alo: int, ahi: int, blo: int, bhi: int) -> tuple[int, int]:
    """The exact interval of an operation on intervals."""
    if op == "add":
        return alo + blo, ahi + bhi
    if op == "sub":
        return alo - bhi, ahi - blo
    if op == "mul":
        products = (alo * blo, alo * bhi, ahi * blo, ahi * bhi)
        return min(products), max(products)
    if op == "and":
        if alo >= 0 and blo >= 0:
            return 0, min(ahi, bhi)
        if alo >= 0:
            return 0, ahi
        if blo >= 0:
            return 0, bhi
    if alo >= 0 and blo >= 0:  # or, xor
        return (max(alo, blo) if op == "or" else 0), (1 << max(ahi.bit_length(), bhi.bit_length())) - 1
    bits = max(n.bit_length() for n in (alo, ahi, blo, bhi))
    return -(1 << bits), (1 << bits) - 1


def divide(c: Compiler, op: str, type_: Scalar, a: Int | Const, b: Int | Const, node: Any) -> Int | Const:
    (alo, ahi), (blo, bhi) = span(c, a), span(c, b)
    if blo == bhi == 0:
        c.fail("division by zero", node)
    if (alo < 0 or blo < 0) and not (type_.signed is False and alo >= 0 and blo >= 0):
        if not c.lenient():
            sign = "//" if op == "div" else "%"
            named = "sdiv" if op == "div" else "smod"
            c.fail(
                f"{sign} rounds down in Python and toward zero in eBPF, so it is refused where a number may be negative: "
                f"write u64(...) around it, or {named}(a, b) for C's meaning",
                node,
            )
        alo, blo = max(alo, 0), max(blo, 0)
    lo, hi = (alo // max(bhi, 1), ahi // max(blo, 1)) if op == "div" else (0, ahi if blo == 0 else min(ahi, bhi - 1))
    if op == "div" and blo == 0:
        lo = 0
    bits = 32 if type_ is u32 else 64
    return Int(c.b.arith(op, value_of(c, a), value_of(c, b), bits, lo, hi), type_)


def shift(c: Compiler, op: str, a: Int | Const, b: Int | Const, node: Any) -> Int | Const:
    type_ = INT if isinstance(a, Const) else rank(a.type)
    bits = type_.bits
    (alo, ahi), (blo, bhi) = span(c, a), span(c, b)
    if blo < 0 or bhi >= bits:
        if isinstance(b, Const):
            c.fail(f"a shift by {b.obj} of a {bits}-bit number: the distance is 0..{bits - 1}", node)
        if not c.lenient():
            c.fail(
                f"the distance may be {blo}..{bhi}, and a {bits}-bit shift takes 0..{bits - 1}: write (n & {bits - 1})",
                node,
            )
        blo, bhi = 0, bits - 1
    va, vb = value_of(c, a), value_of(c, b)
    if op == "shl":
        corners = (alo << blo, alo << bhi, ahi << blo, ahi << bhi)
        exact = min(corners), max(corners)
        if type_ is INT and not fits(*exact, INT):
            type_, exact = widened(c, "LShift", exact, (alo, ahi), node)
        return result(c, "shl", va, vb, type_, exact)
    corners = (alo >> blo, alo >> bhi, ahi >> blo, ahi >> bhi)
    unsigned = alo >= 0
    value = c.b.arith("shr" if unsigned else "sar", va, vb, 32 if type_ is u32 else 64, min(corners), max(corners))
    return Int(value, type_)


def unary(c: Compiler, name: str, a: Front, node: Any) -> Front:
    a = a.number(c, node)
    type_ = INT if isinstance(a, Const) else rank(a.type)
    lo, hi = span(c, a)
    if name == "UAdd":
        return a
    if name == "Invert":
        mask = c.b.const(-1 if type_.signed else (1 << type_.bits) - 1)
        low, high = limits(type_.bits, type_.signed)
        return Int(c.b.arith("xor", value_of(c, a), mask, 64, *((~hi, ~lo) if type_.signed else (low, high))), type_)
    if not type_.signed:
        c.fail(f"-x of an unsigned number would wrap: write s64(x) first, or 0 - x to wrap in {type_}", node)
    return result(c, "sub", c.b.const(0), value_of(c, a), type_, (-hi, min(-lo, S64_MAX) if type_ is INT else -lo))


def divide_signed(c: Compiler, op: str, a: Front, b: Front, node: Any) -> Front:
    """`sdiv(a, b)` and `smod(a, b)`: toward zero, as C divides.  Below ISA v4 by a sequence on magnitudes."""
    na, nb = a.number(c, node), b.number(c, node)
    for n in (na, nb):
        if span(c, n)[1] > S64_MAX:
            c.fail(f"{op} divides signed numbers: write s64(...) around the unsigned one", node)
    va, vb = value_of(c, na), value_of(c, nb)
    if va.op == "const" and vb.op == "const":
        from ..ssa.build import fold

        return Const(fold(op, va.aux, vb.aux, 64, True))
    if span(c, na)[0] >= 0 and span(c, nb)[0] >= 0 and span(c, nb) != (0, 0):
        return divide(c, op[1:], s64, na, nb, node)
    if span(c, nb) == (0, 0):
        return Const(0) if op == "sdiv" else na  # the verifier refuses a division by the constant
    if c.isa >= 4:
        return Int(c.b.arith(op, va, vb), s64)
    # |x| = (x ^ m) - m with m = x >> 63; the sign of the quotient is ma ^ mb, of the remainder ma.
    b_ = c.b
    sixty3 = b_.const(63)
    ma, mb = b_.arith("sar", va, sixty3, 64, -1, 0), b_.arith("sar", vb, sixty3, 64, -1, 0)
    pa = b_.arith("sub", b_.arith("xor", va, ma), ma)
    pb = b_.arith("sub", b_.arith("xor", vb, mb), mb)
    q = b_.arith("div" if op == "sdiv" else "mod", pa, pb)
    m = b_.arith("xor", ma, mb, 64, -1, 0) if op == "sdiv" else ma
    return Int(b_.arith("sub", b_.arith("xor", q, m), m), s64)


def cast(c: Compiler, type_: Scalar, a: Front, node: Any) -> Front:
    """`u32(x)`: wrapped to the width, as calling the type does in Python."""
    n = a.number(c, node)
    kind = native(type_)
    if kind.bits < 64 and getattr(a, "struct", None):
        c.fail(f"the address of {a.what()} has 64 bits: name a field of it, or write u64(...)", node)
    other_order = None if kind is type_ else type_
    if isinstance(n, Const):
        wrapped = wrap(int(n.obj), type_.bits, type_.signed)
        if type_.bits < 32 and wrapped >= 0:  # a negative one keeps its sign as its type's, unlike a literal
            return Sized(wrapped, type_)
        value = c.b.const(wrapped)
    elif fits(*span(c, n), kind):
        value = n.value
    elif kind.bits == 64:
        value = c.b.retype(n.value, *limits(64, kind.signed))
    else:
        value = c.b.extend(n.value, kind.bits, kind.signed)
    return Int(value, kind, place=other_order)


def convert(c: Compiler, a: Front, type_: Scalar, node: Any, where: str) -> Value:
    """The value of `a` where a `type_` is wanted; what could lose or reinterpret is refused."""
    n = a.number(c, node)
    lo, hi = span(c, n)
    kind = native(type_)
    if not fits(lo, hi, kind) and not (isinstance(n, Const) and -(1 << kind.bits - 1) <= lo < 0 and where == "flags"):
        shown = f"{lo}" if lo == hi else f"{lo}..{hi}"
        if not c.lenient():
            c.fail(f"{where} takes {kind}, and this number may be {shown}: write {kind}(...) to wrap it", node)
    return value_of(c, n)


def compare(c: Compiler, test: str, a: Front, b: Front, node: Any) -> tuple[str, int, Value, Value] | bool:
    """What decides `a test b`: (test, bits, value, value) with "s<" for signed order, or a bool when it is certain."""
    na, nb = a.number(c, node), b.number(c, node)
    (alo, ahi), (blo, bhi) = span(c, na), span(c, nb)
    certain = decide(test, alo, ahi, blo, bhi)
    if certain is not None:
        # As in C, `x == -1` may mean all bits set; a number of a signed type means what Python says: never equal.
        for n, other in ((na, nb), (nb, na)):
            literal = isinstance(other, Const) and int(other.obj) < 0
            if literal and isinstance(n, Int) and n.type in (u32, u64) and test in ("==", "!="):
                c.fail(f"a {n.type} is never negative: write s{n.type.bits}(...) around it", node)
        return certain
    signed = min(alo, blo) < 0
    if signed and max(ahi, bhi) > S64_MAX:
        if not c.lenient():
            c.fail(
                "a u64 is compared with a number that may be negative: write u64(...) or s64(...) around one of them",
                node,
            )
        signed = False
    va, vb = value_of(c, na), value_of(c, nb)
    if va.op == "const":
        va, vb, test = vb, va, MIRROR[test]
    # A big-endian field against a constant: swap the constant instead of the field.
    if vb.op == "const" and va.op == "bswap" and test in ("==", "!=") and 0 <= vb.aux < 1 << va.aux:
        inner = va.args[0]
        if inner.lo >= 0 and inner.hi < 1 << va.aux:
            swapped = int.from_bytes(vb.aux.to_bytes(va.aux // 8, "big"), "little")
            va, vb = inner, c.b.const(swapped)
    if signed and test not in ("==", "!="):
        test = "s" + test
    return test, 64, va, vb


def decide(test: str, alo: int, ahi: int, blo: int, bhi: int) -> bool | None:
    """The outcome of a comparison when the intervals leave no doubt."""
    if test == "<":
        return True if ahi < blo else False if alo >= bhi else None
    if test == "<=":
        return True if ahi <= blo else False if alo > bhi else None
    if test == ">":
        return decide("<", blo, bhi, alo, ahi)
    if test == ">=":
        return decide("<=", blo, bhi, alo, ahi)
    if ahi < blo or bhi < alo:
        return test == "!="
    if alo == ahi == blo == bhi:
        return test == "=="
    return None


def learn(c: Compiler, facts: Facts, test: str, a: Value, b: Value) -> None:
    """Narrow the intervals of `a` and `b` by what a branch has shown."""
    test = test.removeprefix("s")
    for x, y, t in ((a, b, test), (b, a, MIRROR[test])):
        if x.op == "const":
            continue
        other = (y.aux, y.aux) if y.op == "const" else facts.get(y) or (y.lo, y.hi)
        lo, hi = narrowed(t, facts.get(x) or (x.lo, x.hi), other)
        if lo <= hi:
            known = told(c, facts, x)
            if y.op == "const" or hi >= x.hi or not (c.unit.kernel < COMPARES or lost(c, y)):
                known = narrowed(t, known, other)
            if t == "==" and y.op != "const" and c.unit.kernel < DECIDES_EQUAL:
                c.doubted.add(x)
            facts[x] = (lo, hi)
            facts["told", x] = (known, facts.point.block.number)


def narrowed(test: str, own: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """The interval of a number for which a test against one in `other` holds."""
    (lo, hi), (ylo, yhi) = own, other
    if test == "==":
        return max(lo, ylo), min(hi, yhi)
    if test == "<":
        return lo, min(hi, yhi - 1)
    if test == "<=":
        return lo, min(hi, yhi)
    if test == ">":
        return max(lo, ylo + 1), hi
    if test == ">=":
        return max(lo, ylo), hi
    return (lo + (lo == ylo), hi - (hi == ylo)) if ylo == yhi else (lo, hi)


def join_types(a: Scalar, alo: int, ahi: int, b: Scalar, blo: int, bhi: int) -> Scalar | None:
    """The type of a name that is one or the other; None when no 64-bit type holds both."""
    if a is b:
        return a
    if a is INT or b is INT:
        fixed, lo, hi = (b, alo, ahi) if a is INT else (a, blo, bhi)
        if fits(lo, hi, fixed):
            return fixed
        fhi = limits(fixed.bits, fixed.signed)[1]
        return INT if fhi <= S64_MAX else None
    (la, ha), (lb, hb) = limits(a.bits, a.signed), limits(b.bits, b.signed)
    if la <= lb and hb <= ha:
        return a
    if lb <= la and ha <= hb:
        return b
    if max(ha, hb) <= S64_MAX:
        return s64
    return u64 if min(alo, blo) >= 0 else None
