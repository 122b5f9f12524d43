"""What tracing programs are given: fields of trace events, arguments of kernel functions.

- `@tracepoint("cat/name")`: fields by name, from the event's format (`kernel.trace_events`).
- `@tp_btf`, `@fentry`, `@fexit`, `@lsm`: arguments by name and type from the kernel's BTF, `ctx.retval` in
  fexit (or the parameter behind the arguments); readable field by field.
- `@raw_tracepoint`, `@kprobe`: the same names, but fields are read with probe_read.  `@kretprobe`: `ctx.retval`, typed likewise.

- `@struct_ops("structure/member")`: the arguments of that function, by position.
- `@usdt`: `ctx.args[i]`, numbers, and `ctx.cookie` (see `usdt`).

Arguments can also stand as parameters behind the context, by position: `def f(ctx, dfd, name)`.
"""

from __future__ import annotations

from ...errors import BtfError
from ...types import Scalar
from ..ssa.build import limits
from . import scalars as types
from .integers import cast
from .layout import scalar_of, sizeof
from .refs import Ref
from .values import Const, Front, Int

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..lower.compiler import Compiler
    from ..ssa.ir import Value

RAW_TRACEPOINT, RAW_WRITABLE, TRACEPOINT, KPROBE, TRACING, LSM, STRUCT_OPS = 17, 24, 5, 2, 26, 29, 27
WITH_RESULT = frozenset((25, 26, 27))  # FEXIT, MODIFY_RETURN, LSM_MAC: what was given stands behind the arguments
# Registers of arguments and of the result in struct pt_regs, by machine (System V and AAPCS64 calling conventions).
REGISTERS = {
    "x86_64": ((112, 104, 96, 88, 72, 64), 80),
    "aarch64": (tuple(range(0, 64, 8)), 0),
}
ITERATOR = 28  # BPF_TRACE_ITER
SYSCALL_ARGUMENTS = 16  # where they begin in the trace event of a system call
SYSCALL_REGISTERS = {"x86_64": (112, 104, 96, 56, 72, 64), "aarch64": tuple(range(0, 48, 8))}


def argument(c: Compiler, context: Any, name: str, node: Any) -> Front | None:
    """`ctx.<name>` of a tracing program; None where the context's own structure should be asked."""
    kind = c.unit.kind
    if kind.prog_type == TRACEPOINT:
        return event_field(c, context, name, node)
    if kind.name == "usdt":
        from .usdt import argument as of_a_probe

        return of_a_probe(c, context, name, node)
    target = c.unit.attach_to
    if (
        name == "args"
        and kind.prog_type in (RAW_TRACEPOINT, RAW_WRITABLE, TRACING, LSM, STRUCT_OPS, KPROBE)
        and not (kind.name.startswith(("kret", "uret")))
    ):
        return Arguments(context)
    if name in ("retval", "ret") and (kind.name.startswith(("kret", "uret")) or kind.attach_type in WITH_RESULT):
        return returned(c, context, node)
    if target is None:
        return None
    names = [p for p, _ in signature(c, node)] if kind.prog_type != KPROBE else probed_names(c)
    if name in names:
        return parameter(c, context, names.index(name), node)
    registers = c.unit.rules().context.fields if kind.prog_type == KPROBE else {}
    if name in registers or any(register.startswith(f"{name}.") for register in registers):
        return None
    if registers:
        known = f"the arguments {', '.join(names)}, and " if names else ""
        c.fail(f"{target} has no argument {name!r}; the context has {known}the registers {', '.join(registers)}", node)
    c.fail(f"{target} has no argument {name!r}; it has {', '.join(names) or 'none'}", node)


def parameters(c: Compiler, context: Any, names: tuple[str, ...], node: Any) -> list[Front]:
    """The parameters of the program behind its context, by position; one annotated as a number is cast to it."""
    kind = c.unit.kind
    if kind.prog_type not in (KPROBE, RAW_TRACEPOINT, RAW_WRITABLE, TRACING, LSM, STRUCT_OPS):
        c.fail(
            f"{kind.name} programs take their context and nothing else: a constant comes from the function around it",
            node,
        )
    notes = c.frame.notes()
    return [annotated(c, parameter(c, context, i, node), notes.get(name), node) for i, name in enumerate(names)]


