"""Declared maps: one `MapSpec` class per map type, with typed keys and values.

    packets = HashMap(u32, u64, max_entries=256)

A declaration is a value without life: programs name it, `load` makes the map, and `prog[packets]` is
the live one.  Inside a program a declaration is used like a dict (`packets[17] += 1`); anywhere else
that is a mistake, and an error says so.

Every constructor takes the keywords of `Options` beside its own.  A type is anything that
`types.codec` knows: `u8`..`u64`, `s8`..`s64`, `be16`..`be64`, `char[n]`, `u32[n]`, a number of bytes, an `IntEnum`,
a `Struct`, `IPv4Address`, `IPv6Address`.
"""

from __future__ import annotations

from .errors import KindError, SpecError
from .spec import MapSpec
from .types import Struct, codec, s32, u8, u32, u64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, Generic, NoReturn, TypedDict, Unpack, overload

    from typing_extensions import TypeVar  # for checkers alone: they bring it with them

    from .types import Codec

    K = TypeVar("K", default=Any)  # a ring buffer, say, has no key to tell it by
    V = TypeVar("V", default=Any)

    class Options(TypedDict, total=False):
        """What every declaration takes: see `MapSpec`."""

        name: str
        flags: int
        contents: Mapping[Any, Any] | Iterable[tuple[Any, Any]]
        frozen: bool
        pinning: str | None
        numa_node: int | None
        map_extra: int
        ifindex: int

    class Typed(MapSpec, Generic[K, V]):
        """A declared map as a type checker sees it: what a program may do with it."""

        def __getitem__(self, key: K) -> V: ...
        def __setitem__(self, key: K, value: V) -> None: ...
        def __delitem__(self, key: K) -> None: ...
        def __contains__(self, key: K) -> bool: ...
        def __iter__(self) -> Iterator[K]: ...
        def __getattr__(self, name: str) -> Any: ...

        # What gives a number in a program, where the context may stand first.
        def add(self, *args: Any, **options: Any) -> int: ...
        def delete(self, *args: Any, **options: Any) -> int: ...
        def drain(self, *args: Any, **options: Any) -> int: ...
        def for_each(self, *args: Any, **options: Any) -> int: ...
        def output(self, *args: Any, **options: Any) -> int: ...
        def push(self, *args: Any, **options: Any) -> int: ...
        def redirect(self, *args: Any, **options: Any) -> int: ...
        def select(self, *args: Any, **options: Any) -> int: ...
        def stack_id(self, *args: Any, **options: Any) -> int: ...
        def update(self, *args: Any, **options: Any) -> int: ...

else:
    K = V = None

    class Typed(MapSpec):
        def __class_getitem__(cls, item):
            return cls


NO_PREALLOC = 1 << 0
MMAPABLE = 1 << 10
STACK_BUILD_ID = 1 << 5
LINK = 1 << 13
RDONLY_PROG = 1 << 7


class NotLiveError(SpecError, AttributeError):
    """A declaration was used as if it were the live map."""


class Declared(Typed[K, V]):
    """Base of the declared maps; `TYPE` is the kernel's `MapType`."""

    TYPE = 0
    _options = ("name", "flags", "contents", "frozen", "pinning", "numa_node", "map_extra", "ifindex")

    def _declare(
        self, key: Any, value: Any, max_entries: int, options: Options, *, inner: MapSpec | None = None, **fields: Any
    ) -> None:
        merged: dict[str, Any] = {**options, **fields}
        contents = merged.get("contents")
        if contents is not None and hasattr(contents, "items"):
            merged["contents"] = contents.items()
        MapSpec.__init__(self, self.TYPE, max_entries=max_entries, key=key, value=value, inner=inner, **merged)

    if not TYPE_CHECKING:
        # `packets.items()` on a declaration would otherwise be a bare AttributeError, and `packets[1]` a TypeError.

        def __getattr__(self, name: str) -> NoReturn:
            raise self._not_live(f".{name}")

        def __getitem__(self, key: Any) -> NoReturn:
            raise self._not_live(f"[{key!r}]")

        def __setitem__(self, key: Any, value: Any) -> NoReturn:
            raise self._not_live(f"[{key!r}]")

        def __delitem__(self, key: Any) -> NoReturn:
            raise self._not_live(f"[{key!r}]")

        def __contains__(self, key: Any) -> NoReturn:
            raise self._not_live(f"[{key!r}]")

        def __iter__(self) -> NoReturn:
            raise self._not_live("")

        def __len__(self) -> NoReturn:
            raise self._not_live("")

        def __bool__(self) -> bool:
            return True  # which Python would ask the length for

        def _not_live(self, use: str) -> NotLiveError:
            kind = type(self).__name__
            name = self.__dict__.get("name") or f"<{kind}>"
            return NotLiveError(
                f"{name}{use}: a {kind} is a declaration and holds nothing; the live map is prog[{name}] "
                f"after `prog = load(...)`, and vm[{name}] offline"
            )


