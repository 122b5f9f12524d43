"""Locks, timers, work queues and kptrs in map values: fields that only helpers touch.

with bucket.lock:                       # bpf_spin_lock ... bpf_spin_unlock, whatever way the block is left
    bucket.tokens -= 1
value.timer.init()                      # CLOCK_MONOTONIC
old = value.task.xchg(None)             # the reference that was in it, or None
"""

from __future__ import annotations

from . import scalars as types
from .refs import Ref
from .values import Const, Front

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..lower.compiler import Compiler
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
        from ..lower.sections import within

        self.helper(c, "spin_lock", [], node)
        within(c, lambda: self.helper(c, "spin_unlock", [], node), body, node)


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


class Deferred:
    """How a work queue's callback is called: as that of a timer (`functions.callback` asks by name)."""

    name = "timer_set_callback"


class WorkQueueField(KernelField):
    """`value.work.init()`, `.set_callback(function)`, `.start()`: kernel functions, where a timer has helpers."""

    __slots__ = ()
    kind = "wq"
    MAPS = frozenset(_COMMON)
    METHODS = ("init", "set_callback", "start")

    def what(self) -> str:
        return "a work queue in a map value"

    def method(self, c: Compiler, name: str, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        from ..lower.callbacks import callback
        from ..lower.kfunccalls import check_kfunc
        from .integers import convert
        from .kernelrefs import kernel_function
        from .values import Int

        wanted = ("function", 1) if name == "set_callback" else ("flags", 0)
        if name not in self.METHODS or kw or len(args) not in (wanted[1], 1):
            c.fail(f"{self.what()} has the methods init(), set_callback(function) and start()", node)
        place = self.address(c, node)
        zero = c.b.const(0)
        if name == "set_callback":
            function = callback(c, Deferred, args[0], [self], node)
            called, values = ("bpf_wq_set_callback_impl", [place, function, zero, zero])
            if kernel_function("bpf_wq_set_callback") is not None:  # Linux 7.0: the verifier adds the last argument
                called, values = "bpf_wq_set_callback", values[:3]
        else:
            flags = convert(c, args[0], types.u32, node, "flags") if args else zero
            if name == "start":
                called, values = "bpf_wq_start", [place, flags]
            else:
                owner: Any = self.ref.origin
                called, values = "bpf_wq_init", [place, owner.pointer_value(c), flags]
        check_kfunc(c, called, node)
        result = c.b.call("kfunc", called, called, values)
        result.lo, result.hi = -(1 << 31), (1 << 31) - 1
        return Int(result, types.s64)


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


FIELDS: dict[str, Any] = {"spin_lock": Lock, "timer": TimerField, "wq": WorkQueueField, "kptr": KptrField}
"""By kind, as `btf.fields` names them."""

__all__ = ["FIELDS", "LOCK", "Held", "KernelField", "Lock"]