def annotated(c: Compiler, front: Front, annotation: Any, node: Any) -> Front:
    from .kernelrefs import Buffer

    if isinstance(front, Buffer) and annotation is not None:
        return front.seen_as(annotation)
    kind = scalar_of(annotation)
    return front if kind is None or annotation is int else cast(c, kind, front, node)


# -- trace events


def event_field(c: Compiler, context: Any, name: str, node: Any) -> Front:
    target = c.unit.attach_to
    if not isinstance(target, str):
        c.fail('this program names no event: write @tracepoint("category/name")', node)
    from ...kernel.trace_events import event_format, similar

    fields = event_format(target)
    if fields is None:
        c.fail(
            f"the event {target} is not known here: neither tracefs nor the table of common events has it{similar(target)}",
            node,
        )
    if name not in fields:
        from ..refused import names

        shown = names(name, (n for n in fields if not n.startswith("common_")))
        c.fail(f"{target} has no field {name!r}; {shown}", node)
    type_, offset, how = fields[name]
    if how == "dynamic":
        place = c.b.load(context.value, offset, 4, False, "ctx")
        off = c.b.arith("and", place, c.b.const(0xFFFF), 64, 0, 0xFFFF)
        return Int(c.b.arith("add", context.value, off, 64, 0, (1 << 64) - 1), types.u64)
    if isinstance(type_, Scalar):
        if offset < 8:
            c.fail(f"{name} is in the first 8 bytes of the event, which programs may not read", node)
        return Int(c.b.load(context.value, offset, type_.size, type_.signed, "ctx"), type_)
    return Ref(context.value, offset, type_, "ctx", writable=False, label=f"ctx.{name}")


# -- arguments of kernel functions


def signature(c: Compiler, node: Any) -> list[tuple[str, Any]]:
    """Names and BTF types of the arguments of what is traced."""
    from ...kernel.traced import arguments

    kind, target = c.unit.kind, str(c.unit.attach_to)
    try:
        return arguments(kind.prog_type, kind.attach_type, target)
    except (BtfError, OSError) as error:
        c.fail(f"the arguments of {target} are not known: {error}", node)


def parameter(c: Compiler, context: Any, i: int, node: Any) -> Front:
    kind = c.unit.kind
    if kind.name == "usdt":
        from .usdt import parameter as of_a_probe

        return of_a_probe(c, context, i, node)
    if kind.prog_type == KPROBE:
        return probed(c, context, i, node)
    params = signature(c, node) if c.unit.attach_to is not None else []
    if kind.attach_type in WITH_RESULT and i == len(params):
        return returned(c, context, node)
    if kind.prog_type not in (RAW_TRACEPOINT, RAW_WRITABLE) and i >= len(params):
        c.fail(f"{c.unit.attach_to} has {len(params)} arguments, and this is number {i + 1}", node)
    value = c.b.load(context.value, 8 * i, 8, False, "ctx")
    if i >= len(params):
        return Int(value, types.u64)
    from ...kernel.targets import NULLABLE_SINCE, unsure
    from ..program import version
    from .kernelrefs import Buffer, typed

    name, type_ = params[i]
    may_be = unsure(kind.prog_type, kind.attach_type, str(c.unit.attach_to), i, name)
    if may_be in ("key", "value"):
        return Buffer(value, may_be, may_be == "value")
    direct = kind.prog_type in (TRACING, LSM, STRUCT_OPS)
    null = direct and may_be != "" and (kind.attach_type == ITERATOR or c.unit.kernel >= version(NULLABLE_SINCE))
    return typed(c, value, type_, direct=direct, null=null)


def returned(c: Compiler, context: Any, node: Any) -> Front:
    """What the function gave, as its declaration says; 64 bits where none is known."""
    from .kernelrefs import typed

    kind = c.unit.kind
    if kind.name == "kretprobe" and (function := _quiet_function(c)) is not None and str(function.ret) != "void":
        return typed(c, c.b.load(context.value, machine(c, node)[1], 8, False, "ctx"), function.ret, direct=False)
    if kind.prog_type == KPROBE:
        return Int(c.b.load(context.value, machine(c, node)[1], 8, False, "ctx"), types.u64)
    value = c.b.load(context.value, 8 * len(signature(c, node)), 8, False, "ctx")
    from ...btf import Btf

    prefix = "bpf_lsm_" if kind.prog_type == LSM else ""
    ret = Btf.kernel().find(f"{prefix}{c.unit.attach_to}", 12).ret  # type: ignore[attr-defined]
    if str(ret) == "void":
        c.fail(f"{c.unit.attach_to} gives no result", node)
    allowed = c.unit.rules().returns if kind.prog_type == LSM else None
    if allowed is None:
        return typed(c, value, ret, direct=True)
    # What a hook gives is what programs may return, and so the kernel holds it (5d99e198be27, Linux 6.12): through shifts its
    # verifier follows that, through a move with sign extension it does not.
    up = c.b.arith("shl", value, c.b.const(32))
    return Int(c.b.arith("sar", up, c.b.const(32), 64, *allowed), types.s32)


