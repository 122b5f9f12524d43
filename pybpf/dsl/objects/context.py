"""The context that a program is given: its fields, and the packet behind it as bounds-checked views.

Which fields there are, and what may be written, is asked of `pybpf.kernel` for the target kernel.
"""

from __future__ import annotations

from ..lower.bounds import seen
from ..ssa.build import limits
from . import scalars as types
from .integers import convert, value_of
from .layout import is_struct, sizeof, type_given
from .refs import Ref, swap
from .values import Const, Front, Int, span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..lower.compiler import Compiler
    from ..ssa.ir import Value

RAW_WRITABLE, SYSCALL = 24, 31
ITERATOR = 28  # BPF_TRACE_ITER
SKB_LOAD_BYTES, DYNPTR_READ, FROM_SKB = 26, 201, "bpf_dynptr_from_skb"
MAX_OFFSET = 0xFFFF  # the verifier follows packet offsets below this (MAX_PACKET_OFF)
_INT = {1: types.u8, 2: types.u16, 4: types.u32, 8: types.u64}

# Fields that hold a number in network order: width in bits of what they hold.  They read as host integers.
NETWORK_ORDER = {
    "__sk_buff": {"protocol": 16, "vlan_proto": 16, "remote_ip4": 32, "local_ip4": 32, "remote_ip6": 32, "local_ip6": 32,
                  "remote_port": 32},
    "bpf_sock_addr": {"user_ip4": 32, "user_ip6": 32, "user_port": 16, "msg_src_ip4": 32, "msg_src_ip6": 32},
    "bpf_sock_ops": {"remote_ip4": 32, "local_ip4": 32, "remote_ip6": 32, "local_ip6": 32, "remote_port": 32},
    "sk_msg_md": {"remote_ip4": 32, "local_ip4": 32, "remote_ip6": 32, "local_ip6": 32, "remote_port": 32},
    "bpf_sock": {"src_ip4": 32, "src_ip6": 32, "dst_port": 16, "dst_ip4": 32, "dst_ip6": 32},
    "bpf_sk_lookup": {"remote_ip4": 32, "remote_ip6": 32, "remote_port": 16, "local_ip4": 32, "local_ip6": 32},
    "sk_reuseport_md": {"eth_protocol": 16},
}  # fmt: skip
LEGACY = frozenset((1, 3, 4))  # program types with BPF_LD_ABS: SOCKET_FILTER, SCHED_CLS, SCHED_ACT
_HELPERS = {"xdp_md": ("xdp_",), "__sk_buff": ("skb_", ""), "sk_msg_md": ("msg_",), "bpf_sock_ops": ("sock_ops_", ""),
            "sk_reuseport_md": ("sk_", "skb_"), "bpf_sk_lookup": ("sk_",), "bpf_sysctl": ("sysctl_",)}  # fmt: skip


