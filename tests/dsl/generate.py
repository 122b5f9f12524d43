"""Random well-typed programs: the same text is compiled to eBPF and evaluated by Python (`model` stands in for the kernel).

Every operation is wrapped in a cast to its type, because Python's integers have no width.
"""

from __future__ import annotations

import random

TYPES = ("u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64")
BITS = {t: int(t[1:]) for t in TYPES}
WIDER = {
    t: [o for o in TYPES if BITS[o] <= BITS[t] and (o[0] == t[0] or (t[0] == "s" and BITS[o] < BITS[t]))] for t in TYPES
}
INPUT = {
    "a": "u64", "b": "u64", "c": "s64", "d": "u32", "e": "s32", "f": "u16", "g": "s8", "h": "u8", "net": "u16", "wide": "u32",
    "three": "u8", "five": "u8",
}  # fmt: skip
TAIL = {"k": "u16", "o": "u32", "m": "u8", "n": "s16"}
RECORD = {"x": "u64", "y": "s32", "z": "u16", "w": "u8", "v": "u32"}
WIDTH = {"three": 3, "five": 5}  # bit-fields: what is stored is masked
ATOMIC = ("u32", "u64", "s32", "s64")
PRELUDE = "LIMITS = (3, 250, 17, 9, 0, 77, 1, 128)\n"


