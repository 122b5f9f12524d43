"""BTF as C: one type spelled as a declaration (`declare`), or a header with all that the named types need.

The header reproduces layout exactly: padding is written out, and `packed` stands where the compiler's own
rules would give other offsets.
"""

from __future__ import annotations

from ..errors import BtfError
from .kinds import Kind, type_words
from .layout import Layout
from .types import MAX_DEPTH, Array, Enum, Func, FuncProto, Struct, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .btf import Btf

_KEYWORD = {Kind.STRUCT: "struct", Kind.UNION: "union", Kind.ENUM: "enum", Kind.ENUM64: "enum", Kind.FWD: "struct"}
_QUALIFIER = {Kind.CONST: "const", Kind.VOLATILE: "volatile", Kind.RESTRICT: "restrict"}
_UNPRINTABLE = frozenset({Kind.VAR, Kind.DATASEC, Kind.DECL_TAG})
_BUDGET = 1 << 20
"""Types that one text may spell: a few hundred hostile bytes could ask for 2^32."""


# The name of the guard tells libbpf's headers that these are the kernel's own types; the pragma makes what is compiled
# with them relocatable (CO-RE), as the header that bpftool writes does.
_HEAD = """#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#if defined(__bpf__) && defined(__clang__) && !defined(BPF_NO_PRESERVE_ACCESS_INDEX)
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif

"""
_TAIL = """
#if defined(__bpf__) && defined(__clang__) && !defined(BPF_NO_PRESERVE_ACCESS_INDEX)
#pragma clang attribute pop
#endif
#endif
"""


def declare(t: Type, name: str = "") -> str:
    """`name` declared with `t`, as in "int (*name)(struct sock *sk)"; without a name the type alone.

    Anonymous structs, unions and enums are shown as "struct {...}".
    """
    if isinstance(t, Func):
        return _Speller().declarator(t.proto, t.name)
    return t.name if t.kind in _UNPRINTABLE else _Speller().declarator(t, name)


def c_header(btf: Btf, names: Iterable[str] | None) -> str:
    """The text of `Btf.c_header`."""
    if names is None:
        unwanted = _UNPRINTABLE | {Kind.FUNC, Kind.TYPE_TAG}
        used = {t._word(i) for t in btf for i in type_words(t._word(1))}
        # Constants of the kernel stand in enumerations without a name; those inside a struct are written there.
        wanted = [t for t in btf if t.kind not in unwanted and (t.name or (isinstance(t, Enum) and t.id not in used))]
    else:
        wanted = [btf.find(name) for name in ([names] if isinstance(names, str) else names)]
    header = _Header()
    for t in wanted:
        header.want(t)
    return _HEAD + "\n".join(header.chunks) + _TAIL


class _Speller:
    """Declarations in C's inside-out order."""

    def __init__(self) -> None:
        self.budget = _BUDGET

    def declarator(self, t: Type, inner: str, depth: int = 0) -> str:
        """Wrap what has been declared so far (`inner`) in pointers, arrays and parameters, outwards from the name."""
        if depth > MAX_DEPTH:
            raise BtfError(f"type {t.id}: functions or anonymous types nested more than {MAX_DEPTH} deep, or a loop")
        qualifiers = ""
        while True:
            self.budget -= 1
            if self.budget < 0 or len(inner) > 1 << 16:
                raise BtfError(f"type {t.id}: too many types to spell, or a loop")
            kind = t.kind
            if kind in _QUALIFIER:
                qualifiers = f"{_QUALIFIER[kind]} {qualifiers}"[:64]
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
                    "..." if p.kind == Kind.VOID and i == t.vlen - 1 else self.declarator(p, name, depth + 1)
                    for i, (name, p) in enumerate(t.params)
                ]
                inner = f"{inner}({', '.join(params) or 'void'})"
                t = t.ret
            else:
                break
        base = "void" if kind == Kind.VOID else self.spell(t, depth) if kind in _KEYWORD else t.name
        return f"{qualifiers}{base} {inner}".rstrip()

    def spell(self, t: Type, depth: int) -> str:
        """How a struct, union or enum is called inside a declaration."""
        return tag(t)


def tag(t: Type) -> str:
    keyword = "union" if t.kind == Kind.FWD and t.kind_flag else _KEYWORD[t.kind]
    return f"{keyword} {t.name or '{...}'}"


def _behind(t: Type) -> Type:
    """The type behind qualifiers and tags, not typedefs: they are named in C."""
    for _ in range(MAX_DEPTH + 1):
        if t.kind not in _QUALIFIER and t.kind != Kind.TYPE_TAG:
            return t
        t = t.type
    raise BtfError(f"type {t.id}: more than {MAX_DEPTH} qualifiers in a row, or a loop")


