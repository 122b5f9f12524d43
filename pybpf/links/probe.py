"""Probes: programs at functions of the kernel (kprobe) and of user programs (uprobe, USDT), by whatever way there is.

What a probe is stands in the program's section name, as ELF objects spell it: "kprobe", "kretprobe", "ksyscall",
"uprobe", "usdt", "kprobe.multi" and so on; the decorators of the language set it.  `kind=` says it where the program
does not.
"""

from __future__ import annotations

from errno import ENOENT
from struct import pack

from ..errors import NotSupportedError, SpecError, SyscallError
from ..syscall.door import address, buffer_of, cstrings
from ..uapi import AttachType
from .base import BpfLink, Link
from .perf import PerfLink, attach_all, attach_event, event_attr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PMU = "/sys/bus/event_source/devices"
_SYSCALL_PREFIX = {"x86_64": "__x64_", "aarch64": "__arm64_", "s390x": "__s390x_", "riscv64": "__riscv_"}
_RETURN = 1 << 0  # BPF_F_KPROBE_MULTI_RETURN, BPF_F_UPROBE_MULTI_RETURN


def attach(prog: Any, target: str, *, kind: str = "", pid: int = -1, cookie: int = 0) -> Link:
    """Run the program when a function is entered or returns.

    `target` is, by kind: a kernel function, "function+offset" (kprobe, kretprobe); a system call's name (ksyscall,
    kretsyscall); a pattern with * and ? (kprobe.multi, kretprobe.multi, kprobe.session; Linux 5.18);
    "path:function", "path:function+offset" or "path:0xaddress" (uprobe, uretprobe); "path:pattern" (uprobe.multi; 6.6);
    "path:provider:name" (usdt).  A path without a slash is looked up as a library or a program.
    `pid` limits user probes to one process.  SyscallError (ENOENT) when there is no such function.
    """
    kind = kind or prog.spec.section.partition("/")[0].removesuffix(".s") or "kprobe"
    attach_kind = _KINDS.get(kind.removesuffix(".s"))
    if attach_kind is None:
        raise SpecError(f"probe kind {kind!r}: expected one of {', '.join(_KINDS)}")
    if not isinstance(target, str) or not target:
        raise SpecError(f"{kind}: say which function, as attach(target) or in the decorator")
    return attach_kind(prog, target, pid, cookie)


# ------------------------------------------------------------------------------------------ kernel


def _kprobe(prog: Any, target: str, returns: bool, cookie: int) -> PerfLink:
    function, _, offset = target.partition("+")
    name = buffer_of(function.encode() + b"\0")
    where = int(offset, 0) if offset else 0
    attr = event_attr(_pmu_type("kprobe"), int(returns), config1=address(name), config2=where)
    what = f"{'kretprobe' if returns else 'kprobe'} {target}"
    try:
        return attach_event(prog, attr, what, cpu=0, cookie=cookie)
    except SyscallError as error:
        if error.errno == ENOENT:
            error.hint = "no such function, or it was inlined or must not be probed: see /proc/kallsyms"
        raise


def _ksyscall(prog: Any, target: str, returns: bool, cookie: int) -> PerfLink:
    """The function of a system call has the machine's prefix where the kernel wraps system calls (Linux 4.17)."""
    from os import uname

    name = target.removeprefix("sys_")
    prefixed = f"{_SYSCALL_PREFIX.get(uname().machine, '')}sys_{name}"
    try:
        return _kprobe(prog, prefixed, returns, cookie)
    except FileNotFoundError:
        return _kprobe(prog, f"__se_sys_{name}", returns, cookie)


def _kprobe_multi(prog: Any, target: str, returns: bool, cookie: int) -> BpfLink:
    from ..syscall.objects import link_create

    names = traceable_functions(target) if set(target) & set("*?[") else target.split(",")
    if not names:
        raise SyscallError(ENOENT, "attach", f"functions like {target!r}", "available_filter_functions lists them all")
    array = cstrings(names)
    cookies = buffer_of(pack(f"={len(names)}Q", *[cookie] * len(names))) if cookie else None
    flags = _RETURN if returns else 0
    extra = pack("=IIQQQ", flags, len(names), address(array), 0, address(cookies))
    attach_type = prog.spec.expected_attach_type or AttachType.TRACE_KPROBE_MULTI
    what = f"{len(names)} kernel functions like {target}"
    return BpfLink(what, link_create(prog.fileno(), 0, attach_type, 0, extra, what))


def traceable_functions(pattern: str) -> list[str]:
    """The kernel functions that match a pattern with * and ?, among those that can be traced."""
    from fnmatch import fnmatchcase

    from ..syscall.tracefs import directory

    with open(f"{directory()}/available_filter_functions") as file:
        found = {line.split()[0] for line in file}
    return sorted(name for name in found if fnmatchcase(name, pattern))


