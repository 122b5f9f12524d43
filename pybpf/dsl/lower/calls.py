"""Calls: methods, casts, built-in functions, helpers, functions of the user (inlined), and structures made on the stack."""

from __future__ import annotations

import builtins
import ctypes
from types import FunctionType, MethodType, ModuleType

from ...spec import ProgramSpec
from ...types import Array, Scalar
from .. import lang
from ..objects import scalars as types
from ..objects.integers import cast, compare, divide_signed, interval, rank, result, value_of
from ..objects.layout import alignof, fields, is_array, is_struct, normal, scalar_of, sizeof, type_given, type_name
from ..objects.pieces import pieces
from ..objects.refs import Ref
from ..objects.values import INT, Conflict, Const, Front, Int, Tuple, span
from ..ssa.build import State
from .conditions import as_number, truth
from .joins import merge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .compiler import Compiler

MAX_DEPTH = 32


def call(c: Compiler, node: Any) -> Front:
    func = node.func
    if func.__class__.__name__ == "Attribute":
        owner = c.expr(func.value)
        if not isinstance(owner, Const):
            written = getattr(owner, "written", None)
            if written is not None and written(c, func.attr, node):
                return Const(None)
            args, kw = arguments(c, node)
            c.b.at = node
            return owner.method(c, func.attr, args, kw, node)
        try:
            target = getattr(owner.obj, func.attr)
        except AttributeError as error:
            if isinstance(owner.obj, (tuple, list)):
                c.fail(
                    f"a list does not change inside a program, so it has no {func.attr}: make an array, u32[4]()", func
                )
            c.fail(str(error), func)
    else:
        front = c.expr(func)
        if not isinstance(front, Const):
            c.fail(f"{front.what()} cannot be called", node)
        target = front.obj
    special = SPECIAL.get(target) if _hashable(target) else None
    if special is not None:
        c.b.at = node
        return special(c, node)
    args, kw = arguments(c, node)
    c.b.at = node
    return apply(c, target, args, kw, node)


def is_enum(front: Front) -> bool:
    """Whether this is a class of constants, over whose members a loop may go."""
    return isinstance(front, Const) and isinstance(front.obj, type) and hasattr(front.obj, "__members__")


def keeps_all(c: Compiler, type_: Any, node: Any) -> None:
    """`Color(x)` of an IntEnum fails in Python for what is no member; an IntFlag keeps every number."""
    members = getattr(type_, "__members__", None)
    if members is not None and getattr(getattr(type_, "_boundary_", None), "name", "") != "KEEP":
        some = f"{type_.__name__}.{next(iter(members), 'NAME')}"
        c.fail(
            f"{type_.__name__}(...) fails in Python for what is no member, and nothing fails in a program: compare the "
            f"number itself, as in `x == {some}`",
            node,
        )


def _hashable(obj: Any) -> bool:
    try:
        hash(obj)
    except TypeError:
        return False
    return True


def arguments(c: Compiler, node: Any) -> tuple[list[Front], dict[str, Front]]:
    args = [argument(c, arg) for arg in node.args]
    kw: dict[str, Front] = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            c.fail("there is no unpacking with ** inside a program: name each argument", node)
        kw[keyword.arg] = argument(c, keyword.value)
    return args, kw


def argument(c: Compiler, node: Any) -> Front:
    """What is handed on: a field or an element knows its place in memory, and a name that was given its number does not."""
    front = c.expr(node)
    if (
        isinstance(front, Int)
        and isinstance(front.place, Ref)
        and node.__class__.__name__ not in ("Attribute", "Subscript")
    ):
        return Int(front.value, front.type, front.snapshot)
    return front


