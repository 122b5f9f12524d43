"""The types that programs and user space share: integers of every width, `char[n]`, and `Struct`.

    class Exec(Struct):
        pid: u32
        comm: char[16]

A `Struct` is a ctypes structure, so what the kernel wrote is decoded by the very type that the
program was compiled with.  Calling an integer type wraps a number to its width: `u8(257) == 1`.
To a type checker `u32` is `int`, and `char[n]` a `Literal`.  None has a notation for `u8[6]`: where one is to be content, the
field is `Annotated[bytes, u8, 6]` (what is before the comma is what it takes the field for), and the type `array_of(u8, 6)`.
"""

from __future__ import annotations

import ctypes
import struct
import sys

from .errors import ConversionError, SpecError

__all__ = (
    "Array",
    "Codec",
    "Scalar",
    "Struct",
    "array_of",
    "be16",
    "be32",
    "be64",
    "char",
    "codec",
    "ctype_of",
    "s8",
    "s16",
    "s32",
    "s64",
    "u8",
    "u16",
    "u32",
    "u64",
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# By size and whether signed.
CTYPES: dict[tuple[int, bool], Any] = {
    (1, False): ctypes.c_uint8,
    (2, False): ctypes.c_uint16,
    (4, False): ctypes.c_uint32,
    (8, False): ctypes.c_uint64,
    (1, True): ctypes.c_int8,
    (2, True): ctypes.c_int16,
    (4, True): ctypes.c_int32,
    (8, True): ctypes.c_int64,
}


class Scalar:
    """An integer type: `name`, `size` in bytes, `signed`, and `byteorder` ("little", "big")."""

    __iter__ = None  # `u32[0]`, `u32[1]` and so on are types: list(u32) would have no end

    def __init__(self, name: str, size: int, signed: bool, byteorder: str = sys.byteorder) -> None:
        self.name = name
        self.size = size
        self.signed = signed
        self.byteorder = byteorder
        plain = CTYPES[size, signed]
        swapped = byteorder != sys.byteorder and size > 1
        self.ctype: Any = plain.__ctype_le__ if byteorder == "little" else plain.__ctype_be__
        self.ctype = self.ctype if swapped else plain
        letter = {1: "b", 2: "h", 4: "i", 8: "q"}[size]
        self.format = ("<" if byteorder == "little" else ">") + (letter if signed else letter.upper())

    @property
    def bits(self) -> int:
        return self.size * 8

    @property
    def min(self) -> int:
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def max(self) -> int:
        return (1 << (self.bits - self.signed)) - 1

    def __call__(self, value: Any = 0) -> int:
        """`value` wrapped to this width, as a cast does in C and in a program."""
        try:
            number = int(value) & ((1 << self.bits) - 1)
        except (TypeError, ValueError, OverflowError) as error:
            raise ConversionError(f"{self.name}({value!r}): {error}") from None
        return number - (1 << self.bits) if self.signed and number >> (self.bits - 1) else number

    def __getitem__(self, count: int) -> Array:
        return Array(self, count)

    def __or__(self, other: Any) -> Any:
        """`u32 | None` in an annotation."""
        from typing import Union

        return Union[self, other]  # noqa: UP007  # of what is no class, `|` itself makes none

    __ror__ = __or__

    def __repr__(self) -> str:
        return self.name


class Array:
    """`element[count]`, an array inside a Struct, a key or a value; `char[n]` is a byte string."""

    __iter__ = None

    def __init__(self, element: Any, count: int) -> None:
        if not isinstance(count, int) or count < 0:
            raise SpecError(f"{element!r}[{count!r}]: the length of an array is a number >= 0")
        self.element = element
        self.count = count
        try:
            self.ctype: Any = ctype_of(element) * count
        except OverflowError:
            raise SpecError(f"{element!r} times a number of {count.bit_length()} bits: no array is that long") from None
        except TypeError as error:
            raise SpecError(f"{element!r}[{count}]: {error}") from None

    def __call__(self, *items: Any) -> Any:
        """A ctypes array, zeroed beyond the items that are given: what `u32[4]()` makes in a program."""
        return self.ctype(*items)

    def __getitem__(self, count: int) -> Array:
        return Array(self, count)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Array) and (self.element, self.count) == (other.element, other.count)

    def __hash__(self) -> int:
        return hash((self.element, self.count))

    def __repr__(self) -> str:
        return f"{self.element!r}[{self.count}]"


