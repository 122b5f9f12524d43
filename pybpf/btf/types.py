"""Types as objects over the words of a `Btf`: each class reads what its kind holds, when asked.

Every type has `id`, `kind`, `name` ("" when anonymous), `btf`; types compare by structure (see `compare.py`) and
print as C does.  Sizes and offsets are in bytes unless the name says bits.
"""

from __future__ import annotations

from ..errors import BtfError
from .kinds import INT_BOOL, INT_CHAR, INT_SIGNED, Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .btf import Btf

MAX_DEPTH = 32
"""Types inside types, as deep as the kernel resolves (MAX_RESOLVE_DEPTH of kernel/bpf/btf.c)."""

MAX_FIELDS = 1 << 16
"""Members of one struct with those of its anonymous parts: hostile BTF could nest 2^32."""

POINTER = 8
_MODIFIERS = frozenset({Kind.TYPEDEF, Kind.CONST, Kind.VOLATILE, Kind.RESTRICT, Kind.TYPE_TAG})


class UnknownType(BtfError, KeyError):
    """A type, member or value that is not there; also a KeyError, since `btf[name]` looks like a mapping."""

    __str__ = Exception.__str__  # KeyError would show the repr


class Type:
    """Any type; this class itself stands for void, pointers, modifiers, typedefs, floats and forward declarations."""

    __slots__ = ("_at", "btf", "id", "kind")

    def __init__(self, btf: Btf, id: int, at: int, kind: Kind) -> None:
        self.btf = btf
        self.id = id
        self.kind = kind
        self._at = at

    @property
    def name(self) -> str:
        return "" if self._at < 0 else self.btf.string(self.btf._words[self._at])

    @property
    def vlen(self) -> int:
        """How many members, values, parameters or variables the record has."""
        return self.btf._words[self._at + 1] & 0xFFFF if self._at >= 0 else 0

    @property
    def kind_flag(self) -> bool:
        return bool(self.btf._words[self._at + 1] >> 31) if self._at >= 0 else False

    def _word(self, index: int) -> int:
        return self.btf._words[self._at + index]

    @property
    def type_id(self) -> int:
        """Id of the type that this one is made from (pointed to, renamed, qualified)."""
        return self._word(2) if self._at >= 0 else 0

    @property
    def type(self) -> Type:
        """The type pointed to, renamed or qualified."""
        return self.btf.type(self.type_id)

    @property
    def size(self) -> int:
        """Bytes of a value.  BtfError for what has no size (void, functions, forward declarations)."""
        t: Type = self.stripped
        if t.kind == Kind.PTR:
            return POINTER
        if t.kind == Kind.FLOAT:
            return t._word(2)
        if t is self or t.kind in (Kind.VOID, Kind.FWD):
            raise BtfError(f"{t} has no size")
        return t.size

    @property
    def stripped(self) -> Type:
        """The type behind typedefs, qualifiers and tags."""
        t: Type = self
        for _ in range(MAX_DEPTH + 1):
            if t.kind not in _MODIFIERS:
                return t
            t = t.type
        raise BtfError(f"type {self.id} {self.name!r}: more than {MAX_DEPTH} modifiers in a row, or a loop")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Type):
            return NotImplemented
        if self is other:
            return True
        from .compare import equal

        return equal(self, other)

    def __hash__(self) -> int:
        return hash((self.kind, self.name, self.vlen))

    def __str__(self) -> str:
        from .c import declare

        return declare(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}: {self.kind.name} {self.name!r}>"


class Sized(Type):
    """A type whose record has its size."""

    __slots__ = ()

    @property
    def size(self) -> int:
        return self._word(2)


class Int(Sized):
    """An integer: `size` in bytes, `bits` that count, `signed`, and how it is meant (`is_bool`, `is_char`)."""

    __slots__ = ()

    @property
    def bits(self) -> int:
        return self._word(3) & 0xFF

    @property
    def bit_offset(self) -> int:
        return self._word(3) >> 16 & 0xFF

    @property
    def encoding(self) -> int:
        return self._word(3) >> 24 & 0xF

    @property
    def signed(self) -> bool:
        return bool(self.encoding & INT_SIGNED)

    @property
    def is_char(self) -> bool:
        return bool(self.encoding & INT_CHAR)

    @property
    def is_bool(self) -> bool:
        return bool(self.encoding & INT_BOOL)


class Array(Type):
    """`count` values of type `element`."""

    __slots__ = ()

    @property
    def element_id(self) -> int:
        return self._word(3)

    @property
    def element(self) -> Type:
        return self.btf.type(self.element_id)

    type_id, type = element_id, element

    @property
    def index_id(self) -> int:
        return self._word(4)

    @property
    def count(self) -> int:
        return self._word(5)

    @property
    def size(self) -> int:
        total, t = 1, self.stripped
        for _ in range(MAX_DEPTH + 1):
            if not isinstance(t, Array):
                return total * t.size
            total *= t.count
            t = t.element.stripped
        raise BtfError(f"type {self.id}: arrays nested more than {MAX_DEPTH} deep, or in a loop")


