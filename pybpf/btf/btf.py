"""`Btf`: a set of types, read lazily.

Opening one walks the type records once, noting where each begins and nothing else; a `Type` object
is made when it is asked for.  A name is looked up by finding it in the string section first, then the
number of its place among the names of all types, so the running kernel's 126,000 types cost some 30 ms.
"""

from __future__ import annotations

import struct
import sys

from ..errors import BtfError
from .kinds import HEADER, MAGIC, VERSION, Kind, pack_btf, words_of
from .types import Type, UnknownType, make_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, ClassVar

KERNEL_BTF = "/sys/kernel/btf"

# Which type a bare name means when several kinds share it.
_PREFERENCE = (
    Kind.STRUCT,
    Kind.UNION,
    Kind.ENUM,
    Kind.ENUM64,
    Kind.TYPEDEF,
    Kind.INT,
    Kind.FLOAT,
    Kind.FUNC,
    Kind.VAR,
    Kind.DATASEC,
    Kind.FWD,
    Kind.DECL_TAG,
    Kind.TYPE_TAG,
)
_PREFIXES = {"struct ": (Kind.STRUCT,), "union ": (Kind.UNION,), "enum ": (Kind.ENUM, Kind.ENUM64)}


class Btf:
    """Types with ids from 1 (0 is void); a split BTF adds its own after those of `base`.

    `btf["task_struct"]`, `btf["struct task_struct"]`, `btf.find(name, kind)`, `btf.type(id)`, iteration over all types
    (those of the base first), `name in btf`, `len(btf)` types.  `byteorder` is "little" or "big".
    """

    _kernel: ClassVar[Btf | None] = None
    _modules: ClassVar[dict[str, Btf]] = {}

    def __init__(self, raw: bytes, base: Btf | None = None) -> None:
        self.byteorder, self._words, self._strings = _sections(raw, base is not None)
        self.raw = raw
        self.base = base
        self._first = len(base) + 1 if base else 1
        self._first_string = base._end_string if base else 0
        self._end_string: int = self._first_string + len(self._strings)
        self._at = _walk(self._words)
        self._made: dict[int, Type] = {}
        self._names: list[int] | None = None
        self._name_set: set[int] = set()

    # -- where BTF comes from

    @classmethod
    def parse(cls, raw: bytes, base: Btf | None = None) -> Btf:
        """The types in `raw`; `base` is what a split BTF (of a module) builds on.

        BtfError when the header or the type records are damaged.  Names and references are checked
        when they are used, or all at once by `check`.
        """
        return cls(bytes(raw), base)

    @classmethod
    def kernel(cls) -> Btf:
        """The running kernel's types (Linux 5.4 with CONFIG_DEBUG_INFO_BTF), read once in a process.

        BtfError when the kernel has none.
        """
        if Btf._kernel is None:
            Btf._kernel = cls(_read("vmlinux"))
        return Btf._kernel

    @classmethod
    def of_module(cls, name: str) -> Btf:
        """The types of a loaded kernel module, over those of the kernel (Linux 5.11); "vmlinux" is the kernel.

        BtfError when it is not loaded or carries none.
        """
        if name == "vmlinux":
            return cls.kernel()
        if name not in Btf._modules:
            Btf._modules[name] = cls(_read(name), cls.kernel())
        return Btf._modules[name]

    @staticmethod
    def kernel_modules() -> list[str]:
        """Names of loaded modules that carry BTF."""
        import os

        try:
            return sorted(set(os.listdir(KERNEL_BTF)) - {"vmlinux"})
        except OSError:
            return []

    # -- types

    def __len__(self) -> int:
        return self._first - 1 + len(self._at)

    def __iter__(self) -> Iterator[Type]:
        return map(self.type, range(1, len(self) + 1))

    def own_types(self) -> Iterator[Type]:
        """The types of this BTF without those of its base."""
        return map(self.type, range(self._first, len(self) + 1))

    def type(self, id: int) -> Type:
        """The type of that id; the same object each time.  BtfError for an id that does not exist."""
        made = self._made.get(id)
        if made is None:
            if self.base and id < self._first:
                made = self.base.type(id)
            elif 0 <= id <= len(self):
                made = make_type(self, id, self._at[id - self._first] if id else -1)
            else:
                raise BtfError(f"type id {id} does not exist: the last one is {len(self)}")
            self._made[id] = made
        return made

    def ids(self, name: str) -> list[int]:
        """The ids of all types called `name`, whatever their kind, in order."""
        found = self.base.ids(name) if self.base else []
        for offset in self._string_offsets(name):
            found += self._ids_at(offset)
        return sorted(found)

    def flavours(self, name: str) -> list[int]:
        """The ids of types called `name` or `name___anything`, as CO-RE pairs them."""
        found = self.base.flavours(name) if self.base else []
        for offset in self._string_offsets(name) + self._string_offsets(name + "___", prefix=True):
            found += self._ids_at(offset)
        return sorted(found)

    def find_all(self, name: str, kind: int | None = None) -> list[Type]:
        """All types called `name`; `kind` (a `Kind`) narrows it."""
        types = map(self.type, self.ids(name))
        return [t for t in types if kind is None or t.kind == kind]

    def find(self, name: str, kind: int | None = None) -> Type:
        """The type called `name`: a whole struct, union or enum before a typedef, that before others.

        `name` may say the kind as C does ("struct file").  UnknownType when there is none.
        """
        kinds: tuple[int, ...] = _PREFERENCE if kind is None else (kind,)
        bare = name
        if kind is None and " " in name:
            prefix = name[: name.index(" ") + 1]
            kinds, bare = _PREFIXES.get(prefix, kinds), name.removeprefix(prefix)
        types = self.find_all(bare)
        for wanted in kinds:
            for found in types:
                if found.kind == wanted:
                    return found
        what = "no type" if kind is None else f"no {Kind(kind).name.lower()}"
        raise UnknownType(f"{what} {name!r} in this BTF of {len(self)} types")

    def __getitem__(self, name: str) -> Any:  # a Type, of the class for its kind
        return self.find(name)

    def __contains__(self, name: object) -> bool:
        try:
            return isinstance(name, str) and bool(self.find(name))
        except UnknownType:
            return False

    def string(self, offset: int) -> str:
        """The string at `offset` of the string section.  BtfError when it lies outside."""
        if offset < self._first_string and self.base:
            return self.base.string(offset)
        at = offset - self._first_string
        if not 0 <= at < len(self._strings):
            if offset == 0:
                return ""
            raise BtfError(f"string offset {offset} is outside the {self._end_string} bytes of strings")
        return self._strings[at : self._strings.index(b"\0", at)].decode("utf-8", "backslashreplace")

    # -- verbs

    def check(self) -> None:
        """Check every record as the kernel does before it takes BTF.  BtfError says which type and why."""
        from .check import check

        check(self)

    def dedup(self) -> Btf:
        """These types with each one once; `pybpf.btf.dedup` also says where each id went."""
        from .merge import dedup

        return dedup(self)[0]

    def c_header(self, names: Iterable[str] | None = None) -> str:
        """C declarations of the named types and of all that they need, in an order that compiles; None for all."""
        from .c import c_header

        return c_header(self, names)

    def ctypes(self, name: str) -> Any:
        """A ctypes class with the layout of the named struct, union, enum, typedef or integer."""
        from .ctype import ctype

        return ctype(self.find(name))

    def to_bytes(self, byteorder: str | None = None) -> bytes:
        """The bytes of this BTF (without its base), in another byte order when one is given."""
        order = byteorder or self.byteorder
        if order == self.byteorder:
            return self.raw
        return pack_btf(self._words, self._strings, order)

    def __eq__(self, other: object) -> bool:
        """Equal bytes over equal bases; types one by one are compared by `Type.__eq__`."""
        if not isinstance(other, Btf):
            return NotImplemented
        return self is other or (self.raw == other.raw and self.base == other.base)

    def __hash__(self) -> int:
        return hash((len(self.raw), self._first))

    def __repr__(self) -> str:
        return f"<Btf: {len(self)} types, {self.byteorder}-endian>"

    # -- the index

    def _own_names(self) -> list[int]:
        if self._names is None:
            words = self._words
            self._names = [words[at] for at in self._at]
            self._name_set = set(self._names)
        return self._names

    def _string_offsets(self, name: str, prefix: bool = False) -> list[int]:
        """Where strings that equal (or begin with) `name` begin, those that some type is called by.

        A name may be the tail of a longer string, so a NUL before it is not asked for.
        """
        if not name or "\0" in name:
            return []
        self._own_names()
        pattern = name.encode("utf-8", "surrogateescape") + (b"" if prefix else b"\0")
        found = []
        at = self._strings.find(pattern)
        while at >= 0:
            offset = at + self._first_string
            if offset in self._name_set:
                found.append(offset)
            at = self._strings.find(pattern, at + 1)
        if self.base:
            found += self.base._offsets_named_above(pattern, self._name_set)
        return found

    def _offsets_named_above(self, pattern: bytes, wanted: set[int]) -> list[int]:
        """Strings of this base that equal `pattern` and are used as names (`wanted`) by a BTF above it."""
        found = self.base._offsets_named_above(pattern, wanted) if self.base else []
        at = self._strings.find(pattern)
        while at >= 0:
            if at + self._first_string in wanted:
                found.append(at + self._first_string)
            at = self._strings.find(pattern, at + 1)
        return found

    def _ids_at(self, name_offset: int) -> list[int]:
        names = self._own_names()
        ids = []
        at = -1
        try:
            while True:
                at = names.index(name_offset, at + 1)
                ids.append(at + self._first)
        except ValueError:
            return ids


