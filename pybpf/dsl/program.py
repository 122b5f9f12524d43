"""`Function`: a decorated function, which is its program's spec; compiled when its instructions are first needed."""

from __future__ import annotations

from time import time

from ..errors import CompileError, KindError, SpecError
from ..source import Source
from ..spec import ProgramSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FunctionType
    from typing import Any

    from .kinds import Kind
    from .ssa.ir import Graph

STARTED = time()
"""When the first decorator was used: a file written later may not hold what was imported from it."""
DEFAULT_KERNEL = "6.18"
DEFAULT_ISA = 3
ISA_V4 = (6, 6)
EVENTS = frozenset((5, 17, 24))
"""Program types whose target is the name of an event: TRACEPOINT, RAW_TRACEPOINT and its writable form."""
_A = {str: "a text", int: "a number"}
_DESCRIPTION = ("btf", "func_info", "line_info", "core_relos")
_LAZY = frozenset(("insns", "maps", "btf", "func_info", "line_info", "core_relos", "ir"))


def version(kernel: str | None) -> tuple[int, int]:
    try:
        major, minor = (kernel or DEFAULT_KERNEL).split(".")[:2]
        return int(major), int(minor)
    except (AttributeError, ValueError):  # 6.1, a number, might be meant for 6.10
        raise SpecError(f"kernel={kernel!r}: expected a version such as '6.1'") from None


def began(code: CodeType) -> Source:
    """Where a function begins, for errors met before its text is read."""
    from linecache import getline

    line = getline(code.co_filename, code.co_firstlineno).rstrip("\n")
    return Source(code.co_filename, code.co_firstlineno, len(line) - len(line.lstrip()) + 1, line)


class _Made(type(ProgramSpec)):  # type: ignore[misc]
    """Errors of a decorator's options speak of the decorator."""

    def _misuse(cls, args: tuple[Any, ...], kw: dict[str, Any]) -> str:
        from ..misuse import explain

        options: Any = cls.__init__.__kwdefaults__  # type: ignore[misc]
        return explain(repr(args[1]), (lambda self, **known: None).__code__, 0, (), kw, options)


class Function(ProgramSpec, metaclass=_Made):
    """A program written as a Python function.

    It is a `ProgramSpec`; beside the fields of one it has `function` (what was decorated), `ir` (the intermediate form as text,
    one graph for each function) and `kernel`, the version that it is compiled for.  Calling it calls the Python function.
    """

    function: Any
    bound: Any  # what a method was taken from; its first parameter is that, and the second the context
    kernel: str
    isa: int
    ir: str

    def __init__(
        self,
        function: FunctionType,
        kind: Kind,
        *,
        name: str = "",
        license: str = "GPL",
        kernel: str | None = None,
        isa: int = DEFAULT_ISA,
        attach_to: Any = None,
        flags: int = 0,
        source: str | None = None,
        ifindex: int = 0,
    ) -> None:
        method: Any = function
        bound = getattr(method, "__self__", None)
        function = getattr(method, "__func__", method)  # of methods, bound and static
        if not hasattr(function, "__code__"):
            raise CompileError(f"{function!r} is not a function: decorate one made with def")
        if hasattr(function, "__wrapped__"):
            inner = getattr(function.__wrapped__, "__code__", function.__code__)
            raise CompileError(
                f"{function.__name__} is wrapped by another decorator, whose function would run in its place: "
                "a program is compiled from its own text, so leave the other decorator out",
                began(inner),
            )
        for option, given, wanted in (
            ("name", name, str), ("license", license, str), ("flags", flags, int),
            ("source", "" if source is None else source, str),
        ):  # fmt: skip
            if not isinstance(given, wanted):
                raise KindError(f"{kind!r}: {option} is {given!r}, expected {_A[wanted]}")
        if kind.prog_type in EVENTS and not isinstance(attach_to, (str, type(None))):
            raise KindError(f"{kind!r}: the event is {attach_to!r}, expected a text")
        if isa not in (1, 2, 3, 4):
            raise SpecError(f"isa={isa!r}: the instruction set has the levels 1, 2, 3 and 4")
        if version(kernel) < ISA_V4 and isa == 4:
            raise SpecError(f"isa=4: Linux {kernel} does not know these instructions, which came with 6.6; use isa=3")
        self._set(
            function=function,
            kind=kind,
            kernel=kernel or DEFAULT_KERNEL,
            isa=isa,
            prog_type=kind.prog_type,
            name=name or function.__name__,
            license=license,
            expected_attach_type=kind.attach_type,
            flags=flags | kind.flags,
            attach_to=attach_to,
            section=f"{kind.section}/{attach_to}" if kind.section and attach_to else kind.section,
            kern_version=0,
            ifindex=ifindex,
            _source=source,
            bound=bound,
            __wrapped__=function,
            __name__=function.__name__,
            __doc__=function.__doc__,
            __module__=function.__module__,
        )

    def __call__(self, *args: Any, **kw: Any) -> Any:
        return self.function(*args, **kw) if self.bound is None else self.function(self.bound, *args, **kw)

    def __getattr__(self, name: str) -> Any:
        if name in _LAZY:
            self._compile(name)
            return self.__dict__[name]
        raise AttributeError(f"{type(self).__name__} {self.__dict__.get('name', '')!r} has no attribute {name!r}")

    def __repr__(self) -> str:
        return f"<{self.kind.name} program {self.name}>"

    def _compile(self, name: str) -> None:
        from .pipeline import compile_program, describe

        done = self.__dict__
        if "_compiled" not in done:
            done["_compiled"] = _without_collector(compile_program, self)
            done["insns"], done["maps"] = done["_compiled"].insns, done["_compiled"].maps
        if name in _DESCRIPTION:
            done.update(zip(_DESCRIPTION, describe(self, done["_compiled"]), strict=True))
        elif name == "ir":
            done["ir"] = "\n".join(str(graph) for graph in done["_compiled"].graphs)

    def replace(self, **changes: Any) -> Any:
        """A copy with some fields changed, as for every spec; what shapes the code (`isa`, `kernel`, `name` and the like
        besides) is compiled again."""
        from .program import Function

        shaping = changes.keys() & {"isa", "kernel"}
        if not shaping:
            return super().replace(**changes)
        again = Function(
            self.function if self.bound is None else self.function.__get__(self.bound),
            self.kind,
            name=self.name,
            license=self.license,
            kernel=changes.pop("kernel", self.kernel),
            isa=changes.pop("isa", self.isa),
            attach_to=self.attach_to,
            source=self._source,
        )
        again._set(flags=self.flags)
        return again.replace(**changes) if changes else again


def _without_collector(stage: Any, spec: Function) -> Any:
    """Compiling makes many objects and frees few until its end: looking for cycles on the way takes half of the time."""
    import gc

    if not gc.isenabled():
        return stage(spec)
    gc.disable()
    try:
        return stage(spec)
    finally:
        gc.enable()


__all__ = ["Function", "Graph"]
