"""What the kernel's verifier knows of a number, where it knows less than we do.

Our intervals follow every operation.  The verifier's do not follow division, remainder, negation and byte swaps, nor what
helpers return (adjust_scalar_min_max_vals; division came with Linux 7.0), so an offset made from these is bounded once more
before it meets a pointer.
"""

from __future__ import annotations

from ..objects import scalars as types
from ..objects.values import Const, Int, span
from ..ssa.build import S64_MIN, U64, limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..ssa.dominance import Facts
    from ..ssa.ir import Value
    from .compiler import Compiler

COMPARES = (6, 8)  # from here on comparisons of two unknown numbers teach the verifier something
COMPUTES = (6, 10)  # from here on it knows products, `|` and `^` of two unknown numbers
LOST = frozenset(
    ("div", "mod", "sdiv", "smod", "bswap", "neg", "call", "ldabs", "ldind", "opaque", "hide", "param", "cmpxchg")
)
PASSED_ON = frozenset(("add", "sub", "mul", "shl", "shr", "sar", "or", "xor", "and", "zext", "sext", "retype", "phi"))


def bounded(c: Compiler, value: Value, most: int, least: int = 0) -> Value:
    """`value`, which lies in least..most, in a form of which the verifier sees that it does."""
    if value.op == "const" or seen(c, value, most):
        return value
    if least:
        above = bounded(c, c.b.arith("sub", value, c.b.const(least), 64, 0, most - least), most - least)
        return c.b.share("add", [above, c.b.const(least)], None, 64, least, most)
    if most & (most + 1) == 0:
        # Not by `arith`, which knows that this mask changes nothing.
        return c.b.share("and", [value, c.b.const(most)], None, 64, 0, most)
    from .expressions import select

    outside, inside = c.b.branch(">", 64, value, c.b.const(most))
    found = select(c, [(inside, Int(value, types.u64)), (outside, Const(0))], c.b.at, "this number")
    assert isinstance(found, Int)
    found.value.lo, found.value.hi = 0, most
    if found.value.op == "phi":
        found.value.aux = "bounded"
    return found.value


def seen(c: Compiler, value: Value, most: int) -> bool:
    """Whether the verifier sees that a number lies in 0..most: by how it was made, or by a branch."""
    lo, hi = c.b.range(value)
    if lo < 0 or hi > most or value in c.doubted:
        return False
    _, known = told(c, c.state.facts, value)
    if known <= most and known < value.hi:
        return True
    return value.hi <= most and not lost(c, value)


def sight(c: Compiler, number: Const | Int) -> tuple[int, int]:
    """The interval in which the verifier sees a number."""
    if isinstance(number, Const):
        return span(c, number)
    value = number.value
    lo, hi = told(c, c.state.facts, value)
    if not lost(c, value):
        return lo, hi
    return (lo if lo > value.lo else S64_MIN), (hi if hi < value.hi else U64)


def in_sight(c: Compiler, number: Any, most: int) -> Any:
    """A number whose bounds decide how many rounds the verifier walks, in a form of which it sees them, where it is `most`."""
    lo, hi = span(c, number)
    if isinstance(number, Const) or lo < 0 or hi > most:
        return number
    return Int(bounded(c, number.value, hi), number.type)


def told(c: Compiler, facts: Facts, value: Value) -> tuple[int, int]:
    """The interval that branches have shown to the verifier: in a loop in which it widens numbers, those of the loop itself."""
    known, block = facts.get(("told", value)) or (facts.get(value) or (value.lo, value.hi), c.widening)
    return known if block >= c.widening else (value.lo, value.hi)


def lost(c: Compiler, value: Value) -> bool:
    """Whether the verifier has lost the bounds of a number on its way here."""
    met: set[Value] = set()
    todo = [value]
    while todo:
        value = todo.pop()
        if value in met or value.op == "const":
            continue
        met.add(value)
        if _loses(c, value):
            return True
        if value.op in PASSED_ON and value.aux != "bounded" and not (value.op == "and" and _masks(value)):
            todo += value.args
    return False


def _masks(value: Value) -> bool:
    mask = value.args[1]
    return mask.op == "const" and bool(mask.aux >= 0)


def _loses(c: Compiler, value: Value) -> bool:
    """Whether the verifier loses the bounds of a number where it is made."""
    if value.op in LOST:
        return True
    if value.block is not None and value.block.number < c.widening:
        return True  # made before a loop in which the verifier forgets what nothing depended on so far
    if value.op == "load":
        lo, hi = limits(8 * value.aux[1], value.aux[2])
        return lo < value.lo or value.hi < hi  # the compiler knows more than its instruction shows
    if value.op == "and" and _masks(value):
        return bool(value.args[1].aux > value.hi)
    if value.op == "sub" and (value.args[0].op == "const" or _of_context(value)):
        return True  # -x; a packet's length, which is the distance of two pointers
    if value.op in ("shl", "shr", "sar") and value.args[1].op != "const":
        return True  # is_safe_to_compute_dst_reg_range
    if value.op in ("mul", "or", "xor") and value.args[1].op != "const" and c.unit.kernel < COMPUTES:
        return True
    if value.op == "mul" and any(a.lo < 0 or a.hi >= 1 << 32 for a in value.args):
        return True
    # Of a loop that is being written: what comes back is not known yet.
    return value.op == "phi" and value.aux == "open"


def _of_context(value: Value) -> bool:
    return all(arg.op == "load" and arg.args[0].op == "param" for arg in value.args)


__all__ = ["COMPARES", "bounded", "in_sight", "seen", "sight"]
