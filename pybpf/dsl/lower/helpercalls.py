"""Calling helpers: arguments by what the kernel wants of each, sizes of buffers filled in from their types."""

from __future__ import annotations

from ..objects import scalars as types
from ..objects.integers import OF_MAPS, convert, status, value_of, word
from ..objects.kernelfields import LOCK, Held
from ..objects.layout import scalar_of, sizeof, type_name
from ..objects.refs import Ref
from ..objects.values import Const, Front, Int, span, stored_as
from ..program import version
from ..ssa.build import S64_MAX, S64_MIN, limits
from .bounds import bounded
from .joins import is_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..ssa.ir import Value
    from .compiler import Compiler

FIELDS = {"lock": "a SpinLock field", "timer": "a Timer field", "kptr": "a Kptr[...] field"}
MEMORY = frozenset(("mem", "fixed", "key", "value"))
_RESULTS = {
    "long": (-(1 << 31), (1 << 31) - 1, "s64"),  # a code, a length or a negative errno
    "int": (-(1 << 31), (1 << 31) - 1, "s64"),
    "s64": (S64_MIN, S64_MAX, "s64"),
    "u64": (0, (1 << 64) - 1, "u64"),
    "u32": (0, (1 << 32) - 1, "u32"),
}
_ERRNO = frozenset(("perf_event_read",))  # u64 by their prototypes, and a negative errno when they fail
_BEYOND = {"btf_find_by_name_kind": (S64_MIN, S64_MAX), "csum_diff": (-(1 << 31), (1 << 32) - 1)}
"""Helpers whose results their types do not tell: an id beside a descriptor, a sum beside an errno."""
NARROW = {"u16": types.u16, "u32": types.u32, "s32": types.s32, "int": types.s32}
"""Arguments of which a helper looks at fewer than 64 bits."""


