"""`Filter`: a checked classic program as one immutable value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..errors import FilterError
from ..uapi import ProgType
from .check import check
from .insn import Insn, decode, encode
from .machine import Packet, run

if TYPE_CHECKING:
    from ..spec import ProgramSpec


class Filter(tuple[Insn, ...]):
    """A classic filter that the kernel would take: a tuple of `cbpf.Insn`, checked when it is made.

    FilterError says which instruction breaks which rule.
    """

    __slots__ = ()

    def __new__(cls, insns: Iterable[Insn | tuple[int, int, int, int]]) -> Filter:
        self = super().__new__(cls, (_insn(i, insn) for i, insn in enumerate(insns)))
        check(self)
        return self

    @classmethod
    def from_bytes(cls, raw: bytes) -> Filter:
        """From an array of `struct sock_filter` in this machine's byte order."""
        return cls(decode(raw))

    def __bytes__(self) -> bytes:
        """The array of `struct sock_filter`, as SO_ATTACH_FILTER takes it."""
        return encode(self)

    def format(self, form: str = "tcpdump") -> str:
        """The filter as text: "tcpdump" (`tcpdump -d`), "asm" (bpf_asm, labels), "c" (`-dd`) or "decimal" (`-ddd`)."""
        from .text import format_filter

        return format_filter(self, form)

    def __str__(self) -> str:
        return self.format()

    def __repr__(self) -> str:
        return f"Filter({list(self)!r})"

    def run(self, packet: bytes | Packet) -> int:
        """What the filter returns for a packet: how many bytes to keep, 0 to drop it."""
        return run(self, packet if isinstance(packet, Packet) else Packet(bytes(packet)))

    def __call__(self, packet: Any) -> int:
        """Inside a program, `if web(ctx):`: what the filter gives for the program's packet, 0 where it does not match.
        In plain Python, the same as `run`.
        """
        return self.run(packet)

    def to_ebpf(
        self,
        *,
        prog_type: int = ProgType.SOCKET_FILTER,
        name: str = "",
        match: int | None = None,
        miss: int | None = None,
    ) -> ProgramSpec:
        """The same filter as an extended BPF program.

        A socket filter returns what the classic one does.  `ProgType.XDP`, `SCHED_CLS`, `SCHED_ACT`, `CGROUP_SKB` and
        `LWT_*` return `match` where the classic result is not 0 and `miss` where it is (by default let pass and drop).
        The packet begins where that type's begins: cgroup and LWT programs have no Ethernet header (`DLT.RAW`).
        NotSupportedError names a program type, or an extension that extended BPF has no access to.
        """
        from .translate import to_ebpf

        return to_ebpf(self, prog_type=prog_type, name=name, match=match, miss=miss)


def _insn(at: int, fields: Iterable[int]) -> Insn:
    """An instruction whose fields fit their places.  FilterError for another thing."""
    try:
        insn = Insn(*fields)
        if all(0 <= field < 1 << bits for field, bits in zip(insn, _BITS, strict=True)):
            return insn
    except TypeError:
        pass
    raise FilterError(f"insn {at}: {fields!r} is no instruction: expected a code of 16 bits, jt and jf of 8, k of 32")


_BITS = (16, 8, 8, 32)