class Member:
    """One field of a struct or union.

    `offset` is in bytes, `bit_offset` in bits from the start of the struct (of the outermost one, when it was
    looked up through anonymous structs or a path), `bit_size` is the width of a bit-field, or 0.
    """

    __slots__ = ("bit_offset", "bit_size", "name", "parent", "type")

    def __init__(self, name: str, type: Type, bit_offset: int, bit_size: int, parent: Struct) -> None:
        self.name = name
        self.type = type
        self.bit_offset = bit_offset
        self.bit_size = bit_size
        self.parent = parent

    @property
    def offset(self) -> int:
        """Byte of the struct where it begins; for a bit-field the byte that holds its first bit."""
        return self.bit_offset // 8

    @property
    def size(self) -> int:
        """Bytes of its type."""
        return self.type.size

    @property
    def type_id(self) -> int:
        return self.type.id

    def _moved(self, bits: int) -> Member:
        return Member(self.name, self.type, self.bit_offset + bits, self.bit_size, self.parent)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Member):
            return NotImplemented
        mine, theirs = (self.name, self.bit_offset, self.bit_size), (other.name, other.bit_offset, other.bit_size)
        return mine == theirs and self.type == other.type

    def __hash__(self) -> int:
        return hash((self.name, self.bit_offset, self.bit_size))

    def __repr__(self) -> str:
        bits = f", {self.bit_size} bits at bit {self.bit_offset}" if self.bit_size else f" at {self.offset}"
        return f"<Member {self.name or '(anonymous)'}: {self.type}{bits}>"


class Struct(Sized):
    """A struct or union: `size`, `members` as declared, `fields()` with anonymous ones flattened, `t["name"]`."""

    __slots__ = ("_members",)
    _members: tuple[Member, ...] | None

    def __init__(self, btf: Btf, id: int, at: int, kind: Kind) -> None:
        super().__init__(btf, id, at, kind)
        self._members = None

    @property
    def is_union(self) -> bool:
        return self.kind == Kind.UNION

    @property
    def members(self) -> tuple[Member, ...]:
        """The members in the order of their declaration; anonymous ones have the name ""."""
        if self._members is None:
            btf, words, flag = self.btf, self.btf._words, self.kind_flag
            made = []
            for at in range(self._at + 3, self._at + 3 + 3 * self.vlen, 3):
                type_, offset = btf.type(words[at + 1]), words[at + 2]
                bits = offset >> 24 if flag else 0
                offset = offset & 0xFFFFFF if flag else offset
                if not flag and isinstance(type_, Int) and type_.bits != type_.size * 8:
                    # Before Linux 4.20 the width of a bit-field stood in its integer type.
                    offset, bits = offset + type_.bit_offset, type_.bits
                made.append(Member(btf.string(words[at]), type_, offset, bits, self))
            self._members = tuple(made)
        return self._members

    def fields(self) -> Iterator[Member]:
        """All named members, those of anonymous structs and unions too, with offsets from the start of this one."""
        for count, member in enumerate(self._fields(0, 0)):
            if count > MAX_FIELDS:
                raise BtfError(f"type {self.id} {self.name!r}: more than {MAX_FIELDS} members in anonymous structs")
            yield member

    def _fields(self, bits: int, depth: int) -> Iterator[Member]:
        if depth > MAX_DEPTH:
            raise BtfError(f"type {self.id} {self.name!r}: anonymous members nested more than {MAX_DEPTH} deep")
        for member in self.members:
            inner = member.type.stripped
            if member.name or not isinstance(inner, Struct):
                yield member._moved(bits)
            else:
                yield from inner._fields(bits + member.bit_offset, depth + 1)

    def __getitem__(self, path: str) -> Member:
        """The member at a path as C writes it: "pid", "se.avg.load_sum", "comm[2]"; anonymous parts are not named.

        UnknownType (a BtfError and KeyError) when there is none.
        """
        found: Member | None = None
        here: Type = self
        for step in path.replace("[", ".[").split("."):
            here = here.stripped
            at = found.bit_offset if found else 0
            if step.startswith("[") and step.endswith("]") and isinstance(here, Array) and found:
                found = Member(found.name + step, here.element, at + _index(step) * here.element.size * 8, 0, self)
            elif isinstance(here, Struct):
                found = next((m._moved(at) for m in here.fields() if m.name == step), None)
            else:
                found = None
            if found is None:
                names = ", ".join(m.name for m in here.fields()) if isinstance(here, Struct) else "no members"
                raise UnknownType(f"{self} has no member {path!r}: {here} has {names}")
            here = found.type
        assert found is not None  # split() gives at least one step
        return found

    def __contains__(self, path: str) -> bool:
        try:
            return bool(self[path])
        except UnknownType:
            return False

    def offset_of(self, path: str) -> int:
        """Bytes from the start of the struct to the member at `path`, as C's offsetof."""
        return self[path].offset