class Helper:
    """A helper by its name; `pybpf.helpers.<name>` is one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.__name__ = name

    def __repr__(self) -> str:
        return f"helpers.{self.name}"

    def __call__(self, *args: Any, **kw: Any) -> Any:
        from ...errors import SpecError

        raise SpecError(f"{self.name} is a helper of the kernel: it runs inside a program only")

    def __bpf_call__(self, c: Compiler, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        return call_helper(c, self.name, args, kw, node)


def check_allowed(c: Compiler, name: str, number: int, node: Any = None) -> None:
    """A helper that this kind of program may not call is refused, with the kinds that may."""
    from ...kernel import since

    asked = ".".join(map(str, c.unit.kernel))
    first = since("helper", number)
    told = f" (helper since Linux {first})" if first else ""
    if first and version(first) > c.unit.kernel:
        c.fail(f"Linux {asked} has no helper {name}{told}", node)
    if number in c.unit.rules().helpers:
        return
    from ...kernel import callers
    from ...uapi import ProgType, named

    kind = c.unit.kind
    may = callers(c.unit.table, number)
    if any(key[0] == kind.prog_type and key[1] in (None, kind.attach_type) for key in may):
        return
    kinds = sorted({getattr(named(ProgType, key[0]), "name", str(key[0])) for key in may})
    if not kinds:
        c.fail(f"no kind of program may call {name} on Linux {asked}{told}", node)
    c.fail(
        f"{kind.name} programs may not call {name}; these may on Linux {asked}: {', '.join(kinds)}{told}",
        node,
    )


def call_helper(c: Compiler, name: str, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
    from ...kernel import helper

    rules = helper(name, c.unit.kind.prog_type)
    check_allowed(c, name, rules.id, node)
    if name == "trace_printk" and (len(args) > 2 or any(not isinstance(front, Const) for front in args[1:])):
        c.fail('values are printed by printk(f"pid {pid}"): bpf.trace_printk takes the text alone', node)
    given = fill(c, rules, args, kw, node)
    if name in LOCKING:
        LOCKING[name](c, node)
    if name == "map_lookup_elem" and (found := look_up(c, given, node)) is not None:
        return found
    temporary: list[Value] = []
    values = [argument(c, rules, i, front, given, temporary, node) for i, front in enumerate(given)]
    if name == "loop" and values[0].lo <= 0:
        # Where the verifier knows that there are no rounds, it never walks the callback, removes it, and then misses it: "No
        # program to jit" on Linux 6.18.
        values[0] = c.b.hide(values[0])
    number = leave(c, rules.id, values, node) if name == "tail_call" else c.b.call("helper", rules.id, name, values)
    for slot in temporary:
        c.release(slot)
    if rules.changes_packet:
        c.b.clobber("place")
    for front, arg in zip(given, rules.args, strict=False):
        if arg.releases and (owner := getattr(front, "owner", None)) is not None:
            c.state.owned.pop(owner, None)
    return result_of(c, rules, number, given, node)


def look_up(c: Compiler, given: list[Front], node: Any) -> Front | None:
    """Of a map of maps, of sockets or of targets `bpf.map_lookup_elem(m, key)` gives what `m.get(key)` does."""
    from ..objects.mapmethods import METHODS
    from ..objects.maps import KEYED

    m: Any = given[0]
    kind = getattr(getattr(m, "spec", None), "map_type", None)
    lower = None if kind in KEYED else METHODS["get"].get(kind)  # type: ignore[arg-type]
    return lower(c, m, node, given[1]) if lower is not None else None


def leave(c: Compiler, number: int, values: list[Value], node: Any) -> Value:
    """A tail call, refused where something is left to do.

    The verifier forgets pointers into the packet there since 1a4607ffba35, which Linux 6.6 and 6.12 have from stable releases
    on, and not in 6.18 any more (seen in both).
    """
    if c.stays:
        c.fail(f"a tail call leaves the program, and {c.stays}: take fewer rounds, or make it behind the loop", node)
    result = c.b.call("helper", number, "tail_call", values)
    if (6, 6) <= c.unit.kernel < (6, 18):
        c.b.clobber("place")
    return result


def _take(c: Compiler, node: Any) -> None:
    if LOCK in c.state.owned:
        c.fail(f"{c.state.owned[LOCK]} is held here, and a program holds one at a time", node)


def _give(c: Compiler, node: Any) -> None:
    if c.state.owned.pop(LOCK, None) is None:
        c.fail("no lock is held here", node)


LOCKING = {"spin_lock": _take, "spin_unlock": _give}


def result_of(c: Compiler, rules: Any, value: Value, given: list[Front], node: Any) -> Front:
    if rules.name == "spin_lock":
        held = c.state.owned[LOCK] = Held(f"the lock taken at line {c.source(node).line}")
        held.base = given[0].ref.base  # type: ignore[attr-defined]
    if rules.returns == "void":
        return Const(None)
    if rules.id in OF_MAPS and value.op == "call":
        return status(c, value)
    if rules.returns == "int":
        lo, hi, kind = _RESULTS.get("s64" if rules.name in _ERRNO else rules.return_type, _RESULTS["s64"])
        value.lo, value.hi = _BEYOND.get(rules.name, (lo, hi))
        if rules.name == "get_smp_processor_id":
            value.hi = (1 << 16) - 1
        return Int(value, getattr(types, kind))
    from ..objects.kernelrefs import result_pointer

    return result_pointer(c, rules, value, given, node)


def fill(c: Compiler, rules: Any, args: list[Front], kw: dict[str, Front], node: Any) -> list[Front]:
    """All arguments in the kernel's order: sizes that follow a buffer may be left out, and trailing flags are 0."""
    params = rules.args
    names = [p.name for p in params]
    for key in kw:
        if key not in names:
            c.fail(f"{rules.name} has no argument {key!r}; it has {', '.join(names) or 'none'}", node)
    sizes = {i for i, p in enumerate(params) if p.memory_arg is not None and p.name not in kw}
    slots: list[Front | None] = [kw.get(p.name) for p in params]
    open_ = [i for i in range(len(params)) if slots[i] is None]
    ctx_given = any(is_ctx(a) for a in args)
    implied = {i for i, p in enumerate(params) if p.kind == "ctx" and i in open_} if not ctx_given else set()
    # Given in full, each argument stands in its place; otherwise sizes (and the context) are filled in.
    for skip in (set(), sizes, implied, sizes | implied):
        places = [i for i in open_ if i not in skip]
        optional = [i for i in places if names[i] in ("flags",) or names[i].startswith("arg")]
        if len(args) == len(places) or (len(args) < len(places) and all(i in optional for i in places[len(args) :])):
            if skip == set() and len(args) < len(places) and sizes and len(args) == len(places) - len(sizes):
                continue
            for i, front in zip(places, args, strict=False):
                slots[i] = front
            break
    else:
        wanted = ", ".join(n for i, n in enumerate(names) if i not in sizes)
        c.fail(f"{rules.name} takes {f'({wanted})' if wanted else 'no arguments'}, {len(args) + len(kw)} given", node)
    for i, p in enumerate(params):
        if slots[i] is None:
            if p.kind == "ctx":
                slots[i] = c.context()
            elif p.memory_arg is not None:
                slots[i] = Const(None)
            else:
                slots[i] = Const(0)
    return slots  # type: ignore[return-value]