def _walk(words: memoryview[int]) -> list[int]:
    """The index of the first word of each type record.

    This loop is what opening a kernel's BTF costs: two lookups and an append a type.  Only a few thousand different
    `info` words occur, and each decides how long its record is.
    """
    found: list[int] = []
    strides: dict[int, int] = {}
    at, end = 0, len(words)
    while True:
        try:
            while True:
                after = at + strides[words[at + 1]]
                found.append(at)
                at = after
        except KeyError as missing:
            info = missing.args[0]
            if not 1 <= info >> 24 & 31 <= Kind.ENUM64:
                raise BtfError(
                    f"type {len(found) + 1} at byte {at * 4} of the types: "
                    f"unknown kind {info >> 24 & 31} (info word 0x{info:08x})"
                ) from None
            strides[info] = words_of(info)
        except IndexError:
            break
    if at != end:
        raise BtfError(f"type {len(found) + (at < end)} is cut off by the end of the types at byte {end * 4}")
    return found


def _sections(raw: bytes, split: bool) -> tuple[str, memoryview[int], bytes]:
    """Byte order, words of the type section and the string section, both checked to lie inside `raw`."""
    if len(raw) < HEADER:
        raise BtfError(f"{len(raw)} bytes are too few for a BTF header ({HEADER})")
    byteorder = {b"\x9f\xeb": "little", b"\xeb\x9f": "big"}.get(raw[:2])
    if byteorder is None:
        raise BtfError(f"bad magic 0x{raw[:2].hex()}: BTF begins with 0x{MAGIC:04x}")
    mark = "<" if byteorder == "little" else ">"
    _, version, flags, hdr_len, type_off, type_len, str_off, str_len = struct.unpack_from(mark + "HBB5I", raw)
    if version != VERSION or flags:
        raise BtfError(f"BTF version {version} with flags 0x{flags:x}: only version {VERSION} without flags is known")
    if not HEADER <= hdr_len <= len(raw):
        raise BtfError(f"header length {hdr_len}: expected {HEADER}..{len(raw)}")
    size = len(raw) - hdr_len
    for what, offset, length in (("type", type_off, type_len), ("string", str_off, str_len)):
        if offset > size or length > size - offset:
            raise BtfError(
                f"the {what} section ({length} bytes at {offset}) is outside the {size} bytes after the header"
            )
    if type_off % 4 or type_len % 4:
        raise BtfError(f"the type section ({type_len} bytes at {type_off}) is not made of aligned 32-bit words")
    if type_off < str_off + str_len and str_off < type_off + type_len:
        raise BtfError("the type and string sections overlap")
    strings = raw[hdr_len + str_off : hdr_len + str_off + str_len]
    if strings[-1:] != b"\0" and (strings or not split):
        raise BtfError("the string section does not end in a NUL")
    if not split and strings[0]:
        raise BtfError("the string section does not begin with the empty string")
    words = memoryview(raw)[hdr_len + type_off : hdr_len + type_off + type_len].cast("I")
    if byteorder != sys.byteorder:
        from array import array

        swapped = array("I", words)
        swapped.byteswap()
        words = memoryview(swapped)
    return byteorder, words, strings


def _read(name: str) -> bytes:
    if "/" in name:
        raise BtfError(f"{name!r} is not the name of a kernel module")
    path = f"{KERNEL_BTF}/{name}"
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        hint = "is the kernel built with CONFIG_DEBUG_INFO_BTF?" if name == "vmlinux" else "is that module loaded?"
        raise BtfError(f"cannot read {path}: {error.strerror}; {hint}") from None
