"""Maps inside a program: what `m[k]`, `m.get(k)`, `m[k] += 1` and the methods of each map type become.

`OPERATIONS` says which map types have which methods; the table is the documentation's too.
"""

from __future__ import annotations

from ...declared import Global
from ...fields import kernel_fields
from ..lower.joins import merge
from ..ssa.ir import Value
from . import scalars as types
from .integers import OPS, convert, value_of
from .layout import alignof, is_array, is_struct, normal, scalar_of, sizeof, type_name
from .refs import ATOMIC, Ref
from .values import INT, Const, Front, Int, Tuple, native, span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...spec import MapSpec
    from ..lower.compiler import Compiler

HASH, ARRAY, PROG_ARRAY, PERF, PERCPU_HASH, PERCPU_ARRAY, STACK_TRACE, CGROUP_ARRAY = 1, 2, 3, 4, 5, 6, 7, 8
LRU, LRU_PERCPU, LPM, ARRAY_OF_MAPS, HASH_OF_MAPS, DEVMAP, SOCKMAP, CPUMAP, XSKMAP = 9, 10, 11, 12, 13, 14, 15, 16, 17
SOCKHASH, CGROUP_STORAGE, REUSEPORT, PERCPU_CGROUP_STORAGE, QUEUE, STACK = 18, 19, 20, 21, 22, 23
SK_STORAGE, DEVMAP_HASH, STRUCT_OPS, RINGBUF, INODE_STORAGE, TASK_STORAGE, BLOOM, USER_RINGBUF = (
    24,
    25,
    26,
    27,
    28,
    29,
    30,
    31,
)
CGRP_STORAGE, ARENA = 32, 33

KEYED = frozenset((HASH, ARRAY, PERCPU_HASH, PERCPU_ARRAY, LRU, LRU_PERCPU, LPM))
ARRAYS = frozenset((ARRAY, PERCPU_ARRAY))
PERCPU = frozenset((PERCPU_HASH, PERCPU_ARRAY, LRU_PERCPU, PERCPU_CGROUP_STORAGE))
ANY, NOEXIST = 0, 1
ZERO, FALSE, NOTHING = Const(0), Const(False), Const(None)
DIRECT_VALUE = (5, 2)
SOCKET_FILTER = 1
NO_LOCKS = frozenset((SOCKET_FILTER, 2, 5, 7, 17, 24))  # and programs of tracing by events and probes


def map_front(c: Compiler, spec: MapSpec, hint: str) -> Front:
    front = MapRef(spec, hint)
    if isinstance(spec, Global):
        return global_ref(c, front)
    return front