# --- records of the kernel ---------------------------------------------------------------------------

if TYPE_CHECKING:
    # To a checker u32 is int, so it cannot see these fields as what they are.
    Ipv4Prefix = Ipv6Prefix = CgroupStorageKey = DevMapValue = CpuMapValue = Struct

else:

    class Ipv4Prefix(Struct):
        """Key of a longest-prefix-match trie of IPv4 networks: what `LpmTrie(IPv4Address, ...)` uses."""

        prefixlen: u32
        addr: u8[4]

    class Ipv6Prefix(Struct):
        """Key of a longest-prefix-match trie of IPv6 networks: what `LpmTrie(IPv6Address, ...)` uses."""

        prefixlen: u32
        addr: u8[16]

    class CgroupStorageKey(Struct):
        """Key of a cgroup storage map as user space sees it: `struct bpf_cgroup_storage_key`."""

        cgroup_inode_id: u64
        attach_type: u32

    class DevMapValue(Struct):
        """`struct bpf_devmap_val`: where to send a frame, and a program to run on it there (a descriptor; 0 for none)."""

        ifindex: u32
        prog: s32

    class CpuMapValue(Struct):
        """`struct bpf_cpumap_val`: queue length of a CPU, and a program to run there (a descriptor; 0 for none)."""

        qsize: u32
        prog: s32


# --- maps with a key and a value ------------------------------------------------------------------


class _Keyed(Declared[K, V]):
    def __init__(self, key: type[K] | int, value: type[V] | int, max_entries: int, **options: Unpack[Options]) -> None:
        self._declare(key, value, max_entries, options)


class HashMap(_Keyed[K, V]):
    """A hash table.  `flags` may have NO_PREALLOC (1) to allocate entries when they are made."""

    TYPE = 1


class PerCpuHashMap(_Keyed[K, V]):
    """A hash table with one value for each CPU under a key; read from outside a value is a list with `sum()`."""

    TYPE = 5


class LruHashMap(_Keyed[K, V]):
    """A hash table that drops the least recently used entries when it is full."""

    TYPE = 9


class LruPerCpuHashMap(_Keyed[K, V]):
    """`PerCpuHashMap` and `LruHashMap` in one."""

    TYPE = 10


class ResizableHashMap(_Keyed[K, V]):
    """A hash table that grows and shrinks with what it holds (Linux 7.2)."""

    TYPE = 35

    def __init__(self, key: type[K] | int, value: type[V] | int, max_entries: int, **options: Unpack[Options]) -> None:
        # The kernel takes it without preallocation only.
        options["flags"] = options.get("flags", 0) | NO_PREALLOC
        super().__init__(key, value, max_entries, **options)


class LpmTrie(Declared[K, V]):
    """A trie that finds the longest stored prefix of what is asked.

    The key is `IPv4Address` or `IPv6Address` (live keys are then networks: `trie["10.0.0.0/8"]`), or a
    `Struct` whose first field is a 32-bit `prefixlen` in bits and whose rest is the data, most significant byte first.
    """

    TYPE = 11

    def __init__(self, key: type[K], value: type[V] | int, max_entries: int, **options: Unpack[Options]) -> None:
        if getattr(key, "__module__", "") == "ipaddress":
            key = Ipv6Prefix if "6" in key.__name__ else Ipv4Prefix  # type: ignore[assignment]
        if codec(key).size < 5:
            raise SpecError(f"key {key!r} of an LpmTrie: expected a Struct with a u32 prefixlen before the data")
        # The kernel takes tries without preallocation only.
        options["flags"] = options.get("flags", 0) | NO_PREALLOC
        self._declare(key, value, max_entries, options)

    def _codec(self, which: str) -> Codec:
        if which == "key" and self.key in (Ipv4Prefix, Ipv6Prefix):
            return _prefix_codec(self.key)
        return super()._codec(which)


