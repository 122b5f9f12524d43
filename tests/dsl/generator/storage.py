"""Statements on maps and globals."""

from __future__ import annotations

from .declarations import leaves
from .numbers import expression, fitted, key, leaf
from .statements import STATEMENTS, body, made, statements
from .writer import Writer


def free(w: Writer) -> bool:
    return not w.pinned


def still(w: Writer) -> bool:
    return not w.pinned and not w.inside


NUMBERS = {"counts": "u64", "recent": "u64", "table": "u64", "percpu": "u64", "local": "s64"}
PER_CPU = ("percpu", "local")


@STATEMENTS.row(3, free)
def entry(w: Writer) -> None:
    name = w.choose("counts", *NUMBERS)
    place, kind = f"{name}[{key(w)}]", NUMBERS[name]
    if w.chance(0.6):
        op = w.choose(*"++-|&^") if w.fetches or name in PER_CPU else w.choose(*"+-")
        w.add(f"{place} {op}= {expression(w, kind, 1)}")
    elif w.chance(0.7):
        w.add(f"{place} = {expression(w, kind, 2)}")
    else:
        got = w.fresh()
        w.add(f"{got} = {place}")
        w.names[got] = kind


@STATEMENTS.row(0.7, free)
def narrow_entry(w: Writer) -> None:
    op = w.choose("+=", "-=", "=")
    w.add(f"narrow[{leaf(w, 'u8')}] {op} {expression(w, 's32', 1)}")


@STATEMENTS.row(0.7, free)
def delete(w: Writer) -> None:
    w.add(f"del {w.choose('counts', 'recent', 'local')}[{key(w)}]")


@STATEMENTS.row(0.7, still)
def update(w: Writer) -> None:
    """What the map says of it: 0, or a negative errno."""
    name, result = w.choose("counts", "counts", "recent", "table"), w.fresh()
    if name != "table" and w.chance(0.4):
        w.add(f"{result} = s32({name}.delete({key(w)}))")
    else:
        w.add(f"{result} = s32({name}.update({key(w)}, {expression(w, 'u64', 1)}, {w.choose(0, 1, 2)}))")
    w.names[result] = "s32"


@STATEMENTS.row(2, free)
def reference(w: Writer) -> None:
    name, ref = w.choose(*NUMBERS), w.fresh("ref")
    w.add(f"{ref} = {name}.get({key(w)})")
    with w.scope(pinned=1), w.block(f"if {ref} is not None:"):
        got = w.fresh()
        w.add(f"{got} = {NUMBERS[name]}({w.choose(ref, f'{ref}.value')})")
        w.names[got] = NUMBERS[name]
        op = w.choose(*"+-|&^") if w.fetches or name in PER_CPU else w.choose(*"+-")
        w.add(f"{ref} {op}= {expression(w, NUMBERS[name], 1)}")
        statements(w, 1)
    if w.chance(0.5):
        body(w, "else:", 1)


def record_reference(w: Writer, ref: str, shared: bool, type_: str = "Record") -> None:
    """Changes to what a reference is to."""
    for f in leaves(type_):
        place = f"{ref}{f.path}"
        if f.count:
            continue
        if f.bits:
            if w.chance(0.25):
                w.add(f"{place} = {fitted(expression(w, f.kind, 1), f.kind, f.bits)}")
            continue
        if shared and f.kind in ("u32", "u64", "s32", "s64") and f.path not in (".big", ".word.number"):
            if w.chance(0.4):
                w.add(f"{place} += {expression(w, f.kind, 1)}")
        elif w.chance(0.25):
            w.add(f"{place} = {expression(w, f.kind, 1)}")


@STATEMENTS.row(1.5, still)
def keyed_record(w: Writer) -> None:
    ref, name = w.fresh("ref"), w.fresh("key")
    w.add(f"{name} = Key(a={key(w)}, b={expression(w, 'u16', 1)} & 1)")
    w.add(f"{ref} = records.get({name})")
    with w.scope(), w.block(f"if {ref} is None:"):
        w.add(f"records[{name}] = {made(w, 'Record')}")
        if w.chance(0.3):
            statements(w, 1)
    with w.scope(pinned=1), w.block("else:"):
        w.know(ref, "Record", shared=True)
        record_reference(w, ref, True)
        statements(w, 1)
    if w.chance(0.15):
        w.add(f"del records[{name}]")


