"""BPF_BTF_LOAD, and what the kernel tells about BTF that it holds."""

from __future__ import annotations

from errno import E2BIG
from struct import Struct

from ..errors import SyscallError, VerifierError
from .door import address, buffer_of, call, failure, with_token
from .objects import obj_info
from .progs import grow_log

BTF_LOAD = 18
LOAD = Struct("=2Q5Ii")
# struct bpf_btf_info: address and size of the data, id, address and size of the name, kernel_btf.
INFO = Struct("=QIIQII")


def btf_load(raw: bytes, *, flags: int = 0, token_fd: int = 0) -> int:
    """BPF_BTF_LOAD: the descriptor of BTF that the kernel has checked.  VerifierError with the log when it refuses."""
    data = buffer_of(raw)
    flags = with_token(flags, token_fd)
    result = call(BTF_LOAD, bytearray(LOAD.pack(address(data), 0, len(raw), 0, 0, 0, flags, token_fd)))
    if result >= 0:
        return result

    def attempt(level: int, size: int, where: int) -> tuple[int, int]:
        attr = bytearray(LOAD.pack(address(data), where, len(raw), size, level, 0, flags, token_fd))
        result = call(BTF_LOAD, attr)
        return result, LOAD.unpack(attr)[5]

    result, log = grow_log(attempt, 1)
    if result >= 0:
        return result
    if not log.strip():
        raise failure(-result, BTF_LOAD, "BTF")
    from .log import parse

    raise VerifierError(-result, "BTF", log, reason=parse(log).reason)


def btf_info(fd: int, data: bytearray | None = None) -> tuple[int, int, str, bool]:
    """`(id, size of the data, name, whether it is of the kernel or a module)`; `data` is filled with the types.

    The name ("vmlinux", a module's, or "") and its origin came with Linux 5.11.
    """
    name = bytearray(128)
    place = (address(buffer_of(data)), len(data)) if data is not None else (0, 0)
    for named in ((address(buffer_of(name)), len(name)), (0, 0)):
        try:
            raw = obj_info(fd, INFO.size, INFO.pack(*place, 0, *named, 0))
            break
        except SyscallError as error:
            if error.errno != E2BIG or not named[0]:
                raise
    _, size, id_, _, _, of_kernel = INFO.unpack(raw.ljust(INFO.size, b"\0"))
    return id_, size, name[: name.find(0)].decode(), bool(of_kernel)