class Context(Front):
    """R1 of a program."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value

    def what(self) -> str:
        return "the context"

    def pointer_value(self, c: Compiler) -> Value:
        return self.value

    # -- fields

    def field(self, c: Compiler, name: str, node: Any, *, write: bool = False) -> Any:
        kind = c.unit.kind
        known = c.unit.rules().context.fields
        field = known.get(name)
        if field is not None and _accessible(field, write):
            return field
        can = [f.name for f in known.values() if _accessible(f, write)]
        if field is not None:
            does = "write" if write else "read"
            told = (
                f"it can {does} {', '.join(can)}" if can else f"nothing in it can be {'written' if write else 'read'}"
            )
            c.fail(f"{kind.name} programs may not {does} {name} of their context; {told}", node)
        has = f"it has {', '.join(can)}" if can else "it has none that can be written" if write else "it has none"
        c.fail(f"the context of {kind.name} programs has no field {name!r}; {has}", node)

    def attribute(self, c: Compiler, name: str, node: Any) -> Front:
        found = c.unit.kind.arguments(c, self, name, node)
        if found is not None:
            return found  # type: ignore[no-any-return]
        if name == "data_meta" and c.unit.rules().packet:
            c.fail("write ctx.meta(Note) for the bytes in front of the packet, instead of ctx.data_meta", node)
        if name in ("data", "data_end") and c.unit.rules().packet:
            c.fail(
                f"write ctx.packet(Header) for the packet's bytes, and len(ctx) for its length, instead of ctx.{name}",
                node,
            )
        known = c.unit.rules().context.fields
        if name not in known and any(n.startswith(name + ".") for n in known):
            return Part(self, name)
        field = self.field(c, name, node)
        if field.count > 1:
            return Elements(self, field)
        return self.load(c, field, field.offset, node)

    def load(self, c: Compiler, field: Any, offset: int, node: Any) -> Front:
        if field.kind != "scalar":
            from .kernelrefs import context_pointer

            value = c.b.load(self.value, offset, field.size, False, "ctx")
            return context_pointer(c, field, value, node)
        value = c.b.load(self.value, offset, field.size, False, "ctx")
        bits = self.network(c, field.name)
        kind: Any = _INT[field.size]
        if bits:
            value = c.b.share("bswap", [value], bits, 64, *limits(bits, False))
            kind = _INT[bits // 8]
        elif field.name in _SIGNED:
            value, kind = c.b.extend(value, 32, True), types.s32
        return Int(value, kind)

    def network(self, c: Compiler, name: str) -> int:
        return NETWORK_ORDER.get(c.unit.rules().context.name, {}).get(name, 0)

    def assign(self, c: Compiler, name: str, value: Front, node: Any) -> None:
        field = self.field(c, name, node, write=True)
        if field.count > 1:
            c.fail(f"{name} is an array: write ctx.{name}[i] = ...", node)
        self.store(c, field, field.offset, value, node)

    def store(self, c: Compiler, field: Any, offset: int, value: Front, node: Any) -> None:
        bits = self.network(c, field.name)
        kind: Any = _INT[bits // 8 if bits else field.size]
        size = next(s for s in (field.size, 4, 2, 1) if field.storable(0, s))
        if field.name in _SIGNED:
            kind = types.s32
        number = convert(c, value, kind, node, f"ctx.{field.name}")
        if bits:
            number = swap(c, number, bits)
        c.b.emit("store", [self.value, number], (offset, size))
        c.b.clobber("ctx")

    # -- the packet

    def ends(self, c: Compiler, node: Any, kinds: tuple[str, str] = ("pkt", "pkt_end")) -> tuple[Value, Value]:
        """The packet's first byte and the byte behind its last."""
        rules = c.unit.rules()
        if not rules.packet:
            c.fail(
                f"{c.unit.kind.name} programs cannot see the packet directly; helpers such as skb_load_bytes copy from it",
                node,
            )
        # By kind, not by name: socket options have theirs between optval and optval_end.
        fields = {field.kind: field for field in rules.context.fields.values()}
        found = []
        tag = c.state.memory.get("place", 0)
        for kind in kinds:
            field = fields[kind]
            found.append(c.b.share("load", [self.value], (field.offset, field.size, False), 64, 1, (1 << 64) - 1, tag))
        return found[0], found[1]

    def packet(self, c: Compiler, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        """`ctx.packet(T, after=header, at=offset)`: a view of the packet's bytes as T, or None where it is too short."""
        if len(args) != 1 or not isinstance(args[0], Const) or set(kw) - {"after", "at"}:
            c.fail("write ctx.packet(Header), ctx.packet(Header, after=view) or ctx.packet(Header, at=offset)", node)
        type_ = type_given(c, args[0], node)
        size = sizeof(type_)
        if size > MAX_OFFSET:
            c.fail(f"a view of {size} bytes, and the kernel follows {MAX_OFFSET}", node)
        if not c.unit.rules().packet:
            return self.copied(c, type_, kw, node)
        if "at" in kw:
            n = kw["at"].number(c, node)
            if isinstance(n, Int) and not seen(c, n.value, MAX_OFFSET - size):
                return self.within(c, args, kw, n, size, node)
        return self.view(c, args, kw, node)

    def view(self, c: Compiler, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        """A view whose offset is known to lie within any packet."""
        assert isinstance(args[0], Const)
        type_ = type_given(c, args[0], node)
        size = sizeof(type_)
        start, end = self.ends(c, node)
        base = start
        after = kw.get("after")
        if after is not None:
            if not isinstance(after, Ref) or after.region != "packet":
                c.fail("after= takes a view that ctx.packet gave", node)
            after.usable(c, node)
            if after.check is not None and after.check[0] == "end" and after.check[2] is start:
                c.fail("what ctx.meta gave ends where the packet begins: leave out after=", node)
            base = c.b.arith("add", after.base, c.b.const(after.off + sizeof(after.type)))
        if "at" in kw:
            base = self.offset(c, base, kw["at"], size, node)
        epoch = c.state.memory.get("place", 0)
        view_end = c.b.arith("add", base, c.b.const(size))
        root, off = (base.args[0], base.args[1].aux) if base.op == "add" and base.args[1].op == "const" else (base, 0)
        writable = c.unit.rules().packet == "rw"
        return Ref(root, off, type_, "packet", check=("end", view_end, end), epoch=epoch, writable=writable,
                   label=f"the {getattr(type_, '__name__', type_)} header")  # fmt: skip

    def meta(self, c: Compiler, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        """`ctx.meta(T)`: a view of the bytes that XDP put in front of the packet, or None where there are fewer."""
        if len(args) != 1 or not isinstance(args[0], Const) or kw:
            c.fail("write ctx.meta(Note), with the type of what stands in front of the packet", node)
        rules = c.unit.rules()
        if not any(field.kind == "pkt_meta" for field in rules.context.fields.values()):
            c.fail(
                f"{c.unit.kind.name} programs have nothing in front of their packets; XDP and tc programs have", node
            )
        type_ = type_given(c, args[0], node)
        start, end = self.ends(c, node, ("pkt_meta", "pkt"))
        check = ("end", c.b.arith("add", start, c.b.const(sizeof(type_))), end)
        return Ref(start, 0, type_, "packet", check=check, epoch=c.state.memory.get("place", 0), writable=rules.packet == "rw",
                   label=f"the {getattr(type_, '__name__', type_)} in front of the packet")  # fmt: skip

    def within(self, c: Compiler, args: list[Front], kw: dict[str, Front], n: Int, size: int, node: Any) -> Front:
        """An offset that may lie outside of any packet is tested first: the view is None there."""
        from ..lower.conditions import jump
        from ..lower.expressions import select

        most = MAX_OFFSET - size
        outside, inside = jump(c, ">", 64, n.value, c.b.const(most))
        assert inside is not None
        lo, hi = inside.facts.get(n.value, (0, most))
        inside.facts[n.value] = (max(lo, 0), min(hi, most))
        c.b.state = inside
        view = self.view(c, args, {**kw, "at": n}, node)
        return select(c, [(outside, Const(None)), (c.b.state, view)], node, "this view")

    def buffer(self, c: Compiler, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        """`ctx.buffer(T)`: what a writable tracepoint hands out, its first argument; or what user space hands to a program."""
        if len(args) != 1 or not isinstance(args[0], Const) or kw:
            c.fail("write ctx.buffer(T), with the type of what the program is handed", node)
        if c.unit.kind.prog_type == SYSCALL:
            return as_annotated(c, self, type_given(c, args[0], node))
        value = c.b.load(self.value, 0, 8, False, "ctx")
        return Ref(value, 0, type_given(c, args[0], node), "mem", label="the buffer")

    def offset(self, c: Compiler, base: Value, at: Front, size: int, node: Any) -> Value:
        n = at.number(c, node)
        lo, hi = span(c, n)
        value = value_of(c, n)
        if value.op == "const":
            if not 0 <= lo <= MAX_OFFSET - size:
                c.fail(f"the offset of a header is 0..{MAX_OFFSET - size}, not {lo}", node)
            return c.b.arith("add", base, value)
        if (lo < 0 or hi > MAX_OFFSET - size) and not c.lenient():
            c.fail(
                f"the offset may be {lo}..{hi}, and the kernel follows 0..{MAX_OFFSET - size}: bound it first, "
                f"for example `if offset > 1500: return ...`, or mask it with & 0x7ff", node
            )  # fmt: skip
        # A constant part goes into the instructions that use the address.
        if (
            value.op == "add"
            and value.args[1].op == "const"
            and value.args[1].aux >= 0
            and value.bits == 64
            and seen(c, value.args[0], MAX_OFFSET)
        ):
            moved = c.b.share("add", [base, value.args[0]], None, 64, 1, (1 << 64) - 1)
            return c.b.arith("add", moved, value.args[1], 64, 1, (1 << 64) - 1)
        return c.b.share("add", [base, value], None, 64, 1, (1 << 64) - 1)

    def copied(self, c: Compiler, type_: Any, kw: dict[str, Front], node: Any) -> Front:
        """Programs without direct access get a copy on the stack."""
        from ..lower.helpercalls import check_allowed

        buffer = c.unit.rules().context.fields.get("skb")
        if buffer is None:
            check_allowed(c, "skb_load_bytes", SKB_LOAD_BYTES, node)
        size = sizeof(type_)
        at: Value = c.b.const(0)
        after = kw.get("after")
        if after is not None:
            if not isinstance(after, Copied):
                c.fail("after= takes a view that ctx.packet gave", node)
            after.usable(c, node)
            at = c.b.arith("add", after.place, c.b.const(sizeof(after.type)))
        if "at" in kw:
            n = kw["at"].number(c, node)
            at = c.b.arith("add", at, convert(c, n, types.u32, node, "at"))
        place = c.slot(size, 8 if size >= 8 else size, getattr(type_, "__name__", "packet"))
        if buffer is None:
            result = c.b.call("helper", SKB_LOAD_BYTES, "skb_load_bytes", [self.value, at, place, c.b.const(size)])
        else:
            result = self.read_buffer(c, buffer, at, place, size)
        view = Copied(
            place, 0, type_, "stack", check=("failed", result), writable=False, label="this copy of the packet"
        )
        view.place = at
        return view

    def read_buffer(self, c: Compiler, buffer: Any, at: Value, place: Value, size: int) -> Value:
        """Hooks of netfilter are given the kernel's own buffer, which a dynptr reads (both since Linux 6.4)."""
        skb = c.b.load(self.value, buffer.offset, buffer.size, False, "ctx")
        dynptr = c.borrow(16, 8, "dynptr")
        c.b.call("kfunc", FROM_SKB, FROM_SKB, [skb, c.b.const(0), dynptr])
        result = c.b.call("helper", DYNPTR_READ, "dynptr_read", [place, c.b.const(size), dynptr, at, c.b.const(0)])
        c.release(dynptr)
        return result

    def length(self, c: Compiler, node: Any) -> Front:
        """`len(ctx)`: bytes of the packet."""
        if c.unit.rules().context.name in ("xdp_md",):
            start, end = self.ends(c, node)
            return Int(c.b.share("sub", [end, start], None, 64, 0, (1 << 31) - 1), types.u64)
        for name in ("len", "size"):
            if name in c.unit.rules().context.fields:
                return self.attribute(c, name, node)
        c.fail("this context has no length", node)

    def legacy(self, c: Compiler, name: str, args: list[Front], node: Any) -> Front:
        """`skb.load_byte(i)`, `load_half`, `load_word`: one number of the packet in host order; a packet that is too
        short ends the program with 0."""
        size = {"load_byte": 1, "load_half": 2, "load_word": 4}[name]
        if c.unit.kind.prog_type not in LEGACY:
            c.fail(f"{name} is for SOCKET_FILTER, SCHED_CLS and SCHED_ACT programs: use ctx.packet(Header)", node)
        if len(args) != 1:
            c.fail(f"{name} takes an offset", node)
        n = args[0].number(c, node)
        if isinstance(n, Const) and not any(
            start <= n.obj < start + (1 << 16) for start in (0, SKF_NET_OFF, SKF_LL_OFF)
        ):
            c.fail(
                f"offset {n.obj} is outside of any packet: it is counted from the packet's first byte, from 0 on",
                node,
            )
        held = next(iter(c.state.owned.values()), None)
        if held is not None:
            c.fail(
                f"{name} ends the program where the packet is too short, while {held} is held: read it before that, "
                f"or use ctx.packet({_INT[size].name}, at=...), which is None there",
                node,
            )
        if c.stays:
            return self.leaving(c, name, n, size, node)
        if isinstance(n, Const):
            value = c.b.emit("ldabs", [self.value], (n.obj, size), 64, *limits(size * 8, False))
        else:
            index = convert(c, n, types.u32, node, "the offset")
            value = c.b.emit("ldind", [self.value, index], (0, size), 64, *limits(size * 8, False))
        return Int(value, _INT[size])

    def leaving(self, c: Compiler, name: str, n: Any, size: int, node: Any) -> Front:
        """The same where the program has something to end before it is left, or is in a callback: a copy is tested."""
        if c.frame.inlined or (isinstance(n, Const) and n.obj < 0):
            c.fail(
                f"{name} ends the program where the packet is too short, and {c.stays}: "
                f"use ctx.packet({_INT[size].name}, at=...), which is None there",
                node,
            )
        type_ = (types.u8, types.be16, types.be32)[size >> 1]
        view = self.copied(c, type_, {"at": n}, node)
        failed, result = view.check  # type: ignore[attr-defined]
        yes, no = c.b.branch("==", 64, result, c.b.const(0))
        yes.facts[failed, result] = True
        c.frame.returns.append((no, Const(0), node))
        c.b.state = yes
        return view.number(c, node)

    def written(self, c: Compiler, name: str, node: Any) -> bool:
        """`ctx.printf(f"...")` of iterators, which takes the text before it is evaluated."""
        if name != "printf" or c.unit.kind.attach_type != ITERATOR:
            return False
        from ..lower.printk import to_file

        meta: Any = self.attribute(c, "meta", node)
        to_file(c, meta.attribute(c, "seq", node).pointer_value(c), node)
        return True

    def method(self, c: Compiler, name: str, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        if name == "packet":
            return self.packet(c, args, kw, node)
        if name == "meta":
            return self.meta(c, args, kw, node)
        if name == "buffer" and c.unit.kind.prog_type in (RAW_WRITABLE, SYSCALL):
            return self.buffer(c, args, kw, node)
        if name in ("load_byte", "load_half", "load_word"):
            return self.legacy(c, name, args, node)
        from ...uapi.helper_names import HELPER_NAMES
        from ..lower.helpercalls import call_helper

        for prefix in (*_HELPERS.get(c.unit.rules().context.name, ()), ""):
            if prefix + name in HELPER_NAMES:
                return call_helper(c, prefix + name, [self, *args], kw, node)
        c.fail(f"the context has no method {name!r}{self.near(c, name)}", node)

    def near(self, c: Compiler, name: str) -> str:
        """Methods that may have been meant: ours, and the helpers that this kind of program may call."""
        from ...misuse import near
        from ...uapi.helper_names import HELPER_NAMES

        prefixes = _HELPERS.get(c.unit.rules().context.name, ())
        helpers = [HELPER_NAMES[i] for i in c.unit.rules().helpers if i < len(HELPER_NAMES)]
        short = [helper.removeprefix(prefix) for helper in helpers for prefix in prefixes if helper.startswith(prefix)]
        return near(name, [*OWN, *short, *helpers]) or ": it has packet, and the helpers of its kind"


OWN = ("packet", "meta", "load_byte", "load_half", "load_word")
"""Methods that are no helpers."""


def as_annotated(c: Compiler, context: Context, annotation: Any) -> Front:
    """The context of a SYSCALL program is a buffer of user space's: `def f(ctx: Arguments)` sees it as that structure."""
    if c.unit.kind.prog_type != SYSCALL or not is_struct(annotation):
        return context
    return Ref(context.value, 0, annotation, "ctx", label="ctx")


class Copied(Ref):
    """A copy of packet bytes on the stack; `place` is where in the packet they stand."""

    __slots__ = ("place",)
    place: Value


class Part(Front):
    """A structure inside the context, whose fields are those of the context with its name before theirs."""

    __slots__ = ("context", "name")

    def __init__(self, context: Context, name: str) -> None:
        self.context = context
        self.name = name

    def what(self) -> str:
        return f"ctx.{self.name}"

    def attribute(self, c: Compiler, name: str, node: Any) -> Front:
        return self.context.attribute(c, f"{self.name}.{name}", node)

    def assign(self, c: Compiler, name: str, value: Front, node: Any) -> None:
        self.context.assign(c, f"{self.name}.{name}", value, node)


class Elements(Front):
    """An array field of the context."""

    __slots__ = ("context", "field")

    def __init__(self, context: Context, field: Any) -> None:
        self.context = context
        self.field = field

    def what(self) -> str:
        return f"ctx.{self.field.name}"

    def place(self, c: Compiler, index: Front, node: Any, write: bool) -> int:
        n = index.number(c, node)
        if not isinstance(n, Const) or not 0 <= n.obj < self.field.count:
            c.fail(f"{self.what()} is indexed by a constant 0..{self.field.count - 1}", node)
        if not _accessible(self.field, write, n.obj):
            can = [str(i) for i in range(self.field.count) if _accessible(self.field, write, i)]
            does, only = "write" if write else "read", f"; only [{', '.join(can)}] of it" if can else ""
            c.fail(f"{c.unit.kind.name} programs may not {does} {self.what()}[{n.obj}]{only}", node)
        return self.field.offset + n.obj * self.field.size  # type: ignore[no-any-return]

    def item(self, c: Compiler, index: Front, node: Any) -> Front:
        return self.context.load(c, self.field, self.place(c, index, node, False), node)

    def set_item(self, c: Compiler, index: Front, value: Front, node: Any) -> None:
        self.context.field(c, self.field.name, node, write=True)
        self.context.store(c, self.field, self.place(c, index, node, True), value, node)

    def length(self, c: Compiler, node: Any) -> Front:
        return Const(self.field.count)


SKF_NET_OFF, SKF_LL_OFF = -0x100000, -0x200000
"""Offsets from the network header and from the link layer's begin there, as in classic filters (linux/filter.h)."""


def _accessible(field: Any, write: bool, element: int = 0) -> bool:
    test = field.storable if write else field.loadable
    return any(test(element * field.size, size) for size in (field.size, 4, 2, 1))


_SIGNED = frozenset(("retval", "level", "optname", "optlen"))