def global_ref(c: Compiler, front: MapRef) -> Front:
    """A global variable: the only value of an array map, addressed directly."""
    if c.unit.kernel < DIRECT_VALUE:
        c.fail("global variables need Linux 5.2: use an Array map", c.b.at)
    spec = front.spec
    base = c.b.share("mapvalue", [], (c.unit.symbol(spec, front.hint), 0), 64, 1, (1 << 64) - 1)
    read_only = bool(spec.flags & 1 << 7)
    return Ref(base, 0, normal(spec.value), "map", shared=True, writable=not read_only, label=front.hint, origin=front)


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
            c.fail(
                f"{self.what()} ({type(self.spec).__name__}) has no {verb}; it has {', '.join(self.methods())}", node
            )

    def methods(self) -> list[str]:
        return [name for name, (types, _) in OPERATIONS.items() if self.spec.map_type in types]

    def item(self, c: Compiler, index: Front, node: Any) -> Front:
        self.keyed(c, node, "[key]")
        value_type = normal(self.spec.value if self.spec.value is not None else self.spec.value_size)
        if self.single(index):
            ref = self.direct(c, value_type)
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
            self.spec.map_type == ARRAY and self.spec.max_entries == 1 and self.address is None
            and isinstance(index, Const) and index.obj == 0
        )  # fmt: skip

    def direct(self, c: Compiler, value_type: Any) -> Ref:
        base = c.b.share("mapvalue", [], (c.unit.symbol(self.spec, self.hint), 0), 64, 1, (1 << 64) - 1)
        return Ref(base, 0, value_type, "map", shared=True, label=self.hint, writable=self.writable(), origin=self)

    def writable(self) -> bool:
        return not self.spec.flags & 1 << 7

    def lookup(self, c: Compiler, index: Front, node: Any) -> Ref:
        self.keyed(c, node, "get")
        return self.find(c, index, node)

    def find(self, c: Compiler, index: Front, node: Any) -> Ref:
        value_type = normal(self.spec.value if self.spec.value is not None else self.spec.value_size)
        if self.single(index) and c.unit.kernel >= DIRECT_VALUE:
            return self.direct(c, value_type)
        temporary: list[Value] = []
        key = self.key(c, index, temporary, node)
        found = self.call(c, "map_lookup_elem", 1, [self.pointer_value(c), key])
        for slot in temporary:
            c.release(slot)
        found.lo, found.hi = 0, (1 << 64) - 1
        shared = self.spec.map_type not in PERCPU
        return Ref(found, 0, value_type, "map", check=("null", found), shared=shared, label=f"{self.hint}.get(...)",
                   writable=self.writable(), origin=self)  # fmt: skip

    def call(self, c: Compiler, name: str, number: int, args: list[Value]) -> Value:
        return c.b.call("helper", number, name, args)

    def key(self, c: Compiler, index: Front, temporary: list[Value], node: Any) -> Value:
        entries = self.spec.max_entries
        constant = index.obj if isinstance(index, Const) and isinstance(index.obj, int) else 0
        if self.spec.map_type in ARRAYS and not 0 <= constant < entries:
            c.fail(f"{self.hint} has the entries 0..{entries - 1}; {constant} is never found", node)
        key_type = self.spec.key if self.spec.key is not None else self.spec.key_size
        if self.spec.map_type == LPM:
            from .tries import prefix_key

            place = prefix_key(c, key_type, index, temporary, node)
            if place is not None:
                return place
        return value_pointer(c, index, key_type, "key", temporary, node)

    def set_item(self, c: Compiler, index: Front, value: Front, node: Any) -> None:
        self.keyed(c, node, "[key] = value")
        if self.single(index) and c.unit.kernel >= DIRECT_VALUE:
            value_type = normal(self.spec.value if self.spec.value is not None else self.spec.value_size)
            self.direct(c, value_type).store(c, value, node)
            return
        self.put(c, index, value, c.b.const(ANY), node)

    def put(self, c: Compiler, index: Front, value: Front, flags: Value, node: Any) -> Value:
        if not self.writable():
            c.fail(f"{self.what()} is read-only for programs (BPF_F_RDONLY_PROG)", node)
        temporary: list[Value] = []
        key = self.key(c, index, temporary, node)
        value_type = self.spec.value if self.spec.value is not None else self.spec.value_size
        place = value_pointer(c, value, value_type, "value", temporary, node)
        result = self.call(c, "map_update_elem", 2, [self.pointer_value(c), key, place, flags])
        for slot in temporary:
            c.release(slot)
        return result

    def delete_item(self, c: Compiler, index: Front, node: Any) -> None:
        self.remove(c, index, node)

    def remove(self, c: Compiler, index: Front, node: Any) -> Value:
        self.keyed(c, node, "del")
        if self.spec.map_type in ARRAYS:
            c.fail(f"entries of {type(self.spec).__name__} cannot be deleted: set them to 0", node)
        temporary: list[Value] = []
        result = self.call(c, "map_delete_elem", 3, [self.pointer_value(c), self.key(c, index, temporary, node)])
        for slot in temporary:
            c.release(slot)
        return result

    def contains(self, c: Compiler, item: Front, node: Any) -> Any:
        if self.spec.map_type == BLOOM:
            temporary: list[Value] = []
            place = value_pointer(c, item, self.spec.value, "value", temporary, node)
            result = self.call(c, "map_peek_elem", 89, [self.pointer_value(c), place])
            for slot in temporary:
                c.release(slot)
            from ..lower.conditions import jump

            return jump(c, "==", 64, result, c.b.const(0))
        from ..lower.conditions import is_none

        found = _get_any(c, self, node, item) if self.spec.map_type in _TARGETS else self.lookup(c, item, node)
        none, some = is_none(c, found, node)
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

        row = OPERATIONS.get(name)
        if row is None or self.spec.map_type not in row[0]:
            c.fail(
                f"{self.what()} ({type(self.spec).__name__}) has no method {name}; it has {', '.join(self.methods())}",
                node,
            )
        if args and is_ctx(args[0]):
            args = args[1:]  # as in C: methods that need the context find it themselves
        if kw:
            names = row[1].__code__.co_varnames[3 : row[1].__code__.co_argcount]
            defaults = row[1].__defaults__ or ()
            merged: list[Any] = list(args)
            for i, parameter in enumerate(names[len(args) :], len(args)):
                if parameter in kw:
                    merged.append(kw.pop(parameter))
                elif i >= len(names) - len(defaults):
                    merged.append(defaults[i - len(names)])
                else:
                    break
            if kw:
                c.fail(f"{name} has no argument {next(iter(kw))!r}; it has {', '.join(names)}", node)
            args = merged
        code = row[1].__code__
        least = code.co_argcount - 3 - len(row[1].__defaults__ or ())
        if not least <= len(args) <= code.co_argcount - 3:
            c.fail(f"{name} takes ({', '.join(code.co_varnames[3 : code.co_argcount])}), {len(args)} given", node)
        return row[1](c, self, node, *args)  # type: ignore[no-any-return]


