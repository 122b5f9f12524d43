"""BPF_BTF_LOAD."""

from __future__ import annotations

from struct import Struct

from ..errors import VerifierError
from .door import address, buffer_of, call, failure, with_token
from .progs import grow_log

BTF_LOAD = 18
LOAD = Struct("=2Q5Ii")


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
