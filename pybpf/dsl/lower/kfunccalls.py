"""Calls of functions of the kernel: `kfunc("bpf_...")`."""

from __future__ import annotations

from ...errors import KindError, SpecError
from ..objects import scalars as types
from ..objects.integers import convert
from ..objects.layout import sizeof
from ..objects.refs import Ref
from ..objects.values import Const, Front
from ..ssa.build import limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .compiler import Compiler

KFUNCS = (5, 13)


class Kfunc:
    """A function of the kernel that programs may call, by its name; its prototype comes from the kernel's BTF."""

    def __init__(self, name: str) -> None:
        if not isinstance(name, str):
            raise KindError(f"kfunc takes the name of a function of the kernel, and not {name!r}")
        self.__name__ = name

    def __bpf_call__(self, c: Compiler, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        return call_kernel(c, self.__name__, args, kw, node)

    def __call__(self, *args: Any) -> Any:
        raise SpecError(f"{self.__name__} is a function of the kernel: it is called inside a program only")


def kfunc(name: str) -> Kfunc:
    """`iter_new = kfunc("bpf_iter_num_new")`: a kernel function to call inside programs (Linux 5.13)."""
    return Kfunc(name)


kfunc.__bpf_pure__ = True  # type: ignore[attr-defined]


OBJECTS = ("bpf_obj_", "bpf_percpu_obj_", "bpf_list_", "bpf_rbtree_", "bpf_refcount_")
"""Kernel functions on objects of types that a program's own BTF describes."""


def call_kernel(c: Compiler, name: str, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
    """A call of a kernel function: prototype from the kernel's BTF, what it takes over and gives away from our table."""
    from ...kernel.kfuncs import kfunc as rules_of
    from ..objects.kernelrefs import scalar_of_btf, typed
    from ..objects.mapmethods import pointer_of

    if name.startswith(OBJECTS):
        c.fail(
            f"{name} works on objects of a program's own types, which the language has not: keep them as values of a "
            "HashMap, and their order in a Queue, Stack or Array",
            node,
        )
    check_kfunc(c, name, node)
    function = prototype(c, name, node)
    rules = rules_of(name)
    params = [p for p in function.params if not p[0].endswith("__ign")]
    if kw or len(args) not in (len(params), len(function.params)):
        c.fail(f"{name} takes ({', '.join(n for n, _ in params)}), {len(args) + len(kw)} given", node)
    if len(args) == len(function.params):
        params = list(function.params)
    values = []
    for front, (parameter, type_) in zip(args, params, strict=True):
        scalar = scalar_of_btf(type_.stripped)
        if scalar is not None:
            values.append(convert(c, front, scalar, node, f"{parameter} of {name}"))
        elif isinstance(front, Const) and front.obj in (None, 0):
            values.append(c.b.const(0))
        else:
            check_struct(c, type_, front, f"{parameter} of {name}", node)
            values.append(pointer_of(c, front, node))
    values += [c.b.const(0)] * (len(function.params) - len(params))
    for front, (kind, _) in zip(args, rules.args if rules else (), strict=False):
        if kind == "own":
            owner = getattr(front, "owner", None)
            if owner is None:
                c.fail(f"{name} releases what an acquiring function gave, and {front.what()} is not that", node)
            del c.state.owned[owner]
    value = c.b.call("kfunc", name, name, values)
    if str(function.ret) == "void":
        return Const(None)
    if rules is not None and "packet" in rules.effects:
        c.b.clobber("place")
    found: Any = typed(c, value, function.ret, direct=True)
    if rules is not None and rules.returns in ("mem4", "slice"):
        value.lo, value.hi = limits(64, False)
        type_ = types.s32 if rules.returns == "mem4" else slice_type(*args[2:4])
        return Ref(
            value, 0, type_, "mem", check=("null", value), writable=name.endswith("_rdwr"), label=f"what {name} gave"
        )
    if hasattr(found, "struct"):
        value.lo, value.hi = limits(64, False)
        if rules is not None and rules.returns_null:
            found.check = ("null", value)
        if rules is not None and "acquire" in rules.effects:
            found.owner = value
            c.state.owned[value] = f"what {name} gave at line {c.source(node).line}"
    return found  # type: ignore[no-any-return]


def prototype(c: Compiler, name: str, node: Any) -> Any:
    """A kernel function as the running kernel's BTF has it."""
    from difflib import get_close_matches

    from ...btf import Btf
    from ...errors import BtfError
    from ...kernel import rules

    try:
        return Btf.kernel().find(name, 12)
    except (BtfError, OSError) as error:
        near = get_close_matches(name, rules(c.unit.table).kfuncs(), 1)
        meant = f"; did you mean {near[0]}?" if near else ""
        c.fail(f"the kernel function {name} is not known here: {error}{meant}", node)


def slice_type(buffer: Front, size: Front) -> Any:
    """What `bpf_dynptr_slice(d, offset, buffer, size)` gives is read as the buffer is, or as bytes."""
    count = getattr(size, "obj", 0)
    return buffer.type if isinstance(buffer, Ref) and sizeof(buffer.type) == count else types.u8[count]


SHOWN_AS = {"__sk_buff": "sk_buff", "xdp_md": "xdp_buff"}
"""What programs are shown as their context, and what it is in the kernel (btf_is_projection_of): either is taken."""


def check_struct(c: Compiler, type_: Any, front: Front, where: str, node: Any) -> None:
    """A structure of the kernel is handed on as what it is, or as what its first member is."""
    pointed = getattr(type_.stripped, "type", None)
    wanted = pointed.stripped.name.removesuffix("___init") if pointed is not None else ""
    given = getattr(front, "struct", None)
    if not wanted or given is None or isinstance(given, str):
        return
    one = given
    while one is not None and one.name not in (wanted, SHOWN_AS.get(wanted)):
        first = next(iter(getattr(one, "members", ())), None)
        one = first.type.stripped if first is not None and first.offset == 0 else None
    if one is None:
        c.fail(f"{where} is struct {wanted}, and this is struct {given.name}", node)


def check_kfunc(c: Compiler, name: str, node: Any) -> None:
    """A kernel function that the target kernel keeps for other kinds of programs is refused, with these."""
    from ...kernel import rules

    if c.unit.kernel < KFUNCS:
        c.fail("programs call functions of the kernel from Linux 5.13 on", node)
    table = rules(c.unit.table)
    if name not in table.kfuncs() or name in c.unit.rules().kfuncs or not c.unit.rules().helpers:
        return  # of a module, say: the kernel knows
    from ...uapi import ProgType, named

    keys = [key for key in table.programs() if name in table.program(*key[:2], sleepable=key[2]).kfuncs]
    kinds = sorted({str(getattr(named(ProgType, key[0]), "name", key[0])) for key in keys})
    c.fail(
        f"{c.unit.kind.name} programs may not call {name}; these may on Linux {table.version}: {', '.join(kinds)}", node
    )


__all__ = ["Kfunc", "call_kernel", "check_kfunc", "kfunc"]
