"""Maps inside a program: what `m[k]`, `m[k] = v`, `m[k] += 1`, `del m[k]` and `k in m` become; their methods are `mapmethods`."""

from __future__ import annotations

from ...declared import (
    Array,
    BloomFilter,
    CpuMap,
    DevMap,
    DevMapHash,
    Global,
    HashMap,
    LpmTrie,
    LruHashMap,
    LruPerCpuHashMap,
    PerCpuArray,
    PerCpuCgroupStorage,
    PerCpuHashMap,
    ResizableHashMap,
    XskMap,
)
from ...fields import kernel_fields
from ..lower.joins import merge
from ..ssa.build import CALLERS
from .layout import normal, scalar_of, type_name
from .places import DIRECT_VALUE, again, value_pointer
from .refs import ATOMIC, Ref
from .values import Const, Front, Int, native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, NoReturn

    from ...spec import MapSpec
    from ..lower.compiler import Compiler
    from ..ssa.ir import Value


def types_of(*declared: type[Any]) -> frozenset[int]:
    """The kernel's numbers of these types of maps."""
    return frozenset(cls.TYPE for cls in declared)


ARRAYS = types_of(Array, PerCpuArray)
KEYED = ARRAYS | types_of(HashMap, PerCpuHashMap, LruHashMap, LruPerCpuHashMap, LpmTrie, ResizableHashMap)
PERCPU = types_of(PerCpuHashMap, PerCpuArray, LruPerCpuHashMap, PerCpuCgroupStorage)
TARGETS = types_of(DevMap, DevMapHash, CpuMap, XskMap)
"""What frames are redirected to: programs find entries and do not change them."""
ANY, NOEXIST = 0, 1
RDONLY_PROG = 1 << 7
SOCKET_FILTER, KPROBE, TRACEPOINT, PERF_EVENT, RAW_TRACEPOINT, RAW_TRACEPOINT_WRITABLE = 1, 2, 5, 7, 17, 24
NO_LOCKS = frozenset((SOCKET_FILTER, KPROBE, TRACEPOINT, PERF_EVENT, RAW_TRACEPOINT, RAW_TRACEPOINT_WRITABLE))
LOOKUP, UPDATE, DELETE, PEEK = 1, 2, 3, 89
"""Ids of helpers."""


def map_front(c: Compiler, spec: MapSpec, hint: str) -> Front:
    front = MapRef(spec, hint)
    if isinstance(spec, Global):
        return global_ref(c, front)
    return front


def global_ref(c: Compiler, front: MapRef) -> Front:
    """A global variable: the only value of an array map, addressed directly."""
    if c.unit.kernel < DIRECT_VALUE:
        c.fail("global variables need Linux 5.2: use an Array map", c.b.at)
    return front.direct(c)


KNOWN_ELSEWHERE = {
    "lookup": "get(key)", "lookup_elem": "get(key)", "lookup_or_try_init": "get(key)", "insert": "update(key, value)",
    "remove": "delete(key)", "delete_elem": "delete(key)", "update_elem": "update(key, value)",
    "perf_submit": "output(value)", "ringbuf_output": "output(value)", "ringbuf_reserve": "reserve()", "submit": "output(value)",
    "call": "tail_call(index)", "redirect_map": "redirect(key)", "get_stackid": "stack_id()", "append": "push(value)",
    "put": "push(value)",
}  # fmt: skip
"""What bcc, libbpf, aya and Python's own collections call what a map has here."""


