"""Functions: inlined ones, `@subprogram`, callbacks; and the statements and expressions that call them."""

from __future__ import annotations

from .numbers import EXPRESSIONS, expression, leaf
from .statements import STATEMENTS, made, statements
from .storage import still
from .writer import TYPES, Function, Writer


def write_function(w: Writer) -> None:
    name = w.fresh("fn")
    outline = w.chance(0.5)
    kinds = [w.random.choice(TYPES) for _ in range(w.random.randint(1, 4))]
    if w.chance(0.35):
        kinds.insert(0, w.choose("Record", "Record", "Pair"))
    typed = outline and w.chance(0.6)
    gives: tuple[str, ...] = (w.random.choice(TYPES) if typed or not outline else "u64",)
    if not outline and w.chance(0.25):
        gives = tuple(w.random.choice(TYPES) for _ in range(2))
    params = [f"a{i}" for i in range(len(kinds))]
    given = ", ".join(f"{p}: {k}" if outline else p for p, k in zip(params, kinds, strict=True))
    if outline:
        w.add("@subprogram")

    def value() -> str:
        return ", ".join(expression(w, kind, 1) for kind in gives)

    numbers = {p: k for p, k in zip(params, kinds, strict=True) if k in TYPES}
    w.begin(numbers, value)
    with w.block(f"def {name}({given}){f' -> {gives[0]}' if typed else ''}:"):
        if kinds[0] not in TYPES:
            w.know(params[0], kinds[0])
        statements(w, w.random.randint(1, 4))
        w.add(f"return {', '.join(expression(w, kind, 2) for kind in gives)}")
    w.functions.append(Function(name, kinds, gives, w.loops > 0))
    w.add("")


def write_wake(w: Writer) -> None:
    """The callback of a timer."""
    w.begin({}, None)
    with w.block("def wake(m, key, value):"):
        w.add("value.fired += 1")
        w.add("value.timer.start(10**15)")
    w.functions.append(Function("wake", [], (), False))
    w.add("")


def write_ring(w: Writer) -> None:
    """The callback of a timer that goes off."""
    w.begin({}, None)
    with w.block("def ring(m, key, value):"):
        w.add(f"value.fired += {w.random.randint(1, 9)}")
    w.functions.append(Function("ring", [], (), False))
    w.add("")


def write_callback(w: Writer) -> None:
    """One for `loop`, or for the entries of a map.  A hash gives them in any order, so what it does may not depend on that."""
    name = w.fresh("cb")
    what = w.choose("loop", "table", "counts")
    if what == "loop" and w.kernel < (5, 17):
        what = "table"
    w.begin({"n": "u32"} if what == "loop" else {"k": "u32", "seenv": "u64"}, None)
    given = "n, total" if what == "loop" else "m, key, value, total"
    with w.block(f"def {name}({given}):"):
        if what == "loop":
            w.add("n = u32(n)")
        else:
            w.add("k = u32(key)")
            w.add("seenv = u64(value)")
        w.inside = 1
        if what == "counts":
            w.add(f"total.x += {expression(w, 'u64', 2)}")
            w.add(f"total.v ^= {expression(w, 'u32', 2)}")
            if w.fetches and w.chance(0.5):
                w.add(f"value ^= {expression(w, 'u64', 1)}")
            w.add("return 0")
        else:
            w.know("total", "Record")
            w.pinned = what == "table"
            w.owing = 1
            statements(w, w.random.randint(1, 3))
            if what == "table" and w.chance(0.5):
                w.add(f"value += {expression(w, 'u64', 1)}")
            w.add("return 0" if w.chance(0.5) else f"return 1 if {leaf(w, 'u32')} & 3 == 3 else 0")
    w.functions.append(Function(name, [what], (), True))
    w.add("")


def _callable(w: Writer) -> list[Function]:
    if w.pinned or w.inside > 1:
        return []
    known = set(w.structs.values())
    return [
        f for f in w.functions
        if f.gives and not (w.inside and f.loops) and all(k in TYPES or k in known for k in f.kinds)
    ]  # fmt: skip


def _call(w: Writer, functions: list[Function]) -> tuple[Function, str]:
    f = w.random.choice(functions)
    args = [
        expression(w, k, 1) if k in TYPES else w.random.choice(sorted(n for n, t in w.structs.items() if t == k))
        for k in f.kinds
    ]
    return f, f"{f.name}({', '.join(args)})"


@EXPRESSIONS.row(5, lambda w, kind, depth: not w.inside and any(len(f.gives) == 1 for f in _callable(w)))
def call(w: Writer, kind: str, depth: int) -> str:
    _, text = _call(w, [f for f in _callable(w) if len(f.gives) == 1])
    return f"{kind}({text})"


@STATEMENTS.row(2, lambda w: bool(_callable(w)))
def call_function(w: Writer) -> None:
    f, text = _call(w, _callable(w))
    if w.chance(0.2):
        w.add(text)
        return
    names = [w.fresh() for _ in f.gives]
    w.add(f"{', '.join(names)} = {text}" if len(names) > 1 else f"{names[0]} = {f.gives[0]}({text})")
    w.names |= dict(zip(names, f.gives, strict=True))


def _callbacks(w: Writer) -> list[Function]:
    return [f for f in w.functions if f.kinds and f.kinds[0] in ("loop", "table", "counts")]


@STATEMENTS.row(6, lambda w: still(w) and bool(_callbacks(w)), since=(5, 13))
def call_back(w: Writer) -> None:
    f = w.random.choice(_callbacks(w))
    if "Record" not in w.structs.values():
        new = w.fresh("rec")
        w.add(f"{new} = {made(w, 'Record')}")
        w.know(new, "Record")
    record = w.random.choice(sorted(n for n, t in w.structs.items() if t == "Record"))
    got = w.fresh()
    rounds = w.choose("5", "0", f"{leaf(w, 'u8')} & 15")
    text = (
        f"bpf.loop({rounds}, {f.name}, {record})"
        if f.kinds[0] == "loop"
        else f"{f.kinds[0]}.for_each({f.name}, {record})"
    )
    w.add(f"{got} = s32({text})")
    w.names[got] = "s32"
