"""`Ref`: a place in memory (stack, map value, packet, ring-buffer record, kernel object) seen through a type.

A reference to a number behaves as a numpy scalar view does: reading gives the number, `ref += 1` changes memory.
A reference may be None (`check` says how that is tested) until a branch has shown that it is not.
"""

from __future__ import annotations

from types import FunctionType

from ...declared import Global
from ...types import Scalar
from ..lower.bounds import bounded
from ..ssa.build import CALLERS, limits
from ..ssa.ir import Value
from .integers import OPS, binary, convert, value_of
from .layout import Field, as_array, fields, is_array, is_struct, normal, scalar_of, sizeof, type_name
from .pieces import Contents, chunk, constant_bytes, copy, multiple, plain_pieces, scrub
from .values import INT, Conflict, Const, Front, Int, Tuple, native, span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..lower.compiler import Compiler

FIXED = frozenset(("ctx", "kernel"))
"""Regions in which the kernel takes constant offsets only."""
SCRUBS = (6, 8)
"""What `scrub` is for was seen on Linux 5.10 and 6.1, and not on 6.12."""
ATOMIC = {"Add": 0x00, "Sub": 0x00, "BitOr": 0x40, "BitAnd": 0x50, "BitXor": 0xA0}


class Ref(Front):
    """`type` at `base + off` in `region`."""

    __slots__ = (
        "align", "base", "check", "epoch", "label", "off", "origin", "owner", "region", "shared", "type", "writable",
    )  # fmt: skip

    def __init__(
        self,
        base: Value,
        off: int,
        type_: Any,
        region: str,
        *,
        check: tuple[Any, ...] | None = None,
        shared: bool = False,
        writable: bool = True,
        owner: Value | None = None,
        epoch: int = 0,
        label: str = "",
        origin: Front | None = None,
        align: int = 8,
    ) -> None:
        self.base = base
        self.off = off
        self.type = type_
        self.region = region
        self.check = check  # how None is told: ("null", pointer) or ("end", end of the view, end of the packet)
        self.shared = shared  # other CPUs write it too: in-place operators are atomic
        self.writable = writable
        self.owner = owner  # the reservation that it belongs to
        self.epoch = epoch  # of packet views: which placement of the packet
        self.label = label
        self.origin = origin  # the map that it lies in
        self.align = align  # what a base that was given is a multiple of

    def at(self, base: Value, off: int, type_: Any) -> Ref:
        """Another place inside the same object."""
        return Ref(
            base, off, type_, self.region, check=self.check, shared=self.shared, writable=self.writable,
            owner=self.owner, epoch=self.epoch, label=self.label, origin=self.origin, align=self.align,
        )  # fmt: skip

    def what(self) -> str:
        return f"a reference to {type_name(self.type)}"

    # -- the protocol of front-end values

    def number(self, c: Compiler, node: Any) -> Int | Const:
        if scalar_of(self.type) is None:
            c.fail(f"{self.what()} is not a number: name a field or an index of it", node)
        return self.load(c, node)

    def attribute(self, c: Compiler, name: str, node: Any) -> Front:
        if name == "value" and self.whole():
            return self.load(c, node) if self.is_number() else self
        shared = self.of_class(name)
        if isinstance(shared, property):
            from ..lower.calls import inline

            return inline(c, shared.fget, [self], {}, node)  # type: ignore[arg-type]
        if shared is not None:
            return Const(getattr(self.type, name))
        return self.member(c, self.field(c, name, node), node)

    def of_class(self, name: str) -> Any:
        """What the class of a structure has under a name that is no field: a function, a property, a constant."""
        if not is_struct(self.type) or name[:2] == "__" or name in fields(self.type):
            return None
        return next((vars(base)[name] for base in self.type.__mro__ if name in vars(base)), None)

    def method(self, c: Compiler, name: str, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        from ..lower.calls import apply, inline

        shared = self.of_class(name)
        if shared is not None:
            self.usable(c, node)
        if isinstance(shared, FunctionType):
            return inline(c, shared, [self, *args], kw, node)
        if shared is None or isinstance(shared, property):
            return super().method(c, name, args, kw, node)
        return apply(c, getattr(self.type, name), args, kw, node)

    def member(self, c: Compiler, field: Field, node: Any) -> Front:
        inner = self.at(self.base, self.off + field.offset, field.type)
        if field.width:
            return inner.load_bits(c, field, node)
        return inner.read(c, node) if scalar_of(field.type) is not None else part(inner)

    def whole(self) -> bool:
        """Whether `.value` is all of it: of numbers, and of global variables."""
        if self.is_number():
            return True
        return isinstance(getattr(self.origin, "spec", None), Global) and not (
            is_struct(self.type) and "value" in fields(self.type)
        )

    def field(self, c: Compiler, name: str, node: Any) -> Field:
        if not is_struct(self.type):
            c.fail(f"{self.what()} has no field {name!r}", node)
        known = fields(self.type)
        if name not in known:
            from ..refused import names

            c.fail(f"{type_name(self.type)} has no field {name!r}; {names(name, known)}", node)
        return known[name]

    def assign(self, c: Compiler, name: str, value: Front, node: Any) -> None:
        if name == "value" and self.whole():
            return self.store(c, value, node)
        field = self.field(c, name, node)
        inner = self.at(self.base, self.off + field.offset, field.type)
        if field.width:
            return inner.store_bits(c, field, value, node)
        inner.store(c, value, node, f"{name} of {self.label or type_name(self.type)}")
        return inner.overwritten(c, node)

    def update(self, c: Compiler, op: str, name: str | None, value: Front, node: Any) -> None:
        """`ref op= value`, or `ref.name op= value`, in place."""
        if name is None:
            return self.modify(c, op, value, node)
        if name == "value" and self.is_number():
            return self.modify(c, op, value, node)
        field = self.field(c, name, node)
        inner = self.at(self.base, self.off + field.offset, field.type)
        if field.width:
            scalar = scalar_of(field.type)
            assert scalar is not None
            value = operand(c, op, field.width, scalar.signed, value, f"{name}, which has {field.width} bits,", node)
            old = inner.load_bits(c, field, node)
            new = binary(c, op, old, value, node).number(c, node)
            return inner.store_bits(c, field, cast_bits(c, new, field.width, scalar.signed), node)
        inner.label = f"{name} of {inner.label or type_name(self.type)}"
        return inner.modify(c, op, value, node)

    def element(self, c: Compiler, index: Front, node: Any) -> Ref:
        if not is_array(self.type):
            c.fail(f"{self.what()} cannot be indexed", node)
        array = as_array(self.type)
        element = (
            normal(array.element) if array.element is not None and getattr(array.element, "name", "") != "char" else _u8
        )
        step = sizeof(element)
        i = index.number(c, node)
        if isinstance(i, Const) and -array.count <= i.obj < 0:
            i = Const(i.obj + array.count)  # from the end, as in Python
        lo, hi = span(c, i)
        if lo < 0 or hi >= array.count:
            shown = f"{lo}" if lo == hi else f"{lo}..{hi}"
            if not c.lenient():
                c.fail(
                    f"the index may be {shown}, and {type_name(self.type)} has 0..{array.count - 1}: test it first",
                    node,
                )
        value = value_of(c, i)
        if value.op == "const":
            return self.at(self.base, self.off + value.aux * step, element)
        if self.region in FIXED:
            c.fail(f"{self.label or self.what()} is indexed by a constant 0..{array.count - 1}", node)
        value = bounded(c, value, array.count - 1)
        scaled = c.b.arith("mul", value, c.b.const(step), 64, max(lo, 0) * step, max(hi, 0) * step)
        moved = c.b.arith("add", self.base, scaled)
        if self.region == "packet":
            moved = self.again(c, moved, step, node)
        return self.at(moved, self.off, element)

    def again(self, c: Compiler, moved: Value, size: int, node: Any) -> Value:
        """A pointer into the packet that a number was added to is compared with the packet's end once more: the verifier
        knows nothing of it.  On the way that never is taken it is the pointer before."""
        self.usable(c, node)
        # A view that several ways brought is known to be there, and no more.
        last = self.check[2] if self.check and self.check[0] == "end" else c.context().ends(c, node)[1]
        outside, inside = c.b.branch(">", 64, c.b.arith("add", moved, c.b.const(self.off + size)), last)
        block = c.b.graph.new_block()
        for way in (inside, outside):
            c.b.state = way
            c.b.end("jump", block)
        value = Value("phi", [moved, self.base], None, 64, *limits(64, False))
        value.block = block
        block.phis.append(value)
        outside.block = block
        c.b.state = outside
        return value

    def item(self, c: Compiler, index: Front, node: Any) -> Front:
        inner = self.element(c, index, node)
        return inner.read(c, node) if scalar_of(inner.type) is not None else part(inner)

    def set_item(self, c: Compiler, index: Front, value: Front, node: Any) -> None:
        place = self.element(c, index, node)
        place.store(c, value, node)
        place.overwritten(c, node)

    # -- memory

    def usable(self, c: Compiler, node: Any) -> None:
        """Refuse a reference that may be None, was released, or points into a packet that has moved."""
        if self.check is not None and self.check not in c.state.facts:
            c.fail(f"{self.label or 'this reference'} may be None here: test it with `is None` first", node)
        if self.region == "packet" and self.epoch != c.state.memory.get("place", 0):
            c.fail("the packet may have moved since this view was made: call ctx.packet(...) again", node)
        if self.owner is not None and self.owner not in c.state.owned:
            c.fail(f"{self.label or 'this record'} was already submitted or discarded", node)

    def pointer(self, c: Compiler, node: Any) -> Value:
        """Its address."""
        self.usable(c, node)
        return c.b.arith("add", self.base, c.b.const(self.off)) if self.off else self.base

    def read(self, c: Compiler, node: Any) -> Int:
        """The number of a field or an element, which remembers where it stands."""
        found = self.load(c, node)
        found.place = None if self.region in FIXED else self
        return found

    def load(self, c: Compiler, node: Any) -> Int:
        self.usable(c, node)
        scalar = scalar_of(self.type)
        assert scalar is not None
        kind = native(scalar)
        swapped = kind is not scalar and kind.size > 1
        raw = self.raw_load(c, kind.size, kind.signed and not swapped)
        if swapped:
            lo, hi = limits(kind.bits, False)
            raw = c.b.share("bswap", [raw], kind.bits, 64, lo, hi)
            if kind.signed:
                raw = c.b.extend(raw, kind.bits, True)
        return Int(raw, kind)

    def raw_load(self, c: Compiler, size: int, signed: bool) -> Value:
        if size <= self.alignment():
            return c.b.load(self.base, self.off, size, signed, self.region)
        value = c.b.const(0)
        for i in range(size):
            byte = c.b.load(self.base, self.off + i, 1, False, self.region)
            value = c.b.arith("or", value, c.b.arith("shl", byte, c.b.const(8 * i), 64, 0, (1 << 8 * i + 8) - 1))
        return c.b.extend(value, 8 * size, signed)

    def alignment(self) -> int:
        """The power of two, 8 at most, that its address is a multiple of, as far as that matters: the stack, of which a function
        may be given a part, is accessed at aligned addresses only, whatever the machine can do."""
        if self.region not in CALLERS:
            return 8
        address = multiple(self.base, self.align) | self.off | 8
        return address & -address

    def writes(self, c: Compiler, node: Any) -> None:
        self.usable(c, node)
        if not self.writable:
            c.fail(f"{self.label or self.what()} is read-only here", node)

    def store(self, c: Compiler, value: Front, node: Any, where: str = "") -> None:
        self.writes(c, node)
        scalar = scalar_of(self.type)
        if scalar is None:
            return self.fill(c, value, node)
        where = where or self.label or "this place"
        self.raw_store(c, scalar, convert(c, value, scalar, node, where))
        return None

    def overwritten(self, c: Compiler, node: Any) -> None:
        """A name for what lay here is no copy of it, and would now mean something else: `t = e.dst; e.dst = e.src; e.src = t`
        exchanges nothing, in ctypes as little as here.  Such names are not used again."""
        if self.is_number():
            return
        end = self.off + sizeof(self.type)
        for name, front in c.state.env.items():
            if front is self or not isinstance(front, Ref) or front.is_number() or front.base is not self.base:
                continue
            size = sizeof(front.type)
            if size == end - self.off and front.type != self.type:
                continue  # a structure of which this is the only field
            if self.off <= front.off and front.off + size <= end:
                c.state.env[name] = Conflict(
                    f"{name} is a reference to what line {c.source(node).line} has overwritten, and no copy of it: write "
                    f"{name} = copy.copy(...) where it is taken, or a.x, a.y = a.y, a.x to exchange"
                )

    def raw_store(self, c: Compiler, scalar: Scalar, value: Value) -> None:
        size = scalar.size
        if native(scalar) is not scalar and size > 1:
            value = swap(c, value, scalar.bits)
        self.write(c, size, value)

    def write(self, c: Compiler, size: int, value: Value) -> None:
        """Store the low bytes of a value: at once where that may be done."""
        if self.region in CALLERS and self.base.op == "add" and c.unit.kernel < SCRUBS:
            scrub(c, self)
        if size <= self.alignment():
            c.b.store(self.base, self.off, size, value, self.region)
            return
        for i in range(size):
            byte = c.b.arith("shr", value, c.b.const(8 * i), 64, 0, (1 << 63) - 1) if i else value
            c.b.store(self.base, self.off + i, 1, byte, self.region)

    def modify(self, c: Compiler, op: str, value: Front, node: Any) -> None:
        """In place, at the width of the place: atomic where other CPUs write too."""
        scalar = scalar_of(self.type)
        if scalar is None:
            c.fail(f"{self.what()} has no in-place operators: name a field of it", node)
        self.writes(c, node)
        value = operand(c, op, scalar.bits, scalar.signed, value, self.label or f"this {scalar}", node)
        if self.shared and not self.locked(c):
            return self.modify_atomic(c, op, scalar, value, node)
        old = self.load(c, node)
        new = binary(c, op, old, value, node).number(c, node)
        lo, hi = span(c, new)
        from .integers import cast

        low, high = limits(scalar.bits, scalar.signed)
        if not (low <= lo and hi <= high):
            new = cast(c, native(scalar), new, node).number(c, node)
        self.raw_store(c, scalar, value_of(c, new))
        return None

    def locked(self, c: Compiler) -> bool:
        """Whether the spin lock of this value is held, so that nobody else changes it."""
        held = c.state.owned.get("lock")
        return held is not None and held.base is self.base

    def modify_atomic(self, c: Compiler, op: str, scalar: Scalar, value: Front, node: Any) -> None:
        if op not in ATOMIC or op not in OPS:
            c.fail("this operator has no atomic form, and other CPUs write this map too: use a per-CPU map, "
                   "or write the new value with m[key] = ...", node)  # fmt: skip
        if scalar.size < 4 or native(scalar) is not scalar:
            c.fail(f"atomic operators exist for 4- and 8-byte numbers in host order, and this one is {scalar}: "
                   "use u32 or u64, or a per-CPU map", node)  # fmt: skip
        n = value.number(c, node)
        operand = value_of(c, n)
        if op == "Sub":
            operand = c.b.arith("sub", c.b.const(0), operand)
        if op in ("BitOr", "BitAnd", "BitXor") and (c.isa < 3 or c.unit.kernel < (5, 12)):
            target = f"v{c.isa}" if c.isa < 3 else f"Linux {c.unit.kernel_name}"
            c.fail(f"atomic {op} needs ISA v3 (Linux 5.12); this program is compiled for {target}", node)
        c.b.emit("atomic", [self.base, operand], (self.off, scalar.size, ATOMIC[op]))
        c.b.clobber(self.region)

    # -- bit-fields

    def load_bits(self, c: Compiler, field: Field, node: Any) -> Int:
        self.usable(c, node)
        scalar = scalar_of(field.type)
        assert scalar is not None
        first, shift, size = unit(field, scalar)
        raw = self.at(self.base, self.off + first, field.type).raw_load(c, size, False)
        if size > 1 and native(scalar) is not scalar:
            raw = swap(c, raw, 8 * size)
        if scalar.signed:
            top = c.b.arith("shl", raw, c.b.const(64 - shift - field.width))
            lo, hi = limits(field.width, True)
            return Int(c.b.arith("sar", top, c.b.const(64 - field.width), 64, lo, hi), INT)
        value = c.b.arith("shr", raw, c.b.const(shift), 64, 0, raw.hi >> shift)
        mask = (1 << field.width) - 1
        return Int(c.b.arith("and", value, c.b.const(mask), 64, 0, min(mask, raw.hi >> shift)), native(scalar))

    def store_bits(self, c: Compiler, field: Field, value: Front, node: Any) -> None:
        self.writes(c, node)
        scalar = scalar_of(field.type)
        assert scalar is not None
        n = value.number(c, node)
        lo, hi = span(c, n)
        low, high = limits(field.width, scalar.signed)
        if not (low <= lo and hi <= high) and not c.lenient():
            shown = f"{lo}" if lo == hi else f"{lo}..{hi}"
            c.fail(f"{field.name} has {field.width} bits and takes {low}..{high}; this number may be {shown}: "
                   f"write & {high}", node)  # fmt: skip
        first, shift, size = unit(field, scalar)
        place = self.at(self.base, self.off + first, field.type)
        mask = ((1 << field.width) - 1) << shift
        swapped = size > 1 and native(scalar) is not scalar
        old = place.raw_load(c, size, False)
        if swapped:
            old = swap(c, old, 8 * size)
        keep = c.b.arith("and", old, c.b.const(~mask & (1 << 8 * size) - 1), 64, 0, (1 << 8 * size) - 1)
        bits = c.b.arith("shl", value_of(c, n), c.b.const(shift), 64, 0, (1 << 63) - 1)
        if lo < 0:
            bits = c.b.arith("and", bits, c.b.const(mask), 64, 0, mask)
        new = c.b.arith("or", keep, bits, 64, 0, (1 << 8 * size) - 1)
        place.write(c, size, swap(c, new, 8 * size) if swapped else new)

    # -- whole objects

    def fill(self, c: Compiler, value: Front, node: Any) -> None:
        """Copy a structure or array of the same size into this place; bytes and text into a char array."""
        size = sizeof(self.type)
        if (mine := part(self)) is not self:
            c.fail(f"{mine.what()} cannot be assigned: {mine.use()}", node)  # type: ignore[attr-defined]
        if isinstance(value, Tuple):
            from ..lower.calls import set_fields

            return set_fields(c, self, value.items, {}, node)
        if isinstance(value, Const):
            raw = constant_bytes(c, value.obj, self.type, node)
            for i, width in plain_pieces(self, size, chunk(self)):
                c.b.store(
                    self.base, self.off + i, width, c.b.const(int.from_bytes(raw[i : i + width], "little")), self.region
                )
            return None
        if isinstance(value, Contents) and sizeof(value.type) == size:
            return value.store(c, self, node)
        read_into = getattr(value, "read_into", None)
        if read_into is not None:
            return read_into(c, self, node)  # type: ignore[no-any-return]
        if (
            not isinstance(value, Ref)
            or sizeof(value.type) != size
            or (is_struct(self.type) and value.type is not self.type)
        ):
            c.fail(f"{type_name(self.type)} is set from a value of the same type, not from {value.what()}", node)
        return copy(c, self, value, size, node)

    def is_number(self) -> bool:
        return scalar_of(self.type) is not None


def operand(c: Compiler, op: str, bits: int, signed: bool, value: Front, where: str, node: Any) -> Front:
    """The right side of `place op= value`: the result wraps at the width of the place, and what is added to it fits there."""
    n = value.number(c, node)
    lo, hi = span(c, n)
    low = -(1 << bits - 1) if op in ("Add", "Sub", "BitAnd") or signed else 0
    if op in ("LShift", "RShift") or (low <= lo and hi < 1 << bits) or c.lenient():
        return n
    shown = f"{lo}" if lo == hi else f"{lo}..{hi}"
    wrap = (
        f"write {'s' if signed else 'u'}{bits}(...) around it"
        if bits in (8, 16, 32, 64)
        else f"write & {(1 << bits) - 1}"
    )
    c.fail(f"{where} is changed by a number that may be {shown}: {wrap}", node)


def cast_bits(c: Compiler, n: Int | Const, width: int, signed: bool) -> Front:
    """A number as a bit-field keeps it: its low bits."""
    (lo, hi), (low, high) = span(c, n), limits(width, signed)
    if low <= lo and hi <= high:
        return n
    value = value_of(c, n)
    if not signed:
        return Int(c.b.arith("and", value, c.b.const(high), 64, 0, high), INT)
    top = c.b.arith("shl", value, c.b.const(64 - width))
    return Int(c.b.arith("sar", top, c.b.const(64 - width), 64, low, high), INT)


def unit(field: Field, scalar: Scalar) -> tuple[int, int, int]:
    """The smallest part of a bit-field's storage that holds it: (first byte, shift, size)."""
    first, last = field.shift // 8, (field.shift + field.width - 1) // 8
    if first == last:
        backwards = native(scalar) is not scalar
        return (scalar.size - 1 - first if backwards else first), field.shift % 8, 1
    return 0, field.shift, scalar.size


def swap(c: Compiler, value: Value, bits: int) -> Value:
    if value.op == "const":
        return c.b.const(int.from_bytes((value.aux & (1 << bits) - 1).to_bytes(bits // 8, "big"), "little"))
    if value.op == "bswap" and value.aux == bits and value.args[0].hi < 1 << bits and value.args[0].lo >= 0:
        return value.args[0]
    return c.b.share("bswap", [value], bits, 64, 0, (1 << bits) - 1)


def part(ref: Ref) -> Front:
    """A part of a structure; what belongs to the kernel has methods of its own."""
    kind = "kptr" if hasattr(ref.type, "pointee") else KINDS.get(getattr(ref.type, "__name__", ""))
    if kind is not None:
        from .kernelfields import FIELDS

        return FIELDS[kind](ref)  # type: ignore[no-any-return]
    return ref


KINDS = {"bpf_spin_lock": "spin_lock", "bpf_timer": "timer", "bpf_wq": "wq"}


def contents(c: Compiler, value: Front, node: Any) -> Front:
    """A value that later stores do not change."""
    if not isinstance(value, Ref):
        return value
    return value.number(c, node) if value.is_number() else Contents(c, value, node)


from . import scalars as _types  # noqa: E402

_u8 = _types.u8
