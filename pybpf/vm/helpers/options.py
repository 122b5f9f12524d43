"""TCP options as programs of type SOCK_OPS read and write them; `data` is the segment from its TCP header on.

See `bpf_sock_ops_load_hdr_opt` and its neighbours in net/core/filter.c.
"""

from __future__ import annotations

from errno import EEXIST, EFAULT, EINVAL, ENOENT, ENOMSG, ENOSPC, EPERM

from ...uapi import bpf_sock_ops
from .packet import packet_of
from .table import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run

_HEADER = 20  # sizeof(struct tcphdr)
_EOL, _NOP = 0, 1
_EXPERIMENTAL = (253, 254)
_OF_SYN = 1  # BPF_LOAD_HDR_OPT_TCP_SYN
_LENGTH_CALLBACK, _WRITE_CALLBACK = 14, 15  # BPF_SOCK_OPS_HDR_OPT_LEN_CB, BPF_SOCK_OPS_WRITE_HDR_OPT_CB


def _callback(run: Run) -> int:
    return run.ctx.load(bpf_sock_ops.op.offset, 4)


def _find(options: bytes, kind: int, magic: bytes) -> bytes | int:
    """The option of this kind, which begins with `magic`; ENOMSG where there is none, EFAULT where the list is broken."""
    at = 0
    while at < len(options):
        found = options[at]
        if found == _EOL:
            return -ENOMSG
        if found == _NOP:
            at += 1
            continue
        size = options[at + 1] if at + 1 < len(options) else 0
        if size < 2 or size > len(options) - at:
            return -EFAULT
        if found == kind:
            if len(magic) > size - 2:
                return -ENOMSG
            if options[at + 2 : at + 2 + len(magic)] == magic:
                return options[at : at + size]
        at += size
    return -ENOMSG


def _ended(options: bytes) -> bool:
    """Whether the list of options says that it ends."""
    at = 0
    while at < len(options) and options[at] != _EOL:
        at += 1 if options[at] == _NOP else options[at + 1]
    return at < len(options)


@model
def load_hdr_opt(run: Run, skops: int, searchby_res: int, len_: int, flags: int) -> int:
    """Of the segment, or with flag 1 of the SYN that `env.saved_syn` holds (from its TCP header on)."""
    size = len_ & 0xFFFFFFFF
    if size < 2 or flags & ~_OF_SYN:
        return -EINVAL
    wanted = run.mem.read(searchby_res, size)
    kind, length = wanted[0], wanted[1]
    if length > size or kind in (_EOL, _NOP):
        return -EINVAL
    if kind in _EXPERIMENTAL:
        if length not in (4, 6):
            return -EINVAL
    elif length:
        return -EINVAL
    if flags:
        if not run.env.saved_syn:
            return -ENOENT
        segment = run.env.saved_syn
    elif _callback(run) == _LENGTH_CALLBACK or not packet_of(run).raw():
        return -EPERM
    else:
        segment = packet_of(run).raw()
    found = _find(segment[_HEADER:], kind, wanted[2:length] if length else b"")
    if isinstance(found, int):
        return found
    run.mem.write(searchby_res, found[:size])
    return -ENOSPC if len(found) > size else len(found)


@model
def store_hdr_opt(run: Run, skops: int, from_: int, len_: int, flags: int) -> int:
    """Append an option to the segment, as far as `env.tcp_option_room` bytes reach."""
    size = len_ & 0xFFFFFFFF
    if _callback(run) != _WRITE_CALLBACK:
        return -EPERM
    if size < 2 or flags:
        return -EINVAL
    given = run.mem.read(from_, size)
    kind, length = given[0], given[1]
    if length > size or kind in (_EOL, _NOP):
        return -EINVAL
    if length > run.env.tcp_option_room:
        return -ENOSPC
    if kind in _EXPERIMENTAL and length < 4:
        return -EINVAL
    packet = packet_of(run)
    options = packet.raw()[_HEADER:]
    found = _find(options, kind, given[2:4] if kind in _EXPERIMENTAL else b"")
    if not isinstance(found, int):
        return -EEXIST
    if found != -ENOMSG:
        return found
    if _ended(options):
        return -ENOSPC
    packet.replace(packet.raw() + given[:length])
    run.env.tcp_option_room -= length
    return 0


@model
def reserve_hdr_opt(run: Run, skops: int, len_: int, flags: int) -> int:
    """Ask for room in the header; `env.tcp_option_room` says how much there is."""
    size = len_ & 0xFFFFFFFF
    if _callback(run) != _LENGTH_CALLBACK:
        return -EPERM
    if flags or size < 2:
        return -EINVAL
    if size > run.env.tcp_option_room:
        return -ENOSPC
    run.env.tcp_option_room -= size
    run.record("reserve_hdr_opt", size)
    return 0
