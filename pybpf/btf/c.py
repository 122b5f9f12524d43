"""BTF as C: one type spelled as a declaration (`declare`), or a header with all that the named types need.

The header reproduces layout exactly: padding is written out, and `packed` or `aligned` stand where the compiler's own
rules would give other offsets.
"""

from __future__ import annotations

from ..errors import BtfError
from .kinds import Kind
from .types import MAX_DEPTH, Array, Enum, Func, FuncProto, Int, Member, Struct, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .btf import Btf

_KEYWORD = {Kind.STRUCT: "struct", Kind.UNION: "union", Kind.ENUM: "enum", Kind.ENUM64: "enum", Kind.FWD: "struct"}
_QUALIFIER = {Kind.CONST: "const", Kind.VOLATILE: "volatile", Kind.RESTRICT: "restrict"}
LIMIT = 4 * MAX_DEPTH
_UNPRINTABLE = {Kind.VAR, Kind.DATASEC, Kind.DECL_TAG}


def declare(type: Type, name: str = "") -> str:
    """`name` declared with `type`, as in "int (*name)(struct sock *sk)"; without a name the type alone.

    Anonymous structs, unions and enums are shown as "struct {...}".
    """
    if isinstance(type, Func):
        return _declarator(type.proto, type.name, _outline, 0)
    if type.kind in _UNPRINTABLE:
        return type.name
    return _declarator(type, name, _outline, 0)


def _outline(type: Type, depth: int) -> str:
    """How a struct, union or enum is called inside a declaration."""
    keyword = "union" if type.kind == Kind.FWD and type.kind_flag else _KEYWORD[type.kind]
    return f"{keyword} {type.name or '{...}'}"


def _declarator(t: Type, inner: str, spell: Callable[[Type, int], str], depth: int) -> str:
    """Wrap what has been declared so far (`inner`) in pointers, arrays and parameters, outwards from the name."""
    qualifiers = ""
    steps = 0
    while True:
        steps += 1
        if steps > LIMIT or depth > LIMIT:
            raise BtfError(f"type {t.id}: declared through more than {LIMIT} types, or a loop")
        kind = t.kind
        if kind in _QUALIFIER:
            qualifiers = f"{_QUALIFIER[kind]} {qualifiers}"
            t = t.type
        elif kind == Kind.TYPE_TAG:
            t = t.type  # an attribute for the verifier; many compilers warn about it
        elif kind == Kind.PTR:
            inner = f"*{qualifiers}{inner}"
            qualifiers = ""
            t = t.type
            if _behind(t).kind in (Kind.ARRAY, Kind.FUNC_PROTO):
                inner = f"({inner.rstrip()})"
        elif isinstance(t, Array):
            inner = f"{inner}[{t.count}]"
            t = t.element
        elif isinstance(t, FuncProto):
            params = [
                "..." if p.kind == Kind.VOID and i == t.vlen - 1 else _declarator(p, name, spell, depth + 1)
                for i, (name, p) in enumerate(t.params)
            ]
            inner = f"{inner}({', '.join(params) or 'void'})"
            t = t.ret
        else:
            break
    base = "void" if kind == Kind.VOID else spell(t, depth) if kind in _KEYWORD else t.name
    return f"{qualifiers}{base} {inner}".rstrip()


def _behind(t: Type) -> Type:
    """The type behind qualifiers and tags, not typedefs: they are named in C."""
    for _ in range(LIMIT):
        if t.kind not in _QUALIFIER and t.kind != Kind.TYPE_TAG:
            return t
        t = t.type
    raise BtfError(f"type {t.id}: more than {LIMIT} qualifiers in a row, or a loop")


def c_header(btf: Btf, names: Iterable[str] | None) -> str:
    """The text of `Btf.c_header`."""
    writer = _Header(btf)
    if names is None:
        unwanted = _UNPRINTABLE | {Kind.FUNC, Kind.TYPE_TAG}
        wanted = [t for t in btf if t.kind not in unwanted and t.name]
    else:
        wanted = [btf.find(name) for name in ([names] if isinstance(names, str) else names)]
    for t in wanted:
        writer.want(t)
    return writer.text()


