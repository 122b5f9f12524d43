"""Contexts of tracing programs: trace events by field name, function arguments by position, registers."""

from __future__ import annotations

from errno import EINVAL

from ...errors import BpfError, ConversionError, InputError, SpecError
from ...kernel.run_context import MAX_WORDS
from ...kernel.run_context import words as in_words
from ...kernel.traced import arguments
from ...types import codec
from ...uapi import AttachType, ProgType, pt_regs
from ..environment import Task
from ..sockets import PseudoSocket, socket_address
from .base import Context, flat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ...spec import ProgramSpec
    from ..environment import Environment
    from ..memory import Memory

_ARGUMENTS = ("di", "si", "dx", "cx", "r8", "r9")  # System V, x86-64
_SEE_RESULT = (AttachType.TRACE_FEXIT, AttachType.MODIFY_RETURN)


def event(spec: ProgramSpec, given: Any, mem: Memory, env: Environment, data: bytes | None) -> Context:
    """A trace event: `ctx` is a dict of its fields, or the bytes of the whole record.

    The layout is that of the event that the program will be attached to.  SpecError when it is not known, or has no
    such field.
    """
    if given is not None and not isinstance(given, dict):
        return Context(bytearray(bytes(given)), name="the event")
    from ...kernel.trace_events import event_format

    target = spec.attach_to
    fields = event_format(target) if isinstance(target, str) else None
    if fields is None:
        if given:
            raise SpecError(f"ctx: the fields of event {target!r} are not known here: give the record as bytes")
        return Context(bytearray(64), name="the event")
    record = bytearray(max(offset + codec(type_).size for type_, offset, _ in fields.values()))
    for name, value in (given or {}).items():
        if name not in fields:
            raise SpecError(f"ctx: {target} has no field {name!r}; it has {', '.join(fields)}")
        type_, offset, how = fields[name]
        if how == "dynamic":
            raw = value.encode() + b"\0" if isinstance(value, str) else bytes(value)
            record[offset : offset + 4] = (len(raw) << 16 | len(record)).to_bytes(4, "little")
            record += raw
            continue
        kind = codec(type_)
        number = type_(value) if isinstance(value, int) and callable(type_) else value  # -1 fits an unsigned field too
        try:
            record[offset : offset + kind.size] = kind.pack(number)
        except ConversionError as error:
            hint = f"; for a pointer, vm.user_string({value!r})" if isinstance(value, str) else ""
            raise ConversionError(f"ctx: {name} of {target}: {error}{hint}") from None
    return Context(record, name=f"the event {target}")


class ReadOnlyWords(Context):
    """Arguments that programs only read; TEST_RUN does not give them back."""

    def output(self) -> bytes:
        return b""


def words(spec: ProgramSpec, given: Any, mem: Memory, env: Environment, data: bytes | None) -> Context:
    """64-bit words: raw tracepoints, fentry, LSM.

    `ctx` is a sequence of numbers in order, `{"args": [...]}`, a dict of the traced function's arguments by name (and
    "retval", where the program sees the result), or bytes; a `PseudoSocket` or a `Task` stands for its address.  Names
    are those of the program's own parameters, or of the kernel's BTF.
    """
    if isinstance(given, dict):
        given = given["args"] if set(given) == {"args"} else _by_name(spec, given)
    count = MAX_WORDS
    if isinstance(given, (list, tuple)):
        count = max(len(given) - (spec.expected_attach_type in _SEE_RESULT), 0)
    if given is None or isinstance(given, (list, tuple)):
        given = in_words([_address(value, mem, env) for value in given or ()])
    if len(bytes(given)) > 8 * MAX_WORDS:
        raise InputError(EINVAL, f"ctx: {len(bytes(given))} bytes: at most {MAX_WORDS} arguments of 8")
    kind = ReadOnlyWords if spec.prog_type == ProgType.RAW_TRACEPOINT else Context
    made = kind(bytearray(bytes(given).ljust(8 * MAX_WORDS, b"\0")), name="the arguments")
    made.arguments = count
    return made


def _address(value: Any, mem: Memory, env: Environment) -> Any:
    """The address of an object of the kernel; other values as they are."""
    from ..kernelobjects import task_address

    if isinstance(value, PseudoSocket):
        return socket_address(mem, value)
    return task_address(mem, env, value) if isinstance(value, Task) else value


def _by_name(spec: ProgramSpec, given: dict[str, Any]) -> list[Any]:
    """Arguments in the order of the program's own parameters, or of what it is attached to; 0 for those not given."""
    if not given:
        return []
    own = _parameters(spec)
    names = own if own and set(given) <= set(own) else _of_target(spec, given, own)
    for name in given:
        if name not in names:
            where = spec.attach_to or f"program {spec.name}"
            raise SpecError(f"ctx: {where} has no argument {name!r}; it has {', '.join(dict.fromkeys((*own, *names)))}")
    return [given.get(name, 0) for name in names]


def _parameters(spec: ProgramSpec) -> list[str]:
    """The names that a decorated function gives its arguments: its parameters behind the context."""
    code = getattr(getattr(spec, "function", None), "__code__", None)
    return [] if code is None else list(code.co_varnames[1 : code.co_argcount])


def _of_target(spec: ProgramSpec, given: dict[str, Any], own: list[str]) -> list[str]:
    """The names of the arguments of what the program is attached to, and "retval" where it sees the result."""
    in_order = "give the arguments in order, as a list"
    target = spec.attach_to
    if not isinstance(target, str) or spec.prog_type == ProgType.EXT:
        if own:
            return own
        raise SpecError(f"ctx: {', '.join(given)}: no function is known that has such arguments: {in_order}")
    try:
        names = [name for name, _ in arguments(spec.prog_type, spec.expected_attach_type, target)]
    except (BpfError, OSError) as error:
        if own:
            return own
        raise SpecError(f"ctx: the arguments of {target} have no names here ({error}): {in_order}") from error
    if spec.prog_type == ProgType.LSM or spec.expected_attach_type in _SEE_RESULT:
        names.append("retval")
    return names


def registers(spec: ProgramSpec, given: Any, mem: Memory, env: Environment, data: bytes | None) -> Context:
    """The registers where a probe hit: fields of `struct pt_regs`, and `args` and `retval` for where functions have
    them; a list is `args`.  SpecError for more arguments than there are registers for.
    """
    if isinstance(given, (list, tuple)):
        given = {"args": given}
    if isinstance(given, dict):
        given = dict(given)
        args = given.pop("args", ())
        if len(args) > len(_ARGUMENTS):
            raise SpecError(
                f"ctx: {len(args)} arguments: registers hold {len(_ARGUMENTS)}, others lie on the stack (sp)"
            )
        given.update(zip(_ARGUMENTS, args, strict=False))
        if "retval" in given:
            given["ax"] = given.pop("retval")
    return flat(pt_regs, given, mem, env, data)


__all__ = ("event", "registers", "words")
