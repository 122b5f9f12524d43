"""Which bytes of objects on the stack some code stores to: where it runs in rounds, the verifier must know nothing of these."""

from __future__ import annotations

from ..objects.refs import Ref
from ..ssa.build import CALLERS
from ..ssa.ir import Graph

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..ssa.ir import Block, Value
    from .compiler import Compiler

FAR = 512  # bytes of stack: more than an object has


def touched(blocks: list[Block], name_of: Callable[[Value], str | None]) -> dict[str, set[int]]:
    """The bytes that these blocks store to, counted from the pointers that have a name."""
    found: dict[str, set[int]] = {}
    for block in blocks:
        for value in (*block.phis, *block.values):
            for i, arg in enumerate(value.args):
                name = name_of(arg)
                if name is not None:
                    found.setdefault(name, set()).update(by(value, i))
    return found


def by(value: Value, i: int) -> set[int] | range:
    """The bytes that an operation may store to behind its argument `i`; all, where it makes another pointer of that."""
    if value.op == "load":
        return range(0)
    if value.op in ("store", "atomic", "cmpxchg") and i == 0:
        at, size, *_ = value.aux
        return range(at, at + size)
    if value.op != "call":
        return range(FAR)
    if value.aux.kind != "local":
        return range(0)  # what the kernel writes is not known; what callbacks do is hidden at the call
    return behind(value.aux.target, value.aux.target.params[i])


def behind(graph: Graph, pointer: Value) -> set[int]:
    """The bytes behind a parameter that a function stores to."""
    return touched(graph.blocks, lambda value: "it" if value is pointer else None).get("it", set())


def objects(env: dict[str, Any]) -> dict[str, Ref]:
    """The objects on the stack that names stand for, each once."""
    from ..objects.layout import sizeof

    found: dict[Any, tuple[str, Ref]] = {}
    for name, front in env.items():
        if isinstance(front, Ref) and front.region in CALLERS and front.base.op in ("stack", "param"):
            known = found.get(front.base)
            if known is None or sizeof(known[1].type) < sizeof(front.type):
                found[front.base] = name, front
    return dict(found.values())


def blur(c: Compiler, ref: Ref, changed: set[int]) -> None:
    """Let the verifier forget the numbers in an object that lie in these bytes, counted from its base.

    Equal ones that are known come from one register, but no whole words: these would be equal for the verifier, and if later
    rounds break that (check_scalar_ids) it sees states without end.
    """
    from ..objects.layout import sizeof
    from ..objects.pieces import multiple

    base = multiple(ref.base, ref.align)
    at, end = ref.off, ref.off + sizeof(ref.type)
    known: dict[tuple[int, int], Value] = {}
    zero = None
    while at < end:
        width = next(
            w
            for w in (8, 4, 2, 1)
            if (base | at) % w == 0 and at + w <= end and (w < 8 or changed.issuperset(range(at, at + 8)))
        )
        if width == 8:
            width = c.b.halves(ref.base, at, 8, ref.region)[0][1]
        if not changed.isdisjoint(range(at, at + width)):
            now = c.b.load(ref.base, at, width, False, ref.region)
            if now.op == "const":
                key = now.aux, width if width < 8 else at
                hidden = known[key] = known.get(key) or c.b.hide(now)
            else:
                zero = zero or c.b.emit("opaque", [], 0)
                hidden = c.b.emit("hide", [now, zero], None, 64, now.lo, now.hi)
            c.b.store(ref.base, at, width, hidden, ref.region)
        at += width


__all__ = ["behind", "blur", "objects", "touched"]
