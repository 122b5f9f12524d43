"""Tracepoints: by their event in tracefs (category/name), or raw, by their name alone."""

from __future__ import annotations

from errno import EINVAL, ENOENT

from ..errors import BpfError, SpecError, SyscallError
from ..syscall.tracefs import directory
from .base import BpfLink, Link
from .perf import bind, open_event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PERF_TYPE_TRACEPOINT = 2


def event_id(target: str) -> int:
    """The number of a tracepoint event, "category/name".  SyscallError (ENOENT) names what is near."""
    category, _, name = target.replace(":", "/", 1).partition("/")
    if not name:
        raise SpecError(f"tracepoint {target!r}: expected category/name, such as sched/sched_switch")
    root = directory()
    try:
        with open(f"{root}/events/{category}/{name}/id", encoding="ascii") as file:
            return int(file.read())
    except PermissionError as error:
        raise SyscallError(error.errno or 1, "open", f"tracepoint {target}", "reading tracefs takes root") from None
    except OSError:
        raise SyscallError(ENOENT, "open", f"tracepoint {target}", _near(root, category, name)) from None


def _near(root: str, category: str, name: str) -> str:
    from difflib import get_close_matches
    from os import listdir

    try:
        names = listdir(f"{root}/events/{category}")
    except OSError:
        near = get_close_matches(category, listdir(f"{root}/events"), 3)
        return f"there is no category {category!r}" + (f"; did you mean {' or '.join(near)}?" if near else "")
    near = get_close_matches(name, names, 3)
    return f"did you mean {' or '.join(f'{category}/{n}' for n in near)}?" if near else f"see {root}/events/{category}"


def _near_raw(name: str) -> str:
    """Raw tracepoints have the names of events, but for those of system calls."""
    from difflib import get_close_matches
    from glob import iglob

    try:
        names = [path.rsplit("/", 2)[1] for path in iglob(f"{directory()}/events/*/*/")]
    except BpfError:
        names = []
    near = get_close_matches(name, names, 3)
    return f"did you mean {' or '.join(near)}?" if near else "see the names below events/*/ in tracefs"


def attach(prog: Any, target: str, *, cookie: int = 0) -> Link:
    """Run the program at a tracepoint, "category/name", such as "syscalls/sys_enter_execve"; in all processes.

    `cookie` (Linux 5.15) is what `bpf_get_attach_cookie` gives there.
    """
    what = f"tracepoint {target}"
    # The kernel keeps a tracepoint's programs for all CPUs, so the event of one CPU is enough (bpf_prog_array of the
    # call).
    return bind(prog, open_event(_PERF_TYPE_TRACEPOINT, event_id(target), what=what), what, cookie)


def attach_raw(prog: Any, target: str, *, cookie: int = 0) -> Link:
    """Run the program at a raw tracepoint, by its name alone, such as "sched_switch"; its context is the arguments.

    `cookie` needs Linux 6.10.  Attaching costs a fraction of what it costs by event.
    """
    from ..syscall.objects import raw_tracepoint_open

    what = f"raw tracepoint {target}"
    try:
        return BpfLink(what, raw_tracepoint_open(target, prog.fileno(), cookie))
    except SyscallError as error:
        if error.errno in (ENOENT, EINVAL) and "/" not in target:
            error.hint = error.hint if error.errno == EINVAL else _near_raw(target)
        elif "/" in target:
            error.hint = f"raw tracepoints have no category: {target.rpartition('/')[2]!r}"
        raise