class Generator:
    """Makes one program.  `names` are the numbers in scope, `places` what can be assigned beside names, each with its type."""

    def __init__(self, seed: int, isa: int = 3, size: int = 10) -> None:
        self.random = random.Random(seed)
        self.isa = isa
        self.size = size
        self.names: dict[str, str] = {}
        self.places: dict[str, str] = {}
        self.arrays: list[str] = []
        self.functions: dict[str, tuple[list[str], str]] = {}
        self.lines: list[str] = []
        self.counter = 0
        self.loops = 0
        self.inside = 0  # loops around: their bodies test little, or the verifier walks too many paths
        self.pinned = 0  # a reference is in use: nothing may replace what it refers to
        self.returning = ""  # the type that a `return` in the middle gives; "" where there is none

    def chance(self, p: float) -> bool:
        return self.random.random() < p

    def fresh(self, prefix: str = "v") -> str:
        self.counter += 1
        return f"{prefix}{self.counter}"

    def add(self, depth: int, line: str) -> None:
        self.lines.append("    " * depth + line)

    # -- whole programs

    def program(self) -> str:
        for _ in range(self.random.randint(0, 2)):
            self.function()
        self.returning = ""
        self.add(0, "def program(ctx):")
        self.add(1, "p = ctx.packet(Input)")
        self.add(1, "if p is None:")
        self.add(2, "return 1")
        self.places = {f"p.{n}": t for n, t in INPUT.items()} | {"seen.value": "u64"}
        self.names = {}
        for name in self.random.sample(sorted(INPUT), 5):
            self.add(1, f"{name} = p.{name}")
            self.names[name] = INPUT[name]
        if self.chance(0.5):
            at = self.random.choice(("after=p", "at=48", "at=40 + (p.h & 15)", "at=p.f & 63"))
            self.add(1, f"q = ctx.packet(Tail, {at})")
            self.add(1, "if q is None:")
            self.add(2, "return 1")
            self.places |= {f"q.{n}": t for n, t in TAIL.items()}
        if self.chance(0.6):
            self.record(1)
        if self.chance(0.4):
            self.array(1)
        self.block(1, self.size)
        total = " ^ ".join(f"u64({name})" for name in self.names)
        self.add(1, f"seen.value = u64(seen.value + ({total}))")
        self.add(1, "return u8(seen.value) & 3" if self.chance(0.5) else "return 2")
        return PRELUDE + "\n".join(self.lines) + "\n"

    def function(self) -> None:
        name = self.fresh("fn")
        kinds = [self.random.choice(TYPES) for _ in range(self.random.randint(1, 4))]
        outline = self.chance(0.5)
        gives = "u64" if outline else self.random.choice(TYPES)
        params = [f"a{i}" for i in range(len(kinds))]
        if outline:
            self.add(0, "@subprogram")
        self.add(
            0, f"def {name}({', '.join(f'{p}: {k}' if outline else p for p, k in zip(params, kinds, strict=True))}):"
        )
        self.names, self.places, self.arrays = dict(zip(params, kinds, strict=True)), {}, []
        self.returning = gives
        self.block(1, self.random.randint(1, 4))
        self.add(1, f"return {self.expression(gives, 2)}")
        self.functions[name] = (kinds, gives)

    def record(self, depth: int) -> None:
        name = self.fresh("rec")
        some = self.random.sample(sorted(RECORD), self.random.randint(0, 5))
        self.add(depth, f"{name} = Record({', '.join(f'{f}={self.expression(RECORD[f], 1)}' for f in some)})")
        self.places |= {f"{name}.{f}": t for f, t in RECORD.items()}

    def array(self, depth: int) -> None:
        name = self.fresh("arr")
        self.add(depth, f"{name} = u32[4]()")
        self.arrays.append(name)
        self.places |= {f"{name}[{i}]": "u32" for i in range(4)}

    # -- statements

    def block(self, depth: int, count: int) -> None:
        for _ in range(count):
            self.statement(depth)

    def nested(self, depth: int, count: int) -> dict[str, str]:
        """A block whose new names are forgotten; those that it knew at its end."""
        before = dict(self.names)
        start = len(self.lines)
        self.block(depth, count)
        if len(self.lines) == start:
            self.add(depth, "pass")
        found, self.names = self.names, before
        return found

    def statement(self, depth: int) -> None:
        kinds = {
            self.assign: 10, self.assign_place: 5, self.augment: 4, self.swap: 1, self.if_: 5 if depth < 4 else 0,
            self.loop: 3 if depth < 3 and self.loops < 3 and self.inside < 2 else 0, self.match: 1 if depth < 3 else 0,
            self.map_change: 0 if self.pinned else 4, self.map_reference: 0 if self.pinned else 1 if self.inside else 3,
            self.map_record: 0 if self.pinned or self.inside else 2,
            self.early: 1 if self.returning and depth > 1 and not self.inside else 0,
        }  # fmt: skip
        self.random.choices(list(kinds), list(kinds.values()))[0](depth)

    def assign(self, depth: int) -> None:
        known = [n for n in self.names if not n.startswith("i")]
        if known and self.chance(0.5):
            name = self.random.choice(known)
        else:
            name = self.fresh()
        kind = self.names.get(name) or self.random.choice(TYPES)
        typed = f": {kind}" if name not in self.names and self.chance(0.2) else ""
        self.add(depth, f"{name}{typed} = {self.expression(kind, 3)}")
        self.names[name] = kind

    def stored(self, place: str, text: str) -> str:
        width = WIDTH.get(place.split(".")[-1])
        return f"({text}) & {(1 << width) - 1}" if width else text

    def assign_place(self, depth: int) -> None:
        if not self.places:
            return self.assign(depth)
        place = self.random.choice(sorted(self.places))
        self.add(depth, f"{place} = {self.stored(place, self.expression(self.places[place], 2))}")
        return None

    def augment(self, depth: int) -> None:
        wide = [n for n, t in self.names.items() if BITS[t] >= 32 and t[0] == "u" and n[0] != "i"] + [
            p for p, t in self.places.items() if BITS[t] >= 32 and t[0] == "u" and p != "seen.value"
        ]
        if not wide:
            return self.assign(depth)
        place = self.random.choice(wide)
        kind = self.names.get(place) or self.places[place]
        op = self.random.choice(("|", "&", "^"))
        self.add(depth, f"{place} {op}= {self.expression(kind, 2)}")
        return None

    def swap(self, depth: int) -> None:
        kinds: dict[str, list[str]] = {}
        for name, kind in self.names.items():
            if not name.startswith("i"):
                kinds.setdefault(kind, []).append(name)
        pairs = [names for names in kinds.values() if len(names) > 1]
        if not pairs:
            return self.assign(depth)
        a, b = self.random.sample(self.random.choice(pairs), 2)
        self.add(depth, f"{a}, {b} = {b}, {a}")
        return None

    def if_(self, depth: int) -> None:
        arms = []
        self.add(depth, f"if {self.condition(2)}:")
        arms.append(self.nested(depth + 1, self.random.randint(1, 3)))
        while self.chance(0.2):
            self.add(depth, f"elif {self.condition(1)}:")
            arms.append(self.nested(depth + 1, self.random.randint(1, 2)))
        if self.chance(0.6):
            self.add(depth, "else:")
            arms.append(self.nested(depth + 1, self.random.randint(1, 3)))
            common = set.intersection(*({*arm.items()} for arm in arms))
            self.names |= dict(sorted(common))

    def loop(self, depth: int) -> None:
        self.loops += 1
        self.inside += 1
        index = self.fresh("i")
        before = dict(self.names)
        kind = self.random.choice(("range", "range", "short", "data", "bounded", "while", "items", "down"))
        if kind == "while":
            self.add(depth, f"{index} = u32({self.expression('u32', 1)} & 7)")
            self.add(depth, f"while {index} > 0:")
            self.add(depth + 1, f"{index} = u32({index} - 1)")
            self.names[index] = before[index] = "u32"
        elif kind == "items":
            self.add(depth, f"for {index} in {self.random.choice(('(5, 1, 200)', 'LIMITS', *self.arrays))}:")
            self.names[index] = "u32"
        else:
            bounds = {
                "range": ("9", "20", "2, 40, 3"), "short": ("3", "1", "0"), "data": (f"{self.leaf('u8')} & 7",),
                "bounded": (f"bounded({self.leaf('u16')} & 31, max={self.random.randint(1, 12)})",),
                "down": ("9, 2, -2", "3, -1, -1"),
            }[kind]  # fmt: skip
            self.add(depth, f"for {index} in range({self.random.choice(bounds)}):")
            self.names[index] = "u8"
        self.block(depth + 1, self.random.randint(1, 3))
        if self.chance(0.4):
            self.add(depth + 1, f"if {self.condition(0)}:")
            self.add(depth + 2, self.random.choice(("break", "continue")))
            if self.chance(0.5):
                self.statement(depth + 1)
        self.names = before
        self.inside -= 1
        if self.chance(0.2):
            self.add(depth, "else:")
            self.nested(depth + 1, 1)

    def match(self, depth: int) -> None:
        self.add(depth, f"match {self.expression('u8', 1)} & 7:")
        for case in self.random.sample(range(8), self.random.randint(1, 3)):
            guard = f" if {self.condition(0)}" if self.chance(0.3) else ""
            self.add(depth + 1, f"case {case} | {case ^ 5}{guard}:" if self.chance(0.3) else f"case {case}{guard}:")
            self.nested(depth + 2, 1)
        if self.chance(0.5):
            self.add(depth + 1, "case _:")
            self.nested(depth + 2, 1)

    def early(self, depth: int) -> None:
        self.add(depth, f"if {self.condition(0)}:")
        self.add(depth + 1, f"return {self.expression(self.returning, 1)}")

    # -- maps

    def key(self) -> str:
        return f"u32({self.expression('u32', 1)}) & 7" if self.chance(0.7) else str(self.random.randrange(8))

    def map_change(self, depth: int) -> None:
        place = f"{self.random.choice(('counts', 'counts', 'table', 'percpu'))}[{self.key()}]"
        r = self.random.random()
        if r < 0.6:
            self.add(depth, f"{place} += {self.expression('u64', 1)}")
        elif r < 0.85:
            self.add(depth, f"{place} = {self.expression('u64', 2)}")
        elif r < 0.93:
            self.add(depth, f"del counts[{self.key()}]")
        else:
            name = self.fresh()
            self.add(depth, f"{name} = counts[{self.key()}]")
            self.names[name] = "u64"

    def map_reference(self, depth: int) -> None:
        ref = self.fresh("r")
        which = self.random.choice(("counts", "table", "percpu"))
        self.add(depth, f"{ref} = {which}.get({self.key()})")
        self.add(depth, f"if {ref} is not None:")
        name = self.fresh()
        self.add(depth + 1, f"{name} = u64({ref})")
        self.names[name] = "u64"
        op = self.random.choice("+-|&^" if self.isa >= 3 or which == "percpu" else "+-")
        self.pinned += 1
        self.add(depth + 1, f"{ref} {op}= {self.expression('u64', 1)}")
        self.nested(depth + 1, 1)
        self.pinned -= 1
        del self.names[name]
        if self.chance(0.5):
            self.add(depth, "else:")
            self.nested(depth + 1, 1)

    def map_record(self, depth: int) -> None:
        ref = self.fresh("r")
        key = self.fresh("k")
        self.add(depth, f"{key} = Key(a={self.key()}, b={self.expression('u16', 1)} & 1)")
        self.add(depth, f"{ref} = records.get({key})")
        self.add(depth, f"if {ref} is None:")
        made = [f"{f}={self.expression(RECORD[f], 1)}" for f in self.random.sample(sorted(RECORD), 3)]
        self.add(depth + 1, f"records[{key}] = Record({', '.join(made)})")
        self.add(depth, "else:")
        self.pinned += 1
        for field, kind in RECORD.items():
            if kind in ATOMIC and self.chance(0.5):
                self.add(depth + 1, f"{ref}.{field} += {self.expression(kind, 1)}")
            elif self.chance(0.3):
                self.add(depth + 1, f"{ref}.{field} = {self.expression(kind, 1)}")
        before = dict(self.places)
        self.places |= {f"{ref}.{f}": t for f, t in RECORD.items() if t not in ATOMIC}
        self.nested(depth + 1, 1)
        self.places = before
        self.pinned -= 1

    # -- expressions

    def leaf(self, kind: str) -> str:
        fitting = [n for n, t in (self.names | self.places).items() if t in WIDER[kind]]
        if fitting and self.chance(0.75):
            return self.random.choice(fitting)
        bits = BITS[kind]
        special = [0, 1, 2, 7, (1 << bits - 1) - 1]
        if kind[0] == "u":
            special += [(1 << bits) - 1, 1 << bits - 1]
        else:
            special += [-1, -(1 << bits - 1)]
        return f"{kind}({self.random.choice(special)})"

    def expression(self, kind: str, depth: int) -> str:
        if depth == 0 or self.chance(0.15):
            return f"{kind}({self.leaf(kind)})"
        r = self.random.random()
        inner = self.random.choice(WIDER[kind])
        if r < 0.5:
            op = self.random.choice("+-*&|^")
            return f"{kind}({self.expression(kind, depth - 1)} {op} {self.expression(inner, depth - 1)})"
        if r < 0.6:
            top = min(BITS[kind], 32) - 1
            by = str(self.random.randint(0, top)) if self.chance(0.7) else f"({self.leaf('u8')} & {top})"
            return f"{kind}({self.expression(kind, depth - 1)} {self.random.choice(('<<', '>>'))} {by})"
        if r < 0.68 and kind[0] == "u":
            op = self.random.choice(("//", "%"))
            by = (
                str(self.random.choice((1, 3, 8, 10, 100)))
                if self.chance(0.5)
                else f"({self.expression(kind, depth - 1)} | 1)"
            )
            return f"{kind}({self.expression(kind, depth - 1)} {op} {by})"
        if r < 0.68:
            name = self.random.choice(("sdiv", "smod"))
            return f"{kind}({name}({self.expression(kind, depth - 1)}, {self.leaf(kind)}))"
        if r < 0.78 and not self.inside:
            return (
                f"({self.expression(kind, depth - 1)} if {self.condition(1)} else {self.expression(kind, depth - 1)})"
            )
        if r < 0.84 and not self.inside:
            pick = self.random.choice(("min", "max"))
            return f"{kind}({pick}({self.expression(kind, depth - 1)}, {self.expression(kind, depth - 1)}))"
        if r < 0.87 and kind[0] == "s":
            return f"{kind}({self.random.choice('-~')}{self.expression(kind, depth - 1)})"
        if r < 0.87:
            return f"{kind}({self.condition(0)})" if not self.inside else f"{kind}(~{self.expression(kind, 1)})"
        if r < 0.92 and self.functions and not self.inside and not self.pinned:
            name = self.random.choice(sorted(self.functions))
            kinds, _ = self.functions[name]
            return f"{kind}({name}({', '.join(self.expression(k, 1) for k in kinds)}))"
        if r < 0.94:
            return f"{kind}(LIMITS[{self.leaf('u8')} & 7])"
        if r < 0.96 and self.arrays:
            return f"{kind}({self.random.choice(self.arrays)}[{self.leaf('u8')} & 3])"
        if r < 0.97:
            return f"{kind}(swap{self.random.choice((16, 32, 64))}({self.expression('u64', depth - 1)}))"
        other = self.random.choice(TYPES)
        return f"{kind}({self.expression(other, depth - 1)})"

    def condition(self, depth: int) -> str:
        r = self.random.random()
        if depth and r < 0.3 and not self.inside:
            return f"({self.condition(depth - 1)} {self.random.choice(('and', 'or'))} {self.condition(depth - 1)})"
        if depth and r < 0.4:
            return f"not {self.condition(depth - 1)}"
        kind = self.random.choice(TYPES)
        op = self.random.choice(("<", "<=", ">", ">=", "==", "!="))
        if r < 0.5:
            return f"{self.expression(kind, 1)} & {1 << self.random.randrange(7)} {self.random.choice(('==', '!='))} 0"
        if r < 0.56 and not self.inside:
            return f"{self.leaf(kind)} {op} {self.expression(kind, 1)} {self.random.choice(('<', '<=', '!='))} {self.leaf(kind)}"
        if r < 0.6 and not self.inside:
            return f"{self.expression('u8', 1)} {self.random.choice(('in', 'not in'))} (1, 5, 77)"
        if r < 0.62 and not self.inside:
            return f"({self.key()}) in counts"
        return f"{self.expression(kind, 1)} {op} {self.expression(kind, 1)}"
