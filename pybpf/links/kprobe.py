"""kprobes: programs at almost any instruction of the kernel, at returns, at system calls, at many functions at once."""

from __future__ import annotations

from errno import EINVAL, ENOENT
from struct import pack

from ..errors import NotSupportedError, SpecError, SyscallError
from ..uapi import AttachType as A
from .base import BpfLink, Link
from .perf import bind, open_event, pmu_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_RETURN = 1  # kprobe_multi.flags, and the PMU's "retprobe" bit

# Prefix of the functions that implement system calls, by machine (arch/*/include/asm/syscall_wrapper.h).
_SYSCALL_PREFIX = {
    "x86_64": "__x64_sys_",
    "aarch64": "__arm64_sys_",
    "s390x": "__s390x_sys_",
    "riscv64": "__riscv_sys_",
}


def hook_name(prog: Any, target: Any) -> str:
    """The name of a KPROBE program's hook: one program type serves them all, "kretprobe", "usdt", "uprobe_multi", ...

    The attach type tells, or the section that the decorator or the object file gave it; else it is a uprobe when
    the target has a colon, and a kprobe.
    """
    spec = prog.spec
    if spec.expected_attach_type in _BY_ATTACH_TYPE and "ret" not in spec.section:
        return _BY_ATTACH_TYPE[spec.expected_attach_type]
    if spec.section:
        from ..kernel import find_section

        name = find_section(spec.section).name.removesuffix(".s").replace(".", "_")
        if name != "kprobe":
            return name
    return "uprobe" if isinstance(target, str) and ":" in target else "kprobe"


_BY_ATTACH_TYPE: dict[int, str] = {
    A.TRACE_KPROBE_MULTI: "kprobe_multi",
    A.TRACE_KPROBE_SESSION: "kprobe_session",
    A.TRACE_UPROBE_MULTI: "uprobe_multi",
    A.TRACE_UPROBE_SESSION: "uprobe_session",
}


def attach(prog: Any, target: Any, *, kind: str = "", **options: Any) -> Link:
    """Attach a program of type KPROBE, whichever of its hooks it is for.

    `kind` is "kprobe", "kretprobe", "ksyscall", "kretsyscall", "kprobe_multi", "kretprobe_multi", "kprobe_session",
    "uprobe", "uretprobe", "uprobe_multi", "uretprobe_multi", "uprobe_session" or "usdt"; by default what the
    decorator or section said, else uprobe for a target with a colon, and kprobe.  Targets and options are those of
    `attach_kprobe`, `attach_multi`, `uprobe.attach_uprobe`, `uprobe.attach_multi` and `usdt.attach_usdt`.
    """
    kind = kind or hook_name(prog, target)
    if kind == "usdt":
        from .usdt import attach_usdt

        return attach_usdt(prog, target, **options)
    returns = "ret" in kind
    if kind in ("kprobe", "kretprobe"):
        return attach_kprobe(prog, target, returns=returns, **options)
    if kind in ("ksyscall", "kretsyscall"):
        return attach_kprobe(prog, syscall_function(target), returns=returns, **options)
    if kind in ("kprobe_multi", "kretprobe_multi", "kprobe_session"):
        return attach_multi(prog, target, returns=returns, **options)
    from . import uprobe

    if kind in ("uprobe", "uretprobe"):
        return uprobe.attach_uprobe(prog, target, returns=returns, **options)
    if kind in ("uprobe_multi", "uretprobe_multi", "uprobe_session"):
        return uprobe.attach_multi(prog, target, returns=returns, **options)
    raise SpecError(f"kind {kind!r} is not a hook of KPROBE programs")


def attach_kprobe(prog: Any, target: str | int, *, returns: bool = False, offset: int = 0, cookie: int = 0) -> Link:
    """Run the program when a kernel function is entered, or (`returns`) has returned.

    `target` is a function, "function+offset", or an address; `cookie` needs Linux 5.15.
    """
    from ..syscall.door import address, buffer_of

    name, where = _split(target)
    what = f"{'return of ' if returns else ''}kernel function {target}"
    kind = pmu_type("kprobe")
    text = None if name is None else buffer_of(name.encode() + b"\0")
    try:
        event = open_event(
            kind, _RETURN if returns else 0, config1=address(text), config2=where + offset, pid=-1, cpu=0, what=what
        )
    except SyscallError as error:
        if error.errno in (ENOENT, EINVAL, 99):  # EADDRNOTAVAIL
            error.hint = _why_not(name) if name else "kernel code does not begin an instruction there"
        raise
    return bind(prog, event, what, cookie)