class _Header(_Speller):
    """Definitions in an order that compiles: a type after those it contains; pointers need a forward declaration only.

    Work waits on an explicit stack, so that chains of thousands of types need no deep recursion.
    """

    def __init__(self) -> None:
        super().__init__()
        self.chunks: list[str] = []
        self.layout = Layout()
        self.seen: set[int] = set()
        self.declared: set[str] = set()
        self.enumerators: dict[str, int] = {}
        self.names: dict[tuple[bool, str], int] = {}  # (is a tag, name) -> id of the type that has it

    def want(self, wanted: Type) -> None:
        """Write the definition of `wanted` after those that it needs."""
        stack: list[tuple[Type, bool]] = [(wanted, False)]
        while stack:
            t, ready = stack.pop()
            if ready:
                self.budget = _BUDGET
                self._define(t)
            elif t.id not in self.seen:
                self.seen.add(t.id)
                stack.append((t, True))
                stack += [(need, False) for need in self._needs(t) if need.id not in self.seen]

    def _needs(self, t: Type) -> Iterator[Type]:
        """Types whose definition must stand before that of `t`; structs that are only pointed to are declared."""
        todo: list[tuple[Type, bool]] = []  # (type, is behind a pointer)
        if isinstance(t, Struct):
            todo = [(m.type, False) for m in t.members]
        elif t.kind not in _KEYWORD and t.kind != Kind.TYPEDEF:
            todo = [(t, False)]
        elif t.kind == Kind.TYPEDEF:
            todo = [(t.type, True)]
        seen: set[tuple[int, bool]] = set()
        while todo:
            here, pointed = todo.pop()
            if (here.id, pointed) in seen:
                continue
            seen.add((here.id, pointed))
            if isinstance(here, Struct) or here.kind == Kind.FWD:
                if here.name and pointed:
                    self._forward(here)
                else:
                    yield here
            elif isinstance(here, Enum):
                yield from [here] if here.name else []
            elif here.kind == Kind.TYPEDEF:
                yield here
                whole = here.stripped
                if not pointed and isinstance(whole, (Struct, Array)):
                    todo.append((whole, False))
            elif here.kind == Kind.PTR:
                todo.append((here.type, True))
            elif isinstance(here, Array):
                todo.append((here.element, False))  # the element of an array is complete even behind a pointer
            elif isinstance(here, (Func, FuncProto)):
                proto = here.proto if isinstance(here, Func) else here
                todo += [(proto.ret, True), *((p, True) for _, p in proto.params)]
            elif here.kind in _QUALIFIER or here.kind == Kind.TYPE_TAG:
                todo.append((here.type, pointed))

    def _forward(self, t: Type) -> None:
        head = tag(t)
        if head not in self.declared:
            self.declared.add(head)
            self.chunks.append(f"{head};\n")

    def _define(self, t: Type) -> None:
        if isinstance(t, Func):
            self.chunks.append(f"extern {self.declarator(t.proto, t.name)};\n")
        elif isinstance(t, (Struct, Enum)):
            if (not t.name and isinstance(t, Enum)) or (t.name and self._first(t)):
                self.chunks.append(self._body(t, 0) + ";\n")
        elif t.kind == Kind.TYPEDEF:
            if t.name != "__builtin_va_list" and self._first(t):
                self.chunks.append(f"typedef {self.declarator(t.type, t.name)};\n")
        elif t.kind == Kind.FWD:
            self._forward(t)

    def _first(self, t: Type) -> bool:
        """C has one name space for tags and one for typedefs; of several types with one name the first is written."""
        return self.names.setdefault((t.kind in _KEYWORD, t.name), t.id) == t.id

    def _enumerator(self, name: str) -> str:
        """Enumerators share one name space: a name that is taken is numbered, as bpftool does it."""
        count = self.enumerators[name] = self.enumerators.get(name, 0) + 1
        return name if count == 1 else f"{name}___{count}"

    def spell(self, t: Type, depth: int) -> str:
        return tag(t) if t.name else self._body(t, depth)

    def _body(self, t: Type, depth: int) -> str:
        """A whole struct, union or enum, without the semicolon."""
        tab = "\t" * depth
        head = f"{_KEYWORD[t.kind]} {t.name}".rstrip()
        if isinstance(t, Enum):
            rows = [f"{tab}\t{self._enumerator(name)} = {_number(value)},\n" for name, value in t.items]
            mode = {1: " __attribute__((mode(byte)))", 8: " __attribute__((mode(word)))"}.get(t.size, "")
            return f"{head} {{\n{''.join(rows)}{tab}}}{mode}" if rows else f"{head} {{ __empty_{t.id} }}"
        if not isinstance(t, Struct):
            return head
        packed = self.layout.packed(t)
        rows = []
        at = 0
        for m in t.members:
            end = m.bit_offset + (m.bit_size or m.size * 8)
            if not t.is_union:
                rows += [f"{tab}\t{pad}\n" for pad in self.layout.padding(at, m, packed)]
            at = max(at, end) if t.is_union else end
            width = f" : {m.bit_size}" if m.bit_size else ""
            rows.append(f"{tab}\t{self.declarator(m.type, m.name, depth + 1)}{width};\n")
        rows += [f"{tab}\t{pad}\n" for pad in self.layout.tail(at, t)]
        return f"{head} {{\n{''.join(rows)}{tab}}}{' __attribute__((packed))' if packed else ''}"


def _number(value: int) -> str:
    if value >= 1 << 63:
        return f"{value}ULL"
    if value == -(1 << 63):
        return "(-9223372036854775807LL - 1)"
    return f"{value}LL" if not -(1 << 31) <= value < 1 << 31 else str(value)
