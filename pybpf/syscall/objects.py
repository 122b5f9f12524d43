"""Commands on any object: pins, ids, information; links, iterators, tokens and statistics."""

from __future__ import annotations

from errno import EAGAIN, ENOENT
from struct import Struct

from ..errors import SpecError, SyscallError
from .door import address, bpf, buffer_of, call, failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

OBJ_PIN = 6
OBJ_GET = 7
PROG_GET_NEXT_ID = 11
MAP_GET_NEXT_ID = 12
PROG_GET_FD_BY_ID = 13
MAP_GET_FD_BY_ID = 14
OBJ_GET_INFO_BY_FD = 15
RAW_TRACEPOINT_OPEN = 17
BTF_GET_FD_BY_ID = 19
TASK_FD_QUERY = 20
BTF_GET_NEXT_ID = 23
LINK_CREATE = 28
LINK_UPDATE = 29
LINK_GET_FD_BY_ID = 30
LINK_GET_NEXT_ID = 31
ENABLE_STATS = 32
ITER_CREATE = 33
LINK_DETACH = 34
TOKEN_CREATE = 36

NEXT_ID = {"prog": PROG_GET_NEXT_ID, "map": MAP_GET_NEXT_ID, "btf": BTF_GET_NEXT_ID, "link": LINK_GET_NEXT_ID}
FD_BY_ID = {"prog": PROG_GET_FD_BY_ID, "map": MAP_GET_FD_BY_ID, "btf": BTF_GET_FD_BY_ID, "link": LINK_GET_FD_BY_ID}

OBJ = Struct("=QIIi4x")
GET_ID = Struct("=3Ii")
INFO = Struct("=IIQ")
RAW_TRACEPOINT = Struct("=QI4xQ")
TASK_QUERY = Struct("=4IQ2I2Q")
LINK = Struct("=4I")
LINK_CHANGE = Struct("=4I")
ITER = Struct("=2I")
TOKEN = Struct("=2I")
_U32 = Struct("=I")


def _path(path: str | bytes) -> bytes:
    from os import fsencode

    return fsencode(path) + b"\0"


def obj_pin(path: str | bytes, fd: int, flags: int = 0, dir_fd: int = 0) -> None:
    """BPF_OBJ_PIN: give the object a name in a bpffs, which keeps it alive.

    With `flags` PATH_FD (0x4000, Linux 6.5) the path is relative to `dir_fd`.
    """
    name = buffer_of(_path(path))
    bpf(OBJ_PIN, OBJ.pack(address(name), fd, flags, dir_fd), f"{path!r}")


def obj_get(path: str | bytes, flags: int = 0, dir_fd: int = 0) -> int:
    """BPF_OBJ_GET: a descriptor of the object pinned at `path`; `flags` may be RDONLY (8) or WRONLY (16)."""
    name = buffer_of(_path(path))
    return bpf(OBJ_GET, OBJ.pack(address(name), 0, flags, dir_fd), f"{path!r}")


def next_id(kind: str, after: int = 0) -> int | None:
    """BPF_{PROG,MAP,BTF,LINK}_GET_NEXT_ID: the id after `after`, or None.  `kind` is a key of `NEXT_ID`."""
    attr = bytearray(GET_ID.pack(after, 0, 0, 0))
    result = call(NEXT_ID[kind], attr)
    if result == -ENOENT:
        return None
    if result < 0:
        raise failure(-result, NEXT_ID[kind])
    return GET_ID.unpack(attr)[1]  # type: ignore[no-any-return]


def fd_by_id(kind: str, id: int, flags: int = 0) -> int:
    """BPF_{PROG,MAP,BTF,LINK}_GET_FD_BY_ID: a descriptor.  `flags` (maps only) may be RDONLY (8).

    SpecError for what is no id.
    """
    if not isinstance(id, int) or not 0 <= id < 1 << 32:
        raise SpecError(f"{kind} {id!r}: an id is a number from 1 to {(1 << 32) - 1}")
    return bpf(FD_BY_ID[kind], GET_ID.pack(id, 0, flags, 0), f"{kind} {id}")


