"""Random well-typed programs: the same text is compiled to eBPF and evaluated by Python.

Every operation is wrapped in a cast to its type, because Python's integers have no width.
"""

from __future__ import annotations

import random

TYPES = ("u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64")
BITS = {t: int(t[1:]) for t in TYPES}
INPUTS = {"a": "u64", "b": "u64", "c": "s64", "d": "u32", "e": "s32", "f": "u16", "g": "s8", "h": "u8"}
WIDER = {
    t: [o for o in TYPES if BITS[o] <= BITS[t] and (o[0] == t[0] or (t[0] == "s" and BITS[o] < BITS[t]))] for t in TYPES
}


class Generator:
    def __init__(self, seed: int, size: int = 12) -> None:
        self.random = random.Random(seed)
        self.size = size
        self.names = dict(INPUTS)
        self.lines: list[str] = []
        self.counter = 0
        self.loops = 0
        self.inside = 0  # loops around: their bodies test little, or the verifier walks too many paths

    def program(self) -> str:
        self.block(1, self.size)
        total = " ^ ".join(f"u64({name})" for name in self.names)
        self.lines.append(f"    return u64({total})")
        return f"def body({', '.join(INPUTS)}):\n" + "\n".join(self.lines) + "\n"

    def block(self, depth: int, count: int) -> None:
        for _ in range(count):
            self.statement(depth)

    def statement(self, depth: int) -> None:
        r = self.random.random()
        pad = "    " * depth
        if r < 0.5 or depth > 3:
            kind = self.random.choice(TYPES)
            if self.random.random() < 0.5:
                candidates = [n for n in self.names if n not in INPUTS]
                if candidates:
                    name = self.random.choice(candidates)
                    self.lines.append(f"{pad}{name} = {self.expression(self.names[name], 3)}")
                    return
            if depth == 1:
                name = f"v{self.counter}"
                self.counter += 1
                self.lines.append(f"{pad}{name} = {self.expression(kind, 3)}")
                self.names[name] = kind
            else:
                self.lines.append(f"{pad}pass")
        elif r < 0.8:
            self.lines.append(f"{pad}if {self.condition(2)}:")
            self.block(depth + 1, self.random.randint(1, 3))
            if self.random.random() < 0.6:
                self.lines.append(f"{pad}else:")
                self.block(depth + 1, self.random.randint(1, 3))
        elif self.loops < 2 and depth < 3 and not self.inside:
            self.loops += 1
            self.inside += 1
            index = f"i{self.counter}"
            self.counter += 1
            stop = self.random.choice(("3", "9", "20", "a & 7"))
            self.lines.append(f"{pad}for {index} in range({stop}):")
            before = len(self.lines)
            self.block(depth + 1, self.random.randint(1, 2))
            if self.random.random() < 0.4:
                self.lines.append(f"{pad}    if {self.condition(1)}:")
                self.lines.append(f"{pad}        {self.random.choice(('break', 'continue'))}")
            if len(self.lines) == before:
                self.lines.append(f"{pad}    pass")
            self.inside -= 1
        else:
            self.lines.append(f"{pad}pass")

    def leaf(self, kind: str) -> str:
        fitting = [n for n, t in self.names.items() if t in WIDER[kind]]
        if fitting and self.random.random() < 0.75:
            return self.random.choice(fitting)
        bits = BITS[kind]
        special = [0, 1, 2, 7, (1 << bits - 1) - 1]
        if kind[0] == "u":
            special += [(1 << bits) - 1, 1 << bits - 1]
        else:
            special += [-1, -(1 << bits - 1)]
        return f"{kind}({self.random.choice(special)})"

    def expression(self, kind: str, depth: int) -> str:
        if depth == 0 or self.random.random() < 0.15:
            return f"{kind}({self.leaf(kind)})"
        r = self.random.random()
        inner = self.random.choice(WIDER[kind])
        if r < 0.55:
            op = self.random.choice("+-*&|^")
            return f"{kind}({self.expression(kind, depth - 1)} {op} {self.expression(inner, depth - 1)})"
        if r < 0.65:
            shift = self.random.randint(0, min(BITS[kind], 32) - 1)
            return f"{kind}({self.expression(kind, depth - 1)} {self.random.choice(('<<', '>>'))} {shift})"
        if r < 0.75 and kind[0] == "u":
            op = self.random.choice(("//", "%"))
            return f"{kind}({self.expression(kind, depth - 1)} {op} ({self.expression(kind, depth - 1)} | 1))"
        if r < 0.85 and not self.inside:
            return (
                f"({self.expression(kind, depth - 1)} if {self.condition(1)} else {self.expression(kind, depth - 1)})"
            )
        if r < 0.92 and not self.inside:
            pick = self.random.choice(("min", "max"))
            return f"{kind}({pick}({self.expression(kind, depth - 1)}, {self.expression(kind, depth - 1)}))"
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
        return f"{self.expression(kind, 1)} {op} {self.expression(kind, 1)}"


WRAPPER = """
def program(ctx):
    p = ctx.packet(Input)
    if p is None:
        return 7
    out.value = body(p.a, p.b, p.c, p.d, p.e, p.f, p.g, p.h)
    return 0
"""