def _split(target: str | int) -> tuple[str | None, int]:
    """(function name or None, offset in it or address)."""
    if isinstance(target, int):
        return None, target
    name, _, offset = target.partition("+")
    try:
        return name, int(offset, 0) if offset else 0
    except ValueError:
        raise SpecError(f"kprobe target {target!r}: expected function or function+offset") from None


def _why_not(name: str) -> str:
    """What is wrong with a function that has no probe: it does not exist, or it may not be probed."""
    from difflib import get_close_matches

    names = kernel_functions()
    if name in names:
        return f"{name} may not be probed (the kernel marks it notrace or nokprobe), or has several instances"
    # Comparing with all of some hundred thousand names takes seconds.
    near = get_close_matches(name, {one for one in names if one[:4] == name[:4]}, 3)
    return f"the kernel has no function {name!r}" + (f"; did you mean {' or '.join(near)}?" if near else "")


def kernel_functions() -> list[str]:
    """Names of the functions in /proc/kallsyms, modules' too."""
    with open("/proc/kallsyms", encoding="ascii", errors="replace") as file:
        rows = (line.split() for line in file)
        return [row[2] for row in rows if row[1] in "tTwW"]


def syscall_function(name: str) -> str:
    """The kernel function that implements a system call ("execve" -> "__x64_sys_execve" on x86-64)."""
    from os import uname

    return _SYSCALL_PREFIX.get(uname().machine, "sys_") + name


def attach_multi(
    prog: Any, target: str | int | Sequence[str | int], *, returns: bool = False, cookies: Sequence[int] = ()
) -> BpfLink:
    """Attach to many kernel functions by one link (Linux 5.18): a name, a pattern ("tcp_*"), names, or addresses.

    `cookies` gives a number to each name.  Programs for sessions (Linux 6.10) run at entry and return.
    """
    from ..syscall.door import address, buffer_of, cstrings
    from ..syscall.objects import link_create

    wanted: list[str | int] = [target] if isinstance(target, (str, int)) else list(target)
    if any(isinstance(one, str) and set(one) & set("*?[") for one in wanted):
        wanted = [*matching(*map(str, wanted))]
    if cookies and len(cookies) != len(wanted):
        raise SpecError(f"{len(wanted)} functions and {len(cookies)} cookies: give one for each")
    names = [one for one in wanted if isinstance(one, str)]
    if names and len(names) != len(wanted):
        raise SpecError("give names of functions or addresses, not both")
    symbols = cstrings(names) if names else None
    addresses = None if names else buffer_of(pack(f"={len(wanted)}Q", *wanted))
    numbers = buffer_of(pack(f"={len(cookies)}Q", *cookies)) if cookies else None
    what = f"{len(wanted)} kernel functions" if len(wanted) > 1 else f"kernel function {wanted[0]}"
    extra = pack(
        "=2I3Q", _RETURN if returns else 0, len(wanted), address(symbols), address(addresses), address(numbers)
    )
    hook = prog.spec.expected_attach_type or A.TRACE_KPROBE_MULTI
    try:
        return BpfLink(what, link_create(prog.fileno(), 0, hook, 0, extra, what))
    except SyscallError as error:
        from .. import features

        features.require(
            features.have_attach_type, hook, hint="attach kprobes one by one; Debian's 6.1 lacks CONFIG_FPROBE"
        )
        if error.errno == EINVAL and prog.spec.expected_attach_type not in (hook,):
            error.hint = "load the program with expected_attach_type=AttachType.TRACE_KPROBE_MULTI"
        elif len(names) == 1:
            error.hint = _why_not(names[0])
        raise


def matching(*patterns: str) -> list[str]:
    """The kernel functions that can be traced and match one of the shell patterns.  SpecError when none does."""
    from fnmatch import filter as matches

    from ..syscall.tracefs import directory

    try:
        with open(f"{directory()}/available_filter_functions", encoding="ascii") as file:
            known = [line.split()[0] for line in file if "[" not in line]
    except OSError:
        raise NotSupportedError(
            "patterns of kernel functions", hint="tracefs does not list what can be traced"
        ) from None
    found = sorted({name for pattern in patterns for name in matches(known, pattern)})
    if not found:
        raise SpecError(f"no kernel function that can be traced matches {', '.join(patterns)}")
    return found
