"""uprobes: programs at instructions of user space, by library and function name, in one process or all."""

from __future__ import annotations

from errno import EINVAL
from struct import pack

from ..errors import SpecError, SyscallError
from ..uapi import AttachType as A
from .base import BpfLink, Link
from .elf import Image, find_file
from .perf import bind, open_event, pmu_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_RETURN = 1
_SEMAPHORE_SHIFT = 32  # the PMU's "ref_ctr_offset" is config:32-63


def attach_uprobe(
    prog: Any,
    target: str,
    *,
    returns: bool = False,
    offset: int | None = None,
    pid: int = -1,
    cookie: int = 0,
    semaphore: int = 0,
) -> Link:
    """Run the program when a function of user space is entered, or (`returns`) has returned.

    `target` is "file:function" or "file:function+offset", where the file is a path, a library ("libc.so.6") or a
    command; or the file alone with `offset`, in bytes from its beginning.  `pid` restricts it to one process, -1 is
    all, those to come too.  `semaphore` is the file offset of a counter that the kernel keeps raised meanwhile
    (Linux 4.20).
    """
    from ..syscall.door import address, buffer_of

    path, where = locate(target, offset, pid)
    what = f"{'return of ' if returns else ''}{target}"
    name = buffer_of(path.encode() + b"\0")
    config = (_RETURN if returns else 0) | semaphore << _SEMAPHORE_SHIFT
    # The event of one CPU is enough for all processes; with a process, it follows that one over all CPUs.
    cpu = 0 if pid == -1 else -1
    try:
        event = open_event(
            pmu_type("uprobe"), config, config1=address(name), config2=where, pid=pid, cpu=cpu, what=what
        )
    except SyscallError as error:
        if error.errno == EINVAL:
            error.hint = f"offset {where:#x} of {path}: does an instruction begin there?"
        raise
    return bind(prog, event, what, cookie)


def locate(target: str, offset: int | None = None, pid: int = -1) -> tuple[str, int]:
    """The path and file offset that "file:function+offset" stands for.  ElfError when there is no such thing."""
    if offset is not None:
        return find_file(target, pid), offset
    file, colon, function = target.rpartition(":")
    if not colon:
        raise SpecError(f"uprobe target {target!r}: expected file:function, or offset= beside a file")
    name, _, extra = function.partition("+")
    path = find_file(file, pid)
    if name.startswith("0x"):
        return path, int(name, 16)
    return path, Image(path).function_offset(name) + (int(extra, 0) if extra else 0)


def attach_multi(
    prog: Any,
    target: str,
    *,
    returns: bool = False,
    offsets: Sequence[int] = (),
    semaphores: Sequence[int] = (),
    cookies: Sequence[int] = (),
    pid: int = 0,
) -> BpfLink:
    """Attach to many places of one file by one link (Linux 6.6): "file:pattern" of functions, or a file and `offsets`.

    `cookies` and `semaphores` give a number to each offset.  `pid` 0 is every process.
    """
    from ..syscall.door import address, buffer_of
    from ..syscall.objects import link_create

    path = target
    if not offsets:
        path, offsets = matching(target, pid)
    else:
        path = find_file(target, pid or -1)
    count = len(offsets)
    for name, values in (("cookies", cookies), ("semaphores", semaphores)):
        if values and len(values) != count:
            raise SpecError(f"{count} places and {len(values)} {name}: give one for each")

    def array(values: Sequence[int]) -> Any:
        return buffer_of(pack(f"={count}Q", *values)) if values else None

    file = buffer_of(path.encode() + b"\0")
    places, counters, numbers = array(offsets), array(semaphores), array(cookies)
    extra = pack(
        "=4Q4I",
        *(address(file), address(places), address(counters), address(numbers)),
        *(count, _RETURN if returns else 0, pid, 0),
    )
    hook = prog.spec.expected_attach_type or A.TRACE_UPROBE_MULTI
    what = f"{count} places in {path}"
    try:
        return BpfLink(what, link_create(prog.fileno(), 0, hook, 0, extra, what))
    except SyscallError:
        from .. import features

        features.require(features.have_attach_type, hook, hint="attach uprobes one by one")
        raise


def matching(target: str, pid: int = 0) -> tuple[str, list[int]]:
    """The path, and the file offsets of the functions that match "file:pattern".  SpecError when none does."""
    from fnmatch import fnmatchcase

    file, colon, pattern = target.rpartition(":")
    if not colon:
        raise SpecError(f"uprobe target {target!r}: expected file:pattern, or offsets= beside a file")
    path = find_file(file, pid or -1)
    image = Image(path)
    found = {address for name, address, _ in image.functions() if fnmatchcase(name.partition("@")[0], pattern)}
    if not found:
        raise SpecError(f"no function of {path} matches {pattern!r}")
    return path, sorted(image.file_offset(address) for address in found)
