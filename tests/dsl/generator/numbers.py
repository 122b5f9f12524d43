"""Expressions and conditions.

Results are wrapped in a cast to their type, because Python's integers have no width; what the language computes exactly
(`exact`) is written without casts on the way.
"""

from __future__ import annotations

from .writer import BITS, TYPES, WIDER, Table, Writer

EXPRESSIONS = Table()
"""Each given (w, kind, depth): the text of a number of that type, whose parts are `depth` levels deep."""
CONDITIONS = Table()
"""Each given (w, depth)."""
SIGNS = ("<", "<=", ">", ">=", "==", "!=")


def expression(w: Writer, kind: str, depth: int) -> str:
    if depth <= 0 or w.chance(0.15):
        text = leaf(w, kind)
        return text if text.startswith(f"{kind}(") else f"{kind}({text})"
    return EXPRESSIONS.pick(w, kind, depth)  # type: ignore[no-any-return]


def condition(w: Writer, depth: int) -> str:
    return CONDITIONS.pick(w, depth)  # type: ignore[no-any-return]


def leaf(w: Writer, kind: str) -> str:
    """A name, a place or a number, of this type or of one whose numbers it holds."""
    fitting = [n for n, t in (w.names | w.places).items() if t in WIDER[kind]]
    if fitting and w.chance(0.75):
        return w.random.choice(fitting)
    bits = BITS[kind]
    special = [0, 1, 2, 7, (1 << bits - 1) - 1]
    special += [(1 << bits) - 1, 1 << bits - 1] if kind[0] == "u" else [-1, -(1 << bits - 1)]
    return f"{kind}({w.random.choice(special)})"


def stored(w: Writer, place: str, depth: int) -> str:
    """An expression that a place holds."""
    kind = w.places[place]
    return fitted(expression(w, kind, depth), kind, w.bits.get(place, 0))


def fitted(text: str, kind: str, bits: int) -> str:
    """A number of this type, cut to what a bit-field holds."""
    if not bits:
        return text
    return f"({text}) & {(1 << bits) - 1}" if kind[0] == "u" else f"({text}) >> {BITS[kind] - bits}"


def key(w: Writer, entries: int = 8) -> str:
    if w.chance(0.3):
        return str(w.random.randrange(entries))
    return f"u32({expression(w, 'u32', 1)}) & {entries - 1}"


def _calm(w: Writer, *_: object) -> bool:
    return not w.inside


def _unsigned(w: Writer, kind: str, depth: int) -> bool:
    return kind[0] == "u"


def _signed(w: Writer, kind: str, depth: int) -> bool:
    return kind[0] == "s"


@EXPRESSIONS.row(38)
def arithmetic(w: Writer, kind: str, depth: int) -> str:
    inner = w.random.choice(WIDER[kind])
    return f"{kind}({expression(w, kind, depth - 1)} {w.choose(*'+-*&|^')} {expression(w, inner, depth - 1)})"


@EXPRESSIONS.row(10)
def exact(w: Writer, kind: str, depth: int) -> str:
    """Narrow numbers compute as Python's do, until a cast."""
    narrow = [n for n, t in (w.names | w.places).items() if BITS[t] <= 16]
    terms = [w.random.choice(narrow) if narrow and w.chance(0.8) else str(w.random.randint(0, 300)) for _ in range(3)]
    a, b, c = (f"~{t}" if w.chance(0.1) else f"-{t}" if w.chance(0.1) else t for t in terms)
    return f"{kind}({a} {w.choose(*'+-*&|^')} {b} {w.choose(*'+-*')} {c})"


@EXPRESSIONS.row(10)
def shift(w: Writer, kind: str, depth: int) -> str:
    top = min(BITS[kind], 32) - 1
    by = str(w.random.randint(0, top)) if w.chance(0.7) else f"({leaf(w, 'u8')} & {top})"
    return f"{kind}({expression(w, kind, depth - 1)} {w.choose('<<', '>>')} {by})"


@EXPRESSIONS.row(8, _unsigned)
def divide(w: Writer, kind: str, depth: int) -> str:
    by = str(w.choose(1, 3, 8, 10, 100)) if w.chance(0.5) else f"({expression(w, kind, depth - 1)} | 1)"
    return f"{kind}({expression(w, kind, depth - 1)} {w.choose('//', '%')} {by})"


@EXPRESSIONS.row(8, _signed)
def divide_signed(w: Writer, kind: str, depth: int) -> str:
    by = leaf(w, kind) if w.chance(0.7) else expression(w, kind, depth - 1)
    return f"{kind}({w.choose('sdiv', 'smod')}({expression(w, kind, depth - 1)}, {by}))"


@EXPRESSIONS.row(10, _calm)
def conditional(w: Writer, kind: str, depth: int) -> str:
    return f"({expression(w, kind, depth - 1)} if {condition(w, 1)} else {expression(w, kind, depth - 1)})"


@EXPRESSIONS.row(6, _calm)
def extreme(w: Writer, kind: str, depth: int) -> str:
    terms = [expression(w, kind, depth - 1) for _ in range(w.choose(2, 2, 3))]
    return f"{kind}({w.choose('min', 'max')}({', '.join(terms)}))"


@EXPRESSIONS.row(2, lambda w, kind, depth: kind[0] == "s" and not w.inside)
def absolute(w: Writer, kind: str, depth: int) -> str:
    return f"{kind}(abs({expression(w, kind, depth - 1)}))"


