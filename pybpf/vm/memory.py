"""The machine's memory: typed regions with bounds, and the addresses by which programs know them.

    63                  32 31                   0
    +---------------------+---------------------+
    |       window        |       offset        |   an address
    +---------------------+---------------------+

Every region has a window of its own, so pointers are plain 64-bit numbers that can be added to, compared, spilled and
leaked as on hardware, and an access outside every region is found by one table lookup and one length check.
Kernel windows have the top bit set, user windows lie where Linux maps processes, and window 0 stays empty, so
NULL and small numbers fault.
"""

from __future__ import annotations

from ..errors import VmFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .helpers.control import Timer

    Writable = bytearray | memoryview

MASK32 = 0xFFFFFFFF
MASK64 = 0xFFFFFFFFFFFFFFFF

CTX = 0x80000001
"""Window of the context, whose fields may stand for pointers that are wider than they are."""
FUNC = 0x80000002
"""Window of code: what a callback pointer points to."""
STACK = 0x80000010
"""Window of the first of `MAX_FRAMES` stack frames."""
MAX_FRAMES = 8
FRAME_SIZE = 512
ZEROS = bytes(FRAME_SIZE)
_FIRST_KERNEL = 0x80000100
_FIRST_USER = 0x00005500
_READ, _READ_WRITE = "read-only", "writable"


class Frame:
    """One stack frame: 512 bytes, and views of them as numbers of each width; `top` is what r10 holds."""

    def __init__(self, depth: int) -> None:
        self.window = STACK + depth
        self.name = "the stack" if depth == 0 else f"the stack of frame {depth}"
        self.top = self.window << 32 | FRAME_SIZE
        self.bytes = bytearray(FRAME_SIZE)
        view = memoryview(self.bytes)
        self.halves = view.cast("H")
        self.words = view.cast("I")
        self.doubles = view.cast("Q")

    def clear(self) -> None:
        self.bytes[:] = ZEROS

    def show(self, mem: Memory) -> None:
        mem.place(self.window, self.bytes, self.name)

    def hide(self, mem: Memory) -> None:
        mem.remove(self.window << 32)


class MemoryFault(VmFault):
    """An access outside every region, or a store to a read-only one: `address`, and the nearest `region` by name."""

    def __init__(self, message: str, address: int, region: str) -> None:
        super().__init__(message)
        self.address = address
        self.region = region