class _Char:
    """The byte of a string; used as `char[n]`.  Reading a field stops at the first NUL, as C does."""

    __iter__ = None
    name = "char"
    size = 1
    ctype = ctypes.c_char

    def __getitem__(self, count: int) -> Array:
        return Array(self, count)

    def __repr__(self) -> str:
        return "char"


def array_of(element: Any, count: int) -> Any:
    """`element[count]` in a form that type checkers take: `mac = array_of(u8, 6)()`, `HashMap(array_of(u8, 6), u64, ...)`.

    SpecError for what is not a type, and for a length below 0.
    """
    return Array(element, count)


array_of.__bpf_pure__ = True  # type: ignore[attr-defined]  # a program may call it


if TYPE_CHECKING:
    # A checker must accept `event.pid = x >> 32`, `u32(x)` and `comm: char[16]`.
    from typing import Literal as char

    # One statement each: checkers take only those for names of types.
    u8 = int
    u16 = int
    u32 = int
    u64 = int
    s8 = int
    s16 = int
    s32 = int
    s64 = int
    be16 = int
    be32 = int
    be64 = int
else:
    char = _Char()
    u8 = Scalar("u8", 1, False)
    u16 = Scalar("u16", 2, False)
    u32 = Scalar("u32", 4, False)
    u64 = Scalar("u64", 8, False)
    s8 = Scalar("s8", 1, True)
    s16 = Scalar("s16", 2, True)
    s32 = Scalar("s32", 4, True)
    s64 = Scalar("s64", 8, True)
    be16 = Scalar("be16", 2, False, "big")
    be32 = Scalar("be32", 4, False, "big")
    be64 = Scalar("be64", 8, False, "big")


def ctype_of(type_: Any) -> Any:
    """The ctypes type behind `type_`: a `Scalar`, `Array`, `char`, or a ctypes type itself.

    SpecError for anything else.
    """
    ctype = getattr(type_, "ctype", None)
    if ctype is not None:
        return ctype
    if isinstance(type_, type) and issubclass(
        type_, (ctypes.Structure, ctypes.Union, ctypes._SimpleCData, ctypes.Array)
    ):
        return type_
    raise SpecError(f"{type_!r} is not a type: use u8..u64, s8..s64, be16..be64, char[n], u32[n] or a Struct")


def _annotations(namespace: dict[str, Any], module: str) -> dict[str, Any]:
    """The annotations of a class body being created, evaluated (Python 3.14 makes them lazily)."""
    lazy = namespace.get("__annotate_func__") or namespace.get("__annotate__")
    found = lazy(1) if lazy else namespace.get("__annotations__", {})
    if not any(isinstance(v, str) for v in found.values()):
        return dict(found)
    frame = sys._getframe(2)
    scope = {**vars(sys.modules[__name__]), **vars(sys.modules.get(module, sys)), **frame.f_locals}
    while frame.f_globals.get("__name__") == __name__ and frame.f_back:
        frame = frame.f_back
    scope = {**scope, **frame.f_globals, **frame.f_locals}
    return {k: _evaluated(v, scope) if isinstance(v, str) else v for k, v in found.items()}


def _evaluated(text: str, scope: dict[str, Any]) -> Any:
    try:
        found = eval(text, scope)
        return (
            _evaluated(found, scope) if isinstance(found, str) else found
        )  # quoted, and a text for the future as well
    except NameError as error:
        from .misuse import near

        name = error.name or text
        raise SpecError(f"{name} is not defined{near(name, [n for n in scope if n[:1] != '_'])}") from None
    except (SyntaxError, TypeError, AttributeError) as error:
        raise SpecError(f"{text!r} is not a type: {error}") from None


def plain(type_: Any) -> Any:
    """`Annotated[bytes, u8, 6]` is `u8[6]`: before the comma stands what a type checker takes it for."""
    known = getattr(type_, "__metadata__", None)
    if known is None:
        return type_
    element, *counts = known
    for count in counts:
        element = element[count]
    return element


