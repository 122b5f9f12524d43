"""Locks, timers and kptrs in map values: fields that only helpers touch.

with bucket.lock:                       # bpf_spin_lock ... bpf_spin_unlock, whatever way the block is left
    bucket.tokens -= 1
value.timer.init()                      # CLOCK_MONOTONIC
old = value.task.xchg(None)             # the reference that was in it, or None
"""

from __future__ import annotations

from .refs import Ref
from .values import Const, Front

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..lower.compiler import Compiler
    from ..ssa.build import State
    from ..ssa.ir import Value

LOCK = "lock"
"""The key in `State.owned` of the lock that is held: there is one at most."""
CLOCK_MONOTONIC = 1
# Maps whose values may have such fields (map_check_btf): hashes and arrays; local storages; per-CPU ones.
_COMMON, _STORAGES = (1, 2, 9), (24, 28, 29, 32)


class Held(str):
    """The lock that is held, in words, and `base`: the value that it protects."""

    base: Any = None


class KernelField(Front):
    """A field of a map value; `kind` is the word of helper arguments for it."""

    __slots__ = ("ref",)
    kind = ""

    def __init__(self, ref: Ref) -> None:
        self.ref = ref

    def what(self) -> str:
        return f"a {self.kind} in a map value"

    @property
    def spec(self) -> Any:
        """The map that the value belongs to."""
        return getattr(self.ref.origin, "spec", None)

    def address(self, c: Compiler, node: Any) -> Value:
        if self.ref.origin is None:
            c.fail(f"{self.what()} works in the value of a map only, not in {self.ref.label or 'a copy'}", node)
        if self.spec is not None and self.spec.map_type not in self.MAPS:
            from ...uapi.map import MapType

            names = ", ".join(MapType(n).name for n in sorted(self.MAPS))
            c.fail(f"{self.what()} works in maps of the types {names} only", node)
        return self.ref.pointer(c, node)

    def helper(self, c: Compiler, name: str, args: list[Front], node: Any) -> Front:
        from ..lower.helpercalls import call_helper

        return call_helper(c, name, [self, *args], {}, node)

    def number(self, c: Compiler, node: Any) -> Any:
        c.fail(f"{self.what()} is no number: {self.use()}", node)

    def use(self) -> str:
        return f"it has the methods {', '.join(self.METHODS)}"

    METHODS: tuple[str, ...] = ()
    MAPS: frozenset[int] = frozenset()

    def method(self, c: Compiler, name: str, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        if name not in self.METHODS or kw:
            c.fail(f"{self.what()} has the methods {', '.join(self.METHODS)}, by position, not {name}", node)
        return self.helper(c, f"{self.kind}_{name}", args, node)


class Lock(KernelField):
    """`with value.lock:`."""

    __slots__ = ()
    kind = "lock"
    MAPS = frozenset((*_COMMON, *_STORAGES, 19))

    def what(self) -> str:
        return "a spin lock"

    def use(self) -> str:
        return "a block holds it, `with value.lock:`"

    def method(self, c: Compiler, name: str, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        c.fail(f"a spin lock has no method {name!r}: {self.use()}", node)

    def block(self, c: Compiler, body: list[Any], node: Any) -> None:
        """The lock is given back on every way out of the body."""
        self.helper(c, "spin_lock", [], node)
        frame = c.frame
        ways: list[list[Any]] = [frame.returns]
        if frame.loops:
            ways += [frame.loops[-1].breaks, frame.loops[-1].continues]
        before = [len(way) for way in ways]
        c.body(body)
        here = c.b.state
        for way, n in zip(ways, before, strict=True):
            for left in way[n:]:
                self.leave(c, left[0] if isinstance(left, tuple) else left, node)
        c.b.state = here
        if here is not None:
            self.leave(c, here, node)

    def leave(self, c: Compiler, state: State, node: Any) -> None:
        c.b.state, c.b.at = state, node
        self.helper(c, "spin_unlock", [], node)


class TimerField(KernelField):
    """`value.timer.init()`, `.set_callback(function)`, `.start(ns)`, `.cancel()`."""

    __slots__ = ()
    kind = "timer"
    MAPS = frozenset(_COMMON)
    METHODS = ("init", "set_callback", "start", "cancel")

    def method(self, c: Compiler, name: str, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        if name == "init" and not kw and len(args) < 2:
            if self.ref.origin is None:
                self.address(c, node)
            assert self.ref.origin is not None
            args = [self.ref.origin, *(args or [Const(CLOCK_MONOTONIC)])]
        return super().method(c, name, args, kw, node)


class KptrField(KernelField):
    """`value.task.xchg(new)`; reading it gives the object that is in it now, or None."""

    __slots__ = ()
    kind = "kptr"
    MAPS = frozenset((*_COMMON, *_STORAGES, 5, 6, 10))
    METHODS = ("xchg",)

    def what(self) -> str:
        return f"a {self.ref.type}"

    def method(self, c: Compiler, name: str, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        if len(args) != 1:
            c.fail("xchg takes the new object, or None", node)
        return super().method(c, name, args, kw, node)

    def is_none(self, c: Compiler, node: Any) -> Any:
        c.fail("the field may change at any time: take what is in it by xchg(None), and test that", node)


FIELDS: dict[str, Any] = {"spin_lock": Lock, "timer": TimerField, "kptr": KptrField}
"""By kind, as `btf.fields` names them."""

__all__ = ["FIELDS", "LOCK", "Held", "KernelField", "Lock"]
