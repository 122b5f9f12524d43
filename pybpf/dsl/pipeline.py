"""All stages in order: a decorated function in, instructions, maps and their description out."""

from __future__ import annotations

from .backend import chain
from .backend.emit import assemble
from .lower.bounds import bounded
from .lower.compiler import Compiler, Frame, Unit
from .lower.gates import MAX_ROUNDS
from .objects.context import Context, as_annotated
from .objects.values import INT, Const, Front, Int, span
from .parse import parse
from .program import version
from .ssa.build import S64_MAX, S64_MIN
from .ssa.ir import Graph, Value
from .ssa.passes import optimise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..asm.insn import Insn
    from ..spec import MapSpec
    from .program import Function
    from .ssa.build import State


LSM = 29
STRUCT_OPS = 27  # whose functions return what the structure's member does
TRACING, EXT = 26, 28
WIDE_RESULTS = (TRACING, STRUCT_OPS, EXT, LSM)
"""Called in the place of functions: all 64 bits of what they return may be looked at."""


class Compiled:
    """What came out: `insns`, `maps`, and the graphs with the index of each one's first instruction.

    `core` tells, by index, which instructions hold a `core.Field`.
    """

    __slots__ = ("core", "graphs", "insns", "maps", "starts")

    def __init__(
        self,
        insns: tuple[Insn, ...],
        maps: dict[str, MapSpec],
        graphs: list[Graph],
        starts: list[int],
        core: dict[int, Any],
    ) -> None:
        self.insns = insns
        self.core = core
        self.maps = maps
        self.graphs = graphs
        self.starts = starts


def compile_program(spec: Function) -> Compiled:
    """Compile a decorated function.  CompileError for what the language has not."""
    unit = Unit(
        spec.kind,
        {
            "isa": spec.isa,
            "kernel": version(spec.kernel),
            "kernel_name": spec.kernel,
            "license": spec.license,
            "attach_to": spec.attach_to,
            "sleepable": spec.sleepable,
        },
    )
    parsed = parse(spec.function, spec._source)
    entry = lower(unit, spec.function, parsed, spec.bound)
    unit.graphs.insert(0, entry)
    while unit.pending:
        unit.pending.pop(0)()
    insns: list[Insn] = []
    core: dict[int, Any] = {}
    starts = []
    for graph in unit.graphs:
        optimise(graph, spec.isa)
    unit.graphs[:] = chain.reached(unit.graphs)
    for i, graph in enumerate(unit.graphs):
        starts.append(len(insns))
        source = _sources(graph)
        code, fields = assemble(graph, spec.isa, unit.kernel, source, f".L{i}_")
        core.update((len(insns) + at, found) for at, found in fields.items())
        if i:
            # A label of the function and one of its first block may fall on one instruction.
            first = code[0]
            old = first.__dict__.get("label")
            first.__dict__["label"] = graph.name
            for insn in code:
                if old is not None and insn.__dict__.get("symbol") == old:
                    insn.__dict__["symbol"] = graph.name
        insns += code
    if len(unit.graphs) > 1:
        chain.check(unit.graphs, unit.kind.prog_type, unit.kernel, _sources)
    from .objects.data import finish

    finish(unit)
    return Compiled(tuple(insns), unit.maps, unit.graphs, starts, core)


def lower(unit: Unit, function: Any, parsed: Any, bound: Any = None) -> Graph:
    """The graph of the program's entry function; the first parameter of a method is what it was taken from."""
    graph = Graph(function.__name__, parsed.file, parsed.node.lineno + parsed.shift)
    c = Compiler(unit, graph)
    graph.sources = parsed
    c.frame = Frame(function, parsed, ())
    c.b.at = parsed.node
    code = function.__code__
    if code.co_flags & 0x0C or code.co_kwonlyargcount:
        c.fail("a program takes its context (and the arguments of what it traces), by position", parsed.node)
    if parsed.node.__class__.__name__ != "FunctionDef":
        c.refuse(parsed.node)
    if unit.rules().returns is None and unit.kind.prog_type not in WIDE_RESULTS:
        graph.result = 32  # bpf_prog_run() returns an unsigned int
    context = Value("param", [], 0, 64, 1, (1 << 64) - 1)
    graph.params = [context]
    front = c.entry_context = Context(context)
    names = code.co_varnames[: code.co_argcount]
    if bound is not None and names:
        c.state.env[names[0]] = Const(bound)
        names = names[1:]
    if names:
        c.state.env[names[0]] = as_annotated(c, front, c.frame.notes().get(names[0]))
    if len(names) > 1:
        from .objects.events import parameters

        for name, value in zip(names[1:], parameters(c, front, names[1:], parsed.node), strict=True):
            c.state.env[name] = value
    c.body(parsed.node.body)
    if c.b.state is not None:
        c.frame.returns.append((c.b.state, Const(None), None))
    finish_returns(c, parsed)
    return graph


