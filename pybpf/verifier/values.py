"""`Reg`: what the verifier knows of a register or a spilled stack slot.  A value: it is replaced, never changed.

    type = kind | flags          "a map value, or null": MAP_VALUE | MAYBE_NULL
    a scalar's `num` is its value; a pointer's `num` is the variable part of its offset, `off` the fixed part

`id` joins registers that hold the same thing: equal scalars, copies of a pointer before its null check, packet pointers with
the same variable offset.  `ref` is the reference that a pointer owns or depends on.  What `data` and `extra` hold depends on
the kind, see the table below.
"""

from __future__ import annotations

from functools import lru_cache

from .numbers import num as numbers
from .numbers.num import Num

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Kinds, the low byte of a type.                  data                        extra
NOT_INIT = 0  #
SCALAR = 1  #                                     (distance to the id, on x)
CTX = 2  #
MAP_PTR = 3  #                                    the Map                     uid of the inner map
MAP_VALUE = 4  #                                  the Map                     uid of the inner map
MAP_KEY = 5  #                                    the Map                     uid of the inner map
STACK = 6  #                                                                  number of the frame
PKT_META = 7  #                                   range
PKT = 8  #                                        range
PKT_END = 9  #
FLOW_KEYS = 10
SOCKET = 11
SOCK_COMMON = 12
TCP_SOCK = 13
TP_BUFFER = 14
XDP_SOCK = 15
BTF_ID = 16  #                                    (btf, type id)
MEM = 17  #                                       size                        id of the dynptr behind it
ARENA = 18
BUF = 19
FUNC = 20  #                                      subprogram
DYNPTR = 21  #                                    kind of dynptr              its id
# The extra of memory behind a dynptr of a packet is its negative id: it is void when the packet moves.  In the slots of an
# iterator: data is (name, "active" or "drained"), extra how often it was advanced.

KIND = 0xFF
MAYBE_NULL = 1 << 8
RDONLY = 1 << 9
RINGBUF = 1 << 10
USER = 1 << 11
PERCPU = 1 << 12
UNTRUSTED = 1 << 13
TRUSTED = 1 << 14
ALLOC = 1 << 15
NON_OWN = 1 << 16
RCU = 1 << 17

AT_END, BEYOND_END = -1, -2
"""Ranges of a packet pointer that was compared with the end and lies at it, or behind it."""

NAMES = {
    NOT_INIT: "?",
    SCALAR: "scalar",
    CTX: "ctx",
    MAP_PTR: "map_ptr",
    MAP_VALUE: "map_value",
    MAP_KEY: "map_key",
    STACK: "fp",
    PKT_META: "pkt_meta",
    PKT: "pkt",
    PKT_END: "pkt_end",
    FLOW_KEYS: "flow_keys",
    SOCKET: "sock",
    SOCK_COMMON: "sock_common",
    TCP_SOCK: "tcp_sock",
    TP_BUFFER: "tp_buffer",
    XDP_SOCK: "xdp_sock",
    BTF_ID: "ptr_",
    MEM: "mem",
    ARENA: "arena",
    BUF: "buf",
    FUNC: "func",
    DYNPTR: "dynptr_ptr",
}
_PREFIXES = (
    (RDONLY, "rdonly_"),
    (RINGBUF, "ringbuf_"),
    (USER, "user_"),
    (PERCPU, "percpu_"),
    (UNTRUSTED, "untrusted_"),
    (TRUSTED, "trusted_"),
    (RCU, "rcu_"),
)
SOCKETS = frozenset((SOCKET, SOCK_COMMON, TCP_SOCK, XDP_SOCK))
PACKETS = frozenset((PKT, PKT_META))
_NEVER_NULL = frozenset((SOCKET, TCP_SOCK, MAP_VALUE, MAP_KEY, SOCK_COMMON, MAP_PTR))


