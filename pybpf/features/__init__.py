"""What this kernel can do, found out by asking it: each answer comes from a probe, never from a version number.

    features.have_map_type(MapType.RINGBUF)                  True or False, asked once in a process
    features.require(features.have_command, Cmd.LINK_CREATE) NotSupportedError with the first kernel that has it
    features.isa_level()                                     1 to 4
    features.kernel_config("CONFIG_BPF_LSM")                 "y", "m", a value, or None

A probe that the kernel answers with "not permitted" says nothing about the kernel: it raises SyscallError.
"""

from __future__ import annotations

from ..errors import KindError, NotSupportedError
from ..lazy import exports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Any

    from .host import kernel_config as kernel_config
    from .host import report as report

_answers: dict[tuple[Hashable, ...], Any] = {}


def _once(key: tuple[Hashable, ...], probe: Callable[[], Any]) -> Any:
    """The answer to a question, asked at most once in a process; a probe that raises is asked again."""
    if key not in _answers:
        _answers[key] = probe()
    return _answers[key]


def _numbered(what: str, number: int, probe: Callable[[int], Any]) -> bool:
    """The answer for a number of one of the kernel's enums."""
    if not isinstance(number, int):
        raise KindError(f"{what} {number!r}: expected a number, as uapi's enums have them")
    return bool(_once((what, int(number)), lambda: probe(int(number))))


def forget() -> None:
    """Forget every answer, for a process that gained privileges or loaded a module."""
    _answers.clear()


def have_program_type(prog_type: int) -> bool:
    """Does this kernel load programs of this type (a `ProgType`)?"""
    from .programs import program_type

    return _numbered("program type", prog_type, program_type)


def have_map_type(map_type: int) -> bool:
    """Does this kernel create maps of this type (a `MapType`)?"""
    from .maps import map_type as probe

    return _numbered("map type", map_type, probe)


def have_helper(prog_type: int, helper: int | str, attach_type: int | None = None) -> bool:
    """May a program of this type call this helper (its number, or its name with or without `bpf_`)?

    Where the helpers depend on the attach type too, `attach_type` names it.  SpecError for a program type that has no
    helpers of its own (EXT) or a helper that does not exist.
    """
    from .programs import helper_number
    from .programs import program_helper as probe

    number = helper_number(helper)
    key = ("helper", int(prog_type), number, attach_type)
    return bool(_once(key, lambda: probe(int(prog_type), number, attach_type)))


def have_attach_type(attach_type: int) -> bool:
    """Can a program be attached at such a hook (an `AttachType`) here?"""
    from .attach import attach_type as probe

    return _numbered("attach type", attach_type, probe)


def have_link_type(link_type: int) -> bool:
    """Does this kernel make links of this type (a `LinkType`)?"""
    from .attach import link_type as probe

    return _numbered("link type", link_type, probe)


def have_command(command: int) -> bool:
    """Does this kernel's bpf(2) know this command (a `Cmd`)?"""
    from .commands import command as probe

    return _numbered("command", command, probe)


def isa_level() -> int:
    """The instruction set version that the kernel takes, as compilers count it with -mcpu: 1 to 4.

    2 adds unsigned less-than jumps (Linux 4.14), 3 jumps on 32-bit registers (5.1), 4 sign-extending loads and moves,
    signed division, byte swaps and long jumps (6.6).
    """
    from .programs import isa_level as probe

    return int(_once(("isa",), probe))


def have_instruction(name: str) -> bool:
    """Does the kernel take an instruction that no ISA level stands for?

    "atomic_fetch" (5.12), "may_goto" and "addr_space_cast" (6.9), "load_acquire" (6.15).  SpecError for another name.
    """
    from .programs import instruction as probe

    return bool(_once(("instruction", name), lambda: probe(name)))


def have_btf() -> bool:
    """Does the kernel describe its own types (/sys/kernel/btf/vmlinux)?"""
    from os.path import exists

    return bool(_once(("btf",), lambda: exists("/sys/kernel/btf/vmlinux")))


# First kernel with each `LinkType`: BPF_LINK_CREATE began with 5.7, and each type came with its own hook.
_LINK_SINCE = (
    *(None, "5.8", "5.8", "5.7", "5.8", "5.8", "5.9", "5.15", "5.18", "6.4", "6.4", "6.6", "6.6", "6.7", "6.10", "7.2"),
)


def first_kernel(kind: str, number: int) -> str | None:
    """The first kernel with a feature ("prog", "map", "attach", "link", "cmd" or "helper", and its number), if known.

    SpecError for another kind.
    """
    if kind == "link":
        return _LINK_SINCE[number] if 0 <= number < len(_LINK_SINCE) else None
    from ..kernel import since

    return since(kind, number)


# What `require` calls a feature, and the table of first kernels that its argument is looked up in.
_WORDS: dict[str, tuple[str, str, str]] = {
    "have_program_type": ("program type", "prog", "ProgType"),
    "have_map_type": ("map type", "map", "MapType"),
    "have_attach_type": ("attach type", "attach", "AttachType"),
    "have_link_type": ("link type", "link", "LinkType"),
    "have_command": ("command", "cmd", "Cmd"),
}


def require(have: Callable[..., bool], *args: Any, hint: str = "") -> None:
    """Raise NotSupportedError, naming the feature and the first kernel that has it, unless `have(*args)`."""
    if not have(*args):
        raise missing(have, *args, hint=hint)


def missing(have: Callable[..., bool], *args: Any, hint: str = "") -> NotSupportedError:
    """The error that says that `have(*args)` is False."""
    from .. import uapi

    name = have.__name__
    if name in _WORDS:
        words, table, enum = _WORDS[name]
        number = int(args[0])
        known = uapi.named(getattr(uapi, enum), number)
        return NotSupportedError(
            f"{words} {getattr(known, 'name', number)}", since=first_kernel(table, number), hint=hint
        )
    if name == "have_helper":
        from .programs import helper_number

        number = helper_number(args[1])
        kind = getattr(uapi.named(uapi.ProgType, int(args[0])), "name", args[0])
        helper = getattr(uapi.named(uapi.Helper, number), "name", number)
        first = first_kernel("helper", number)
        if not _ever(int(args[0]), number):
            first, hint = None, hint or f"no kernel lets {kind} programs call it, which came with Linux {first}"
        return NotSupportedError(f"bpf_{helper} in {kind} programs", since=first, hint=hint)
    words = name.removeprefix("have_").replace("_", " ")
    return NotSupportedError(" ".join([words, *map(str, args)]), hint=hint)


def _ever(prog_type: int, helper: int) -> bool:
    """Does the newest kernel that there are tables for let some program of the type call the helper?"""
    from ..kernel import KERNELS, rules

    return any(kind == prog_type for kind, *_ in rules(KERNELS[-1]).programs_that_call(helper))


_HOME = {"kernel_config": "host", "report": "host"}

__all__ = (
    "first_kernel", "forget", "have_attach_type", "have_btf", "have_command", "have_helper", "have_instruction",
    "have_link_type", "have_map_type", "have_program_type", "isa_level", "kernel_config", "missing", "report",
    "require",
)  # fmt: skip

__getattr__ = exports(__name__, _HOME)