def value_pointer(c: Compiler, front: Front, type_: Any, what: str, temporary: list[Value], node: Any) -> Value:
    """The address of a key or value in memory; numbers, tuples and constants are put on the stack."""
    type_ = normal(type_)
    if (
        isinstance(front, Ref)
        and (
            front.type is type_
            or (not front.is_number() and sizeof(front.type) == sizeof(type_) and not is_struct(type_))
        )
        and front.region != "ctx"
        and (front.region in ("ring", "mem") or front.is_number() is (scalar_of(type_) is not None))
    ):
        return front.pointer(c, node)
    size = sizeof(type_)
    scalar = scalar_of(type_)
    if scalar is not None and not (
        (isinstance(front, Const) and isinstance(front.obj, (bytes, str))) or _is_address(front)
    ):
        value = convert(c, front, scalar, node, f"the {what}")
        place = c.borrow(size, size, what)
        temporary.append(place)
        # The same number may lie there still, from the last time this key was used.
        if c.state.contents.get(place) is not value:
            Ref(place, 0, type_, "stack").raw_store(c, scalar, value)
            c.state.contents[place] = value
        return place
    if isinstance(front, Ref) and is_struct(type_) and front.type is not type_:
        c.fail(f"the {what} is {type_name(type_)}, not {front.what()}", node)
    place = c.borrow(size, 8 if size >= 8 else alignof(type_), what)
    temporary.append(place)
    c.state.contents.pop(place, None)
    ref = Ref(place, 0, type_, "stack", label=f"the {what}")
    if isinstance(front, Tuple) and (is_struct(type_) or is_array(type_)):
        from ..lower.calls import set_fields
        from .refs import pieces

        for at, width in pieces(size, place.aux.align):
            c.b.store(place, at, width, c.b.const(0), "stack")
        set_fields(c, ref, front.items, {}, node)
    elif isinstance(front, Const) and _is_address(front):
        packed = front.obj.packed
        ref.fill(c, Const(packed), node) if scalar is None else c.b.store(
            place, 0, 4, c.b.const(int.from_bytes(packed, "little")), "stack"
        )
    elif isinstance(front, Const) and scalar is not None:
        from .refs import constant_bytes

        raw = constant_bytes(c, front.obj, type_, node)
        c.b.store(place, 0, size, c.b.const(int.from_bytes(raw, "little")), "stack")
    else:
        ref.fill(c, front, node)
    return place


def _is_address(front: Front) -> bool:
    return isinstance(front, Const) and type(front.obj).__module__ == "ipaddress" and hasattr(front.obj, "packed")


# -- methods: (compiler, map, node, *arguments)


def _get(c: Compiler, m: MapRef, node: Any, key: Front, default: Front | None = None) -> Front:
    if m.spec.map_type in (ARRAY_OF_MAPS, HASH_OF_MAPS):
        temporary: list[Value] = []
        address = m.call(c, "map_lookup_elem", 1, [m.pointer_value(c), m.key(c, key, temporary, node)])
        for slot in temporary:
            c.release(slot)
        address.lo, address.hi = 0, (1 << 64) - 1
        if m.spec.inner is None:
            c.fail(f"{m.what()} was declared without its inner map", node)
        return MapRef(m.spec.inner, f"{m.hint}.get(...)", address)
    if m.spec.map_type in (SOCKMAP, SOCKHASH):
        from .kernelrefs import lookup_socket

        return lookup_socket(c, m, key, node)
    if m.spec.map_type in (DEVMAP, DEVMAP_HASH, CPUMAP, XSKMAP):
        found = m.find(c, key, node)
        found.writable = False
        return found
    ref = m.lookup(c, key, node)
    if default is None:
        return ref
    from ..lower.conditions import is_none
    from ..lower.expressions import select

    none, some = is_none(c, ref, node)
    if none is None:
        return ref.number(c, node)
    assert some is not None
    c.b.state = some
    number = ref.number(c, node)
    return select(c, [(none, default), (c.b.state, number)], node, "this entry")


