"""`Compiler`: lowers one function's AST to a graph; `Unit`: what all functions of one program share.

The work is in tables by AST node class (`expressions.EXPR`, `statements.STMT`); a node that stands in none of them is
refused by name.
"""

from __future__ import annotations

from ...errors import CompileError
from ...spec import GPL_COMPATIBLE
from ..objects.values import Const, Front
from ..program import version
from ..ssa.build import Builder, State
from ..ssa.ir import Graph, Slot, Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from ...source import Source
    from ...spec import MapSpec
    from ..parse import Parsed


EVERYWHERE = frozenset((1, 2, 3))  # look-up, update and delete of maps
OLDEST = (5, 10)
"""The oldest kernel that there is a table of rules for; older ones are held to it."""


class Unit:
    """One program being compiled: its kind, target, maps, and the functions that stand beside the entry."""

    def __init__(self, kind: Any, options: dict[str, Any]) -> None:
        self.kind = kind
        self.isa: int = options["isa"]
        self.kernel: tuple[int, int] = options["kernel"]
        self.kernel_name: str | None = options["kernel_name"]
        self.table = table_of(self.kernel_name)
        self.license: str = options["license"]
        self.attach_to: Any = options["attach_to"]
        self.sleepable: bool = options["sleepable"]
        self.maps: dict[str, MapSpec] = {}
        self.rodata = bytearray()
        self.strings: dict[bytes, int] = {}
        self.graphs: list[Graph] = []
        self.functions: dict[Any, tuple[Graph, Any]] = {}
        self.pending: list[Any] = []
        self.rcu = False  # whether what is being lowered runs in a section of RCU
        self.loops: dict[
            Any, tuple[Graph, dict[str, Any]]
        ] = {}  # those whose bodies are callbacks, and what is assumed there

    def symbol(self, spec: MapSpec, hint: str) -> str:
        """The name under which the program refers to a map."""
        for name, known in self.maps.items():
            if known is spec:
                return name
        base = name = spec.name or hint or "map"
        n = 2
        while name in self.maps:
            name, n = f"{base}{n}", n + 1
        self.maps[name] = spec
        return name

    def rules(self) -> Any:
        """What the target kernel allows to this kind of program."""
        found = self.__dict__.get("_rules")
        if found is None:
            found = self.__dict__["_rules"] = rules_for(self.kind, self.kernel_name, self.sleepable)
        return found


def table_of(kernel: str | None) -> str | None:
    """The name of the table of rules for a target kernel."""
    return kernel if version(kernel) >= OLDEST else f"{OLDEST[0]}.{OLDEST[1]}"


def rules_for(kind: Any, kernel: str | None, sleepable: bool) -> Any:
    """What the target kernel allows to a kind of program.

    Programs whose context is the arguments of a kernel function (TRACING, LSM, EXT, STRUCT_OPS) may be missing in a table,
    because a table is made by loading programs, and these load only where their target exists.  They are then left to the kernel.
    """
    from ...errors import NotSupportedError
    from ...kernel import rules

    table = rules(table_of(kernel))
    try:
        return table.program(kind.prog_type, kind.attach_type, sleepable=sleepable)
    except NotSupportedError:
        if kind.prog_type not in (26, 27, 28, 29) or any(key[0] == kind.prog_type for key in table.programs()):
            raise
    from ...kernel import Context
    from ...kernel.tables import ProgRules

    return ProgRules(
        prog_type=kind.prog_type, attach_type=kind.attach_type, sleepable=sleepable, context=Context("", 0, ()), returns=None,
        helpers=frozenset(range(1, 1 << 10)), packet="", test_run=False, gpl_only=True, kfuncs=frozenset(),
    )  # fmt: skip


class Frame:
    """One function being lowered: its names, and the states in which it has returned."""

    __slots__ = ("endless", "fn", "inlined", "loops", "names", "parsed", "path", "returns", "scope")

    def __init__(self, fn: Any, parsed: Parsed, path: tuple[int, ...], inlined: bool = False) -> None:
        self.fn = fn
        self.inlined = inlined  # in place of a call: what returns from it does not leave the program
        self.parsed = parsed
        self.path = path  # the calls that led here, to tell inlined copies of a loop apart
        self.names = frozenset(fn.__code__.co_varnames)
        self.loops: list[Any] = []
        self.endless: Any = None  # the last `while True:`, which the kernel leaves after so many rounds
        self.returns: list[tuple[State, Front, Any]] = []
        self.scope = enclosing(fn)

    def notes(self) -> dict[str, Any]:
        """The types that the function's annotations mean."""
        return notes_of(self.fn, self.scope)


def notes_of(fn: Any, scope: dict[str, Any] | None = None) -> dict[str, Any]:
    """The types that a function's annotations mean; `scope` is what it has from functions around it."""
    found = getattr(fn, "__annotations__", None)
    if not found:
        return {}
    from ..objects.annotations import meaning, scope_of

    known = scope_of(fn, enclosing(fn) if scope is None else scope)
    return {name: meaning(annotation, known) for name, annotation in found.items()}


def enclosing(fn: Any) -> dict[str, Any]:
    """The names that a function has from functions around it."""
    scope = {}
    for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True):
        try:
            scope[name] = cell.cell_contents
        except ValueError:
            continue  # not assigned yet in the enclosing function
    return scope