def machine(c: Compiler, node: Any) -> Any:
    import os

    name = os.uname().machine if hasattr(os, "uname") else "x86_64"
    if name not in REGISTERS:
        c.fail(f"arguments in registers are not known for {name}: read the fields of struct pt_regs by name", node)
    return REGISTERS[name]


def probed_names(c: Compiler) -> list[str]:
    """The names of the arguments at a kprobe or ksyscall; none where nothing tells them."""
    if c.unit.kind.name == "kprobe":
        return [name for name, _ in _quiet_signature(c)]
    if c.unit.kind.name != "ksyscall":
        return []
    from ...kernel.trace_events import event_format

    fields = event_format(f"syscalls/sys_enter_{c.unit.attach_to}") or {}
    return [name for name, (_, offset, _) in fields.items() if offset >= SYSCALL_ARGUMENTS]


def probed(c: Compiler, context: Any, i: int, node: Any) -> Front:
    """Argument i of the function that a kprobe, uprobe or ksyscall stopped at."""
    registers, _ = machine(c, node)
    if i >= len(registers):
        c.fail(
            f"arguments behind the first {len(registers)} are on the stack of the function: read them with probe_read",
            node,
        )
    name = c.unit.kind.name
    if name == "ksyscall":
        import os

        inner = c.b.load(context.value, registers[0], 8, False, "ctx")
        offset = SYSCALL_REGISTERS[os.uname().machine][i]
        return Int(read_kernel(c, c.b.arith("add", inner, c.b.const(offset)), 8, False), types.u64)
    value = c.b.load(context.value, registers[i], 8, False, "ctx")
    if name.startswith("kprobe") and name != "kprobe_multi" and c.unit.attach_to is not None:
        params = _quiet_signature(c)
        if i < len(params):
            from .kernelrefs import typed

            return typed(c, value, params[i][1], direct=False)
    return Int(value, types.u64)


def _quiet_signature(c: Compiler) -> list[tuple[str, Any]]:
    """As `signature`, but nothing when the kernel has no BTF for the function: arguments are plain numbers then."""
    function = _quiet_function(c)
    return [(name or f"arg{i}", type_) for i, (name, type_) in enumerate(function.params)] if function else []


def _quiet_function(c: Compiler) -> Any:
    from ...btf import Btf

    try:
        return Btf.kernel().find(str(c.unit.attach_to), 12)
    except (BtfError, OSError):
        return None


def read_kernel(c: Compiler, address: Value, size: int, signed: bool) -> Value:
    """A number from kernel memory by probe_read_kernel; 0 where the address is bad."""
    place = c.borrow(size, size, "probe_read")
    c.state.contents.pop(place, None)
    c.b.store(place, 0, size, c.b.const(0), "stack")
    c.b.call("helper", 113, "probe_read_kernel", [place, c.b.const(size), address])
    value = c.b.load(place, 0, size, signed, "stack")
    c.release(place)
    return value


class Arguments(Front):
    """`ctx.args`: the raw arguments, 64 bits each; of probes, what the registers hold."""

    __slots__ = ("context",)

    def __init__(self, context: Any) -> None:
        self.context = context

    def what(self) -> str:
        return "ctx.args"

    def set_item(self, c: Compiler, index: Front, value: Front, node: Any) -> None:
        c.fail("the arguments of what is traced cannot be written", node)

    def item(self, c: Compiler, index: Front, node: Any) -> Front:
        if not isinstance(index, Const) or not isinstance(index.obj, int) or not 0 <= index.obj < 12:
            c.fail("arguments are indexed by a constant 0..11", node)
        if c.unit.kind.prog_type == KPROBE:
            return probed(c, self.context, index.obj, node)
        return Int(c.b.load(self.context.value, 8 * index.obj, 8, False, "ctx"), types.u64)


__all__ = ["argument", "limits", "parameters", "read_kernel", "sizeof"]
