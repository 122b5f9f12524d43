"""Statements: assignments, branches and loops; `storage`, `functions` and `packets` add theirs to the table."""

from __future__ import annotations

from .declarations import leaves
from .numbers import condition, expression, fitted, leaf, stored
from .writer import BITS, TYPES, Table, Writer

STATEMENTS = Table()


def statements(w: Writer, count: int) -> None:
    for _ in range(count):
        STATEMENTS.pick(w)


def body(w: Writer, line: str, count: int, **changes: int) -> dict[str, str]:
    """An indented block; the names that are known at its end."""
    with w.scope(**changes) as found, w.block(line):
        statements(w, count)
    return found


def calm(w: Writer) -> bool:
    return not w.inside


# -- assignments


@STATEMENTS.row(10)
def assign(w: Writer) -> None:
    known = w.variables()
    name = w.random.choice(known) if known and w.chance(0.5) else w.fresh()
    kind = w.names.get(name) or w.random.choice(TYPES)
    typed = f": {kind}" if name not in w.names and w.chance(0.2) else ""
    w.add(f"{name}{typed} = {expression(w, kind, 3)}")
    w.names[name] = kind


@STATEMENTS.row(6, lambda w: bool(w.places))
def assign_place(w: Writer) -> None:
    place = w.random.choice(sorted(w.places))
    w.add(f"{place} = {stored(w, place, 2)}")


@STATEMENTS.row(4)
def augment(w: Writer) -> None:
    """Names keep their type with operators that cannot leave it, places wrap."""
    names = [n for n in w.variables() if BITS[w.names[n]] >= 32 and w.names[n][0] == "u"]
    places = [p for p in sorted(w.places) if p not in w.shared]
    if not names and not places:
        return assign(w)
    place = w.random.choice(names + places)
    kind = w.names.get(place) or w.places[place]
    op = w.choose(*"|&^") if place in w.names or (BITS[kind] < 32 and place not in w.bits) else w.choose(*"|&^+-*")
    w.add(f"{place} {op}= {fitted(expression(w, kind, 2), kind, w.bits.get(place, 0))}")
    return None


@STATEMENTS.row(1.5)
def exchange(w: Writer) -> None:
    kinds: dict[str, list[str]] = {}
    for name, kind in (w.names | w.places).items():
        # In a loop nothing is known of the size of a narrow name, which has no width of its own.
        narrow = BITS[kind] < 32 and w.inside and name in w.names
        if (name in w.places or name in w.variables()) and name not in w.bits and not narrow:
            kinds.setdefault(kind, []).append(name)
    groups = [names for names in kinds.values() if len(names) > 1]
    if not groups:
        return assign(w)
    names = w.random.choice(groups)
    left = w.random.sample(names, min(len(names), w.choose(2, 2, 3)))
    right = w.random.sample(left, len(left))
    w.add(f"{', '.join(left)} = {', '.join(right)}")
    return None


@STATEMENTS.row(1)
def several(w: Writer) -> None:
    kinds = [w.random.choice(TYPES) for _ in range(3)]
    values = ", ".join(expression(w, kind, 1) for kind in kinds)
    names = [w.fresh() for _ in kinds]
    w.add(f"{', '.join(names)} = {values}")
    w.names |= dict(zip(names, kinds, strict=True))


@STATEMENTS.row(0.7, calm)
def many(w: Writer) -> None:
    """More numbers at a time than there are registers."""
    names = [w.fresh() for _ in range(w.random.randint(11, 34))]
    kinds = [w.random.choice(TYPES) for _ in names]
    for name, kind in zip(names, kinds, strict=True):
        w.add(f"{name} = {expression(w, kind, 1)}")
    total = w.fresh()
    kept = dict(zip(names, kinds, strict=True))
    w.names |= kept
    body(w, f"if {condition(w, 1)}:", 2)
    w.add(f"{total} = " + " ^ ".join(f"u64({name})" for name in w.random.sample(names, len(names))))
    for name in names[4:]:
        del w.names[name]
    w.names[total] = "u64"


