"""Probes of what may be loaded: program types, helpers, instructions."""

from __future__ import annotations

from os import close

from ..asm import Insn
from ..errors import SpecError
from ..uapi import ProgType as P
from .probe import EXIT, RETURN_0, ZERO, load

# How verifiers of all ages say that a program may not call a helper (check_helper_call).
_REFUSALS = ("unknown func", "invalid func", "program of this type cannot use helper")
_CALL = 0x85

# One program for each level of the instruction set that compilers know, with something that the level added.
_LEVELS = {
    2: (ZERO, Insn(0xA5, off=0, imm=1), EXIT),  # if r0 < 1 goto +0
    3: (ZERO, Insn(0x16, off=0, imm=1), EXIT),  # if w0 == 1 goto +0
    4: (ZERO, Insn(0xBF, off=8), EXIT),  # r0 = (s8)r0
}
_INSTRUCTIONS = {
    # *(u64 *)(r10 - 8) = 0; r0 = atomic_fetch_add((u64 *)(r10 - 8), r0)
    "atomic_fetch": (ZERO, Insn(0x7A, 10, off=-8), Insn(0xDB, 10, 0, -8, 1), ZERO, EXIT),
    "may_goto": (ZERO, Insn(0xE5, off=1), ZERO, EXIT),
    "load_acquire": (ZERO, Insn(0x7A, 10, off=-8), Insn(0xDB, 0, 10, -8, 0x100), ZERO, EXIT),
    # r0 = addr_space_cast(r0, 0, 1): refused without an arena, but by name
    "addr_space_cast": (ZERO, Insn(0xBF, 0, 0, 1, 1), EXIT),
}


def _taken(result: tuple[int, str]) -> bool:
    if result[0] >= 0:
        close(result[0])
    return result[0] >= 0


def program_type(prog_type: int) -> bool:
    """Loaded, or refused by the verifier, which sees only types that the kernel has."""
    fd, log = load(prog_type)
    return _taken((fd, log)) or bool(log.strip())


def program_helper(prog_type: int, helper: int, attach_type: int | None) -> bool:
    """The verifier looks a helper up before it looks at the arguments, so none are given."""
    if prog_type == P.EXT:
        raise SpecError("a program of type EXT has the helpers of the program that it extends: ask for that one's type")
    if prog_type == P.STRUCT_OPS:
        from .maps import struct_ops_member

        btf_id, member = struct_ops_member("tcp_congestion_ops", "ssthresh")
        fd, log = load(prog_type, (Insn(_CALL, imm=helper), *RETURN_0), attach_type=member, btf_id=btf_id)
    else:
        fd, log = load(prog_type, (Insn(_CALL, imm=helper), *RETURN_0), attach_type=attach_type)
    if _taken((fd, log)):
        return True
    return bool(log.strip()) and "call" in log and not any(words in log for words in _REFUSALS)


def helper_number(helper: int | str) -> int:
    """A helper's number from its number or its name.  SpecError for a name that no helper has."""
    if not isinstance(helper, str):
        return int(helper)
    from ..uapi.helper_names import HELPER_NAMES

    name = helper.removeprefix("bpf_")
    try:
        return HELPER_NAMES.index(name)
    except ValueError:
        raise SpecError(f"there is no helper bpf_{name}") from None


def isa_level() -> int:
    """The highest level whose instructions are taken; every kernel that has bpf(2) takes the first."""
    level = 1
    for higher, insns in _LEVELS.items():
        if not _taken(load(P.SOCKET_FILTER, insns)):
            break
        level = higher
    return level


def instruction(name: str) -> bool:
    """Is one of `_INSTRUCTIONS` taken?  SpecError for another name."""
    if name not in _INSTRUCTIONS:
        raise SpecError(f"no probe for the instruction {name!r}: there are {', '.join(_INSTRUCTIONS)}")
    fd, log = load(P.SOCKET_FILTER, _INSTRUCTIONS[name])
    return _taken((fd, log)) or "addr_space_cast insn" in log
