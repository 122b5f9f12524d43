# ruff: noqa: A001 (type and id are the words of this field, here and in struct bpf_reg_state)
"""The functions of a program as its BTF describes them: which are global, what they take, what they give."""

from __future__ import annotations

from ...btf.kinds import Kind
from ...errors import BtfError
from ..memory.pointers import check_unmodified
from ..memory.special import check_dynptr
from ..reject import Reject
from ..values import (
    ANY,
    ARENA,
    BTF_ID,
    CTX,
    DYNPTR,
    MAYBE_NULL,
    MEM,
    RCU,
    RDONLY,
    SCALAR,
    STACK,
    TRUSTED,
    UNTRUSTED,
    Reg,
    type_name,
)
from .contexts import is_context, may_be_tagged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from ...btf import Btf
    from ..explore import Run
    from ..state import State

GLOBAL = 1
_TAGS = frozenset(("ctx", "trusted", "untrusted", "nonnull", "nullable", "arena"))
_UNTRUSTED_SINCE = "6.17"
_NUMBERS = frozenset((Kind.INT, Kind.ENUM, Kind.ENUM64))
_TAGS_SINCE = "6.8"
"""Kernels before this one do not look at tags."""


class Argument:
    """One argument of a global function.

    `kind` is "number", "ctx", "mem", "dynptr", "arena", "object" (of the kernel) or "untrusted"; `size` of memory, `struct` of
    an object; `nullable`.
    """

    __slots__ = ("kind", "nullable", "size", "struct")

    def __init__(self, kind: str, size: int = 0, nullable: bool = False, struct: str = "") -> None:
        self.kind = kind
        self.size = size
        self.nullable = nullable
        self.struct = struct


class Function:
    """A subprogram: `name`, `linkage` (0 static, 1 global), what it returns, and for global ones `arguments`."""

    def __init__(self, subprog: int, name: str = "", linkage: int = 0) -> None:
        self.subprog = subprog
        self.name = name
        self.linkage = linkage
        self.arguments: tuple[Argument, ...] = ()
        self.returns_void = False
        self.returns_number = True
        self.problem = ""
        """Why a global function cannot be called."""

    @property
    def is_global(self) -> bool:
        return self.linkage == GLOBAL and self.subprog > 0


def describe(run: Run, subprog: int) -> Function:
    """What BTF says of a subprogram; without BTF, it is static."""
    info = run.setting.spec.func_info
    btf = run.program_btf()
    if not info or btf is None or subprog >= len(info):
        return Function(subprog)
    try:
        found = btf.type(int(info[subprog][1]))
        if found.kind != Kind.FUNC:
            raise Reject("btf", f"type {found.id} of func_info is not a function")
        function = Function(subprog, found.name, found.vlen)
        result = found.type.type.stripped
        function.returns_void = result.kind == Kind.VOID
        function.returns_number = result.kind in _NUMBERS
        if function.linkage == GLOBAL and subprog:
            _read_prototype(run, function, _Reader(run, btf, found))
    except BtfError as error:
        raise Reject("btf", f"func_info: {error}") from None
    return function


def exception_callback(run: Run) -> int | None:
    """The subprogram that a tag of the program's BTF names to run when it throws."""
    btf, info = run.program_btf(), run.setting.spec.func_info
    if btf is None or not info:
        return None
    named = [
        tag.name.partition(":")[2]
        for tag in btf.own_types()
        if tag.kind == Kind.DECL_TAG and tag.name.startswith("exception_callback:") and tag.type_id == int(info[0][1])
    ]
    if not named:
        return None
    if len(named) > 1:
        raise Reject("btf", "multiple exception callback tags for main subprog")
    found = next((i for i in range(len(info)) if run.function(i).name == named[0]), None)
    if found is None:
        raise Reject("btf", "exception callback type id not found in func_info")
    return found


def _read_prototype(run: Run, function: Function, reader: _Reader) -> None:
    if not function.returns_number and not (function.returns_void and run.setting.at_least("7.2")):
        function.problem = f"Global function {function.name}() doesn't return scalar. Only those are supported."
        return
    try:
        function.arguments = tuple(reader.arguments())
    except Reject as error:
        function.problem = error.message


