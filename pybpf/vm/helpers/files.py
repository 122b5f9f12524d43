"""Helpers on files of the kernel, which are what the environment says of their addresses."""

from __future__ import annotations

from errno import ENAMETOOLONG, ENOENT, EOPNOTSUPP

from .table import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run

_ALGORITHMS = {16: 1, 20: 2, 28: 7, 32: 4, 48: 5, 64: 6}  # bytes of a digest -> enum hash_algo: MD5, SHA1, SHA2


@model
def d_path(run: Run, path: int, buf: int, size: int) -> int:
    """The text that the environment's `paths` has for a struct path."""
    size &= 0xFFFFFFFF
    text = run.env.paths.get(path)
    if text is None:
        return -ENOENT
    raw = text.encode() + b"\0"
    if len(raw) > size:
        return -ENAMETOOLONG
    run.mem.write(buf, raw)
    return len(raw)


@model
def sock_from_file(run: Run, file: int) -> int:
    """The struct socket that `env.file_sockets` has for a struct file; NULL for other files."""
    return run.env.file_sockets.get(file, 0)


@model
def ima_inode_hash(run: Run, inode: int, dst: int, size: int) -> int:
    return _digest(run, inode, dst, size)


@model
def ima_file_hash(run: Run, file: int, dst: int, size: int) -> int:
    return _digest(run, file, dst, size)


def _digest(run: Run, address: int, dst: int, size: int) -> int:
    """The number of the algorithm, and as much of the digest as there is room for; EOPNOTSUPP where nothing was measured."""
    digest = run.env.ima_hashes.get(address)
    if digest is None:
        return -EOPNOTSUPP
    run.mem.write(dst, digest[: size & 0xFFFFFFFF])
    return _ALGORITHMS.get(len(digest), -EOPNOTSUPP)
