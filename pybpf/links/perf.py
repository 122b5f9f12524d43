"""Perf events: the carrier of tracepoints, kprobes and uprobes, and by themselves the sampling of a program's run."""

from __future__ import annotations

from errno import E2BIG, EINVAL, ENOENT
from struct import Struct, pack

from ..errors import NotSupportedError, SpecError, SyscallError
from ..syscall.fd import Fd, close_all
from ..syscall.objects import link_create, obj_info
from ..syscall.perf import ENABLE, SET_BPF, perf_event_open, perf_ioctl
from .base import BpfLink, Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

# struct perf_event_attr up to config2: PERF_ATTR_SIZE_VER1, which every kernel with bpf(2) takes.
_ATTR = Struct("=2I5Q2I2Q")
_FREQ = 1 << 10
_PERF_EVENT = 41  # AttachType

# name: (PERF_TYPE_*, PERF_COUNT_*)
EVENTS = {
    **{
        name: (1, number)
        for number, name in enumerate(
            (
                *("cpu-clock", "task-clock", "page-faults", "context-switches", "cpu-migrations", "minor-faults"),
                *("major-faults", "alignment-faults", "emulation-faults", "dummy", "bpf-output", "cgroup-switches"),
            )
        )
    },
    **{
        name: (0, number)
        for number, name in enumerate(
            (
                *("cycles", "instructions", "cache-references", "cache-misses", "branches", "branch-misses"),
                *("bus-cycles", "stalled-cycles-frontend", "stalled-cycles-backend", "ref-cycles"),
            )
        )
    },
}
"""Events by the names that perf(1) gives them: software ones, which every machine has, and hardware ones."""


class EventLink(BpfLink):
    """A link that holds its event too: until Linux 6.6 only that tells where it is (`bpftool perf`, `attached`)."""

    def __init__(self, target: str, fd: int, event: int) -> None:
        super().__init__(target, fd)
        self._event = Fd(event).keep_quiet()

    def _release(self) -> None:
        self._event.close()


_links_tell: bool | None = None  # where they are; asked once


def _held(link: BpfLink, event: Link) -> BpfLink:
    """The link, with its event where that is of use."""
    global _links_tell
    if _links_tell is None:
        raw = obj_info(link.fileno(), _LINK_INFO.size).ljust(_LINK_INFO.size, b"\0")
        _links_tell = bool(_LINK_INFO.unpack(raw)[0])
    return link if _links_tell else EventLink(link.target, link.detach(), event.detach())


# struct bpf_link_info up to perf_event.type, which is 0 where the kernel tells nothing.
_LINK_INFO = Struct("=16xI4x")


class LinkGroup(Link):
    """Several links that are one attachment: one a CPU, or one a function.  Closing it closes all."""

    def __init__(self, target: str, links: Iterable[Link]) -> None:
        super().__init__(target)
        self.links = tuple(links)

    def pin(self, path: str) -> None:
        """Pin each link under `path`, a directory that is made: `path/0`, `path/1`, ..."""
        from os import makedirs

        makedirs(path, exist_ok=True)
        for number, link in enumerate(self.links):
            link.pin(f"{path}/{number}")

    def _release(self) -> None:
        close_all(self.links)


def group(target: str, links: Iterable[Link]) -> Link:
    """The one link, or a group of all, which are attached while iterating; when one cannot be made none is left."""
    made: list[Link] = []
    try:
        for link in links:
            made.append(link)
    except BaseException:
        close_all(made)
        raise
    return made[0] if len(made) == 1 else LinkGroup(target, made)


def open_event(
    kind: int,
    config: int,
    *,
    period: int = 0,
    frequency: int = 0,
    config1: int = 0,
    config2: int = 0,
    pid: int = -1,
    cpu: int = 0,
    what: str = "",
) -> int:
    """The descriptor of a perf event; `pid` -1 is every process, `cpu` -1 every CPU (not both)."""
    flags = _FREQ if frequency else 0
    attr = _ATTR.pack(kind, _ATTR.size, config, frequency or period, 0, 0, flags, 0, 0, config1, config2)
    return perf_event_open(attr, pid, cpu, what=what)


