"""The trace pipe: lines that programs print with `bpf_trace_printk`, shared by the whole machine."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from errno import EACCES, EBUSY, ENOENT, EPERM
from typing import NamedTuple

from ..errors import SyscallError
from ..syscall import tracefs
from ..syscall.fd import ClosedError, Fd
from .reader import Waiter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_LINE = re.compile(
    r"^\s*(?P<task>.*?)-(?P<pid>\d+)\s+(?:\(\s*[\d-]+\)\s+)?\[(?P<cpu>\d+)\]\s+(?P<flags>\S+)\s+"
    r"(?P<seconds>[\d.]+):\s+(?:bpf_trace_printk|0x[0-9a-f]+|\S+):\s?(?P<text>.*)$"
)
_HINTS: dict[int | None, str] = {
    **dict.fromkeys((EACCES, EPERM), "reading the trace pipe takes root"),
    EBUSY: "another program reads it, and it has one reader at a time",
}


class TraceLine(NamedTuple):
    """A line of the trace: who printed it, on which CPU, when (seconds since boot), and what."""

    task: str
    pid: int
    cpu: int
    flags: str
    seconds: float
    text: str


def parse(line: str) -> TraceLine | None:
    """A line of the pipe in its parts; None for what is no event (lost events, headers)."""
    found = _LINE.match(line)
    if not found:
        return None
    return TraceLine(
        found["task"].strip(),
        int(found["pid"]),
        int(found["cpu"]),
        found["flags"],
        float(found["seconds"]),
        found["text"],
    )


class TracePipe(Fd):
    """Reads the trace pipe; a line goes to one reader only, so no other program should read it meanwhile.

    What programs print from now on is in it: the kernel switches their trace event on when one that prints is loaded,
    but (since Linux 6.18 and its stable brothers) some time after the load, so opening the pipe does so too.
    tracefs is mounted where it is not, and `logging` tells.  NotSupportedError when the kernel has none, SyscallError
    when it may not be mounted or read.
    """

    def __init__(self, directory: str | None = None) -> None:
        directory = directory or tracefs.directory()
        path = f"{directory}/trace_pipe"
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise SyscallError(error.errno or ENOENT, "open", path, _HINTS.get(error.errno, "")) from None
        super().__init__(fd)
        # __set_printk_clr_event runs in a workqueue; before Linux 5.9 there was no such event.
        with suppress(OSError), open(f"{directory}/events/bpf_trace/bpf_trace_printk/enable", "w") as switch:
            switch.write("1")
        self._partial = b""
        self._waiter: Waiter | None = None

    def drain(self) -> list[str]:
        """The lines that are there now."""
        while True:
            try:
                chunk = os.read(self.fileno(), 1 << 16)
            except BlockingIOError:
                break
            if not chunk:
                break
            self._partial += chunk
        *lines, self._partial = self._partial.split(b"\n")
        return [line.decode(errors="replace") for line in lines]

    def poll(self, timeout: float | None = None) -> list[str]:
        """Wait for lines, `timeout` seconds at most: those that are there then."""
        lines = self.drain()
        if lines:
            return lines
        if self._waiter is None:
            self._waiter = Waiter([self.fileno()])
        self._waiter.wait(timeout)
        return self.drain()

    def __iter__(self) -> Iterator[str]:
        """Lines as they come, until the pipe is closed."""
        try:
            while True:
                yield from self.poll()
        except ClosedError:
            return

    def close(self) -> None:
        super().close()
        if self._waiter is not None:
            self._waiter.close()