@EXPRESSIONS.row(3, _signed)
def negative(w: Writer, kind: str, depth: int) -> str:
    return f"{kind}({w.choose(*'-~')}{expression(w, kind, depth - 1)})"


@EXPRESSIONS.row(2, _unsigned)
def inverted(w: Writer, kind: str, depth: int) -> str:
    return f"{kind}(~{expression(w, kind, depth - 1)})"


@EXPRESSIONS.row(2, _calm)
def truth(w: Writer, kind: str, depth: int) -> str:
    return f"{kind}({condition(w, 0)})" if w.chance(0.7) else f"{kind}(bool({leaf(w, 'u64')}))"


@EXPRESSIONS.row(2)
def from_table(w: Writer, kind: str, depth: int) -> str:
    return f"{kind}(LIMITS[{leaf(w, 'u8')} & 7])"


@EXPRESSIONS.row(4, lambda w, kind, depth: bool(w.arrays))
def from_array(w: Writer, kind: str, depth: int) -> str:
    name = w.random.choice(sorted(w.arrays))
    return f"{kind}({name}[{leaf(w, 'u8')} & {w.arrays[name][1] - 1}])"


@EXPRESSIONS.row(1)
def swapped(w: Writer, kind: str, depth: int) -> str:
    return f"{kind}(swap{w.choose(16, 32, 64)}({expression(w, 'u64', depth - 1)}))"


@EXPRESSIONS.row(4)
def other_type(w: Writer, kind: str, depth: int) -> str:
    return f"{kind}({expression(w, w.random.choice(TYPES), depth - 1)})"


@EXPRESSIONS.row(2)
def global_(w: Writer, kind: str, depth: int) -> str:
    return f"{kind}({w.choose('bias.value', 'limit.value', 'fixed.value', 'Mode.WRITE', 'config.z')})"


@EXPRESSIONS.row(2, lambda w, kind, depth: bool(w.context) and not w.inside)
def length(w: Writer, kind: str, depth: int) -> str:
    fields = [f"len({w.context})"]
    if w.kind == "sched_cls":
        fields += [f"{w.context}.mark", f"{w.context}.cb[{w.random.randrange(5)}]"]
    return f"{kind}({w.random.choice(fields)})"


@EXPRESSIONS.row(3, _calm)
def from_map(w: Writer, kind: str, depth: int) -> str:
    name = w.choose("counts", "recent", "percpu", "table")
    if w.chance(0.5):
        return f"{kind}({name}[{key(w)}])"
    return f"{kind}({name}.get({key(w)}, {w.random.randrange(100)}))"


@CONDITIONS.row(40)
def comparison(w: Writer, depth: int) -> str:
    kind = w.random.choice(TYPES)
    return f"{expression(w, kind, 1)} {w.choose(*SIGNS)} {expression(w, kind, 1)}"


@CONDITIONS.row(5)
def mixed_comparison(w: Writer, depth: int) -> str:
    """Of two types that a third holds."""
    both = w.choose("s64", "u64", "s32", "u32")
    left, right = (expression(w, w.random.choice(WIDER[both]), 1) for _ in range(2))
    return f"{left} {w.choose(*SIGNS)} {right}"


@CONDITIONS.row(12)
def flag(w: Writer, depth: int) -> str:
    kind = w.random.choice(TYPES)
    return f"{expression(w, kind, 1)} & {1 << w.random.randrange(7)} {w.choose('==', '!=')} 0"


@CONDITIONS.row(30, lambda w, depth: depth > 0 and not w.inside)
def joined(w: Writer, depth: int) -> str:
    return f"({condition(w, depth - 1)} {w.choose('and', 'or')} {condition(w, depth - 1)})"


@CONDITIONS.row(10, lambda w, depth: depth > 0)
def negated(w: Writer, depth: int) -> str:
    return f"not ({condition(w, depth - 1)})"


@CONDITIONS.row(6, _calm)
def chained(w: Writer, depth: int) -> str:
    kind = w.random.choice(TYPES)
    return f"{leaf(w, kind)} {w.choose(*SIGNS)} {expression(w, kind, 1)} {w.choose('<', '<=', '!=')} {leaf(w, kind)}"


@CONDITIONS.row(4, _calm)
def member(w: Writer, depth: int) -> str:
    among = w.choose("(1, 5, 77)", "{0, 3}", "range(8)", "range(3, 60, 7)", "(Mode.READ, Mode.STOP)")
    return f"{expression(w, w.choose('u8', 'u8', 'u32', 's16'), 1)} {w.choose('in', 'not in')} {among}"


@CONDITIONS.row(2, _calm)
def has_key(w: Writer, depth: int) -> str:
    return f"({key(w)}) {w.choose('in', 'not in')} {w.choose('counts', 'recent')}"


@CONDITIONS.row(3, lambda w, depth: not w.inside and sum(t in ("Key", "Event") for t in w.structs.values()) > 0)
def same_structure(w: Writer, depth: int) -> str:
    name = w.random.choice(sorted(n for n, t in w.structs.items() if t in ("Key", "Event")))
    other = w.random.choice([n for n, t in w.structs.items() if t == w.structs[name]])
    return f"{name} {w.choose('==', '!=')} {other}"