def bind(prog: Any, event: int, what: str, cookie: int = 0) -> Link:
    """Run the program at a perf event, whose descriptor is taken over: by a link, before Linux 5.15 by the event.

    Either way it ends with the process.  NotSupportedError for a cookie on a kernel without such links.
    """
    with Link(what, event) as holder:
        try:
            made = BpfLink(what, link_create(prog.fileno(), event, _PERF_EVENT, 0, pack("=Q", cookie), what))
        except SyscallError as error:
            from .. import features
            from ..uapi import LinkType

            if error.errno not in (EINVAL, E2BIG) or features.have_link_type(LinkType.PERF_EVENT):
                raise
            if cookie:
                raise features.missing(
                    features.have_link_type, LinkType.PERF_EVENT, hint="without it no cookie="
                ) from None
            perf_ioctl(event, SET_BPF, prog.fileno(), what)
            perf_ioctl(event, ENABLE, 0, what)
            return Link(what, holder.detach())
        try:
            perf_ioctl(event, ENABLE, 0, what)
            return _held(made, holder)
        except BaseException:
            made.close()
            raise


def pmu_type(name: str) -> int:
    """The perf type of a kernel facility ("kprobe", "uprobe").  NotSupportedError where the kernel has none."""
    try:
        with open(f"/sys/bus/event_source/devices/{name}/type", encoding="ascii") as file:
            return int(file.read())
    except FileNotFoundError:
        needs = {"kprobe": "CONFIG_KPROBE_EVENTS", "uprobe": "CONFIG_UPROBE_EVENTS"}.get(name, "it")
        raise NotSupportedError(
            f"{name} events of perf", since="4.17", hint=f"this kernel was built without {needs}"
        ) from None


def attach(
    prog: Any,
    target: str | tuple[int, int],
    *,
    period: int = 0,
    frequency: int = 0,
    pid: int = -1,
    cpus: Iterable[int] | None = None,
    cookie: int = 0,
) -> Link:
    """Run the program each time that an event happened `period` times, or `frequency` times a second.

    `target` is a name of `EVENTS` ("cpu-clock", "page-faults", "cycles") or a pair (perf type, config).  It counts on
    all CPUs that are online, or on `cpus`; with `pid` in one process only.  Without `period` and `frequency`, 99 times
    a second.  NotSupportedError for an event that the machine lacks, as virtual machines often lack those of hardware.
    """
    if isinstance(target, str):
        if target not in EVENTS:
            raise SpecError(f"perf event {target!r}: expected one of {', '.join(EVENTS)}, or (type, config)")
        kind, config = EVENTS[target]
    else:
        kind, config = target
    if period and frequency:
        raise SpecError("period= and frequency= exclude each other")
    if not (period or frequency):
        frequency = 99
    what = f"perf event {target}"
    if cpus is None:
        cpus = [-1] if pid != -1 else online_cpus()

    def one(cpu: int) -> Link:
        try:
            event = open_event(kind, config, period=period, frequency=frequency, pid=pid, cpu=cpu, what=what)
        except SyscallError as error:
            if error.errno in (ENOENT, 95):  # EOPNOTSUPP
                raise NotSupportedError(what, hint="this machine does not count it; cpu-clock is everywhere") from None
            raise
        return bind(prog, event, what, cookie)

    return group(what, map(one, cpus))


def online_cpus() -> list[int]:
    """Numbers of the CPUs that are online."""
    with open("/sys/devices/system/cpu/online", encoding="ascii") as file:
        ranges = [part.partition("-") for part in file.read().strip().split(",")]
    return [cpu for first, _, last in ranges for cpu in range(int(first), int(last or first) + 1)]