@STATEMENTS.row(1, still)
def switch(w: Writer) -> None:
    """A structure of bit-fields in a map."""
    ref, at = w.fresh("ref"), w.fresh("at")
    w.add(f"{at} = {key(w)}")
    w.add(f"{ref} = switches.get({at})")
    with w.scope(), w.block(f"if {ref} is None:"):
        w.add(f"switches[{at}] = {made(w, 'Flags')}")
    with w.scope(pinned=1), w.block("else:"):
        w.know(ref, "Flags", shared=True)
        record_reference(w, ref, True, "Flags")
        statements(w, 1)


@STATEMENTS.row(1.5, free)
def array_row(w: Writer) -> None:
    """A structure with parts in an array: one that is there."""
    name, entries = w.choose(("rows", 4), ("scratch", 2))
    ref = w.fresh("ref")
    w.add(f"{ref} = {name}.get({key(w, entries)})")
    with w.scope(pinned=1), w.block(f"if {ref} is not None:"):
        w.know(ref, "Pair", shared=name == "rows")
        record_reference(w, ref, name == "rows", "Pair")
        statements(w, 1)


@STATEMENTS.row(0.5, still)
def replace_row(w: Writer) -> None:
    source = [n for n, t in w.structs.items() if t == "Pair" and n.startswith("rec")]
    w.add(f"rows[{key(w, 4)}] = {w.random.choice(source) if source else made(w, 'Pair')}")


@STATEMENTS.row(1, free)
def globals_(w: Writer) -> None:
    line = w.choose(
        lambda: f"bias.value = {expression(w, 's32', 2)}",
        lambda: f"limit.value {w.choose('+=', '-=', '=')} {expression(w, 'u32', 1)}",
        lambda: f"config.z = {expression(w, 'u16', 1)}",
        lambda: f"config.x += {expression(w, 'u64', 1)}",
        lambda: f"single[0].v += {expression(w, 'u32', 1)}",
        lambda: f"grid.value[{leaf(w, 'u8')} & 7] = {expression(w, 'u32', 1)}",
    )
    w.add(line())


@STATEMENTS.row(0.7, still)
def locked(w: Writer) -> None:
    ref = w.fresh("ref")
    w.add(f"{ref} = buckets.get({key(w, 4)})")
    with w.block(f"if {ref} is not None:"):
        spent = [expression(w, kind, 1) for kind in ("u64", "s64", "u32")]
        names = [w.fresh() for _ in spent]
        for name, text in zip(names, spent, strict=True):
            w.add(f"{name} = {text}")
        with w.block(f"with {ref}.lock:"):
            w.add(f"{ref}.spent {w.choose('+=', '|=', '-=')} {names[0]}")
            with w.block(f"if {ref}.debt > {names[1]}:"):
                w.add(f"{ref}.debt = {names[1]}")
            w.add(f"{ref}.tokens = {names[2]}")


@STATEMENTS.row(0.4, still, since=(5, 15))
def alarm(w: Writer) -> None:
    """A timer that is set for the far future; `fn0` is its callback."""
    if not any(f.name == "wake" for f in w.functions) or not w.context:
        return entry(w)
    ref = w.fresh("ref")
    w.add(f"alarms.update({key(w)}, Alarm(), 1)")
    w.add(f"{ref} = alarms.get({key(w)})")
    with w.block(f"if {ref} is not None:"):
        w.add(f"{ref}.timer.init()")
        w.add(f"{ref}.timer.set_callback(wake)")
        w.add(f"{ref}.timer.start({w.random.randint(10**15, 10**17)})")
        w.add(f"{ref}.fired += {expression(w, 'u64', 1)}")
        if w.chance(0.5):
            w.add(f"{ref}.timer.cancel()")
    return None