class MapRef(Front):
    """A declared map, or (with `address`) one found in a map of maps."""

    __slots__ = ("address", "check", "hint", "spec")

    def __init__(self, spec: MapSpec, hint: str, address: Value | None = None) -> None:
        self.spec = spec
        self.hint = hint
        self.address = address
        self.check = None if address is None else ("null", address)

    def what(self) -> str:
        return f"the map {self.hint or type(self.spec).__name__}"

    def pointer_value(self, c: Compiler) -> Value:
        if self.address is not None:
            if self.check is not None and self.check not in c.state.facts:
                c.fail(f"{self.hint} may be None here: test it with `is None` first", c.b.at)
            return self.address
        if c.unit.kind.prog_type in NO_LOCKS and kernel_fields(self.spec.value):
            self.refuse_fields(c)
        symbol = c.unit.symbol(self.spec, self.hint)
        return c.b.share("map", [], symbol, 64, 1, (1 << 64) - 1)

    def refuse_fields(self, c: Compiler) -> None:
        """What the kernel does not let these programs near (check_map_prog_compatibility)."""
        for field in kernel_fields(self.spec.value):
            if field.kind == "spin_lock" or (field.kind == "timer" and c.unit.kind.prog_type != SOCKET_FILTER):
                c.fail(
                    f"{c.unit.kind.name} programs may not use {self.hint}: there is a {field.kind} in its values",
                    c.b.at,
                )

    def parameter(self, value: Value) -> MapRef:
        """The map as a callback is given it."""
        if self.address is None:
            return self
        given = MapRef(self.spec, self.hint, value)
        given.check = None
        return given

    def attribute(self, c: Compiler, name: str, node: Any) -> Front:
        c.fail(f"{self.what()} has no {name!r} inside a program; it has {', '.join(self.methods())}", node)

    def is_none(self, c: Compiler, node: Any) -> Any:
        from ..lower.conditions import always

        if self.check is None or self.check in c.state.facts:
            return always(c, False)
        none, some = c.b.branch("==", 64, self.check[1], c.b.const(0))
        some.facts[self.check] = True
        return none, some

    # -- m[k]

    def keyed(self, c: Compiler, node: Any, verb: str) -> None:
        if self.spec.map_type not in KEYED:
            self.refuse(c, verb, node)

    def methods(self) -> list[str]:
        from .mapmethods import METHODS

        return [name for name, by_type in METHODS.items() if self.spec.map_type in by_type]

    def item(self, c: Compiler, index: Front, node: Any) -> Front:
        self.keyed(c, node, "[key]")
        value_type = self.value_type()
        if self.single(index):
            ref = self.direct(c)
            return ref.load(c, node) if ref.is_number() else ref
        if scalar_of(value_type) is None:
            c.fail(f"the entry may be missing, and {type_name(value_type)} has no zero: write "
                   f"x = {self.hint}.get(key) and test it with `is None`", node)  # fmt: skip
        from ..lower.conditions import is_none
        from ..lower.expressions import select

        ref = self.lookup(c, index, node)
        none, some = is_none(c, ref, node)
        assert some is not None
        c.b.state = some
        found = ref.load(c, node)
        return select(c, [(none, Int(c.b.const(0), found.type)), (some, found)], node, "this entry")

    def single(self, index: Front) -> bool:
        """The only entry of an array is addressed directly (Linux 5.2)."""
        return (
            self.spec.map_type == Array.TYPE and self.spec.max_entries == 1 and self.address is None
            and isinstance(index, Const) and index.obj == 0
        )  # fmt: skip

    def value_type(self) -> Any:
        return normal(self.spec.value if self.spec.value is not None else self.spec.value_size)

    def direct(self, c: Compiler) -> Ref:
        base = c.b.share("mapvalue", [], (c.unit.symbol(self.spec, self.hint), 0), 64, 1, (1 << 64) - 1)
        return Ref(
            base, 0, self.value_type(), "map", shared=True, label=self.hint, writable=self.writable(), origin=self
        )

    def writable(self) -> bool:
        return not self.spec.flags & RDONLY_PROG

    def lookup(self, c: Compiler, index: Front, node: Any) -> Ref:
        self.keyed(c, node, "get")
        return self.find(c, index, node)

    def find(self, c: Compiler, index: Front, node: Any) -> Ref:
        if self.single(index) and c.unit.kernel >= DIRECT_VALUE:
            return self.direct(c)
        temporary: list[Value] = []
        key = self.key(c, index, temporary, node)
        found = self.call(c, "map_lookup_elem", LOOKUP, [self.pointer_value(c), key], temporary)
        found.lo, found.hi = 0, (1 << 64) - 1
        shared = self.spec.map_type not in PERCPU
        return Ref(found, 0, self.value_type(), "map", check=("null", found), shared=shared, label=f"{self.hint}.get(...)",
                   writable=self.writable(), origin=self)  # fmt: skip

    def call(self, c: Compiler, name: str, number: int, args: list[Value], temporary: Iterable[Value] = ()) -> Value:
        """Call a helper; the `temporary` places of its arguments are free again behind it."""
        result = c.b.call("helper", number, name, args)
        for slot in temporary:
            c.release(slot)
        return result

    def key(self, c: Compiler, index: Front, temporary: list[Value], node: Any) -> Value:
        entries = self.spec.max_entries
        constant = index.obj if isinstance(index, Const) and isinstance(index.obj, int) else 0
        if self.spec.map_type in ARRAYS and not 0 <= constant < entries:
            c.fail(f"{self.hint} has the entries 0..{entries - 1}; {constant} is never found", node)
        key_type = self.spec.key if self.spec.key is not None else self.spec.key_size
        if self.spec.map_type == LpmTrie.TYPE:
            from .tries import prefix_key

            place = prefix_key(c, key_type, index, temporary, node)
            if place is not None:
                return place
        return value_pointer(c, index, key_type, "key", temporary, node)

    def set_item(self, c: Compiler, index: Front, value: Front, node: Any) -> None:
        self.keyed(c, node, "[key] = value")
        if self.single(index) and c.unit.kernel >= DIRECT_VALUE:
            self.direct(c).store(c, value, node)
            return
        self.put(c, index, value, c.b.const(ANY), node)

    def put(self, c: Compiler, index: Front, value: Front, flags: Value, node: Any) -> Value:
        if not self.writable():
            c.fail(f"{self.what()} is read-only for programs (BPF_F_RDONLY_PROG)", node)
        temporary: list[Value] = []
        key = self.key(c, index, temporary, node)
        place = value_pointer(c, value, self.value_type(), "value", temporary, node)
        return self.call(c, "map_update_elem", UPDATE, [self.pointer_value(c), key, place, flags], temporary)

    def delete_item(self, c: Compiler, index: Front, node: Any) -> None:
        self.remove(c, index, node)

    def remove(self, c: Compiler, index: Front, node: Any) -> Value:
        self.keyed(c, node, "del")
        if self.spec.map_type in ARRAYS:
            c.fail(f"entries of {type(self.spec).__name__} cannot be deleted: set them to 0", node)
        temporary: list[Value] = []
        args = [self.pointer_value(c), self.key(c, index, temporary, node)]
        return self.call(c, "map_delete_elem", DELETE, args, temporary)

    def contains(self, c: Compiler, item: Front, node: Any) -> Any:
        from ..lower.conditions import is_none, jump

        if self.spec.map_type == BloomFilter.TYPE:
            temporary: list[Value] = []
            place = value_pointer(c, item, self.spec.value, "value", temporary, node)
            value = Ref(place, 0, normal(self.spec.value), "stack") if temporary else item
            # Linux 7.2 believes that map_peek_elem only writes what a Bloom filter reads (bpf_helper_stack_access_bytes), and
            # forgets at the next branch what was stored for it.
            if isinstance(value, Ref) and value.region in CALLERS and value.writable:
                again(c, value)
            result = self.call(c, "map_peek_elem", PEEK, [self.pointer_value(c), place], temporary)
            return jump(c, "==", 64, result, c.b.const(0))
        if self.spec.map_type not in TARGETS:
            self.keyed(c, node, "in")
        none, some = is_none(c, self.find(c, item, node), node)
        return some, none

    def update_item(self, c: Compiler, op: str, index: Front, value: Front, node: Any) -> None:
        """`m[k] op= v`: in place when the entry is there, after making it zero when it is not (as Counter counts)."""
        from ..lower.conditions import is_none

        self.keyed(c, node, "[key] += value")
        ref = self.find(c, index, node)
        if not ref.is_number():
            c.fail(
                f"{type_name(ref.type)} is not a number: write x = {self.hint}.get(key), test it, and change a field",
                node,
            )
        if ref.shared and op not in ATOMIC:
            ref.modify_atomic(c, op, scalar_of(ref.type), value, node)  # type: ignore[arg-type]
        # The value is worked out before the lookup's result is tested, so that it is known on both ways.
        if isinstance(value, Ref):
            value = value.number(c, node)
        none, some = is_none(c, ref, node)
        if none is None or self.spec.map_type in ARRAYS:
            if some is not None:
                c.b.state = some
                ref.modify(c, op, value, node)
                some = c.b.state
            c.b.state = merge(c, [s for s in (none, some) if s is not None], node)  # type: ignore[assignment]
            return
        # Missing: insert a zero unless another CPU was faster, and look again.
        assert some is not None
        c.b.state = none
        zero = Int(c.b.const(0), native(scalar_of(ref.type)))  # type: ignore[arg-type]
        self.put(c, index, zero, c.b.const(NOEXIST), node)
        again = self.find(c, index, node)
        full, made = is_none(c, again, node)
        assert full is not None
        assert made is not None
        some.env["$entry"], made.env["$entry"] = ref, again
        both = merge(c, [some, made], node)
        assert both is not None
        c.b.state = both
        entry = both.env.pop("$entry")
        entry.update(c, op, None, value, node)
        c.b.state = merge(c, [c.b.state, full], node)  # type: ignore[assignment]

    def method(self, c: Compiler, name: str, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        from ..lower.helpercalls import is_ctx
        from .mapmethods import METHODS, bind

        lower = METHODS.get(name, {}).get(self.spec.map_type)
        if lower is None:
            self.refuse(c, f"method {name}", node)
        if args and is_ctx(args[0]):
            args = args[1:]  # as in C: methods that need the context find it themselves
        return lower(c, self, node, *bind(c, name, lower, args, kw, node))

    def refuse(self, c: Compiler, what: str, node: Any) -> NoReturn:
        known = KNOWN_ELSEWHERE.get(what.removeprefix("method "))
        if known is not None and known.partition("(")[0] in self.methods():
            c.fail(f"{self.what()} has no {what}: write {self.hint}.{known}", node)
        has = ", ".join(self.methods()) or "none inside a program: helpers take it as an argument"
        c.fail(f"{self.what()} ({type(self.spec).__name__}) has no {what}; it has {has}", node)


__all__ = ["MapRef", "global_ref", "map_front"]
