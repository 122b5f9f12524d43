"""Why a kernel refused something: because it lacks a type, a helper or an instruction, if a probe says so."""

from __future__ import annotations

import re
from errno import EINVAL, EPERM

from ..asm import isa
from ..errors import SyscallError, VerifierError
from ..kernel import capabilities, since
from ..syscall.remedy import CAPABILITIES, effective_capabilities
from ..uapi import ProgType, named
from . import have_attach_type, have_instruction, have_map_type, have_program_type, isa_level, require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..spec import ProgramSpec

_HELPER = re.compile(r"(?:unknown func|invalid func|cannot use helper) .*?(?P<number>\d+)$")
_FOREIGN = re.compile("reserved field|unknown opcode|invalid BPF_|unknown BPF_|uses reserved|invalid atomic")
# Probes of `have_instruction`, by the name in the instruction table.
_INSTRUCTIONS = {
    "atomic operations": "atomic_fetch",
    "load_acquire and store_release": "load_acquire",
    "may_goto": "may_goto",
    "addr_space_cast": "addr_space_cast",
}


def of_map(map_type: int, error: SyscallError) -> None:
    """NotSupportedError when the kernel has no maps of the type that it refused, unless no kernel has."""
    if error.errno == EINVAL and since("map", map_type):
        require(have_map_type, map_type)


def of_program(spec: ProgramSpec, error: SyscallError) -> None:
    """NotSupportedError when the kernel has no such type of program or of attachment; else a hint, if one is known."""
    if isinstance(error, VerifierError):
        error.hint = error.hint or _verdict(spec, error.reason)
    elif error.errno == EPERM and (missing := _missing(capabilities.for_type(spec.prog_type))):
        kind = getattr(named(ProgType, spec.prog_type), "name", spec.prog_type)
        error.hint = f"to load {kind} programs {missing}: run as root, or grant it (setcap, AmbientCapabilities=)"
    elif error.errno == EINVAL and since("prog", spec.prog_type):
        require(have_program_type, spec.prog_type)
        if spec.expected_attach_type:
            require(have_attach_type, spec.expected_attach_type)


def _missing(needed: Iterable[str]) -> str:
    """Those of some capabilities that the process lacks, in words; "" when it has all, or /proc does not tell."""
    held = effective_capabilities()
    if held is None or held >> CAPABILITIES["CAP_SYS_ADMIN"] & 1:
        return ""
    lacks = sorted(name for name in needed if not held >> CAPABILITIES[name] & 1)
    return f"the process lacks {' and '.join(lacks)}" if lacks else ""


def _verdict(spec: ProgramSpec, reason: str) -> str:
    """What the verifier's reason means on this kernel; "" when it is about the program itself."""
    call = _HELPER.search(reason)
    if call and (first := since("helper", int(call["number"]))):
        from ..uapi.helper_names import HELPER_NAMES

        helper = HELPER_NAMES[int(call["number"])]
        missing = _missing(filter(None, (capabilities.for_helper(helper, spec.prog_type),)))
        if missing:
            return f"to call bpf_{helper} {missing}"
        return f"bpf_{helper} came with Linux {first}; not every program type has it"
    if _FOREIGN.search(reason):
        for feature in reversed(isa.features(spec.insns)):
            probe = _INSTRUCTIONS.get(feature.name)
            if (feature.level or 0) > isa_level() or (probe and not have_instruction(probe)):
                return f"this kernel does not know {feature.name} (Linux {feature.since})"
    return ""