class _Header:
    """Definitions in an order that compiles: a type after those it contains, pointers need a forward declaration only.

    Work waits on an explicit stack, so that chains of thousands of types need no deep recursion.
    """

    def __init__(self, btf: Btf) -> None:
        self.btf = btf
        self.chunks: list[str] = []
        self.state: dict[int, str] = {}  # type id -> "open" while what it needs is written, then "done"
        self.declared: set[tuple[str, str]] = set()
        self.names: dict[tuple[str, str], int] = {}  # (name space, name) -> id that defined it
        self.later: list[Type] = []

    def text(self) -> str:
        return "#ifndef __PYBPF_BTF__\n#define __PYBPF_BTF__\n\n" + "\n".join(self.chunks) + "\n#endif\n"

    def want(self, type: Type) -> None:
        """Write the definition of `type` after those that it needs."""
        stack: list[tuple[Type, bool]] = [(type, False)]
        while stack or self.later:
            if not stack:
                stack.append((self.later.pop(), False))
            here, ready = stack.pop()
            if ready:
                self._define(here)
                self.state[here.id] = "done"
                continue
            if here.id in self.state:
                continue
            self.state[here.id] = "open"
            stack.append((here, True))
            # A struct that is still open and needed whole contains itself: not C, and refused in _define's layout.
            stack += [(need, False) for need in self._needs(here) if need.id not in self.state]

    def _needs(self, type: Type) -> Iterator[Type]:
        """Types whose definition must stand before that of `type`; pointed-to structs are only declared."""
        direct: list[tuple[Type, bool]] = []  # (type, behind a pointer)
        if isinstance(type, Struct):
            direct = [(m.type, False) for m in type.members]
        elif isinstance(type, Func):
            direct = [(type.proto, False)]
        elif isinstance(type, Array):
            direct = [(type.element, False)]
        elif isinstance(type, FuncProto):
            direct = [(type.ret, True), *((t, True) for _, t in type.params)]
        elif type.kind == Kind.PTR:
            direct = [(type.type, True)]
        elif type.kind in _QUALIFIER or type.kind in (Kind.TYPEDEF, Kind.TYPE_TAG):
            direct = [(type.type, type.kind == Kind.TYPEDEF)]
        seen: set[tuple[int, bool]] = set()
        while direct:
            t, pointed = direct.pop()
            if (t.id, pointed) in seen:
                continue
            seen.add((t.id, pointed))
            if isinstance(t, Struct) or t.kind == Kind.FWD:
                if not t.name:
                    yield t
                elif pointed:
                    self._forward(t)
                else:
                    yield t
            elif isinstance(t, Enum) or t.kind == Kind.TYPEDEF:
                yield t
                if t.kind == Kind.TYPEDEF and not pointed and isinstance(t.stripped, Struct):
                    yield t.stripped
            elif t.kind == Kind.PTR:
                direct.append((t.type, True))
            elif isinstance(t, Array):
                direct.append((t.element, False))  # the element of an array must be complete even behind a pointer
            elif isinstance(t, FuncProto):
                direct += [(t.ret, True), *((p, True) for _, p in t.params)]
            elif t.kind in _QUALIFIER or t.kind == Kind.TYPE_TAG:
                direct.append((t.type, pointed))

    def _forward(self, type: Type) -> None:
        head = _outline(type, 0)
        if (head, "") not in self.declared:
            self.declared.add((head, ""))
            self.chunks.append(f"{head};\n")

    def _define(self, type: Type) -> None:
        if isinstance(type, Func):
            self.chunks.append(f"extern {_declarator(type.proto, type.name, _outline, 0)};\n")
        elif isinstance(type, (Struct, Enum)) and type.name:
            if self._first("tag", type):
                self.chunks.append(self._body(type, 0) + ";\n")
        elif type.kind == Kind.TYPEDEF:
            if self._first("typedef", type) and type.name != "__builtin_va_list":
                self.chunks.append(f"typedef {_declarator(type.type, type.name, self._spell, 0)};\n")
        elif type.kind == Kind.FWD:
            self._forward(type)

    def _first(self, space: str, type: Type) -> bool:
        """C has one name space for tags and one for typedefs; of several types with one name the first is written."""
        return self.names.setdefault((space, type.name), type.id) == type.id

    def _spell(self, type: Type, depth: int) -> str:
        return _outline(type, depth) if type.name else self._body(type, depth)

    def _body(self, type: Type, depth: int) -> str:
        """A whole struct, union or enum, without the semicolon."""
        if depth > MAX_DEPTH:
            raise BtfError(f"type {type.id}: anonymous types nested more than {MAX_DEPTH} deep, or a loop")
        tab = "\t" * depth
        head = f"{_KEYWORD[type.kind]} {type.name}".rstrip()
        if isinstance(type, Enum):
            rows = [f"{tab}\t{name} = {_number(value)},\n" for name, value in type.items]
            mode = {1: " __attribute__((mode(byte)))", 8: " __attribute__((mode(word)))"}.get(type.size, "")
            return f"{head} {{\n{''.join(rows)}{tab}}}{mode}" if rows else f"{head} {{ __{type.id}_empty }}"
        assert isinstance(type, Struct)
        packed = _is_packed(type)
        rows = []
        at = 0
        for member in type.members:
            if not type.is_union:
                rows += [f"{tab}\t{pad}\n" for pad in _padding(at, member, packed)]
                at = member.bit_offset + (member.bit_size or member.size * 8)
            width = f": {member.bit_size}" if member.bit_size else ""
            rows.append(f"{tab}\t{_declarator(member.type, member.name, self._deeper(depth), depth)}{width};\n")
        tail = ""
        if not type.is_union:
            rows += [f"{tab}\t{pad}\n" for pad in _tail_padding(at, type, packed)]
        natural = max((alignment(m.type) for m in type.members), default=1)
        if packed:
            tail = " __attribute__((packed))"
        elif type.size % natural == 0 and type.is_union and _union_size(type) != type.size:
            rows.append(f"{tab}\tchar __size[{type.size}];\n")
        return f"{head} {{\n{''.join(rows)}{tab}}}{tail}"

    def _deeper(self, depth: int) -> Callable[[Type, int], str]:
        return lambda t, _: self._spell(t, depth + 1)


