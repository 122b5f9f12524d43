"""Iterators: a program that runs for each task, map element, socket, ...; its output is a file, or records."""

from __future__ import annotations

from struct import pack

from ..uapi import AttachType
from .base import BpfLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from typing import Any


class IterLink(BpfLink):
    """An attached iterator.  Each `open()` begins a new walk; pinned, the file in the bpffs is read as text."""

    def open(self) -> BufferedReader:
        """A file whose content is what the program writes (bpf_seq_printf, bpf_seq_write) during one walk."""
        from ..syscall.objects import iter_create

        return open(iter_create(self.fileno()), "rb")

    def read(self) -> bytes:
        """The output of one whole walk."""
        with self.open() as file:
            return file.read()

    def __iter__(self) -> Iterator[str]:
        """The lines of one walk, as text without their ends."""
        with self.open() as file:
            for line in file:
                yield line.decode(errors="replace").rstrip("\n")

    def records(self, type_: Any) -> Iterator[Any]:
        """The output of one walk as records of a type (a Struct, u64, ...), written by bpf_seq_write."""
        from ..types import codec

        found = codec(type_)
        with self.open() as file:
            while raw := file.read(found.size):
                yield found.unpack(raw)


def attach(
    prog: Any,
    *,
    map: Any = None,
    cgroup: Any = None,
    order: str = "descendants-pre",
    pid: int = 0,
    tid: int = 0,
) -> IterLink:
    """Attach an iterator; what it walks over was said by the spec's `attach_to` ("task", "bpf_map_elem", "tcp", ...).

    `map` (live) says whose elements bpf_map_elem walks; `cgroup` with `order` ("self-only", "descendants-pre",
    "descendants-post", "ancestors-up") where a cgroup iterator begins; `pid` or `tid` which tasks (Linux 6.1).
    """
    from ..syscall.door import address, buffer_of
    from ..syscall.objects import link_create

    what = f"iterator {prog.spec.attach_to}"
    info, opened = b"", None
    if map is not None:
        info = pack("=I", map.fileno())
    elif cgroup is not None:
        from .cgroup import open_cgroup

        opened, _ = open_cgroup(cgroup)
        info = pack("=2IQ", ORDERS[order], opened.fileno(), 0)
    elif pid or tid:
        info = pack("=3I", tid, pid, 0)
    buffer = buffer_of(info) if info else None
    try:
        extra = pack("=QI4x", address(buffer), len(info)) if info else b""
        return IterLink(what, link_create(prog.fileno(), 0, AttachType.TRACE_ITER, 0, extra, what))
    finally:
        if opened is not None:
            opened.close()


ORDERS = {"self-only": 1, "descendants-pre": 2, "descendants-post": 3, "ancestors-up": 4, "children": 5}
"""Orders of a cgroup iterator's walk."""