def _prefix_codec(type_: Any) -> Codec:
    """Keys of a trie as networks: packs a network, an address, a text or the Struct; unpacks to a network."""
    from ipaddress import IPv4Network, IPv6Network

    from .types import Codec

    network: Any = IPv4Network if type_ is Ipv4Prefix else IPv6Network
    size = codec(type_).size

    def pack(value: Any) -> bytes:
        if isinstance(value, type_):
            return bytes(value)
        net = network(value) if not isinstance(value, network) else value
        return bytes(type_(net.prefixlen, tuple(net.network_address.packed)))

    def unpack(raw: bytes) -> Any:
        key = type_.from_buffer_copy(raw)
        # A trie keeps a key as it was given, with the bits behind the prefix.
        return network((bytes(key.addr), key.prefixlen), strict=False)

    return Codec(type_, size, pack, unpack)


class HashOfMaps(Declared[K, V]):
    """A hash table of maps, each made like `inner`; values from outside are maps, map ids are what is read back."""

    TYPE = 13

    def __init__(self, key: type[K] | int, inner: MapSpec, max_entries: int, **options: Unpack[Options]) -> None:
        self._declare(key, u32, max_entries, options, inner=inner)


class SockHash(Declared[K, V]):
    """Sockets under keys of any type, to redirect messages and streams between them."""

    TYPE = 18

    def __init__(self, key: type[K] | int, max_entries: int, value: Any = u64, **options: Unpack[Options]) -> None:
        self._declare(key, value, max_entries, options)


class CgroupStorage(Declared[K, V]):
    """A value for each cgroup that its program is attached to (use `CgrpStorage` from Linux 6.2 on)."""

    TYPE = 19

    def __init__(self, value: type[V] | int, key: Any = CgroupStorageKey, **options: Unpack[Options]) -> None:
        self._declare(key, value, 0, options)


class PerCpuCgroupStorage(CgroupStorage[K, V]):
    """`CgroupStorage` with one value for each CPU."""

    TYPE = 21


# --- maps that are an array: keys are indexes 0 .. max_entries - 1 --------------------------------


class _Indexed(Declared[K, V]):
    if TYPE_CHECKING:

        @overload
        def __init__(self, value: type[V] | int, /, *, max_entries: int, **options: Unpack[Options]) -> None: ...
        @overload
        def __init__(
            self, key: type[K], value: type[V] | int, /, max_entries: int, **options: Unpack[Options]
        ) -> None: ...
        def __init__(self, *args: Any, **options: Any) -> None: ...

    else:

        def __init__(self, *types, max_entries=None, **options):
            if len(types) == 3 and max_entries is None:
                *types, max_entries = types
            if not options.keys() <= set(self._options):
                raise TypeError  # the constructor's class tells which
            if len(types) not in (1, 2) or max_entries is None:
                raise SpecError(
                    f"{type(self).__name__} takes (value, max_entries=n) or (key, value, max_entries=n); "
                    f"{len(types)} types given, max_entries={max_entries}"
                )
            key, value = types if len(types) == 2 else (u32, types[0])
            if codec(key).size != 4:
                raise SpecError(f"key {key!r} of a {type(self).__name__}: an index has 4 bytes")
            self._declare(key, value, max_entries, options)


class Array(_Indexed[K, V]):
    """An array: `Array(value, max_entries=n)`.  All entries exist from the start, zeroed, and cannot be deleted.

    A key type of 4 bytes may be named first (an `IntEnum`, say).  With `flags=MMAPABLE` (1 << 10, Linux 5.5) user space
    reads and writes it as memory.
    """

    TYPE = 2


class PerCpuArray(_Indexed[K, V]):
    """An array with one value for each CPU in every place; read from outside a value is a list with `sum()`."""

    TYPE = 6


