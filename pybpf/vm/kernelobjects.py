"""Structures of the kernel that programs read by its own offsets, as far as the BTF of a running kernel gives those."""

from __future__ import annotations

import functools

from ..errors import BpfError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..btf import Struct


@functools.cache
def _struct(name: str) -> Struct | None:
    """A struct of the running kernel; None where there is no BTF, or no such struct."""
    from ..btf import Btf, Struct

    try:
        found = Btf.kernel()[name]
    except (BpfError, OSError, KeyError):
        return None
    return found if isinstance(found, Struct) else None


@functools.cache
def _member(struct: str, name: str) -> tuple[int, int] | None:
    """(offset, size) of a member, also of one in an unnamed struct or union inside."""
    found = _struct(struct)
    try:
        member = found[name] if found is not None else None
    except KeyError:
        return None
    return None if member is None else (member.offset, member.size)


def filled(struct: str, size: int, values: Mapping[str, int | bytes]) -> bytes:
    """Bytes of a struct with some members set; zeros, `size` of them, where its layout is not known."""
    layout = _struct(struct)
    if layout is None:
        return bytes(size)
    raw = bytearray(layout.size)
    for name, value in values.items():
        place = _member(struct, name)
        if place is not None:
            at, length = place
            given = value if isinstance(value, bytes) else (value & ((1 << 8 * length) - 1)).to_bytes(length, "little")
            raw[at : at + length] = given[:length].ljust(length, b"\0")
    return bytes(raw)