@STATEMENTS.row(1, calm)
def walrus(w: Writer) -> None:
    name, kind = w.fresh(), w.random.choice(TYPES)
    line = f"if ({name} := {expression(w, kind, 2)}) {w.choose('<', '!=', '>=')} {leaf(w, kind)}:"
    w.names[name] = kind
    body(w, line, 2)


# -- structures on the stack


def made(w: Writer, type_: str) -> str:
    """A new structure with some of its fields given."""
    plain = [f for f in leaves(type_) if f.path.count(".") == 1 and not f.count]
    some = w.random.sample(plain, w.random.randint(0, len(plain)))
    return f"{type_}({', '.join(f'{f.path[1:]}={fitted(expression(w, f.kind, 1), f.kind, f.bits)}' for f in some)})"


@STATEMENTS.row(2, lambda w: not w.inside and len(w.structs) < 5)
def structure(w: Writer) -> None:
    name, type_ = w.fresh("rec"), w.choose("Record", "Record", "Pair", "Key", "Event", "Flags")
    w.add(f"{name} = {made(w, type_)}")
    w.know(name, type_)


@STATEMENTS.row(1, lambda w: not w.inside and len(w.arrays) < 8)
def array(w: Writer) -> None:
    name, kind, count = w.fresh("arr"), w.choose("u32", "u32", "u8", "s16", "u64"), w.choose(2, 4, 8)
    w.add(f"{name} = {kind}[{count}]()")
    w.arrays[name] = kind, count
    w.places |= {f"{name}[{i}]": kind for i in range(count)}


@STATEMENTS.row(2, lambda w: any(a in w.places or f"{a}[0]" in w.places for a in w.arrays))
def assign_element(w: Writer) -> None:
    name = w.random.choice(sorted(a for a in w.arrays if f"{a}[0]" in w.places))
    kind, count = w.arrays[name]
    w.add(f"{name}[{leaf(w, 'u8')} & {count - 1}] = {expression(w, kind, 2)}")


def _pairs(w: Writer) -> list[tuple[str, str]]:
    """Structures of the same type, to copy from and to."""
    parts = dict(w.structs)
    for name, type_ in w.structs.items():
        if type_ == "Pair":
            parts |= {f"{name}.first": "Record", f"{name}.second": "Record"}
    whole = [n for n in parts if "." in n]
    return [(to, source) for to in whole for source in parts if to != source and parts[to] == parts[source]]


@STATEMENTS.row(2, lambda w: bool(_pairs(w)))
def copy(w: Writer) -> None:
    to, source = w.random.choice(_pairs(w))
    w.add(f"{to} = {source}")


@STATEMENTS.row(0.7, lambda w: not w.inside and bool(w.structs))
def alias(w: Writer) -> None:
    """Another name for the same structure."""
    name, old = w.fresh("same"), w.random.choice(sorted(w.structs))
    w.add(f"{name} = {old}")
    w.know(name, w.structs[old], shared=any(place.startswith(f"{old}.") for place in w.shared))


# -- branches


@STATEMENTS.row(5, lambda w: w.depth < 5)
def branch(w: Writer) -> None:
    arms = [body(w, f"if {condition(w, 2)}:", w.random.randint(1, 3))]
    while w.chance(0.2):
        arms.append(body(w, f"elif {condition(w, 1)}:", w.random.randint(1, 2)))
    if w.chance(0.6):
        arms.append(body(w, "else:", w.random.randint(1, 3)))
        w.names |= dict(sorted(set.intersection(*({*arm.items()} for arm in arms))))


