"""Internet checksums (RFC 1071), computed as the kernel's helpers do."""

from __future__ import annotations

from errno import EFAULT, EINVAL

from ...errors import NotSupportedError
from .packet import packet_of
from .table import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..run import Run

_HDR_FIELD_MASK = 0xF
_PSEUDO_HDR, _MARK_MANGLED_0, _MARK_ENFORCE, _IPV6 = 1 << 4, 1 << 5, 1 << 6, 1 << 7


def fold(total: int) -> int:
    """A sum folded to 16 bits, carries added back in."""
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _add32(a: int, b: int) -> int:
    """The one's complement sum of two 32-bit numbers."""
    total = a + b
    return (total & 0xFFFFFFFF) + (total >> 32)


def partial(raw: bytes, seed: int) -> int:
    """The 32-bit sum that the kernel's csum_partial gives: 64-bit words with the carry added back in, then folded
    once.
    """
    raw = raw + bytes(-len(raw) % 8)
    total = seed + sum(int.from_bytes(raw[i : i + 8], "little") for i in range(0, len(raw), 8))
    while total >> 64:
        total = (total & 0xFFFFFFFFFFFFFFFF) + (total >> 64)
    return _add32(total >> 32, total & 0xFFFFFFFF)


@model
def csum_diff(run: Run, from_: int, from_size: int, to: int, to_size: int, seed: int) -> int:
    from_size, to_size, seed = from_size & 0xFFFFFFFF, to_size & 0xFFFFFFFF, seed & 0xFFFFFFFF
    old = run.mem.read(from_, from_size) if from_size else b""
    new = run.mem.read(to, to_size) if to_size else b""
    if old and new:
        return fold(_add32(partial(new, seed), ~partial(old, 0) & 0xFFFFFFFF))
    if new:
        return fold(partial(new, seed))
    if old:
        return fold(~partial(old, ~seed & 0xFFFFFFFF) & 0xFFFFFFFF)
    return fold(seed)


@model
def csum_update(run: Run, skb: int, csum: int) -> int:
    if run.summed:
        raise NotSupportedError("bpf_csum_update offline, of a packet with SKB_CHECKSUM_COMPLETE")
    return -524  # other packets that TEST_RUN and this machine make carry no sum


@model
def csum_level(run: Run, skb: int, level: int) -> int:
    return -13 if level & 0xFFFFFFFF == 0 else -22 if level > 3 else 0


@model
def l3_csum_replace(run: Run, skb: int, offset: int, from_: int, to: int, flags: int) -> int:
    if flags & ~_HDR_FIELD_MASK or offset & 0xFFFFFFFF > 0xFFFF or offset & 1:
        return -EINVAL if flags & ~_HDR_FIELD_MASK else -EFAULT
    size = flags & _HDR_FIELD_MASK
    check = _field(run, offset & 0xFFFFFFFF)
    if check is None:
        return -EFAULT
    changed = _replaced(check, from_, to, size)
    if changed is None:
        return -EINVAL
    packet_of(run).patch(offset & 0xFFFFFFFF, changed.to_bytes(2, "little"))
    return 0


@model
def l4_csum_replace(run: Run, skb: int, offset: int, from_: int, to: int, flags: int) -> int:
    if flags & ~(_MARK_MANGLED_0 | _MARK_ENFORCE | _PSEUDO_HDR | _HDR_FIELD_MASK | _IPV6):
        return -EINVAL
    offset &= 0xFFFFFFFF
    if offset > 0xFFFF or offset & 1:
        return -EFAULT
    check = _field(run, offset)
    if check is None:
        return -EFAULT
    if flags & _MARK_MANGLED_0 and not flags & _MARK_ENFORCE and not check:
        return 0
    changed = _replaced(check, from_, to, flags & _HDR_FIELD_MASK)
    if changed is None:
        return -EINVAL
    if flags & _MARK_MANGLED_0 and not changed:
        changed = 0xFFFF  # UDP: zero means no checksum
    packet_of(run).patch(offset, changed.to_bytes(2, "little"))
    return 0


def _field(run: Run, offset: int) -> int | None:
    data = packet_of(run).raw()
    return int.from_bytes(data[offset : offset + 2], "little") if offset + 2 <= len(data) else None


def _replaced(check: int, old: int, new: int, size: int) -> int | None:
    """The checksum after a field of `size` bytes changed; size 0 adds the difference `new`, which comes from
    bpf_csum_diff.
    """
    base = ~check & 0xFFFF
    if size == 0:
        return None if old else ~fold(base + (new & 0xFFFFFFFF)) & 0xFFFF
    if size not in (2, 4):
        return None
    mask = (1 << 8 * size) - 1
    return ~fold(base + (~old & mask) + (new & mask)) & 0xFFFF