def is_ctx(front: Front) -> bool:
    from ..objects.context import Context

    return isinstance(front, Context) or (
        isinstance(front, Ref) and front.region == "ctx" and front.off == 0 and front.base.op == "param"
    )


def argument(
    c: Compiler, rules: Any, i: int, front: Front, given: list[Front], temporary: list[Value], node: Any
) -> Value:
    arg = rules.args[i]
    kind = arg.kind
    where = f"{arg.name} of {rules.name}"
    if kind == "ctx":
        if not is_ctx(front):
            c.fail(f"{where} is the program's context, and not {front.what()}", node)
        return front.base if isinstance(front, Ref) else front.value  # type: ignore[attr-defined]
    if arg.memory_arg is not None:
        if isinstance(front, Const) and front.obj is None:
            return c.b.const(buffer_size(c, given[arg.memory_arg], where, node))
        n = front.number(c, node)
        lo, hi = span(c, n)
        if (lo < 0 or hi >= 1 << 29) and not c.lenient():
            c.fail(f"{where} may be {lo}..{hi}: bound it first, for example min(n, {1 << 12})", node)
        return bounded(c, value_of(c, n), hi, 1 if lo and arg.kind == "size" else 0)
    if kind == "map":
        if not hasattr(front, "spec"):
            c.fail(f"{where} is a map, and not {front.what()}", node)
        check_map(c, rules, front, where, node)
        return front.pointer_value(c)  # type: ignore[attr-defined, no-any-return]
    if kind in MEMORY:
        return memory(c, rules, arg, front, given, temporary, where, node)
    if kind in FIELDS:
        if getattr(front, "kind", "") != kind:
            c.fail(f"{where} is {FIELDS[kind]} in a map's value, not {front.what()}", node)
        return front.address(c, node)  # type: ignore[attr-defined, no-any-return]
    if kind in ("func",):
        from .callbacks import callback

        return callback(c, rules, front, given, node)
    if kind in (
        "stack",
        "sock",
        "socket",
        "btf",
        "record",
        "dynptr",
        "dynptr_new",
        "dynptr_ringbuf",
        "str",
        "percpu_btf",
    ):
        return pointer_to(c, arg, front, where, node)
    if kind == "alloc_size":
        if not isinstance(front, Const):
            c.fail(f"{where} is a constant number of bytes", node)
        return c.b.const(int(front.obj))
    # "any": a number, or the address of something.
    narrow = NARROW.get(arg.type)
    if narrow is not None and is_number(front) and not (isinstance(front, Const) and -(1 << 31) <= front.obj < 0):
        return convert(c, front, narrow, node, where)
    if isinstance(front, Ref) and not front.is_number():
        return front.pointer(c, node)
    pointer = getattr(front, "pointer_value", None)
    if pointer is not None:
        return pointer(c)  # type: ignore[no-any-return]
    if isinstance(front, Const) and front.obj is None:
        return c.b.const(0)
    n = front.number(c, node)
    return value_of(c, n)


def check_map(c: Compiler, rules: Any, front: Any, where: str, node: Any) -> None:
    """A helper takes maps of some types only."""
    from ...kernel import rules as rules_of
    from ...kernel.helper_facts import MAPS_OF
    from ...uapi.map import MapType

    table, known = rules_of(c.unit.table), MAPS_OF.get(rules.name)
    takes = [t for t in MapType if (table.map_allows(t, rules.id) if known is None else t in known)]
    if front.spec.map_type not in takes and front.spec.map_type not in (MapType.SOCKMAP, MapType.SOCKHASH):
        shown = ", ".join(t.name for t in takes[:MOST_MAPS]) or "none that this kernel has"
        c.fail(f"{where} is a map of another type than {front.what()}: {shown}", node)


MOST_MAPS = 6


OF_THE_KERNEL = frozenset(("sock", "socket", "btf", "percpu_btf"))
"""Kinds of arguments that are objects of the kernel, and no memory of the program's."""


