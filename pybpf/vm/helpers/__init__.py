"""Models of the kernel's helpers and kfuncs, one module a family, behind one lookup: `find` and `find_kfunc`."""

from __future__ import annotations

from ...errors import NotSupportedError, VmFault
from . import (  # noqa: F401 (each fills the table)
    arena,
    btf,
    checksum,
    conntrack,
    control,
    cpumasks,
    dynptr,
    environment,
    events,
    files,
    kfuncs,
    maps,
    memory,
    messages,
    network,
    objects,
    options,
    packet,
    routes,
    strings,
    syncookies,
    syscalls,
    tasks,
    tunnels,
    vlan,
)
from .table import KFUNCS, MODELS, VARIADIC, Helper, arity_of, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Replacements = Mapping[str, Callable[..., "int | None"]]


def find(number: int, replaced: Replacements) -> Helper:
    """The helper with this number.  VmFault when there is none, NotSupportedError naming one that is not modelled."""
    name = name_of(number)
    if name is None:
        raise VmFault(f"there is no helper number {number}")
    call = replaced.get(name) or MODELS.get(name)
    if call is None:
        raise NotSupportedError(
            f"helper bpf_{name} in the offline machine",
            hint=f'give the test\'s own: vm.helper("{name}", lambda ...: 0)',
        )
    return Helper(name, arity_of(number), call)


def find_kfunc(name: str, replaced: Replacements) -> Helper:
    """The kfunc of this name.  NotSupportedError naming one that is not modelled."""
    if name in replaced:
        return Helper(name, VARIADIC, replaced[name])
    if name not in KFUNCS:
        raise NotSupportedError(
            f"kfunc {name} in the offline machine", hint=f'give the test\'s own: vm.helper("{name}", lambda ...: 0)'
        )
    arity, call = KFUNCS[name]
    return Helper(name, arity, call)


def arguments_of(name: str) -> int:
    """How many arguments a helper or kfunc takes; 5, as many as there can be, where that is not known."""
    from ...uapi import HELPER_NAMES

    arity = arity_of(HELPER_NAMES.index(name)) if name in HELPER_NAMES else KFUNCS.get(name, (VARIADIC, None))[0]
    return 5 if arity == VARIADIC else arity


def known(name: str) -> bool:
    """Whether a helper or kfunc of this name exists, modelled or not."""
    from ...uapi import HELPER_NAMES

    return name in HELPER_NAMES or name in KFUNCS
