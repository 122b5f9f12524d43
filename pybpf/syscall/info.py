"""Everything that the kernel tells about a program, the arrays included."""

from __future__ import annotations

from ctypes import sizeof

from ..uapi import ProgInfo
from .door import address, buffer_of
from .objects import obj_info

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Member of struct bpf_prog_info that points to an array -> how many it has, and the size of one (a number or a member).
ARRAYS: dict[str, tuple[str, int | str]] = {
    "xlated_prog_insns": ("xlated_prog_len", 1),
    "jited_prog_insns": ("jited_prog_len", 1),
    "map_ids": ("nr_map_ids", 4),
    "jited_ksyms": ("nr_jited_ksyms", 8),
    "jited_func_lens": ("nr_jited_func_lens", 4),
    "func_info": ("nr_func_info", "func_info_rec_size"),
    "line_info": ("nr_line_info", "line_info_rec_size"),
    "jited_line_info": ("nr_jited_line_info", "jited_line_info_rec_size"),
    "prog_tags": ("nr_prog_tags", 8),
}


def prog_info(fd: int) -> ProgInfo:
    """`struct bpf_prog_info` without its arrays; what an older kernel does not know is zero."""
    size = sizeof(ProgInfo)
    return ProgInfo.from_buffer_copy(obj_info(fd, size).ljust(size, b"\0"))


def prog_array(fd: int, member: str) -> bytes:
    """One of the `ARRAYS` of a program; empty where the kernel has none, or does not show it (kptr_restrict)."""
    if member not in ARRAYS:
        raise KeyError(f"bpf_prog_info has no array {member!r}; it has {', '.join(ARRAYS)}")
    count_member, record = ARRAYS[member]
    first = prog_info(fd)
    count: int = getattr(first, count_member)
    size = getattr(first, record) if isinstance(record, str) else record
    if not count or not size:
        return b""
    memory = bytearray(count * size)
    where: Any = buffer_of(memory)
    ask = ProgInfo()
    setattr(ask, count_member, count)
    if isinstance(record, str):
        setattr(ask, record, size)
    setattr(ask, member, address(where))
    answer = ProgInfo.from_buffer_copy(obj_info(fd, sizeof(ProgInfo), bytes(ask)).ljust(sizeof(ProgInfo), b"\0"))
    # The kernel clears the address of what it does not show.
    return bytes(memory[: getattr(answer, count_member) * size]) if getattr(answer, member) else b""