class _StructMeta(type(ctypes.Structure)):  # type: ignore[misc]
    """Turns the annotations of a class body into the `_fields_` of a ctypes structure."""

    __iter__ = None

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kw: Any) -> Any:
        types = {} if "_fields_" in namespace else _annotations(namespace, namespace.get("__module__", ""))
        if types:
            types = {field: plain(t) for field, t in types.items()}
            given = next((field for field in types if field in namespace), None)
            if given is not None:
                raise SpecError(
                    f"{name}.{given} = {namespace[given]!r}: a field has no default, and begins as zero: give the value where "
                    f"one is made, {name}({given}={namespace[given]!r})"
                )
            namespace = {
                **namespace,
                "_fields_": [(field, ctype_of(t)) for field, t in types.items()],
                "_types_": types,
            }
        # Without a dictionary a misspelt field is an error, and an event takes less memory.
        try:
            return super().__new__(mcs, name, bases, {"__slots__": (), **namespace}, **kw)
        except (TypeError, ValueError, AttributeError) as error:  # what ctypes says of _fields_ and _pack_
            raise SpecError(f"{name}: {error}") from None

    def __getitem__(cls, count: int) -> Array:
        return Array(cls, count)


if TYPE_CHECKING:
    _Structure = ctypes.Structure  # to a checker a Struct has the metaclass that ctypes structures have
else:

    class _Structure(ctypes.Structure, metaclass=_StructMeta):
        __slots__ = ()


class Struct(_Structure):
    """Base of user-defined records: annotations become fields, laid out as C does on 64-bit machines.

    `_types_` maps each field to the type it was declared with.  Equality is by value.
    """

    if TYPE_CHECKING:

        def __init__(self, *args: Any, **fields: Any) -> None: ...

    else:

        def __init__(self, *args, **fields):
            try:
                super().__init__(*args, **fields)
            except (TypeError, ValueError, AttributeError, OverflowError, RuntimeError) as error:
                raise _unfit(type(self), args, fields, error) from None

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and bytes(self) == bytes(other)

    def __hash__(self) -> int:
        return hash(bytes(self))

    def __repr__(self) -> str:
        shown = ((name, getattr(self, name)) for name, *_ in getattr(self, "_fields_", ()))
        fields = ", ".join(f"{name}={list(v) if isinstance(v, ctypes.Array) else v!r}" for name, v in shown)
        return f"{type(self).__name__}({fields})"


class _NoField(ConversionError, AttributeError):
    """A structure was given a field that it has not."""


def _unfit(type_: Any, args: tuple[Any, ...], fields: dict[str, Any], error: Exception) -> ConversionError:
    """Which of the values for a new structure does not fit, and why."""
    known = [name for name, *_ in getattr(type_, "_fields_", ())]
    if len(args) > len(known):
        return ConversionError(f"{type_.__name__} has {len(known)} fields, {len(args)} values given")
    for name, value in (*zip(known, args, strict=False), *fields.items()):
        if name not in known:
            return _NoField(f"{type_.__name__} has no field {name!r}; it has {', '.join(known)}")
        try:
            setattr(type_(), name, value)
        except (TypeError, ValueError, OverflowError, RuntimeError) as wrong:
            return ConversionError(f"{name} of {type_.__name__} does not take {value!r}: {wrong}")
    return ConversionError(f"{type_.__name__}: {error}")


class Codec:
    """How a key or a value becomes bytes: `size`, `pack(value) -> bytes`, `unpack(bytes) -> value`.

    `pack` raises ConversionError.  `format` is the struct format when the value is one plain integer, else None.
    """

    __slots__ = ("format", "pack", "size", "type", "unpack")

    def __init__(
        self,
        type_: Any,
        size: int,
        pack: Callable[[Any], bytes],
        unpack: Callable[[bytes], Any],
        format: str | None = None,
    ) -> None:
        self.type = type_
        self.size = size
        self.pack = pack
        self.unpack = unpack
        self.format = format


def codec(type_: Any) -> Codec:
    """The codec of a type: a number of bytes (raw `bytes`), an integer type, `char[n]`, `u32[n]` (a tuple),
    an `IntEnum` (4 bytes, as C), a `Struct` or other ctypes type, `ipaddress.IPv4Address` or `IPv6Address`.

    SpecError for anything else.
    """
    if isinstance(type_, Scalar):
        return _scalar_codec(type_)
    if isinstance(type_, int) and not isinstance(type_, type):
        return _bytes_codec(type_, type_)
    if isinstance(type_, Array):
        return _array_codec(type_)
    if isinstance(type_, type):
        if type_.__module__ == "ipaddress" and type_.__name__ in ("IPv4Address", "IPv6Address"):
            size = 4 if type_.__name__ == "IPv4Address" else 16
            return Codec(type_, size, _checked(type_, lambda value: type_(value).packed), lambda raw: type_(bytes(raw)))
        if issubclass(type_, int) and hasattr(type_, "__members__"):
            return _enum_codec(type_)
    return _ctypes_codec(type_, ctype_of(type_))


