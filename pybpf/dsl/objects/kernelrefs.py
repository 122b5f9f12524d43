"""References to kernel objects: sockets, tasks and whatever else BTF names.

A typed pointer may be read through directly (the kernel turns a bad access into 0); an untyped one is read with probe_read.
"""

from __future__ import annotations

from sys import byteorder

from ..lower.joins import phi
from ..ssa.build import limits
from . import scalars as types
from .core import LSHIFT, RSHIFT, Place, address, field, number
from .layout import fields, normal, sizeof, type_name
from .refs import Ref
from .sockets import view
from .values import Const, Front, Int

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..lower.compiler import Compiler
    from ..ssa.build import State
    from ..ssa.ir import Block, Value


class Pointer(Front):
    """A pointer to something of the kernel: None until tested where it may be NULL, and to be released where it is owned."""

    __slots__ = ("check", "owner", "value")

    def __init__(self, value: Value, *, null: bool = False, owner: Value | None = None) -> None:
        self.value = value
        self.check = ("null", value) if null else None
        self.owner = owner  # the reference that it depends on

    def is_none(self, c: Compiler, node: Any) -> Any:
        from ..lower.conditions import always

        if self.check is None or self.check in c.state.facts:
            return always(c, False)
        none, some = c.b.branch("==", 64, self.value, c.b.const(0))
        some.facts[self.check] = True
        none.owned.pop(self.value, None)
        return none, some

    def usable(self, c: Compiler, node: Any) -> None:
        if self.check is not None and self.check not in c.state.facts:
            c.fail(f"{self.what()} may be None here: test it with `is None` first", node)
        if self.owner is not None and self.owner not in c.state.owned:
            c.fail(f"{self.what()} was already released", node)

    def pointer_value(self, c: Compiler) -> Value:
        self.usable(c, c.b.at)
        return self.value

    def address(self) -> Value:
        return self.value

    def likeness(self) -> Any:
        """Two pointers with the same may be one name where ways meet; `around` makes another such pointer."""
        return None

    def around(self, value: Value, *, null: bool, owner: Value | None) -> Pointer:
        raise AssertionError

    def join(self, c: Compiler, block: Block, states: list[State], fronts: list[Any]) -> Front | None:
        if any(f.likeness() != self.likeness() or f.owner is not self.owner for f in fronts):
            return None
        known = all(f.check is None or f.check in s.facts for s, f in zip(states, fronts, strict=True))
        value = phi(block, [f.value for f in fronts], *limits(64, False), aux="nonnull" if known else None)
        return self.around(value, null=any(f.check is not None for f in fronts), owner=self.owner)


