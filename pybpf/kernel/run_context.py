"""The context that a test run takes, by program type, and how fields given by name become its bytes.

The kernel and the offline machine are given the same: a dict of fields, a ctypes structure, bytes, or for programs
that are called with words a sequence of them.
"""

from __future__ import annotations

import ctypes

from .. import uapi
from ..errors import ConversionError, KindError, SpecError
from ..uapi import named
from ..uapi.prog import ProgType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_WORDS = 12
"""Arguments that a raw tracepoint or traced function has at most (MAX_BPF_FUNC_ARGS)."""


class nf_hook_state(ctypes.Structure):
    """struct nf_hook_state of include/linux/netfilter.h on 64-bit machines; TEST_RUN takes `pf` and `hook` only."""

    _fields_ = [
        ("hook", ctypes.c_uint8),
        ("pf", ctypes.c_uint8),
        ("in", ctypes.c_uint64),
        ("out", ctypes.c_uint64),
        ("sk", ctypes.c_uint64),
        ("net", ctypes.c_uint64),
        ("okfn", ctypes.c_uint64),
    ]


SKB_TYPES = (
    ProgType.SOCKET_FILTER,
    ProgType.SCHED_CLS,
    ProgType.SCHED_ACT,
    ProgType.CGROUP_SKB,
    ProgType.LWT_IN,
    ProgType.LWT_OUT,
    ProgType.LWT_XMIT,
    ProgType.LWT_SEG6LOCAL,
    ProgType.SK_SKB,
)
_WORDS = frozenset((ProgType.RAW_TRACEPOINT, ProgType.RAW_TRACEPOINT_WRITABLE))


def layout(prog_type: int) -> Any:
    """The ctypes structure of what TEST_RUN takes as context; None for types that take words, bytes or nothing."""
    if prog_type in SKB_TYPES:
        return uapi.__sk_buff
    if prog_type == ProgType.XDP:
        return uapi.xdp_md
    if prog_type == ProgType.FLOW_DISSECTOR:
        return uapi.bpf_flow_keys
    if prog_type == ProgType.SK_LOOKUP:
        return uapi.bpf_sk_lookup
    return nf_hook_state if prog_type == ProgType.NETFILTER else None


def from_fields(prog_type: int, given: Any, size: int) -> Any:
    """What the kernel takes for a context given as a dict or sequence; anything else is given back as it is.

    `size` is the number of bytes of the packet.  SpecError where the type has no fields, KindError for an unknown one.
    """
    check_kind(given, prog_type in _WORDS)
    if prog_type in _WORDS and isinstance(given, dict) and set(given) == {"args"}:
        given = given["args"]
    if prog_type in _WORDS and isinstance(given, (list, tuple)):
        return words(given)
    if not isinstance(given, dict):
        return given
    kind = layout(prog_type)
    if kind is None:
        name = getattr(named(ProgType, prog_type), "name", prog_type)
        raise SpecError(f"ctx: test runs of {name} programs take no fields by name: give bytes")
    made = kind()
    if prog_type == ProgType.XDP:
        made.data_end = size
    elif prog_type == ProgType.NETFILTER:
        made.pf, made.hook = 2, 3  # IPv4 on its way out, as without a context
    for name, value in given.items():
        set_field(made, name, value)
    return made


def check_kind(given: Any, words: bool = False) -> None:
    """KindError for what is no context: a dict, a ctypes structure, bytes, where `words` stand also a sequence."""
    sequence = words and isinstance(given, (list, tuple))
    if given is not None and not sequence and not isinstance(given, dict):
        try:
            memoryview(given)
        except TypeError:
            known = "a dict of fields, a ctypes structure or bytes"
            raise KindError(f"ctx is {given!r}: expected {known}{', or a list of numbers' if words else ''}") from None


def packet_bytes(data: Any) -> bytes | None:
    """The bytes of a packet, however it is given: bytes, or what `bytes()` turns into them (of scapy, dpkt).

    KindError for text, numbers and anything else.
    """
    if data is None or isinstance(data, bytes):
        return data
    wrong = f"data is {data!r}: expected the bytes of a packet, or an object that bytes() turns into them"
    if isinstance(data, (str, int)):
        raise KindError(wrong)
    try:
        return bytes(data)
    except (TypeError, ValueError) as error:
        raise KindError(wrong) from error


def words(values: Any) -> bytes:
    """Numbers as 64-bit words, zeros behind them up to `MAX_WORDS`.  SpecError for what is no number."""
    for value in values:
        if not hasattr(value, "__index__"):
            raise SpecError(
                f"ctx: {value!r} is not a number; put strings and structures into memory and give addresses"
            )
    raw = b"".join((int(v) & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little") for v in values)
    return raw.ljust(8 * MAX_WORDS, b"\0")


def set_field(struct: ctypes.Structure, name: str, value: Any) -> None:
    """Set a field of a ctypes structure from a number, bytes, text of an IP address, or a sequence of numbers.

    KindError for a name that is not a field, naming those that are; ConversionError for a value that does not fit.
    """
    if not isinstance(name, str) or not hasattr(type(struct), name):
        names = ", ".join(f for f, *_ in getattr(type(struct), "_fields_", ()) if not f.startswith("_"))
        raise KindError(f"struct {type(struct).__name__} has no field {name!r}; it has {names}")
    if isinstance(value, str):
        from ipaddress import ip_address

        try:
            value = ip_address(value).packed
        except ValueError as error:
            raise ConversionError(f"{name} of struct {type(struct).__name__}: {error}") from None
    descriptor = getattr(type(struct), name)
    current = getattr(struct, name)
    if isinstance(value, (bytes, bytearray)):
        raw = bytes(value)[: descriptor.size].ljust(descriptor.size, b"\0")
        ctypes.memmove(ctypes.addressof(struct) + descriptor.offset, raw, descriptor.size)
    elif isinstance(current, ctypes.Array):
        try:
            for i, item in enumerate(value):
                current[i] = item
        except (TypeError, IndexError) as error:
            wrong = f"{name} of struct {type(struct).__name__} holds {len(current)} numbers: {value!r} does not fit"
            raise ConversionError(wrong) from error
    elif isinstance(current, (ctypes.Structure, ctypes.Union)) and isinstance(value, dict):
        for inner, item in value.items():
            set_field(current, inner, item)  # type: ignore[arg-type]
    else:
        if isinstance(value, int):
            bits = descriptor.size >> 16 or descriptor.size * 8  # of a bit-field, ctypes keeps the width up there
            if not -(1 << bits - 1) <= value < 1 << bits:
                raise ConversionError(f"{name} of struct {type(struct).__name__} has {bits} bits: {value} does not fit")
        try:
            setattr(struct, name, value)
        except TypeError:
            wrong = f"{name} of struct {type(struct).__name__} is {value!r}: expected a number"
            raise ConversionError(wrong) from None


__all__ = ("MAX_WORDS", "from_fields", "layout", "nf_hook_state", "packet_bytes", "set_field", "words")