def apply(c: Compiler, target: Any, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
    """Call a Python object known at compile time."""
    custom = getattr(target, "__bpf_call__", None)
    if custom is not None and not isinstance(target, type):
        return custom(c, args, kw, node)  # type: ignore[no-any-return]
    if isinstance(target, tuple) and hasattr(target, "to_ebpf"):
        from ..objects.filters import predicate

        return predicate(c, target, args, kw, node)
    if isinstance(target, Scalar):
        return cast(c, target, single(c, args, kw, node, Const(0)), node)
    builtin = BUILTIN.get(target) if _hashable(target) else None
    if builtin is not None:
        return builtin(c, args, kw, node)
    copied = copy_of(c, target, args, kw, node)
    if copied is not None:
        return copied
    if is_struct(target) or isinstance(target, Array) or is_array(target):
        return make(c, target, args, kw, node)
    if isinstance(target, MethodType) and isinstance(target.__func__, FunctionType) and not pure(target.__func__):
        return inline(c, target.__func__, [Const(target.__self__), *args], kw, node)
    if type(target).__module__ == "functools" and type(target).__name__ == "partial":
        kept = {key: Const(value) for key, value in target.keywords.items()}
        return apply(c, target.func, [*map(Const, target.args), *args], {**kept, **kw}, node)
    if target.__class__.__name__ == "_lru_cache_wrapper":
        target = target.__wrapped__  # what it remembers is what the function gives
    if isinstance(target, FunctionType) and not pure(target):
        return inline(c, target, args, kw, node)
    if isinstance(target, type) and scalar_of(target) is not None and issubclass(target, (int, ctypes._SimpleCData)):
        only = single(c, args, kw, node, Const(0))
        if isinstance(only, Const):
            return evaluate(c, target, [only], {}, node)
        keeps_all(c, target, node)
        kind = scalar_of(target)
        assert kind is not None
        return cast(c, kind, only, node)
    if all(isinstance(a, Const) for a in (*args, *kw.values())) and pure(target):
        return evaluate(c, target, args, kw, node)
    shown = getattr(target, "__name__", repr(target))
    if getattr(target, "__module__", "") == "_socket" and shown in NETWORK_ORDER:
        return in_network_order(c, shown, args, kw, node)
    if isinstance(target, ProgramSpec):
        c.fail(
            f"{shown} is a program, which is called by ProgArray.tail_call: what both share stands in a plain function",
            node,
        )
    if isinstance(target, ModuleType):
        c.fail(f"{shown} is a module: call a function of it", node)
    if pure(target):
        c.fail(f"{shown} is computed at compile time and takes constants only", node)
    c.fail(f"{shown} cannot be called inside a program: only helpers, casts, maps and plain Python functions can", node)


_PURE_MODULES = frozenset(
    ("_socket", "socket", "ipaddress", "_ctypes", "ctypes", "math", "_operator", "_struct", "struct")
)
_PURE_BUILTINS = (len, any, all, ord, chr, int, bytes, str, round, pow, sum, sorted, hash, bin, hex, divmod, tuple, list, dict,
                  set, frozenset, zip, enumerate, isinstance, hasattr, getattr, reversed, range, type, id)  # fmt: skip


def pure(target: Any) -> bool:
    """Functions that may be called while compiling, with constants: their result depends on nothing else."""
    if getattr(target, "__module__", None) in _PURE_MODULES or getattr(target, "__bpf_pure__", False):
        return True
    owner = getattr(target, "__self__", None)
    if isinstance(owner, (str, bytes, int, tuple, list, dict)) or owner in (int, bytes, str, dict):
        return True
    return any(target is b for b in _PURE_BUILTINS)


def evaluate(c: Compiler, target: Any, args: list[Any], kw: dict[str, Any], node: Any) -> Front:
    try:
        return Const(target(*(a.obj for a in args), **{k: v.obj for k, v in kw.items()}))
    except (TypeError, ValueError, ArithmeticError, LookupError, OSError) as error:
        c.fail(f"{error.__class__.__name__}: {error}", node)


def single(c: Compiler, args: list[Front], kw: dict[str, Front], node: Any, default: Front | None = None) -> Front:
    if kw or len(args) > 1 or (not args and default is None):
        c.fail(f"one argument expected, {len(args) + len(kw)} given", node)
    return args[0] if args else default  # type: ignore[return-value]


# -- functions of the user


def bind(c: Compiler, fn: FunctionType, args: list[Front], kw: dict[str, Front], node: Any) -> dict[str, Front]:
    """The parameters of a function, by name, as Python would fill them."""
    code = fn.__code__
    if code.co_flags & 0x0C:
        c.fail(f"{fn.__name__} takes *args or **kwargs, which programs have not: name its parameters", node)
    if code.co_flags & 0x2A0:
        c.fail(f"{fn.__name__} is a generator or a coroutine, which programs have not", node)
    count = code.co_argcount
    names = code.co_varnames[: count + code.co_kwonlyargcount]
    if len(args) > count:
        c.fail(f"{fn.__name__} takes {count} arguments, {len(args)} given", node)
    bound = dict(zip(names, args, strict=False))
    for key, value in kw.items():
        if key not in names or key in bound or key in code.co_varnames[: code.co_posonlyargcount]:
            c.fail(f"{fn.__name__} has no free parameter {key!r}", node)
        bound[key] = value
    defaults = dict(
        zip(code.co_varnames[count - len(fn.__defaults__ or ()) : count], fn.__defaults__ or (), strict=True)
    )
    defaults.update(fn.__kwdefaults__ or {})
    for name in names:
        if name not in bound:
            if name not in defaults:
                c.fail(f"{fn.__name__} needs an argument for {name!r}", node)
            bound[name] = Const(defaults[name])
    return bound


def inline(c: Compiler, fn: FunctionType, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
    """Lower the function's body in place of the call."""
    from .compiler import Frame

    if fn.__name__ == "<lambda>":
        c.fail("a lambda has no text of its own: write a function with def", node)
    path = c.frame.path
    if len(path) > MAX_DEPTH:
        c.fail(
            f"{fn.__name__} calls itself, or calls nest more than {MAX_DEPTH} deep: programs have no recursion", node
        )
    bound = bind(c, fn, args, kw, node)
    outer, env, before = c.frame, c.b.state.env, c.b.at
    frame = Frame(fn, parsed_function(c, fn), (*path, id(node)), True)
    c.frame = frame
    text, c.b.text = c.b.text, frame.parsed
    c.b.state.env = bound
    try:
        c.body(frame.parsed.node.body)
        if c.b.state is not None:
            frame.returns.append((c.b.state, Const(None), frame.parsed.node))
    finally:
        c.frame = outer
        c.b.at, c.b.text = before, text
    states: list[State] = []
    for state, value, _ in frame.returns:
        state.env = env.copy()
        state.env["$value"] = value
        states.append(state)
    joined = merge(c, states, node)
    if joined is None:
        c.fail(f"{fn.__name__} never returns", node)
    c.b.state = joined
    given: Front = joined.env.pop("$value")
    if isinstance(given, Conflict):
        c.fail(given.reason.replace("$value", f"the result of {fn.__name__}"), node)
    return named_result(given, fn.__name__)


def named_result(front: Front, name: str) -> Front:
    """What a function gave, of which parts may be unusable: their reasons speak of the function."""
    if isinstance(front, Conflict):
        return Conflict(front.reason.replace("$value", f"a part of the result of {name}"))
    return Tuple([named_result(item, name) for item in front.items]) if isinstance(front, Tuple) else front


_parsed: dict[int, tuple[Any, Any]] = {}


def parsed_function(c: Compiler, fn: FunctionType) -> Any:
    """A function's AST, parsed once for all programs that call it.

    By identity of its code: functions that differ only in annotations of names have equal code.  Where the program was given its
    text with `source=`, functions from the same place are looked for in that text.
    """
    from ..parse import parse

    code = fn.__code__
    found = _parsed.get(id(code))
    if found is None:
        caller = c.frame.parsed
        text = "".join(caller.lines) if caller.given and caller.file == code.co_filename else None
        found = _parsed[id(code)] = code, parse(fn, text)
    return found[1]


# -- structures and arrays on the stack


def make(c: Compiler, type_: Any, args: list[Front], kw: dict[str, Front], node: Any) -> Ref:
    """`Key(a, b)`, `u32[4]()`: bytes on the stack, zeroed, then set."""
    type_ = normal(type_)
    size = sizeof(type_)
    base = c.slot(size, 8 if size >= 8 else max(alignof(type_), 1), type_name(type_))
    ref = Ref(base, 0, type_, "stack", label=type_name(type_))
    if size > 512:
        c.fail(f"{type_name(type_)} has {size} bytes and the stack 512: keep it in a PerCpuArray map", node)
    zero = c.b.const(0)
    for at, width in pieces(size, base.aux.align):
        c.b.store(base, at, width, zero, "stack")
    init = own(type_, "__init__")
    if init is None:
        set_fields(c, ref, args, kw, node)
    else:
        inline(c, init, [ref, *args], kw, node)
    return ref


def own(type_: Any, name: str) -> Any:
    """A special method that a user's class defines, and none of those that it derives from in ctypes or here."""
    for base in getattr(type_, "__mro__", ()):
        if base.__module__ in ("pybpf.types", "_ctypes"):
            break
        if name in vars(base):
            return vars(base)[name]
    return None


def copy_of(c: Compiler, target: Any, args: list[Front], kw: dict[str, Front], node: Any) -> Front | None:
    """`copy.copy(ref)`, `copy.deepcopy(ref)`, `Type.from_buffer_copy(ref)`: a structure or an array of its own on the stack."""
    named = getattr(target, "__name__", "")
    owner = getattr(target, "__self__", None)
    if named == "from_buffer_copy" and isinstance(owner, type):
        type_: Any = owner
    elif named in ("copy", "deepcopy") and getattr(target, "__module__", "") == "copy":
        type_ = None
    else:
        return None
    source = single(c, args, kw, node)
    if type_ is None and not isinstance(source, Ref):
        return source
    if not isinstance(source, Ref) or source.is_number():
        return source.number(c, node)
    made = make(c, source.type if type_ is None else type_, [], {}, node)
    made.fill(c, source, node)
    return made


def set_fields(c: Compiler, ref: Ref, args: list[Front], kw: dict[str, Front], node: Any) -> None:
    if is_array(ref.type):
        if kw:
            c.fail("elements of an array have no names", node)
        for i, value in enumerate(args):
            ref.set_item(c, Const(i), value, node)
        return
    known = fields(ref.type)
    if len(args) > len(known):
        c.fail(f"{type_name(ref.type)} has {len(known)} fields, {len(args)} values given", node)
    for name, value in (*zip(known, args, strict=False), *kw.items()):
        ref.assign(c, name, value, node)


# -- built-in functions


def items_of(front: Front) -> list[Front]:
    """The items of a tuple, or of what is known at compile time."""
    if isinstance(front, Tuple):
        return front.items
    if isinstance(front, Const) and isinstance(front.obj, tuple | list | range | set | frozenset | dict):
        return [Const(item) for item in front.obj]
    return []


def _extreme(test: str) -> Callable[..., Front]:
    def lower(c: Compiler, args: list[Front], kw: dict[str, Front], node: Any) -> Any:
        args = items_of(args[0]) if len(args) == 1 else args
        if kw or not args:
            c.fail("min and max take two numbers or more, or a tuple of them", node)
        best: Any = args[0].number(c, node)
        for other in args[1:]:
            b = other.number(c, node)
            if isinstance(best, Const) and isinstance(b, Const):
                best = Const(min(best.obj, b.obj) if test == "<" else max(best.obj, b.obj))
                continue
            outcome = compare(c, test, best, b, node)
            if isinstance(outcome, bool):
                best = best if outcome else b
                continue
            from .conditions import jump
            from .expressions import select

            yes, no = jump(c, *outcome)
            (alo, ahi), (blo, bhi) = span(c, best), span(c, b)
            best = select(c, [(yes, best), (no, b)], node, "min" if test == "<" else "max")
            if isinstance(best, Int):
                pick = min if test == "<" else max
                lo, hi = c.b.range(best.value)
                c.state.facts[best.value] = max(lo, pick(alo, blo)), min(hi, pick(ahi, bhi))
        return best

    return lower


def _abs(c: Compiler, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
    n = single(c, args, kw, node).number(c, node)
    if isinstance(n, Const):
        return Const(abs(n.obj))
    lo, hi = span(c, n)
    if lo >= 0:
        return n
    from .conditions import jump
    from .expressions import select

    yes, no = jump(c, "s<", 64, n.value, c.b.const(0))
    assert yes is not None
    c.b.state = yes
    type_ = rank(n.type)  # of the least narrow number there is one more below zero than above
    negated = result(c, "sub", c.b.const(0), n.value, type_, interval("sub", 0, 0, lo, min(hi, -1)))
    yes = c.b.state
    return select(c, [(yes, negated), (no, Int(n.value, type_))], node, "abs")


def _bool(c: Compiler, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
    return as_number(c, truth(c, single(c, args, kw, node), node), node)


def _int(c: Compiler, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
    """`int(x)`: the number that a reference sees now; a number is left as it is."""
    if args and all(isinstance(a, Const) for a in args):
        return evaluate(c, int, args, kw, node)
    return single(c, args, kw, node).number(c, node)


def _len(c: Compiler, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
    only = single(c, args, kw, node)
    custom = getattr(only, "length", None)
    if custom is not None:
        return custom(c, node)  # type: ignore[no-any-return]
    if isinstance(only, Const):
        return evaluate(c, len, [only], {}, node)
    if isinstance(only, Tuple):
        return Const(len(only.items))
    if isinstance(only, Ref) and is_array(only.type):
        from ..objects.layout import as_array

        return Const(as_array(only.type).count)
    c.fail(f"{only.what()} has no length", node)


def _sizeof(c: Compiler, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
    only = single(c, args, kw, node)
    if isinstance(only, Int) and only.type is not INT:
        return Const(sizeof(only.place.type if isinstance(only.place, Ref) else only.type))
    if isinstance(only, Ref):
        return Const(sizeof(only.type))
    if isinstance(only, Const):
        of = Const(type(only.obj)) if isinstance(only.obj, ctypes.Structure | ctypes.Union) else only
        return Const(sizeof(type_given(c, of, node)))
    c.fail("sizeof takes a type or a reference", node)


def _signed(op: str) -> Callable[..., Front]:
    def lower(c: Compiler, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        if kw or len(args) != 2:
            c.fail(f"{op} takes two numbers", node)
        return divide_signed(c, op, args[0], args[1], node)

    return lower


def _swap(bits: int) -> Callable[..., Front]:
    def lower(c: Compiler, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
        from ..objects.refs import swap

        n = single(c, args, kw, node).number(c, node)
        kind = {16: types.u16, 32: types.u32, 64: types.u64}[bits]
        if isinstance(n, Const):
            return Const(swap(c, c.b.const(n.obj & (1 << bits) - 1), bits).aux)
        return Int(swap(c, c.b.extend(n.value, bits, False) if bits < 64 else n.value, bits), kind)

    return lower


NARROWED: dict[int, Any] = {16: types.u16, 32: types.u32}
NETWORK_ORDER = {"htons": 16, "ntohs": 16, "htonl": 32, "ntohl": 32}
"""Functions of `socket`, and how many bits they take."""


def in_network_order(c: Compiler, name: str, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
    from ..objects.integers import convert

    bits = NETWORK_ORDER[name]
    n = Int(convert(c, single(c, args, kw, node), NARROWED[bits], node, f"the number of {name}"), NARROWED[bits])
    return _swap(bits)(c, [n], {}, node)


def _bounded(c: Compiler, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
    if len(args) != 1 or list(kw) != ["max"] or not isinstance(kw["max"], Const):
        c.fail("write bounded(n, max=64), with a constant max", node)
    found = lang.Bounded(0)
    found.most, found.number = int(kw["max"].obj), args[0]
    return Const(found)


def _print(c: Compiler, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
    c.fail('print is Python\'s: write printk(f"..."), which goes to the trace pipe', node)


def _printk(c: Compiler, node: Any) -> Front:
    from .printk import lower

    return lower(c, node)


class Enumerated(Front):
    """`enumerate(array)`, for a loop: the index beside each element."""

    __slots__ = ("array", "start")

    def __init__(self, array: Ref, start: int) -> None:
        self.array, self.start = array, start

    def what(self) -> str:
        return f"enumerate({self.array.what()})"


def _enumerate(c: Compiler, args: list[Front], kw: dict[str, Front], node: Any) -> Front:
    start = kw.get("start", args[1] if len(args) == 2 else Const(0))
    if args and isinstance(args[0], Ref) and is_array(args[0].type) and isinstance(start, Const):
        return Enumerated(args[0], start.obj)
    if not all(isinstance(a, Const) for a in (*args, *kw.values())):
        c.fail("enumerate goes over constants, or over an array, from a constant on", node)
    return evaluate(c, enumerate, args, kw, node)


BUILTIN: dict[Any, Callable[..., Front]] = {
    builtins.enumerate: _enumerate,
    builtins.min: _extreme("<"),
    builtins.max: _extreme(">"),
    builtins.abs: _abs,
    builtins.bool: _bool,
    builtins.int: _int,
    builtins.len: _len,
    builtins.print: _print,
    ctypes.sizeof: _sizeof,
    lang.bounded: _bounded,
    lang.sdiv: _signed("sdiv"),
    lang.smod: _signed("smod"),
    lang.sizeof: _sizeof,
    lang.swap16: _swap(16),
    lang.swap32: _swap(32),
    lang.swap64: _swap(64),
}
# These take their arguments as AST.
SPECIAL: dict[Any, Callable[..., Front]] = {lang.printk: _printk}

__all__ = ["INT", "apply", "bind", "call", "inline", "make", "single", "value_of"]
