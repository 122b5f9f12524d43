"""USDT in programs: the operands of a probe, which stand at another place in each site and each build of a program.

Where they are is known when the program is attached: `links.operands` then writes one `Spec` for each different site, and the
site's cookie is the number of its spec.  The program follows what the spec says.  Names and layout of the map are those of
libbpf's usdt.bpf.h, so that object files made with it attach in the same way.
"""

from __future__ import annotations

from ...declared import Array, HashMap
from ...types import Array as ArrayOf
from ...types import Struct, s64, u8, u16, u32, u64
from ..lower.functions import Subprogram
from ..lower.helpercalls import Helper
from .integers import convert
from .scalars import u64 as U64
from .values import Const, Front, Int

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..lower.compiler import Compiler

OPERANDS = 12
CONSTANT, REGISTER, MEMORY, INDEXED = range(4)
COOKIES = (5, 15)  # of perf events


class Operand(Struct):
    """Where an operand is: `value` is the constant, or what is added to an address; registers by offset in struct pt_regs."""

    value: u64
    how: u32  # CONSTANT ..., bits 8-19 the index register, 20-23 the power of two it is multiplied with
    register: u16
    signed: u8
    shift: u8  # bits to the left of it in a word


class Spec(Struct):
    """The operands of a site."""

    operands: ArrayOf(Operand, OPERANDS)  # type: ignore[valid-type]
    cookie: u64
    count: u16


SPECS: Any = Array(Spec, max_entries=256, name="__bpf_usdt_specs")
# Before Linux 5.15 a site has no cookie.  Where a file is mapped is not known beforehand, but its pages come whole.
PLACES: Any = HashMap(u64, u32, max_entries=1024, name="usdt_places")

get_attach_cookie, probe_read_kernel, probe_read_user = map(
    Helper, ("get_attach_cookie", "probe_read_kernel", "probe_read_user")
)


WORD: Any = ArrayOf(u64, 1)


class _Number:
    """`number(ctx)`: the number of the spec of the site that was hit."""

    def __bpf_call__(self, c: Compiler, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        from ..lower.calls import apply

        return apply(c, by_cookie if c.unit.kernel >= COOKIES else by_place, args, kw, node)


class _Place:
    """`place(ctx, offset)`: the address of a register, which the verifier lets programs read only at constant offsets."""

    def __bpf_call__(self, c: Compiler, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        context: Any = args[0]
        offset = convert(c, args[1], U64, node, "an offset")
        return Int(c.b.arith("add", context.value, offset, 64, 0, (1 << 64) - 1), U64)


number: Any = _Number()
place: Any = _Place()


def by_cookie(ctx: Any) -> Any:
    return u32(get_attach_cookie(ctx))


def by_place(ctx: Any) -> Any:
    return PLACES[u64(ctx.ip & 0xFFF)]


@Subprogram
def operand(ctx: Any, i: u64) -> Any:
    """Operand `i` (from 0) of the probe that was hit; 0 when it has no such one, or its memory cannot be read."""
    spec = SPECS.get(number(ctx))
    if spec is None or i >= OPERANDS or i >= spec.count:
        return 0
    found = spec.operands[i]
    kind = found.how & 0xFF
    word = WORD()
    if kind == CONSTANT:
        word[0] = found.value
    else:
        if probe_read_kernel(word, 8, place(ctx, found.register)) < 0:
            return 0
        if kind >= MEMORY:
            address = word[0] + found.value
            if kind == INDEXED:
                if probe_read_kernel(word, 8, place(ctx, (found.how >> 8) & 0xFFF)) < 0:
                    return 0
                address += word[0] << ((found.how >> 20) & 15)
            word[0] = 0
            if probe_read_user(word, 8 - ((found.shift >> 3) & 7), address) < 0:
                return 0
    shift = found.shift & 63
    if found.signed != 0:
        return u64(s64(word[0] << shift) >> shift)
    return (word[0] << shift) >> shift


@Subprogram
def cookie(ctx: Any) -> Any:
    """The number that was given for the site that was hit, when the program was attached."""
    spec = SPECS.get(number(ctx))
    return 0 if spec is None else spec.cookie


class Operands(Front):
    """`ctx.args` of a USDT program."""

    __slots__ = ("context",)

    def __init__(self, context: Any) -> None:
        self.context = context

    def item(self, c: Compiler, index: Front, node: Any) -> Front:
        if isinstance(index, Const) and not 0 <= index.obj < OPERANDS:
            c.fail(f"a probe has {OPERANDS} arguments at most", node)
        return operand.__bpf_call__(c, [self.context, index], {}, node)


def argument(c: Compiler, context: Any, name: str, node: Any) -> Front | None:
    """`ctx.args` and `ctx.cookie`."""
    if name == "args":
        return Operands(context)
    if name == "cookie":
        return cookie.__bpf_call__(c, [context], {}, node)
    return None


def parameter(c: Compiler, context: Any, i: int, node: Any) -> Front:
    """Argument i of the probe."""
    return Operands(context).item(c, Const(i), node)
