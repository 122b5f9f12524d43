"""The program being written: its lines, what is in scope, and the tables from which its constructs are drawn."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .declarations import leaves

TYPES = ("u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64")
BITS = {t: int(t[1:]) for t in TYPES}
WIDER = {
    t: [o for o in TYPES if BITS[o] <= BITS[t] and (o[0] == t[0] or (t[0] == "s" and BITS[o] < BITS[t]))] for t in TYPES
}
"""The types whose numbers another holds."""


ETHERNET = 14
HEADS = {"lwt_xmit": ETHERNET, "cgroup_egress": ETHERNET}
"""The kinds of programs that do not see the first bytes of what a test run is given, and how many."""


class Table:
    """Constructs of one kind.  `row(weight, when, since)` adds a writer; `when` tells whether it fits, `since` is a kernel."""

    def __init__(self) -> None:
        self.rows: list[tuple[float, Callable[..., bool] | None, tuple[int, int], Callable[..., Any]]] = []

    def row(
        self, weight: float, when: Callable[..., bool] | None = None, since: tuple[int, int] = (0, 0)
    ) -> Callable[..., Any]:
        def add(write: Callable[..., Any]) -> Callable[..., Any]:
            self.rows.append((weight, when, since, write))
            return write

        return add

    def pick(self, w: Writer, *args: Any) -> Any:
        fitting = [
            (weight, write)
            for weight, when, since, write in self.rows
            if since <= w.kernel and (when is None or when(w, *args))
        ]
        write = w.random.choices([f[1] for f in fitting], [f[0] for f in fitting])[0]
        return write(w, *args)


class Function:
    """A function that was written: the types of its parameters ("Record" for a reference), and what it gives."""

    def __init__(self, name: str, kinds: list[str], gives: tuple[str, ...], loops: bool) -> None:
        self.name, self.kinds, self.gives, self.loops = name, kinds, gives, loops


class Writer:
    """`names` are the numbers in scope, `places` what can be assigned beside names, each with its type."""

    def __init__(self, seed: int, isa: int, kernel: tuple[int, int]) -> None:
        self.random = random.Random(seed)
        self.isa = isa
        self.kernel = kernel
        self.fetches = isa >= 3 and kernel >= (5, 12)  # whether |, & and ^ have atomic forms
        self.lines: list[str] = []
        self.depth = 0
        self.counter = 0
        self.functions: list[Function] = []
        self.kind = "xdp"
        self.begin({}, None)

    def begin(self, names: dict[str, str], returning: Callable[[], str] | None) -> None:
        """A new function: nothing but its parameters is in scope."""
        self.names = dict(names)
        self.places: dict[str, str] = {}
        self.bits: dict[str, int] = {}  # of places that are bit-fields
        self.shared: dict[str, str] = {}  # those that other CPUs write too, and that have no atomic operators
        self.arrays: dict[str, tuple[str, int]] = {}  # with the type of an entry, and their number
        self.structs: dict[str, str] = {}  # structures that can be handed on, with their types
        self.returning = returning  # the value of a `return` in the middle
        self.inside = 0  # loops around: their bodies test little, or the verifier walks too many paths
        self.loops = 0
        self.pinned = 0  # a reference is in use: nothing may replace what it refers to
        self.owing = 0  # something must be given back before the function is left
        self.context = ""  # the name of the context, in the program itself

    # -- text

    def chance(self, p: float) -> bool:
        return self.random.random() < p

    def choose(self, *options: Any) -> Any:
        return self.random.choice(options)

    def fresh(self, prefix: str = "v") -> str:
        self.counter += 1
        return f"{prefix}{self.counter}"

    def add(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    @contextmanager
    def block(self, line: str) -> Iterator[None]:
        """A line that ends in a colon, and what is indented below it."""
        self.add(line)
        self.depth += 1
        start = len(self.lines)
        yield
        if len(self.lines) == start:
            self.add("pass")
        self.depth -= 1

    @contextmanager
    def scope(self, **changes: int) -> Iterator[dict[str, str]]:
        """What comes into scope is forgotten at the end (the names that were known there are what this gives);
        `changes` count for its duration."""
        before = self.names, self.places, self.bits, self.shared, self.arrays, self.structs
        self.names, self.places, self.bits, self.shared, self.arrays, self.structs = (dict(known) for known in before)  # type: ignore[assignment]
        for name, by in changes.items():
            setattr(self, name, getattr(self, name) + by)
        found: dict[str, str] = {}
        yield found
        found.update(self.names)
        for name, by in changes.items():
            setattr(self, name, getattr(self, name) - by)
        self.names, self.places, self.bits, self.shared, self.arrays, self.structs = before

    # -- scope

    def know(self, name: str, type_: str, *, writable: bool = True, handed: bool = True, shared: bool = False) -> None:
        """A structure comes into scope.  Numbers in shared memory that have atomic operators are changed by those only."""
        for leaf in leaves(type_):
            path = name + leaf.path
            if leaf.count:
                self.arrays[path] = leaf.kind, leaf.count
                spots = [f"{path}[{i}]" for i in range(leaf.count)]
            else:
                spots = [path]
            if writable and not (shared and BITS[leaf.kind] >= 32 and not leaf.bits):
                self.places |= dict.fromkeys(spots, leaf.kind)
                self.bits |= dict.fromkeys(spots, leaf.bits) if leaf.bits else {}
                self.shared |= dict.fromkeys(spots, leaf.kind) if shared else {}
        if handed:
            self.structs[name] = type_

    def forget(self, name: str) -> None:
        """Of a structure that cannot be used any more."""
        for known in (self.places, self.bits, self.shared, self.arrays, self.structs):
            for path in [p for p in known if p == name or p.startswith((f"{name}.", f"{name}["))]:  # type: ignore[attr-defined]
                del known[path]  # type: ignore[attr-defined]

    def variables(self) -> list[str]:
        """The names that may be assigned: not those that loops count with."""
        return [n for n in self.names if n[0] not in "ij"]
