"""Pins: names in a bpffs, which keep objects alive beyond the processes that made them."""

from __future__ import annotations

import os
from ctypes import get_errno
from errno import EINVAL, EPERM

from ..errors import KindError
from .door import failure, libc

DEFAULT = "/sys/fs/bpf"
_MAGIC = 0xCAFE4A11  # statfs.f_type of a bpffs


def is_bpffs(path: str) -> bool:
    """True when `path` (which must exist) lies in a bpffs."""
    from ctypes import create_string_buffer

    # struct statfs begins with f_type, a word, on every machine but s390x, where it is 4 bytes of one.
    found = create_string_buffer(256)
    if libc().statfs(os.fsencode(path), found) < 0:
        raise failure(get_errno(), "statfs", repr(path))
    return _MAGIC in (int.from_bytes(found.raw[:4], "little"), int.from_bytes(found.raw[:4], "big"))


def mount(path: str = DEFAULT) -> None:
    """Mount a bpffs at `path`, and say so through `logging`."""
    if libc().mount(b"bpf", os.fsencode(path), b"bpf", 0, b"mode=0700") < 0:
        raise failure(get_errno(), "mount", f"a bpffs on {path!r}")
    from logging import getLogger

    getLogger("pybpf").warning("mounted a bpffs on %s", path)


def prepare(path: str) -> None:
    """Make sure that an object can be pinned at `path`: a bpffs mounted on its usual place, directories made."""
    parent = os.path.dirname(os.path.abspath(path))
    if (parent + "/").startswith(DEFAULT + "/") and os.path.isdir(DEFAULT) and not is_bpffs(DEFAULT):
        mount()
    existing = parent
    while not os.path.isdir(existing):
        existing = os.path.dirname(existing)
    if is_bpffs(existing):
        os.makedirs(parent, exist_ok=True)


def pin(fd: int, path: str) -> None:
    """Pin an object at `path`.  SyscallError when that is not in a bpffs, or something is there already."""
    from .objects import OBJ_PIN, obj_pin

    prepare(path)
    try:
        obj_pin(path, fd)
    except OSError as error:
        if error.errno in (EPERM, EINVAL) and not is_bpffs(os.path.dirname(os.path.abspath(path))):
            raise _not_bpffs(error.errno, OBJ_PIN, path) from None
        raise


def _not_bpffs(code: int, command: int, path: str) -> Exception:
    error = failure(code, command, repr(path))
    error.hint = f"{os.path.dirname(os.path.abspath(path))} is not in a bpffs; pin below {DEFAULT}, or mount one there"
    return error


def kind_of(fd: int) -> str:
    """What a descriptor is: "map", "prog", "link", or "" for what is no object of bpf(2)."""
    name = os.readlink(f"/proc/self/fd/{fd}")
    for kind in ("map", "prog", "link"):
        if name.startswith((f"anon_inode:bpf-{kind}", f"anon_inode:bpf_{kind}", f"anon_inode:[bpf_{kind}")):
            return kind
    return ""


def open_pin(path: str, kind: str, flags: int = 0) -> int:
    """The descriptor of the object pinned at `path`, which must be of a `kind`; KindError when it is another."""
    from .objects import obj_get

    fd = obj_get(path, flags)
    found = kind_of(fd)
    if found != kind:
        os.close(fd)
        raise KindError(f"{path!r} holds a {found or 'thing that is no object of bpf(2)'}, not a {kind}")
    return fd
