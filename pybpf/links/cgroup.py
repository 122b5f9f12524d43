"""cgroup v2: programs that see and decide what the processes of a cgroup do."""

from __future__ import annotations

from struct import pack

from ..errors import NotSupportedError, SpecError
from ..uapi import AttachFlags, AttachType, LinkType, ProgType, QueryFlags
from .attachment import Attachment, detach_all
from .base import BpfLink, Link
from .net import open_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..syscall.fd import Fd

MODES = {
    "exclusive": 0,
    "override": int(AttachFlags.ALLOW_OVERRIDE),
    "multi": int(AttachFlags.ALLOW_MULTI),
}
"""How a program attached without a link shares the cgroup: with none, replaced by those below, or beside others."""

# Hook of programs whose type has one; the other types say theirs by their attach type.
_HOOKS = {
    ProgType.SOCK_OPS: AttachType.CGROUP_SOCK_OPS,
    ProgType.CGROUP_DEVICE: AttachType.CGROUP_DEVICE,
    ProgType.CGROUP_SYSCTL: AttachType.CGROUP_SYSCTL,
    ProgType.CGROUP_SOCK: AttachType.CGROUP_INET_SOCK_CREATE,
}
_BY_NAME = {"ingress": AttachType.CGROUP_INET_INGRESS, "egress": AttachType.CGROUP_INET_EGRESS}


def attach(
    prog: Any,
    target: Any,
    *,
    hook: int | str | None = None,
    mode: str = "",
    replace: Any = None,
    before: Any = None,
    after: Any = None,
) -> Link:
    """Attach to a cgroup v2: a path such as "/sys/fs/cgroup/web", or anything with a `fileno()`.

    `hook` (an `AttachType`, or "ingress"/"egress" for packets) is needed only for programs that were loaded without
    one.  Programs attached by link run beside each other, those of the cgroup before those above it; `before` and
    `after` order them (Linux 6.17).  With `mode` "multi", "override" or "exclusive" the program is attached without
    a link, as kernels before 5.7 do, and stays when the process is killed; `replace` is then a live program whose
    place it takes.
    """
    found = _hook(prog, hook)
    cgroup, name = open_cgroup(target)
    what = f"cgroup {name} ({AttachType(found).name.lower()})"
    with cgroup:
        if mode or replace is not None:
            return _without_link(prog, cgroup, what, found, mode or "multi", replace)
        return _by_link(prog, cgroup, what, found, before, after)


def _hook(prog: Any, hook: int | str | None) -> int:
    """The attach type that is meant: the one asked for, the program's, or the only one of its type."""
    if isinstance(hook, str):
        if hook not in _BY_NAME:
            raise SpecError(f"hook {hook!r}: expected 'ingress', 'egress' or an AttachType")
        return int(_BY_NAME[hook])
    if hook is not None:
        return int(hook)
    declared = prog.spec.expected_attach_type
    # CGROUP_INET_INGRESS is 0: for other types that says nothing.
    if declared or (declared == 0 and prog.prog_type == ProgType.CGROUP_SKB):
        return int(declared)
    if prog.prog_type in _HOOKS:
        return int(_HOOKS[prog.prog_type])
    raise SpecError(f"{prog!r} does not say where it attaches: give hook='ingress', 'egress' or an AttachType")


def _by_link(prog: Any, cgroup: Fd, what: str, hook: int, before: Any, after: Any) -> Link:
    from errno import EINVAL

    from ..errors import SyscallError
    from ..syscall.objects import link_create
    from .tc import relative

    flags, other = relative(before, after)
    extra = pack("=I4xQ", other, 0) if flags else b""
    try:
        return BpfLink(what, link_create(prog.fileno(), cgroup.fileno(), hook, flags, extra, what))
    except SyscallError as error:
        from .. import features

        if error.errno == EINVAL and not features.have_link_type(LinkType.CGROUP):
            return _without_link(prog, cgroup, what, hook, "multi", None)
        raise


def _without_link(prog: Any, cgroup: Fd, what: str, hook: int, mode: str, replace: Any) -> Attachment:
    if mode not in MODES:
        raise SpecError(f"cgroup mode {mode!r}: expected one of {', '.join(MODES)}")
    flags = MODES[mode] | (int(AttachFlags.REPLACE) if replace is not None else 0)
    return Attachment(what, cgroup.fileno(), prog, hook, flags, 0 if replace is None else replace.fileno())


def query(target: Any, hook: int, *, effective: bool = False) -> list[int]:
    """Ids of the programs at a hook of a cgroup, in the order in which they run.

    `effective` adds those of the cgroups above it, which run too.
    """
    from ..syscall.progs import prog_query

    cgroup, _ = open_cgroup(target)
    with cgroup:
        rows, _, _ = prog_query(cgroup.fileno(), hook, int(QueryFlags.EFFECTIVE) if effective else 0)
    return [row[0] for row in rows]


def detach(target: Any, hook: int) -> int:
    """Detach every program that was attached to a cgroup's hook without a link; how many there were."""
    cgroup, _ = open_cgroup(target)
    with cgroup:
        return detach_all(cgroup.fileno(), hook)


def open_cgroup(target: Any) -> tuple[Fd, str]:
    """A descriptor of our own of a cgroup directory, and how to call it.

    NotSupportedError for a directory of cgroup v1, which has no BPF hooks.
    """
    if hasattr(target, "fileno") or isinstance(target, int):
        from ..syscall.fd import Fd

        fd = target if isinstance(target, int) else target.fileno()
        return Fd(_duplicate(fd)), f"of descriptor {fd}"
    import os

    path = os.fspath(target)
    found = open_path(path, "cgroup", os.O_DIRECTORY)
    if not os.path.exists(os.path.join(path, "cgroup.controllers")):
        found.close()
        from ..features.host import mounts

        where = ", ".join(mounts("cgroup2")) or "nowhere: mount -t cgroup2 cgroup2 /sys/fs/cgroup"
        raise NotSupportedError(f"attaching to {path!r}", hint=f"it is no cgroup v2, which is mounted at {where}")
    return found, path


def _duplicate(fd: int) -> int:
    from fcntl import F_DUPFD_CLOEXEC, fcntl

    return fcntl(fd, F_DUPFD_CLOEXEC, 0)