class Reg:
    """One register's abstract value; see the module for its fields."""

    __slots__ = ("data", "extra", "id", "num", "off", "ref", "type")

    def __init__(
        self,
        type: int,
        num: Num = numbers.ZERO,
        off: int = 0,
        id: int = 0,
        ref: int = 0,
        data: Any = None,
        extra: int = 0,
    ) -> None:
        self.type = type
        self.num = num
        self.off = off
        self.id = id
        self.ref = ref
        self.data = data
        self.extra = extra

    def replace(self, **changes: Any) -> Reg:
        copy = Reg(self.type, self.num, self.off, self.id, self.ref, self.data, self.extra)
        for name, value in changes.items():
            setattr(copy, name, value)
        return copy

    @property
    def kind(self) -> int:
        return self.type & KIND

    @property
    def null(self) -> bool:
        """Whether it is the number 0, which is what NULL is."""
        return self.type == SCALAR and not self.num[1] and not self.num[0]

    @property
    def const(self) -> bool:
        """Whether it is one known number."""
        return self.type == SCALAR and not self.num[1]

    @property
    def fixed(self) -> bool:
        """Whether the variable part of the offset is known (it need not be 0)."""
        return not self.num[1]

    @property
    def never_null(self) -> bool:
        """Whether a comparison with 0 is decided: it is a pointer that is certainly valid."""
        t = self.type
        if t & MAYBE_NULL:
            return False
        kind = t & KIND
        if kind in _NEVER_NULL:
            return True
        if kind == BTF_ID:
            return self.trusted
        return kind == MEM and not t & UNTRUSTED

    @property
    def trusted(self) -> bool:
        """Whether a pointer to a kernel object may be passed where a valid one is required."""
        if self.ref and self.type & (ALLOC | NON_OWN) != NON_OWN:
            return not self.type & UNTRUSTED
        return bool(self.type & (TRUSTED | ALLOC | RCU)) and not self.type & (UNTRUSTED | NON_OWN)

    def __repr__(self) -> str:
        return text(self)


def type_name(type: int) -> str:
    """A type as the kernel's messages name it: "map_value_or_null", "rdonly_mem"."""
    name = NAMES[type & KIND]
    prefix = "".join(word for flag, word in _PREFIXES if type & flag)
    null = "" if not type & MAYBE_NULL else "or_null_" if type & KIND == BTF_ID else "_or_null"
    return f"{prefix}{name}{null}"


def text(reg: Reg) -> str:
    """The register as the kernel's log prints it, all that is known in one word."""
    kind = reg.type & KIND
    if kind == NOT_INIT:
        return "?"
    if kind == SCALAR:
        if reg.num.const:
            return numbers.text(reg.num)
        moved = f"{reg.data[0]:+d}" if reg.data is not None else ""
        parts = [f"id={reg.id}{moved}"] if reg.id else []
        return f"scalar({','.join([*parts, *filter(None, [numbers.text(reg.num)])])})"
    if kind == STACK and reg.fixed:
        frame = f"[{reg.extra}]" if reg.extra else ""
        return f"fp{frame}{reg.off + numbers.s64(reg.num.value):+d}".replace("+0", "0")
    parts = []
    if reg.id:
        parts.append(f"id={reg.id}")
    if reg.ref:
        parts.append(f"ref={reg.ref}")
    if kind in PACKETS:
        parts.append(f"r={reg.data}")
    if kind in (MAP_PTR, MAP_VALUE, MAP_KEY) and reg.data is not None:
        parts.append(f"map={reg.data.name or '?'},ks={reg.data.key_size},vs={reg.data.value_size}")
    if kind == MEM:
        parts.append(f"sz={reg.data}")
    if reg.off or reg.num != numbers.ZERO:
        shown = numbers.text(reg.num) if not reg.num.const else ""
        parts.append(f"off={reg.off + (numbers.s64(reg.num.value) if reg.num.const else 0)}")
        if shown:
            parts.append(shown)
    return f"{type_name(reg.type)}({','.join(parts)})"


UNINIT = Reg(NOT_INIT)
ANY = Reg(SCALAR, numbers.UNKNOWN)


@lru_cache(maxsize=1 << 12)
def scalar(value: int) -> Reg:
    """A register that holds one known number."""
    return Reg(SCALAR, numbers.const(value))


LOADED = {size: Reg(SCALAR, numbers.unsigned_load(size)) for size in (1, 2, 4, 8)}
"""What a load of so many bytes of unknown memory gives."""