class Global(Array[K, V]):
    """A global variable of a program: `limit = Global(u32, 100)`, read and written as `limit.value` inside.

    It is an array of one entry: `prog[limit][0]` from outside.  With `const=True` the program only reads it, and user
    space gives its value before loading (`limit.replace(contents=((0, 5),))`), as with `.rodata` in C.  Needs Linux 5.2.
    """

    if TYPE_CHECKING:
        value: V

    def __init__(self, type_: type[V], value: Any = 0, *, const: bool = False, **options: Unpack[Options]) -> None:
        if value:
            codec(type_).pack(value)  # what does not fit is told here, not when the map is made
        options.setdefault("contents", [(0, value)] if value else [])
        if const:
            options["flags"] = options.get("flags", 0) | RDONLY_PROG
            options["frozen"] = True
        self._declare(u32, type_, 1, options)


class _Table(Declared[K, V]):
    """An array of references to kernel objects; `VALUE` is what user space puts in: a descriptor or an index."""

    VALUE: Any = u32

    def __init__(self, max_entries: int, **options: Unpack[Options]) -> None:
        self._declare(u32, self.VALUE, max_entries, options)


class ProgArray(_Table[K, V]):
    """Programs to tail-call; values from outside are programs, and program ids are what is read back."""

    TYPE = 3


class CgroupArray(_Table[K, V]):
    """Cgroups to test sockets and tasks against; values are paths or descriptors of cgroup v2 directories."""

    TYPE = 8


class ArrayOfMaps(Declared[K, V]):
    """An array of maps, each made like `inner`; values from outside are maps, map ids are what is read back."""

    TYPE = 12

    def __init__(self, inner: MapSpec, max_entries: int, **options: Unpack[Options]) -> None:
        self._declare(u32, u32, max_entries, options, inner=inner)


class DevMap(Declared[K, V]):
    """Network devices to redirect to, by index.  `value` is `u32` (ifindex) or `DevMapValue` (Linux 5.8)."""

    TYPE = 14

    def __init__(self, max_entries: int, value: Any = u32, **options: Unpack[Options]) -> None:
        self._declare(u32, value, max_entries, options)


class DevMapHash(DevMap[K, V]):
    """`DevMap` with any number as key, not only 0 .. max_entries - 1 (Linux 5.4)."""

    TYPE = 25


class CpuMap(DevMap[K, V]):
    """CPUs to redirect frames to, by number.  `value` is `u32` (queue length) or `CpuMapValue` (Linux 5.9)."""

    TYPE = 16


class XskMap(_Table[K, V]):
    """AF_XDP sockets to redirect frames to, by queue."""

    TYPE = 17


class SockMap(DevMap[K, V]):
    """Sockets, by index, to redirect messages and streams between them; what is read back is the socket's cookie."""

    TYPE = 15

    def __init__(self, max_entries: int, value: Any = u64, **options: Unpack[Options]) -> None:
        super().__init__(max_entries, value, **options)


class ReuseportSockArray(_Table[K, V]):
    """Sockets of a SO_REUSEPORT group, to choose from; what is read back is the socket's cookie."""

    TYPE = 20
    VALUE = u64


class StackTrace(Declared[K, V]):
    """Stack traces: the value is `depth` addresses, outermost last, zero after the end."""

    TYPE = 7

    def __init__(self, max_entries: int, depth: int = 127, **options: Unpack[Options]) -> None:
        step: Any = 32 if options.get("flags", 0) & STACK_BUILD_ID else u64
        value: Any = u64[depth] if step is u64 else step * depth  # type: ignore[misc, valid-type]
        self._declare(u32, value, max_entries, options)


# --- maps without keys ----------------------------------------------------------------------------


class Queue(Declared[K, V]):
    """First in, first out: `push`, `pop`, `peek`."""

    TYPE = 22

    def __init__(self, value: type[V] | int, max_entries: int, **options: Unpack[Options]) -> None:
        self._declare(None, value, max_entries, options)


class Stack(Queue[K, V]):
    """Last in, first out: `push`, `pop`, `peek`."""

    TYPE = 23


class BloomFilter(Declared[K, V]):
    """A set that answers "certainly not" or "probably".  `hashes` (1..15) trades size for certainty (Linux 5.16)."""

    TYPE = 30

    def __init__(self, value: type[V] | int, max_entries: int, hashes: int = 5, **options: Unpack[Options]) -> None:
        if not 1 <= hashes <= 15:
            raise SpecError(f"hashes is {hashes}: a BloomFilter takes 1..15")
        self._declare(None, value, max_entries, options, map_extra=hashes)


