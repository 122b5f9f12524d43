"""`Buffer`: a packet in a socket buffer of the kernel, which has room around it, and asks for more when that is used up."""

from __future__ import annotations

from .packet import Packet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..memory import Memory

HEADROOM = 64
"""In front of a frame, NET_SKB_PAD; new room in front comes in multiples of it."""
OVERHEAD = 320
"""Behind the data lies struct skb_shared_info."""
_SMALL = 640  # SKB_SMALL_HEAD_CACHE_SIZE: small buffers have a cache of their own
_UNSET = 0xFFFF  # where the transport header begins, from the beginning of the buffer; in 16 bits
_LARGEST = 1 << 22  # KMALLOC_MAX_SIZE


class Buffer(Packet):
    """A frame that helpers push into, pull out of, cut and lengthen.

    New memory is what kmalloc gives, a power of two, of which everything but the overhead counts as in use the next
    time (`pskb_expand_head`): so each growth doubles the buffer, and after some there is no memory so large.
    """

    def __init__(self, mem: Memory, data: bytes, *, front: bytes = b"", writable: bool = True) -> None:
        super().__init__(mem, data, front=front, writable=writable)
        self.space = HEADROOM + len(front)
        """Bytes free in front of the data."""
        self._end = _rounded(HEADROOM + len(front) + len(data) + OVERHEAD) - OVERHEAD
        self._transport = _UNSET
        self._behind = b""  # what a shrunk packet left behind its end; zeros follow

    def cow(self, size: int) -> bool:
        """See that there is so much room in front; False where there is no memory (`skb_cow`)."""
        if size <= self.space:
            return True
        more = -(-(size - self.space) // HEADROOM) * HEADROOM
        if not self._expand(more):
            return False
        self.space += more
        # The kernel moves the mark that there is no transport header along, which makes a place of it.
        self._transport = (self._transport + more) & 0xFFFF
        return True

    @property
    def shortest(self) -> int:
        """How short the packet may become: its headers stay (`__bpf_skb_min_len`)."""
        transport = self._transport - self.space
        return transport if self._transport != _UNSET and transport > 0 else self.mac_len

    def push(self, at: int, size: int, content: bytes = b"") -> bool:
        """Make room at an offset, which may lie behind the end, and fill it; False where there is no memory for it."""
        if not self.cow(size):
            return False
        self.space -= size
        data = self.raw()
        whole = (data + self._behind).ljust(at, b"\0")
        whole = whole[:at] + content.ljust(size, b"\0") + whole[at:]
        self._become(whole, len(data) + size)
        return True

    def pull(self, at: int, size: int) -> bool:
        """Take bytes out at an offset, and move up what lay in front of them; False where there are not as many."""
        data = self.raw()
        if at + size > len(data):
            return False
        self.space += size
        whole = data + self._behind
        self._become(whole[:at] + whole[at + size :], len(data) - size)
        return True

    def resize(self, size: int) -> bool:
        """Cut the end off, or lengthen it with zeros; False where there is no memory for it."""
        data = self.raw()
        missing = size - len(data) - max(self._end - self.space - len(data), 0)
        if missing > 0 and not self._expand(missing):
            return False
        self._become(data[:size].ljust(size, b"\0") + (data + self._behind)[size:], size)
        return True

    def _become(self, whole: bytes, size: int) -> None:
        self._behind = whole[size:]
        self.replace(whole[:size])

    def _expand(self, more: int) -> bool:
        wanted = -(-(self._end + more) // 64) * 64 + OVERHEAD
        got = _SMALL if wanted <= _SMALL else _rounded(wanted)
        if got > _LARGEST:
            return False
        self._end, self._behind = got - OVERHEAD, b""
        return True


def _rounded(size: int) -> int:
    """What is allocated for so many bytes."""
    return 1 << (size - 1).bit_length()
