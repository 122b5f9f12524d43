"""Views of the packet, and what moves it."""

from __future__ import annotations

from .numbers import expression, leaf
from .statements import STATEMENTS, statements
from .writer import Writer


def view(w: Writer, name: str, type_: str, where: str = "") -> None:
    """A view that must be there for the program to go on."""
    w.add(f"{name} = {w.context}.packet({type_}{where})")
    w.forget(name)
    with w.block(f"if {name} is None:"):
        w.add(f"return {w.returning() if w.chance(0.3) and w.names and w.returning else 1}")
    w.know(name, type_, handed=False, writable=w.kind != "cgroup_egress")


def from_context(w: Writer, name: str) -> None:
    """The same numbers where there is no packet, made from a context with two addresses and a port."""
    first, second, port = f"{w.context}.remote_ip4", f"{w.context}.local_ip4", f"{w.context}.local_port"
    some = {"a": f"u64({first}) << 9", "c": f"s64({first}) - s64({second})", "d": second, "e": f"s32({first})",
            "f": f"u16({port})", "g": f"s8({second})", "h": f"u8({port})", "three": f"{port} & 7",
            "mid": f"{first} >> 12"}  # fmt: skip
    w.add(f"{name} = Input({', '.join(f'{field}={text}' for field, text in some.items())})")
    w.know(name, "Input", handed=False)
    w.context = ""


def _top(w: Writer) -> bool:
    return bool(w.context) and w.depth == 1 and not w.pinned and not w.owing


@STATEMENTS.row(1, _top)
def tail(w: Writer) -> None:
    where = w.choose("after=p", "at=56", "at=48 + (p.h & 15)", "at=p.f & 63", f"at={leaf(w, 'u8')}")
    view(w, w.choose("q", "t"), "Tail", f", {where}")


@STATEMENTS.row(1, lambda w: bool(w.context) and not w.pinned and not w.owing)
def maybe(w: Writer) -> None:
    """A view that is used where it is there."""
    name = w.fresh("view")
    w.add(f"{name} = {w.context}.packet({w.choose('Tail', 'Push')}, at={leaf(w, 'u8')})")
    type_ = "Tail" if "(Tail" in w.lines[-1] else "Push"
    with w.scope(pinned=1), w.block(f"if {name} is not None:"):
        w.know(name, type_, handed=False, writable=w.kind != "cgroup_egress")
        statements(w, 2)


@STATEMENTS.row(0.7, lambda w: _top(w) and w.kind == "xdp")
def moved(w: Writer) -> None:
    """Room in front of the packet, or less of it; the views are asked for anew."""
    what, by = w.choose(("head", -8), ("head", 4), ("head", 16), ("tail", -3), ("tail", -1), ("tail", 6))
    if w.kernel < (5, 8) and by > 0 and what == "tail":
        by = -2
    with w.block(f"if {w.context}.adjust_{what}({by}) < 0:"):
        w.add("return 1")
    for name in ("p", "q", "t"):
        w.forget(name)
    if (what, by) == ("head", -8):
        view(w, "front", "Push")
        w.forget("front")
        for field, kind in (("tag", "u32"), ("kind", "u16"), ("left", "s8"), ("right", "u8")):
            w.add(f"front.{field} = {expression(w, kind, 1)}")
    view(w, "p", "Input")


@STATEMENTS.row(1, lambda w: bool(w.context) and w.kind == "sched_cls")
def mark(w: Writer) -> None:
    field = w.choose("mark", "priority", f"cb[{w.random.randrange(5)}]")
    w.add(f"{w.context}.{field} = {expression(w, 'u32', 1)}")


@STATEMENTS.row(0.3, lambda w: bool(w.context) and not w.pinned and not w.owing)
def jump(w: Writer) -> None:
    """Another program goes on, where there is one."""
    forgets = (6, 6) <= w.kernel < (6, 18)  # views are asked for anew
    called = (5, 17) <= w.kernel < (6, 9)  # the body of a long loop may be a callback, which cannot leave the program
    if (forgets and not _top(w)) or (called and w.inside):
        return
    w.add(f"jumps.tail_call({w.context}, {leaf(w, 'u8')} & 7)")
    if forgets:
        for name in ("p", "q", "t"):
            w.forget(name)
        view(w, "p", "Input")