def finish_returns(c: Compiler, parsed: Any) -> None:
    """Close each way out with its return value, after everything that was acquired has been released."""
    kind = c.unit.kind
    for state, front, node in c.frame.returns:
        c.b.state = state
        c.b.at = node or parsed.node
        where = node or (parsed.node.body[-1] if parsed.node.body else parsed.node)
        check_released(c, state, where)
        if isinstance(front, Const) and front.obj is None:
            if not kind.silent and node is None and c.frame.endless is not None:
                c.fail(
                    f"the kernel leaves this loop after {MAX_ROUNDS} rounds: write a return behind it", c.frame.endless
                )
            if not kind.silent and not gives_nothing(c):
                c.fail(
                    f"this way through {c.graph.name} returns nothing, and {kind.name} programs return a number: write return 0",
                    where,
                )
            front = Const(0)
        c.b.end("return", result(c, front, where))


def gives_nothing(c: Compiler) -> bool:
    """Whether a program stands for a function of the kernel's that returns nothing (`tcp_congestion_ops.cong_avoid`)."""
    if c.unit.kind.prog_type not in (LSM, STRUCT_OPS):
        return False
    from ..kernel.traced import void

    return void(c.unit.kind.prog_type, str(c.unit.attach_to))


FATES = (("the record", "neither submitted nor discarded"), ("the lock", "still held"))
"""What else may be owed for what a program owns, by how it is called."""


def check_released(c: Compiler, state: State, node: Any) -> None:
    for what in state.owned.values():
        fate = next((told for begin, told in FATES if what.startswith(begin)), "not released")
        c.fail(f"{what} is {fate} on this way out", node)


def result(c: Compiler, front: Front, node: Any) -> Value:
    """A program's return value, checked against what the kernel accepts of its type."""
    from .objects.integers import value_of

    n: Int | Const = front.number(c, node)
    lo, hi = span(c, n)
    allowed = c.unit.rules().returns
    if allowed is not None and not (allowed[0] <= lo and hi <= allowed[1]):
        shown = f"{lo}" if lo == hi else f"{lo}..{hi}"
        c.fail(f"a {c.unit.kind.name} program returns {allowed[0]}..{allowed[1]}, and this may be {shown}", node)
    # A sum whose growth in a loop is not known is no 64-bit number that somebody declared.
    counted = isinstance(n, Int) and n.type is INT and (lo == S64_MIN or hi == S64_MAX)
    if not ((lo >= -(1 << 31) and hi < 1 << 32) or counted) and c.unit.kind.prog_type != STRUCT_OPS:
        shown = f"{lo} has more" if lo == hi else f"this may be {lo}..{hi}: write u32(...) or s32(...) to wrap it"
        c.fail(f"a program returns 32 bits, and {shown}", node)
    value = value_of(c, n)
    return bounded(c, value, allowed[1]) if allowed is not None and lo >= 0 else value


def _sources(graph: Graph) -> Any:
    """Places of AST nodes, made once for each node; (text, node) where a node is from an inlined function."""
    known: dict[int, Any] = {}

    def source(place: Any) -> Any:
        text, node = place if place.__class__ is tuple else (graph.sources, place)
        found = known.get(id(node))
        if found is None:
            found = known[id(node)] = text.source(node if node is not None else text.node)
        return found

    return source


def describe(spec: Function, compiled: Compiled) -> tuple[bytes, tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]:
    """BTF of the program's functions, which function and line each instruction belongs to, CO-RE relocations."""
    from ..btf.builder import GLOBAL as EXPORTED
    from ..btf.builder import STATIC, BtfBuilder, line_col

    btf = BtfBuilder()
    integer = btf.add_int("int", 4, True)
    wide = btf.add_int("long", 8, True)
    context, size = spec_context(spec)
    pointer = btf.add_ptr(btf.add_struct(context, size, ()) if context else 0)
    slots = []
    at = 0
    for insn in compiled.insns:
        slots.append(at)
        at += insn.slots
    functions = []
    for i, (graph, start) in enumerate(zip(compiled.graphs, compiled.starts, strict=True)):
        if i == 0:
            proto = btf.add_func_proto(integer, [("ctx", pointer)])
        else:
            proto = btf.add_func_proto(wide, [(f"a{k}", wide) for k in range(len(graph.params))])
        functions.append((slots[start], btf.add_func(graph.name, proto, STATIC if i else EXPORTED)))
    lines = []
    last = None
    starts = set(compiled.starts)
    for i, insn in enumerate(compiled.insns):
        source = insn.source
        if source is None or (source == last and i not in starts):
            continue
        last = source
        lines.append(
            (slots[i], btf.string(source.file), btf.string(source.text.strip()), line_col(source.line, source.column))
        )
    relos: list[Any] = []
    if compiled.core:
        from .objects.core import relocations

        relos = relocations(btf, [(slots[i], compiled.insns[i], asked) for i, asked in sorted(compiled.core.items())])
    return btf.to_bytes(), tuple(functions), tuple(lines), tuple(relos)


def spec_context(spec: Function) -> tuple[str, int]:
    from .lower.compiler import rules_for

    found = rules_for(spec.kind, spec.kernel, spec.sleepable)
    return str(found.context.name), int(found.context.size)