class _Reader:
    """Reads the arguments of a global function from its prototype and the tags of its arguments (`__arg_ctx`, ...)."""

    def __init__(self, run: Run, btf: Btf, func: Any) -> None:
        self.run = run
        self.func = func
        self.tags: dict[int, set[str]] = {}
        for type in btf.own_types() if run.setting.at_least(_TAGS_SINCE) else ():
            if type.kind == Kind.DECL_TAG and type.type_id == func.id and type.name.startswith("arg:"):
                self.tags.setdefault(type.component, set()).add(type.name[4:])  # type: ignore[attr-defined]

    def arguments(self) -> Iterator[Argument]:
        params = self.func.type.params
        name = self.func.name
        if len(params) > 5:
            raise Reject("btf", f"Global function {name}() with {len(params)} > 5 args. Buggy compiler.")
        for i, (_, type) in enumerate(params):
            words = self.tags.get(i, set())
            unknown = words - (_TAGS if self.run.setting.at_least(_UNTRUSTED_SINCE) else _TAGS - {"untrusted"})
            if unknown:
                raise Reject("btf", f"arg#{i} has unsupported set of tags ({', '.join(sorted(unknown))})")
            type = type.stripped
            if type.kind == Kind.PTR:
                yield self._pointer(i, type, words)
            elif words:
                raise Reject("btf", f"arg#{i} has pointer tag, but is not a pointer type")
            elif type.kind in _NUMBERS:
                yield Argument("number")
            else:
                raise Reject("btf", f"Arg#{i} type {type.kind.name} in {name}() is not supported yet.")

    def _pointer(self, i: int, pointer: Any, words: set[str]) -> Argument:
        target = pointer.type.stripped
        setting = self.run.setting
        if "ctx" in words or is_context(setting, pointer.type):
            self._refuse(i, words - {"ctx"})
            if words and not may_be_tagged(setting, pointer.type):
                raise Reject("btf", f"arg#{i} should be a pointer to this program's context, or void *")
            return Argument("ctx")
        if target.name == "bpf_dynptr":
            self._refuse(i, words)
            return Argument("dynptr")
        if "trusted" in words:
            self._refuse(i, words & {"nonnull"})
            return Argument("object", nullable="nullable" in words, struct=self._struct(i, target))
        if "untrusted" in words:
            self._refuse(i, words - {"untrusted"})
            plain = target.kind == Kind.VOID or target.kind in _NUMBERS
            return Argument("untrusted", struct="" if plain else self._struct(i, target))
        if "arena" in words:
            self._refuse(i, words - {"arena"})
            return Argument("arena")
        self._refuse(i, words & {"nullable"})
        if target.kind in (Kind.VOID, Kind.FWD, Kind.FUNC_PROTO):
            text = f"arg#{i} reference type('{target.kind.name} {target.name}') size cannot be determined"
            raise Reject("btf", text, hint="a pointer to a type of known size, or a tag such as __arg_ctx")
        return Argument("mem", target.size if target.kind != Kind.PTR else 8, "nonnull" not in words)

    def _refuse(self, i: int, words: set[str]) -> None:
        if words:
            raise Reject("btf", f"arg#{i} has invalid combination of tags")

    def _struct(self, i: int, target: Any) -> str:
        """The kernel's structure that a type of the program stands for; what follows ___ in its name is a flavour."""
        name: str = target.name.partition("___")[0]
        if target.kind != Kind.STRUCT or not self.run.setting.kernel_btf().find_all(name, Kind.STRUCT):
            raise Reject(
                "btf", f"arg#{i} has type {target.kind.name} '{target.name}', but only a kernel struct is allowed"
            )
        return name