class Enum(Sized):
    """An enumeration (of 32 or 64 bits): `values` by name, `signed`, `size`."""

    __slots__ = ()

    @property
    def signed(self) -> bool:
        return self.kind_flag

    @property
    def items(self) -> tuple[tuple[str, int], ...]:
        """(name, value) of each enumerator, in order."""
        words, string = self.btf._words, self.btf.string
        step = 2 if self.kind == Kind.ENUM else 3
        found = []
        for at in range(self._at + 3, self._at + 3 + step * self.vlen, step):
            value = words[at + 1] | (words[at + 2] << 32 if step == 3 else 0)
            bits = 32 if step == 2 else 64
            found.append((string(words[at]), value - (1 << bits) if self.signed and value >> (bits - 1) else value))
        return tuple(found)

    @property
    def values(self) -> dict[str, int]:
        return dict(self.items)

    def __getitem__(self, name: str) -> int:
        try:
            return self.values[name]
        except KeyError:
            raise UnknownType(f"{self} has no value {name!r}") from None


class FuncProto(Type):
    """A function's type: `params` as (name, type), `ret`; the last parameter of a variadic one is ("", void)."""

    __slots__ = ()

    @property
    def ret(self) -> Type:
        return self.type

    @property
    def params(self) -> tuple[tuple[str, Type], ...]:
        words, btf = self.btf._words, self.btf
        steps = range(self._at + 3, self._at + 3 + 2 * self.vlen, 2)
        return tuple((btf.string(words[at]), btf.type(words[at + 1])) for at in steps)

    @property
    def variadic(self) -> bool:
        return self.vlen > 0 and self.params[-1][1].kind == Kind.VOID


class Func(Type):
    """A function: `proto`, `linkage` (0 static, 1 global, 2 extern); `params` and `ret` are the prototype's."""

    __slots__ = ()

    @property
    def linkage(self) -> int:
        return self.vlen  # the kernel keeps it where other kinds count members

    @property
    def proto(self) -> FuncProto:
        proto = self.type
        if not isinstance(proto, FuncProto):
            raise BtfError(f"function {self.name!r} (type {self.id}) refers to type {proto.id}, which is no prototype")
        return proto

    @property
    def params(self) -> tuple[tuple[str, Type], ...]:
        return self.proto.params

    @property
    def ret(self) -> Type:
        return self.proto.ret


class Var(Type):
    """A variable: `type`, `linkage` (0 static, 1 global, 2 extern)."""

    __slots__ = ()

    @property
    def linkage(self) -> int:
        return self._word(3)

    @property
    def size(self) -> int:
        return self.type.size


class Datasec(Sized):
    """A section of variables: `vars` as (variable or function, offset, size)."""

    __slots__ = ()

    @property
    def vars(self) -> tuple[tuple[Type, int, int], ...]:
        words, btf = self.btf._words, self.btf
        steps = range(self._at + 3, self._at + 3 + 3 * self.vlen, 3)
        return tuple((btf.type(words[at]), words[at + 1], words[at + 2]) for at in steps)


class DeclTag(Type):
    """An attribute (`name` is its text) of `type`: of its member or parameter `component`, or of all of it (-1)."""

    __slots__ = ()

    @property
    def component(self) -> int:
        word = self._word(3)
        return word - (1 << 32) if word >> 31 else word


_CLASSES: dict[int, type[Type]] = {
    Kind.INT: Int,
    Kind.ARRAY: Array,
    Kind.STRUCT: Struct,
    Kind.UNION: Struct,
    Kind.ENUM: Enum,
    Kind.ENUM64: Enum,
    Kind.FUNC: Func,
    Kind.FUNC_PROTO: FuncProto,
    Kind.VAR: Var,
    Kind.DATASEC: Datasec,
    Kind.DECL_TAG: DeclTag,
}
_KINDS = tuple(Kind)


def make_type(btf: Btf, id: int, at: int) -> Type:
    """The object for the record at word `at` (-1: void)."""
    kind = _KINDS[btf._words[at + 1] >> 24 & 31] if at >= 0 else Kind.VOID
    return _CLASSES.get(kind, Type)(btf, id, at, kind)


def _index(step: str) -> int:
    text = step[1:-1]
    if not text.isdigit():
        raise BtfError(f"{step!r} is not an array index")
    return int(text)
