"""Perf events: sample the machine, by time or by counters of the CPU."""

from __future__ import annotations

from ..errors import SpecError
from ..uapi import PerfHardware, PerfSoftware, PerfType
from .base import Link
from .perf import attach_all, attach_event, event_attr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

EVENTS = {
    **{member.name.lower().replace("_", "-"): (PerfType.SOFTWARE, int(member)) for member in PerfSoftware},
    **{member.name.lower().replace("_", "-"): (PerfType.HARDWARE, int(member)) for member in PerfHardware},
}
"""Names of events, those of `perf list`: "cpu-clock", "page-faults", "instructions", ..."""


def attach(
    prog: Any,
    target: str | tuple[int, int] = "cpu-clock",
    *,
    frequency: int = 0,
    period: int = 0,
    pid: int = -1,
    cpus: Iterable[int] | None = None,
    cookie: int = 0,
) -> Link:
    """Run the program at every sample of an event: `frequency` times a second, or every `period` events.

    `target` is a name in `EVENTS` or `(perf type, config)`.  All CPUs are watched, or `cpus`; all processes, or one.
    SyscallError (ENOENT, EOPNOTSUPP) when this machine has no such counter.
    """
    if isinstance(target, str):
        if target not in EVENTS:
            raise SpecError(f"perf event {target!r}: expected one of {', '.join(EVENTS)}, or (type, config)")
        type_, config = EVENTS[target]
    else:
        type_, config = target
    if bool(frequency) == bool(period):
        raise SpecError("give frequency (samples a second) or period (events a sample)")
    attr = event_attr(type_, config, period=period, frequency=frequency)
    what = f"perf event {target}"
    where = list(online_cpus() if cpus is None else cpus) if pid == -1 else [-1]
    return attach_all(what, (attach_event(prog, attr, what, pid=pid, cpu=cpu, cookie=cookie) for cpu in where))


def online_cpus() -> list[int]:
    """The CPUs that are online."""
    with open("/sys/devices/system/cpu/online") as file:
        return cpu_list(file.read())


def cpu_list(text: str) -> list[int]:
    """The numbers in a list such as "0-3,8"."""
    found: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return found
