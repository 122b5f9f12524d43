"""Programs at perf events that processes hold open, by BPF_TASK_FD_QUERY (Linux 4.18).

Until Linux 6.6 nothing else tells where the links of such events are; programs attached without a link (by ioctl, as
bcc does it) have no other list at all.
"""

from __future__ import annotations

import os
from glob import iglob

from ..errors import SyscallError
from ..syscall.objects import task_fd_query
from ..uapi import TaskFdType as T

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

_EVENTS = {
    T.TRACEPOINT: "tracepoint",
    T.KPROBE: "kprobe",
    T.KRETPROBE: "kretprobe",
    T.UPROBE: "uprobe",
    T.URETPROBE: "uretprobe",
}


def named(details: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Details of links, with the names of perf events where they had none; then of the events without a link."""
    events = list(_events())
    for found in details:
        if found["type"] == "perf_event":
            wanted = ("prog_id", "event", "name", "offset") if found["event"] else ("prog_id",)
            mine = next((e for e in events if all(e.get(key) == found.get(key, 0) for key in wanted)), None)
            if mine is not None:
                events.remove(mine)
                if not found["event"]:
                    found = {**mine, "id": found["id"]}
        yield found
    yield from events


def _events() -> Iterator[dict[str, Any]]:
    """As details of a link would be that has the id 0."""
    seen = set()
    for path in iglob("/proc/[0-9]*/fd/*"):
        try:
            if os.readlink(path) != "anon_inode:[perf_event]":
                continue
            _, _, pid, _, fd = path.split("/")
            row = task_fd_query(int(pid), int(fd))
        except (OSError, SyscallError):
            continue  # closed meanwhile, or an event without a program
        prog_id, kind, name, offset, address = row
        if kind in _EVENTS and row not in seen:
            seen.add(row)  # a process that was forked holds the same one
            event = _EVENTS[T(kind)]
            where = (name or f"{address:#x}") + (
                f"+{offset:#x}" if offset or "uprobe" in event or "uret" in event else ""
            )
            yield {
                "id": 0,
                "type": "perf_event",
                "prog_id": prog_id,
                "event": event,
                "name": name,
                "offset": offset,
                "target": f"{event} {where}",
            }