def entry_registers(run: Run, function: Function) -> list[Reg]:
    """What a global function starts with, when it is checked by itself."""
    found = []
    for argument in function.arguments:
        if argument.kind in ("number", "arena"):  # what points into an arena may be any number
            found.append(ANY)
        elif argument.kind == "ctx":
            found.append(Reg(CTX))
        elif argument.kind == "dynptr":
            found.append(Reg(DYNPTR, id=run.new_id(), data="local"))
        elif argument.kind == "object":
            null = MAYBE_NULL if argument.nullable else 0
            id = run.new_id() if null else 0
            found.append(Reg(BTF_ID | TRUSTED | null, id=id, data=("kernel", argument.struct)))
        elif argument.kind == "untrusted":
            if argument.struct:
                found.append(Reg(BTF_ID | UNTRUSTED, data=("kernel", argument.struct)))
            else:
                found.append(Reg(MEM | UNTRUSTED | RDONLY, data=0))
        else:
            flags = MAYBE_NULL if argument.nullable else 0
            found.append(Reg(MEM | flags, id=run.new_id() if flags else 0, data=argument.size))
    return found


def check_arguments(run: Run, state: State, function: Function) -> None:
    """What a caller hands to a global function fits its prototype."""
    refused = f"Caller passes invalid args into func#{function.subprog} ('{function.name}')"
    if function.problem:
        raise Reject("argument", f"{refused}: {function.problem}")
    for i, argument in enumerate(function.arguments):
        check = _CHECKS.get(argument.kind)
        try:
            if check is not None:
                check(run, state, i + 1, argument)
        except Reject as error:
            raise Reject("argument", f"{refused}: {error.message}", hint=error.hint, regs=(i + 1,)) from None


def _check_number(run: Run, state: State, regno: int, argument: Argument) -> None:
    if state.regs[regno].type != SCALAR:
        raise Reject("argument", f"R{regno} is not a scalar")


def _check_context(run: Run, state: State, regno: int, argument: Argument) -> None:
    reg = state.regs[regno]
    if reg.type != CTX:
        raise Reject("argument", f"R{regno} is not the context")
    check_unmodified(reg, regno)


def _check_memory(run: Run, state: State, regno: int, argument: Argument) -> None:
    from ..memory.buffers import check_memory

    reg = state.regs[regno]
    if reg.null and (argument.nullable or not run.setting.at_least("7.2")):
        return  # before, even where the function is told that it is not NULL
    if reg.type & MAYBE_NULL:
        if not argument.nullable:
            raise Reject("argument", f"R{regno} may be NULL")
        state.regs[regno] = reg.replace(type=reg.type & ~MAYBE_NULL)
    for write in (False, True):
        check_memory(run, state, regno, argument.size, write=write, zero_ok=False)


def _check_dynptr(run: Run, state: State, regno: int, argument: Argument) -> None:
    reg = state.regs[regno]
    if reg.type not in (STACK, DYNPTR):
        raise Reject("argument", f"R{regno} is no dynptr ({type_name(reg.type)})")
    if reg.type == DYNPTR:
        check_unmodified(reg, regno)
    check_dynptr(run, state, reg, regno, False)


def _check_object(run: Run, state: State, regno: int, argument: Argument) -> None:
    """A pointer to a kernel object, as helpers take them."""
    from ..memory.btfwalk import begins_with

    reg = state.regs[regno]
    if reg.null and argument.nullable:
        return
    type = reg.type & ~MAYBE_NULL if argument.nullable else reg.type
    if type not in (BTF_ID, BTF_ID | TRUSTED, BTF_ID | RCU):
        raise Reject("argument", f"R{regno} type={type_name(reg.type)} expected=ptr_, trusted_ptr_, rcu_ptr_")
    if not begins_with(run, reg.data, argument.struct, reg.off):
        raise Reject("argument", f"R{regno} is of type {reg.data[1]} but {argument.struct} is expected")


def _check_arena(run: Run, state: State, regno: int, argument: Argument) -> None:
    if state.regs[regno].type not in (ARENA, SCALAR):
        raise Reject("argument", f"R{regno} is not a pointer to arena or scalar")


_CHECKS: dict[str, Callable[[Run, State, int, Argument], None]] = {
    "number": _check_number,
    "ctx": _check_context,
    "mem": _check_memory,
    "dynptr": _check_dynptr,
    "object": _check_object,
    "arena": _check_arena,
}
"""What must hold of each kind of argument; of an untrusted pointer nothing must."""
