"""cgroup v2: programs that see and decide what the processes of a cgroup do."""

from __future__ import annotations

from struct import pack

from ..errors import NotSupportedError, SpecError
from ..uapi import AttachFlags, AttachType, LinkType, ProgType, QueryFlags
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
"""How a program attached without a link shares the cgroup: with none below it, replaced by those below, beside others."""

# Hook of programs whose type has one; the other types say theirs by their attach type.
_HOOKS = {
    ProgType.SOCK_OPS: AttachType.CGROUP_SOCK_OPS,
    ProgType.CGROUP_DEVICE: AttachType.CGROUP_DEVICE,
    ProgType.CGROUP_SYSCTL: AttachType.CGROUP_SYSCTL,
    ProgType.CGROUP_SOCK: AttachType.CGROUP_INET_SOCK_CREATE,
}
_BY_NAME = {"ingress": AttachType.CGROUP_INET_INGRESS, "egress": AttachType.CGROUP_INET_EGRESS}


class CgroupProgram(Link):
    """A program attached to a cgroup without a link.

    It belongs to the cgroup: it stays when the process is killed.  `detach(cgroup, attach_type)` cleans up.
    """

    def __init__(self, target: str, cgroup: Fd, prog: Any, hook: int) -> None:
        super().__init__(target)
        self._cgroup = cgroup
        self._prog_fd = _duplicate(prog.fileno())
        self._hook = hook

    def _release(self) -> None:
        from errno import ENOENT
        from os import close

        from ..syscall.progs import prog_detach

        try:
            prog_detach(self._cgroup.fileno(), self._prog_fd, self._hook)
        except OSError as error:
            if error.errno != ENOENT:  # the cgroup was removed, or someone detached it
                raise
        finally:
            close(self._prog_fd)
            self._cgroup.close()


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

    `hook` (an `AttachType`, or "ingress"/"egress" for packets) is needed only for programs that were loaded without one.
    Programs attached by link run beside each other, those of the cgroup before those above it; `before` and `after` order
    them (Linux 6.17).  With `mode` "multi", "override" or "exclusive" the program is attached without a link, as kernels before
    5.7 do, and stays when the process is killed; `replace` is then a live program whose place it takes.
    """
    kind = prog.prog_type
    found = _BY_NAME.get(hook) if isinstance(hook, str) else hook
    if found is None:
        found = prog.spec.expected_attach_type or _HOOKS.get(kind)
    if found is None and kind == ProgType.CGROUP_SKB and hook is None:
        # INGRESS is 0, which a spec also says when it says nothing.
        if prog.spec.expected_attach_type is None:
            raise SpecError(f"{prog!r} does not say where it attaches: give hook='ingress' or 'egress'")
        found = AttachType.CGROUP_INET_INGRESS
    if found is None:
        found = AttachType.CGROUP_INET_INGRESS if prog.spec.expected_attach_type == 0 else None
    if found is None:
        raise SpecError(f"{prog!r}: hook {hook!r} is not an attach type")
    cgroup, name = open_cgroup(target)
    what = f"cgroup {name} ({AttachType(found).name.lower()})"
    if mode or replace is not None:
        return _without_link(prog, cgroup, what, int(found), mode or "multi", replace)
    with cgroup:
        return _by_link(prog, cgroup, what, int(found), before, after)


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
            return _without_link(prog, _reopened(cgroup), what, hook, "multi", None)
        raise


def _without_link(prog: Any, cgroup: Fd, what: str, hook: int, mode: str, replace: Any) -> CgroupProgram:
    from ..syscall.progs import prog_attach

    if mode not in MODES:
        raise SpecError(f"cgroup mode {mode!r}: expected one of {', '.join(MODES)}")
    flags = MODES[mode] | (int(AttachFlags.REPLACE) if replace is not None else 0)
    try:
        prog_attach(cgroup.fileno(), prog.fileno(), hook, flags, 0 if replace is None else replace.fileno())
        return CgroupProgram(what, cgroup, prog, hook)
    except BaseException:
        cgroup.close()
        raise


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
    from os import close

    from ..errors import SyscallError
    from ..syscall.objects import fd_by_id
    from ..syscall.progs import prog_detach

    count = 0
    cgroup, _ = open_cgroup(target)
    with cgroup:
        for id_ in query(cgroup, hook):
            fd = fd_by_id("prog", id_)
            try:
                prog_detach(cgroup.fileno(), fd, hook)
                count += 1
            except SyscallError:  # this one is there by a link, which only its owner ends
                continue
            finally:
                close(fd)
    return count


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


def _reopened(fd: Fd) -> Fd:
    from ..syscall.fd import Fd as Owner

    return Owner(_duplicate(fd.fileno()))