# --- events ---------------------------------------------------------------------------------------


class _Events(Declared[K, V]):
    """A stream of records of the type `event`, or of `bytes` where none is given."""

    _fields = (*MapSpec._fields, "event")  # type: ignore[assignment]
    event: Any

    @property
    def event_codec(self) -> Codec | None:
        """How records become values; None when they are `bytes` of any length."""
        return None if self.event is None else codec(self.event)


class RingBuf(_Events[K, V]):
    """Records from programs to user space, in order, shared by all CPUs (Linux 5.8).

    `size` is in bytes, a power of two and a multiple of the page size.
    """

    TYPE = 27

    def __init__(self, event: type[V] | int | None = None, size: int = 1 << 18, **options: Unpack[Options]) -> None:
        if size < 4096 or size & (size - 1):
            raise SpecError(
                f"size {size} of a {type(self).__name__}: expected a power of two of at least a page (4096)"
            )
        self._set(event=event)
        self._declare(None, None, size, options)


class UserRingBuf(RingBuf[K, V]):
    """Records from user space to programs, which take them with `bpf_user_ringbuf_drain` (Linux 6.1)."""

    TYPE = 31


class PerfEventArray(_Events[K, V]):
    """Records from programs to user space through one buffer for each CPU.  `max_entries` 0 means all CPUs."""

    TYPE = 4

    def __init__(self, event: type[V] | int | None = None, max_entries: int = 0, **options: Unpack[Options]) -> None:
        self._set(event=event)
        self._declare(u32, u32, max_entries, options)


# --- storage attached to a kernel object ----------------------------------------------------------


class _LocalStorage(Declared[K, V]):
    def __init__(self, value: type[V] | int, **options: Unpack[Options]) -> None:
        # The kernel demands exactly these: a descriptor as key, no size, no preallocation.
        options["flags"] = options.get("flags", 0) | NO_PREALLOC
        self._declare(s32, value, 0, options)


class SkStorage(_LocalStorage[K, V]):
    """A value for each socket; from outside the key is the socket (or its descriptor)."""

    TYPE = 24


class InodeStorage(_LocalStorage[K, V]):
    """A value for each inode; from outside the key is an open file (Linux 5.10, with BPF LSM)."""

    TYPE = 28


class TaskStorage(_LocalStorage[K, V]):
    """A value for each task; from outside the key is a pidfd (Linux 5.11)."""

    TYPE = 29


class CgrpStorage(_LocalStorage[K, V]):
    """A value for each cgroup; from outside the key is an open cgroup v2 directory (Linux 6.2)."""

    TYPE = 32


# --- memory and kernel interfaces -----------------------------------------------------------------


class Arena(Declared[K, V]):
    """Memory that programs and user space share by address, `pages` pages of it (Linux 6.9).

    `address` is where user space maps it (0: wherever there is room, decided when it is first mapped).
    """

    TYPE = 33

    def __init__(self, pages: int, address: int = 0, **options: Unpack[Options]) -> None:
        options["flags"] = options.get("flags", 0) | MMAPABLE
        self._declare(None, None, pages, options, map_extra=address)


class StructOps(Declared[K, V]):
    """An implementation of the kernel's `struct <struct_ops>` by programs.

    `members` are programs for its functions, numbers and bytes for the rest: `StructOps("tcp_congestion_ops",
    {"ssthresh": ssthresh, "name": b"mine", ...})`.  `load_collection` loads them; `links.struct_ops.attach_map`
    registers the live map.  `flags` are LINK (1 << 13, Linux 6.4) unless given; 0 registers it when it is loaded.
    """

    TYPE = 26

    def __init__(self, struct_ops: str, members: Mapping[str, Any], **options: Unpack[Options]) -> None:
        options.setdefault("flags", LINK)
        if not hasattr(members, "keys"):
            raise KindError(f"StructOps takes a dict of members, and not {members!r}")
        options["contents"] = ((0, dict(members)),)
        self._declare(u32, None, 1, options, btf_struct_ops=struct_ops)


class InsnArray(Declared[K, V]):
    """Places in a program, for indirect jumps (Linux 6.19)."""

    TYPE = 34

    def __init__(self, max_entries: int, **options: Unpack[Options]) -> None:
        self._declare(u32, 16, max_entries, options)