@STATEMENTS.row(1, free)
def route(w: Writer) -> None:
    """Entries of a trie, whose prefixes are as long as they say."""
    bits = w.choose(32, 24, 16, 8, 1, 0)
    address = f"u32({expression(w, 'u32', 1)}) & {(0xFFFFFFFF << 32 - bits) & 0xFFFFFFFF}"
    got = w.fresh()
    if w.chance(0.4):
        w.add(f"routes[{bits}, {address}] {w.choose('=', '+=')} {expression(w, 'u64', 1)}")
    elif w.chance(0.2):
        w.add(f"del routes[{bits}, {address}]")
    elif not w.inside:
        w.add(f"{got} = u64(routes.get({w.choose(leaf(w, 'u32'), f'({bits}, {address})')}, 77))")
        w.names[got] = "u64"


@STATEMENTS.row(1.2, still)
def queued(w: Writer) -> None:
    name = w.fresh("ref")
    if w.chance(0.4):
        w.add(f"{w.choose('waiting.push', 'waiting.push')}({expression(w, 'u64', 1)})")
    elif w.chance(0.3):
        w.add(f"pile.push({made(w, 'Record')})")
    elif w.chance(0.3):
        result = w.fresh()
        w.add(f"{result} = s32(waiting.push({expression(w, 'u64', 1)}, {w.choose(0, 2)}))")
        w.names[result] = "s32"
    elif w.chance(0.5):
        w.add(f"{name} = waiting.{w.choose('pop', 'peek')}()")
        with w.scope(), w.block(f"if {name} is not None:"):
            got = w.fresh()
            w.add(f"{got} = u64({name})")
            w.names[got] = "u64"
            statements(w, 1)
    else:
        w.add(f"{name} = pile.{w.choose('pop', 'peek')}()")
        with w.scope(), w.block(f"if {name} is not None:"):
            w.know(name, "Record")
            statements(w, 1)


@STATEMENTS.row(0.4, still, since=(5, 16))
def filtered(w: Writer) -> None:
    """What was put into a filter is found in it; what was not, only mostly not."""
    name, got = w.fresh(), w.fresh()
    w.add(f"{name} = {expression(w, 'u32', 1)}")
    w.add(f"met.add({name})")
    w.add(f"{got} = u8({name} in met)")
    w.names |= {name: "u32", got: "u8"}


@STATEMENTS.row(1.2, lambda w: not w.owing and not w.pinned, since=(5, 8))
def event(w: Writer) -> None:
    values = {f.path: expression(w, f.kind, 1) for f in leaves("Event")}
    if w.chance(0.4):
        given = ", ".join(f"{path[1:]}={text}" for path, text in values.items())
        w.add(f"events.output(Event({given}))")
        return
    record = w.fresh("ev")
    w.add(f"{record} = events.reserve()")
    with w.block(f"if {record} is not None:"):
        for path, text in values.items():
            w.add(f"{record}{path} = {text}")
        with w.scope(owing=1):
            w.know(record, "Event", handed=False)
            if not w.inside:
                statements(w, w.random.randint(0, 2))
        if w.chance(0.7):
            w.add(f"{record}.submit()")
        else:
            first = leaf(w, "u8")
            with w.block(f"if {first} & 1 == 0:"):
                w.add(f"{record}.submit()")
            with w.block("else:"):
                w.add(f"{record}.discard()")


@STATEMENTS.row(1, free)
def map_in_map(w: Writer) -> None:
    ref = w.fresh("m")
    w.add(f"{ref} = {w.choose('outer', 'shelves')}.get({key(w, 4)})")
    with w.scope(pinned=1), w.block(f"if {ref} is not None:"):
        got = w.fresh()
        if w.chance(0.5):
            w.add(f"{ref}[{key(w)}] {w.choose('=', '+=')} {expression(w, 'u64', 1)}")
        if w.chance(0.3):
            w.add(f"del {ref}[{key(w)}]")
        if not w.inside and w.chance(0.5):
            w.add(f"{got} = {ref}[{key(w)}]")
            w.names[got] = "u64"
            statements(w, 1)