def _update(c: Compiler, m: MapRef, node: Any, key: Front, value: Front, flags: Front = ZERO) -> Front:
    return status(m.put(c, key, value, value_of(c, flags.number(c, node)), node))


def _delete(c: Compiler, m: MapRef, node: Any, key: Front) -> Front:
    return status(m.remove(c, key, node))


def status(value: Value) -> Int:
    """What a helper says of its success: 0 (or an id), or a negative errno."""
    value.lo, value.hi = -(1 << 31), (1 << 31) - 1
    return Int(value, types.s64)


def _reserve(c: Compiler, m: MapRef, node: Any, type_: Front | None = None) -> Front:
    event = _event(c, m, type_, node)
    size = sizeof(event)
    found = m.call(c, "ringbuf_reserve", 131, [m.pointer_value(c), c.b.const(size), c.b.const(0)])
    found.lo, found.hi = 0, (1 << 64) - 1
    c.state.owned[found] = f"the record reserved at line {c.source(node).line}"
    return Record(found, 0, event, "ring", check=("null", found), owner=found, label=f"{m.hint}.reserve()")


def _event(c: Compiler, m: MapRef, type_: Front | None, node: Any) -> Any:
    event = getattr(m.spec, "event", None)
    if isinstance(type_, Const):
        event = type_.obj
    if event is None:
        c.fail(f"{m.what()} has no record type: declare RingBuf(Type, ...) or write reserve(Type)", node)
    return normal(event)


