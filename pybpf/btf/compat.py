"""BTF for kernels that lack some of its kinds: a copy in which each such record is one that they know.

Ids, and so everything that refers to them, stay as they are; only what the kernel does not need is lost.
"""

from __future__ import annotations

from .kinds import Kind, pack_btf, pack_info

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

FEATURES = {
    "func": "5.0",
    "datasec": "5.2",
    "func_global": "5.6",
    "float": "5.13",
    "decl_tag": "5.16",
    "type_tag": "5.17",
    "enum64": "6.0",
}
"""What BTF gained since the kernel first took it (4.18), and the first kernel that has it."""

_NEEDS = {
    Kind.FUNC: "func",
    Kind.FUNC_PROTO: "func",
    Kind.VAR: "datasec",
    Kind.DATASEC: "datasec",
    Kind.FLOAT: "float",
    Kind.DECL_TAG: "decl_tag",
    Kind.TYPE_TAG: "type_tag",
    Kind.ENUM64: "enum64",
}


def features_of(version: tuple[int, int]) -> frozenset[str]:
    """The features of a kernel (major, minor) as released; distributions may have more."""
    return frozenset(f for f, since in FEATURES.items() if version >= tuple(map(int, since.split("."))))


def probe(feature: str) -> bytes:
    """The smallest BTF that a kernel takes only if it has `feature`: give it to BPF_BTF_LOAD to find out."""
    from .builder import GLOBAL, STATIC, BtfBuilder

    builder = BtfBuilder()
    number = builder.add_int("int", 4, True)
    if feature in ("func", "func_global"):
        builder.add_func("f", builder.add_func_proto(0), GLOBAL if feature == "func_global" else STATIC)
    elif feature == "datasec":
        builder.add_datasec(".data", 4, [(builder.add_var("v", number), 0, 4)])
    elif feature == "float":
        builder.add_float("float", 4)
    elif feature == "decl_tag":
        builder.add_decl_tag("tag", builder.add_var("v", number))
    elif feature == "type_tag":
        builder.add_ptr(builder.add_type_tag("tag", number))
    else:
        builder.add_enum("e", [("big", 1 << 40)])
    return builder.to_bytes()


def sanitize(raw: bytes, features: Container[str]) -> bytes:
    """`raw` for a kernel that has only those of `FEATURES`; `raw` itself when it uses no others.

    A function becomes a typedef of its prototype's replacement, a variable an integer, a section a struct, a 64-bit
    enumeration a union, as libbpf does it.  BtfError when `raw` is damaged.
    """
    from .btf import Btf

    btf = Btf.parse(raw)
    lacks = frozenset(kind for kind, feature in _NEEDS.items() if feature not in features)
    cut_linkage = "func_global" not in features
    words: list[int] = []
    changed = False
    strings = bytearray(btf._strings)

    def name(text: str) -> int:
        strings.extend(text.encode() + b"\0")
        return len(strings) - len(text) - 1

    index_type = next((t.id for t in btf if t.kind == Kind.INT and t.size == 4), 0)
    for t in btf.own_types():
        at, end = t._at, btf._at[t.id] if t.id < len(btf) else len(btf._words)
        record = list(btf._words[at:end])
        if t.kind in lacks:
            changed = True
            record = _replace(t.kind, record, name, index_type)
        elif t.kind == Kind.FUNC and record[1] & 0xFFFF and cut_linkage:
            changed = True
            record[1] = pack_info(Kind.FUNC)
        elif t.kind == Kind.ENUM and t.kind_flag and "enum64" not in features:
            changed = True
            record[1] = pack_info(Kind.ENUM, t.vlen)  # that values are signed came with the wide ones (6089fb325cf7)
        words += record
    return pack_btf(words, bytes(strings), btf.byteorder) if changed else raw


def _replace(kind: Kind, record: list[int], name: object, index_type: int) -> list[int]:
    """The words that stand for a record of a kind that the kernel does not know."""
    string, info, third, *rest = record
    vlen = info & 0xFFFF
    add = name
    assert callable(add)
    if kind == Kind.FUNC:
        return [string, pack_info(Kind.TYPEDEF), third]
    if kind == Kind.FUNC_PROTO:  # an enumeration whose values are named as the parameters
        words = []
        for i, param in enumerate(rest[::2]):
            words += [param or add(f"__arg{i}"), i]
        return [0, pack_info(Kind.ENUM, vlen), 4, *words]
    if kind == Kind.VAR:
        return [string, pack_info(Kind.INT), 1, 8]
    if kind == Kind.DECL_TAG:
        return [add("__decl_tag"), pack_info(Kind.INT), 1, 8]
    if kind == Kind.DATASEC:  # names of sections may hold dots, which a struct's may not
        words = []
        for i, (var, offset) in enumerate(zip(rest[::3], rest[1::3], strict=True)):
            words += [add(f"__var{i}"), var, offset * 8]
        return [add("__section"), pack_info(Kind.STRUCT, vlen), third, *words]
    if kind == Kind.FLOAT:
        return [string, pack_info(Kind.STRUCT), third]
    if kind == Kind.TYPE_TAG:
        return [0, pack_info(Kind.CONST), third]
    # ENUM64: a union of its size, with a member for each name
    words = []
    for member in rest[::3]:
        words += [member, index_type, 0]
    return [string, pack_info(Kind.UNION, vlen if index_type else 0), third, *(words if index_type else ())]