def pointer_to(c: Compiler, arg: Any, front: Front, where: str, node: Any) -> Value:
    if isinstance(front, Const) and front.obj in (None, 0):
        if not arg.nullable and arg.kind not in ("stack",):
            c.fail(f"{where} may not be None", node)
        return c.b.const(0)
    if arg.kind == "str" and isinstance(front, Const) and isinstance(front.obj, bytes | str):
        from ..objects.data import text

        return text(c, _raw(front.obj)).pointer(c, node)
    # What a callback was given as its context may go on to another one: it lies on the stack of a caller.
    if arg.kind == "stack" and not (
        isinstance(front, Ref) and (front.region == "stack" or (front.region == "mem" and front.base.op == "param"))
    ):
        c.fail(
            f"{where} is memory that the program has on its stack, a Struct or an array, and not {front.what()}", node
        )
    if isinstance(front, Ref) and (arg.kind not in OF_THE_KERNEL or front.region == "kernel"):
        return front.pointer(c, node)
    pointer = getattr(front, "pointer_value", None)
    if pointer is None or (arg.kind in OF_THE_KERNEL and is_ctx(front)):
        c.fail(f"{where} is a reference ({arg.kind}), not {front.what()}", node)
    return pointer(c)  # type: ignore[no-any-return]


def buffer_size(c: Compiler, front: Front, where: str, node: Any) -> int:
    if isinstance(front, Ref):
        return sizeof(front.type)
    if isinstance(front, Const):
        if isinstance(front.obj, (bytes, str)):
            return len(_raw(front.obj))
        if front.obj is None:
            return 0
    c.fail(f"{where} cannot be told from {front.what()}: give it", node)


def _raw(obj: Any) -> bytes:
    return obj.encode() + b"\0" if isinstance(obj, str) else obj


def memory(
    c: Compiler, rules: Any, arg: Any, front: Front, given: list[Front], temporary: list[Value], where: str, node: Any
) -> Value:
    from ..objects.places import value_pointer

    if isinstance(front, Const) and front.obj is None:
        if not arg.nullable:
            c.fail(f"{where} may not be None", node)
        return c.b.const(0)
    if arg.kind in ("key", "value"):
        spec = next(
            (getattr(f, "spec", None) for f, a in zip(given, rules.args, strict=False) if a.kind == "map"), None
        )
        type_ = None if spec is None else spec.key if arg.kind == "key" else spec.value
        if type_ is not None and not arg.writes:
            if arg.nullable and isinstance(front, Const) and front.obj == 0 and scalar_of(type_) is None:
                c.fail(f"{where} is {type_name(type_)}, or None for zeros, and not 0", node)
            return value_pointer(c, front, type_, arg.kind, temporary, node)
    if isinstance(front, Const) and isinstance(front.obj, (bytes, str)):
        if arg.writes:
            c.fail(f"{where} is written: give a buffer, such as char[16]()", node)
        from ..objects.data import text

        return text(c, _raw(front.obj)).pointer(c, node)
    if isinstance(front, Int) and isinstance(front.place, Ref):
        given[given.index(front)] = front = front.place
    if isinstance(front, Ref) and front.region == "ctx":
        # Helpers take no pointers into the context (mem_types of the verifier).
        if arg.writes:
            c.fail(
                f"{where} is written, and helpers write no contexts: give an array, and assign it to the field", node
            )
        return value_pointer(c, front, front.type, arg.name, temporary, node)
    if isinstance(front, Ref):
        if arg.writes and not front.writable:
            c.fail(f"{where} is written, and {front.label or front.what()} is read-only", node)
        size = given[arg.size_arg] if arg.size_arg is not None else None
        if (
            isinstance(size, Const)
            and isinstance(size.obj, int)
            and size.obj > sizeof(front.type)
            and front.region != "kernel"
        ):
            c.fail(f"{where} has {sizeof(front.type)} bytes, and {size.obj} are asked for", node)
        if isinstance(size, Int) and span(c, size)[1] > sizeof(front.type) and not c.lenient():
            c.fail(
                f"{where} has {sizeof(front.type)} bytes, and the size may be {span(c, size)[1]}: bound it first", node
            )
        return front.pointer(c, node)
    kind = stored_as(front)
    if kind is not None and not arg.writes:
        address = c.borrow(kind.size, kind.size, arg.name)
        temporary.append(address)
        c.state.contents.pop(address, None)
        place = Ref(address, 0, kind, "stack")
        place.raw_store(c, kind, word(c, front, node))
        given[given.index(front)] = place
        return address
    pointer = getattr(front, "pointer_value", None)
    if pointer is not None:
        return pointer(c)  # type: ignore[no-any-return]
    told = f"{where} is memory: give a Struct, an array or a field, not {front.what()}"
    if is_number(front) and not arg.writes:
        of, shown = (front.obj, front.obj) if isinstance(front, Const) else ("this number", "...")
        told = f"{where} is memory, and of {of} is not known how wide it is: write u32({shown})"
    c.fail(told, node)


__all__ = ["Helper", "call_helper", "limits", "type_name"]