def _pmu_type(name: str) -> int:
    """The perf type of dynamic probes, which the kernel gives out at boot."""
    try:
        with open(f"{_PMU}/{name}/type") as file:
            return int(file.read())
    except FileNotFoundError:
        config = {"kprobe": "CONFIG_KPROBE_EVENTS", "uprobe": "CONFIG_UPROBE_EVENTS"}[name]
        raise NotSupportedError(f"{name}s", hint=f"the kernel is built without {config}") from None


# -------------------------------------------------------------------------------------------- user


def _uprobe(prog: Any, target: str, returns: bool, pid: int, cookie: int) -> PerfLink:
    from .symbols import find_binary, function_offset

    path, _, function = target.rpartition(":")
    if not path or not function:
        raise SpecError(f"uprobe {target!r}: expected path:function, such as 'libc.so.6:malloc'")
    binary = find_binary(path, pid)
    return _user_event(prog, binary, function_offset(binary, function), returns, pid, cookie, f"{binary}:{function}")


def _user_event(
    prog: Any, binary: str, offset: int, returns: bool, pid: int, cookie: int, what: str, semaphore: int = 0
) -> PerfLink:
    """A probe at an offset of a file; `semaphore` is the offset of a counter that the kernel holds above 0 meanwhile."""
    path = buffer_of(binary.encode() + b"\0")
    config = int(returns) | semaphore << 32
    attr = event_attr(_pmu_type("uprobe"), config, config1=address(path), config2=offset)
    cpu = -1 if pid > 0 else 0
    return attach_event(prog, attr, f"{'return of ' if returns else ''}{what}", pid=pid, cpu=cpu, cookie=cookie)


def _uprobe_multi(prog: Any, target: str, returns: bool, pid: int, cookie: int) -> BpfLink:
    from ..syscall.objects import link_create
    from .symbols import find_binary, functions

    path, _, pattern = target.rpartition(":")
    binary = find_binary(path, pid)
    offsets = sorted(set(functions(binary, pattern).values()))
    if not offsets:
        raise SyscallError(ENOENT, "attach", f"functions like {pattern!r} in {binary}")
    count = len(offsets)
    name, where = buffer_of(binary.encode() + b"\0"), buffer_of(pack(f"={count}Q", *offsets))
    cookies = buffer_of(pack(f"={count}Q", *[cookie] * count)) if cookie else None
    flags = _RETURN if returns else 0
    extra = pack("=4Q4I", address(name), address(where), 0, address(cookies), count, flags, max(pid, 0), 0)
    attach_type = prog.spec.expected_attach_type or AttachType.TRACE_UPROBE_MULTI
    what = f"{count} functions of {binary} like {pattern}"
    return BpfLink(what, link_create(prog.fileno(), 0, attach_type, 0, extra, what))


def _usdt(prog: Any, target: str, pid: int, cookie: int) -> Link:
    from .symbols import find_binary, usdt_probes

    path, provider, name = [*target.rsplit(":", 2), "", ""][:3]
    if not name:
        raise SpecError(f"usdt {target!r}: expected path:provider:name")
    binary = find_binary(path, pid)
    sites = [p for p in usdt_probes(binary) if (p.provider, p.name) == (provider, name)]
    if not sites:
        known = ", ".join(sorted({f"{p.provider}:{p.name}" for p in usdt_probes(binary)})[:8])
        raise SyscallError(ENOENT, "attach", f"probe {provider}:{name} in {binary}", f"it has: {known or 'none'}")
    what = f"{binary}:{provider}:{name}"
    return attach_all(what, (_user_event(prog, binary, s.offset, False, pid, cookie, what, s.semaphore) for s in sites))


_KINDS: dict[str, Callable[[Any, str, int, int], Link]] = {
    "kprobe": lambda prog, target, pid, cookie: _kprobe(prog, target, False, cookie),
    "kretprobe": lambda prog, target, pid, cookie: _kprobe(prog, target, True, cookie),
    "ksyscall": lambda prog, target, pid, cookie: _ksyscall(prog, target, False, cookie),
    "kretsyscall": lambda prog, target, pid, cookie: _ksyscall(prog, target, True, cookie),
    "kprobe.multi": lambda prog, target, pid, cookie: _kprobe_multi(prog, target, False, cookie),
    "kretprobe.multi": lambda prog, target, pid, cookie: _kprobe_multi(prog, target, True, cookie),
    "kprobe.session": lambda prog, target, pid, cookie: _kprobe_multi(prog, target, False, cookie),
    "uprobe": lambda prog, target, pid, cookie: _uprobe(prog, target, False, pid, cookie),
    "uretprobe": lambda prog, target, pid, cookie: _uprobe(prog, target, True, pid, cookie),
    "uprobe.multi": lambda prog, target, pid, cookie: _uprobe_multi(prog, target, False, pid, cookie),
    "uretprobe.multi": lambda prog, target, pid, cookie: _uprobe_multi(prog, target, True, pid, cookie),
    "uprobe.session": lambda prog, target, pid, cookie: _uprobe_multi(prog, target, False, pid, cookie),
    "usdt": lambda prog, target, pid, cookie: _usdt(prog, target, pid, cookie),
}