def alignment(type: Type) -> int:
    """Bytes that C on a 64-bit machine aligns `type` to, as far as its BTF shows."""
    t = type.stripped
    for _ in range(MAX_DEPTH):
        if not isinstance(t, Array):
            break
        t = t.element.stripped
    if isinstance(t, Struct):
        return 1 if _is_packed(t) else max((alignment(m.type) for m in t.members), default=1)
    if isinstance(t, (Int, Enum)) or t.kind in (Kind.PTR, Kind.FLOAT):
        return min(t.size, 16) or 1
    return 1


def _is_packed(type: Struct, depth: int = 0) -> bool:
    """Whether some member lies where alignment would not put it, or the size is no multiple of the alignment."""
    if depth > MAX_DEPTH:
        raise BtfError(f"type {type.id} {type.name!r}: structs nested more than {MAX_DEPTH} deep, or a loop")
    widest = 1
    for m in type.members:
        t = m.type.stripped
        for _ in range(MAX_DEPTH):
            if not isinstance(t, Array):
                break
            t = t.element.stripped
        if isinstance(t, Struct):
            inner = 1 if _is_packed(t, depth + 1) else alignment(t)
        else:
            inner = alignment(t)
        widest = max(widest, inner)
        if not m.bit_size and m.bit_offset % (inner * 8):
            return True
        if m.bit_size and m.bit_offset // (inner * 8) != (m.bit_offset + m.bit_size - 1) // (inner * 8):
            return True
    return type.size % widest != 0


def _padding(at: int, member: Member, packed: bool) -> Iterator[str]:
    """Fields without a name that move a compiler from bit `at` to where `member` begins."""
    target = member.bit_offset
    align = 8 if packed else alignment(member.type) * 8
    natural = -(-at // align) * align
    if member.bit_size:
        crosses = at // align != (at + member.bit_size - 1) // align
        natural = natural if crosses and not packed else at
    if target == natural:
        return
    if at % 8 and target > at:
        step = min(-at % 8, target - at)
        yield f"char : {step};"
        at += step
    while target - at >= 64 and at % 64 == 0:
        count = (target - at) // 64
        yield "long long : 64;" * count if count < 4 else f"long long __pad{at // 8}[{count}];"
        at += 64 * count
    if at // 8 < target // 8:
        yield f"char __pad{at // 8}[{target // 8 - at // 8}];"
        at = target // 8 * 8
    if at < target:
        yield f"char : {target - at};"


def _tail_padding(at: int, type: Struct, packed: bool) -> Iterator[str]:
    end = type.size * 8
    align = 8 if packed else max((alignment(m.type) for m in type.members), default=1) * 8
    if -(-at // align) * align == end:
        return
    if at % 8:
        yield f"char : {-at % 8};"
        at += -at % 8
    if at < end:
        yield f"char __pad{at // 8}[{(end - at) // 8}];"


def _union_size(type: Struct) -> int:
    align = max((alignment(m.type) for m in type.members), default=1)
    widest = max(((m.bit_size + 7) // 8 if m.bit_size else m.size for m in type.members), default=0)
    return -(-widest // align) * align


def _number(value: int) -> str:
    if value >= 1 << 63:
        return f"{value}ULL"
    if value == -(1 << 63):
        return "(-9223372036854775807LL - 1)"
    return f"{value}LL" if not -(1 << 31) <= value < 1 << 31 else str(value)
