"""Keys of longest-prefix-match tries: an address stands for all of its bits, a pair for a prefix, a text for a network.

trie.get(ip.saddr)      trie[24, ip.daddr] = 1      trie["10.0.0.0/8"] += 1      trie.get(Key(32, ip.saddr))
"""

from __future__ import annotations

from ..lower.joins import is_number
from . import scalars as types
from .integers import convert
from .layout import fields, is_struct, scalar_of, sizeof, type_name
from .pieces import constant_bytes, pieces
from .refs import Ref
from .values import Const, Tuple, native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..lower.compiler import Compiler
    from ..ssa.ir import Value
    from .layout import Field
    from .values import Front


def prefix_key(c: Compiler, key_type: Any, front: Front, temporary: list[Value], node: Any) -> Value | None:
    """The address of the key that `front` stands for; None where it is a key as it is (or no key at all)."""
    data = _data(key_type)
    if data is None or (isinstance(front, Ref) and front.type is key_type):
        return None
    bits: Front = Const(8 * sizeof(data.type))
    if isinstance(front, Const) and not isinstance(front.obj, (int, bytes)):
        given = _network(front.obj, sizeof(data.type))
        if given is None:
            return None
        bits, front = Const(given[0]), Const(given[1])
    elif isinstance(front, Tuple):
        if len(front.items) != 2:
            return None
        bits, front = front.items
    size = sizeof(key_type)
    place = c.borrow(size, 8 if size >= 8 else 4, "key")
    temporary.append(place)
    c.state.contents.pop(place, None)
    key = Ref(place, 0, key_type, "stack", label="the key")
    for at, width in pieces(size, place.aux.align):
        if at + width > data.offset + sizeof(data.type):  # what no field covers
            c.b.store(place, at, width, c.b.const(0), "stack")
    _prefixlen(c, key, bits, 8 * sizeof(data.type), node)
    _store(c, key.at(place, data.offset, data.type), front, node)
    return place


def _data(key_type: Any) -> Field | None:
    """The one field behind the prefix length."""
    if not is_struct(key_type):
        return None
    known = list(fields(key_type).values())
    if len(known) != 2 or known[1].offset != 4 or known[0].width or is_struct(known[1].type):
        return None
    return known[1]


def _prefixlen(c: Compiler, key: Ref, bits: Front, most: int, node: Any) -> None:
    if isinstance(bits, Const) and isinstance(bits.obj, int) and not 0 <= bits.obj <= most:
        c.fail(f"a prefix of {type_name(key.type)} has 0..{most} bits, not {bits.obj}", node)
    key.raw_store(c, types.u32, convert(c, bits, types.u32, node, "the prefix length"))


def _store(c: Compiler, place: Ref, front: Front, node: Any) -> None:
    """The data of a key, most significant byte first."""
    size = sizeof(place.type)
    if isinstance(front, Const) and not isinstance(front.obj, int):
        raw = getattr(front.obj, "packed", front.obj)
        if not isinstance(raw, bytes) or len(raw) != size:
            raw = constant_bytes(c, front.obj, place.type, node)
        for at, width in pieces(size, 4):
            number = int.from_bytes(raw[at : at + width], "little")
            c.b.store(place.base, place.off + at, width, c.b.const(number), "stack")
        return None
    scalar = scalar_of(place.type)
    if scalar is not None and scalar.size > 1 and native(scalar) is scalar:
        c.fail(f"a trie compares keys from their first byte on: declare the data of the key as be{scalar.bits}, "
               f"not {scalar}", node)  # fmt: skip
    if not is_number(front):
        return place.fill(c, front, node)
    kind = {1: types.u8, 2: types.be16, 4: types.be32, 8: types.be64}.get(size)
    if kind is None:
        c.fail(f"the data of the key is {type_name(place.type)}, not {front.what()}", node)
    place.at(place.base, place.off, kind).raw_store(c, kind, convert(c, front, kind, node, "the key"))
    return None


def _network(obj: Any, size: int) -> tuple[int, bytes] | None:
    """(prefix length, data) of a network, an address, or the text of one."""
    if isinstance(obj, tuple) and len(obj) == 2 and isinstance(obj[0], int):
        inner = _network(obj[1], size) if not isinstance(obj[1], int) else (0, obj[1].to_bytes(size, "big"))
        return None if inner is None else (obj[0], inner[1])
    if isinstance(obj, str):
        from ipaddress import ip_network

        try:
            obj = ip_network(obj)
        except ValueError:
            return None
    if type(obj).__module__ != "ipaddress":
        return None
    network = getattr(obj, "network_address", obj)
    found: tuple[int, bytes] = getattr(obj, "prefixlen", obj.max_prefixlen), network.packed
    return found


__all__ = ["prefix_key"]