def _scalar_codec(type_: Scalar) -> Codec:
    fmt = struct.Struct(type_.format)
    low, high = type_.min, type_.max

    def pack(value: Any) -> bytes:
        try:
            return fmt.pack(value)
        except struct.error:
            if not hasattr(value, "__index__"):
                raise ConversionError(f"{value!r} is not an integer; expected {type_}") from None
            raise ConversionError(f"{value} does not fit {type_} ({low}..{high})") from None

    unpack = fmt.unpack
    return Codec(type_, type_.size, pack, lambda raw: unpack(raw)[0], type_.format)


def _checked(type_: Any, pack: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """`pack`, with one exception for whatever Python raises for values that do not fit."""

    def checked(value: Any) -> bytes:
        try:
            return pack(value)
        except ConversionError:
            raise
        except (TypeError, ValueError, OverflowError, AttributeError, RuntimeError) as error:
            name = type_.__name__ if isinstance(type_, type) else type_
            raise ConversionError(f"{value!r} does not convert to {name}: {error}") from None

    return checked


def _bytes_codec(type_: Any, size: int) -> Codec:
    def pack(value: Any) -> bytes:
        raw = bytes(memoryview(value)) if not isinstance(value, bytes) else value
        if len(raw) != size:
            raise ConversionError(f"{len(raw)} bytes given, {size} expected")
        return raw

    return Codec(type_, size, _checked(type_, pack), bytes)


def _array_codec(type_: Array) -> Codec:
    size = ctypes.sizeof(type_.ctype)
    if isinstance(type_.element, _Char):

        def pack_text(value: Any) -> bytes:
            raw = value.encode() if isinstance(value, str) else bytes(memoryview(value))
            if len(raw) > size:
                raise ConversionError(f"{len(raw)} bytes given, {type_} holds {size}")
            return raw.ljust(size, b"\0")

        return Codec(type_, size, _checked(type_, pack_text), lambda raw: bytes(raw).split(b"\0", 1)[0])
    inner = codec(type_.element)
    step = inner.size

    def pack(value: Any) -> bytes:
        items = list(value)
        if len(items) != type_.count:
            raise ConversionError(f"{len(items)} items given, {type_} holds {type_.count}")
        return b"".join(map(inner.pack, items))

    def unpack(raw: bytes) -> Any:
        return tuple(inner.unpack(raw[i : i + step]) for i in range(0, size, step))

    return Codec(type_, size, _checked(type_, pack), unpack)


def _enum_codec(type_: Any) -> Codec:
    base = _scalar_codec(u32)  # type: ignore[arg-type]

    def unpack(raw: bytes) -> Any:
        number = base.unpack(raw)
        try:
            return type_(number)
        except ValueError:
            return number  # what the kernel holds may lie outside the enum; it is shown, not hidden

    return Codec(type_, 4, base.pack, unpack)


def _layout(ctype: Any) -> list[Any]:
    """The size, and what is where: two structures with the same are the same to the kernel."""
    fields = [(name, getattr(ctype, name)) for name, *_ in getattr(ctype, "_fields_", ())]
    return [ctypes.sizeof(ctype), *((name, field.offset, field.size) for name, field in fields)]


def _ctypes_codec(type_: Any, ctype: Any) -> Codec:
    def pack(value: Any) -> bytes:
        if isinstance(value, ctype):
            return bytes(value)
        if isinstance(value, dict):
            return bytes(ctype(**value))
        if isinstance(value, (tuple, list)):
            return bytes(ctype(*value))
        if issubclass(ctype, ctypes._SimpleCData):
            return bytes(ctype(value))
        if isinstance(value, ctypes.Structure) and _layout(type(value)) == _layout(ctype):
            return bytes(value)  # such as the declared structure, for a map that was found and is typed by its BTF
        raise ConversionError(f"{value!r} is not a {ctype.__name__}")

    def unpack(raw: bytes) -> Any:
        made = ctype.from_buffer_copy(raw)
        return made.value if issubclass(ctype, ctypes._SimpleCData) else made

    return Codec(type_, ctypes.sizeof(ctype), _checked(type_, pack), unpack)
