"""`Packet`: a frame in memory, and the pointers that programs have into it.

Whatever moves or resizes the frame gives it a new window, so pointers from before fault, as the kernel's verifier
would have forbidden their use.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..memory import Memory

ETH_HLEN = 14


class Packet:
    """A frame: `data` from its first byte that a program sees to its end, `meta` the metadata in front of it.

    `headroom` is how many bytes may be put in front.  `front` is a link-layer header that lies in front of `data`
    where the program cannot see it (programs that begin at the network layer).  `rest` are bytes behind `data` that
    only helpers reach (fragments).
    """

    def __init__(
        self,
        mem: Memory,
        data: bytes,
        *,
        meta: bytes = b"",
        headroom: int = 0,
        front: bytes = b"",
        rest: bytes = b"",
        writable: bool = True,
    ) -> None:
        self.mem = mem
        self.meta = meta
        self.data = data
        self.room = bytes(headroom)
        self.front = front
        self.rest = rest
        self.mac_len = 0 if front else ETH_HLEN
        """How long the link-layer header at the beginning of `data` is."""
        self.writable = writable
        self.encapsulated = False
        self.address = 0
        self.pointers: dict[int, int] = {}
        self.slots: tuple[int, int, int] | None = None
        self._region: bytearray | bytes = b""
        self.view: bytes | bytearray | memoryview = b""
        """The data in place: what is written there is written to the packet."""
        self._place(meta + data)

    def bind(self, pointers: dict[int, int], data: int, data_end: int, data_meta: int = -1) -> None:
        """Keep the context's pointer fields, at these offsets, at the frame's addresses (-1: no such field)."""
        self.pointers = pointers
        self.slots = (data, data_end, data_meta)
        self._point()

    @property
    def headroom(self) -> int:
        """How many bytes there are in front of the metadata."""
        return len(self.room)

    @property
    def region(self) -> bytes | bytearray:
        """Metadata and data as one run of bytes."""
        return self._region

    @property
    def start(self) -> int:
        """Where `data` begins in `region`."""
        return len(self.meta)

    def raw(self) -> bytes:
        """The data as it is now."""
        return bytes(self._region[len(self.meta) :])

    def meta_bytes(self) -> bytes:
        """The metadata as it is now."""
        return bytes(self._region[: len(self.meta)])

    def move(self, meta: int, data: int, *, carry_meta: bool = False) -> None:
        """Move where metadata and data begin, by so many bytes (negative: to the front), within headroom and frame.

        `carry_meta` moves the metadata's bytes along with the data.  Bytes that are laid bare are what lay there.
        """
        whole = bytearray(self.room) + self._region
        start = len(self.room) + meta
        begin = len(self.room) + len(self.meta) + data
        if carry_meta:
            whole[start:begin] = self.meta_bytes()
        self.mem.remove(self.address)
        self.room, self.meta = bytes(whole[:start]), bytes(whole[start:begin])
        self._place(bytes(whole[start:]))

    def give_room(self, size: int) -> None:
        """Move everything to the front by so many bytes: there is less headroom then."""
        self.room = self.room[: len(self.room) - size]

    def __len__(self) -> int:
        return len(self._region) - len(self.meta)

    def patch(self, offset: int, raw: bytes) -> None:
        """Overwrite bytes of the data, whether or not the program might by itself; pointers stay good."""
        at = offset + len(self.meta)
        if isinstance(self._region, bytearray):
            self._region[at : at + len(raw)] = raw
        else:
            self._region = self._region[:at] + raw + self._region[at + len(raw) :]
            self.mem.readable[self.address >> 32] = self._region
            self._look()

    def replace(self, data: bytes, meta: bytes | None = None) -> None:
        """Give the frame other bytes: pointers into the old ones become invalid."""
        self.mem.remove(self.address)
        self.meta = bytes(self._region[: len(self.meta)]) if meta is None else meta
        self._place(self.meta + data)

    def _place(self, raw: bytes) -> None:
        self._region = bytearray(raw) if self.writable else raw
        self.address = self.mem.add(self._region, "the packet")
        self._look()
        self._point()

    def _look(self) -> None:
        self.view = memoryview(self._region)[len(self.meta) :] if self.meta else self._region

    def _point(self) -> None:
        if self.slots is not None:
            data, end, meta = self.slots
            self.pointers[data] = self.address + len(self.meta)
            self.pointers[end] = self.address + len(self._region)
            if meta >= 0:
                self.pointers[meta] = self.address
