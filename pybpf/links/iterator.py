"""Iterators: programs that the kernel runs over its own objects, and whose output is read as a file (Linux 5.8)."""

from __future__ import annotations

from struct import pack

from ..syscall.door import address, buffer_of
from ..uapi import AttachType
from .base import BpfLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class IteratorLink(BpfLink):
    """An attached iterator.  Every reading runs the program anew, over what there is at that time."""

    def open(self) -> Any:
        """A binary file with the output; the caller closes it."""
        from ..syscall.objects import iter_create

        return open(iter_create(self.fileno()), "rb")

    def read(self) -> bytes:
        """The whole output."""
        with self.open() as file:
            return bytes(file.read())

    def records(self, type_: Any) -> Iterator[Any]:
        """The output as records of a type, for programs that write structures with `seq_write`.

        ValueError when the output is not a whole number of them.
        """
        from ..types import codec

        record = codec(type_)
        raw = self.read()
        if len(raw) % record.size:
            raise ValueError(f"{len(raw)} bytes are not a whole number of {type_!r} ({record.size} bytes)")
        for at in range(0, len(raw), record.size):
            yield record.unpack(raw[at : at + record.size])


def attach(prog: Any, target: Any = None) -> IteratorLink:
    """Attach an iterator; for those over the entries of a map, `target` is the live map."""
    from ..syscall.objects import link_create

    what = f"iterator over {prog.spec.attach_to}"
    extra = b""
    info = None
    if target is not None:
        info = buffer_of(pack("=I12x", target.fileno()))  # union bpf_iter_link_info
        extra = pack("=QI4x", address(info), 16)
    return IteratorLink(what, link_create(prog.fileno(), 0, AttachType.TRACE_ITER, 0, extra, what))