class Memory:
    """Windows and what lies in them; `readable` and `writable` map a window to its bytes."""

    def __init__(self) -> None:
        self.readable: dict[int, bytes | Writable] = {}
        self.writable: dict[int, Writable] = {}
        self.names: dict[int, str | Callable[[], str]] = {}
        self._addresses: dict[int, int] = {}  # by id of an object
        self._owners: dict[int, object] = {}  # by address
        self._retired: list[int] = []
        self.timers: dict[int, Timer] = {}
        """Those that programs set up, by address: a timer ends with the memory that it lies in."""
        self.references: dict[int, int] = {}
        """References to the objects that programs allocated, by window."""
        self.collections: dict[int, list[int]] = {}
        """Nodes in the lists and trees whose heads are at these addresses."""
        self._kernel = _FIRST_KERNEL
        self._user = _FIRST_USER

    def add(self, data: bytes | Writable, name: str | Callable[[], str], *, user: bool = False) -> int:
        """Give `data` a window and return its address; bytes are read-only, a bytearray or a view of one is not.

        `name` is what faults call the region, or a function that makes up the name when one happens.
        """
        if user:
            self._user = window = self._user + 1
        else:
            self._kernel = window = self._kernel + 1
        self.place(window, data, name)
        return window << 32

    def place(self, window: int, data: bytes | Writable, name: str | Callable[[], str]) -> None:
        """Put a region into a window chosen by the caller."""
        self.readable[window] = data
        if isinstance(data, (bytearray, memoryview)):
            self.writable[window] = data
        else:
            self.writable.pop(window, None)
        self.names[window] = name

    def remove(self, address: int) -> None:
        """Unmap the region of `address`: pointers into it fault from now on."""
        window = address >> 32
        self.readable.pop(window, None)
        self.writable.pop(window, None)
        self.names.pop(window, None)
        if self.timers:
            self.stop_timers(address)

    def stop_timers(self, address: int) -> None:
        """Forget the timers in the region of `address`."""
        for at in [at for at in self.timers if at >> 32 == address >> 32]:
            del self.timers[at]

    def retire(self, address: int) -> None:
        """Unmap the region when the run ends: as under RCU, a program may use what it looked up until it is done.

        Its timers end at once.
        """
        self._retired.append(address)
        if self.timers:
            self.stop_timers(address)

    def purge(self) -> None:
        """Unmap everything that was retired."""
        for address in self._retired:
            self.remove(address)
        self._retired.clear()

    def of(self, owner: object, data: Callable[[], bytes | bytearray], name: str) -> int:
        """The address that stands for a Python object; `data` makes the bytes there when it is first asked for."""
        address = self._addresses.get(id(owner))
        if address is None:
            address = self._addresses[id(owner)] = self.add(data(), name)
            self._owners[address] = owner  # kept, so that its id is not given to another object
        return address

    def owner(self, address: int) -> object:
        """The Python object that `address` stands for, None when it is no such address."""
        return self._owners.get(address)

    def drop(self, address: int) -> None:
        """Unmap a region, and forget the object that it stood for."""
        self.remove(address)
        owner = self._owners.pop(address, None)
        if owner is not None:
            del self._addresses[id(owner)]

    def region(self, address: int) -> tuple[bytes | Writable, int] | None:
        """The region that `address` points into (or just behind) and its offset there; None when there is none."""
        data = self.readable.get(address >> 32)
        offset = address & MASK32
        return None if data is None or offset > len(data) else (data, offset)

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes at `address`.  MemoryFault when they do not lie in one region."""
        data = self.readable.get(address >> 32)
        offset = address & MASK32
        if data is None or offset + size > len(data):
            raise self.fault(address, size, "read")
        return bytes(data[offset : offset + size])

    def write(self, address: int, raw: bytes | bytearray | memoryview) -> None:
        """Store `raw` at `address`.  MemoryFault when it does not fit one writable region."""
        data = self.writable.get(address >> 32)
        offset = address & MASK32
        if data is None or offset + len(raw) > len(data):
            raise self.fault(address, len(raw), "write")
        data[offset : offset + len(raw)] = raw

    def load(self, address: int, size: int) -> int:
        """The number of `size` bytes at `address`, in the machine's (little-endian) order."""
        data = self.readable.get(address >> 32)
        offset = address & MASK32
        if data is None or offset + size > len(data):
            raise self.fault(address, size, "read")
        return int.from_bytes(data[offset : offset + size], "little")

    def store(self, address: int, size: int, value: int) -> None:
        """Store the low `size` bytes of `value`."""
        data = self.writable.get(address >> 32)
        offset = address & MASK32
        if data is None or offset + size > len(data):
            raise self.fault(address, size, "write")
        data[offset : offset + size] = (value & ((1 << size * 8) - 1)).to_bytes(size, "little")

    def string(self, address: int, limit: int = 1 << 20) -> bytes:
        """The bytes from `address` up to a NUL, without it, at most `limit`; also ends where the region does."""
        found = self.region(address)
        if found is None:
            raise self.fault(address, 1, "read")
        data, offset = found
        return bytes(data[offset : offset + limit]).split(b"\0", 1)[0]

    def is_user(self, address: int) -> bool:
        """Whether `address` lies where processes do."""
        return not address >> 63

    def users(self) -> list[tuple[int, int]]:
        """Where the regions of user memory begin and end."""
        return [(w << 32, (w << 32) + len(data)) for w, data in sorted(self.readable.items()) if not w >> 31]

    def bad(self, address: int) -> bool:
        """Whether nothing of the kernel is near `address`: NULL, an address of a process, or no region's window."""
        window = address >> 32
        return self.is_user(address) or (window != CTX and window not in self.readable)

    def name(self, window: int) -> str:
        name = self.names[window]
        return name if isinstance(name, str) else name()

    def fault(self, address: int, size: int, how: str) -> MemoryFault:
        """The error for an access of `size` bytes at `address`; says which region is nearest and where it lies."""
        what = f"{how} of {size} byte{'s' * (size != 1)} at 0x{address:x}"
        if address < 4096:
            return MemoryFault(f"{what}: NULL pointer or a number used as one", address, "NULL")
        window = min(self.readable, key=lambda w: self._distance(w, address), default=None)
        if window is None:
            return MemoryFault(f"{what}: no memory there", address, "nothing")
        name, start, length = self.name(window), window << 32, len(self.readable[window])
        writable = window in self.writable
        kind = f"({length} bytes, {_READ_WRITE if writable else _READ})"
        offset = address - start
        if 0 <= offset <= MASK32:
            if how != "read" and not writable:
                return MemoryFault(f"{what}: {name} is read-only", address, name)
            return MemoryFault(f"{what}: out of bounds: offset {offset} of {name} {kind}", address, name)
        if -1 << 31 < offset < 0:
            before = f"{-offset} byte{'s' * (offset != -1)} before {name} {kind}"
            return MemoryFault(f"{what}: out of bounds: {before}", address, name)
        return MemoryFault(f"{what}: no memory there: nearest is {name} at 0x{start:x}", address, name)

    def _distance(self, window: int, address: int) -> int:
        """How far an address lies from the region in a window: 0 inside."""
        start = window << 32
        return max(start - address, address - start - len(self.readable[window]), 0)