class Around:
    """A loop whose body is being lowered; contextlib would cost an import."""

    def __init__(self, c: Compiler, rounds: int, known: frozenset[str]) -> None:
        self.c, self.rounds, self.known = c, max(rounds, 1), known

    def __enter__(self) -> None:
        self.before = self.c.around, self.c.known
        self.c.around *= self.rounds
        self.c.known |= self.known

    def __exit__(self, *_: object) -> None:
        self.c.around, self.c.known = self.before


class Compiler:
    """Lowers one function (and what it inlines) into `graph`."""

    def __init__(self, unit: Unit, graph: Graph) -> None:
        self.unit = unit
        self.isa = unit.isa
        self.graph = graph
        self.b = Builder(graph)
        self.b.locked = self.locked
        self.b.permitted = self.permitted
        self.frame: Frame = None  # type: ignore[assignment]
        self.speculating = 0
        self.suppressed = False
        # From loops that are calls: what each number was given, and what its rounds end with.
        self.carried: dict[Value, Any] = {}
        # Numbers that were equal to others, on ways that an old verifier walks in vain, too.
        self.doubted: set[Value] = set()
        # The number of the first block in, or behind, the last loop in which the verifier widens numbers.
        self.widening = 0
        self.stays = ""  # why the program cannot be left here by a tail call
        self.around = 1  # the product of the rounds of the plain loops around what is being lowered
        # The variables of these whose numbers the verifier knows in each round.
        self.known: frozenset[str] = frozenset()
        self.assumed: dict[Any, Any] = {}
        self.free_slots: list[Slot] = []
        self.entry_context: Any = None

    @property
    def state(self) -> State:
        return self.b.state

    def context(self) -> Any:
        """The program's context, where helpers want it unasked."""
        if self.entry_context is None:
            self.fail(
                "this needs the context, which a @subprogram has only when it is given it as a parameter", self.b.at
            )
        return self.entry_context

    # -- errors

    def source(self, node: Any) -> Source:
        return self.frame.parsed.source(node)

    def fail(self, message: str, node: Any = None) -> NoReturn:
        raise CompileError(message, self.source(node if hasattr(node, "lineno") else self.b.at))

    def locked(self, name: str) -> None:
        """Nothing can be called under a spin lock, this kernel's rule."""
        self.fail(f"{name} is called under {self.state.owned['lock']}: call it before or after, and keep its result")

    def permitted(self, number: int, name: str) -> None:
        """Not every kind of program may call every helper, and some are for programs under the GPL only."""
        if number not in EVERYWHERE:
            from .helpercalls import check_allowed

            check_allowed(self, name, number)
        if self.unit.license in GPL_COMPATIBLE:
            return
        from ...kernel import rules

        if rules(self.unit.table).gpl_only(number):
            self.fail(f"{name} is for programs with a GPL-compatible licence, and this one says {self.unit.license!r}: "
                      f"it may say {', '.join(GPL_COMPATIBLE)}")  # fmt: skip

    def lenient(self) -> bool:
        """While the types of a loop's variables are still being found, complaints about them wait."""
        if self.speculating:
            self.suppressed = True
            return True
        return False

    def within(self, rounds: int, known: frozenset[str] = frozenset()) -> Around:
        """While the body of a loop of so many rounds is lowered, in each of which the verifier knows these names."""
        return Around(self, rounds, known)

    # -- lowering

    def expr(self, node: Any) -> Front:
        """What an expression stands for."""
        handler = EXPR.get(node.__class__.__name__)
        if handler is None:
            self.refuse(node)
        found: Front = handler(self, node)
        return found

    def body(self, nodes: list[Any]) -> None:
        """Statements in order; what follows a return, break or continue is never reached."""
        for node in nodes:
            if self.b.state is None:
                return
            self.b.at = node
            handler = STMT.get(node.__class__.__name__)
            if handler is None:
                self.refuse(node)
            handler(self, node)

    def refuse(self, node: Any) -> NoReturn:
        name = node.__class__.__name__
        self.fail(REFUSED.get(name, f"{name} is not part of the language of programs"), node)

    def number(self, node: Any) -> Any:
        """An expression where a number is wanted."""
        return self.expr(node).number(self, node)

    def constant(self, node: Any, what: str) -> Any:
        """An expression that must be known at compile time."""
        front = self.expr(node)
        if not isinstance(front, Const):
            self.fail(f"{what} must be known at compile time", node)
        return front.obj

    # -- the stack

    def slot(self, size: int, align: int, name: str) -> Value:
        """The address of fresh bytes on the stack."""
        return self.b.share("stack", [], Slot(size, align, name), 64, 1, (1 << 64) - 1)

    def borrow(self, size: int, align: int, name: str) -> Value:
        """Bytes for one call; give them back with `release`."""
        align = 8 if size >= 8 else align
        for i, slot in enumerate(self.free_slots):
            if slot.size == size and slot.align >= align:
                del self.free_slots[i]
                return self.b.share("stack", [], slot, 64, 1, (1 << 64) - 1)
        return self.slot(size, align, name)

    def release(self, address: Value | None) -> None:
        if address is not None and address.op == "stack":
            self.free_slots.append(address.aux)


from ..refused import REFUSED  # noqa: E402
from .expressions import EXPR  # noqa: E402
from .statements import STMT  # noqa: E402