class Object(Pointer):
    """What helpers give and take by kind: a socket in one of its forms, flow keys (`kind` as `pybpf.kernel` names it)."""

    __slots__ = ("kind", "struct")

    def __init__(self, value: Value, kind: str, *, null: bool, owner: Value | None = None, struct: str = "") -> None:
        super().__init__(value, null=null, owner=owner)
        self.kind = kind
        self.struct = struct

    def what(self) -> str:
        return f"a {self.struct or self.kind} of the kernel"

    def likeness(self) -> Any:
        return self.kind, self.struct

    def around(self, value: Value, *, null: bool, owner: Value | None) -> Pointer:
        return Object(value, self.kind, null=null, owner=owner, struct=self.struct)

    def ref(self, c: Compiler, name: str, node: Any) -> Ref:
        seen = view(self.kind)
        if seen is None:
            c.fail(
                f"fields of {self.what()} are not read here, so not {name!r}: hand it to a helper that takes one", node
            )
        struct, hidden, writable = seen
        self.usable(c, node)
        if name in hidden or name not in fields(struct):
            known = ", ".join(n for n in fields(struct) if n not in hidden)
            more = ": bpf.sk_fullsock(sk) gives the full socket, which has it" if name in hidden else ""
            c.fail(f"{self.what()} has no field {name!r}; it has {known}{more}", node)
        return Ref(self.value, 0, struct, "kernel", writable=writable, label=self.what())

    def attribute(self, c: Compiler, name: str, node: Any) -> Front:
        return self.ref(c, name, node).attribute(c, name, node)

    def assign(self, c: Compiler, name: str, value: Front, node: Any) -> None:
        self.ref(c, name, node).assign(c, name, value, node)

    def method(self, c: Compiler, name: str, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        if name != "release" or args or kw or "sock" not in self.kind:
            c.fail(f"{self.what()} has no method {name!r}: helpers take it as an argument", node)
        from ..lower.helpercalls import call_helper

        if self.owner is None:
            c.fail(f"{self.what()} belongs to the kernel: what a look-up gave is released, and nothing else", node)
        return call_helper(c, "sk_release", [self], {}, node)


SAME_SOCKET = frozenset(("sk_fullsock", "tcp_sock"))
"""Helpers that give another view of the socket that they are given: it lives as long as that one does."""


def memory_given(c: Compiler, rules: Any, value: Value, given: list[Front]) -> Ref | None:
    """What a helper gives that is memory of a known type: a value of a map, a record, bytes of a dynptr."""
    from .maps import PERCPU, MapRef
    from .records import Record

    null = ("null", value) if rules.returns_null else None
    m = given[0] if given else None
    if rules.returns == "value" and isinstance(m, MapRef):
        # Values of other CPUs, and those of kernel objects, are seen by all.
        shared = m.spec.map_type not in PERCPU or rules.name == "map_lookup_percpu_elem"
        return Ref(value, 0, m.value_type(), "map", check=null, shared=shared, writable=m.writable(),
                   label=f"{rules.name}({m.hint}, ...)", origin=m)  # fmt: skip
    sizes = {"record": 1, "dynptr_mem": 2}
    length = given[sizes[rules.returns]] if rules.returns in sizes else None
    if not isinstance(length, Const):
        return None
    if rules.returns == "dynptr_mem":
        return Ref(value, 0, types.u8[length.obj], "mem", check=null, label=rules.name)
    event = getattr(getattr(m, "spec", None), "event", None)
    if event is None or sizeof(normal(event)) != length.obj:
        event = types.u8[length.obj]
    return Record(value, 0, normal(event), "ring", check=null, owner=value, label=rules.name)


def result_pointer(c: Compiler, rules: Any, value: Value, given: list[Front], node: Any) -> Front:
    """What a helper gives that is not a number."""
    value.lo, value.hi = 0 if rules.returns_null else 1, (1 << 64) - 1
    owner: Value | None = None
    if rules.acquires:
        c.state.owned[value] = f"what {rules.name} gave at line {c.source(node).line}"
        owner = value
    elif rules.name in SAME_SOCKET or rules.name.startswith("skc_to_"):
        owner = getattr(given[0], "owner", None)
    memory = memory_given(c, rules, value, given)
    if memory is not None:
        return memory
    struct = rules.return_struct
    if rules.name == "kptr_xchg":
        struct = getattr(getattr(getattr(given[0], "ref", None), "type", None), "pointee", "")
    if rules.returns == "btf" and struct:
        found = kernel_struct(struct)
        if found is not None:
            return Kernel(value, found, direct=True, null=rules.returns_null, owner=owner)
    return Object(value, rules.returns, null=rules.returns_null, owner=owner, struct=struct)


def kernel_struct(name: str) -> Any:
    """A structure of the running kernel; None where its BTF cannot be read."""
    from ...btf import Btf
    from ...btf.kinds import Kind
    from ...errors import BtfError

    try:
        return Btf.kernel().find(name, Kind.STRUCT)
    except (BtfError, OSError):
        return None


def kernel_function(name: str) -> Any:
    """A function of the running kernel that its BTF describes; None where there is none, or no BTF."""
    from ...btf import Btf
    from ...btf.kinds import Kind
    from ...errors import BtfError

    try:
        return Btf.kernel().find(name, Kind.FUNC)
    except (BtfError, OSError):
        return None


FORMS = {"sock": "socket", "sock_common": "sock"}
"""What the verifier calls a full socket and a socket of any state, in the words of helpers' arguments."""


def context_pointer(c: Compiler, field: Any, value: Value, node: Any) -> Front:
    kind = field.kind
    value.lo = 0
    if kind.startswith("trusted_ptr_"):
        name = kind.removeprefix("trusted_ptr_")
        found = kernel_struct(name)
        return Kernel(value, found, direct=True) if found is not None else Object(value, "btf", null=False, struct=name)
    bare = kind.removesuffix("_or_null")
    return Object(value, FORMS.get(bare, bare), null=bare != kind)


__all__ = ["Const", "Int", "Object", "Pointer", "Ref", "context_pointer", "result_pointer", "types"]


# -- structures that BTF describes


class Buffer(Pointer):
    """A key or value that an iterator over a map is at: bytes whose type a parameter says, `def f(ctx, meta, map, key: u32)`."""

    __slots__ = ("name", "writable")

    def __init__(self, value: Value, name: str, writable: bool) -> None:
        super().__init__(value, null=True)
        self.name = name
        self.writable = writable

    def what(self) -> str:
        return f"the {self.name} of this map's entry, of which the parameter {self.name} may say the type ({self.name}: u64),"

    def seen_as(self, type_: Any) -> Ref:
        return Ref(
            self.value, 0, normal(type_), "mem", check=self.check, writable=self.writable, label=f"the {self.name}"
        )


def typed(c: Compiler, value: Value, type_: Any, *, direct: bool, null: bool = False) -> Front:
    """A 64-bit value that the kernel declares as this BTF type; `null`: which may be NULL."""
    from ...btf.kinds import Kind

    plain = type_.stripped
    if plain.kind == Kind.PTR:
        inner = plain.type.stripped
        if inner.kind in (Kind.STRUCT, Kind.UNION):
            return Kernel(value, inner, direct=direct, null=null)
        return Int(value, types.u64)
    scalar = scalar_of_btf(plain)
    if scalar is None or scalar.size == 8:
        kind: Any = scalar or types.u64
        return Int(c.b.retype(value, *limits(64, True)) if kind.signed else value, kind)
    return Int(c.b.extend(value, scalar.bits, scalar.signed), scalar)


def scalar_of_btf(plain: Any) -> Any:
    from ...btf.kinds import Kind

    if plain.kind in (Kind.INT, Kind.ENUM, Kind.ENUM64):
        from ...kernel.trace_events import SCALARS

        return SCALARS.get((plain.size, plain.signed))
    return None


class Kernel(Pointer):
    """A pointer to a structure of the kernel: `task.real_parent.pid` reads field by field.

    `direct` pointers came from BTF-typed arguments: the program loads through them, and a bad address reads as 0.  Others
    are read with probe_read_kernel.  `place` is where `struct` lies in what `value` points to.
    """

    __slots__ = ("direct", "place", "struct")

    def assign(self, c: Compiler, name: str, value: Front, node: Any) -> None:
        c.fail(f"programs read the kernel's structures and do not write them, so not {name!r} of {self.what()}", node)

    def __init__(
        self,
        value: Value,
        struct: Any,
        *,
        direct: bool,
        place: Place | None = None,
        null: bool = False,
        owner: Value | None = None,
    ) -> None:
        super().__init__(value, null=null, owner=owner)
        self.struct = struct
        self.direct = direct
        self.place = place or Place(struct)

    def what(self) -> str:
        return f"struct {self.struct.name} of the kernel"

    def likeness(self) -> Any:
        return self.struct.name, self.direct, self.place.root.name, self.place.names()

    def around(self, value: Value, *, null: bool, owner: Value | None) -> Pointer:
        return Kernel(value, self.struct, direct=self.direct, place=self.place, null=null, owner=owner)

    def is_none(self, c: Compiler, node: Any) -> Any:
        if self.check is not None:
            return super().is_none(c, node)
        return c.b.branch("==", 64, self.value, c.b.const(0))

    def pointer_value(self, c: Compiler) -> Value:
        self.usable(c, c.b.at)
        return address(c, self.value, self.place)

    def number(self, c: Compiler, node: Any) -> Int:
        return Int(self.pointer_value(c), types.u64)

    def attribute(self, c: Compiler, name: str, node: Any) -> Front:
        if name not in self.struct and name.endswith("_"):
            name = name[:-1]  # `state.in_`: Python keeps the word `in` for itself
        if name not in self.struct:
            from ..refused import names

            known = names(name, (m.name for m in self.struct.fields() if m.name))
            c.fail(f"struct {self.struct.name} of this kernel has no field {name!r}; {known}", node)
        return self.read(c, self.struct[name], node)

    def read(self, c: Compiler, member: Any, node: Any) -> Front:
        from ...btf.kinds import Kind

        self.usable(c, node)

        plain = member.type.stripped
        place = self.place.member(member, self.place.off + member.bit_offset // 8)
        if plain.kind in (Kind.STRUCT, Kind.UNION):
            inner = Kernel(self.value, plain, direct=self.direct, place=place, owner=self.owner)
            inner.check = self.check
            return inner
        if plain.kind == Kind.ARRAY:
            from ...types import Array

            element = scalar_of_btf(plain.element.stripped)
            if element is None:
                c.fail(f"{member.name} is an array of {plain.element}, which programs cannot index", node)
            is_text = getattr(plain.element.stripped, "is_char", False) or str(plain.element) == "char"
            type_ = Array(types.char if is_text else element, plain.count)
            return KernelArray(self.value, place, type_, direct=self.direct)
        if member.bit_size:
            return self.bits(c, member, plain)
        scalar = scalar_of_btf(plain)
        value = load(c, self, place, plain.size, scalar is not None and scalar.signed)
        if plain.kind == Kind.PTR:
            return typed(c, value, member.type, direct=self.direct)
        return Int(value, scalar or types.u64)

    def bits(self, c: Compiler, member: Any, plain: Any) -> Front:
        """A bit-field: the bytes that hold it, as compilers load them, shifted up and down."""
        from .values import INT

        size = plain.size
        first = self.place.off * 8 + member.bit_offset
        while first // 8 // size * size * 8 + size * 8 < first + member.bit_size and size < 8:
            size *= 2
        place = self.place.member(member, first // 8 // size * size)
        value = load(c, self, place, size, False)
        low = first - place.off * 8
        up = 64 - low - member.bit_size if byteorder == "little" else 64 - size * 8 + low
        down = 64 - member.bit_size
        signed = bool(plain.signed)
        value = c.b.arith("shl", value, number(c, field(up, place, LSHIFT), 0, 63))
        shift = number(c, field(down, place, RSHIFT), 0, 63)
        return Int(c.b.arith("sar" if signed else "shr", value, shift, 64, *limits(member.bit_size, signed)), INT)


class KernelArray(Front):
    """An array inside a structure of the kernel: read by constant index, or handed to probe_read_kernel whole."""

    __slots__ = ("direct", "place", "type", "value")

    def __init__(self, value: Value, place: Place, type_: Any, *, direct: bool) -> None:
        self.value = value
        self.place = place
        self.type = type_
        self.direct = direct

    def what(self) -> str:
        return f"{self.type!r} of the kernel"

    def pointer_value(self, c: Compiler) -> Value:
        return address(c, self.value, self.place)

    def read_into(self, c: Compiler, to: Ref, node: Any) -> None:
        """`event.comm = task.comm`: the array is read into the program's own memory."""
        from ..lower.helpercalls import call_helper

        if sizeof(to.type) != sizeof(self.type):
            c.fail(f"{type_name(to.type)} is not as long as {self.what()}: write bpf.probe_read_kernel(to, from)", node)
        to.writes(c, node)
        call_helper(c, "probe_read_kernel", [to, self], {}, node)

    def item(self, c: Compiler, index: Front, node: Any) -> Front:
        if not isinstance(index, Const) or not 0 <= index.obj < self.type.count:
            c.fail(f"an array of the kernel is indexed by a constant 0..{self.type.count - 1}", node)
        kind = types.u8 if self.type.element is types.char else self.type.element
        return Int(load(c, self, self.place.element(index.obj, kind.size), kind.size, kind.signed), kind)


def load(c: Compiler, front: Kernel | KernelArray, place: Place, size: int, signed: bool) -> Value:
    """A number at a place of a structure of the kernel."""
    if front.direct:
        return c.b.load(front.value, place.offset, size, signed, "kernel")
    from .events import read_kernel

    return read_kernel(c, address(c, front.value, place), size, signed)