def each(kind: str) -> Iterator[tuple[int, int]]:
    """`(id, descriptor)` of every object of a kind; those that go away meanwhile are left out, and links in the making."""
    id_ = 0
    while (following := next_id(kind, id_)) is not None:
        id_ = following
        try:
            fd = fd_by_id(kind, id_)
        except SyscallError as error:
            if error.errno not in (ENOENT, EAGAIN):  # EAGAIN: a link with an id, but not yet with a descriptor
                raise
            continue
        yield id_, fd


def obj_info(fd: int, size: int, prefix: bytes = b"") -> bytes:
    """BPF_OBJ_GET_INFO_BY_FD: up to `size` bytes of the object's information, as many as the kernel has.

    `prefix` is what the structure holds beforehand: sizes and addresses of arrays for the kernel to fill.
    """
    memory = bytearray(prefix.ljust(size, b"\0"))
    attr = bytearray(INFO.pack(fd, size, address(buffer_of(memory))))
    bpf(OBJ_GET_INFO_BY_FD, attr)
    return bytes(memory[: INFO.unpack(attr)[1]])


def link_create(prog_fd: int, target: int, attach_type: int, flags: int = 0, extra: bytes = b"", what: str = "") -> int:
    """BPF_LINK_CREATE: a link's descriptor.

    `prog_fd` is a map's for struct_ops; `target` a descriptor, an interface index or 0, by attach type; `extra` what
    the attach type adds to the first 16 bytes (uapi.LinkCreateAttr).
    """
    return bpf(LINK_CREATE, LINK.pack(prog_fd, target, attach_type, flags) + extra, what)


def link_update(link_fd: int, new_fd: int, flags: int = 0, old_fd: int = 0, what: str = "") -> None:
    """BPF_LINK_UPDATE: put another program (or struct_ops map) in its place, atomically.

    With `flags` F_REPLACE (4) only when `old_fd` is what is there now.
    """
    bpf(LINK_UPDATE, LINK_CHANGE.pack(link_fd, new_fd, flags, old_fd), what)


def link_detach(link_fd: int) -> None:
    """BPF_LINK_DETACH: detach now, though descriptors and pins remain (Linux 5.9)."""
    bpf(LINK_DETACH, _U32.pack(link_fd))


def raw_tracepoint_open(name: str | None, prog_fd: int, cookie: int = 0) -> int:
    """BPF_RAW_TRACEPOINT_OPEN: a link's descriptor.  No name for programs that know their target (fentry, LSM)."""
    text = None if name is None else buffer_of(name.encode() + b"\0")
    return bpf(RAW_TRACEPOINT_OPEN, RAW_TRACEPOINT.pack(address(text), prog_fd, cookie), name or "")


def iter_create(link_fd: int) -> int:
    """BPF_ITER_CREATE: a descriptor to read what an iterator program prints (Linux 5.8)."""
    return bpf(ITER_CREATE, ITER.pack(link_fd, 0))


def enable_stats(kind: int = 0) -> int:
    """BPF_ENABLE_STATS: count runs and time of all programs until the descriptor is closed (Linux 5.8)."""
    return bpf(ENABLE_STATS, _U32.pack(kind))


def token_create(bpffs_fd: int, flags: int = 0) -> int:
    """BPF_TOKEN_CREATE: a token that carries what the bpffs delegates (Linux 6.9)."""
    return bpf(TOKEN_CREATE, TOKEN.pack(flags, bpffs_fd))


def task_fd_query(pid: int, fd: int) -> tuple[int, int, str, int, int]:
    """BPF_TASK_FD_QUERY: `(program id, uapi.TaskFdType, name, offset, address)` behind a perf event of a process."""
    memory = bytearray(512)
    attr = bytearray(TASK_QUERY.pack(pid, fd, 0, len(memory), address(buffer_of(memory)), 0, 0, 0, 0))
    bpf(TASK_FD_QUERY, attr, f"descriptor {fd} of process {pid}")
    *_, prog_id, fd_type, offset, where = TASK_QUERY.unpack(attr)
    return prog_id, fd_type, memory[: memory.find(0)].decode(errors="replace"), offset, where