class Record(Ref):
    """A record reserved in a ring buffer: submitted or discarded exactly once on every way."""

    __slots__ = ()

    def address(self) -> Value:
        return self.base

    def likeness(self) -> Any:
        return Record, self.type, self.off

    def around(self, value: Value, *, null: bool, owner: Value | None) -> Record:
        return Record(value, 0, self.type, "ring", check=("null", value), owner=owner, label=self.label)

    def method(self, c: Compiler, name: str, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        number = {"submit": 132, "discard": 133}.get(name)
        if number is None:
            c.fail(f"a record has the methods submit and discard, not {name}", node)
        flags = args[0] if args else kw.get("flags", Const(0))
        self.usable(c, node)
        c.b.call("helper", number, f"ringbuf_{name}", [self.base, value_of(c, flags.number(c, node))])
        assert self.owner is not None
        c.state.owned.pop(self.owner, None)
        return Const(None)


def _output(c: Compiler, m: MapRef, node: Any, value: Front, flags: Front = ZERO) -> Front:
    temporary: list[Value] = []
    event = getattr(m.spec, "event", None)
    if event is not None and not (isinstance(value, Ref) and sizeof(value.type) == sizeof(normal(event))):
        address, size = value_pointer(c, value, event, "record", temporary, node), sizeof(normal(event))
    elif isinstance(value, Ref):
        address, size = value.pointer(c, node), sizeof(value.type)
    elif isinstance(value, Const) and isinstance(value.obj, (bytes, str)):
        from ..lower.helpercalls import _raw
        from .data import text

        raw = _raw(value.obj)
        address, size = text(c, raw).pointer(c, node), len(raw)
    else:
        c.fail(f"the record is a structure or an array, not {value.what()}: declare the map with its type", node)
    if m.spec.map_type == PERF:
        where = (
            value_of(c, flags.number(c, node))
            if not (isinstance(flags, Const) and flags.obj == 0)
            else c.b.const(0xFFFFFFFF)
        )
        args = [c.context().value, m.pointer_value(c), where, address, c.b.const(size)]
        result = m.call(c, "perf_event_output", perf_output(c), args)
    else:
        result = m.call(
            c, "ringbuf_output", 130, [m.pointer_value(c), address, c.b.const(size), value_of(c, flags.number(c, node))]
        )
    for slot in temporary:
        c.release(slot)
    return status(result)


def perf_output(c: Compiler) -> int:
    """perf_event_output has an id for contexts and others for skb and xdp arguments of BTF programs; ours has a context."""
    return 25


def _push(c: Compiler, m: MapRef, node: Any, value: Front, flags: Front = ZERO) -> Front:
    temporary: list[Value] = []
    place = value_pointer(c, value, m.spec.value, "value", temporary, node)
    result = m.call(c, "map_push_elem", 87, [m.pointer_value(c), place, value_of(c, flags.number(c, node))])
    for slot in temporary:
        c.release(slot)
    return status(result)


def _taker(name: str, number: int) -> Any:
    def take(c: Compiler, m: MapRef, node: Any) -> Front:
        """The next value as a copy on the stack, or None when there is none."""
        type_ = normal(m.spec.value)
        size = sizeof(type_)
        place = c.slot(size, 8 if size >= 8 else alignof(type_), type_name(type_))
        from .refs import pieces

        for at, width in pieces(size, place.aux.align):
            c.b.store(place, at, width, c.b.const(0), "stack")
        failed = m.call(c, name, number, [m.pointer_value(c), place])
        return Ref(place, 0, type_, "stack", check=("failed", failed), label=f"{m.hint}.{name[4:-5]}()")

    return take


def tail_call(c: Compiler, m: MapRef, node: Any, index: Front) -> Front:
    """Go on in another program; returns only when there is none at that index."""
    place = convert(c, index, types.u32, node, "the index of a program")
    m.call(c, "tail_call", 12, [c.context().value, m.pointer_value(c), place])
    return Const(None)


def _redirect(c: Compiler, m: MapRef, node: Any, key: Front, flags: Front = ZERO) -> Front:
    kind = m.spec.map_type
    extra = value_of(c, flags.number(c, node))
    if kind in (SOCKMAP, SOCKHASH):
        message = c.unit.kind.context == "sk_msg_md"
        name = ("msg" if message else "sk") + ("_redirect_map" if kind == SOCKMAP else "_redirect_hash")
        number = {"sk_redirect_map": 52, "msg_redirect_map": 60, "msg_redirect_hash": 71, "sk_redirect_hash": 72}[name]
        if kind == SOCKMAP:
            place = convert(c, key, types.u32, node, "the key of a socket")
            result = m.call(c, name, number, [c.context().value, m.pointer_value(c), place, extra])
        else:
            temporary: list[Value] = []
            place = m.key(c, key, temporary, node)
            result = m.call(c, name, number, [c.context().value, m.pointer_value(c), place, extra])
            for slot in temporary:
                c.release(slot)
    else:
        place = convert(c, key, types.u32, node, "the key of a target")
        result = m.call(c, "redirect_map", 51, [m.pointer_value(c), place, extra])
    return status(result)


def _stack_id(c: Compiler, m: MapRef, node: Any, flags: Front = ZERO) -> Front:
    """The id of the current stack trace, or a negative errno; flags 256 (BPF_F_USER_STACK) for user space."""
    result = m.call(c, "get_stackid", 27, [c.context().value, m.pointer_value(c), value_of(c, flags.number(c, node))])
    return status(result)


def _for_each(
    c: Compiler, m: MapRef, node: Any, callback: Front, context: Front = NOTHING, flags: Front = ZERO
) -> Front:
    from ..lower.helpercalls import call_helper

    return call_helper(c, "for_each_map_elem", [m, callback, context, flags], {}, node)


def _drain(c: Compiler, m: MapRef, node: Any, callback: Front, context: Front = NOTHING, flags: Front = ZERO) -> Front:
    """Call `callback(record, context)` for each record from user space; its number, or a negative errno (Linux 6.1)."""
    from ..lower.helpercalls import call_helper

    return call_helper(c, "user_ringbuf_drain", [m, callback, context, flags], {}, node)


def _under(c: Compiler, m: MapRef, node: Any, index: Front) -> Front:
    """Whether the current task is in the cgroup at an index."""
    result = m.call(c, "current_task_under_cgroup", 37, [m.pointer_value(c), value_of(c, index.number(c, node))])
    return status(result)


def _storage(delete: bool) -> Any:
    names = {SK_STORAGE: ("sk_storage", 107, 108), INODE_STORAGE: ("inode_storage", 145, 147),
             TASK_STORAGE: ("task_storage", 156, 157), CGRP_STORAGE: ("cgrp_storage", 210, 211)}  # fmt: skip

    def get(c: Compiler, m: MapRef, node: Any, owner: Front, create: Front = FALSE) -> Front:
        """The value that belongs to a socket, task, inode or cgroup, or None; `create=True` makes it, zeroed."""
        name, number, _ = names[m.spec.map_type]
        if not isinstance(create, Const):
            c.fail("create is a constant", node)
        address = pointer_of(c, owner, node)
        found = m.call(
            c, f"{name}_get", number, [m.pointer_value(c), address, c.b.const(0), c.b.const(int(bool(create.obj)))]
        )
        found.lo, found.hi = 0, (1 << 64) - 1
        return Ref(found, 0, normal(m.spec.value), "map", check=("null", found), shared=True,
                   label=f"{m.hint}.get(...)", origin=m)  # fmt: skip

    def remove(c: Compiler, m: MapRef, node: Any, owner: Front) -> Front:
        name, _, number = names[m.spec.map_type]
        return status(m.call(c, f"{name}_delete", number, [m.pointer_value(c), pointer_of(c, owner, node)]))

    return remove if delete else get


def pointer_of(c: Compiler, front: Front, node: Any) -> Value:
    pointer = getattr(front, "pointer_value", None)
    if pointer is not None:
        return pointer(c)  # type: ignore[no-any-return]
    if isinstance(front, Ref):
        return front.pointer(c, node)
    c.fail(f"this takes a kernel object, not {front.what()}", node)


def _cgroup_storage(c: Compiler, m: MapRef, node: Any) -> Front:
    found = m.call(c, "get_local_storage", 81, [m.pointer_value(c), c.b.const(0)])
    found.lo, found.hi = 1, (1 << 64) - 1
    shared = m.spec.map_type == CGROUP_STORAGE
    return Ref(found, 0, normal(m.spec.value), "map", shared=shared, label=f"{m.hint}.local()", origin=m)


_STORAGES = frozenset((SK_STORAGE, INODE_STORAGE, TASK_STORAGE, CGRP_STORAGE))


def _get_any(
    c: Compiler, m: MapRef, node: Any, key: Front, default: Front | None = None, create: Front = FALSE
) -> Front:
    if m.spec.map_type in _STORAGES:
        return _storage(False)(c, m, node, key, default if default is not None else create)  # type: ignore[no-any-return]
    return _get(c, m, node, key, default)


def _delete_any(c: Compiler, m: MapRef, node: Any, key: Front) -> Front:
    if m.spec.map_type in _STORAGES:
        return _storage(True)(c, m, node, key)  # type: ignore[no-any-return]
    return _delete(c, m, node, key)


_TARGETS = frozenset((DEVMAP, DEVMAP_HASH, CPUMAP, XSKMAP))
_GETTABLE = KEYED | _STORAGES | {ARRAY_OF_MAPS, HASH_OF_MAPS, SOCKMAP, SOCKHASH, DEVMAP, DEVMAP_HASH, CPUMAP, XSKMAP}
OPERATIONS: dict[str, tuple[frozenset[int], Any]] = {
    "get": (frozenset(_GETTABLE), _get_any),
    "update": (KEYED, _update),
    "delete": (frozenset((KEYED - ARRAYS) | _STORAGES), _delete_any),
    "for_each": (KEYED - {LPM}, _for_each),
    "reserve": (frozenset((RINGBUF,)), _reserve),
    "output": (frozenset((RINGBUF, PERF)), _output),
    "push": (frozenset((QUEUE, STACK, BLOOM)), _push),
    "add": (frozenset((BLOOM,)), _push),
    "pop": (frozenset((QUEUE, STACK)), _taker("map_pop_elem", 88)),
    "peek": (frozenset((QUEUE, STACK)), _taker("map_peek_elem", 89)),
    "tail_call": (frozenset((PROG_ARRAY,)), tail_call),
    "redirect": (frozenset((DEVMAP, DEVMAP_HASH, CPUMAP, XSKMAP, SOCKMAP, SOCKHASH)), _redirect),
    "stack_id": (frozenset((STACK_TRACE,)), _stack_id),
    "drain": (frozenset((USER_RINGBUF,)), _drain),
    "contains_current": (frozenset((CGROUP_ARRAY,)), _under),
    "local": (frozenset((CGROUP_STORAGE, PERCPU_CGROUP_STORAGE)), _cgroup_storage),
}
"""Methods by name: the map types that have them, and what lowers them."""

__all__ = ["INT", "OPERATIONS", "OPS", "MapRef", "global_ref", "map_front", "span", "value_pointer"]