@STATEMENTS.row(1.5, lambda w: w.depth < 4)
def match(w: Writer) -> None:
    with w.block(f"match {expression(w, 'u8', 1)} & 7:"):
        for case in w.random.sample(range(8), w.random.randint(1, 3)):
            guard = f" if {condition(w, 0)}" if w.chance(0.3) else ""
            pattern = f"{case} | {case ^ 5}" if w.chance(0.3) else str(case)
            body(w, f"case {pattern}{guard}:", 1)
        if w.chance(0.4):
            body(w, f"case {w.choose('Mode.READ', 'Mode.STOP | Mode.WRITE', 'Mode.IDLE')}:", 1)
        if w.chance(0.5):
            name = w.fresh()
            with w.scope(), w.block(f"case {name}:" if w.chance(0.5) else "case _:"):
                if w.lines[-1].endswith(f"{name}:"):
                    w.names[name] = "u8"
                statements(w, 1)


@STATEMENTS.row(1.2, lambda w: w.returning is not None and not w.owing and w.depth > 1)
def leave(w: Writer) -> None:
    assert w.returning is not None
    with w.block(f"if {condition(w, 0)}:"):
        w.add(f"return {w.returning()}")


# -- loops


def _short(w: Writer) -> bool:
    return w.depth < 4 and w.loops < 3 and w.inside < 2


def _round(w: Writer, line: str, names: dict[str, str], first: str = "") -> None:
    """The body of a loop, in which the names count, and what may stand behind it."""
    w.loops += 1
    with w.scope(inside=1), w.block(line):
        if first:
            w.add(first)
        w.names |= names
        statements(w, w.random.randint(1, 3))
        if w.chance(0.4):
            with w.block(f"if {condition(w, 0)}:"):
                w.add(w.choose("break", "continue") if not w.owing else "pass")
            if w.chance(0.5):
                statements(w, 1)
    if w.chance(0.2):
        body(w, "else:", 1)


@STATEMENTS.row(2.5, _short)
def count(w: Writer) -> None:
    data = f"{leaf(w, 'u8')} & 7"
    most = w.random.randint(1, 12)
    bounded = f"bounded({leaf(w, 'u16')} & 31, max={most})"
    bounds = w.choose("9", "20", "2, 40, 3", "3", "1", "0", "9, 2, -2", "3, -1, -1", data, data, bounded, bounded)
    index = w.fresh("i")
    _round(w, f"for {index} in range({bounds}):", {index: "u8"} if "-1" not in bounds else {index: "s8"})


@STATEMENTS.row(0.7, _short)
def while_(w: Writer) -> None:
    index = w.fresh("i")
    w.add(f"{index} = u32({expression(w, 'u32', 1)} & 7)")
    w.names[index] = "u32"
    _round(w, f"while {index} > 0:", {}, f"{index} = u32({index} - 1)")


@STATEMENTS.row(0.4, lambda w: _short(w) and not w.owing)
def forever(w: Writer) -> None:
    index = w.fresh("i")
    w.add(f"{index} = u32(0)")
    w.names[index] = "u32"
    w.loops += 1
    with w.scope(inside=1), w.block("while True:"):
        w.add(f"{index} = u32({index} + 1)")
        with w.block(f"if {index} > {w.random.randint(0, 9)}:"):
            w.add("break")
        statements(w, 2)


@STATEMENTS.row(1, _short)
def items(w: Writer) -> None:
    arrays = [a for a, (kind, _) in w.arrays.items() if kind == "u32" and "." not in a]
    index, other = w.fresh("i"), w.fresh("j")
    source = w.choose("(5, 1, 200)", "LIMITS", *arrays)
    kind = "u8" if source not in arrays else "u32"
    if w.chance(0.3) and source not in arrays:
        _round(w, f"for {other}, {index} in enumerate({source}):", {other: "u8", index: kind})
    elif w.chance(0.2) and source not in arrays:
        _round(w, f"for {index}, {other} in zip({source}, (9, 300, 2)):", {index: kind, other: "u16"})
    else:
        _round(w, f"for {index} in {source}:", {index: kind})


@STATEMENTS.row(0.7, _short)
def unrolled(w: Writer) -> None:
    index = w.fresh("i")
    w.loops += 1
    with w.scope(inside=1), w.block(f"for {index} in unroll(range({w.choose('3', '1, 9, 4', '2, 0, -1')})):"):
        w.names[index] = "u8"
        statements(w, 2)
